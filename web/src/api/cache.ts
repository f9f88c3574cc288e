/** Puts what the streams say into what the pages have read. Older news never replaces newer. */
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { isDeployActive } from "@/lib/status";
import { keys } from "./queries";
import type {
  ArtifactStatus,
  Build,
  BuildStep,
  BuildSummary,
  Commit,
  Deploy,
  DeployEvent,
  DeploySummary,
  Page,
  Workload,
  WorkloadStatus,
  WorkloadSummary,
} from "./types";

type Pages<T> = InfiniteData<Page<T>, string | undefined>;

/** A change of the workloads table; a workload that is not in it yet comes in. */
export function applyWorkload(client: QueryClient, summary: WorkloadSummary) {
  const before = client.getQueryData<Workload>(keys.workload(summary.name));
  if (before && before.bad?.digest !== summary.bad?.digest) {
    // Previews of the same commit bear the same mark.
    void client.invalidateQueries({ queryKey: keys.pulls(summary.name) });
  }
  client.setQueryData<WorkloadSummary[]>(keys.workloads, (list) =>
    list === undefined ? undefined : upsert(list, summary, (it) => it.name === summary.name),
  );
  client.setQueryData<Workload>(keys.workload(summary.name), (it) =>
    it === undefined ? undefined : { ...it, ...summary },
  );
}

export function forgetWorkload(client: QueryClient, name: string) {
  client.setQueryData<WorkloadSummary[]>(keys.workloads, (list) =>
    list?.filter((it) => it.name !== name),
  );
  client.removeQueries({ queryKey: keys.workload(name) });
}

/** A live status; the header and the table follow it. */
export function applyStatus(client: QueryClient, name: string, status: WorkloadStatus) {
  const before = client.getQueryData<WorkloadStatus>(keys.status(name));
  client.setQueryData(keys.status(name), status);
  if (JSON.stringify(before?.schedule) !== JSON.stringify(status.schedule)) {
    void client.invalidateQueries({ queryKey: keys.runs(name) });
  }
  if (before?.pods_desired !== status.pods_desired || before.pods_ready !== status.pods_ready) {
    void client.invalidateQueries({ queryKey: keys.scale(name) });
  }
  const seen = {
    health: status.health,
    health_reason: status.reason,
    pods_ready: status.pods_ready,
    pods_desired: status.pods_desired,
  };
  client.setQueryData<Workload>(keys.workload(name), (it) =>
    it === undefined ? undefined : { ...it, ...seen, url: status.url ?? it.url },
  );
  client.setQueryData<WorkloadSummary[]>(keys.workloads, (list) =>
    list?.map((it) => (it.name === name ? { ...it, ...seen } : it)),
  );
}

/** A deploy as lists show it, put wherever that deploy stands. */
export function applyDeploy(client: QueryClient, deploy: DeploySummary) {
  const known = client.getQueryData<Deploy>(keys.deploy(deploy.id));
  if (known && goesBack(known.state, deploy.state, isDeployActive)) return;
  client.setQueryData<Deploy>(keys.deploy(deploy.id), (it) =>
    it === undefined ? undefined : { ...it, ...deploy },
  );
  for (const workload of [null, deploy.workload]) {
    client.setQueryData<Pages<DeploySummary>>(keys.deploysOf(workload), (pages) =>
      upsertPage(pages, deploy),
    );
  }
  // A preview stands beside the workload, and changes nothing of it.
  if (deploy.pull_request != null) {
    void client.invalidateQueries({ queryKey: keys.pulls(deploy.workload) });
    return;
  }
  if (deploy.finished_at) void client.invalidateQueries({ queryKey: ["delivery"] });
  const mark = <T extends WorkloadSummary>(it: T): T => ({
    ...it,
    current: deploy.state === "succeeded" ? newest(it.current, deploy) : it.current,
    latest_deploy: newest(it.latest_deploy, deploy),
  });
  client.setQueryData<Workload>(keys.workload(deploy.workload), (it) =>
    it === undefined ? undefined : mark(it),
  );
  client.setQueryData<WorkloadSummary[]>(keys.workloads, (list) =>
    list?.map((it) => (it.name === deploy.workload ? mark(it) : it)),
  );
  if (deploy.state === "succeeded") markDeployed(client, deploy);
}

