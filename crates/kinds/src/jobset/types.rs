//! What users write in a PinterestJobSet, and what the controller answers in its status.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::run::RunState;
use crate::template::{Template, sidecar_config_schema};

/// Groups of jobs that start and fail together.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestJobSet",
    plural = "pinterestjobsets",
    singular = "pinterestjobset",
    shortname = "pjs",
    category = "hermez",
    namespaced,
    status = "PinterestJobSetStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Groups of jobs that start and fail together.",
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Waiting, Running, Restarting, Suspended, Completed or Failed"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyPods",
        description = "Pods of the groups that were started that are ready or done"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".status.desiredPods",
        description = "Pods of the groups that were started"
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
    validation = Rule::new("self.replicatedjobs.all(g, self.replicatedjobs.exists_one(h, h.name == g.name))").message(
        "two groups of replicatedjobs have the same name: give each its own name"
    ),
    validation = Rule::new("!has(self.successpolicy) || !has(self.successpolicy.groups) || self.successpolicy.groups.all(n, self.replicatedjobs.exists(g, g.name == n))").message(
        "successpolicy.groups names a group that replicatedjobs does not have: write names of groups, or leave groups out for all of them"
    )
)]
pub struct PinterestJobSetSpec {
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

    /// The groups of jobs, 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    pub replicatedjobs: Vec<ReplicatedJob>,

    /// What happens when a job fails: without it the set fails with its first failed job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failurepolicy: Option<FailurePolicy>,

    /// When the set has succeeded: without it when every job has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successpolicy: Option<SuccessPolicy>,

    /// Stops all pods; jobs keep what they have done and go on when it is false again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// Seconds after which the set has failed, over all attempts, 1 to 31536000 (no limit when left
    /// out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub activedeadlineseconds: Option<i64>,

    /// Seconds after its end for which jobs, pods and their logs are kept, 0 to 31536000 (as long
    /// as the set when left out). The set itself stays, with its status.
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

/// A group of jobs that are all alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "the name of a group must be of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: it becomes part of host names"
    ),
    validation = Rule::new("!has(self.completions) || self.completions >= self.parallelism").message(
        "completions must be at least parallelism: lower parallelism or raise completions"
    )
)]
pub struct ReplicatedJob {
    /// Name of the group, at most 40 characters of a-z, 0-9 and '-'.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,

    /// Number of jobs in the group, 1 to 1000 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: i32,

    /// Pods of a job that run at the same time, 1 to 10000 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10000))]
    pub parallelism: i32,

    /// Pods of a job that must succeed, each with its own index from 0, 1 to 10000 (as parallelism
    /// when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub completions: Option<i32>,

    /// Pods that may fail, and are tried again, before their job has failed, 0 to 1000 (6 when left
    /// out).
    #[serde(default = "six")]
    #[schemars(range(min = 0, max = 1000))]
    pub backofflimit: i32,

    /// Seconds after which a job of the group has failed, 1 to 31536000 (no limit when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub activedeadlineseconds: Option<i64>,

    /// Groups that this one waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub dependson: Vec<Dependency>,

    /// The pods.
    pub template: Template,
}

fn six() -> i32 {
    6
}

impl Default for ReplicatedJob {
    fn default() -> Self {
        ReplicatedJob {
            name: String::new(),
            replicas: 1,
            parallelism: 1,
            completions: None,
            backofflimit: 6,
            activedeadlineseconds: None,
            dependson: Vec::new(),
            template: Template::default(),
        }
    }
}

impl ReplicatedJob {
    /// Pods of a job that must succeed.
    pub fn completions(&self) -> i32 {
        self.completions.unwrap_or(self.parallelism)
    }

    /// Pods of a job that run at the same time.
    pub fn at_once(&self) -> i32 {
        self.parallelism.min(self.completions())
    }
}

/// A group that another waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Dependency {
    /// Name of the group that is waited for.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// What it must be: Ready (all its pods are ready or done) or Complete (all its jobs have
    /// succeeded).
    #[serde(default)]
    pub status: DependencyStatus,
}

/// What a group must be for another to start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum DependencyStatus {
    /// All its pods are ready or done.
    Ready,
    /// All its jobs have succeeded.
    #[default]
    Complete,
}

/// What happens when a job fails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FailurePolicy {
    /// How often all jobs are started again before the set fails, 0 to 1000 (0 when left out).
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub maxrestarts: i32,
    /// What a failed job leads to when no rule says: RestartAll (when left out) or Fail.
    #[serde(default)]
    pub action: FailureAction,
    /// Exceptions; the first that fits the job that failed first decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub rules: Vec<FailureRule>,
}

/// What a failed job leads to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum FailureAction {
    /// All jobs are deleted and made again, at most maxrestarts times.
    #[default]
    RestartAll,
    /// All jobs are deleted and made again, however often.
    RestartAllUncounted,
    /// The set fails.
    Fail,
}

/// An exception of the failure policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FailureRule {
    /// What the failed job leads to.
    pub action: FailureAction,
    /// Groups whose jobs are meant; all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 40)))]
    pub groups: Vec<String>,
    /// Reasons as the job's Failed condition names them (BackoffLimitExceeded, DeadlineExceeded, …);
    /// all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 128)))]
    pub reasons: Vec<String>,
}

/// When the set has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SuccessPolicy {
    /// Whether All of the groups must have succeeded (when left out), or Any one.
    #[serde(default)]
    pub operator: SuccessOperator,
    /// The groups that count; all when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 40)))]
    pub groups: Vec<String>,
}

/// How many of the groups must have succeeded.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum SuccessOperator {
    /// Every one.
    #[default]
    All,
    /// One is enough; the jobs of the others are ended then.
    Any,
}

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestJobSetStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The run and its attempt.
    #[serde(flatten)]
    pub run: RunState,
    /// Pods of the groups that were started.
    pub desired_pods: i32,
    /// Those of them that are ready or done.
    pub ready_pods: i32,
    /// The groups, in the order of the spec.
    pub groups: Vec<GroupStatus>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Available, Completed, Failed, Suspended, Reconciling and Stalled, after Kubernetes'
    /// conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How a group does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupStatus {
    /// Name of the group.
    pub name: String,
    /// Jobs that it is made of.
    pub jobs: i32,
    /// Jobs that have succeeded.
    pub completed: i32,
    /// Pods that are there and not at their end.
    pub active: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that have succeeded.
    pub succeeded: i32,
    /// Pods that have failed.
    pub failed: i32,
    /// Groups that it waits for before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<String>,
}
