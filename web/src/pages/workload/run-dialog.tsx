import { api } from "@/api/client";
import { keys } from "@/api/queries";
import { RunForm } from "./run-form";

interface Props {
  name: string;
  onClose: () => void;
}

/** Runs what is deployed. */
export const RunDialog = ({ name, onClose }: Props) => (
  <RunForm
    title={`Run ${name}`}
    description="Runs what is deployed now, beside its schedule."
    action={`Run ${name.length > 32 ? "it now" : name}`}
    run={(body, key) => api.createRun(name, body, key)}
    after={(client) => void client.invalidateQueries({ queryKey: keys.runs(name) })}
    onClose={onClose}
  />
);
