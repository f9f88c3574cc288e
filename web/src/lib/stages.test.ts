import { describe, expect, it } from "vitest";
import type { DeployState } from "@/api/types";
import { mkTimeline } from "@/test/make";
import { stagesOf } from "./stages";

/** "Build:done Apply:active …" */
const seen = (...states: [DeployState, ...DeployState[]]) =>
  stagesOf(states.at(-1) as DeployState, mkTimeline(...states))
    .map((stage) => `${stage.name}:${stage.state}`)
    .join(" ");

describe("stagesOf", () => {
  it("has everything ahead at first", () => {
    expect(seen("pending")).toBe("Build:ahead Apply:ahead Roll out:ahead");
  });

  it("follows a deploy along its road", () => {
    expect(seen("pending", "building")).toBe("Build:active Apply:ahead Roll out:ahead");
    expect(seen("pending", "building", "applying", "rolling_out")).toBe(
      "Build:done Apply:done Roll out:active",
    );
    expect(seen("pending", "building", "applying", "rolling_out", "succeeded")).toBe(
      "Build:done Apply:done Roll out:done",
    );
  });

  it("shows that gates look at it only where they do", () => {
    expect(seen("applying", "rolling_out", "verifying")).toBe(
      "Build:skipped Apply:done Roll out:done Verify:active",
    );
    expect(seen("applying", "rolling_out", "verifying", "failed")).toBe(
      "Build:skipped Apply:done Roll out:done Verify:failed",
    );
  });

  it("says that a build was not needed", () => {
    expect(seen("pending", "applying")).toBe("Build:skipped Apply:active Roll out:ahead");
  });

  it("shows the wait for its turn only while it waits", () => {
    expect(seen("pending", "queued")).toBe("Build:skipped Queue:active Apply:ahead Roll out:ahead");
    expect(seen("pending", "queued", "applying")).not.toContain("Queue");
  });

  it("blames a failure on the last stage that was reached", () => {
    expect(seen("pending", "building", "failed")).toBe("Build:failed Apply:ahead Roll out:ahead");
    expect(seen("pending", "building", "applying", "rolling_out", "failed")).toBe(
      "Build:done Apply:done Roll out:failed",
    );
    expect(seen("pending", "building", "canceled")).toContain("Build:stopped");
  });

  it("measures a stage until the next began", () => {
    const [build] = stagesOf("applying", mkTimeline("pending", "building", "building", "applying"));
    expect(build).toMatchObject({
      startedAt: "2026-01-01T10:00:01Z",
      finishedAt: "2026-01-01T10:00:03Z",
    });
  });
});
