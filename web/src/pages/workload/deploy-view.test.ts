import { describe, expect, it } from "vitest";
import { deployHeadline, deployTone } from "@/lib/status";
import { mkCommit, mkDeploy } from "@/test/make";
import { buildWords, changeWords } from "./change-view";
import { findCommits } from "./commit-picker";
import { deployInView } from "./current-deploy";

describe("deployInView", () => {
  const current = mkDeploy({ id: 1 });

  it("shows what runs when nothing else is to be said", () => {
    expect(deployInView({ current, latest_deploy: current })).toEqual({
      deploy: current,
      kept: null,
    });
    expect(deployInView({ current: null, latest_deploy: null }).deploy).toBeNull();
  });

  it("shows the newest while it runs or when it failed, and what is kept", () => {
    for (const state of ["rolling_out", "failed"] as const) {
      const latest = mkDeploy({ id: 2, state });
      expect(deployInView({ current, latest_deploy: latest })).toEqual({
        deploy: latest,
        kept: current,
      });
    }
  });

  it("goes back to what runs after a canceled one", () => {
    const latest = mkDeploy({ id: 2, state: "canceled" });
    expect(deployInView({ current, latest_deploy: latest }).deploy).toBe(current);
  });

  it("shows a canceled one that the cluster was told to run", () => {
    const latest = mkDeploy({ id: 2, state: "canceled", commit: "884f037" });
    expect(deployInView({ current, latest_deploy: latest }, "884f037")).toEqual({
      deploy: latest,
      kept: current,
    });
  });
});

describe("words of a deploy", () => {
  it("say what changes", () => {
    const between = [mkCommit("a"), mkCommit("b")];
    expect(changeWords({ direction: "forward", between })).toBe("2 commits come in");
    expect(changeWords({ direction: "forward", between: [mkCommit("a")] })).toBe(
      "1 commit comes in",
    );
    expect(changeWords({ direction: "back", between })).toBe("Goes back by 2 commits");
  });

  it("say whether it is built first", () => {
    expect(buildWords(mkCommit("a"))).toContain("nothing is built");
    expect(buildWords(mkCommit("a", { artifact_status: "none" }))).toContain("built first");
    expect(buildWords(mkCommit("a", { artifact_status: "building" }))).toContain("waits");
    expect(buildWords(undefined)).toContain("built first");
  });
});

describe("findCommits", () => {
  it("finds by message, author and id", () => {
    const commits = [mkCommit("95f6178", { title: "Fix it" }), mkCommit("8b360be")];
    expect(findCommits(commits, "fix euccas")).toHaveLength(1);
    expect(findCommits(commits, "8b36")[0]?.id).toMatch(/^8b360be/);
    expect(findCommits(commits, "")).toHaveLength(2);
  });
});

it("says that a deploy is held, and by whom", () => {
  const held = mkDeploy({ state: "rolling_out", paused_by: "ada" });
  expect(deployHeadline(held)).toBe("Paused by ada");
  expect(deployTone(held)).toBe("waiting");
  const over = mkDeploy({ state: "succeeded", paused_by: "ada" });
  expect(deployHeadline(over)).toBe("Deploy finished");
});
