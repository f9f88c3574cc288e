//! How well delivery goes: DORA's four figures.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// DORA's four figures for a workload or a project over a span of time. A figure is null where it
/// would be made of too few cases; how many there are stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPerformance {
    /// Deploys that were asked for at this time or later are looked at.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Fewest cases that a figure is made of.
    pub enough: i64,
    /// Whether all deploys of the span were looked at; where there are more than 10,000, `since` is
    /// when the oldest that was looked at was asked for.
    pub complete: bool,
    /// How often changes reach production.
    pub deployment_frequency: DeploymentFrequency,
    /// How long a change takes from its commit until it runs.
    pub lead_time: LeadTime,
    /// How many of the deploys that changed the cluster went wrong.
    pub change_failure_rate: ChangeFailureRate,
    /// How long it takes until a good version runs after one went wrong.
    pub time_to_restore: TimeToRestore,
    /// Week by week (from Monday, in UTC), oldest first; the first and the last may be cut short.
    pub weeks: Vec<DeliveryWeek>,
}

/// How often changes reach production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentFrequency {
    /// Regular deploys and hotfixes that succeeded.
    pub deploys: i64,
    /// The same for a week; null in the first week of a workload or project.
    pub per_week: Option<f64>,
}

/// How long a change takes from its commit until it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeadTime {
    /// Commits that were brought out for the first time, and whose time is known.
    pub changes: i64,
    /// Those whose commit's time is not known: they were built by an earlier Hermez.
    pub unknown: i64,
    /// From the commit to the end of its deploy, in milliseconds: half of them took longer.
    pub median_ms: Option<i64>,
    /// In milliseconds: one of ten took longer.
    pub p90_ms: Option<i64>,
}

/// How many of the deploys that changed the cluster went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeFailureRate {
    /// Regular deploys and hotfixes that changed the cluster and have ended.
    pub deploys: i64,
    /// Those of them that failed, or were rolled back or hotfixed afterwards.
    pub failed: i64,
    /// Their share (0 to 1).
    pub rate: Option<f64>,
}

/// How long it takes until a good version runs after one went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimeToRestore {
    /// Times that something went wrong and a good version ran again; several bad deploys after each
    /// other are one.
    pub incidents: i64,
    /// Workloads in which no good version runs yet.
    pub open: i64,
    /// From when the bad version was written to the cluster to the end of the next good deploy, in
    /// milliseconds: half of them took longer.
    pub median_ms: Option<i64>,
}

/// The deploys that were asked for in one week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryWeek {
    /// Its Monday, at midnight in UTC.
    #[schema(value_type = String, format = DateTime)]
    pub begins: Timestamp,
    /// Regular deploys and hotfixes that succeeded.
    pub deploys: i64,
    /// Regular deploys and hotfixes that failed, or were rolled back or hotfixed afterwards.
    pub failed: i64,
    /// Rollbacks that succeeded.
    pub rollbacks: i64,
}
