//! What users write in a PinterestStreamingJob.
//!
//! Field names are lower case, as in the talk; inside a container and inside `resources` they are
//! Kubernetes' own. Inside `flink.configuration` they are Flink's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::status::PinterestStreamingJobStatus;
use crate::template::{Template, sidecar_config_schema};

/// A streaming application: it runs all the time, keeps state, and survives its upgrades.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestStreamingJob",
    plural = "pintereststreamingjobs",
    singular = "pintereststreamingjob",
    shortname = "psj",
    category = "hermez",
    namespaced,
    status = "PinterestStreamingJobStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A streaming application: it runs all the time, keeps state, and survives its upgrades.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Job",
        type_ = "string",
        json_path = ".status.job.state",
        description = "State of the job, in Flink's words"
    ),
    printcolumn(
        name = "Stage",
        type_ = "string",
        json_path = ".status.stage",
        description = "What the controller is at"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyPods",
        description = "Pods that are ready"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.desiredPods",
        description = "Pods wanted"
    ),
    printcolumn(
        name = "Lag",
        type_ = "string",
        json_path = ".status.job.lag",
        description = "How far the job is behind its sources"
    ),
    printcolumn(
        name = "Checkpoint",
        type_ = "date",
        json_path = ".status.lastCheckpoint.time",
        description = "Time since the last checkpoint"
    ),
    printcolumn(
        name = "Commit",
        type_ = "string",
        json_path = ".metadata.annotations.hermez\\.dev/commit",
        description = "Commit that was deployed"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    ),
    validation = Rule::new("size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 50 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: NAME-jobmanager becomes the name of a Service"
    )
)]
#[x_kube(
    validation = Rule::new("self.engine != 'flink' || has(self.flink)").message(
        "engine flink needs to know its job: write flink.job.class and flink.state.dir, or engine container for a program that is not Flink's"
    ),
    validation = Rule::new("self.engine == 'flink' || !has(self.flink)").message(
        "flink is only for engine flink: leave flink out, or write engine flink"
    ),
    validation = Rule::new("self.engine != 'flink' || !has(self.template.spec.containers[0].command) && !has(self.template.spec.containers[0].args)").message(
        "the first container runs Flink's own scripts: leave its command and args out and write flink.job.args"
    ),
    validation = Rule::new("self.engine != 'flink' || self.replicas >= 1").message(
        "a Flink job needs at least one task manager: write replicas 1 or more, or suspend true to stop it with a savepoint"
    )
)]
pub struct PinterestStreamingJobSpec {
    /// What runs it: flink (when left out), or container for any other program that runs all the
    /// time.
    #[serde(default)]
    pub engine: Engine,

    /// Number of pods, 0 to 10000; 1 when left out. Of engine flink these are the task managers,
    /// at least 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: i32,

    /// Stops the application: a Flink job with a savepoint, from which it starts again when this is
    /// false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// The Flink job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flink: Option<Flink>,

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

    /// The pods. Of engine flink the first container is Flink's, in the job manager and in the task
    /// managers alike; its image has the job in it.
    pub template: Template,

    /// Seconds without progress after which a rollout of engine container has failed (600 when
    /// left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progressdeadlineseconds: Option<i32>,

    /// Seconds that a pod gets to end by itself (30 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub terminationgraceperiodseconds: Option<i64>,
}

fn one() -> i32 {
    1
}

/// What runs a streaming application.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Apache Flink: a job manager and task managers.
    #[default]
    Flink,
    /// The template's containers as they are.
    Container,
}

