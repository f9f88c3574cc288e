/** Whether a freeze holds now. */
import type { Freeze } from "@/api/types";
import type { Look } from "./status";

export const isOver = (freeze: Pick<Freeze, "ended_at" | "until">, now: number): boolean =>
  freeze.ended_at != null || (freeze.until != null && Date.parse(freeze.until) <= now);

export function freezeLook(freeze: Pick<Freeze, "from" | "ended_at" | "until">, now: number): Look {
  if (isOver(freeze, now)) return { tone: "unknown", word: "Over" };
  if (Date.parse(freeze.from) > now) return { tone: "unknown", word: "Ahead" };
  return { tone: "waiting", word: "Holds" };
}
