//! Builds, their logs, and artifacts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// Waits for a free place.
    Queued,
    /// Runs.
    Running,
    /// Its artifact is published.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// Somebody stopped it.
    Canceled,
}

/// Asks for a build of a commit; the commit's one build is returned if there is one already.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBuild {
    /// Commit id (4 to 40 hexadecimal digits), branch or tag.
    pub commit: String,
    /// Build again when the earlier try failed or was canceled.
    #[serde(default)]
    pub retry: bool,
}

/// A build as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BuildSummary {
    /// Number of the build.
    pub id: i64,
    /// Workload that it builds for.
    pub workload: String,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// How far it is.
    pub state: BuildState,
    /// Tries so far, from 1.
    pub attempt: i32,
    /// Who or what asked: a person's name, or `push`.
    pub requested_by: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When this try started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// Why it failed, or what a queued one waits for, in one sentence.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A build in full.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Build {
    /// What lists show.
    #[serde(flatten)]
    pub summary: BuildSummary,
    /// Its steps, in the order they began.
    pub steps: Vec<BuildStep>,
    /// What it published.
    pub artifact: Option<ArtifactSummary>,
}

/// One step of a build.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BuildStep {
    /// Number within the build, from 1.
    pub number: i32,
    /// What it does, for example `[2/4] RUN make`.
    pub name: String,
    /// `running`, `succeeded`, `cached`, `failed` or `canceled`.
    pub state: String,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
}

/// One line of a build's log. In the stream, `seq` is the event's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Rising number within the log, from 1.
    pub seq: i64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Step that wrote it; 0 for Hermez's own words.
    pub step: i32,
    /// The text, without its line end (at most 8 KiB; longer lines are cut).
    pub text: String,
}

/// What a build produced: immutable, pinned by digest.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ArtifactSummary {
    /// The manifest's OCI reference by digest, `registry/repository@sha256:…`.
    pub manifest: String,
    /// Images by digest.
    pub images: Vec<ArtifactImage>,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// An image of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactImage {
    /// As the config file writes it.
    pub name: String,
    /// `registry/repository@sha256:…`.
    pub reference: String,
    /// Whether Hermez built it (else it was only pinned).
    pub built: bool,
}
