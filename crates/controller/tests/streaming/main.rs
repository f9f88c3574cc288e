//! PinterestStreamingJobs on a real cluster: Flink runs a job with state, is upgraded with a
//! savepoint, goes back from a version that fails, and leaves nothing behind.
//!
//! Needs a cluster, as the tests of the service do. Makes the image of Flink when this machine has
//! not made it yet. Each test works in a namespace of its own, which it deletes.

mod container;
mod definition;
mod flink;
#[path = "../service/support.rs"]
#[allow(dead_code)] // each test binary uses its part
mod support;
mod world;
