/** How a pull request's preview is, in words. */
import type { Preview, PullRequest } from "@/api/types";
import { DEPLOY, isDeployActive, type Look } from "./status";

/** What does not happen by a push alone: the commit comes from elsewhere, and nobody allowed it. */
export const needsAllowing = (pull: Pick<PullRequest, "from_fork" | "allowed">): boolean =>
  pull.from_fork && !pull.allowed;

/** Whether it will soon be otherwise. */
export const isInMotion = ({ preview }: Pick<PullRequest, "preview">): boolean =>
  preview != null &&
  (preview.state === "waking" ||
    preview.state === "removing" ||
    (preview.deploy != null && isDeployActive(preview.deploy.state)));

/** Whether there is one; one that is gone is not. */
export const hasPreview = (
  pull: Pick<PullRequest, "preview">,
): pull is Pick<PullRequest, "preview"> & { preview: Preview } =>
  pull.preview != null && pull.preview.state !== "removed";

/** Pure: the one word for how it is, the most urgent first. */
export function previewLook(pull: Pick<PullRequest, "from_fork" | "allowed" | "preview">): Look {
  const { preview } = pull;
  if (!hasPreview(pull) || !preview) {
    return needsAllowing(pull)
      ? { tone: "waiting", word: "Not allowed yet" }
      : { tone: "unknown", word: "No preview" };
  }
  if (preview.state === "removing") return { tone: "progress", word: "Being removed" };
  const state = preview.deploy?.state;
  if (state && (isDeployActive(state) || state === "failed")) return DEPLOY[state];
  if (preview.state === "sleeping") return { tone: "unknown", word: "Asleep" };
  if (preview.state === "waking") return { tone: "progress", word: "Wakes" };
  // What never sleeps has no pods all the time: it runs when somebody says so.
  if (preview.sleeps_at == null) return { tone: "ok", word: "Deployed" };
  return preview.replicas > 0 && preview.pods_ready === 0
    ? { tone: "unknown", word: "No pod ready" }
    : { tone: "ok", word: "Awake" };
}

/** Whether a newer commit was pushed than the one that the preview was asked for. */
export const isBehind = (pull: Pick<PullRequest, "head" | "preview">): boolean =>
  hasPreview(pull) && pull.preview.commit !== pull.head;

/** Kinds that sleep when nobody visits them. */
export const sleeps = (workloadType: string): boolean =>
  workloadType === "PinterestService" || workloadType === "PinterestStatefulset";

/** Kinds that have a number of pods. */
export const isCounted = (workloadType: string): boolean =>
  sleeps(workloadType) || workloadType === "PinterestStreamingJob";

/** Kinds whose preview runs once for each deploy. */
export const runsOnce = (workloadType: string): boolean =>
  workloadType === "PinterestJobSet" || workloadType === "PinterestTrainingJob";
