/** Calls for what holds deploys back: windows, approvals, locks, freezes; and for health gates. */
import { client, once, type PageOf, take } from "./call";
import type {
  ApprovalRule,
  CreateFreeze,
  CreateFreezeException,
  CreateLock,
  DeployWindows,
  HealthGates,
} from "./types";

export const rulesApi = {
  rules: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/rules", { params: { path: { name } }, signal })),
  setWindows: (name: string, body: DeployWindows) =>
    take(
      client.PUT("/api/v1/workloads/{name}/rules/windows", { params: { path: { name } }, body }),
    ),
  clearWindows: (name: string) =>
    take(client.DELETE("/api/v1/workloads/{name}/rules/windows", { params: { path: { name } } })),
  setApprovals: (name: string, body: ApprovalRule) =>
    take(
      client.PUT("/api/v1/workloads/{name}/rules/approvals", { params: { path: { name } }, body }),
    ),
  clearApprovals: (name: string) =>
    take(client.DELETE("/api/v1/workloads/{name}/rules/approvals", { params: { path: { name } } })),
  lock: (name: string, body: CreateLock) =>
    take(client.PUT("/api/v1/workloads/{name}/lock", { params: { path: { name } }, body })),
  /** With a reason it breaks the lock of somebody else. */
  unlock: (name: string, breakReason: string | null) =>
    take(
      client.DELETE("/api/v1/workloads/{name}/lock", {
        params: {
          path: { name },
          query: breakReason === null ? {} : { break: true, reason: breakReason },
        },
      }),
    ),
  gates: (name: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/workloads/{name}/gates", { params: { path: { name } }, signal })),
  setGates: (name: string, body: HealthGates) =>
    take(client.PUT("/api/v1/workloads/{name}/gates", { params: { path: { name } }, body })),
  clearGates: (name: string) =>
    take(client.DELETE("/api/v1/workloads/{name}/gates", { params: { path: { name } } })),
  freezes: (query: PageOf & { all?: boolean }, signal?: AbortSignal) =>
    take(client.GET("/api/v1/freezes", { params: { query }, signal })),
  createFreeze: (body: CreateFreeze, key: string) =>
    take(client.POST("/api/v1/freezes", { params: { header: once(key) }, body })),
  endFreeze: (id: number) =>
    take(client.POST("/api/v1/freezes/{id}/end", { params: { path: { id } } })),
  exceptFromFreeze: (id: number, body: CreateFreezeException) =>
    take(client.POST("/api/v1/freezes/{id}/exceptions", { params: { path: { id } }, body })),
  projectRules: (project: string, signal?: AbortSignal) =>
    take(client.GET("/api/v1/projects/{project}/rules", { params: { path: { project } }, signal })),
  setProjectWindows: (project: string, body: DeployWindows) =>
    take(
      client.PUT("/api/v1/projects/{project}/rules/windows", {
        params: { path: { project } },
        body,
      }),
    ),
  clearProjectWindows: (project: string) =>
    take(
      client.DELETE("/api/v1/projects/{project}/rules/windows", { params: { path: { project } } }),
    ),
  setProjectApprovals: (project: string, body: ApprovalRule) =>
    take(
      client.PUT("/api/v1/projects/{project}/rules/approvals", {
        params: { path: { project } },
        body,
      }),
    ),
  clearProjectApprovals: (project: string) =>
    take(
      client.DELETE("/api/v1/projects/{project}/rules/approvals", {
        params: { path: { project } },
      }),
    ),
};
