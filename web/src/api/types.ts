/** The API's shapes by their short names; `npm run codegen` makes them from deploy/openapi.json. */
import type { components } from "./schema";

type Schemas = components["schemas"];

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export type ApiToken = Schemas["ApiToken"];
export type ArtifactImage = Schemas["ArtifactImage"];
export type ArtifactStatus = Schemas["ArtifactStatus"];
export type ArtifactSummary = Schemas["ArtifactSummary"];
export type AuditEntry = Schemas["AuditEntry"];
export type Branch = Schemas["Branch"];
export type Build = Schemas["Build"];
export type BuildState = Schemas["BuildState"];
export type BuildStep = Schemas["BuildStep"];
export type BuildSummary = Schemas["BuildSummary"];
export type Category = Schemas["Category"];
export type Commit = Schemas["Commit"];
export type ContainerLogLine = Schemas["ContainerLogLine"];
export type ContainerStatus = Schemas["ContainerStatus"];
export type CreateRun = Schemas["CreateRun"];
export type CreateWorkload = Schemas["CreateWorkload"];
export type ChangedCommit = Schemas["ChangedCommit"];
export type Deploy = Schemas["Deploy"];
export type DeployComparison = Schemas["DeployComparison"];
export type DeployKind = Schemas["DeployKind"];
export type DeployEvent = Schemas["DeployEvent"];
export type DeployState = Schemas["DeployState"];
export type DeploySummary = Schemas["DeploySummary"];
export type Health = Schemas["Health"];
export type KubernetesEvent = Schemas["KubernetesEvent"];
export type LogLine = Schemas["LogLine"];
export type Pin = Schemas["Pin"];
export type Place = Schemas["Place"];
export type PodStatus = Schemas["PodStatus"];
export type Problem = Schemas["Problem"];
export type Receipt = Schemas["Receipt"];
export type FailedContainer = Schemas["FailedContainer"];
export type ReceiptLine = Schemas["ReceiptLine"];
export type Run = Schemas["Run"];
export type RunOutcome = Schemas["RunOutcome"];
export type ScheduleStatus = Schemas["ScheduleStatus"];
export type RollbackPlan = Schemas["RollbackPlan"];
export type Workload = Schemas["Workload"];
export type WorkloadPlan = Schemas["WorkloadPlan"];
export type WorkloadStatus = Schemas["WorkloadStatus"];
export type WorkloadSummary = Schemas["WorkloadSummary"];
