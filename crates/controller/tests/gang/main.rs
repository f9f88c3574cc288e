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

/// Class of the resources: none, as those that Hermez itself looks after on this cluster.
const CLASS: Option<&str> = None;
