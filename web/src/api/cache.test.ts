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
  forgetWorkload,
} from "./cache";
import { keys } from "./queries";
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
