/** What one bar says about a rollout: each pod is new and ready, new and starting, failing, or old. */
import type { PodStatus, WorkloadStatus } from "@/api/types";
import { plural } from "./format";

export type PodPart = "ready" | "starting" | "failing" | "old" | "missing";

const FAILING = new Set([
  "CrashLoopBackOff",
  "ImagePullBackOff",
  "ErrImagePull",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "Error",
  "OOMKilled",
  "Failed",
  "Evicted",
  "Unschedulable",
  "ContainerCannotRun",
  "ContainerStatusUnknown",
]);

export const isPodFailing = (pod: Pick<PodStatus, "status" | "ready">): boolean =>
  !pod.ready && (FAILING.has(pod.status) || FAILING.has(pod.status.replace(/^Init:/, "")));

export function podPart(pod: PodStatus): PodPart {
  if (!pod.updated) return "old";
  if (pod.ready && pod.status !== "Terminating") return "ready";
  return isPodFailing(pod) ? "failing" : "starting";
}

export type PodCounts = Record<PodPart, number>;

/** Counts of the pods by part; `missing` are wanted new pods that do not exist yet. */
export function countPods(status: Pick<WorkloadStatus, "pods" | "pods_desired">): PodCounts {
  const counts: PodCounts = { ready: 0, starting: 0, failing: 0, old: 0, missing: 0 };
  for (const pod of status.pods) counts[podPart(pod)] += 1;
  const fresh = counts.ready + counts.starting + counts.failing;
  counts.missing = Math.max(0, status.pods_desired - fresh - counts.old);
  return counts;
}

/** The counts as words: "2 ready · 1 starting · 3 old". */
export function countWords(counts: PodCounts): string {
  const parts: string[] = [];
  if (counts.ready > 0) parts.push(`${counts.ready} ready`);
  if (counts.starting > 0) parts.push(`${counts.starting} starting`);
  if (counts.failing > 0) parts.push(`${counts.failing} failing`);
  if (counts.old > 0) parts.push(`${counts.old} old`);
  if (counts.missing > 0) parts.push(`${counts.missing} missing`);
  return parts.length > 0 ? parts.join(" · ") : "No pods";
}

/** The same for a deploy whose pods are over: only the figures it kept. */
export const podsOf = (ready: number, desired: number): string =>
  `${ready} of ${plural(desired, "pod")} ready`;
