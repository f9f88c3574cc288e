//! Workloads, their repositories and commits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactSummary, BadArtifact, BuildSummary, DeploySummary, Health, Pin, PreviewSettings,
    UpdatePreviewSettings,
};

/// Whether production traffic depends on the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Category {
    /// Real users depend on it.
    Production,
    /// Anything else.
    #[serde(rename = "Non-Production")]
    NonProduction,
}

/// Asks for a workload: a repository and a config file are all that is needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWorkload {
    /// URL of the Git repository (http or https; credentials belong in `username` and `password`).
    pub repository: String,
    /// Path of the Kubernetes config file from the repository's root.
    pub config: String,
    /// Branch to read the config from; the repository's default branch when absent.
    #[serde(default)]
    pub branch: Option<String>,
    /// User name for the repository, where it asks for one.
    #[serde(default)]
    pub username: Option<String>,
    /// Password or access token for the repository; kept encrypted, never shown again.
    #[serde(default)]
    pub password: Option<String>,
    /// Defaults to `Production`.
    #[serde(default)]
    pub category: Option<Category>,
}

/// What Hermez read from the repository and the config file, to be confirmed before creating.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkloadPlan {
    /// Name, from `metadata.name`.
    pub name: String,
    /// One of the six kinds, from `kind`.
    pub workload_type: String,
    /// Project, from `metadata.project`, or `default`.
    pub project: String,
    /// Kubernetes namespace, from `metadata.namespace`, or `default`.
    pub namespace: String,
    /// Category that it will have.
    pub category: Category,
    /// The repository, without credentials.
    pub repository: String,
    /// The config file's path.
    pub config: String,
    /// Branch that was read.
    pub branch: String,
    /// Commit that was read (40 hexadecimal digits).
    pub commit: String,
    /// Images that Hermez will build.
    pub builds: Vec<PlannedImage>,
    /// Images that are used as they are.
    pub external_images: Vec<String>,
    /// Port that the workload's pods listen on, when it says.
    pub port: Option<u16>,
    /// Replicas asked for.
    pub replicas: Option<i32>,
    /// Worth knowing, and not in the way.
    pub warnings: Vec<String>,
}

/// An image that Hermez will build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedImage {
    /// Name, as the containers write it.
    pub name: String,
    /// Path of the Dockerfile from the repository's root.
    pub dockerfile: String,
    /// Path of the build context from the repository's root.
    pub context: String,
    /// Containers that will run it.
    pub containers: Vec<String>,
}

/// A workload as lists show it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkloadSummary {
    /// Unique name.
    pub name: String,
    /// One of the six kinds.
    pub workload_type: String,
    /// Production or not.
    pub category: Category,
    /// Project.
    pub project: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Repository, without credentials.
    pub repository: String,
    /// Path of the config file.
    pub config: String,
    /// How it does now, from the cluster.
    pub health: Health,
    /// Why, in a few words.
    pub health_reason: String,
    /// Ready pods.
    pub pods_ready: i32,
    /// Wanted pods.
    pub pods_desired: i32,
    /// What runs now (the last deploy that succeeded).
    pub current: Option<DeploySummary>,
    /// The newest deploy, whatever its state.
    pub latest_deploy: Option<DeploySummary>,
    /// Why what runs now is not to be deployed again, if somebody rolled back from it, here or
    /// elsewhere.
    #[serde(default)]
    pub bad: Option<BadArtifact>,
    /// Why automatic deploys wait, while they do.
    #[serde(default)]
    pub pin: Option<Pin>,
}

/// A workload in full.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Workload {
    /// What lists show.
    #[serde(flatten)]
    pub summary: WorkloadSummary,
    /// Default branch of the repository.
    pub default_branch: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// Where it answers, once the cluster gave it an address.
    pub url: Option<String>,
    /// State of the repository's mirror.
    pub mirror: MirrorStatus,
    /// Branch whose pushes are deployed by themselves.
    #[serde(default)]
    pub auto_deploy: Option<String>,
    /// How its pull requests are previewed.
    #[serde(default)]
    pub previews: PreviewSettings,
    /// Version of the record, also sent as `ETag`.
    pub version: i64,
}

/// State of a repository's mirror.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MirrorStatus {
    /// When it was last fetched with success.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub fetched_at: Option<Timestamp>,
    /// Why the last fetch failed, when it did.
    pub error: Option<String>,
    /// Whether the forge calls Hermez on each push.
    pub webhook: WebhookState,
    /// Why there is no webhook, when there is none.
    pub webhook_reason: Option<String>,
}

/// Whether a forge calls Hermez on each push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// Installed by Hermez.
    Installed,
    /// Not installed; pushes are found when somebody looks, or by `sync`.
    Missing,
}

/// Changes a workload's own settings; absent fields stay. Needs `If-Match`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorkload {
    /// New category.
    #[serde(default)]
    pub category: Option<Category>,
    /// Branch whose pushes are deployed by themselves; an empty text turns it off.
    #[serde(default)]
    pub auto_deploy: Option<String>,
    /// How its pull requests are previewed.
    #[serde(default)]
    pub previews: Option<UpdatePreviewSettings>,
}

/// A commit with what Hermez made of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub id: String,
    /// First line of the message (at most 200 characters).
    pub title: String,
    /// The rest of the message (at most 10,000 characters).
    pub body: String,
    /// Author's name.
    pub author: String,
    /// Author's e-mail address.
    pub author_email: String,
    /// When it was committed.
    #[schema(value_type = String, format = DateTime)]
    pub committed_at: Timestamp,
    /// Branch it was listed from.
    pub branch: String,
    /// How far its artifact is.
    pub artifact_status: ArtifactStatus,
    /// Its build for this workload, if there is one.
    pub build: Option<BuildSummary>,
    /// Its artifact for this workload, if there is one.
    pub artifact: Option<ArtifactSummary>,
    /// Whether this commit runs now.
    pub deployed: bool,
}

/// How far a commit's artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactStatus {
    /// Nobody asked for it yet.
    None,
    /// A build waits.
    Queued,
    /// A build runs.
    Building,
    /// It can be deployed.
    Available,
    /// The build failed.
    Failed,
    /// The build was canceled.
    Canceled,
}

/// A branch of a workload's repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Branch {
    /// Name, without `refs/heads/`.
    pub name: String,
    /// Its newest commit (40 hexadecimal digits).
    pub head: String,
    /// When that was committed.
    #[schema(value_type = String, format = DateTime)]
    pub committed_at: Timestamp,
}
