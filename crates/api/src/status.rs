//! What runs now, from the cluster's own watches.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ScheduleStatus;

/// How a workload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All wanted pods are ready.
    Healthy,
    /// A rollout is under way.
    Progressing,
    /// Wanted and not ready.
    Degraded,
    /// Nothing was deployed yet.
    NotDeployed,
    /// The cluster cannot be asked.
    Unknown,
}

/// A workload's live status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadStatus {
    /// How it does.
    pub health: Health,
    /// Why, in one sentence.
    pub reason: String,
    /// Pods wanted.
    pub pods_desired: i32,
    /// Pods running (their containers have started).
    pub pods_running: i32,
    /// Pods ready.
    pub pods_ready: i32,
    /// Ready pods of the newest version.
    pub pods_updated_ready: i32,
    /// Pods of the newest version, ready or not.
    pub pods_updated: i32,
    /// Commit that the cluster was told to run.
    pub commit: Option<String>,
    /// Where it answers.
    pub url: Option<String>,
    /// Pods, newest first.
    pub pods: Vec<PodStatus>,
    /// Kubernetes events of the workload and all that belongs to it, newest first, at most 100.
    pub events: Vec<KubernetesEvent>,
    /// When it runs, where it is a cron job that was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PodStatus {
    /// Name.
    pub name: String,
    /// When its kubelet accepted it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// As `kubectl get pods` prints it, for example `Running` or `CrashLoopBackOff`.
    pub status: String,
    /// Why, in words, when it is not running well.
    pub message: Option<String>,
    /// Whether it takes traffic.
    pub ready: bool,
    /// Whether it belongs to the newest version.
    pub updated: bool,
    /// Restarts of all its containers.
    pub restarts: i32,
    /// Node that it runs on.
    pub node: Option<String>,
    /// Its containers, init containers first.
    pub containers: Vec<ContainerStatus>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContainerStatus {
    /// Name.
    pub name: String,
    /// Image by digest.
    pub image: String,
    /// Whether it is an init container.
    pub init: bool,
    /// `waiting`, `running` or `terminated`.
    pub state: String,
    /// Kubernetes' reason, for example `ImagePullBackOff`.
    pub reason: Option<String>,
    /// Kubernetes' message.
    pub message: Option<String>,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// Times it was restarted.
    pub restarts: i32,
    /// Exit code of its last end.
    pub exit_code: Option<i32>,
    /// When it started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
}

/// A Kubernetes event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KubernetesEvent {
    /// When it last happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// For example `FailedScheduling`.
    pub reason: String,
    /// The object, for example `Pod/hello-6d4b`.
    pub object: String,
    /// The message.
    pub message: String,
    /// Times it happened.
    pub count: i32,
}

/// One line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContainerLogLine {
    /// Pod that wrote it.
    pub pod: String,
    /// Container that wrote it.
    pub container: String,
    /// When, as the kubelet recorded it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// The text (at most 16 KiB; longer lines are cut).
    pub text: String,
}
