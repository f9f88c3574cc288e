import { expect, it } from "vitest";
import { mkDeploy, mkPreview, mkPull } from "@/test/make";
import { isBehind, isCounted, isInMotion, needsAllowing, previewLook, sleeps } from "./previews";

it("says the most urgent of a preview", () => {
  const word = (own: Parameters<typeof mkPull>[0]) => previewLook(mkPull(own)).word;
  expect(word({ preview: null })).toBe("No preview");
  expect(word({ preview: null, from_fork: true, allowed: false })).toBe("Not allowed yet");
  expect(word({ preview: mkPreview() })).toBe("Awake");
  expect(word({ preview: mkPreview({ pods_ready: 0 }) })).toBe("No pod ready");
  expect(word({ preview: mkPreview({ pods_ready: 0, sleeps_at: null }) })).toBe("Deployed");
  expect(word({ preview: mkPreview({ state: "sleeping" }) })).toBe("Asleep");
  expect(word({ preview: mkPreview({ state: "removing" }) })).toBe("Being removed");
  expect(word({ preview: mkPreview({ state: "removed" }) })).toBe("No preview");
  expect(word({ preview: mkPreview({ deploy: mkDeploy({ state: "failed" }) }) })).toBe("Failed");
  expect(word({ preview: mkPreview({ deploy: mkDeploy({ state: "building" }) }) })).toBe(
    "Building",
  );
});

it("knows what is about to change", () => {
  expect(isInMotion(mkPull({ preview: mkPreview() }))).toBe(false);
  expect(isInMotion(mkPull({ preview: mkPreview({ state: "waking" }) }))).toBe(true);
  const deploy = mkDeploy({ state: "rolling_out" });
  expect(isInMotion(mkPull({ preview: mkPreview({ deploy }) }))).toBe(true);
});

it("asks for a word only for what comes from a fork", () => {
  expect(needsAllowing(mkPull())).toBe(false);
  expect(needsAllowing(mkPull({ from_fork: true, allowed: false }))).toBe(true);
  expect(needsAllowing(mkPull({ from_fork: true, allowed: true }))).toBe(false);
});

it("is behind when a newer commit was pushed", () => {
  const pull = mkPull({ preview: mkPreview() });
  expect(isBehind(pull)).toBe(false);
  expect(isBehind({ ...pull, head: "f".repeat(40) })).toBe(true);
  expect(isBehind({ ...pull, preview: null })).toBe(false);
});

it("counts pods of what never sleeps, too", () => {
  const both = (type: string) => [isCounted(type), sleeps(type)];
  expect(both("PinterestService")).toEqual([true, true]);
  expect(both("PinterestStreamingJob")).toEqual([true, false]);
  expect(both("PinterestCronJob")).toEqual([false, false]);
});
