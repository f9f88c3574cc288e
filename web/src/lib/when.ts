/** From when until when, as a filter has it: instants in the URL, a person's own clock in the field. */

export interface When {
  since?: string;
  until?: string;
}

export interface ReadWhen {
  /** What can be asked for; nothing of it where something is wrong. */
  asked: When;
  /** What is wrong, at the field that it is about. */
  wrong: { since: string | null; until: string | null };
}

const NO_TIME = "This is no day and time";

/** The instant as the API takes it; null where the text is none. */
export function instantOf(text: string): string | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

const two = (value: number): string => String(value).padStart(2, "0");

/** An instant as the browser's field for a time has it, by the clock of whoever sits here. */
export function fieldTime(text: string | undefined): string {
  const instant = text === undefined ? null : instantOf(text);
  if (instant === null) return "";
  const at = new Date(instant);
  const day = [
    String(at.getFullYear()).padStart(4, "0"),
    two(at.getMonth() + 1),
    two(at.getDate()),
  ];
  const time = [two(at.getHours()), two(at.getMinutes())];
  if (at.getSeconds() > 0) time.push(two(at.getSeconds()));
  return `${day.join("-")}T${time.join(":")}`;
}

/** Pure: what the URL's times ask for, or what is wrong with them. */
export function readWhen({ since, until }: When): ReadWhen {
  const [first, last] = [since, until].map((it) => (it === undefined ? undefined : instantOf(it)));
  const wrong = {
    since: first === null ? NO_TIME : null,
    until: last === null ? NO_TIME : null,
  };
  if (first && last && Date.parse(first) >= Date.parse(last)) {
    wrong.until = "This must be later than From";
  }
  if (wrong.since !== null || wrong.until !== null) return { asked: {}, wrong };
  return { asked: { ...(first && { since: first }), ...(last && { until: last }) }, wrong };
}
