//! Runtime profiles: their versions, their rollout, and what another version would change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RolloutPhase {
    /// Every workload has the newest version.
    Complete,
    /// Workloads are being moved.
    Rolling,
    /// People paused it.
    Paused,
    /// A workload is not well after it was moved.
    Stopped,
}

/// How the rollout of the runtime profile does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProfileStatus {
    /// The newest version, as `NAME@VERSION`.
    pub target: String,
    /// Since when it is the newest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Where the rollout is.
    pub phase: RolloutPhase,
    /// Why it has stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the newest profile that was offered is not used; what was in use before still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Versions that are kept or in use.
    pub versions: Vec<ProfileVersion>,
    /// Workloads that were moved and are not yet known to be well.
    pub moving: Vec<String>,
    /// How many workloads wait to be moved.
    pub waiting: u64,
    /// The first of them, in the order in which they will be moved.
    pub next: Vec<String>,
    /// Workloads that run to an end: they keep their version until they are started again.
    pub left_alone: u64,
}

/// A version of a runtime profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileVersion {
    /// As `NAME@VERSION`.
    pub label: String,
    /// Workloads that run with it.
    pub workloads: u64,
}

/// Asks what a version would change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct AskProfileDiff {
    /// The profile, as YAML; the newest version that is in use when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// What a version would change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProfileDiff {
    /// The version, as `NAME@VERSION`.
    pub target: String,
    /// Why it would be refused as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Equal changes of workloads: those that cannot be made first, then the most common.
    pub groups: Vec<ProfileDiffGroup>,
    /// Workloads of which nothing would change.
    pub unchanged: u64,
}

/// Workloads of which the same would change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProfileDiffGroup {
    /// How many.
    pub workloads: u64,
    /// The first of them, as `Kind namespace/name`.
    pub examples: Vec<String>,
    /// What would change; names are told as `{{name}}` and `{{namespace}}`.
    pub changes: Vec<ProfileChange>,
    /// Why they cannot be translated through the version at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// One change of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileChange {
    /// The object, as `Kind/name`.
    pub object: String,
    /// Where in it; empty for the whole object.
    pub field: String,
    /// What it is, as JSON; absent when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it would be, as JSON; absent when it would not be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
