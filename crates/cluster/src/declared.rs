//! What a workload's custom resource says, whatever its kind: the few facts that rollouts and
//! status are decided by.

use hermez_kinds::Kind;
use hermez_kinds::names::{CANARY_OF_LABEL, COMMIT_ANNOTATION, DEPLOY_ANNOTATION, DEPLOY_MANAGER};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::apply::Live;
use crate::runs::CronFacts;
use crate::scale::ScaleFacts;
use crate::text::clip;

/// Longest message of the controller that is kept, in bytes.
const MESSAGE_BYTES: usize = 2048;

/// Facts of a workload's custom resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Kind.
    pub kind: Kind,
    /// Number of the deploy that wrote it; absent when no deploy did.
    pub deploy_id: Option<i64>,
    /// Commit that it was made from.
    pub commit: Option<String>,
    /// When a deploy last changed it.
    pub applied_at: Option<Timestamp>,
    /// The workload that it is a canary of.
    pub canary_of: Option<String>,
    /// Pods wanted, where the kind has a count.
    pub replicas: Option<i32>,
    /// Who set that number.
    pub scale: ScaleFacts,
    /// Why the controller cannot go on with it.
    pub stalled: Option<Stalled>,
    /// What the controller says of it, for kinds whose pods are not one Deployment's.
    pub progress: Progress,
    /// When it runs and ran, where it is a cron job.
    pub cron: Option<CronFacts>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// What the next apply must know of it.
    pub(crate) live: Live,
}

/// What the controller says in a resource's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether it speaks of the newest spec.
    pub observed: bool,
    /// The deploy that it speaks of, where it says so: a restart changes no spec.
    pub deploy_id: Option<i64>,
    /// What it is still at, when it is.
    pub reconciling: Option<String>,
    /// The condition `Available`: whether it holds, and what it says.
    pub available: Option<(bool, String)>,
    /// Revision of the pods of the newest version.
    pub revision: Option<String>,
    /// Pods wanted.
    pub desired: i32,
    /// Pods that are ready, or have done their work.
    pub ready: i32,
}

/// Why the controller cannot go on with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// The condition's reason, for example `TranslationFailed`.
    pub reason: String,
    /// The condition's message.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

impl Declared {
    /// Reads the facts from a resource of that kind.
    pub fn read(kind: Kind, object: &DynamicObject) -> Self {
        let annotations = object.annotations();
        let generation = object.metadata.generation.unwrap_or(0);
        Declared {
            kind,
            deploy_id: annotations
                .get(DEPLOY_ANNOTATION)
                .and_then(|text| text.parse().ok()),
            commit: annotations.get(COMMIT_ANNOTATION).cloned(),
            applied_at: applied_at(object),
            canary_of: object.labels().get(CANARY_OF_LABEL).cloned(),
            replicas: object.data["spec"]["replicas"]
                .as_i64()
                .and_then(|count| i32::try_from(count).ok()),
            scale: ScaleFacts::read(object),
            stalled: stalled(&object.data["status"]["conditions"], generation),
            progress: progress(&object.data["status"], generation),
            cron: (kind == Kind::CronJob).then(|| CronFacts::read(&object.data)),
            deleting: object.metadata.deletion_timestamp.is_some(),
            live: Live::read(object),
        }
    }
}

fn applied_at(object: &DynamicObject) -> Option<Timestamp> {
    let entries = object.managed_fields().iter();
    entries
        .filter(|entry| {
            entry.manager.as_deref() == Some(DEPLOY_MANAGER) && entry.subresource.is_none()
        })
        .filter_map(|entry| entry.time.as_ref().map(|time| time.0))
        .max()
}

fn progress(status: &serde_json::Value, generation: i64) -> Progress {
    let conditions = status["conditions"].as_array();
    let condition = |kind: &str| {
        let mut conditions = conditions.into_iter().flatten();
        conditions.find(|condition| condition["type"] == kind)
    };
    let message = |condition: &serde_json::Value| {
        clip(
            condition["message"].as_str().unwrap_or_default(),
            MESSAGE_BYTES,
        )
    };
    let count = |field: &str| {
        let count = status[field].as_i64();
        count
            .and_then(|count| i32::try_from(count).ok())
            .unwrap_or(0)
    };
    let observed = status["observedGeneration"].as_i64();
    Progress {
        observed: observed.is_some_and(|observed| observed >= generation),
        deploy_id: status["deploy"].as_str().and_then(|id| id.parse().ok()),
        reconciling: condition("Reconciling")
            .filter(|condition| condition["status"] == "True")
            .map(message),
        available: condition("Available")
            .filter(|condition| condition["status"] != "Unknown")
            .map(|condition| (condition["status"] == "True", message(condition))),
        revision: status["revision"].as_str().map(str::to_owned),
        desired: count("desiredPods"),
        ready: count("readyPods"),
    }
}

/// The `Stalled` condition, when it holds and speaks of the newest spec.
fn stalled(conditions: &serde_json::Value, generation: i64) -> Option<Stalled> {
    let conditions = conditions.as_array()?.iter();
    conditions
        .filter(|condition| condition["type"] == "Stalled" && condition["status"] == "True")
        .filter_map(|condition| serde_json::from_value::<Condition>(condition.clone()).ok())
        .find(|condition| {
            condition
                .observed_generation
                .is_none_or(|seen| seen >= generation)
        })
        .map(|condition| Stalled {
            reason: condition.reason,
            message: clip(&condition.message, MESSAGE_BYTES),
            since: condition.last_transition_time.0,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk(observed: i64, status: &str) -> Declared {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {
                "name": "hello", "generation": 3,
                "annotations": {"hermez.dev/deploy": "7", "hermez.dev/commit": "abc"},
                "managedFields": [
                    {"manager": "hermez", "operation": "Apply", "time": "2026-01-01T00:00:00Z"},
                    {"manager": "other", "operation": "Update", "time": "2026-02-01T00:00:00Z"},
                ],
            },
            "spec": {"replicas": 4},
            "status": {"conditions": [{
                "type": "Stalled", "status": status, "reason": "Refused", "message": "no",
                "observedGeneration": observed, "lastTransitionTime": "2026-01-02T00:00:00Z",
            }]},
        }))
        .expect("an object");
        Declared::read(Kind::Service, &object)
    }

    #[test]
    fn reads_the_marks_of_a_deploy() {
        let declared = mk(3, "True");
        assert_eq!(declared.deploy_id, Some(7));
        assert_eq!(declared.commit.as_deref(), Some("abc"));
        assert_eq!(declared.replicas, Some(4));
        assert_eq!(
            declared.applied_at,
            Some("2026-01-01T00:00:00Z".parse().expect("a time"))
        );
        assert_eq!(declared.stalled.expect("stalled").reason, "Refused");
    }

    #[test]
    fn a_condition_of_an_older_spec_or_that_does_not_hold_is_left_out() {
        assert_eq!(mk(2, "True").stalled, None);
        assert_eq!(mk(3, "False").stalled, None);
    }
}
