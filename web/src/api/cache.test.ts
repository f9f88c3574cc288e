import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, it } from "vitest";
import { mkBad, mkBuild, mkCommit, mkDeploy, mkFullWorkload, mkSha, mkWorkload } from "@/test/make";
import {
  applyBuild,
  applyDeploy,
  applyDeployEvent,
  applyStatus,
  applyStep,
  applyWorkload,
  forgetRunning,
  forgetWorkload,
} from "./cache";
import { deploysQuery, keys, type RunningNow } from "./queries";
import type { Build, Deploy, Workload, WorkloadSummary } from "./types";

let client: QueryClient;
const workloads = () => client.getQueryData<WorkloadSummary[]>(keys.workloads) ?? [];
const pages = <T>(items: T[]) => ({ pages: [{ items }], pageParams: [undefined] });
const items = <T>(key: readonly unknown[]) =>
  (client.getQueryData(key) as { pages: { items: T[] }[] }).pages.flatMap((page) => page.items);

beforeEach(() => {
  client = new QueryClient();
  client.setQueryData(keys.workloads, [mkWorkload(), mkWorkload({ name: "other" })]);
});

describe("workloads", () => {
  it("replaces the one that changed and takes in a new one", () => {
    applyWorkload(client, mkWorkload({ health: "degraded" }));
    applyWorkload(client, mkWorkload({ name: "new" }));
    expect(workloads().map((it) => `${it.name} ${it.health}`)).toEqual([
      "hello degraded",
      "other healthy",
      "new healthy",
    ]);
  });

  it("shows a mark everywhere, and reads its previews anew", () => {
    client.setQueryData(keys.workload("hello"), mkFullWorkload());
    client.setQueryData(keys.pulls("hello"), []);
    const pulls = () => client.getQueryState(keys.pulls("hello"))?.isInvalidated;
    applyWorkload(client, mkWorkload({ health: "degraded" }));
    expect(pulls()).toBe(false);
    applyWorkload(client, mkWorkload({ bad: mkBad() }));
    expect(workloads()[0]?.bad?.by).toBe("grace");
    expect(client.getQueryData<Workload>(keys.workload("hello"))?.bad?.by).toBe("grace");
    expect(pulls()).toBe(true);
  });

  it("reads nothing into a list that was never read", () => {
    client.clear();
    applyWorkload(client, mkWorkload());
    expect(client.getQueryData(keys.workloads)).toBeUndefined();
  });

  it("forgets a deleted one", () => {
    forgetWorkload(client, "hello");
    expect(workloads().map((it) => it.name)).toEqual(["other"]);
  });

  it("carries a live status to the header and the table", () => {
    client.setQueryData(keys.workload("hello"), mkFullWorkload());
    applyStatus(client, "hello", {
      health: "progressing",
      reason: "1 of 3 pods is ready",
      pods_desired: 3,
      pods_running: 1,
      pods_ready: 1,
      pods_updated_ready: 1,
      pods_updated: 3,
      commit: null,
      url: "http://127.0.0.1:30080",
      pods: [],
      events: [],
    });
    expect(workloads()[0]?.health).toBe("progressing");
    expect(client.getQueryData<Workload>(keys.workload("hello"))).toMatchObject({
      health_reason: "1 of 3 pods is ready",
      url: "http://127.0.0.1:30080",
    });
  });
});

