//! What each kind adds to the reconcile that all share. Pure.
//!
//! Most kinds are their translation and a status. A kind that goes through stages (a gang that is
//! restarted, an upgrade by savepoint) decides them in its `plan`: what it remembers stands in the
//! resource's status, which is written before the objects that follow from it, so that a controller
//! that is killed in between goes on where it was.

mod service;
mod streaming;

use std::time::Duration;

use hermez_kinds::status::Conditions;
use hermez_kinds::{Resource, RuntimeProfile, TranslateError};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DynamicObject, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::flink::Observation;
use crate::owned::Objects;

/// Everything that is known of a resource when its reconcile begins.
pub(crate) struct Seen<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its generation.
    pub generation: Option<i64>,
    /// The runtime profile that it is translated through.
    pub profile: &'a RuntimeProfile,
    /// What it became so far.
    pub owned: &'a Objects,
    /// Its status as it stands; an empty object when it has none.
    pub before: &'a Value,
    /// Now.
    pub now: Timestamp,
}

impl Seen<'_> {
    /// Its status as it stands; the default when it has none that can be read.
    pub fn before<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_value(self.before.clone()).unwrap_or_default()
    }

    /// Its objects of a native kind.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Vec<T> {
        let ours = self.owned.iter().filter(|(native, _)| native.kind == kind);
        ours.filter_map(|(_, object)| read(object)).collect()
    }

    /// Its object of a native kind and this name.
    pub fn named<T: DeserializeOwned>(&self, kind: &str, name: &str) -> Option<T> {
        let mut ours = self.owned.iter().filter(|(native, _)| native.kind == kind);
        let (_, object) = ours.find(|(_, object)| object.name_any() == name)?;
        read(object)
    }
}

fn read<T: DeserializeOwned>(object: &DynamicObject) -> Option<T> {
    serde_json::to_value(object)
        .and_then(serde_json::from_value)
        .ok()
}

/// What was seen of a resource outside of Kubernetes.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// What Flink said of a streaming job.
    pub flink: Option<Observation>,
}

/// Why a resource cannot go on, for its `Stalled` condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// One word.
    pub reason: &'static str,
    /// In words.
    pub message: String,
}

/// What a resource should become now.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Its objects; those that it had and that are not among them are deleted.
    pub objects: Vec<DynamicObject>,
    /// The status to write before the objects, when the plan remembers something in it.
    pub status: Option<Value>,
    /// When to look again though nothing changed.
    pub again_after: Option<Duration>,
    /// Events for people: reason and message.
    pub notes: Vec<(&'static str, String)>,
}

/// What a resource should become now.
pub(crate) fn plan(seen: &Seen<'_>, outside: &Outside) -> Result<Plan, TranslateError> {
    match seen.resource {
        Resource::StreamingJob(job) => streaming::plan(seen, job, outside),
        _ => Ok(Plan {
            objects: seen.resource.translate(seen.profile)?,
            ..Plan::default()
        }),
    }
}

/// The status that follows from what was seen.
pub(crate) fn status(seen: &Seen<'_>, outside: &Outside, stalled: Option<&Refusal>) -> Value {
    let status = match seen.resource {
        Resource::Service(_) => serde_json::to_value(service::status(seen, stalled)),
        Resource::StreamingJob(job) => {
            serde_json::to_value(streaming::status(seen, job, outside, stalled))
        }
        _ => Ok(Value::Null),
    };
    status.unwrap_or_else(|error| unreachable!("a status is plain data: {error}"))
}

/// The status of a resource that cannot be read as its kind: what it said before, and why not.
pub(crate) fn unreadable(
    before: &Value,
    generation: Option<i64>,
    refusal: &Refusal,
    now: Timestamp,
) -> Value {
    let conditions = before["conditions"].clone();
    let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap_or_default();
    let mut stalled = Conditions::new(&conditions, generation, now);
    stalled.push("Stalled", "True", refusal.reason, refusal.message.clone());
    let mut status = before.clone();
    status["observedGeneration"] = generation.into();
    status["conditions"] = serde_json::to_value(stalled.finish()).unwrap_or_default();
    status
}
