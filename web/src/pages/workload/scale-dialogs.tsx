import type { QueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { keys } from "@/api/queries";
import type { ScaleStatus, Workload } from "@/api/types";
import { useChange } from "@/api/use-change";
import { EndField, useEnd } from "@/components/end-field";
import { Check, NumberField } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField } from "@/components/reason-field";
import { plural } from "@/lib/format";
import { wholeNumber, wrongNumber } from "@/lib/number";
import {
  type AutoscalingField,
  autoscalingAsked,
  autoscalingForm,
  MOST_PODS,
  type TargetsForm,
} from "@/lib/scale";
import { BehaviourFields } from "./behaviour-fields";

export interface ScaleProps {
  workload: Workload;
  scale: ScaleStatus;
  onClose: () => void;
}

/** The number of pods is read anew: no pod may tell that it has changed. */
const readAgain = (name: string) => (client: QueryClient) =>
  void client.invalidateQueries({ queryKey: keys.scale(name) });

/** What is wrong with a number of pods; other bounds help only where some can hold it. */
const wrongPods = (text: string, wrong: string | null): string | null => {
  if (text === "" || wrong === null) return null;
  const asked = wholeNumber(text);
  return asked !== null && asked <= MOST_PODS ? `${wrong}; its bounds can be changed` : wrong;
};

const SEEN = "Whoever looks at the ledger will see it";

/** A number of pods, by hand; `to` where it is chosen already. */
export function ScaleDialog({ workload, scale, to, onClose }: ScaleProps & { to?: number }) {
  const [text, setText] = useState(String(to ?? scale.replicas ?? ""));
  const [reason, setReason] = useState("");
  const [fixed, setFixed] = useState(false);
  const [key] = useState(idempotencyKey);
  const replicas = wholeNumber(text);
  const end = useEnd();
  const ask = useChange(
    onClose,
    () => {
      const body = { replicas: replicas ?? 0, reason: reason.trim(), fixed, until: end.until };
      return api.setScale(workload.name, body, key);
    },
    readAgain(workload.name),
  );
  const { min, max } = scale.bounds;
  const wrong = replicas === 0 ? null : wrongNumber(text, min, max);
  const autoscaled = scale.owner === "autoscaler" || scale.autoscaling != null;
  return (
    <FormDialog
      description={`${workload.category}, namespace ${workload.namespace}`}
      title={to === 0 ? `Scale ${workload.name} to zero` : `Scale ${workload.name}`}
      action={replicas === null ? "Scale" : `Scale to ${plural(replicas, "pod")}`}
      danger={replicas === 0}
      ready={wrong === null && reason.trim() !== "" && end.wrong === null}
      ask={ask}
      onClose={onClose}
    >
      {replicas === 0 && (
        <p>
          All its pods are stopped, and nothing answers in its place. The way back is another number
          or the config file.
        </p>
      )}
      {to === undefined && (
        <NumberField
          data-first
          label="Pods"
          help={`${scale.replicas ?? 0} now; from ${min} to ${max.toLocaleString("en")}${min > 0 ? ", or 0" : ""}`}
          wrong={wrongPods(text, wrong)}
          value={text}
          onChange={setText}
          className="max-w-72"
        />
      )}
      <ReasonField
        first={to !== undefined}
        placeholder={SEEN}
        value={reason}
        onChange={setReason}
      />
      <EndField open="Until somebody changes it" {...end.field} />
      {autoscaled && (
        <Check
          label="Turn the autoscaler off until the number is given back"
          help="Without it, an autoscaled workload takes no other number than 0"
          checked={fixed}
          onChange={setFixed}
        />
      )}
    </FormDialog>
  );
}

