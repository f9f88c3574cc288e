//! Deploys and their timelines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ArtifactImage;

/// How far a deploy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployState {
    /// Asked for.
    Pending,
    /// Waits for its commit's build.
    Building,
    /// Waits for its turn.
    Queued,
    /// Writes to the cluster.
    Applying,
    /// Pods change.
    RollingOut,
    /// Finished, and runs.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// A newer one took its place before it began.
    Superseded,
}

/// What a deploy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployKind {
    /// Brings a commit out.
    Regular,
}

/// Asks for a deploy of a commit, building it first where needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDeploy {
    /// Commit id (4 to 40 hexadecimal digits), branch or tag.
    pub commit: String,
    /// Why, in the asker's words (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
}

/// A deploy as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploySummary {
    /// Number of the deploy.
    pub id: i64,
    /// Workload.
    pub workload: String,
    /// What it does.
    pub kind: DeployKind,
    /// How far it is.
    pub state: DeployState,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author.
    pub author: String,
    /// Who asked.
    pub requested_by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it began to change the cluster.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What happens now, or why it failed, in one sentence.
    pub message: String,
    /// Pods of the new version that are ready.
    pub pods_ready: i32,
    /// Pods wanted.
    pub pods_desired: i32,
}

/// A deploy in full.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Deploy {
    /// What lists show.
    #[serde(flatten)]
    pub summary: DeploySummary,
    /// Its build, when it needed one.
    pub build_id: Option<i64>,
    /// Images it brings out, by digest.
    pub images: Vec<ArtifactImage>,
    /// Everything that happened, oldest first.
    pub timeline: Vec<DeployEvent>,
    /// Why it failed: a stable word such as `image_pull`, `crash_loop`, `unschedulable`, `probe`,
    /// `quota`, `admission`, `build`, `deadline`.
    pub failure_cause: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One entry of a deploy's timeline. In the stream, `seq` is the event's id.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeployEvent {
    /// Rising number within the deploy, from 1.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// State after it.
    pub state: DeployState,
    /// What happened, in one sentence.
    pub message: String,
}
