import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { keys } from "@/api/queries";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { splitArguments } from "@/lib/arguments";

interface Props {
  name: string;
  onClose: () => void;
}

/** Runs what is deployed, with other arguments if somebody writes them. */
export function RunDialog({ name, onClose }: Props) {
  const form = useId();
  const [line, setLine] = useState("");
  const [key] = useState(idempotencyKey);
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => {
      const given = splitArguments(line);
      return api.createRun(name, { arguments: given.length > 0 ? given : null }, key);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.runs(name) });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    run.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={<span className="wrap-anywhere">Run {name}</span>}
      description="Runs what is deployed now, beside its schedule."
      footer={
        <Button look="primary" type="submit" form={form} busy={run.isPending}>
          Run {name.length > 32 ? "it now" : name}
        </Button>
      }
    >
      <form id={form} onSubmit={submit}>
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
      </form>
      {run.error && <ProblemView error={run.error} className="mt-4" />}
    </Dialog>
  );
}
