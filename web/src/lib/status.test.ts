import { expect, it } from "vitest";
import { failedBehind } from "./status";

it("tells the reasons that Hermez gives from those of people", () => {
  expect(failedBehind("automatic: deploy 14 failed: 0 of 4 pods are ready")).toBe(14);
  expect(failedBehind("crashes")).toBeNull();
  expect(failedBehind("automatic: something else")).toBeNull();
});
