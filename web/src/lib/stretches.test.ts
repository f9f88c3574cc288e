import { describe, expect, it } from "vitest";
import type { DeployEvent, DeployState } from "@/api/types";
import { mkTimeline } from "@/test/make";
import { placeOf, roadOf } from "./stretches";

const road = (...states: [DeployState, ...DeployState[]]) =>
  roadOf(states.at(-1) as DeployState, mkTimeline(...states));
const seen = (...states: [DeployState, ...DeployState[]]) =>
  road(...states)
    .stretches.map((it) => `${it.state}:${it.how}`)
    .join(" ");

describe("roadOf", () => {
  it("follows a deploy along its road", () => {
    expect(seen("pending", "building")).toBe("pending:done building:active");
    expect(road("pending", "building").ahead).toEqual(["applying", "rolling_out"]);
    expect(road("applying", "rolling_out", "verifying").ahead).toEqual([]);
    expect(seen("pending", "applying", "rolling_out", "succeeded")).toBe(
      "pending:done applying:done rolling_out:done",
    );
  });

  it("measures a stretch until the next began, and its end by how the deploy ended", () => {
    const { stretches, end } = road("building", "building", "applying", "failed");
    expect(
      stretches.map((it) => [it.startedAt.slice(17, 19), it.finishedAt?.slice(17, 19)]),
    ).toEqual([
      ["00", "02"],
      ["02", "03"],
    ]);
    expect(stretches[0]?.events).toHaveLength(2);
    expect(end.map((it) => it.state)).toEqual(["failed"]);
  });

  it("blames a bad end on the last stretch", () => {
    expect(seen("building", "failed")).toBe("building:failed");
    expect(seen("queued", "canceled")).toBe("queued:stopped");
    expect(seen("queued", "superseded")).toBe("queued:stopped");
  });

  it("counts a state that comes again as another stretch", () => {
    expect(seen("verifying", "rolling_out", "verifying")).toBe(
      "verifying:done rolling_out:done verifying:active",
    );
  });

  it("has ended although the entry that says so is not there yet", () => {
    const { stretches } = roadOf("succeeded", mkTimeline("rolling_out"), "2026-01-01T10:00:09Z");
    expect(stretches[0]).toMatchObject({ how: "done", finishedAt: "2026-01-01T10:00:09Z" });
  });
});

const entry = (
  seq: number,
  name: string,
  change: NonNullable<DeployEvent["pod"]>["change"],
  message: string,
  version: "new" | "old" = "new",
): DeployEvent => ({
  seq,
  at: "2026-01-01T10:00:00Z",
  state: "rolling_out",
  message,
  pod: { name, version, change },
});

it("gathers what became of each pod below its state", () => {
  const { stretches } = roadOf("rolling_out", [
    ...mkTimeline("rolling_out"),
    entry(2, "hello-1", "scheduled", "pod hello-1 (new) is scheduled on node a"),
    entry(3, "hello-0", "stopping", "pod hello-0 (old) is told to end", "old"),
    entry(4, "hello-1", "ready", "pod hello-1 (new) is ready, 2 s after its start"),
  ]);
  expect(stretches[0]?.events).toHaveLength(1);
  expect(
    stretches[0]?.pods.map((it) => [it.name, it.isNew, it.steps.map((step) => step.words)]),
  ).toEqual([
    ["hello-1", true, ["is scheduled on node a", "is ready, 2 s after its start"]],
    ["hello-0", false, ["is told to end"]],
  ]);
});

it("tells a stateful set's new pod from the old one of its name", () => {
  const { stretches } = roadOf("rolling_out", [
    entry(1, "web-2", "stopping", "pod web-2 (old) is told to end", "old"),
    entry(2, "web-2", "ready", "pod web-2 (new) is ready, 2 s after its start"),
    entry(3, "web-2", "gone", "pod web-2 (old) is gone", "old"),
    entry(4, "web-2 in west", "ready", "pod web-2 in west (new) is ready"),
  ]);
  expect(
    stretches[0]?.pods.map((it) => [it.name, it.isNew, it.steps.map((step) => step.words)]),
  ).toEqual([
    ["web-2", false, ["is told to end", "is gone"]],
    ["web-2", true, ["is ready, 2 s after its start"]],
    ["web-2 in west", true, ["is ready"]],
  ]);
});

it("places a stretch within the whole, and keeps short ones visible", () => {
  const begin = Date.parse("2026-01-01T10:00:00Z");
  const half = { startedAt: "2026-01-01T10:00:05Z", finishedAt: null };
  expect(placeOf(half, begin, begin + 10_000)).toEqual({ left: 50, width: 50 });
  const none = { startedAt: "2026-01-01T10:00:10Z", finishedAt: "2026-01-01T10:00:10Z" };
  expect(placeOf(none, begin, begin + 10_000)).toEqual({ left: 99.4, width: 0.6 });
});
