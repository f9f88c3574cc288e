//! What users write in a PinterestTrainingJob, and what the controller answers in its status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Volume;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::run::RunState;
use crate::template::{Template, sidecar_config_schema};

/// A gang of workers that trains a model.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestTrainingJob",
    plural = "pinteresttrainingjobs",
    singular = "pinteresttrainingjob",
    shortname = "ptj",
    category = "hermez",
    namespaced,
    status = "PinterestTrainingJobStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A gang of workers that trains a model.",
    printcolumn(
        name = "Framework",
        type_ = "string",
        json_path = ".spec.framework",
        description = "Whose rendezvous variables the members get"
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Waiting, Starting, Running, Restarting, Suspended, Completed or Failed"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyPods",
        description = "Members that are ready or done"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.desiredPods",
        description = "Members of the gang"
    ),
    printcolumn(
        name = "Restarts",
        type_ = "integer",
        json_path = ".status.restarts",
        description = "Attempts that failed and were followed by another"
    ),
    printcolumn(
        name = "Started",
        type_ = "date",
        json_path = ".status.startTime",
        description = "Time since the run began"
    ),
    printcolumn(
        name = "Ended",
        type_ = "date",
        json_path = ".status.completionTime",
        description = "Time since the run was over"
    ),
    printcolumn(
        name = "Waiting for",
        type_ = "string",
        json_path = ".status.waiting",
        priority = 1,
        description = "What the gang waits for"
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
    validation = Rule::new("size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 63 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: it becomes a label and the name of a Service"
    )
)]
#[x_kube(
    validation = Rule::new("self.members.all(m, self.members.exists_one(n, n.role == m.role))").message(
        "two members have the same role: write each role once, with replicas"
    ),
    validation = Rule::new("self.members.exists(m, m.role == 'worker')").message(
        "members has no workers: write one with role: worker"
    ),
    validation = Rule::new("self.framework == 'tensorflow' || self.members.all(m, m.role in ['master', 'worker'])").message(
        "the roles chief, ps and evaluator are TensorFlow's: write role: master or role: worker, or framework: tensorflow"
    ),
    validation = Rule::new("self.framework != 'tensorflow' || self.members.all(m, m.role != 'master')").message(
        "TensorFlow's first member is its chief: write role: chief in place of role: master"
    ),
    validation = Rule::new("self.members.all(m, m.role in ['worker', 'ps'] || m.replicas == 1)").message(
        "a gang has one master, chief and evaluator: leave replicas out there"
    ),
    validation = Rule::new("self.processespernode == 1 || self.framework == 'pytorch'").message(
        "processespernode is for torchrun: leave it out, or write framework: pytorch"
    )
)]
pub struct PinterestTrainingJobSpec {
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

    /// Whose rendezvous variables the members get: pytorch, tensorflow, or none (when left out).
    #[serde(default)]
    pub framework: Framework,

    /// The gang, by role: workers, and where the framework has them a master (PyTorch), a chief,
    /// parameter servers and an evaluator (TensorFlow).
    #[schemars(length(min = 1, max = 5))]
    pub members: Vec<Members>,

    /// Port of the rendezvous, 1 to 65535 (29500 for PyTorch and 2222 for TensorFlow when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// Processes that torchrun starts in each member, 1 to 1024 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1024))]
    pub processespernode: i32,

    /// Volume that members write checkpoints to and resume from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,

    /// How often the whole gang is started again after it lost a member, 0 to 1000 (3 when left out).
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 1000))]
    pub maxrestarts: i32,

    /// Seconds within which all pods of the gang must be made and get a node, 1 to 86400 (300 when
    /// left out). Otherwise all are given up and tried again later.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 86400))]
    pub gangtimeoutseconds: i64,

    /// Stops all members; when it is false again, the gang starts again from its checkpoint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// Seconds after which the training has failed, over all attempts, 1 to 31536000 (no limit when
    /// left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub activedeadlineseconds: Option<i64>,

    /// Seconds after its end for which pods and their logs are kept, 0 to 31536000 (as long as the
    /// training job when left out). The training job itself stays, with its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttlsecondsafterfinished: Option<i64>,

    /// Seconds that a pod gets to end by itself (30 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub terminationgraceperiodseconds: Option<i64>,
}

fn one() -> i32 {
    1
}

fn three() -> i32 {
    3
}

fn five_minutes() -> i64 {
    300
}

/// Whose rendezvous variables the members get.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    /// Only Hermez' own variables.
    #[default]
    None,
    /// MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE and torchrun's.
    Pytorch,
    /// TF_CONFIG.
    Tensorflow,
}

/// What a member does in its gang.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Rank 0 of a PyTorch gang whose template is not the workers'.
    Master,
    /// The first of a TensorFlow gang; it saves the model.
    Chief,
    /// Trains.
    #[default]
    Worker,
    /// A parameter server.
    Ps,
    /// Measures the model; is not part of TensorFlow's cluster.
    Evaluator,
}

impl Role {
    /// As `role:` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Chief => "chief",
            Role::Worker => "worker",
            Role::Ps => "ps",
            Role::Evaluator => "evaluator",
        }
    }
}

/// Members of one role, all alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Members {
    /// What they do: worker, master (PyTorch), chief, ps or evaluator (TensorFlow).
    pub role: Role,
    /// How many, 1 to 1000 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,
    /// The pods.
    pub template: Template,
}

/// Where checkpoints are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.claim) != has(self.volume)").message(
        "a checkpoint is kept in one place: write either claim (the name of a PersistentVolumeClaim) or volume"
    ),
    validation = Rule::new("self.mountpath.startsWith('/') && self.mountpath != '/'").message(
        "checkpoint.mountpath must be an absolute path: write for example /checkpoint"
    )
)]
pub struct Checkpoint {
    /// Name of a PersistentVolumeClaim; members on several nodes need one that can be written from
    /// many (ReadWriteMany).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub claim: Option<String>,
    /// A volume, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Where every container of the members finds it.
    #[schemars(length(min = 2, max = 1024))]
    pub mountpath: String,
}

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestTrainingJobStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The run and its attempt.
    #[serde(flatten)]
    pub run: RunState,
    /// Members of the gang.
    pub desired_pods: i32,
    /// Members that are ready or done.
    pub ready_pods: i32,
    /// The members by role, in the order of their ranks.
    pub members: Vec<MembersStatus>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Available, Completed, Failed, Suspended, Reconciling and Stalled, after Kubernetes'
    /// conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How the members of a role do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MembersStatus {
    /// The role.
    pub role: String,
    /// How many there should be.
    pub replicas: i32,
    /// Pods that are there and not at their end.
    pub active: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that have succeeded.
    pub succeeded: i32,
    /// Pods that have failed.
    pub failed: i32,
}