/// A Flink job and the cluster that is its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.parallelism) || self.parallelism >= 1").message(
        "flink.parallelism must be at least 1: write a number, or leave it out for a subtask in every slot"
    ),
    validation = Rule::new("self.highavailability || self.jobmanager.replicas == 1").message(
        "several job managers need high availability: write highavailability true, or jobmanager.replicas 1"
    )
)]
pub struct Flink {
    /// The job.
    pub job: FlinkJob,
    /// Subtasks of each operator, 1 to 32768; all slots (replicas times taskmanager.slots) when
    /// left out, so that a change of replicas is then an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 32768))]
    pub parallelism: Option<i32>,
    /// Where the job keeps its state.
    pub state: FlinkState,
    /// Seconds between checkpoints, 1 to 86400 (60 when left out).
    #[serde(default = "minute")]
    #[schemars(range(min = 1, max = 86400))]
    pub checkpointintervalseconds: i32,
    /// Flink's configuration, as in its config.yaml: key and value. Keys that Hermez writes itself
    /// are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 300))]
    pub configuration: BTreeMap<String, String>,
    /// Lets a job manager that is gone be replaced without a loss, by what it keeps in ConfigMaps
    /// (true when left out).
    #[serde(default = "yes")]
    pub highavailability: bool,
    /// The job manager.
    #[serde(default)]
    pub jobmanager: JobManager,
    /// The task managers; replicas of the spec says how many.
    #[serde(default)]
    pub taskmanager: TaskManager,
    /// How a new version takes over from the old one.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// A savepoint or retained checkpoint to start from. Given later, the job is started anew from
    /// it; a change back or to nothing takes no notice of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub initialsavepoint: Option<String>,
    /// Change it to start the job anew from its newest state, with no other change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub restartnonce: Option<String>,
    /// Folder of Flink in the image, as FLINK_HOME (/opt/flink when left out).
    #[serde(default = "flink_home")]
    #[schemars(length(min = 1, max = 255))]
    pub home: String,
}

fn yes() -> bool {
    true
}

fn minute() -> i32 {
    60
}

fn flink_home() -> String {
    "/opt/flink".to_owned()
}

/// What a Flink cluster runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FlinkJob {
    /// The job's main class.
    #[schemars(length(min = 1, max = 512))]
    pub class: String,
    /// File of the job in the image, for example /opt/flink/usrlib/app.jar; without it, Flink looks
    /// into lib and usrlib.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub jar: Option<String>,
    /// Arguments of the job's main method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub args: Vec<String>,
    /// Starts even when the savepoint holds state that the job no longer has a place for (false
    /// when left out).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allownonrestoredstate: bool,
}

/// Where a Flink job keeps its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.volume) || self.dir.startsWith('file:///')").message(
        "flink.state.volume is mounted at the path of flink.state.dir: write a dir that begins with file:///, or leave volume out"
    ),
    validation = Rule::new("self.dir.matches('^[a-z][a-z0-9+.-]*://?.+')").message(
        "flink.state.dir must be a URL that all pods reach: write file:///state with a volume, or for example s3://bucket/name"
    )
)]
pub struct FlinkState {
    /// URL of a folder that the job manager and all task managers share; checkpoints, savepoints
    /// and what high availability needs go into folders below it.
    #[schemars(length(min = 1, max = 1024))]
    pub dir: String,
    /// Volume of template.spec.volumes that is mounted at the path of dir.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub volume: Option<String>,
    /// URL of the folder of checkpoints (DIR/checkpoints when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub checkpointdir: Option<String>,
    /// URL of the folder of savepoints (DIR/savepoints when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub savepointdir: Option<String>,
}

/// The job manager of a Flink job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JobManager {
    /// Number of them, 1 to 5 (1 when left out); more than one stand by.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 5))]
    pub replicas: i32,
    /// Memory of the whole process, as Flink writes it (1600m when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub memory: Option<String>,
    /// Resources of its container instead of those of the template, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for JobManager {
    fn default() -> Self {
        JobManager {
            replicas: 1,
            memory: None,
            resources: None,
        }
    }
}

/// The task managers of a Flink job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TaskManager {
    /// Slots of each, 1 to 128 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 128))]
    pub slots: i32,
    /// Memory of the whole process, as Flink writes it (1728m when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub memory: Option<String>,
    /// Resources of their container instead of those of the template, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

impl Default for TaskManager {
    fn default() -> Self {
        TaskManager {
            slots: 1,
            memory: None,
            resources: None,
        }
    }
}

/// How a new version takes over from the old one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Upgrade {
    /// savepoint (when left out), laststate for the newest checkpoint, stateless for no state at
    /// all.
    #[serde(default)]
    pub mode: UpgradeMode,
    /// Seconds within which the new version must run with its state restored, 10 to 86400 (300
    /// when left out); after them the old one is started again from the same savepoint.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 10, max = 86400))]
    pub timeoutseconds: i32,
}

fn five_minutes() -> i32 {
    300
}

impl Default for Upgrade {
    fn default() -> Self {
        Upgrade {
            mode: UpgradeMode::default(),
            timeoutseconds: five_minutes(),
        }
    }
}

/// Where a new version takes its state from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum UpgradeMode {
    /// From a savepoint that is taken while the old version is stopped.
    #[default]
    Savepoint,
    /// From the newest checkpoint of the old version.
    LastState,
    /// From nothing.
    Stateless,
}
