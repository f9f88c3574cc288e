//! People, tokens and the record of changes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is asking.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Unique name of the person or program.
    pub name: String,
    /// What they may do; `owner` may do everything.
    pub role: String,
    /// How they signed in: `token` or `session`.
    pub via: String,
    /// Version of the server.
    pub server_version: String,
}

/// A person or program that may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Principal {
    /// Unique name.
    pub name: String,
    /// What they may do: `owner` everything, `viewer` look.
    pub role: String,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Adds a person or program.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePrincipal {
    /// Unique name: 1 to 63 lower-case letters, digits, `.`, `_` and `-`, beginning with a letter.
    pub name: String,
    /// `owner` or `viewer`.
    pub role: String,
}

/// An API token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    /// Identifier, for revoking.
    pub id: String,
    /// What the token is for, in its owner's words.
    pub name: String,
    /// Whose token it is.
    pub owner: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; a revoked token opens nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// Asks for a new API token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What the token is for (1 to 100 characters).
    pub name: String,
}

/// A new API token; its secret is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token's record.
    pub token: ApiToken,
    /// What to send as `Authorization: Bearer …`; only its hash is kept.
    pub secret: String,
}

/// A link that signs a browser in once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginLink {
    /// Open it in a browser.
    pub url: String,
    /// After this it opens nothing (10 minutes).
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// One line of the append-only record of changes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Rising number.
    pub id: i64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who did it.
    pub principal: String,
    /// What they did, for example `workload.create`.
    pub action: String,
    /// What they did it to, for example `workload/hello`.
    pub target: String,
    /// `allowed`, `denied` or `failed`.
    pub outcome: String,
    /// Details worth keeping, without secrets.
    pub detail: serde_json::Value,
}
