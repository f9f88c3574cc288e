import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { WorkloadLock } from "@/api/types";
import { EndField } from "@/components/end-field";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { endOf, NO_END } from "@/lib/span";

/** Changes a rule, reads what it holds anew, and closes. */
function useChange(name: string, onClose: () => void, change: () => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.workload(name) });
      void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
      onClose();
    },
  });
}

export function LockDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [end, setEnd] = useState(NO_END);
  const until = endOf(end, Date.now());
  const wrong = "wrong" in until ? until.wrong : null;
  const ask = useChange(name, onClose, () =>
    api.lock(name, { reason: reason.trim(), until: "until" in until ? until.until : null }),
  );
  return (
    <FormDialog
      title={`Lock ${name}`}
      action="Lock"
      ready={reason.trim() !== "" && wrong === null}
      ask={ask}
      onClose={onClose}
    >
      <p>Nobody but you deploys it, pushes included, until you unlock it.</p>
      <Field
        data-first
        label="Reason"
        required
        maxLength={1000}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      <EndField
        label="How long it holds"
        open="Until it is unlocked"
        end={end}
        onChange={setEnd}
        wrong={wrong}
      />
    </FormDialog>
  );
}

interface UnlockProps {
  name: string;
  lock: WorkloadLock;
  onClose: () => void;
}

export function UnlockDialog({ name, lock, onClose }: UnlockProps) {
  const [reason, setReason] = useState("");
  const ask = useChange(name, onClose, () => api.unlock(name, reason.trim()));
  return (
    <FormDialog
      title={`Break the lock of ${name}`}
      action="Break the lock"
      danger
      ready={reason.trim() !== ""}
      ask={ask}
      onClose={onClose}
    >
      <p className="break-words">
        {lock.by} works on it by hand: “{lock.reason}”. Ask first. That you broke it stays on
        record.
      </p>
      <Field
        data-first
        label="Reason"
        required
        maxLength={1000}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
    </FormDialog>
  );
}