/** Gives the number back to the config file. */
export function ReleaseDialog({ workload, onClose }: ScaleProps) {
  const [reason, setReason] = useState("");
  const ask = useChange(
    onClose,
    () => api.releaseScale(workload.name, reason.trim()),
    readAgain(workload.name),
  );
  return (
    <FormDialog
      description={`${workload.category}, namespace ${workload.namespace}`}
      title={`Give ${workload.name} back to its config file`}
      action="Back to the config file"
      ready={reason.trim() !== ""}
      ask={ask}
      onClose={onClose}
    >
      <p>
        The number of pods, or the autoscaling, is again what the config file said at the last
        deploy.
      </p>
      <ReasonField first placeholder={SEEN} value={reason} onChange={setReason} />
    </FormDialog>
  );
}

/** Lets the number of pods follow their load. */
export function AutoscalingDialog({ workload, scale, onClose }: ScaleProps) {
  const [form, setForm] = useState(() => autoscalingForm(scale.autoscaling));
  const [reason, setReason] = useState("");
  const [key] = useState(idempotencyKey);
  const asked = autoscalingAsked(form, scale.autoscaling);
  const end = useEnd();
  const ask = useChange(
    onClose,
    async () => {
      if ("wrong" in asked) return;
      const body = { ...asked, reason: reason.trim(), until: end.until };
      await api.setAutoscaling(workload.name, body, key);
    },
    readAgain(workload.name),
  );
  const wrongAt = (at: AutoscalingField) =>
    "wrong" in asked && asked.at === at ? asked.wrong : null;
  const field = (name: keyof TargetsForm, label: string, help?: string) => (
    <NumberField
      {...(name === "min" ? { "data-first": true } : {})}
      label={label}
      help={help}
      wrong={wrongAt(name)}
      value={form[name]}
      onChange={(text) => setForm({ ...form, [name]: text })}
    />
  );
  return (
    <FormDialog
      description={`${workload.category}, namespace ${workload.namespace}`}
      title={`Scale ${workload.name} by its load`}
      action="Scale by load"
      ready={!("wrong" in asked) && reason.trim() !== "" && end.wrong === null}
      ask={ask}
      onClose={onClose}
    >
      <div className="grid grid-cols-2 gap-4">
        {field("min", "Fewest pods")}
        {field("max", "Most pods")}
        {field("cpu", "CPU to aim at", "Percent of what is requested")}
        {field("memory", "Memory to aim at", "Percent of what is requested")}
      </div>
      <BehaviourFields
        form={form.behaviour}
        now={scale.autoscaling?.behavior}
        wrong={(direction, name) => wrongAt(`${direction}.${name}`)}
        onChange={(behaviour) => setForm({ ...form, behaviour })}
      />
      <ReasonField placeholder={SEEN} value={reason} onChange={setReason} />
      <EndField open="Until somebody changes it" {...end.field} />
    </FormDialog>
  );
}

/** The numbers that people may ask for. */
export function BoundsDialog({ workload, scale, onClose }: ScaleProps) {
  const [min, setMin] = useState(String(scale.bounds.min));
  const [max, setMax] = useState(String(scale.bounds.max));
  const fewest = wholeNumber(min);
  const most = wholeNumber(max);
  const wrongMin = wrongNumber(min, 0, MOST_PODS);
  const wrongMax =
    wrongNumber(max, 0, MOST_PODS) ??
    (Number(max) < Number(min) ? "Not fewer than the fewest" : null);
  const ask = useChange(
    onClose,
    () => api.setScaleBounds(workload.name, { min: fewest ?? 0, max: most ?? 0 }),
    readAgain(workload.name),
  );
  return (
    <FormDialog
      description={`${workload.category}, namespace ${workload.namespace}`}
      title={`Bounds of ${workload.name}`}
      action="Set the bounds"
      ready={wrongMin === null && wrongMax === null}
      ask={ask}
      onClose={onClose}
    >
      <p>What people may ask for, from 0 to 10,000 pods. Zero can always be asked for.</p>
      <div className="grid grid-cols-2 gap-4">
        <NumberField
          data-first
          label="Fewest pods"
          wrong={wrongMin}
          value={min}
          onChange={setMin}
        />
        <NumberField label="Most pods" wrong={wrongMax} value={max} onChange={setMax} />
      </div>
    </FormDialog>
  );
}
