import { expect, test } from "vitest";
import type { CanaryStep, DeployPlan, DeployState } from "@/api/types";
import { promotions, stepWords, waveWords, wayOf } from "./strategy";

const plan: DeployPlan = {
  canary: [
    { percent: 10, seconds: 60, wait: false },
    { percent: 50, seconds: 0, wait: true },
  ],
  step: 1,
  waves: [
    { clusters: ["local"], bake_seconds: 30 },
    { clusters: ["east", "west"], bake_seconds: 0 },
  ],
  wave: 0,
};

const where = (state: DeployState, own: Partial<DeployPlan> = {}) =>
  wayOf({ state, plan: { ...plan, ...own } }).map((it) => it.where);

test("steps and waves are said in words", () => {
  expect(stepWords({ percent: 10, seconds: 60, wait: true })).toBe(
    "10 % of the pods, well for 60 s, then promoted by somebody",
  );
  expect(waveWords({ clusters: ["east", "west"], bake_seconds: 30 })).toBe(
    "east, west, baked for 30 s",
  );
});

test("a deploy is at one place of its way", () => {
  expect(where("queued", { step: 0 })).toEqual(["ahead", "ahead", "ahead", "ahead"]);
  expect(where("canary")).toEqual(["done", "now", "ahead", "ahead"]);
  expect(where("rolling_out")).toEqual(["done", "done", "now", "ahead"]);
  expect(where("verifying", { wave: 1 })).toEqual(["done", "done", "done", "now"]);
  expect(where("succeeded", { wave: 1 })).toEqual(["done", "done", "done", "done"]);
  expect(where("failed", { wave: 1 })).toEqual(["done", "done", "done", "stopped"]);
  expect(where("failed")).toEqual(["done", "stopped", "ahead", "ahead"]);
  expect(wayOf({ state: "failed", plan: null })).toEqual([]);
});

test("a canary is promoted to its next step, where it waits, or to all pods", () => {
  const labels = (steps: CanaryStep[], step: number, state: DeployState = "canary") =>
    promotions({ state, plan: { canary: steps, step } }).map((it) => it.label);
  const steps = [
    { percent: 10, wait: true },
    { percent: 50, seconds: 60 },
    { percent: 80, wait: true },
  ];
  expect(labels(steps, 0)).toEqual(["Promote to 50 % of the pods", "Promote to all pods"]);
  expect(labels(steps, 1)).toEqual(["Promote to all pods"]);
  expect(labels(steps, 2)).toEqual(["Promote to all pods"]);
  expect(labels(steps, 0, "rolling_out")).toEqual([]);
  expect(promotions({ state: "canary", plan: null })).toEqual([]);
});
