/** Server-Sent Events: the parser, apart from the network. */

export interface ServerEvent {
  event: string;
  data: string;
  /** The last id seen on the stream, this event's own included. */
  id: string | null;
}

/** Longest event that is kept; the server's own limits are far below it. */
const EVENT_LIMIT = 8 * 1024 * 1024;

/** Feed it text as it comes; it returns the events that are complete. */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | null;

  constructor(lastId: string | null = null) {
    this.id = lastId;
  }

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    if (this.rest.length > EVENT_LIMIT) this.rest = "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.data.length > 0) {
          events.push({ event: this.event || "message", data: this.data.join("\n"), id: this.id });
        }
        this.event = "";
        this.data = [];
      } else {
        this.field(line);
      }
    }
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id") this.id = value;
  }
}

/** How long to wait before try number `attempt` (from 0), in milliseconds; `random` in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(15_000, 500 * 2 ** Math.min(attempt, 8));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
