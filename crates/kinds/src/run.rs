//! Runs: what the kinds whose pods come to an end share. Pure.
//!
//! A spec is run once, as one or more attempts of indexed Jobs. Owns the word for "the same spec"
//! ([`revision`]), what is remembered of a run ([`RunState`]), and what every member's pod gets
//! beside its template.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::names::RUN_ANNOTATION;

mod member;

pub(crate) use member::{
    Member, field, literal, member_job, members_service, reserved, reserved_configs,
};

/// Where a run is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Phase {
    /// Its pods are being made, or wait for room.
    #[default]
    Waiting,
    /// Its pods were let go and start.
    Starting,
    /// It runs.
    Running,
    /// An attempt has failed; the next one waits for it to be gone, or for its time.
    Restarting,
    /// Somebody suspended it.
    Suspended,
    /// It has succeeded.
    Completed,
    /// It has failed for good.
    Failed,
}

impl Phase {
    /// As the status writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Waiting => "Waiting",
            Phase::Starting => "Starting",
            Phase::Running => "Running",
            Phase::Restarting => "Restarting",
            Phase::Suspended => "Suspended",
            Phase::Completed => "Completed",
            Phase::Failed => "Failed",
        }
    }

    /// Whether the run is over.
    pub fn is_over(self) -> bool {
        matches!(self, Phase::Completed | Phase::Failed)
    }
}

/// What is remembered of a run. It stands in the status before the objects that follow from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunState {
    /// Where the run is.
    pub phase: Phase,
    /// Revision of the spec that is run; pods carry it as the label pinterest.com/revision.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Number of the attempt, from 1; pods carry it as the label pinterest.com/attempt.
    pub attempt: i32,
    /// Attempts that failed and were followed by another.
    pub restarts: i32,
    /// Attempts that were followed by another and do not count as restarts: not all pods found a
    /// place in time, or the failure policy says so.
    #[serde(skip_serializing_if = "is_zero")]
    pub requeues: i32,
    /// When the run began, or was resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_time: Option<Time>,
    /// The attempt's pods are not made before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// When the pods of the attempt were let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted_time: Option<Time>,
    /// When the run was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// What the run waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Why the newest failed attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Why the run is over, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde asks for
fn is_zero(count: &i32) -> bool {
    *count == 0
}

/// One attempt of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Revision of the spec.
    pub revision: String,
    /// Its number, from 1.
    pub number: i32,
    /// Whether its jobs are suspended.
    pub suspended: bool,
}

impl Attempt {
    /// The first attempt of a revision.
    pub fn first(revision: String) -> Attempt {
        Attempt {
            revision,
            number: 1,
            suspended: false,
        }
    }
}

/// A job of one of the groups.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupJob {
    /// The group's name.
    pub group: String,
    /// The job.
    pub job: Job,
}

/// What an attempt is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunObjects {
    /// What is there for the whole run: configuration, host names.
    pub around: Vec<DynamicObject>,
    /// Its jobs.
    pub jobs: Vec<GroupJob>,
}

impl RunObjects {
    /// All of them, in the order in which to apply them.
    pub fn all(self) -> Vec<DynamicObject> {
        let jobs = self
            .jobs
            .iter()
            .map(|job| crate::translate::dynamic(&job.job));
        let jobs: Vec<_> = jobs.collect();
        self.around.into_iter().chain(jobs).collect()
    }
}

/// The word for a spec (`what` of it makes the pods) and the number of times it was asked to run.
pub(crate) fn revision(metadata: &ObjectMeta, what: &Value) -> String {
    let again = metadata.annotations.as_ref();
    let again = again.and_then(|annotations| annotations.get(RUN_ANNOTATION));
    let mut hasher = Sha256::new();
    // serde_json keeps objects sorted by key, so that equal values have equal text.
    hasher.update(what.to_string());
    hasher.update([0]);
    hasher.update(again.map_or("", String::as_str));
    hex::encode(&hasher.finalize()[..5])
}

/// Labels of an attempt's jobs and pods.
fn attempt_labels(attempt: &Attempt) -> BTreeMap<String, String> {
    use crate::names::{ATTEMPT_LABEL, REVISION_LABEL};
    [
        (REVISION_LABEL.to_owned(), attempt.revision.clone()),
        (ATTEMPT_LABEL.to_owned(), attempt.number.to_string()),
    ]
    .into()
}
