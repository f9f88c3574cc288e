import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useId, useState } from "react";
import { applyDeploy } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { keys } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { plural } from "@/lib/format";

/** Replaces the pods; the version stays. */
export function RestartDialog({ workload, onClose }: { workload: Workload; onClose: () => void }) {
  const { name } = workload;
  const form = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [reason, setReason] = useState("");
  const [key] = useState(idempotencyKey);
  const restart = useMutation({
    mutationFn: () => api.restart(name, reason.trim() || null, key),
    onSuccess: async (started) => {
      applyDeploy(client, started);
      void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
      await navigate({ to: "/deploys/$id", params: { id: String(started.id) } });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    restart.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={<span className="wrap-anywhere">Restart {name}</span>}
      description={`${workload.category}, namespace ${workload.namespace}`}
      footer={
        <Button look="primary" type="submit" data-confirm form={form} busy={restart.isPending}>
          Restart
        </Button>
      }
    >
      <p>
        {workload.pods_desired > 0
          ? `${plural(workload.pods_desired, "pod")} ${workload.pods_desired === 1 ? "is" : "are"} replaced one after another.`
          : "Its pods are replaced one after another."}{" "}
        The version stays as it is.
      </p>
      <form id={form} onSubmit={submit} className="mt-4">
        <Field
          label="Reason"
          placeholder="Optional; whoever looks at the history will see it"
          maxLength={1000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </form>
      {restart.error && <ProblemView error={restart.error} className="mt-4" />}
    </Dialog>
  );
}
