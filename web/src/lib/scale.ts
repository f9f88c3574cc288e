/** How scaling is said in words, and what its forms ask for. */
import type {
  AutoscalingSettings,
  ScaleChange,
  ScaleChangeState,
  ScaleOwner,
  SetAutoscaling,
} from "@/api/types";
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

/** "2 to 8 pods, 70 % CPU". */
export function autoscalingWords(settings: AutoscalingSettings): string {
  const more = settings.metrics?.length ?? 0;
  return [
    `${settings.min} to ${plural(settings.max, "pod")}`,
    settings.cpu == null ? null : `${settings.cpu} % CPU`,
    settings.memory == null ? null : `${settings.memory} % memory`,
    more === 0 ? null : plural(more, "other metric"),
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

export interface AutoscalingForm {
  min: string;
  max: string;
  cpu: string;
  memory: string;
  /** Seconds of the scale-down's stabilisation window; empty leaves it to Kubernetes. */
  calm: string;
}

/** The most that can be asked for at all. */
export const MOST_PODS = 10_000;
/** As the server takes it. */
const MOST_PERCENT = 1_000;
/** Kubernetes' own limit of a stabilisation window. */
const MOST_CALM = 3_600;

const text = (value: unknown): string => (typeof value === "number" ? String(value) : "");
const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

/** The form of what holds now; of sensible numbers where nothing does. */
export function autoscalingForm(now: AutoscalingSettings | null | undefined): AutoscalingForm {
  if (!now) return { min: "2", max: "8", cpu: "70", memory: "", calm: "" };
  const calm = record(record(now.behavior).scaleDown).stabilizationWindowSeconds;
  return {
    min: text(now.min),
    max: text(now.max),
    cpu: text(now.cpu),
    memory: text(now.memory),
    calm: text(calm),
  };
}

/** Pure: the first that is wrong with the form, at the field that it is about. */
function autoscalingWrong(form: AutoscalingForm, others: boolean) {
  const checks: [keyof AutoscalingForm, string | null][] = [
    ["min", wrongNumber(form.min, 1, MOST_PODS)],
    ["max", wrongNumber(form.max, 1, MOST_PODS)],
    ["max", Number(form.max) < Number(form.min) ? "Not fewer than the fewest" : null],
    ["cpu", form.cpu.trim() && wrongNumber(form.cpu, 1, MOST_PERCENT)],
    ["memory", form.memory.trim() && wrongNumber(form.memory, 1, MOST_PERCENT)],
    ["cpu", others || form.cpu.trim() || form.memory.trim() ? null : "Say CPU, memory or both"],
    ["calm", form.calm.trim() && wrongNumber(form.calm, 0, MOST_CALM)],
  ];
  const [at, wrong] = checks.find(([, words]) => words) ?? [];
  return at && wrong ? { at, wrong } : null;
}

/** Pure: what to ask for, or what is wrong. What the form does not show stays as it is. */
export function autoscalingAsked(
  form: AutoscalingForm,
  now: AutoscalingSettings | null | undefined,
): Omit<SetAutoscaling, "reason" | "until"> | { wrong: string; at: keyof AutoscalingForm } {
  const metrics = now?.metrics ?? [];
  const wrong = autoscalingWrong(form, metrics.length > 0);
  if (wrong) return wrong;
  const min = Number(form.min);
  const max = Number(form.max);
  const cpu = wholeNumber(form.cpu);
  const memory = wholeNumber(form.memory);
  const calm = wholeNumber(form.calm);
  const before = record(now?.behavior);
  const { stabilizationWindowSeconds: _, ...rest } = record(before.scaleDown);
  const scaleDown = calm === null ? rest : { ...rest, stabilizationWindowSeconds: calm };
  const { scaleDown: __, ...others } = before;
  const behavior = Object.keys(scaleDown).length === 0 ? others : { ...others, scaleDown };
  return {
    min,
    max,
    cpu,
    memory,
    metrics,
    ...(Object.keys(behavior).length === 0 ? {} : { behavior }),
  };
}
