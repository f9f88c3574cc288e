import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { PreviewSettings, Workload } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Button } from "@/components/button";
import { Check, NumberField } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { plural } from "@/lib/format";
import { wholeNumber, wrongNumber } from "@/lib/number";
import { isCounted, sleeps } from "@/lib/previews";
import { Setting } from "./setting";

/** What holds where the server says nothing else. */
const DEFAULTS: PreviewSettings = { auto: false, replicas: 1, idle_minutes: 30, expiry_days: 7 };

/** How the pull requests of a workload are previewed. */
export function PreviewsSetting({ workload }: { workload: Workload }) {
  const [asking, setAsking] = useState(false);
  const now = workload.previews ?? DEFAULTS;
  return (
    <Setting name="Previews" help="How pull requests run beside the workload">
      <p>
        {now.auto
          ? "Every pull request is deployed by itself; one from a fork, once it is allowed."
          : "A pull request is deployed when somebody asks for it."}
      </p>
      <p className="text-muted">
        {isCounted(workload.workload_type) && `${plural(now.replicas, "pod")} each. `}
        {sleeps(workload.workload_type) &&
          `Asleep after ${plural(now.idle_minutes, "minute")} without a visit, `}
        {sleeps(workload.workload_type) ? "removed" : "Removed"} after{" "}
        {plural(now.expiry_days, "day")} without use.
      </p>
      <Button onClick={() => setAsking(true)} className="mt-2">
        Change the previews
      </Button>
      {asking && <PreviewsDialog workload={workload} now={now} onClose={() => setAsking(false)} />}
    </Setting>
  );
}

interface DialogProps {
  workload: Workload;
  now: PreviewSettings;
  onClose: () => void;
}

const LIMITS = { replicas: 10, idle_minutes: 10_080, expiry_days: 90 };
type Amount = keyof typeof LIMITS;

function PreviewsDialog({ workload, now, onClose }: DialogProps) {
  const [auto, setAuto] = useState(now.auto);
  const [form, setForm] = useState<Record<Amount, string>>({
    replicas: String(now.replicas),
    idle_minutes: String(now.idle_minutes),
    expiry_days: String(now.expiry_days),
  });
  const read = (name: Amount) => {
    const value = wholeNumber(form[name]);
    return value !== null && value >= 1 && value <= LIMITS[name] ? value : null;
  };
  const [replicas, idle, expiry] = [read("replicas"), read("idle_minutes"), read("expiry_days")];
  const save = useChange(
    onClose,
    () => {
      const asked = {
        auto,
        replicas: replicas ?? now.replicas,
        idle_minutes: idle ?? now.idle_minutes,
        expiry_days: expiry ?? now.expiry_days,
      };
      return api.setPreviews(workload.name, asked, workload.version);
    },
    (client, saved) => client.setQueryData(keys.workload(workload.name), saved),
  );
  const field = (name: Amount, label: string, help: string) => (
    <NumberField
      label={label}
      help={help}
      wrong={wrongNumber(form[name], 1, LIMITS[name])}
      value={form[name]}
      onChange={(text) => setForm({ ...form, [name]: text })}
    />
  );
  const type = workload.workload_type;
  return (
    <FormDialog
      title={`Previews of ${workload.name}`}
      action="Set the previews"
      ready={replicas !== null && idle !== null && expiry !== null}
      ask={save}
      onClose={onClose}
    >
      <Check
        label="Deploy every pull request by itself"
        help="Each push to one brings its newest commit out; a fork's commit waits until it is allowed"
        checked={auto}
        onChange={setAuto}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        {isCounted(type) && field("replicas", "Pods of a new preview", "1 to 10")}
        {sleeps(type) &&
          field("idle_minutes", "Sleeps after minutes", "Without a visit; 1 to 10,080")}
        {field("expiry_days", "Removed after days", "Without use; 1 to 90")}
      </div>
    </FormDialog>
  );
}
