/** Puts what the streams say into what the pages have read. Older news never replaces newer. */
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { isBuildActive, isDeployActive } from "@/lib/status";
import type { DeployFilter } from "./client";
import { keys, NOTHING_RUNS, type RunningNow } from "./queries";
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
  changeRunning(client, ({ deploys, builds }) => ({
    deploys: deploys.filter((it) => it.workload !== name),
    builds: builds.filter((it) => it.workload !== name),
  }));
  client.removeQueries({ queryKey: keys.workload(name) });
}

/** Before a stream says what runs: what ran when another was lost may have ended since. */
export function forgetRunning(client: QueryClient) {
  client.setQueryData<RunningNow>(keys.running, NOTHING_RUNS);
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
  const lists = client.getQueriesData<Pages<DeploySummary>>({ queryKey: keys.deploys });
  for (const [key, pages] of lists) {
    const [, workload, filter = {}] = key as readonly [string, string | null, DeployFilter?];
    if (workload !== null && workload !== deploy.workload) continue;
    client.setQueryData(
      key,
      passes(deploy, filter) ? insertPage(pages, deploy) : removeFromPages(pages, deploy.id),
    );
  }
  changeRunning(client, (it) => ({
    ...it,
    deploys: putRunning(it.deploys, deploy, isDeployActive(deploy.state)),
  }));
  // A preview stands beside the workload, and changes nothing of it.
  if (deploy.pull_request != null) {
    void client.invalidateQueries({ queryKey: keys.pulls(deploy.workload) });
    return;
  }
  if (deploy.finished_at) void client.invalidateQueries({ queryKey: ["delivery"] });
  const mark = <T extends WorkloadSummary>(it: T): T => ({
    ...it,
    current: deploy.state === "succeeded" ? ranLast(it.current, deploy) : it.current,
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
    client.setQueryData(key, belongs ? insertPage(pages, build) : removeFromPages(pages, build.id));
  }
  changeRunning(client, (it) => ({
    ...it,
    builds: putRunning(it.builds, build, isBuildActive(build.state)),
  }));
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

/** Pure: of two that succeeded the one that ended last. A restart overtakes deploys that wait. */
function ranLast(known: DeploySummary | null | undefined, next: DeploySummary): DeploySummary {
  const ended = (it: DeploySummary) => Date.parse(it.finished_at ?? "");
  return known && ended(known) > ended(next) ? known : next;
}

function upsert<T>(list: T[], item: T, same: (it: T) => boolean): T[] {
  return list.some(same) ? list.map((it) => (same(it) ? item : it)) : [...list, item];
}

function changeRunning(client: QueryClient, change: (it: RunningNow) => RunningNow) {
  client.setQueryData<RunningNow>(keys.running, (it) => change(it ?? NOTHING_RUNS));
}

function putRunning<T extends { id: number }>(list: T[], item: T, active: boolean): T[] {
  const others = list.filter((it) => it.id !== item.id);
  return active ? [...others, item].sort(newestFirst) : others;
}

const newestFirst = (a: { id: number }, b: { id: number }): number => b.id - a.id;

/** Pure: whether the server lists the deploy under this filter. */
function passes(deploy: DeploySummary, filter: DeployFilter): boolean {
  const { state, kind, by, commit, since, until } = filter;
  const asked = Date.parse(deploy.created_at);
  return (
    (!state || state === deploy.state) &&
    (!kind || kind === deploy.kind) &&
    (!by || by === deploy.requested_by) &&
    (!commit || deploy.commit.startsWith(commit.trim().toLowerCase())) &&
    (!since || asked >= Date.parse(since)) &&
    (!until || asked < Date.parse(until))
  );
}

/** Pure: the list, newest first, with the item in its place. */
function insertPage<T extends { id: number }>(
  data: Pages<T> | undefined,
  item: T,
): Pages<T> | undefined {
  if (data === undefined) return undefined;
  const known = data.pages.findIndex((page) => page.items.some((it) => it.id === item.id));
  const older = data.pages.findIndex((page) => page.items.some((it) => it.id < item.id));
  const last = data.pages.length - 1;
  // What is older than all that was read comes with the next page.
  if (known < 0 && older < 0 && data.pages[last]?.next_cursor != null) return data;
  const place = [known, older, last].find((at) => at >= 0);
  const pages = data.pages.map((page, index) => {
    if (index !== place) return page;
    const others = page.items.filter((it) => it.id !== item.id);
    return { ...page, items: [...others, item].sort(newestFirst) };
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
