//! Pull requests, and their previews: instances of a workload of their own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BadArtifact, DeploySummary};

/// How a preview is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviewState {
    /// It runs, or its deploy is under way.
    Active,
    /// It has no pods; the next visit wakes it.
    Sleeping,
    /// Its pods start.
    Waking,
    /// It is being taken out of the cluster.
    Removing,
    /// It is gone.
    Removed,
}

/// How a pull request is in the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestState {
    /// It can be merged, or closed.
    Open,
    /// It was closed without being merged.
    Closed,
    /// It was merged.
    Merged,
}

/// How a workload's pull requests are previewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewSettings {
    /// Whether every pull request is deployed by itself.
    pub auto: bool,
    /// Pods of a new preview (1 to 10).
    pub replicas: i32,
    /// Minutes without a request after which one sleeps (1 to 10,080).
    pub idle_minutes: i32,
    /// Days without a request after which one is removed (1 to 90).
    pub expiry_days: i32,
}

impl Default for PreviewSettings {
    fn default() -> Self {
        Self {
            auto: false,
            replicas: 1,
            idle_minutes: 30,
            expiry_days: 7,
        }
    }
}

/// Changes how a workload's pull requests are previewed; absent fields stay.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdatePreviewSettings {
    /// Whether every pull request is deployed by itself.
    #[serde(default)]
    pub auto: Option<bool>,
    /// Pods of a new preview (1 to 10).
    #[serde(default)]
    pub replicas: Option<i32>,
    /// Minutes without a request after which one sleeps (1 to 10,080).
    #[serde(default)]
    pub idle_minutes: Option<i32>,
    /// Days without a request after which one is removed (1 to 90).
    #[serde(default)]
    pub expiry_days: Option<i32>,
}

/// A pull request with what Hermez made of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PullRequest {
    /// Its number.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Who opened it.
    pub author: String,
    /// How it is.
    pub state: PullRequestState,
    /// Its newest commit (40 hexadecimal digits).
    pub head: String,
    /// The branch that it comes from.
    pub head_branch: String,
    /// The branch that it goes to.
    pub base_branch: String,
    /// Whether its commits may be anybody's: it comes from another repository, or from no branch at
    /// all.
    pub from_fork: bool,
    /// Its page in the forge.
    pub html_url: String,
    /// Whether its newest commit may be deployed: it comes from the repository itself, or somebody
    /// allowed it.
    pub allowed: bool,
    /// Who allowed its newest commit, where it comes from another repository.
    pub allowed_by: Option<String>,
    /// Its preview, if it has one.
    pub preview: Option<Preview>,
}

/// A pull request's own instance of a workload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Name of its Kubernetes object, and first label of its host.
    pub instance: String,
    /// Number of the pull request.
    pub pull_request: i64,
    /// How it is.
    pub state: PreviewState,
    /// The commit that was asked for last (40 hexadecimal digits).
    pub commit: String,
    /// Where it answers; absent where this server has no preview gateway, or it has no port.
    pub url: Option<String>,
    /// Whether it can be opened by a shared link.
    pub shared: bool,
    /// Pods, while it is awake.
    pub replicas: i32,
    /// Pods that are ready.
    pub pods_ready: i32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was last used.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it sleeps, if nobody uses it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sleeps_at: Option<Timestamp>,
    /// When it is removed, if nobody uses it.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// How long it took to wake last, in milliseconds.
    pub last_wake_ms: Option<i64>,
    /// Why it is being removed.
    pub removed_why: Option<String>,
    /// Its newest deploy.
    pub deploy: Option<DeploySummary>,
    /// Why the artifact of its commit is not to be deployed again, if somebody rolled back from it.
    #[serde(default)]
    pub bad: Option<BadArtifact>,
}

/// Asks for a deploy of a pull request's newest commit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePullRequestDeploy {
    /// Why (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
    /// Pods (1 to 10); what the workload's settings say when absent.
    #[serde(default)]
    pub replicas: Option<i32>,
    /// Why an artifact that is marked as bad is deployed all the same (1 to 1,000 characters).
    #[serde(default)]
    pub override_bad: Option<String>,
}

/// Allows a commit of a pull request from a fork to be deployed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowPullRequest {
    /// The commit that was read (40 hexadecimal digits); refused once it is not the newest any more.
    pub commit: String,
}

/// A link by which anybody who has it may open a preview.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SharedPreview {
    /// The link; shown this once. A new one takes its place.
    pub url: String,
}
