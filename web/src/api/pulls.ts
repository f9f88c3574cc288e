/** Calls for pull requests: their previews, and those that take back what a rollback left. */
import { client, once, take } from "./call";
import type { CreatePullRequestDeploy, CreateRun } from "./types";

export const pullsApi = {
  /** Asked again it is the same pull request. */
  proposeRevert: (rollback: number) =>
    take(client.POST("/api/v1/deploys/{id}/revert", { params: { path: { id: rollback } } })),
  pullRequests: (name: string, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/pull-requests", { params: { path: { name } }, signal }),
    ),
  pullRequest: (name: string, number: number, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/workloads/{name}/pull-requests/{number}", {
        params: { path: { name, number } },
        signal,
      }),
    ),
  deployPullRequest: (name: string, number: number, body: CreatePullRequestDeploy, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/deploys", {
        params: { path: { name, number }, header: once(key) },
        body,
      }),
    ),
  /** Only the commit that was read: it is refused once a newer one was pushed. */
  allowPullRequest: (name: string, number: number, commit: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/allow", {
        params: { path: { name, number } },
        body: { commit },
      }),
    ),
  sleepPreview: (name: string, number: number) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/sleep", {
        params: { path: { name, number } },
      }),
    ),
  wakePreview: (name: string, number: number) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/wake", {
        params: { path: { name, number } },
      }),
    ),
  /** The link is shown this once. */
  sharePreview: (name: string, number: number) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/share", {
        params: { path: { name, number } },
      }),
    ),
  unsharePreview: (name: string, number: number) =>
    take(
      client.DELETE("/api/v1/workloads/{name}/pull-requests/{number}/share", {
        params: { path: { name, number } },
      }),
    ),
  runPullRequest: (name: string, number: number, body: CreateRun, key: string) =>
    take(
      client.POST("/api/v1/workloads/{name}/pull-requests/{number}/runs", {
        params: { path: { name, number }, header: once(key) },
        body,
      }),
    ),
  removePreview: (name: string, number: number) =>
    take(
      client.DELETE("/api/v1/workloads/{name}/pull-requests/{number}", {
        params: { path: { name, number } },
      }),
    ),
};
