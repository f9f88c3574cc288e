//! Takes commits down the road: asked for, built, deployed.
//!
//! [`Road`] is what the server calls; [`Road::run`] does the work that was asked for. Guarantees:
//! - What was asked for is in the database before the call returns; the work is leased, fenced and
//!   idempotent, so that a process killed at any point is continued by the next one.
//! - What to do next is decided by a pure function ([`state::next`]).
//! - Nothing polls to find work: a request wakes the workers, a timer only catches what was missed.

mod attempt;
mod builder;
pub mod compare;
pub mod dora;
mod drive;
mod engine;
mod error;
pub mod gates;
mod hotfix;
mod inspect;
mod manifests;
mod pods;
pub mod policy;
pub mod preview;
mod progress;
pub mod receipt;
mod requests;
pub mod revert;
mod road;
pub mod rollback;
mod rules;
pub mod scale;
pub mod state;
pub mod strategy;
mod witness;
mod workloads;

pub use error::RoadError;
pub use requests::AutoDeploy;
pub use road::{Road, RoadConfig};
pub use rules::{RulesOf, Waits};
