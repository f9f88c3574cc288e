import type { QueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { WorkloadLock } from "@/api/types";
import { useChange } from "@/api/use-change";
import { EndField, useEnd } from "@/components/end-field";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField } from "@/components/reason-field";

/** What a lock holds is read anew. */
const readAgain = (name: string) => (client: QueryClient) => {
  void client.invalidateQueries({ queryKey: keys.workload(name) });
  void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
};

export function LockDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const end = useEnd();
  const ask = useChange(
    onClose,
    () => api.lock(name, { reason: reason.trim(), until: end.until }),
    readAgain(name),
  );
  return (
    <FormDialog
      title={`Lock ${name}`}
      action={name.length > 32 ? "Lock it" : `Lock ${name}`}
      ready={reason.trim() !== "" && end.wrong === null}
      ask={ask}
      onClose={onClose}
    >
      <p>Nobody but you deploys it, pushes included, until you unlock it.</p>
      <ReasonField first value={reason} onChange={setReason} />
      <EndField open="Until it is unlocked" {...end.field} />
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
  const ask = useChange(onClose, () => api.unlock(name, reason.trim()), readAgain(name));
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
      <ReasonField first value={reason} onChange={setReason} />
    </FormDialog>
  );
}
