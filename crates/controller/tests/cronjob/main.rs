//! Cron jobs on a real cluster: they fire, are suspended, run by hand, are tried again, and end.

#[allow(dead_code)] // shared with the other kinds' tests, each of which uses a part
#[path = "../service/support.rs"]
mod support;

mod definition;
mod helpers;
mod lifecycle;
mod runs;

/// Class of the resources: their own, so that no other Hermez on this cluster looks after them.
const CLASS: &str = "cronjob-test";
