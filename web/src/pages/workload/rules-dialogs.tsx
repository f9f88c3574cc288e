import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { ApprovalRule, DeployWindows, WorkloadLock } from "@/api/types";
import { Button } from "@/components/button";
import { EndField } from "@/components/end-field";
import { Check, Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { toastProblem } from "@/components/toast";
import { wholeNumber } from "@/lib/scale";
import { endOf, NO_END } from "@/lib/span";
import { parseWindows, windowsText } from "@/lib/windows";

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

interface ClearProps {
  label: string;
  clear: { mutate: () => void; isPending: boolean };
}

const Clear = ({ label, clear }: ClearProps) => (
  <Button look="danger" busy={clear.isPending} onClick={() => clear.mutate()} className="mr-auto">
    {label}
  </Button>
);

/** Takes a rule away. */
function useClear(name: string, onClose: () => void, clear: () => Promise<unknown>) {
  const change = useChange(name, onClose, clear);
  return {
    isPending: change.isPending,
    mutate: () =>
      change.mutate(undefined, { onError: (error) => toastProblem("It stays as it was", error) }),
  };
}

interface WindowsProps {
  name: string;
  now: DeployWindows | null;
  onClose: () => void;
}

export function WindowsDialog({ name, now, onClose }: WindowsProps) {
  const [text, setText] = useState(now ? windowsText(now.windows) : "Mon-Fri 09:00-17:00");
  const [zone, setZone] = useState(
    now?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
  );
  const windows = parseWindows(text);
  const ask = useChange(name, onClose, () =>
    api.setWindows(name, { windows: windows ?? [], time_zone: zone.trim() }),
  );
  const clear = useClear(name, onClose, () => api.clearWindows(name));
  return (
    <FormDialog
      title={`Windows of ${name}`}
      action="Set the windows"
      ready={windows !== null && zone.trim() !== ""}
      ask={ask}
      onClose={onClose}
      beside={now && <Clear label="Clear" clear={clear} />}
    >
      <p>Deploys begin in these times only. Rollbacks and restarts pass.</p>
      <Field
        data-first
        label="Windows"
        help="Days and times, with ; between several: Mon-Thu 08:00-18:00; Fri 08:00-12:00"
        invalid={windows === null}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Field
        label="Time zone"
        help="Such as Europe/Berlin"
        value={zone}
        onChange={(event) => setZone(event.target.value)}
        className="max-w-72"
      />
    </FormDialog>
  );
}

interface ApprovalsProps {
  name: string;
  now: ApprovalRule | null;
  onClose: () => void;
}

export function ApprovalsDialog({ name, now, onClose }: ApprovalsProps) {
  const [count, setCount] = useState(String(now?.count ?? 1));
  const [people, setPeople] = useState((now?.people ?? []).join(", "));
  const [role, setRole] = useState(now ? (now.role ?? "") : "owner");
  const [rollbacks, setRollbacks] = useState(now?.rollback_needs_approval ?? false);
  const needed = wholeNumber(count);
  const names = people.split(/[\s,]+/).filter((it) => it !== "");
  const ask = useChange(name, onClose, () =>
    api.setApprovals(name, {
      count: needed ?? 0,
      people: names,
      role: names.length > 0 ? null : role.trim(),
      rollback_needs_approval: rollbacks,
    }),
  );
  const clear = useClear(name, onClose, () => api.clearApprovals(name));
  return (
    <FormDialog
      title={`Approvals of ${name}`}
      action="Set the approvals"
      ready={needed !== null && needed > 0 && (names.length > 0 || role.trim() !== "")}
      ask={ask}
      onClose={onClose}
      beside={now && <Clear label="Clear" clear={clear} />}
    >
      <Field
        data-first
        label="How many"
        inputMode="numeric"
        value={count}
        onChange={(event) => setCount(event.target.value)}
        className="max-w-72"
      />
      <Field
        label="People who may approve"
        help="Names with commas between them; or leave it empty and name a role"
        value={people}
        onChange={(event) => setPeople(event.target.value)}
      />
      {names.length === 0 && (
        <Field
          label="Role whose members may approve"
          value={role}
          onChange={(event) => setRole(event.target.value)}
          className="max-w-72"
        />
      )}
      <Check label="Rollbacks need approvals, too" checked={rollbacks} onChange={setRollbacks} />
    </FormDialog>
  );
}
