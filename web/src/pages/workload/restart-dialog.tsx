import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import type { Workload } from "@/api/types";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField, SEEN_IN_HISTORY } from "@/components/reason-field";
import { plural } from "@/lib/format";
import { useBegin } from "./use-begin";

/** Replaces the pods; the version stays. */
export function RestartDialog({ workload, onClose }: { workload: Workload; onClose: () => void }) {
  const { name, pods_desired: pods } = workload;
  const [reason, setReason] = useState("");
  const [key] = useState(idempotencyKey);
  const restart = useBegin(name, () => api.restart(name, reason.trim() || null, key));
  return (
    <FormDialog
      title={`Restart ${name}`}
      description={`${workload.category}, namespace ${workload.namespace}`}
      action={name.length > 32 ? "Restart" : `Restart ${name}`}
      ready
      confirm
      ask={restart}
      onClose={onClose}
    >
      <p>
        {pods > 0
          ? `${plural(pods, "pod")} ${pods === 1 ? "is" : "are"} replaced one after another.`
          : "Its pods are replaced one after another."}{" "}
        The version stays as it is.
      </p>
      <ReasonField optional={SEEN_IN_HISTORY} value={reason} onChange={setReason} />
    </FormDialog>
  );
}
