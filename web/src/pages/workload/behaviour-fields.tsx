import { useState } from "react";
import { NumberField, Pick } from "@/components/field";
import {
  type BehaviourForm,
  type Direction,
  hasBehaviour,
  morePolicies,
  type PaceForm,
  paceWrong,
} from "@/lib/behaviour";
import { plural } from "@/lib/format";

interface Props {
  form: BehaviourForm;
  /** The behaviour that is set now. */
  now: unknown;
  /** What is wrong with a field, in words. */
  wrong: (direction: Direction, field: keyof PaceForm) => string | null;
  onChange: (form: BehaviourForm) => void;
}

/** How fast to scale; folded away until somebody asks, or has set it. */
export function BehaviourFields({ form, now, wrong, onChange }: Props) {
  const [open, setOpen] = useState(() => hasBehaviour(now));
  const bad = paceWrong(form.up) !== null || paceWrong(form.down) !== null;
  const pace = (direction: Direction) => ({
    form: form[direction],
    more: morePolicies(now, direction),
    wrong: (field: keyof PaceForm) => wrong(direction, field),
    onChange: (part: Partial<PaceForm>) =>
      onChange({ ...form, [direction]: { ...form[direction], ...part } }),
  });
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="w-fit rounded-sm text-muted hover:text-text">
        Behaviour: how fast it scales
        {!open && bad && <span className="text-failed"> (a number in it is wrong)</span>}
      </summary>
      <div className="mt-3 flex flex-col gap-5">
        <p className="text-xs text-faint">
          What is empty is left to Kubernetes; a limit of your own replaces all of its limits in
          that direction.
        </p>
        <Pace
          title="Scaling up"
          calm="For so long more pods must be needed (stabilizationWindowSeconds)"
          {...pace("up")}
        />
        <Pace
          title="Scaling down"
          calm="For so long fewer pods must be enough (stabilizationWindowSeconds)"
          {...pace("down")}
        />
      </div>
    </details>
  );
}

interface PaceProps {
  title: string;
  calm: string;
  form: PaceForm;
  more: number;
  wrong: (field: keyof PaceForm) => string | null;
  onChange: (part: Partial<PaceForm>) => void;
}

function Pace({ title, calm, form, more, wrong, onChange }: PaceProps) {
  const field = (name: keyof PaceForm, label: string, help?: string) => (
    <NumberField
      label={label}
      help={help}
      wrong={wrong(name)}
      value={form[name]}
      onChange={(text) => onChange({ [name]: text })}
    />
  );
  return (
    <fieldset className="flex min-w-0 flex-col gap-4">
      <legend className="mb-2 font-medium">{title}</legend>
      {field("calm", "Seconds of calm", calm)}
      <div className="grid grid-cols-2 items-start gap-4">
        {field("pods", "At most pods")}
        {field("podsSeconds", "In seconds, for pods")}
        {field("percent", "At most percent")}
        {field("percentSeconds", "In seconds, for percent")}
      </div>
      {more > 0 && (
        <p className="text-muted">
          {plural(more, "further limit")} of it {more === 1 ? "stays" : "stay"} as{" "}
          {more === 1 ? "it is" : "they are"}.
        </p>
      )}
      <div>
        <p className="mb-1 font-medium">Which limit counts</p>
        <Pick
          label={`Which limit counts, ${title.toLowerCase()}`}
          value={form.select}
          options={selects(form.select)}
          onChange={(select) => onChange({ select })}
          className="max-w-72"
        />
      </div>
    </fieldset>
  );
}

const SELECTS = [
  { value: "", label: "Kubernetes' own choice" },
  { value: "Max", label: "The one that allows most (Max)" },
  { value: "Min", label: "The one that allows least (Min)" },
  { value: "Disabled", label: "Never scale this way (Disabled)" },
];

/** What somebody else has set is there to be kept, even if it is none of these. */
const selects = (now: string) =>
  SELECTS.some((it) => it.value === now) ? SELECTS : [...SELECTS, { value: now, label: now }];
