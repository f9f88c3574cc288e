//! Conditions of a status, after Kubernetes' conventions (kstatus), the same for every kind. Pure.
//!
//! `Reconciling` and `Stalled` are there, as `True`, only while they hold: tools that read kstatus
//! take their absence, with an `observedGeneration` that is the newest, for "current".

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Conditions in the making.
#[derive(Debug)]
pub struct Conditions<'a> {
    before: &'a [Condition],
    generation: Option<i64>,
    now: Timestamp,
    list: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// Begins from those that stood before: a condition that goes on keeps its time.
    pub fn new(before: &'a [Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Conditions {
            before,
            generation,
            now,
            list: Vec::new(),
        }
    }

    /// Adds a condition; `truth` is `True`, `False` or `Unknown`.
    pub fn push(&mut self, kind: &str, truth: &str, reason: &str, message: impl Into<String>) {
        let same = |old: &&Condition| old.type_ == kind && old.status == truth;
        let since = self.before.iter().find(same);
        let since = since.map_or(Time(self.now), |old| old.last_transition_time.clone());
        self.list.push(Condition {
            type_: kind.to_owned(),
            status: truth.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            observed_generation: self.generation,
            last_transition_time: since,
        });
    }

    /// The conditions, in the order in which they were added.
    pub fn finish(self) -> Vec<Condition> {
        self.list
    }
}
