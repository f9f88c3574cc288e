/** What a deploy of a commit changes, seen in the list of a branch's commits (newest first). */
import type { Commit } from "@/api/types";

export type Change =
  | { direction: "first" }
  | { direction: "same" }
  | { direction: "forward" | "back"; between: Commit[] }
  | { direction: "unknown" };

/**
 * The commits that come in (`forward`, the target's own first) or go out (`back`) when `target`
 * replaces `current`. `unknown` when the list does not hold both.
 */
export function changeBetween(commits: Commit[], current: string | null, target: string): Change {
  if (current === null) return { direction: "first" };
  if (current === target) return { direction: "same" };
  const from = commits.findIndex((commit) => commit.id === current);
  const to = commits.findIndex((commit) => commit.id === target);
  if (from < 0 || to < 0) return { direction: "unknown" };
  return to < from
    ? { direction: "forward", between: commits.slice(to, from) }
    : { direction: "back", between: commits.slice(from, to) };
}
