/** How scaling is said in words, and what its forms ask for. */
import type {
  AutoscalingSettings,
  ScaleChange,
  ScaleChangeState,
  ScaleOwner,
  ScaleStatus,
  SetAutoscaling,
} from "@/api/types";
import {
  type BehaviourForm,
  behaviourAsked,
  behaviourForm,
  type Direction,
  hasBehaviour,
  type PaceForm,
  paceWrong,
} from "./behaviour";
import { plural } from "./format";
import { wholeNumber, wrongNumber } from "./number";
import type { Look } from "./status";

export const OWNER: Record<ScaleOwner, string> = {
  file: "The config file",
  person: "A person",
  autoscaler: "An autoscaler",
  other: "Another tool",
};

export const CHANGE: Record<ScaleChangeState, Look> = {
  pending: { tone: "waiting", word: "Waiting" },
  active: { tone: "ok", word: "Holds" },
  ended: { tone: "unknown", word: "Ended" },
  replaced: { tone: "unknown", word: "Replaced" },
  refused: { tone: "failed", word: "Refused" },
};

/** "2 to 8 pods, 70 % CPU, own behaviour". */
export function autoscalingWords(settings: AutoscalingSettings): string {
  const more = settings.metrics?.length ?? 0;
  return [
    `${settings.min} to ${plural(settings.max, "pod")}`,
    settings.cpu == null ? null : `${settings.cpu} % CPU`,
    settings.memory == null ? null : `${settings.memory} % memory`,
    more === 0 ? null : plural(more, "other metric"),
    hasBehaviour(settings.behavior) ? "own behaviour" : null,
  ]
    .filter((part) => part !== null)
    .join(", ");
}

/** What an entry of the ledger asked for: "3 → 5 pods". */
export function changeWords(change: ScaleChange): string {
  if (change.kind === "file") return "Back to the config file";
  if (change.kind === "autoscaling") {
    return change.autoscaling ? `By load: ${autoscalingWords(change.autoscaling)}` : "By load";
  }
  const before = change.replicas_before == null ? "" : `${change.replicas_before} → `;
  const fixed = change.fixed ? ", autoscaler off" : "";
  return `${before}${plural(change.replicas ?? 0, "pod")}${fixed}`;
}

/** Whether the last change has to be told: the one that holds says itself who made it, and why. */
export const tellsLast = ({ change, last_change: last }: ScaleStatus): boolean =>
  last != null && (change?.state !== "active" || last.by !== "person");

export interface TargetsForm {
  min: string;
  max: string;
  cpu: string;
  memory: string;
}

export interface AutoscalingForm extends TargetsForm {
  behaviour: BehaviourForm;
}

/** A field of the form: "cpu", or "up.pods" of its behaviour. */
export type AutoscalingField = keyof TargetsForm | `${Direction}.${keyof PaceForm}`;

/** The most that can be asked for at all. */
export const MOST_PODS = 10_000;
/** As the server takes it. */
const MOST_PERCENT = 1_000;

const text = (value: unknown): string => (typeof value === "number" ? String(value) : "");

/** The form of what holds now; of sensible numbers where nothing does. */
export function autoscalingForm(now: AutoscalingSettings | null | undefined): AutoscalingForm {
  const behaviour = behaviourForm(now?.behavior);
  if (!now) return { min: "2", max: "8", cpu: "70", memory: "", behaviour };
  return {
    min: text(now.min),
    max: text(now.max),
    cpu: text(now.cpu),
    memory: text(now.memory),
    behaviour,
  };
}

/** Pure: the first that is wrong with the form, at the field that it is about. */
function autoscalingWrong(
  form: AutoscalingForm,
  others: boolean,
): { at: AutoscalingField; wrong: string } | null {
  const checks: [keyof TargetsForm, string | null][] = [
    ["min", wrongNumber(form.min, 1, MOST_PODS)],
    ["max", wrongNumber(form.max, 1, MOST_PODS)],
    ["max", Number(form.max) < Number(form.min) ? "Not fewer than the fewest" : null],
    ["cpu", form.cpu.trim() && wrongNumber(form.cpu, 1, MOST_PERCENT)],
    ["memory", form.memory.trim() && wrongNumber(form.memory, 1, MOST_PERCENT)],
    ["cpu", others || form.cpu.trim() || form.memory.trim() ? null : "Say CPU, memory or both"],
  ];
  const [at, wrong] = checks.find(([, words]) => words) ?? [];
  if (at && wrong) return { at, wrong };
  for (const direction of ["up", "down"] as const) {
    const found = paceWrong(form.behaviour[direction]);
    if (found) return { at: `${direction}.${found.at}`, wrong: found.wrong };
  }
  return null;
}

/** Pure: what to ask for, or what is wrong. What the form does not show stays as it is. */
export function autoscalingAsked(
  form: AutoscalingForm,
  now: AutoscalingSettings | null | undefined,
): Omit<SetAutoscaling, "reason" | "until"> | { wrong: string; at: AutoscalingField } {
  const metrics = now?.metrics ?? [];
  const wrong = autoscalingWrong(form, metrics.length > 0);
  if (wrong) return wrong;
  const min = Number(form.min);
  const max = Number(form.max);
  const cpu = wholeNumber(form.cpu);
  const memory = wholeNumber(form.memory);
  const behavior = behaviourAsked(form.behaviour, now?.behavior);
  return {
    min,
    max,
    cpu,
    memory,
    metrics,
    ...(behavior === null ? {} : { behavior }),
  };
}
