/** Times and durations in words; pure functions of their inputs and `now`. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "just now", "3 min ago", "yesterday", "in 2 h" or a date; never wider than 12 characters. */
export function relative(at: string | number, now: number): string {
  const then = typeof at === "number" ? at : Date.parse(at);
  const ago = now - then;
  if (ago < 0) return ahead(-ago) ?? day(then, now);
  if (ago < 10 * SECOND) return "just now";
  if (ago < DAY) return `${span(ago)} ago`;
  if (ago < 2 * DAY) return "yesterday";
  if (ago < 14 * DAY) return `${Math.floor(ago / DAY)} days ago`;
  return day(then, now);
}

/** What is to come is rounded: "in 2 h" is nearer to 1 h 59 min than "in 1 h" is. */
function ahead(ms: number): string | null {
  if (ms < 10 * SECOND) return "just now";
  if (ms < MINUTE) return `in ${Math.floor(ms / SECOND)} s`;
  if (ms < 59.5 * MINUTE) return `in ${Math.round(ms / MINUTE)} min`;
  if (ms < 23.5 * HOUR) return `in ${Math.round(ms / HOUR)} h`;
  return ms < 14 * DAY ? `in ${Math.round(ms / DAY)} d` : null;
}

function day(then: number, now: number): string {
  const date = new Date(then);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    year: sameYear ? undefined : "numeric",
  });
}

function span(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** Date, time and zone in full, for whoever needs it exactly. */
export function exact(at: string | number): string {
  return new Date(at).toLocaleString("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
}

/** Hours, minutes and seconds of the day. */
export function clock(at: string | number): string {
  return new Date(at).toLocaleTimeString("en-GB", { hour12: false });
}

/** "40 ms", "1.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function duration(ms: number): string {
  if (ms < 0) return "0 s";
  if (ms < SECOND) return `${Math.floor(ms)} ms`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) {
    const seconds = Math.floor((ms % MINUTE) / SECOND);
    return `${Math.floor(ms / MINUTE)} min ${String(seconds).padStart(2, "0")} s`;
  }
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** Short age as kubectl prints it: "12s", "4m", "3h", "9d". */
export function age(at: string | number, now: number): string {
  const ms = Math.max(0, now - (typeof at === "number" ? at : Date.parse(at)));
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`;
  return `${Math.floor(ms / DAY)}d`;
}

/** How long something took, or takes so far; null when it has not begun. */
export function elapsedMs(
  startedAt: string | null | undefined,
  finishedAt: string | null | undefined,
  now: number,
): number | null {
  if (!startedAt) return null;
  return (finishedAt ? Date.parse(finishedAt) : now) - Date.parse(startedAt);
}
