//! The kinds of workload (`pinterest.com/v1`), as pure functions: read from a config file, checked,
//! and translated through a runtime profile into Kubernetes' own objects.
//!
//! A kind is one folder: `types` (what users write), `translate` (what it becomes), `tests`. It is
//! registered in one place, [`kind`]. Nothing here asks a clock, a network or a cluster.

pub mod canary;
pub mod config;
mod crd;
pub mod cronjob;
pub mod jobset;
pub mod kind;
pub mod names;
pub mod preview;
pub mod profile;
pub mod run;
mod schema;
pub mod service;
pub mod statefulset;
pub mod status;
pub mod streamingjob;
pub mod template;
pub mod trainingjob;
pub mod translate;
mod yaml;

pub use config::{Config, ConfigError, ContainerRef, Violation};
pub use crd::{crd, crds, crds_yaml};
pub use cronjob::PinterestCronJob;
pub use jobset::PinterestJobSet;
pub use kind::{Kind, Resource, WorkloadResource};
pub use profile::RuntimeProfile;
pub use service::PinterestService;
pub use statefulset::PinterestStatefulset;
pub use streamingjob::PinterestStreamingJob;
pub use trainingjob::PinterestTrainingJob;
pub use translate::TranslateError;
