//! PinterestJobSets and PinterestTrainingJobs on a real cluster: run, restarted, refused.
//!
//! Needs a cluster, as the tests of the service do.

mod definition;
mod failures;
mod gangs;
mod jobset;
mod rendezvous;
#[allow(dead_code)]
#[path = "../service/support.rs"]
mod support;
mod work;

/// Class of the resources: their own, so that no other Hermez on this cluster looks after them.
const CLASS: &str = "gang-test";
