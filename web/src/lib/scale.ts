/** How scaling is said in words, and what its forms ask for. */
import type {
  AutoscalingSettings,
  ScaleChange,
  ScaleChangeState,
  ScaleOwner,
  SetAutoscaling,
} from "@/api/types";
import { plural } from "./format";
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

/** A whole number as a form has it; null where it is none. */
export const wholeNumber = (text: string): number | null =>
  /^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : null;

export interface AutoscalingForm {
  min: string;
  max: string;
  cpu: string;
  memory: string;
  /** Seconds of the scale-down's stabilisation window; empty leaves it to Kubernetes. */
  calm: string;
}

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

/** Pure: what to ask for, or what is wrong. What the form does not show stays as it is. */
export function autoscalingAsked(
  form: AutoscalingForm,
  now: AutoscalingSettings | null | undefined,
): Omit<SetAutoscaling, "reason" | "until"> | { wrong: string } {
  const min = wholeNumber(form.min);
  const max = wholeNumber(form.max);
  if (min === null || max === null || min < 1) return { wrong: "Fewest and most are from 1 on." };
  if (max < min) return { wrong: "The most pods are fewer than the fewest." };
  const wrong = [form.cpu, form.memory, form.calm].some(
    (it) => it.trim() !== "" && wholeNumber(it) === null,
  );
  if (wrong) return { wrong: "Percentages and seconds are whole numbers." };
  const metrics = now?.metrics ?? [];
  const cpu = wholeNumber(form.cpu);
  const memory = wholeNumber(form.memory);
  if (cpu === null && memory === null && metrics.length === 0) {
    return { wrong: "Say which load to follow: CPU, memory or both." };
  }
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
