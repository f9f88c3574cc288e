/** What stands in the URLs of the pages, which anybody may have written. */
import type { BuildState, DeployKind, DeployState } from "@/api/types";

export interface LoginSearch {
  /** Where to go on after signing in. */
  from?: string;
  /** The server leads here from a link that does not work any more. */
  link?: "used";
}

export interface WorkloadsSearch {
  category?: string;
  name?: string;
  type?: string;
  /** "name" or "-name". */
  sort?: string;
  /** Opens the dialog. */
  create?: boolean;
}

export interface WorkloadSearch {
  /** Opens the dialog to deploy this commit, or the "newest". */
  deploy?: string;
  /** Opens the dialog to roll back: to this deploy, or to the "previous" good one. */
  rollback?: string;
  /** Opens the dialog to restart. */
  restart?: boolean;
}

export interface HistorySearch {
  state?: DeployState;
  kind?: DeployKind;
  by?: string;
  commit?: string;
  /** Asked for at this instant or later (RFC 3339). */
  since?: string;
  /** And before this one. */
  until?: string;
}

export const DEPLOY_KINDS = ["regular", "rollback", "restart", "hotfix"] as const;

export const DEPLOY_STATES = [
  "pending",
  "building",
  "queued",
  "canary",
  "applying",
  "rolling_out",
  "verifying",
  "succeeded",
  "failed",
  "canceled",
  "superseded",
] as const;

export interface CommitsSearch {
  branch?: string;
  q?: string;
}

export interface LogsSearch {
  pod?: string;
  container?: string;
  /** The run before the last restart. */
  previous?: boolean;
}

export interface BuildsSearch {
  state?: BuildState;
}

export interface ActivitySearch {
  show?: "record";
}

export interface FreezesSearch {
  /** Those that are over, too. */
  all?: boolean;
}

export interface TokensSearch {
  /** Only theirs. */
  owner?: string;
}

export const BUILD_STATES = ["queued", "running", "succeeded", "failed", "canceled"] as const;

/** The text, cut at a sane length; undefined when there is none. */
export function text(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value === "") return undefined;
  return value.slice(0, 300);
}

/** The value if it is one of those allowed. */
export function oneOf<const T extends string>(
  value: unknown,
  allowed: readonly T[],
): T | undefined {
  return allowed.find((it) => it === value);
}

/** "name" and "-name" of a sort, and back. */
export const sortFromText = (value: string | undefined): { id: string; desc: boolean } | null => {
  if (!value) return null;
  return value.startsWith("-") ? { id: value.slice(1), desc: true } : { id: value, desc: false };
};

export const sortToText = (sort: { id: string; desc: boolean } | null): string | undefined =>
  sort === null ? undefined : `${sort.desc ? "-" : ""}${sort.id}`;
