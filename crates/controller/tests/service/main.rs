//! PinterestServices on a real API server: installed, translated, healed, pruned, deleted.
//!
//! Needs a cluster: `cargo xtask test`, or `HERMEZ_SANDBOX=DIR cargo test -p hermez-controller
//! --features cluster-tests` with the data folder of a cluster that `cargo xtask up` made. Each test
//! works in a namespace of its own, which it deletes.

mod definition;
mod leader;
mod lifecycle;
mod profiles;
mod properties;
mod refusals;
mod restart;
mod support;

/// Class of the resources: their own, so that no other Hermez on this cluster looks after them.
const CLASS: &str = "service-test";
