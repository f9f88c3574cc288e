/** Small makers of the API's shapes for tests: say only what the test is about. */
import type {
  BadArtifact,
  BuildSummary,
  Commit,
  DeployEvent,
  DeploySummary,
  PodStatus,
  Preview,
  PullRequest,
  ScaleChange,
  ScaleStatus,
  Workload,
  WorkloadSummary,
} from "@/api/types";

/** A commit's id that begins with these digits. */
export const mkSha = (digits: string): string => digits.padEnd(40, "0");

export const mkDeploy = (own: Partial<DeploySummary> = {}): DeploySummary => ({
  id: 1,
  workload: "hello",
  kind: "regular",
  state: "succeeded",
  commit: mkSha("95f6178"),
  title: "Answer /healthz",
  author: "Euccas Chen",
  requested_by: "ada",
  reason: null,
  created_at: "2026-01-01T10:00:00Z",
  started_at: null,
  finished_at: null,
  message: "",
  pods_ready: 0,
  pods_desired: 0,
  paused_by: null,
  ...own,
});

export const mkBad = (own: Partial<BadArtifact> = {}): BadArtifact => ({
  digest: "sha256:0",
  workload: "other",
  deploy_id: 9,
  commit: mkSha("95f6178"),
  reason: "it crashes",
  by: "grace",
  at: "2026-01-01T11:00:00Z",
  ...own,
});

export const mkWorkload = (own: Partial<WorkloadSummary> = {}): WorkloadSummary => ({
  name: "hello",
  workload_type: "PinterestService",
  category: "Production",
  project: "homefeed",
  namespace: "default",
  repository: "https://git.example/team/hello",
  config: "deploy/service.yaml",
  health: "healthy",
  health_reason: "",
  pods_ready: 3,
  pods_desired: 3,
  current: null,
  latest_deploy: null,
  pin: null,
  ...own,
});

export const mkFullWorkload = (own: Partial<Workload> = {}): Workload => ({
  ...mkWorkload(),
  default_branch: "main",
  created_at: "2026-01-01T09:00:00Z",
  created_by: "ada",
  url: null,
  mirror: { fetched_at: null, error: null, webhook: "installed", webhook_reason: null },
  auto_deploy: null,
  version: 1,
  ...own,
});

export const mkBuild = (own: Partial<BuildSummary> = {}): BuildSummary => ({
  id: 1,
  workload: "hello",
  commit: mkSha("95f6178"),
  title: "Answer /healthz",
  state: "running",
  attempt: 1,
  requested_by: "push",
  created_at: "2026-01-01T10:00:00Z",
  started_at: null,
  finished_at: null,
  error: null,
  hint: null,
  ...own,
});

export const mkCommit = (digits: string, own: Partial<Commit> = {}): Commit => ({
  id: mkSha(digits),
  title: `Commit ${digits}`,
  body: "",
  author: "Euccas Chen",
  author_email: "euccas@example.org",
  committed_at: "2026-01-01T10:00:00Z",
  branch: "main",
  artifact_status: "available",
  build: null,
  artifact: null,
  deployed: false,
  ...own,
});

export const mkPod = (own: Partial<PodStatus> = {}): PodStatus => ({
  name: "hello-1",
  started_at: null,
  status: "Running",
  message: null,
  ready: true,
  updated: true,
  restarts: 0,
  node: null,
  containers: [],
  ...own,
});

export const mkScaleChange = (own: Partial<ScaleChange> = {}): ScaleChange => ({
  id: 1,
  workload: "hello",
  kind: "replicas",
  state: "active",
  by: "ada",
  at: "2026-01-01T10:00:00Z",
  reason: "the launch",
  fixed: false,
  replicas: null,
  replicas_before: null,
  ...own,
});

export const mkScale = (own: Partial<ScaleStatus> = {}): ScaleStatus => ({
  owner: "file",
  message: "The config file says 3",
  replicas: 3,
  ready: 3,
  bounds: { min: 0, max: 10_000 },
  scalable: true,
  ...own,
});

export const mkPreview = (own: Partial<Preview> = {}): Preview => ({
  instance: "hello-pr-12",
  pull_request: 12,
  state: "active",
  commit: mkSha("416a621"),
  url: "https://hello-pr-12.preview.example/",
  shared: false,
  replicas: 1,
  pods_ready: 1,
  created_at: "2026-01-01T10:00:00Z",
  created_by: "ada",
  last_used_at: "2026-01-01T10:00:00Z",
  sleeps_at: "2026-01-01T10:30:00Z",
  expires_at: "2026-01-08T10:00:00Z",
  last_wake_ms: null,
  removed_why: null,
  deploy: null,
  ...own,
});

export const mkPull = (own: Partial<PullRequest> = {}): PullRequest => ({
  number: 12,
  title: "Show a banner",
  author: "grace",
  state: "open",
  head: mkSha("416a621"),
  head_branch: "feature/banner",
  base_branch: "main",
  from_fork: false,
  html_url: "https://git.example/team/hello/pulls/12",
  allowed: true,
  allowed_by: null,
  preview: null,
  ...own,
});

/** A timeline of states, a second apart. */
export const mkTimeline = (...states: DeployEvent["state"][]): DeployEvent[] =>
  states.map((state, index) => ({
    seq: index + 1,
    at: `2026-01-01T10:00:0${index}Z`,
    state,
    message: state,
  }));
