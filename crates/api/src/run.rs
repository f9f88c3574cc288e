//! Cron jobs: their schedule and their runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When a cron job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleStatus {
    /// As the config file writes it, for example `30 4 * * 1-5`.
    pub schedule: String,
    /// IANA time zone of the schedule.
    pub timezone: String,
    /// Whether it is kept from running by its schedule.
    pub suspended: bool,
    /// When it runs next, at most three times; none while it is suspended.
    #[schema(value_type = Vec<String>, format = DateTime)]
    pub next: Vec<Timestamp>,
    /// When it last ran by its schedule.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_scheduled_at: Option<Timestamp>,
    /// When a run last succeeded.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_succeeded_at: Option<Timestamp>,
    /// Runs that go on.
    pub active_runs: i32,
    /// The newest run, whatever started it.
    pub latest_run: Option<Run>,
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunTrigger {
    /// The schedule.
    Schedule,
    /// A person.
    Manual,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It goes on.
    Running,
    /// It did its work.
    Succeeded,
    /// It failed, after all of its tries.
    Failed,
    /// It was deleted before its end.
    Deleted,
}

/// One execution of a cron job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Name of its Kubernetes Job.
    pub name: String,
    /// What started it.
    pub trigger: RunTrigger,
    /// Who started it, when a person did by Hermez.
    pub by: Option<String>,
    /// Commit that it runs (40 hexadecimal digits).
    pub commit: Option<String>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What became of it.
    pub outcome: RunOutcome,
    /// Why, when it failed.
    pub message: Option<String>,
    /// Pods that succeeded.
    pub succeeded_pods: i32,
    /// Pods that failed.
    pub failed_pods: i32,
    /// Its pods that are still in the cluster, by name.
    pub pods: Vec<String>,
}

/// Asks for a run now, of what is deployed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRun {
    /// Arguments of the first container instead of its own (at most 100, of 4 KiB each); its own
    /// when absent.
    #[serde(default)]
    pub arguments: Option<Vec<String>>,
    /// Environment variables of the first container, beside or instead of its own (at most 100).
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}
