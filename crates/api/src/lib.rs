//! The shape of Hermez's HTTP API, apart from its implementation.
//!
//! The server answers with these types, the CLI reads them, and the OpenAPI document (and from it
//! the UI's TypeScript client) is generated from them. Times are RFC 3339 strings in UTC,
//! durations are whole milliseconds (`*_ms`), lists are pages with an opaque cursor, and errors
//! are [`Problem`] (RFC 9457, `application/problem+json`).

pub mod access;
pub mod build;
pub mod delivery;
pub mod deploy;
pub mod gates;
pub mod hotfix;
pub mod preview;
pub mod problem;
pub mod profile;
pub mod receipt;
pub mod revert;
pub mod rules;
pub mod run;
pub mod scale;
pub mod server;
pub mod status;
pub mod strategy;
pub mod workload;

pub use access::*;
pub use build::*;
pub use delivery::*;
pub use deploy::*;
pub use gates::*;
pub use hotfix::*;
pub use preview::*;
pub use problem::*;
pub use profile::*;
pub use receipt::*;
pub use revert::*;
pub use rules::*;
pub use run::*;
pub use scale::*;
pub use server::*;
pub use status::*;
pub use strategy::*;
pub use workload::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list, newest (or first in order) first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items of this page; at most the `limit` asked for (1 to 200, default 50).
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
