/** Health gates in words, and the limits of their checks. */
import type { HealthGates, MetricCheck } from "@/api/types";
import { plural } from "./format";

/** "0.5", or "120%" of what the old version has. */
export const limitText = (check: MetricCheck): string =>
  check.relative_to_old_percent != null
    ? `${check.relative_to_old_percent}%`
    : String(check.threshold ?? "");

/** Pure: the limit of a check; null where it is none. */
export function parseLimit(
  text: string,
): Pick<MetricCheck, "threshold" | "relative_to_old_percent"> | null {
  const match = /^(-?\d+(?:\.\d+)?)\s*(%?)$/.exec(text.trim());
  if (!match) return null;
  const value = Number(match[1]);
  return match[2] ? { relative_to_old_percent: value } : { threshold: value };
}

export const checkWords = (check: MetricCheck): string =>
  `${check.comparison} ${limitText(check)}${check.relative_to_old_percent == null ? "" : " of the old version's"} for ${check.for_seconds ?? 0} s`;

/** What a deploy must pass, in a few sentences. */
export function gateWords(gates: HealthGates & { is_default?: boolean }): string[] {
  const { ready_seconds: seconds = 0, max_restarts: restarts } = gates;
  const where = gates.is_default ? ", where a container has no readiness probe" : "";
  return [
    ...(seconds > 0 ? [`All pods stay ready for ${seconds} s${where}`] : []),
    ...(restarts == null
      ? []
      : [restarts === 0 ? "No restarts" : `At most ${plural(restarts, "restart")}`]),
    ...(gates.auto_rollback ? ["A deploy that fails is rolled back by itself"] : []),
  ];
}