describe("deploys", () => {
  it("becomes what runs when it succeeded, and only then", () => {
    applyDeploy(client, mkDeploy({ id: 5, state: "rolling_out" }));
    expect(workloads()[0]).toMatchObject({ current: null, latest_deploy: { id: 5 } });
    applyDeploy(client, mkDeploy({ id: 5, state: "succeeded" }));
    expect(workloads()[0]?.current?.id).toBe(5);
  });

  it("takes for what runs what ended last, whatever its number", () => {
    const at = (minute: string) => `2026-07-28T10:${minute}:00Z`;
    const restart = mkDeploy({ id: 6, state: "succeeded", finished_at: at("01") });
    applyDeploy(client, restart);
    applyDeploy(client, mkDeploy({ id: 5, state: "succeeded", finished_at: at("02") }));
    applyDeploy(client, restart);
    expect(workloads()[0]).toMatchObject({ current: { id: 5 }, latest_deploy: { id: 6 } });
  });

  it("does not let an older deploy take the place of a newer", () => {
    applyDeploy(client, mkDeploy({ id: 6 }));
    applyDeploy(client, mkDeploy({ id: 5, state: "superseded" }));
    expect(workloads()[0]?.latest_deploy?.id).toBe(6);
  });

  it("does not begin again after its end", () => {
    const ended = { ...mkDeploy({ id: 5, state: "failed" }), timeline: [], images: [] };
    client.setQueryData(keys.deploy(5), ended);
    applyDeploy(client, mkDeploy({ id: 5, state: "rolling_out" }));
    expect(client.getQueryData<Deploy>(keys.deploy(5))?.state).toBe("failed");
  });

  it("comes first in the lists, once", () => {
    client.setQueryData(keys.deploysOf("hello"), pages([mkDeploy({ id: 4 })]));
    applyDeploy(client, mkDeploy({ id: 5, state: "pending" }));
    applyDeploy(client, mkDeploy({ id: 5, state: "applying" }));
    expect(items<Deploy>(keys.deploysOf("hello")).map((it) => `${it.id} ${it.state}`)).toEqual([
      "5 applying",
      "4 succeeded",
    ]);
  });

  it("stands in its place in the lists, and not before its page is read", () => {
    const key = keys.deploysOf(null);
    const ids = () => items<Deploy>(key).map((it) => it.id);
    client.setQueryData(key, {
      pages: [
        { items: [mkDeploy({ id: 63 }), mkDeploy({ id: 61 })], next_cursor: "61" },
        { items: [mkDeploy({ id: 60 })], next_cursor: "60" },
      ],
      pageParams: [undefined, "61"],
    });
    applyDeploy(client, mkDeploy({ id: 3, state: "applying" }));
    applyDeploy(client, mkDeploy({ id: 62 }));
    applyDeploy(client, mkDeploy({ id: 64 }));
    expect(ids()).toEqual([64, 63, 62, 61, 60]);
    client.setQueryData(key, pages([mkDeploy({ id: 4 })]));
    applyDeploy(client, mkDeploy({ id: 3 }));
    expect(ids()).toEqual([4, 3]);
  });

  it("comes into the filtered lists that it passes, and leaves the others", () => {
    const before = mkDeploy({ id: 5, state: "rolling_out", created_at: "2026-01-01T10:00:00Z" });
    const after = mkDeploy({ ...before, state: "succeeded" });
    const states = (filter: Parameters<typeof deploysQuery>[1], workload = "hello") => {
      client.clear();
      const { queryKey } = deploysQuery(workload, filter);
      client.setQueryData<unknown>(queryKey, pages([before]));
      applyDeploy(client, after);
      return items<Deploy>(queryKey).map((it) => it.state);
    };
    for (const filter of [
      { state: "succeeded" as const },
      { kind: "regular" as const, by: "ada" },
      { commit: "95F6" },
      { since: "2026-01-01T10:00:00.000Z", until: "2026-01-01T10:00:00.001Z" },
    ]) {
      expect(states(filter)).toEqual(["succeeded"]);
    }
    for (const filter of [
      { state: "rolling_out" as const },
      { kind: "restart" as const },
      { by: "grace" },
      { commit: "5f6" },
      { since: "2026-01-01T10:00:00.001Z" },
      { until: "2026-01-01T10:00:00.000Z" },
    ]) {
      expect(states(filter)).toEqual([]);
    }
    expect(states({ state: "rolling_out" }, "other")).toEqual(["rolling_out"]);
  });

  it("reads nothing into a filtered list that was never read", () => {
    applyDeploy(client, mkDeploy());
    expect(client.getQueriesData({ queryKey: keys.deploys })).toEqual([]);
  });

  it("runs until its end, however old it is", () => {
    const running = () => client.getQueryData<RunningNow>(keys.running);
    applyDeploy(client, mkDeploy({ id: 63, state: "queued" }));
    applyDeploy(client, mkDeploy({ id: 3, state: "queued" }));
    applyDeploy(client, mkDeploy({ id: 64, state: "pending" }));
    applyDeploy(client, mkDeploy({ id: 63, state: "canceled" }));
    applyBuild(client, mkBuild({ id: 7 }));
    expect(running()?.deploys.map((it) => it.id)).toEqual([64, 3]);
    expect(running()?.builds.map((it) => it.id)).toEqual([7]);
    applyBuild(client, mkBuild({ id: 7, state: "succeeded" }));
    expect(running()?.builds).toEqual([]);
    forgetWorkload(client, "hello");
    expect(running()?.deploys).toEqual([]);
    applyDeploy(client, mkDeploy({ id: 65, state: "queued" }));
    forgetRunning(client);
    expect(running()).toEqual({ deploys: [], builds: [] });
  });

  it("marks the commit that runs", () => {
    const key = [...keys.commits("hello"), "main", ""];
    client.setQueryData(key, pages([mkCommit("b"), mkCommit("a", { deployed: true })]));
    applyDeploy(client, mkDeploy({ commit: mkSha("b") }));
    expect(items<{ deployed: boolean }>(key).map((it) => it.deployed)).toEqual([true, false]);
  });

  it("takes each entry of the timeline once, in order", () => {
    client.setQueryData(keys.deploy(5), { ...mkDeploy({ id: 5 }), timeline: [], images: [] });
    const event = (seq: number) => ({ seq, at: "", state: "applying" as const, message: "" });
    for (const seq of [2, 1, 2]) applyDeployEvent(client, 5, event(seq));
    expect(client.getQueryData<Deploy>(keys.deploy(5))?.timeline.map((it) => it.seq)).toEqual([
      1, 2,
    ]);
  });
});

describe("builds", () => {
  it("changes its commit's artifact status", () => {
    const key = [...keys.commits("hello"), "main", ""];
    client.setQueryData(key, pages([mkCommit("95f6178", { artifact_status: "none" })]));
    applyBuild(client, mkBuild({ state: "succeeded" }));
    expect(items<{ artifact_status: string }>(key)[0]?.artifact_status).toBe("available");
  });

  it("leaves a list that it no longer belongs to", () => {
    client.setQueryData(keys.buildsOf(null, "running"), pages([mkBuild()]));
    client.setQueryData(keys.buildsOf(null, ""), pages([mkBuild()]));
    applyBuild(client, mkBuild({ state: "failed" }));
    expect(items(keys.buildsOf(null, "running"))).toEqual([]);
    expect(items<Build>(keys.buildsOf(null, ""))[0]?.state).toBe("failed");
  });

  it("replaces a step and keeps their order", () => {
    client.setQueryData(keys.build(1), { ...mkBuild(), steps: [], artifact: null });
    const step = (number: number, state: string) => ({ number, name: "", state });
    applyStep(client, 1, step(2, "running"));
    applyStep(client, 1, step(1, "succeeded"));
    applyStep(client, 1, step(2, "failed"));
    const steps = client.getQueryData<Build>(keys.build(1))?.steps;
    expect(steps?.map((it) => `${it.number} ${it.state}`)).toEqual(["1 succeeded", "2 failed"]);
  });
});
