/** Times of a week in which deploys begin, as people write them: "Mon-Fri 09:00-17:00". */
import type { DeployWindow, Weekday } from "@/api/types";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const satisfies Weekday[];
const WORDS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** "Mon-Fri", "Mon,Wed": days that follow each other are one span. */
function daysText(days: Weekday[]): string {
  const at = DAYS.map((day, index) => (days.includes(day) ? index : -1)).filter((it) => it >= 0);
  const spans: [number, number][] = [];
  for (const day of at) {
    const last = spans.at(-1);
    if (last && last[1] === day - 1) last[1] = day;
    else spans.push([day, day]);
  }
  return spans
    .map(([from, to]) => (from === to ? WORDS[from] : `${WORDS[from]}-${WORDS[to]}`))
    .join(",");
}

export const windowText = (window: DeployWindow): string =>
  `${daysText(window.days)} ${window.from}-${window.to}`;

export const windowsText = (windows: DeployWindow[]): string => windows.map(windowText).join("; ");

function parseDays(text: string): Weekday[] | null {
  const days = new Set<Weekday>();
  for (const part of text.toLowerCase().split(",")) {
    const [from, to = from, ...more] = part.split("-").map((it) => DAYS.indexOf(it as Weekday));
    if (more.length > 0 || from === undefined || to === undefined || from < 0 || to < 0)
      return null;
    for (let day = from; ; day = (day + 1) % DAYS.length) {
      const name = DAYS[day];
      if (name) days.add(name);
      if (day === to) break;
    }
  }
  return DAYS.filter((day) => days.has(day));
}

/** What a browser knows by name; the server knows the same from the same source. */
export const ZONES: readonly string[] = Intl.supportedValuesOf?.("timeZone") ?? [];

/** Whether clocks can be set by this name; an offset is none, since it has no summer. */
export function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name.trim()) && !!Intl.DateTimeFormat("en", { timeZone: name.trim() });
  } catch {
    return false;
  }
}

/** Pure: the windows of a text, between which stands ";"; null where one cannot be read. */
export function parseWindows(text: string): DeployWindow[] | null {
  const windows: DeployWindow[] = [];
  for (const part of text.split(";").map((it) => it.trim())) {
    const match = /^(\S+)\s+(\d{2}:\d{2})-(\d{2}:\d{2})$/.exec(part);
    const days = match?.[1] ? parseDays(match[1]) : null;
    if (!match?.[2] || !match[3] || days === null) return null;
    windows.push({ days, from: match[2], to: match[3] });
  }
  return windows;
}
