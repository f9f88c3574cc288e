/** Rollout strategies in words, and a deploy's place on its way. */
import type { CanaryStep, Deploy, DeployPlan, Wave } from "@/api/types";

export const stepWords = (step: CanaryStep): string =>
  [
    `${step.percent} % of the pods`,
    ...(step.seconds ? [`well for ${step.seconds} s`] : []),
    ...(step.wait ? ["then promoted by somebody"] : []),
  ].join(", ");

export const waveWords = (wave: Wave): string =>
  wave.clusters.join(", ") + (wave.bake_seconds ? `, baked for ${wave.bake_seconds} s` : "");

export type Where = "done" | "now" | "ahead" | "stopped";

export interface WayPoint {
  name: string;
  words: string;
  where: Where;
}

/** Pure: the steps of a deploy's canary and its waves, each with how far it is. */
export function wayOf(deploy: Pick<Deploy, "state"> & { plan?: DeployPlan | null }): WayPoint[] {
  const { plan, state } = deploy;
  if (!plan) return [];
  const over = state === "failed" || state === "canceled" || state === "superseded";
  const inCanary = state === "canary";
  const begun = !["pending", "building", "queued"].includes(state);
  const placed = (index: number, at: number, here: boolean, passed: boolean): Where => {
    if (state === "succeeded" || passed || index < at) return "done";
    if (index > at || !here) return "ahead";
    return over ? "stopped" : "now";
  };
  // A deploy that ended without a word of the workload itself ended in its canary.
  const reached = plan.canary && plan.canary.length > 0 && over && (plan.wave ?? 0) === 0;
  const canary = (plan.canary ?? []).map((step, index) => ({
    name: `Canary ${index + 1}`,
    words: stepWords(step),
    where: placed(index, plan.step ?? 0, begun, begun && !inCanary && !reached),
  }));
  const waves = (plan.waves ?? []).map((wave, index) => ({
    name: `Wave ${index + 1}`,
    words: waveWords(wave),
    where: placed(
      index,
      plan.wave ?? 0,
      begun && !inCanary && !(reached && canary.length > 0),
      false,
    ),
  }));
  return [...canary, ...waves];
}

export interface Promotion {
  label: string;
  /** All that is left of the canary, not only this step. */
  all: boolean;
}

/** Pure: what may be said to a canary, the nearest first. */
export function promotions(
  deploy: Pick<Deploy, "state"> & { plan?: DeployPlan | null },
): Promotion[] {
  const { canary = [], step = 0 } = deploy.plan ?? {};
  if (deploy.state !== "canary" || canary.length === 0) return [];
  const next = canary[step + 1];
  return [
    // A step without a wait goes on by itself.
    ...(next && canary[step]?.wait
      ? [{ label: `Promote to ${next.percent} % of the pods`, all: false }]
      : []),
    { label: "Promote to all pods", all: true },
  ];
}
