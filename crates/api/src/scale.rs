//! How many pods a workload wants, who says so, and the ledger of who changed it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who says how many pods are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleOwner {
    /// The config file, as the last deploy brought it.
    File,
    /// A person, through Hermez.
    Person,
    /// A HorizontalPodAutoscaler.
    Autoscaler,
    /// Something that writes to the cluster beside Hermez, such as kubectl.
    Other,
}

/// What a change of the ledger wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleChangeKind {
    /// A fixed number of pods.
    Replicas,
    /// A number of pods that follows their load.
    Autoscaling,
    /// What the config file says.
    File,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleChangeState {
    /// On its way to the cluster.
    Pending,
    /// It holds.
    Active,
    /// It has ended: its time was over, or the config file took over.
    Ended,
    /// A later change took its place.
    Replaced,
    /// The cluster refused it.
    Refused,
}

/// Asks for a number of pods.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetScale {
    /// Pods wanted; from the workload's bounds, or 0.
    pub replicas: i64,
    /// Why (1 to 1,000 characters).
    pub reason: String,
    /// When the config file's number comes back; it stays until somebody changes it when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Turns an autoscaler off until the config file, or other settings of an autoscaler, say how many
    /// again; without it, a workload that is scaled by its load takes no other number than 0.
    #[serde(default)]
    pub fixed: bool,
}

/// Asks that the number of pods follows their load.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAutoscaling {
    /// Bounds, targets and pace.
    #[serde(flatten)]
    pub settings: AutoscalingSettings,
    /// Why (1 to 1,000 characters).
    pub reason: String,
    /// When the config file's settings come back; they stay until somebody changes them when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// How the number of pods follows their load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AutoscalingSettings {
    /// Fewest pods, 1 to 10,000.
    pub min: i32,
    /// Most pods, `min` to 10,000.
    pub max: i32,
    /// Average CPU use to aim at, in percent of what the containers request (1 to 1,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<i32>,
    /// Average memory use to aim at, in percent of what the containers request (1 to 1,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<i32>,
    /// Other metrics, as a HorizontalPodAutoscaler (`autoscaling/v2`) writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<serde_json::Value>,
    /// How fast to scale, as a HorizontalPodAutoscaler (`autoscaling/v2`) writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<serde_json::Value>,
}

/// Asks that the config file says how many pods there are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseScale {
    /// Why (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
}

/// The numbers of pods that people may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleBounds {
    /// Fewest, 0 to 10,000. 0 pods may always be asked for.
    pub min: i32,
    /// Most, `min` to 10,000.
    pub max: i32,
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScaleChange {
    /// Rising number.
    pub id: i64,
    /// Workload.
    pub workload: String,
    /// What it wants.
    pub kind: ScaleChangeKind,
    /// Pods wanted; absent where they follow their load or the config file.
    pub replicas: Option<i32>,
    /// Pods wanted before.
    pub replicas_before: Option<i32>,
    /// How the number follows the load, where it does.
    pub autoscaling: Option<AutoscalingSettings>,
    /// Whether it turns an autoscaler off.
    pub fixed: bool,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When the config file's number comes back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How far it is.
    pub state: ScaleChangeState,
    /// What it waits for, or why it was refused or has ended.
    pub message: Option<String>,
}

/// Who changed the number of pods last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScaleLastChange {
    /// `deploy` (a rollout brought the config file's number), `person`, `autoscaler`, or the field
    /// manager as the cluster knows it, for example `kubectl`.
    pub by: String,
    /// Who or what, in one sentence.
    pub message: String,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// How many pods a workload wants, and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScaleStatus {
    /// Whether the workload's kind has a number of pods that can be changed, and it was deployed.
    pub scalable: bool,
    /// Why not, where it cannot be changed.
    pub why_not: Option<String>,
    /// Pods wanted now.
    pub replicas: Option<i32>,
    /// Pods that are ready.
    pub ready: i32,
    /// Who says how many.
    pub owner: ScaleOwner,
    /// The same in one sentence.
    pub message: String,
    /// The change that holds, where a person's does.
    pub change: Option<ScaleChange>,
    /// Who changed it last.
    pub last_change: Option<ScaleLastChange>,
    /// How the number follows the load, where it does.
    pub autoscaling: Option<AutoscalingSettings>,
    /// What people may ask for.
    pub bounds: ScaleBounds,
}
