/** What the pages read, by key. Streams keep it fresh (cache.ts). */
import {
  infiniteQueryOptions,
  QueryClient,
  type QueryClientConfig,
  queryOptions,
} from "@tanstack/react-query";
import { isInMotion } from "@/lib/previews";
import { api, type DeployFilter } from "./client";
import { ProblemError } from "./problem";
import type {
  BuildState,
  BuildSummary,
  DeliveryPerformance,
  DeploySummary,
  Page,
  PullRequest,
  WorkloadSummary,
} from "./types";

export const keys = {
  me: ["me"] as const,
  workloads: ["workloads"] as const,
  workload: (name: string) => ["workload", name] as const,
  status: (name: string) => ["workload", name, "status"] as const,
  runs: (name: string) => ["workload", name, "runs"] as const,
  scale: (name: string) => ["workload", name, "scale"] as const,
  rules: (name: string) => ["workload", name, "rules"] as const,
  strategy: (name: string) => ["workload", name, "strategy"] as const,
  gates: (name: string) => ["workload", name, "gates"] as const,
  pulls: (name: string) => ["workload", name, "pulls"] as const,
  delivery: (of: string, name: string) => ["delivery", of, name] as const,
  projectRules: (project: string) => ["project", project, "rules"] as const,
  freezes: ["freezes"] as const,
  branches: (name: string) => ["workload", name, "branches"] as const,
  commits: (name: string) => ["workload", name, "commits"] as const,
  deploys: ["deploys"] as const,
  deploysOf: (workload: string | null) => ["deploys", workload] as const,
  deploy: (id: number) => ["deploy", id] as const,
  receipt: (id: number) => ["deploy", id, "receipt"] as const,
  revert: (rollback: number) => ["revert", rollback] as const,
  builds: ["builds"] as const,
  buildsOf: (workload: string | null, state: string) => ["builds", workload, state] as const,
  build: (id: number) => ["build", id] as const,
  running: ["running"] as const,
  tokens: ["tokens"] as const,
  principals: ["principals"] as const,
  audit: ["audit"] as const,
};

/** A client that does not ask again what cannot change by asking. */
export function makeQueryClient(config: QueryClientConfig = {}): QueryClient {
  return new QueryClient({
    ...config,
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        gcTime: 10 * 60_000,
        refetchOnWindowFocus: true,
        networkMode: "always",
        retry: (count, error) =>
          count < 2 &&
          (!(error instanceof ProblemError) ||
            error.problem.status === 0 ||
            error.problem.status >= 502),
        retryDelay: (attempt) => 400 * 2 ** attempt,
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}

const paged = <T>(
  queryKey: readonly unknown[],
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
) =>
  infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<T>) => last.next_cursor ?? undefined,
  });

const MOST_ITEMS = 4_000;

/** A list that is short enough to be shown as a whole. */
async function everyPage<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    all.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && all.length < MOST_ITEMS);
  return all;
}

export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => api.me(signal),
  staleTime: 5 * 60_000,
});

/** All workloads; a table of thousands fills page by page on the first visit. */
export const workloadsQuery = queryOptions({
  queryKey: keys.workloads,
  queryFn: async ({ signal, client }): Promise<WorkloadSummary[]> => {
    const first = client.getQueryData(keys.workloads) === undefined;
    const all: WorkloadSummary[] = [];
    let cursor: string | undefined;
    do {
      const page: Page<WorkloadSummary> = await api.workloads({ cursor }, signal);
      all.push(...page.items);
      cursor = page.next_cursor ?? undefined;
      if (first && cursor !== undefined) client.setQueryData(keys.workloads, [...all]);
    } while (cursor !== undefined && all.length < 20_000);
    return all;
  },
});

export const workloadQuery = (name: string) =>
  queryOptions({
    queryKey: keys.workload(name),
    queryFn: ({ signal }) => api.workload(name, signal),
  });

export const statusQuery = (name: string) =>
  queryOptions({
    queryKey: keys.status(name),
    queryFn: ({ signal }) => api.status(name, signal),
  });

/** The newest runs of a cron job; the stream of its status says when to read them again. */
export const runsQuery = (name: string) =>
  queryOptions({
    queryKey: keys.runs(name),
    queryFn: async ({ signal }) => (await api.runs(name, {}, signal)).items,
  });

/** What waits for the cluster is asked for again: no stream tells of it. */
export const scaleQuery = (name: string) =>
  queryOptions({
    queryKey: keys.scale(name),
    queryFn: ({ signal }) => api.scale(name, signal),
    refetchInterval: (query) => (query.state.data?.change?.state === "pending" ? 2_000 : false),
  });

export const scaleChangesQuery = (name: string) =>
  paged([...keys.scale(name), "changes"], (cursor, signal) =>
    api.scaleChanges(name, { cursor }, signal),
  );

export const rulesQuery = (name: string) =>
  queryOptions({
    queryKey: keys.rules(name),
    queryFn: ({ signal }) => api.rules(name, signal),
  });

export const projectRulesQuery = (project: string) =>
  queryOptions({
    queryKey: keys.projectRules(project),
    queryFn: ({ signal }) => api.projectRules(project, signal),
  });

