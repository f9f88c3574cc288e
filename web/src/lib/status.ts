/** The five colours of status, and which word and colour each state of the API has. */
import type {
  ArtifactStatus,
  BuildState,
  DeployKind,
  DeployState,
  DeploySummary,
  Health,
  HoldingRule,
  RunOutcome,
} from "@/api/types";

export type Tone = "ok" | "progress" | "waiting" | "failed" | "unknown";

export interface Look {
  tone: Tone;
  word: string;
}

export const HEALTH: Record<Health, Look> = {
  healthy: { tone: "ok", word: "Healthy" },
  progressing: { tone: "progress", word: "Rolling out" },
  degraded: { tone: "failed", word: "Degraded" },
  not_deployed: { tone: "unknown", word: "Not deployed" },
  unknown: { tone: "unknown", word: "Unknown" },
};

export const DEPLOY: Record<DeployState, Look> = {
  pending: { tone: "waiting", word: "Waiting" },
  building: { tone: "progress", word: "Building" },
  queued: { tone: "waiting", word: "Queued" },
  canary: { tone: "progress", word: "Canary" },
  applying: { tone: "progress", word: "Applying" },
  rolling_out: { tone: "progress", word: "Rolling out" },
  verifying: { tone: "progress", word: "Verifying" },
  succeeded: { tone: "ok", word: "Finished" },
  failed: { tone: "failed", word: "Failed" },
  canceled: { tone: "unknown", word: "Canceled" },
  superseded: { tone: "unknown", word: "Superseded" },
};

export const KIND: Record<DeployKind, string> = {
  regular: "Deploy",
  rollback: "Rollback",
  restart: "Restart",
  hotfix: "Hotfix",
};

/** What a deploy that a rule holds back does. */
export const HOLDING: Record<HoldingRule, string> = {
  lock: "Held by a lock",
  freeze: "Held by a freeze",
  window: "Waits for its window",
  approval: "Waits for approval",
};

export const BUILD: Record<BuildState, Look> = {
  queued: { tone: "waiting", word: "Queued" },
  running: { tone: "progress", word: "Building" },
  succeeded: { tone: "ok", word: "Succeeded" },
  failed: { tone: "failed", word: "Failed" },
  canceled: { tone: "unknown", word: "Canceled" },
};

export const RUN: Record<RunOutcome, Look> = {
  running: { tone: "progress", word: "Running" },
  succeeded: { tone: "ok", word: "Succeeded" },
  failed: { tone: "failed", word: "Failed" },
  deleted: { tone: "unknown", word: "Deleted" },
};

export const ARTIFACT: Record<ArtifactStatus, Look> = {
  none: { tone: "unknown", word: "Not built" },
  queued: { tone: "waiting", word: "Build queued" },
  building: { tone: "progress", word: "Building" },
  available: { tone: "ok", word: "Available" },
  failed: { tone: "failed", word: "Build failed" },
  canceled: { tone: "unknown", word: "Build canceled" },
};

const STEP: Record<string, Look> = {
  running: { tone: "progress", word: "Running" },
  succeeded: { tone: "ok", word: "Succeeded" },
  cached: { tone: "ok", word: "Cached" },
  failed: { tone: "failed", word: "Failed" },
  canceled: { tone: "unknown", word: "Canceled" },
};

export const stepLook = (state: string): Look =>
  STEP[state] ?? { tone: "unknown", word: state || "Unknown" };

export const isDeployActive = (state: DeployState): boolean =>
  state === "pending" ||
  state === "building" ||
  state === "queued" ||
  state === "canary" ||
  state === "applying" ||
  state === "rolling_out" ||
  state === "verifying";

export const isBuildActive = (state: BuildState): boolean =>
  state === "queued" || state === "running";

type Standing = Pick<DeploySummary, "state" | "paused_by" | "held"> &
  Partial<Pick<DeploySummary, "message">>;

/** The end of the server's words for a canary that has done well and goes no further by itself. */
const WAITS = /[;:]? *waits for somebody to promote it.*$/;

/** Whether only somebody's word lets the canary go on now. */
export const awaitsWord = ({ state, message = "" }: Standing): boolean =>
  state === "canary" && WAITS.test(message);

/** Its message; what a command line would do about a canary is a button here. */
export const deployWords = (deploy: Pick<DeploySummary, "state" | "message">): string =>
  deploy.state === "canary" ? deploy.message.replace(WAITS, "") : deploy.message;

/** The sentence over a workload's current deploy, as in "Deploy finished". */
export function deployHeadline(deploy: Standing): string {
  const { state, paused_by, held } = deploy;
  if (paused_by && isDeployActive(state)) return `Paused by ${paused_by}`;
  if (held && isDeployActive(state)) return HOLDING[held.rule];
  if (awaitsWord(deploy)) return "Canary waits to be promoted";
  switch (state) {
    case "succeeded":
      return "Deploy finished";
    case "failed":
      return "Deploy failed";
    case "canceled":
      return "Deploy canceled";
    case "superseded":
      return "Deploy superseded";
    default:
      return DEPLOY[state].word;
  }
}

/** The tone of that sentence: what is held waits, however far it has come. */
export const deployTone = (deploy: Standing): Tone =>
  ((deploy.paused_by || deploy.held) && isDeployActive(deploy.state)) || awaitsWord(deploy)
    ? "waiting"
    : DEPLOY[deploy.state].tone;

/** The deploy whose failure is the reason that Hermez itself gave; null where a person gave one. */
export const failedBehind = (reason: string): number | null =>
  Number(/^automatic: deploy (\d{1,15}) failed/.exec(reason)?.[1] ?? 0) || null;

/** Words for a deploy's `failure_cause`; unknown ones are shown as they are. */
export function causeWords(cause: string): string {
  const words: Record<string, string> = {
    image_pull: "Image cannot be pulled",
    crash_loop: "Container crashes",
    unschedulable: "No node fits",
    probe: "Probe fails",
    quota: "Quota is used up",
    admission: "The cluster refused it",
    config_missing: "Configuration is missing",
    bad_artifact: "The artifact is marked as bad",
    build: "Build failed",
    health_gate: "A health gate did not pass",
    deadline: "Not ready in time",
    cluster: "The cluster does not answer",
    registry: "The registry does not have it",
    manifest: "The manifest cannot be read",
    failed: "The deploy failed",
  };
  return words[cause] ?? cause.replaceAll("_", " ");
}
