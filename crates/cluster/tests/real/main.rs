//! Deploys, failures and logs on a real cluster, through the crate's own watches.
//!
//! Needs a cluster: `cargo xtask test`, or `HERMEZ_SANDBOX=DIR cargo test -p hermez-cluster
//! --features cluster-tests` with the data folder of a cluster that `cargo xtask up` made. Each test
//! works in a namespace of its own, which it deletes.

mod failures;
mod logs;
mod rollouts;
mod support;