/** One more entry of a deploy's timeline. */
export function applyDeployEvent(client: QueryClient, id: number, event: DeployEvent) {
  client.setQueryData<Deploy>(keys.deploy(id), (it) => {
    if (it === undefined || it.timeline.some((known) => known.seq === event.seq)) return it;
    return { ...it, timeline: [...it.timeline, event].sort((a, b) => a.seq - b.seq) };
  });
}

/** A build as lists show it, put wherever that build stands. */
export function applyBuild(client: QueryClient, build: BuildSummary) {
  client.setQueryData<Build>(keys.build(build.id), (it) =>
    it === undefined ? undefined : { ...it, ...build },
  );
  const lists = client.getQueriesData<Pages<BuildSummary>>({ queryKey: keys.builds });
  for (const [key, pages] of lists) {
    const [, workload, state] = key as readonly [string, string | null, string];
    const belongs =
      (workload === null || workload === build.workload) && (state === "" || state === build.state);
    client.setQueryData(key, belongs ? upsertPage(pages, build) : removeFromPages(pages, build.id));
  }
  eachCommit(client, build.workload, (commit) =>
    commit.id === build.commit
      ? { ...commit, build, artifact_status: artifactStatus(build) }
      : commit,
  );
}

/** A step of a build. */
export function applyStep(client: QueryClient, id: number, step: BuildStep) {
  client.setQueryData<Build>(keys.build(id), (it) => {
    if (it === undefined) return undefined;
    const steps = it.steps.some((known) => known.number === step.number)
      ? it.steps.map((known) => (known.number === step.number ? step : known))
      : [...it.steps, step].sort((a, b) => a.number - b.number);
    return { ...it, steps };
  });
}

export function artifactStatus(build: Pick<BuildSummary, "state">): ArtifactStatus {
  if (build.state === "running") return "building";
  if (build.state === "succeeded") return "available";
  return build.state;
}

/** After a gap in a stream, everything that it feeds is read once more. */
export function refreshAll(client: QueryClient) {
  void client.invalidateQueries();
}

function markDeployed(client: QueryClient, deploy: DeploySummary) {
  eachCommit(client, deploy.workload, (commit) => {
    const deployed = commit.id === deploy.commit;
    return commit.deployed === deployed ? commit : { ...commit, deployed };
  });
}

function eachCommit(client: QueryClient, workload: string, change: (commit: Commit) => Commit) {
  client.setQueriesData<Pages<Commit>>({ queryKey: keys.commits(workload) }, (data) =>
    data === undefined
      ? undefined
      : {
          ...data,
          pages: data.pages.map((page) => ({ ...page, items: page.items.map(change) })),
        },
  );
}

/** An ended thing does not begin again: such news is late. */
function goesBack<S>(known: S, next: S, active: (state: S) => boolean): boolean {
  return !active(known) && active(next);
}

function newest(known: DeploySummary | null | undefined, next: DeploySummary): DeploySummary {
  return known && known.id > next.id ? known : next;
}

function upsert<T>(list: T[], item: T, same: (it: T) => boolean): T[] {
  return list.some(same) ? list.map((it) => (same(it) ? item : it)) : [...list, item];
}

function upsertPage<T extends { id: number }>(
  data: Pages<T> | undefined,
  item: T,
): Pages<T> | undefined {
  if (data === undefined) return undefined;
  const known = data.pages.some((page) => page.items.some((it) => it.id === item.id));
  const pages = data.pages.map((page, index) => {
    if (known) return { ...page, items: page.items.map((it) => (it.id === item.id ? item : it)) };
    return index === 0 ? { ...page, items: [item, ...page.items] } : page;
  });
  return { ...data, pages };
}

function removeFromPages<T extends { id: number }>(data: Pages<T> | undefined, id: number) {
  if (data === undefined) return undefined;
  const pages = data.pages.map((page) => ({
    ...page,
    items: page.items.filter((it) => it.id !== id),
  }));
  return { ...data, pages };
}
