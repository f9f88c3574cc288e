/** The API's shapes by their short names; `npm run codegen` makes them from deploy/openapi.json. */
import type { components } from "./schema";

type Schemas = components["schemas"];

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export type ApiToken = Schemas["ApiToken"];
export type Approval = Schemas["Approval"];
export type ApprovalRule = Schemas["ApprovalRule"];
export type ApprovalState = Schemas["ApprovalState"];
export type ArtifactImage = Schemas["ArtifactImage"];
export type ArtifactStatus = Schemas["ArtifactStatus"];
export type ArtifactSummary = Schemas["ArtifactSummary"];
export type AuditEntry = Schemas["AuditEntry"];
export type AutoscalingSettings = Schemas["AutoscalingSettings"];
export type Branch = Schemas["Branch"];
export type Build = Schemas["Build"];
export type BuildState = Schemas["BuildState"];
export type BuildStep = Schemas["BuildStep"];
export type BuildSummary = Schemas["BuildSummary"];
export type Category = Schemas["Category"];
export type Commit = Schemas["Commit"];
export type ContainerLogLine = Schemas["ContainerLogLine"];
export type ContainerStatus = Schemas["ContainerStatus"];
export type CreateFreezeException = Schemas["CreateFreezeException"];
export type CreateFreeze = Schemas["CreateFreeze"];
export type CreateHotfix = Schemas["CreateHotfix"];
export type CreateLock = Schemas["CreateLock"];
export type CreatePullRequestDeploy = Schemas["CreatePullRequestDeploy"];
export type CreateRun = Schemas["CreateRun"];
export type CreateWorkload = Schemas["CreateWorkload"];
export type ChangedCommit = Schemas["ChangedCommit"];
export type Deploy = Omit<Schemas["Deploy"], "timeline"> & { timeline: DeployEvent[] };
export type DeployComparison = Schemas["DeployComparison"];
export type DeployKind = Schemas["DeployKind"];
/** An entry of a deploy's timeline; a server that tells of pods names the one that it is about. */
export type DeployEvent = Omit<Schemas["DeployEvent"], "pod"> & { pod?: PodChange | null };
/** What became of a pod: words that are not known here are shown as they are. */
export interface PodChange {
  name: string;
  version: string;
  change: string;
}
export type CanaryStep = Schemas["CanaryStep"];
export type DeployPlan = Schemas["DeployPlan"];
export type DeployState = Schemas["DeployState"];
export type DeploySummary = Schemas["DeploySummary"];
export type DeployWindow = Schemas["DeployWindow"];
export type DeployWindows = Schemas["DeployWindows"];
export type Freeze = Schemas["Freeze"];
export type FreezeException = Schemas["FreezeException"];
export type Health = Schemas["Health"];
export type HealthGates = Schemas["HealthGates"];
export type HeldDeploy = Schemas["HeldDeploy"];
export type HoldingRule = Schemas["HoldingRule"];
export type Hotfix = Schemas["Hotfix"];
export type HotfixPlan = Schemas["HotfixPlan"];
export type KubernetesEvent = Schemas["KubernetesEvent"];
export type LogLine = Schemas["LogLine"];
export type Me = Schemas["Me"];
export type MetricCheck = Schemas["MetricCheck"];
export type Pin = Schemas["Pin"];
export type Place = Schemas["Place"];
export type PodStatus = Schemas["PodStatus"];
export type Preview = Schemas["Preview"];
export type PreviewSettings = Schemas["PreviewSettings"];
export type ProjectRules = Schemas["ProjectRules"];
export type Problem = Schemas["Problem"];
export type PullRequest = Schemas["PullRequest"];
export type Receipt = Schemas["Receipt"];
export type FailedContainer = Schemas["FailedContainer"];
export type ReceiptLine = Schemas["ReceiptLine"];
export type Run = Schemas["Run"];
export type RunOutcome = Schemas["RunOutcome"];
export type ScaleBounds = Schemas["ScaleBounds"];
export type ScaleChange = Schemas["ScaleChange"];
export type ScaleChangeState = Schemas["ScaleChangeState"];
export type ScaleOwner = Schemas["ScaleOwner"];
export type ScaleStatus = Schemas["ScaleStatus"];
export type ScheduleStatus = Schemas["ScheduleStatus"];
export type RollbackPlan = Schemas["RollbackPlan"];
export type RolloutStrategy = Schemas["RolloutStrategy"];
export type ScopeRules = Schemas["ScopeRules"];
export type SetAutoscaling = Schemas["SetAutoscaling"];
export type SetScale = Schemas["SetScale"];
export type Wave = Schemas["Wave"];
export type Weekday = Schemas["Weekday"];
export type Workload = Schemas["Workload"];
export type WorkloadGates = Schemas["WorkloadGates"];
export type WorkloadLock = Schemas["WorkloadLock"];
export type WorkloadPlan = Schemas["WorkloadPlan"];
export type WorkloadRules = Schemas["WorkloadRules"];
export type WorkloadStrategy = Schemas["WorkloadStrategy"];
export type WorkloadStatus = Schemas["WorkloadStatus"];
export type WorkloadSummary = Schemas["WorkloadSummary"];
