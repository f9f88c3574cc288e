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

/// Class of the resources: none, as those that Hermez itself looks after on this cluster.
const CLASS: Option<&str> = None;
