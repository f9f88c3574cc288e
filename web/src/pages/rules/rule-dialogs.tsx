import { useState } from "react";
import type { ApprovalRule, DeployWindows } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Button } from "@/components/button";
import { Check, Field, NumberField } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { toastProblem } from "@/components/toast";
import { wholeNumber } from "@/lib/number";
import { ROLES } from "@/lib/people";
import { isTimeZone, parseWindows, windowsText, ZONES } from "@/lib/windows";
import type { RuleTarget } from "./target";

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
function useClear(onClose: () => void, clear: () => Promise<unknown>) {
  const change = useChange(onClose, clear);
  return {
    isPending: change.isPending,
    mutate: () =>
      change.mutate(undefined, { onError: (error) => toastProblem("It stays as it was", error) }),
  };
}

interface WindowsProps {
  target: RuleTarget;
  now: DeployWindows | null;
  onClose: () => void;
}

export function WindowsDialog({ target, now, onClose }: WindowsProps) {
  const [text, setText] = useState(now ? windowsText(now.windows) : "Mon-Fri 09:00-17:00");
  const [zone, setZone] = useState(
    now?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
  );
  const windows = parseWindows(text);
  const ask = useChange(onClose, () =>
    target.setWindows({ windows: windows ?? [], time_zone: zone.trim() }),
  );
  const clear = useClear(onClose, () => target.clearWindows());
  return (
    <FormDialog
      title={`Windows of ${target.title}`}
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
        help={
          isTimeZone(zone)
            ? "Such as Europe/Berlin"
            : "No time zone is called so; write one such as Europe/Berlin"
        }
        invalid={!isTimeZone(zone)}
        options={ZONES}
        value={zone}
        onChange={(event) => setZone(event.target.value)}
        className="max-w-72"
      />
    </FormDialog>
  );
}

interface ApprovalsProps {
  target: RuleTarget;
  now: ApprovalRule | null;
  onClose: () => void;
}

export function ApprovalsDialog({ target, now, onClose }: ApprovalsProps) {
  const [count, setCount] = useState(String(now?.count ?? 1));
  const [people, setPeople] = useState((now?.people ?? []).join(", "));
  const [role, setRole] = useState(now ? (now.role ?? "") : "owner");
  const [rollbacks, setRollbacks] = useState(now?.rollback_needs_approval ?? false);
  const needed = wholeNumber(count);
  const names = people.split(/[\s,]+/).filter((it) => it !== "");
  const ask = useChange(onClose, () =>
    target.setApprovals({
      count: needed ?? 0,
      people: names,
      role: names.length > 0 ? null : role.trim(),
      rollback_needs_approval: rollbacks,
    }),
  );
  const clear = useClear(onClose, () => target.clearApprovals());
  return (
    <FormDialog
      title={`Approvals of ${target.title}`}
      action="Set the approvals"
      ready={needed !== null && needed > 0 && (names.length > 0 || role.trim() !== "")}
      ask={ask}
      onClose={onClose}
      beside={now && <Clear label="Clear" clear={clear} />}
    >
      <NumberField
        data-first
        label="How many"
        wrong={needed === null || needed < 1 ? "A whole number from 1 on" : null}
        value={count}
        onChange={setCount}
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
          options={ROLES.map((it) => it.value)}
          value={role}
          onChange={(event) => setRole(event.target.value)}
          className="max-w-72"
        />
      )}
      <Check label="Rollbacks need approvals, too" checked={rollbacks} onChange={setRollbacks} />
    </FormDialog>
  );
}
