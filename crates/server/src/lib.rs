//! Hermez's HTTP API, its streams and the embedded UI, and the one process that runs them together
//! with the builder, the deploy engine and the controllers.
//!
//! Guarantees:
//! - Nothing but health is anonymous: every route is behind [`auth::require`] unless it is named in
//!   `routes::open`; a test walks them all.
//! - Every change passes [`change::change`], which passes the gate: authorize, act, record.
//! - The server starts and answers whether or not the cluster, the registry, BuildKit or a forge
//!   is there; what cannot be known says so.
//! - What comes from outside is bounded: bodies, pages, streams, cursors, keys.

mod auth;
mod background;
mod catch_up;
mod change;
mod cluster_link;
mod config;
mod controllers;
mod etag;
mod following;
mod gateway;
mod headers;
mod json;
mod live;
mod lock;
mod metrics;
mod openapi;
mod origin;
mod paging;
mod problem;
mod profile_file;
mod query;
mod refresh;
mod request_id;
mod routes;
mod run;
mod serve;
mod sse;
mod state;
#[cfg(test)]
mod tests;
mod trace;
mod ui;
mod views;
mod wake;

/// `deploy/rbac.yaml`: what Hermez may do in a cluster.
pub use hermez_controller::rights::role_yaml;

pub use config::{Limits, ServerConfig};
pub use routes::{openapi, openapi_json};
pub use run::run;
