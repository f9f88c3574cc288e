//! What the controller answers in the status of a PinterestStreamingJob.
//!
//! `memory` is the controller's own: what it must know to go on with an upgrade after it was
//! killed. It is written before the objects and requests that follow from it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestStreamingJobStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What the controller is at: Starting, Running, Stopping, Suspended, RollingBack; for engine
    /// container nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Task managers, or pods of engine container, that exist.
    pub replicas: i32,
    /// Pods wanted, job managers among them.
    pub desired_pods: i32,
    /// Pods that are ready.
    pub ready_pods: i32,
    /// Selects the task managers, or the pods of engine container; read by autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Revision of the newest pods, as in their label pinterest.com/revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The Flink job, as its REST API last told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStatus>,
    /// The newest completed checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint: Option<CheckpointStatus>,
    /// The newest savepoint that the controller took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_savepoint: Option<SavepointStatus>,
    /// What the running job was restored from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<RestoredStatus>,
    /// What the controller must know to go on; not for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "opaque_schema")]
    pub memory: Option<Memory>,
    /// Available, Reconciling and Stalled, after Kubernetes' conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What the controller is at.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Stage {
    /// A version was started and does not run yet.
    #[default]
    Starting,
    /// It runs.
    Running,
    /// It is being stopped, with its state kept.
    Stopping,
    /// It was stopped and waits to be resumed.
    Suspended,
    /// A new version failed and the one before it was started again.
    RollingBack,
}

/// A Flink job, as its REST API tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state, in Flink's words: RUNNING, RESTARTING, FAILED, FINISHED, …; UNREACHABLE when the
    /// job manager does not answer.
    pub state: String,
    /// When it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub start_time: Option<Timestamp>,
    /// Largest parallelism among its operators.
    pub parallelism: i32,
    /// How far it is behind its sources: records that wait, or milliseconds, whichever its sources
    /// report; "not reported" where they report neither.
    pub lag: String,
    /// Highest back pressure among its operators: ok, low, high, or "not reported".
    pub backpressure: String,
    /// How often it restarted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<i64>,
    /// Why it failed, where it did; the first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckpointStatus {
    /// Its number.
    pub id: i64,
    /// When it was triggered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub time: Option<Timestamp>,
    /// Milliseconds that it took.
    pub duration_ms: i64,
    /// Size of the state in it, in bytes.
    pub size_bytes: i64,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A savepoint that the controller took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SavepointStatus {
    /// Where it is.
    pub path: String,
    /// When the controller learnt of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub time: Option<Timestamp>,
    /// What it was taken for: upgrade, suspend or request.
    pub taken_for: String,
}

/// What a job was restored from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoredStatus {
    /// Number of the checkpoint.
    pub id: i64,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub time: Option<Timestamp>,
    /// Whether it was a savepoint.
    pub savepoint: bool,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What the controller must know to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// What it is at.
    pub stage: Stage,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What stands in the cluster.
    pub attempt: Attempt,
    /// The newest version that ran; where an upgrade that fails returns to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<Version>,
    /// Newest state of the stable version when it was stopped; where an upgrade that fails starts
    /// it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_back: Option<String>,
    /// Since when the attempt has been seen to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// How the job is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// A savepoint that somebody asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What was last asked for, so that it is not done twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// What failed, and why; it is not tried again until the spec changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

/// A version: a spec, by its hash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Version {
    /// Hash of what its pods are made of.
    pub revision: String,
    /// The spec that it was translated from.
    pub spec: Value,
}

/// A start of a version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempt {
    /// Counts from 1; part of the names that Flink uses, so that no start meets what another left.
    pub number: i64,
    /// What was started.
    pub version: Version,
    /// Id of its job.
    pub job_id: String,
    /// Savepoint or checkpoint that it was started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// How a job is being stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stop {
    /// Id of the request, ours, so that asking twice is asking once.
    pub trigger: String,
    /// Folder that the savepoint goes to; none when the job is canceled and goes on from its newest
    /// checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepointdir: Option<String>,
    /// What it is stopped for: upgrade or suspend.
    pub stopped_for: String,
    /// Savepoints that were tried before this one, and failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A savepoint that somebody asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// Id of the request.
    pub trigger: String,
    /// Folder that the savepoint goes to.
    pub savepointdir: String,
}

/// What failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failure {
    /// The revision that was the goal; `suspended` when that was to suspend it.
    pub goal: String,
    /// One word.
    pub reason: String,
    /// Why, in words.
    pub message: String,
}

fn time_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
}

/// The memory's shape is nobody else's matter.
fn opaque_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
