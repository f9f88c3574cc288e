//! What users write in a PinterestCronJob, and what the controller answers in its status.
//!
//! The doc comments are what `kubectl explain` prints, and the messages of the rules are what
//! people read when the API server refuses their file: each says what to write.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::template::{Template, sidecar_config_schema};

/// Work that runs by a schedule.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestCronJob",
    plural = "pinterestcronjobs",
    singular = "pinterestcronjob",
    shortname = "pcj",
    category = "hermez",
    namespaced,
    status = "PinterestCronJobStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Work that runs by a schedule.",
    printcolumn(
        name = "Schedule",
        type_ = "string",
        json_path = ".spec.schedule",
        description = "When it runs"
    ),
    printcolumn(
        name = "Timezone",
        type_ = "string",
        json_path = ".spec.timezone",
        description = "Time zone of the schedule"
    ),
    printcolumn(
        name = "Suspend",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether it is kept from running"
    ),
    printcolumn(
        name = "Active",
        type_ = "integer",
        json_path = ".status.activeRuns",
        description = "Runs that go on"
    ),
    printcolumn(
        name = "Last",
        type_ = "date",
        json_path = ".status.lastScheduleTime",
        description = "Time since it last ran by its schedule"
    ),
    printcolumn(
        name = "Next",
        type_ = "string",
        json_path = ".status.nextScheduleTimes[0]",
        description = "When it runs next"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    ),
    validation = Rule::new("size(self.metadata.name) <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 52 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: the names of its runs begin with it"
    )
)]
#[x_kube(
    validation = Rule::new("self.completionmode != 'Indexed' || has(self.completions)").message(
        "completionmode Indexed needs a number of pods: write completions"
    ),
    validation = Rule::new("!has(self.parallelism) || !has(self.completions) || self.parallelism <= self.completions").message(
        "parallelism is more than completions: lower it to completions or less"
    )
)]
pub struct PinterestCronJobSpec {
    /// When it runs: minute, hour, day of the month, month, day of the week, as in "30 4 * * 1-5";
    /// or @hourly, @daily, @weekly, @monthly, @yearly.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(
        validation = Rule::new(r"self.matches('^\\s*(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*?,/-]+(\\s+[0-9A-Za-z*?,/-]+){4})\\s*$')").message(
            "schedule needs five fields (minute, hour, day of the month, month, day of the week) or one of @hourly, @daily, @weekly, @monthly, @yearly: write for example \"30 4 * * 1-5\""
        )
    )]
    pub schedule: String,

    /// Time zone of the schedule, by its IANA name, for example America/Los_Angeles (Etc/UTC when
    /// left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub timezone: Option<String>,

    /// Keeps it from running by its schedule; what runs goes on (false when left out). Whoever sets
    /// it by hand owns it, and deploys leave it alone.
    #[serde(default)]
    pub suspend: bool,

    /// What to do when it is time and a run still goes on: Allow both, Forbid the new one, or
    /// Replace the old one (Allow when left out).
    #[serde(default)]
    pub concurrencypolicy: ConcurrencyPolicy,

    /// Seconds that a run may start late, 10 or more; later it is left out (no limit when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 31_536_000))]
    pub startingdeadlineseconds: Option<i64>,

    /// Runs that succeeded to keep in the cluster (3 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub successfuljobshistorylimit: Option<i32>,

    /// Runs that failed to keep in the cluster (1 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failedjobshistorylimit: Option<i32>,

    /// Times that a run is tried again before it has failed (6 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub backofflimit: Option<i32>,

    /// Seconds that a run may take, tries included; then it has failed (no limit when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub activedeadlineseconds: Option<i64>,

    /// Seconds after its end that a run is deleted from the cluster (the history limits decide when
    /// left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttlsecondsafterfinished: Option<i32>,

    /// What a try is: Never makes a new pod, OnFailure starts the container again (Never when left
    /// out).
    #[serde(default)]
    pub restartpolicy: RestartPolicy,

    /// Pods that must succeed for the run to succeed (1 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub completions: Option<i32>,

    /// Pods that run at the same time (1 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub parallelism: Option<i32>,

    /// Indexed gives each pod its number in JOB_COMPLETION_INDEX; NonIndexed makes them all alike
    /// (NonIndexed when left out).
    #[serde(default)]
    pub completionmode: CompletionMode,

    /// Seconds that a pod gets to end by itself (30 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub terminationgraceperiodseconds: Option<i64>,

    /// Role that the pods take, for example role1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub iamrole: Option<String>,

    /// Configuration of sidecars, by the sidecar's name; the runtime profile says which there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "sidecar_config_schema")]
    pub sidecarconfig: BTreeMap<String, serde_json::Value>,

    /// Environment variables for every container, kept in the ConfigMap NAME-configs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 1000))]
    pub configs: BTreeMap<String, String>,

    /// The pods.
    pub template: Template,
}

/// What to do when it is time and a run still goes on.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum ConcurrencyPolicy {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the field says what they mean.
    Allow,
    #[allow(missing_docs)]
    Forbid,
    #[allow(missing_docs)]
    Replace,
}

/// What a try is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum RestartPolicy {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the field says what they mean.
    Never,
    #[allow(missing_docs)]
    OnFailure,
}

/// Whether the pods of a run are numbered.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum CompletionMode {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the field says what they mean.
    NonIndexed,
    #[allow(missing_docs)]
    Indexed,
}

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestCronJobStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it is kept from running by its schedule.
    pub suspended: bool,
    /// When it last ran by its schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// When a run last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Time>,
    /// When it runs next, at most three times; none while it is suspended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next_schedule_times: Vec<Time>,
    /// Runs that go on.
    pub active_runs: i32,
    /// Pods of the runs that go on.
    pub desired_pods: i32,
    /// Those of them that are ready.
    pub ready_pods: i32,
    /// The newest runs, by schedule and by hand, newest first; at most 30.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunStatus>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Reconciling, Stalled and Available, after Kubernetes' conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One run: what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStatus {
    /// Name of its Job.
    pub name: String,
    /// What started it: Schedule or Manual.
    pub trigger: String,
    /// Who started it, when a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Commit that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Running, Succeeded, Failed, or Deleted when its Job went away before its end.
    pub outcome: String,
    /// Why, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Pods that succeeded.
    pub succeeded_pods: i32,
    /// Pods that failed.
    pub failed_pods: i32,
}
