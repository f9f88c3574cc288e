//! PinterestStreamingJobs on a real cluster: their definition, and the engine that is any container,
//! and Flink itself.
//!
//! Needs a cluster, as the tests of the service do. Each test works in a namespace of its own, which
//! it deletes.

mod container;
mod definition;
mod flink;
#[path = "../service/support.rs"]
#[allow(dead_code)] // each test binary uses its part
mod support;
mod world;

/// Class of the resources: their own, so that no other Hermez on this cluster looks after them.
const CLASS: &str = "streaming-test";
