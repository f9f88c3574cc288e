//! What each kind adds to the reconcile that all share. Pure.
//!
//! Most kinds are their translation and a status. A kind that goes through stages (a gang that is
//! restarted, an upgrade by savepoint) decides them in its `plan`: what it remembers stands in the
//! resource's status, which is written before the objects that follow from it, so that a controller
//! that is killed in between goes on where it was.

mod cronjob;
pub(crate) mod fit;
mod jobset;
mod run;
mod service;
mod statefulset;
mod streaming;
mod trainingjob;

use std::time::Duration;

use hermez_kinds::status::Conditions;
use hermez_kinds::{Resource, RuntimeProfile, TranslateError};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DynamicObject, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::difference;
use crate::flink::Observation;
use crate::gang::Gang;
use crate::owned::Objects;

/// Everything that is known of a resource when its reconcile begins.
pub(crate) struct Seen<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its generation.
    pub generation: Option<i64>,
    /// The runtime profile that it is translated through.
    pub profile: &'a RuntimeProfile,
    /// What it became so far, down to its pods where the kind asks for them.
    pub owned: &'a Objects,
    /// Its status as it stands; an empty object when it has none.
    pub before: &'a Value,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Seen<'a> {
    /// The same with another status.
    pub fn with(&self, before: &'a Value) -> Seen<'a> {
        Seen { before, ..*self }
    }

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
    /// Kind and name of objects that stay as they are.
    pub keep: Vec<(String, String)>,
    /// Pods that may start when there is room for all of them.
    pub gang: Option<Gang>,
    /// The status to write before the objects, when the plan remembers something in it.
    pub status: Option<Value>,
    /// When to look again though nothing changed.
    pub again_after: Option<Duration>,
    /// Events for people: reason and message.
    pub notes: Vec<(&'static str, String)>,
    /// A pod that keeps Kubernetes from going on; it is deleted, and made anew.
    pub in_the_way: Option<Pod>,
    /// Why its objects cannot come to be; nothing is written then.
    pub refused: Option<Refusal>,
}

/// What a resource should become now.
pub(crate) fn plan(seen: &Seen<'_>, outside: &Outside) -> Result<Plan, TranslateError> {
    match seen.resource {
        Resource::JobSet(set) => return jobset::plan(seen, set),
        Resource::TrainingJob(job) => return trainingjob::plan(seen, job),
        Resource::StreamingJob(job) => return streaming::plan(seen, job, outside),
        _ => {}
    }
    let mut plan = Plan {
        objects: seen.resource.translate(seen.profile)?,
        ..Plan::default()
    };
    match seen.resource {
        Resource::CronJob(job) => plan.again_after = cronjob::again_after(seen, job),
        Resource::StatefulSet(set) => {
            plan.again_after = statefulset::again_after(seen, set);
            plan.refused = statefulset::refusal(seen, &plan.objects);
            plan.in_the_way = statefulset::in_the_way(seen, set);
        }
        _ => {}
    }
    Ok(plan)
}

/// Whether the object of this native kind that has the resource's own name is there, and all that
/// the translation wants is in it: a cache that lags behind a write of ours shows an older one.
fn is_as_wanted(seen: &Seen<'_>, kind: &str) -> bool {
    let name = seen.resource.name();
    let is_it = |object: &DynamicObject| {
        let types = object.types.as_ref();
        types.is_some_and(|types| types.kind == kind) && object.name_any() == name
    };
    let Ok(objects) = seen.resource.translate(seen.profile) else {
        return false;
    };
    let (Some(wanted), Some(live)) = (
        objects.iter().find(|object| is_it(object)),
        seen.named::<Value>(kind, name),
    ) else {
        return false;
    };
    difference::contains(&live["spec"], &wanted.data["spec"])
}

/// The status that follows from what was seen.
pub(crate) fn status(seen: &Seen<'_>, outside: &Outside, stalled: Option<&Refusal>) -> Value {
    let status = match seen.resource {
        Resource::Service(_) => serde_json::to_value(service::status(seen, stalled)),
        Resource::CronJob(job) => serde_json::to_value(cronjob::status(seen, job, stalled)),
        Resource::StatefulSet(set) => serde_json::to_value(statefulset::status(seen, set, stalled)),
        Resource::JobSet(set) => serde_json::to_value(jobset::status(seen, set, stalled)),
        Resource::TrainingJob(job) => serde_json::to_value(trainingjob::status(seen, job, stalled)),
        Resource::StreamingJob(job) => {
            serde_json::to_value(streaming::status(seen, job, outside, stalled))
        }
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
