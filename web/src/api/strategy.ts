/** Calls for rollout strategies: canaries, waves of clusters, and promotions. */
import { client, take } from "./call";
import type { RolloutStrategy } from "./types";

export const strategyApi = {
  strategy: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/strategy", { params: { path: { name } }, signal })),
  setStrategy: (name: string, body: RolloutStrategy) =>
    take(client.PUT("/api/v1/workloads/{name}/strategy", { params: { path: { name } }, body })),
  clearStrategy: (name: string) =>
    take(client.DELETE("/api/v1/workloads/{name}/strategy", { params: { path: { name } } })),
  placements: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/placements", { params: { path: { name } }, signal })),
  /** The step that was seen is told: pressed by two people, no further one is promoted. */
  promoteDeploy: (id: number, all: boolean, step: number | undefined) =>
    take(
      client.POST("/api/v1/deploys/{id}/promote", {
        params: { path: { id } },
        body: { all, step },
      }),
    ),
};
