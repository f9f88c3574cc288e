import { expect, it } from "vitest";
import { deployHeadline, deployTone, deployWords, failedBehind } from "./status";

it("tells the reasons that Hermez gives from those of people", () => {
  expect(failedBehind("automatic: deploy 14 failed: 0 of 4 pods are ready")).toBe(14);
  expect(failedBehind("crashes")).toBeNull();
  expect(failedBehind("automatic: something else")).toBeNull();
});

it("says that a canary waits for somebody only when it does, and without the command", () => {
  const said = "canary, step 2 of 2: 3 pods beside 3 (50 % of the requests)";
  const command = "waits for somebody to promote it: hermez deploys promote 133";
  const waiting = { state: "canary", message: `${said}; ${command}` } as const;
  expect(deployHeadline(waiting)).toBe("Canary waits to be promoted");
  expect(deployTone(waiting)).toBe("waiting");
  expect(deployWords(waiting)).toBe(said);
  expect(deployTone({ state: "canary", message: said })).toBe("progress");
  expect(deployTone({ state: "failed", message: waiting.message })).toBe("failed");
});
