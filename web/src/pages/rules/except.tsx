import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { workloadsQuery } from "@/api/queries";
import type { Freeze } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField } from "@/components/reason-field";
import { useNow } from "@/lib/clock";
import { holding } from "@/lib/freezes";
import { wholeNumber } from "@/lib/number";

interface ButtonsProps {
  freezes: Freeze[];
  workload: string;
  /** Only this one deploy; each of the workload when absent. */
  deploy?: number;
}

/** A button for each freeze that holds it now. */
export function ExceptButtons({ freezes, workload, deploy }: ButtonsProps) {
  const now = useNow();
  const [from, setFrom] = useState<Freeze | null>(null);
  const what = deploy === undefined ? workload : `deploy ${deploy}`;
  return (
    <>
      {holding(freezes, workload, deploy ?? null, now).map((freeze) => (
        <Button key={freeze.id} onClick={() => setFrom(freeze)} className="max-w-full">
          <span className="truncate">
            Except {what} from freeze {freeze.id}
          </span>
        </Button>
      ))}
      {from && (
        <ExceptDialog
          freeze={from}
          workload={workload}
          deploy={deploy}
          onClose={() => setFrom(null)}
        />
      )}
    </>
  );
}

interface DialogProps {
  freeze: Freeze;
  /** What is meant, where it is known already. */
  workload?: string;
  deploy?: number;
  onClose: () => void;
}

/** Lets a workload, or one deploy, through a freeze. */
export function ExceptDialog({ freeze, workload, deploy, onClose }: DialogProps) {
  const [reason, setReason] = useState("");
  const [name, setName] = useState(workload ?? "");
  const [number, setNumber] = useState(deploy === undefined ? "" : String(deploy));
  const one = number.trim() === "" ? undefined : wholeNumber(number);
  const of = name.trim();
  // What waited may go on, wherever it stands.
  const ask = useChange(onClose, () =>
    api.exceptFromFreeze(freeze.id, {
      ...(one == null ? { workload: of } : { deploy_id: one }),
      reason: reason.trim(),
    }),
  );
  const known = workload !== undefined;
  const what = one != null ? `deploy ${one}` : of || "a workload";
  return (
    <FormDialog
      title={`Except ${what} from freeze ${freeze.id}`}
      description={`“${freeze.reason}”, by ${freeze.by}`}
      action={`Except ${what}`}
      ready={reason.trim() !== "" && one !== null && (one !== undefined || of !== "")}
      ask={ask}
      onClose={onClose}
    >
      <p>
        {one != null
          ? "This one deploy goes out in spite of the freeze, unless something else holds it."
          : "Each of its deploys goes out as long as the freeze lasts, unless something else holds it."}{" "}
        It is on record, and cannot be taken back while the freeze lasts.
      </p>
      {!known && (
        <>
          <WorkloadField
            value={name}
            onChange={setName}
            project={freeze.project ?? null}
            disabled={one != null}
          />
          <Field
            label="Only one deploy"
            placeholder="Its number"
            help="Each deploy of the workload when empty"
            inputMode="numeric"
            invalid={one === null}
            value={number}
            onChange={(event) => setNumber(event.target.value)}
            className="max-w-72"
          />
        </>
      )}
      <ReasonField first={known} value={reason} onChange={setReason} />
    </FormDialog>
  );
}

interface WorkloadFieldProps {
  value: string;
  onChange: (value: string) => void;
  /** Only its workloads are offered. */
  project: string | null;
  disabled: boolean;
}

const MOST_OFFERED = 200;

function WorkloadField({ value, onChange, project, disabled }: WorkloadFieldProps) {
  const { data = [] } = useQuery(workloadsQuery);
  const offered = data.filter((it) => project === null || it.project === project);
  return (
    <Field
      data-first
      label="Workload"
      value={value}
      disabled={disabled}
      onChange={(event) => onChange(event.target.value)}
      options={offered.slice(0, MOST_OFFERED).map((it) => it.name)}
      className="max-w-72"
    />
  );
}
