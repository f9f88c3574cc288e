/** One function for each call of the API. Everything that the UI asks goes through here. */
import { client, LIST_LIMIT, once, type PageOf, take, version } from "./call";
import { peopleApi } from "./people";
import { pullsApi } from "./pulls";
import { rulesApi } from "./rules";
import { strategyApi } from "./strategy";
import type {
  BuildState,
  Category,
  CreateHotfix,
  CreateRun,
  CreateWorkload,
  DeployKind,
  DeployState,
  PreviewSettings,
  ScaleBounds,
  SetAutoscaling,
  SetScale,
} from "./types";

export const api = {
  ...rulesApi,
  ...pullsApi,
  ...strategyApi,
  ...peopleApi,

  audit: (query: PageOf, signal?: AbortSignal) =>
    take(client.GET("/api/v1/audit", { params: { query }, signal })),

  workloads: (query: PageOf, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads", {
        params: { query: { ...query, limit: LIST_LIMIT } },
        signal,
      }),
    ),
  workload: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}", { params: { path: { name } }, signal })),
  status: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/status", { params: { path: { name } }, signal })),
  plan: (body: CreateWorkload) => take(client.POST("/api/v1/workloads/plan", { body })),
  createWorkload: (body: CreateWorkload, key: string) =>
    take(client.POST("/api/v1/workloads", { body, params: { header: once(key) } })),
  setCategory: (name: string, category: Category, number: number) =>
    take(
      client.PATCH("/api/v1/workloads/{name}", {
        params: { path: { name }, header: version(number) },
        body: { category },
      }),
    ),
  setAutoDeploy: (name: string, branch: string, number: number) =>
    take(
      client.PATCH("/api/v1/workloads/{name}", {
        params: { path: { name }, header: version(number) },
        body: { auto_deploy: branch },
      }),
    ),
  setPreviews: (name: string, previews: PreviewSettings, number: number) =>
    take(
      client.PATCH("/api/v1/workloads/{name}", {
        params: { path: { name }, header: version(number) },
        body: { previews },
      }),
    ),
  unpin: (name: string) =>
    take(client.DELETE("/api/v1/workloads/{name}/pin", { params: { path: { name } } })),
  rollbackPlan: (name: string, to: number | undefined, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/rollback", {
        params: { path: { name }, query: { to } },
        signal,
      }),
    ),
  rollback: (
    name: string,
    body: { to?: number; from?: number; reason: string | null; override_bad: string | null },
    key: string,
  ) =>
    take(
      client.POST("/api/v1/workloads/{name}/rollback", {
        params: { path: { name }, header: once(key) },
        body,
      }),
    ),
  restart: (name: string, reason: string | null, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/restart", {
        params: { path: { name }, header: once(key) },
        body: { reason },
      }),
    ),
  deleteWorkload: (name: string, number: number) =>
    take(
      client.DELETE("/api/v1/workloads/{name}", {
        params: { path: { name }, header: version(number) },
      }),
    ),
  sync: (name: string) =>
    take(client.POST("/api/v1/workloads/{name}/sync", { params: { path: { name } } })),

  scale: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/scale", { params: { path: { name } }, signal })),
  scaleChanges: (name: string, query: PageOf, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/scale/changes", {
        params: { path: { name }, query },
        signal,
      }),
    ),
  setScale: (name: string, body: SetScale, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/scale", {
        params: { path: { name }, header: once(key) },
        body,
      }),
    ),
  releaseScale: (name: string, reason: string) =>
    take(
      client.DELETE("/api/v1/workloads/{name}/scale", {
        params: { path: { name }, query: { reason } },
      }),
    ),
  setAutoscaling: (name: string, body: SetAutoscaling, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/autoscaling", {
        params: { path: { name }, header: once(key) },
        body,
      }),
    ),
  setScaleBounds: (name: string, body: ScaleBounds) =>
    take(client.PUT("/api/v1/workloads/{name}/scale/bounds", { params: { path: { name } }, body })),

  delivery: (of: "workloads" | "projects", name: string, days: number, signal?: AbortSignal) =>
    of === "workloads"
      ? take(
          client.GET("/api/v1/workloads/{name}/delivery-performance", {
            params: { path: { name }, query: { days } },
            signal,
          }),
        )
      : take(
          client.GET("/api/v1/projects/{project}/delivery-performance", {
            params: { path: { project: name }, query: { days } },
            signal,
          }),
        ),
  hotfixPlan: (name: string, body: CreateHotfix) =>
    take(client.POST("/api/v1/workloads/{name}/hotfix-plan", { params: { path: { name } }, body })),
  createHotfix: (name: string, body: CreateHotfix, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/hotfixes", {
        params: { path: { name }, header: once(key) },
        body,
      }),
    ),

  runs: (name: string, query: PageOf, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/runs", { params: { path: { name }, query }, signal }),
    ),
  createRun: (name: string, body: CreateRun, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/runs", {
        params: { path: { name }, header: once(key) },
        body,
      }),
    ),
  suspend: (name: string) =>
    take(client.POST("/api/v1/workloads/{name}/suspend", { params: { path: { name } } })),
  resume: (name: string) =>
    take(client.POST("/api/v1/workloads/{name}/resume", { params: { path: { name } } })),

  branches: (name: string, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/branches", {
        params: { path: { name }, query: { limit: LIST_LIMIT } },
        signal,
      }),
    ),
  commits: (name: string, query: PageOf & { branch?: string; q?: string }, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/commits", {
        params: { path: { name }, query },
        signal,
      }),
    ),

  builds: (query: PageOf & { workload?: string; state?: BuildState }, signal?: AbortSignal) =>
    take(client.GET("/api/v1/builds", { params: { query }, signal })),
  build: (id: number, signal?: AbortSignal) =>
    take(client.GET("/api/v1/builds/{id}", { params: { path: { id } }, signal })),
  createBuild: (name: string, commit: string, retry: boolean, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/builds", {
        params: { path: { name }, header: once(key) },
        body: { commit, retry },
      }),
    ),
  cancelBuild: (id: number) =>
    take(client.POST("/api/v1/builds/{id}/cancel", { params: { path: { id } } })),

  deploys: (query: PageOf & { workload?: string } & DeployFilter, signal?: AbortSignal) =>
    take(client.GET("/api/v1/deploys", { params: { query }, signal })),
  deploy: (id: number, signal?: AbortSignal) =>
    take(client.GET("/api/v1/deploys/{id}", { params: { path: { id } }, signal })),
  createDeploy: (
    name: string,
    commit: string,
    reason: string | null,
    override_bad: string | null,
    key: string,
  ) =>
    take(
      client.POST("/api/v1/workloads/{name}/deploys", {
        params: { path: { name }, header: once(key) },
        body: { commit, reason, override_bad },
      }),
    ),
  approveDeploy: (id: number, comment: string | null) =>
    take(
      client.POST("/api/v1/deploys/{id}/approve", { params: { path: { id } }, body: { comment } }),
    ),
  rejectDeploy: (id: number, reason: string) =>
    take(
      client.POST("/api/v1/deploys/{id}/reject", { params: { path: { id } }, body: { reason } }),
    ),
  pauseDeploy: (id: number) =>
    take(client.POST("/api/v1/deploys/{id}/pause", { params: { path: { id } } })),
  resumeDeploy: (id: number) =>
    take(client.POST("/api/v1/deploys/{id}/resume", { params: { path: { id } } })),
  compareDeploys: (id: number, other: number, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/deploys/{id}/compare/{other}", {
        params: { path: { id, other } },
        signal,
      }),
    ),
  receipt: (id: number, signal?: AbortSignal) =>
    take(client.GET("/api/v1/deploys/{id}/receipt", { params: { path: { id } }, signal })),
  cancelDeploy: (id: number) =>
    take(client.POST("/api/v1/deploys/{id}/cancel", { params: { path: { id } } })),
};

/** Which deploys of a history are wanted; absent fields match everything. */
export interface DeployFilter {
  state?: DeployState;
  kind?: DeployKind;
  by?: string;
  commit?: string;
  since?: string;
  until?: string;
}

type Query = Record<string, string | number | boolean | undefined>;

/** A path of the API with its query; empty values are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return `/api/v1${path}${text === "" ? "" : `?${text}`}`;
}

const w = (name: string) => `/workloads/${encodeURIComponent(name)}`;

/** Streams, by the same names. */
export const streams = {
  all: () => apiUrl("/watch"),
  workload: (name: string) => apiUrl(`${w(name)}/watch`),
  deploy: (id: number) => apiUrl(`/deploys/${id}/watch`),
  buildLog: (id: number) => apiUrl(`/builds/${id}/log`),
  log: (name: string, query: Query) => apiUrl(`${w(name)}/log`, query),
};

/** A key that makes asking twice the same as asking once. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
