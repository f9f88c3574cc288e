//! The cluster, as Hermez sees and changes it: apply and delete, status and rollout from watches,
//! and logs.
//!
//! What runs is read from one compact index that watches keep ([`index::Workload`]); nothing is
//! polled but the API server's readiness. Deciding ([`rollout::assess`], [`status::assemble`]) is
//! pure; only [`Cluster`] does IO.

mod apply;
mod cluster;
pub mod declared;
mod error;
pub mod index;
mod key;
mod link;
mod logs;
mod preview;
pub mod rollout;
mod runs;
mod scale;
pub mod status;
mod text;
pub mod view;
mod watch;

pub use apply::DeployMark;
pub use cluster::Cluster;
pub use error::ClusterError;
pub use key::WorkloadKey;
pub use kube::api::Portforwarder;
pub use logs::LogRequest;
pub use preview::ReadyPod;
pub use rollout::{FailureCause, Late, Rollout};
pub use runs::RunRequest;
pub use scale::{ScaleFacts, Scaled, Scaling};
