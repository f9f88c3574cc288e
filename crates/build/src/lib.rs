//! The second stretch of a commit's road: what to build (a pure plan), and building it in BuildKit.
//!
//! [`plan`] decides from the config file's containers, an optional `.hermez.yaml` and a Dockerfile;
//! [`BuildKit`] runs one planned image through `buildctl` and tells of it as it happens. A build
//! is bounded in time and in what it may write, and ends with the call that started it.

pub mod buildkit;
pub mod config;
pub mod error;
pub mod plan;

mod diagnose;
mod lines;
mod progress;
mod run;

pub use buildkit::{BuildEvent, BuildKit, BuiltImage, ImageBuild, StepState};
pub use config::{ConfigProblem, HermezYaml, ImageConfig, parse_hermez_yaml};
pub use error::BuildError;
pub use plan::{BuildPlan, ContainerImage, ExternalImage, ImagePlan, PlanError, PlanInput, plan};

pub use tokio_util::sync::CancellationToken;