export const strategyQuery = (name: string) =>
  queryOptions({
    queryKey: keys.strategy(name),
    queryFn: ({ signal }) => api.strategy(name, signal),
  });

export const gatesQuery = (name: string) =>
  queryOptions({
    queryKey: keys.gates(name),
    queryFn: ({ signal }) => api.gates(name, signal),
  });

/** The forge is asked at each read; more often while a preview is about to change. */
const readAgain = (pulls: PullRequest[]) => (pulls.some(isInMotion) ? 3_000 : 60_000);

/** Open pull requests with their previews. */
export const pullsQuery = (name: string) =>
  queryOptions({
    queryKey: keys.pulls(name),
    queryFn: async ({ signal }) => (await api.pullRequests(name, signal)).items,
    refetchInterval: (query) => readAgain(query.state.data ?? []),
  });

export const pullQuery = (name: string, number: number) =>
  queryOptions({
    queryKey: [...keys.pulls(name), number],
    queryFn: ({ signal }) => api.pullRequest(name, number, signal),
    refetchInterval: (query) => readAgain(query.state.data ? [query.state.data] : []),
  });

/** DORA's four figures; every deploy that ends may change them. */
const deliveryQuery = (of: "workloads" | "projects", name: string, days: number) =>
  queryOptions({
    queryKey: [...keys.delivery(of, name), days],
    queryFn: ({ signal }) => api.delivery(of, name, days, signal),
    // The figures of another span stay until those of the new one are there.
    placeholderData: (before: DeliveryPerformance | undefined, query) =>
      query?.queryKey[2] === name ? before : undefined,
  });
export const workloadDeliveryQuery = (name: string, days: number) =>
  deliveryQuery("workloads", name, days);
export const projectDeliveryQuery = (project: string, days: number) =>
  deliveryQuery("projects", project, days);

/** Those that hold or will; `all` has those that are over, too. */
export const freezesQuery = (all: boolean) =>
  paged([...keys.freezes, all], (cursor, signal) => api.freezes({ all, cursor }, signal));

export const branchesQuery = (name: string) =>
  queryOptions({
    queryKey: keys.branches(name),
    queryFn: async ({ signal }) => (await api.branches(name, signal)).items,
  });

export const commitsQuery = (name: string, branch: string, q: string) =>
  paged([...keys.commits(name), branch, q], (cursor, signal) =>
    api.commits(name, { branch, q, cursor }, signal),
  );

export const deploysQuery = (workload: string | null, filter: DeployFilter = {}) =>
  paged(
    Object.keys(filter).length === 0
      ? keys.deploysOf(workload)
      : [...keys.deploysOf(workload), filter],
    (cursor, signal) => api.deploys({ ...filter, workload: workload ?? undefined, cursor }, signal),
  );

/** What a rollback would do; asked each time the dialog opens. */
export const rollbackQuery = (name: string, to: number | undefined) =>
  queryOptions({
    queryKey: [...keys.workload(name), "rollback", to ?? null],
    queryFn: ({ signal }) => api.rollbackPlan(name, to, signal),
    staleTime: 0,
    gcTime: 0,
  });

export const comparisonQuery = (id: number, other: number) =>
  queryOptions({
    queryKey: [...keys.deploy(id), "compare", other],
    queryFn: ({ signal }) => api.compareDeploys(id, other, signal),
  });

/** Kept as it was found; only whether a newer deploy came since changes. */
export const receiptQuery = (id: number) =>
  queryOptions({
    queryKey: keys.receipt(id),
    queryFn: ({ signal }) => api.receipt(id, signal),
  });

export const deployQuery = (id: number) =>
  queryOptions({ queryKey: keys.deploy(id), queryFn: ({ signal }) => api.deploy(id, signal) });

export const buildsQuery = (workload: string | null, state?: BuildState) =>
  paged(keys.buildsOf(workload, state ?? ""), (cursor, signal) =>
    api.builds({ workload: workload ?? undefined, state, cursor }, signal),
  );

export const buildQuery = (id: number) =>
  queryOptions({ queryKey: keys.build(id), queryFn: ({ signal }) => api.build(id, signal) });

/** What runs now, anywhere, newest first. */
export interface RunningNow {
  deploys: DeploySummary[];
  builds: BuildSummary[];
}

export const NOTHING_RUNS: RunningNow = { deploys: [], builds: [] };

/** Never asked for: the stream of everything begins with what runs, and tells of each change. */
export const runningQuery = queryOptions<RunningNow>({
  queryKey: keys.running,
  enabled: false,
  initialData: NOTHING_RUNS,
});

export const tokensQuery = queryOptions({
  queryKey: keys.tokens,
  queryFn: ({ signal }) => everyPage((cursor) => api.tokens({ cursor }, signal)),
});

export const principalsQuery = queryOptions({
  queryKey: keys.principals,
  queryFn: ({ signal }) => everyPage((cursor) => api.principals({ cursor }, signal)),
});

export const auditQuery = paged(keys.audit, (cursor, signal) => api.audit({ cursor }, signal));
