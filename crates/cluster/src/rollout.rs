//! Rollouts: how far is a deploy, and why does it not go on. Pure.
//!
//! [`assess`] decides from what the watches saw. It fails early, with the cause by name, and only
//! because of pods of the new version; it does not take an older version's state for the new one's.
//! Some failures need a few seconds to be certain of: ask again a second later as well as on changes.

use hermez_kinds::Kind;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::declared::{Declared, Stalled};
use crate::index::Workload;
use crate::view::PodView;

mod judge;
mod pod;
mod stuck;
#[cfg(test)]
mod tests;
mod told;
mod words;

pub use stuck::{Late, late};
pub(crate) use words::counts;

/// How long something that may mend itself is waited for.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// Why a rollout failed, as a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// An image cannot be pulled.
    ImagePull,
    /// A container ends again and again, or cannot be started.
    CrashLoop,
    /// No node takes a pod.
    Unschedulable,
    /// A probe does not pass.
    Probe,
    /// A quota does not allow the pods.
    Quota,
    /// Admission, the schema or the controller refused the objects.
    Admission,
    /// A ConfigMap, Secret or volume that a pod needs is missing.
    ConfigMissing,
    /// It took too long, and nothing says why.
    Deadline,
}

impl FailureCause {
    /// As the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureCause::ImagePull => "image_pull",
            FailureCause::CrashLoop => "crash_loop",
            FailureCause::Unschedulable => "unschedulable",
            FailureCause::Probe => "probe",
            FailureCause::Quota => "quota",
            FailureCause::Admission => "admission",
            FailureCause::ConfigMissing => "config_missing",
            FailureCause::Deadline => "deadline",
        }
    }
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// The cluster has not begun with this deploy.
    Waiting {
        /// For what, in one sentence.
        message: String,
    },
    /// Pods change.
    Progressing {
        /// Ready pods of the new version.
        ready: i32,
        /// Pods wanted.
        desired: i32,
        /// What happens, in one sentence.
        message: String,
    },
    /// All wanted pods run the new version and are ready, and no old one is left.
    Complete {
        /// Ready pods of the new version.
        ready: i32,
        /// Pods wanted.
        desired: i32,
    },
    /// It will not come to an end by itself.
    Failed {
        /// Why, as a stable word.
        cause: FailureCause,
        /// Ready pods of the new version.
        ready: i32,
        /// Pods wanted.
        desired: i32,
        /// Why, in one sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl Rollout {
    /// Whether it is over, well or badly.
    pub fn is_final(&self) -> bool {
        matches!(self, Rollout::Complete { .. } | Rollout::Failed { .. })
    }

    fn waiting(message: &str) -> Self {
        Rollout::Waiting {
            message: message.to_owned(),
        }
    }
}

/// What a rollout is decided from.
#[derive(Debug, Clone, Copy)]
pub struct RolloutInput<'a> {
    /// Everything known of the workload.
    pub workload: &'a Workload,
    /// Now.
    pub now: Timestamp,
    /// The deploy in question.
    pub deploy_id: i64,
}

/// How far a deploy is.
///
/// # Guarantees
/// `Complete` and `Failed` are said only of the deploy in question: the resource and its
/// Deployment carry its number, and Kubernetes has seen their newest generation.
pub fn assess(input: &RolloutInput<'_>) -> Rollout {
    let Some(declared) = &input.workload.declared else {
        return Rollout::waiting("The resource is not in the cluster yet");
    };
    match declared.deploy_id {
        Some(id) if id == input.deploy_id => current(input.workload, input.now),
        Some(id) if id > input.deploy_id => {
            Rollout::waiting(&format!("Deploy {id} has taken its place in the cluster"))
        }
        _ => Rollout::waiting("The resource has not reached the cluster yet"),
    }
}

/// How far the cluster is with what it was last told to run.
pub(crate) fn current(workload: &Workload, now: Timestamp) -> Rollout {
    let Some(declared) = &workload.declared else {
        return Rollout::waiting("The resource is not in the cluster yet");
    };
    if declared.deleting {
        return Rollout::waiting("The resource is being deleted");
    }
    if let Some(failed) = stalled(workload, declared, now) {
        return failed;
    }
    if declared.kind != Kind::Service {
        return told::judge(workload, declared, now);
    }
    let Some(deployment) = &workload.deployment else {
        return Rollout::waiting("The controller has not made the Deployment yet");
    };
    if deployment.deploy_id != declared.deploy_id {
        return Rollout::waiting("The controller has not brought the deploy to the Deployment yet");
    }
    if deployment.observed_generation < deployment.generation {
        return Rollout::waiting("Kubernetes has not taken up the new Deployment yet");
    }
    judge::judge(workload, deployment, now)
}

/// What is wrong with a pod, as a sentence.
pub(crate) fn pod_message(pod: &PodView, workload: &Workload, now: Timestamp) -> Option<String> {
    let trouble = pod::trouble(judge::look(pod, workload, now))?;
    Some(format!("The pod {}", trouble.singular))
}

/// Why the controller cannot go on, when it is certain that it means what was last applied.
fn stalled(workload: &Workload, declared: &Declared, now: Timestamp) -> Option<Rollout> {
    let stalled = declared.stalled.as_ref()?;
    // The Deployment itself, or the pods, say more about this one.
    if stands_still(stalled) {
        return None;
    }
    // It may still speak of the deploy before, whose spec may have been the same; the controller
    // looks again when the new one comes.
    let came = declared.applied_at.unwrap_or(stalled.since);
    if stalled.since < came && now.duration_since(came) < GRACE {
        return None;
    }
    if let Some(failed) = told::over(workload, declared, stalled, now) {
        return Some(failed);
    }
    let cause = words::refusal_cause(&stalled.message);
    Some(Rollout::Failed {
        cause,
        ready: 0,
        desired: declared.replicas.unwrap_or(0),
        message: format!(
            "The controller cannot make the workload's objects: {}",
            stalled.message
        ),
        hint: Some(words::refusal_hint(cause, &stalled.message).to_owned()),
    })
}

/// Whether it says that the pods change no more, though not all of them are as they should be.
fn stands_still(stalled: &Stalled) -> bool {
    let late = ["ProgressDeadlineExceeded", "RolloutStuck"];
    late.contains(&stalled.reason.as_str())
}
