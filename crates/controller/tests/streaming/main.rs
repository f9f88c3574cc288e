//! PinterestStreamingJobs on a real cluster: their definition, and the engine that is any container.
//! With the feature `long-tests`, Flink itself: it takes minutes.
//!
//! Needs a cluster, as the tests of the service do. Each test works in a namespace of its own, which
//! it deletes.

mod container;
mod definition;
#[cfg(feature = "long-tests")]
mod flink;
#[path = "../service/support.rs"]
#[allow(dead_code)] // each test binary uses its part
mod support;
#[cfg_attr(not(feature = "long-tests"), allow(dead_code))]
mod world;
