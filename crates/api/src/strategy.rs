//! Rollout strategies: how a new version of a workload reaches its pods.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a new version reaches a workload's pods. Rollbacks and restarts take no detours: they reach
/// all clusters at once, without a canary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutStrategy {
    /// Steps of a canary, a small second Deployment behind the same Service (at most 10); none when
    /// empty. For `PinterestService` alone, in the server's own cluster, before anything else.
    #[serde(default)]
    pub canary: Vec<CanaryStep>,
    /// Clusters in the order in which they are reached (at most 10 waves); the server's own alone
    /// when empty.
    #[serde(default)]
    pub waves: Vec<Wave>,
}

/// A step of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryStep {
    /// Pods of the canary, in percent of the workload's own (1 to 100), rounded up: with 100 there
    /// are as many of the new version as of the old one.
    pub percent: u32,
    /// Seconds for which the canary must do well (0 to 86,400).
    #[serde(default)]
    pub seconds: u32,
    /// Whether somebody must then promote it before the deploy goes on.
    #[serde(default)]
    pub wait: bool,
}

/// Clusters that are reached at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Names of clusters (1 to 20), as `hermez server --cluster` has them.
    pub clusters: Vec<String>,
    /// Seconds for which all pods of the wave must stay ready before the next wave (0 to 86,400).
    #[serde(default)]
    pub bake_seconds: u32,
}

/// The rollout strategy of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadStrategy {
    /// What is set; empty when nothing is.
    #[serde(flatten)]
    pub strategy: RolloutStrategy,
    /// Names of the clusters that this server knows, its own first.
    pub known_clusters: Vec<String>,
    /// Who set it last.
    pub changed_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}

/// Where a deploy is on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployPlan {
    /// Steps of its canary; empty without one.
    #[serde(default)]
    pub canary: Vec<CanaryStep>,
    /// The canary's step that goes on, or came last, from 0.
    #[serde(default)]
    pub step: usize,
    /// Pods that the canary was told to have; absent before it was written, and when it was left out.
    #[serde(default)]
    pub canary_pods: Option<i32>,
    /// Whether the canary has the pods of its step.
    #[serde(default)]
    pub step_written: bool,
    /// The waves; empty where the server's own cluster is the only one.
    #[serde(default)]
    pub waves: Vec<Wave>,
    /// The wave that goes on, or came last, from 0.
    #[serde(default)]
    pub wave: usize,
}

/// Promotes a canary.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteDeploy {
    /// Leaves all further steps out, instead of going on from the one that waits.
    #[serde(default)]
    pub all: bool,
    /// The step that is promoted, from 0, as `DeployPlan.step` was seen: asked for again, or by two
    /// people at once, no further step is promoted. The one that goes on when absent.
    #[serde(default)]
    pub step: Option<usize>,
}

/// What runs of a workload in one of its clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacementStatus {
    /// Name of the cluster.
    pub cluster: String,
    /// How the workload does there.
    pub health: crate::Health,
    /// Why, in one sentence.
    pub reason: String,
    /// Pods that are ready.
    pub pods_ready: i32,
    /// Pods wanted.
    pub pods_desired: i32,
    /// Commit that runs there.
    pub commit: Option<String>,
}
