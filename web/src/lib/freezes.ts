/** Whether a freeze holds now, and for what. */
import type { Freeze, FreezeException } from "@/api/types";
import type { Look } from "./status";

export const isOver = (freeze: Pick<Freeze, "ended_at" | "until">, now: number): boolean =>
  freeze.ended_at != null || (freeze.until != null && Date.parse(freeze.until) <= now);

export function freezeLook(freeze: Pick<Freeze, "from" | "ended_at" | "until">, now: number): Look {
  if (isOver(freeze, now)) return { tone: "unknown", word: "Over" };
  if (Date.parse(freeze.from) > now) return { tone: "unknown", word: "Ahead" };
  return { tone: "waiting", word: "Holds" };
}

/** Pure: the freezes that hold a workload's deploys now, or this one deploy. */
export const holding = (
  freezes: Freeze[],
  workload: string,
  deploy: number | null,
  now: number,
): Freeze[] =>
  freezes.filter(
    (freeze) =>
      !isOver(freeze, now) &&
      Date.parse(freeze.from) <= now &&
      !freeze.exceptions.some(
        (it) => it.workload === workload && (it.deploy_id == null || it.deploy_id === deploy),
      ),
  );

/** "hello, each deploy" or "deploy 118 of hello". */
export const exceptionWords = ({ workload, deploy_id }: FreezeException): string =>
  deploy_id == null ? `Each deploy of ${workload}` : `Deploy ${deploy_id} of ${workload}`;
