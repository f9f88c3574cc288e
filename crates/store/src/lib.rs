//! What happened: the database, in one set of entities and migrations for SQLite and PostgreSQL.
//!
//! Owns every table; nothing else writes SQL. Guarantees:
//! - Every list is a page found by key (no OFFSET), and every query of a list is constant in
//!   number, whatever the length of the page.
//! - Every write of a leased build or deploy carries its fence: a process that lost its lease
//!   changes nothing ([`StoreError::LeaseLost`]).
//! - `audit_entry` is append-only; both databases refuse to change or delete a row of it.
//! - A change that somebody asked for is kept with its line of the record, and where the answer is
//!   known with that to its `Idempotency-Key`, in one transaction ([`Together`]).
//! - A change that a watcher may care about is announced on [`Store::changes`] after its
//!   transaction is committed, never before; where servers share PostgreSQL, to those of all.
//!
//! Times come in from the caller (`now`): nothing here reads a clock.

mod artifacts;
mod audit;
mod bad_artifacts;
mod build_leases;
mod build_logs;
mod builds;
mod connect;
mod counts;
mod delivery;
mod deploy_leases;
mod deploys;
mod entity;
mod error;
mod gates;
mod hotfixes;
mod idempotency;
mod migration;
mod others;
mod page;
mod pod_events;
mod preview_access;
mod previews;
mod principals;
mod pushes;
mod receipts;
mod records;
mod repositories;
mod reverts;
mod rules;
mod scales;
mod sessions;
mod strategies;
mod together;
mod tokens;
mod witnesses;
mod words;
mod workloads;
mod written;

pub use audit::{AuditFilter, NewAuditEntry};
pub use bad_artifacts::mark_of;
pub use build_leases::BuildOutcome;
pub use builds::{BuildFilter, NewBuild, RequestedBuild};
pub use connect::{Change, Engine, Store};
pub use delivery::{DeliveryOf, DeliveryRow};
pub use deploy_leases::{Applied, DeployWrite, LaneFacts};
pub use deploys::{Aftermath, DeployFilter, FailedRollback, NewDeploy, OPEN_DEPLOYS};
pub use error::StoreError;
pub use gates::GatesRecord;
pub use idempotency::Begun;
pub use page::PageRequest;
pub use pod_events::{MAX_POD_EVENTS, NewPodEvent};
pub use previews::{Allowance, NewPreview, PreviewRecord, PreviewWrite};
pub use pushes::PushRecord;
pub use records::{
    ArtifactRecord, BuildRecord, DeployRecord, Lease, PrincipalRecord, RepositoryRecord,
    SessionRecord, TokenRecord, WorkloadRecord, WorkloadRow,
};
pub use repositories::NewRepository;
pub use rules::{ApprovalRecord, NewApproval, NewException, NewFreeze, RulesRecord, Scope};
pub use scales::{NewScaleChange, ScaleChangeRecord, ScaleWrite};
pub use strategies::StrategyRecord;
pub use together::Together;
pub use workloads::{NewWorkload, PreviewChanges, WorkloadFilter, WorkloadSettings};
