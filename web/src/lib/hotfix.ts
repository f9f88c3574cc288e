/** Which commits a hotfix picks. */
import type { Commit } from "@/api/types";

/** Commits that one hotfix may pick. */
export const MOST_PICKED = 50;

/** Pure: those that are chosen, in the order in which they were made; the list has the newest first. */
export const pickOrder = (listed: Pick<Commit, "id">[], chosen: ReadonlySet<string>): string[] =>
  listed
    .filter((commit) => chosen.has(commit.id))
    .map((commit) => commit.id)
    .reverse();
