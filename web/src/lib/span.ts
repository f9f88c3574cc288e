/** When something is over, as a form says it: never, after a time, or at a time. */

export type EndKind = "open" | "for" | "until";

export interface End {
  kind: EndKind;
  /** "2h 30m" or "2026-12-01T08:00" (the clocks of whoever sits here). */
  text: string;
}

export const NO_END: End = { kind: "open", text: "" };

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "30m", "2h", "1d 12h" in milliseconds; null where it is none, or zero. */
export function parseSpan(text: string): number | null {
  const parts = text
    .trim()
    .toLowerCase()
    .split(/\s+(?=\d)|(?<=[a-z])(?=\d)/);
  let all = 0;
  for (const part of parts) {
    const match = /^(\d{1,6})\s*([mhd])[a-z]*$/.exec(part);
    if (!match) return null;
    all += Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0);
  }
  return all > 0 ? all : null;
}

/** Pure: the end as the API takes it (null is none), or what is wrong with it. */
export function endOf(end: End, now: number): { until: string | null } | { wrong: string } {
  if (end.kind === "open") return { until: null };
  const at =
    end.kind === "for" ? now + (parseSpan(end.text) ?? Number.NaN) : Date.parse(end.text.trim());
  if (Number.isNaN(at) || !Number.isFinite(new Date(at).getTime())) {
    return { wrong: end.kind === "for" ? "A time such as 30m, 2h or 1d 12h" : "A day and a time" };
  }
  if (at <= now) return { wrong: "This is over already" };
  return { until: new Date(at).toISOString() };
}
