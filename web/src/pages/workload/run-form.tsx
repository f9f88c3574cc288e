import { useState } from "react";
import { idempotencyKey } from "@/api/client";
import type { CreateRun, Run } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { splitArguments } from "@/lib/arguments";

interface Props {
  title: string;
  description: string;
  action: string;
  run: (body: CreateRun, key: string) => Promise<Run>;
  after: Parameters<typeof useChange<Run>>[2];
  onClose: () => void;
}

/** Runs a cron job now, with other arguments if somebody writes them. */
export function RunForm({ title, description, action, run, after, onClose }: Props) {
  const [line, setLine] = useState("");
  const [key] = useState(idempotencyKey);
  const ask = useChange(
    onClose,
    () => {
      const given = splitArguments(line);
      return run({ arguments: given.length > 0 ? given : null }, key);
    },
    after,
  );
  return (
    <FormDialog
      title={title}
      description={description}
      action={action}
      ready
      ask={ask}
      onClose={onClose}
    >
      <Field
        data-first
        label="Arguments"
        placeholder="Its own"
        help="Of the first container, instead of its own. Quotes keep words together."
        mono
        maxLength={4096}
        value={line}
        onChange={(event) => setLine(event.target.value)}
      />
    </FormDialog>
  );
}
