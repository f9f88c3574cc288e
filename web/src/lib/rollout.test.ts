import { describe, expect, it } from "vitest";
import { mkPod } from "@/test/make";
import { countPods, countWords, isPodFailing, podPart, podsOf } from "./rollout";

describe("pods of a rollout", () => {
  it("tells new ready, new starting, failing and old apart", () => {
    expect(podPart(mkPod())).toBe("ready");
    expect(podPart(mkPod({ ready: false, status: "ContainerCreating" }))).toBe("starting");
    expect(podPart(mkPod({ ready: false, status: "ImagePullBackOff" }))).toBe("failing");
    expect(podPart(mkPod({ ready: false, status: "Init:CrashLoopBackOff" }))).toBe("failing");
    expect(podPart(mkPod({ updated: false, ready: false, status: "CrashLoopBackOff" }))).toBe(
      "old",
    );
  });

  it("does not call a ready pod failing, whatever its word", () => {
    expect(isPodFailing({ status: "Error", ready: true })).toBe(false);
  });

  it("counts as missing only what neither new nor old pods make up", () => {
    const status = { pods: [mkPod(), mkPod({ updated: false })], pods_desired: 3 };
    expect(countPods(status)).toEqual({ ready: 1, starting: 0, failing: 0, old: 1, missing: 1 });
    expect(countPods({ pods: [mkPod(), mkPod()], pods_desired: 1 }).missing).toBe(0);
  });

  it("says the counts in words", () => {
    expect(countWords({ ready: 2, starting: 1, failing: 0, old: 3, missing: 0 })).toBe(
      "2 ready · 1 starting · 3 old",
    );
    expect(countWords({ ready: 0, starting: 0, failing: 0, old: 0, missing: 0 })).toBe("No pods");
    expect(podsOf(2, 3)).toBe("2 of 3 pods ready");
    expect(podsOf(1, 1)).toBe("1 of 1 pod ready");
  });
});
