//! Who may do what: the one gate of every change.
//!
//! Owns authentication (tokens, sessions, login links, webhooks), authorization ([`authorize`], a
//! pure function) and the record of changes. Guarantees:
//! - Nothing is changed but through [`Gate::change`]: authorize, act, record as allowed, denied or
//!   failed.
//! - A secret is made here, shown once, and kept only as its SHA-256 (256 bits of randomness need
//!   no slow hash); it stands in no error, log or audit row.
//! - What is presented is bounded ([`MAX_PRESENTED_BYTES`]) before it is looked at.

mod bootstrap;
mod error;
mod file;
mod gate;
mod key;
mod login;
mod policy;
mod previews;
mod principals;
mod record;
mod secret;
mod tokens;

pub use bootstrap::{Bootstrap, OWNER};
pub use error::{AccessError, GateError, KeyError};
pub use gate::{Gate, MAX_PRESENTED_BYTES, Presented};
pub use key::SecretKey;
pub use login::{LOGIN_LINK_LIFE, NewLoginLink, NewSession, SESSION_LIFE};
pub use policy::{Action, Decision, Principal, Role, Target, Via, authorize};
pub use previews::{TICKET_LIFE, VISIT_LIFE, is_api_token};
pub use secret::Secret;
