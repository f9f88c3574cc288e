//! Stateful sets on a real cluster: they keep their data, update in order, and refuse what cannot be.

#[allow(dead_code)] // shared with the other kinds' tests, each of which uses a part
#[path = "../service/support.rs"]
mod support;

#[allow(dead_code)]
#[path = "../cronjob/helpers.rs"]
mod kubectl;

mod changes;
mod data;
mod helpers;
mod updates;

/// Class of the resources: their own, so that no other Hermez on this cluster looks after them.
const CLASS: &str = "statefulset-test";
