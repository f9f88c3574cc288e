//! Health gates: what must be true of a new version before its deploy has succeeded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What must be true of a new version, after all its pods are ready, before its deploy succeeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthGates {
    /// Seconds that all pods must stay ready without a break (0 to 3,600).
    #[serde(default)]
    pub ready_seconds: u32,
    /// Most restarts of containers of the new version's pods since the deploy began; any number
    /// when absent.
    #[serde(default)]
    pub max_restarts: Option<u32>,
    /// Metrics that must be right (at most 10).
    #[serde(default)]
    pub checks: Vec<MetricCheck>,
    /// Whether a deploy that fails after it changed the cluster is rolled back by itself.
    #[serde(default)]
    pub auto_rollback: bool,
}

/// How a value is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Comparison {
    /// Less than.
    #[serde(rename = "<")]
    Less,
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// More than.
    #[serde(rename = ">")]
    More,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
}

/// A metric that must be right while a new version is verified: `value COMPARISON limit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricCheck {
    /// A name for people, unique among the workload's checks (1 to 60 characters).
    pub name: String,
    /// A Prometheus query with one value for its answer (1 to 2,000 characters). In it, `$pods`
    /// stands for a regular expression of the names of the version's pods that is asked about:
    /// `{pod=~"$pods"}`. While a canary is tried these are the canary's. `$namespace` stands for
    /// their namespace.
    pub query: String,
    /// How the value is compared with the limit.
    pub comparison: Comparison,
    /// The limit as it is; either this or `relative_to_old_percent`.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// The limit in percent of what the query gave before the rollout; while a canary is tried and
    /// the query has `$pods`, of what it gives at the same moment for the old version's pods. Where
    /// the old version has no value, the check is left out, and the deploy's message says so.
    #[serde(default)]
    pub relative_to_old_percent: Option<f64>,
    /// Seconds for which it must be right after all pods are ready (0 to 3,600).
    #[serde(default)]
    pub for_seconds: u32,
}

/// The gates of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadGates {
    /// What is set; what holds without being set when nothing is.
    #[serde(flatten)]
    pub gates: HealthGates,
    /// Whether nothing is set for the workload.
    pub is_default: bool,
    /// Whether this server can ask a Prometheus.
    pub has_prometheus: bool,
    /// Who set them last.
    pub changed_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}
