//! Login links and sessions.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::{
    AccessError, Action, Gate, GateError, MAX_PRESENTED_BYTES, Principal, Secret, Target, Via,
    gate, secret,
};

/// How long a login link opens a session.
pub const LOGIN_LINK_LIFE: Duration = Duration::from_mins(10);
/// How long a session lives after its last use.
pub const SESSION_LIFE: Duration = Duration::from_hours(12);

/// A new login link.
#[derive(Debug, Clone)]
pub struct NewLoginLink {
    /// What stands in `/login/{code}`.
    pub code: Secret,
    /// After this it opens nothing.
    pub expires_at: Timestamp,
}

/// A new session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The cookie's value.
    pub secret: Secret,
    /// Who signed in.
    pub principal: Principal,
    /// When it ends unless it is used (also the cookie's age).
    pub expires_at: Timestamp,
}

impl Gate {
    /// Makes a login link for `principal` itself; passes the gate by itself.
    pub async fn create_login_link(
        &self,
        principal: &Principal,
    ) -> Result<NewLoginLink, AccessError> {
        let target = Target::Principal(principal.name.clone());
        let make = self.new_login_link(principal.id);
        let detail = json!({});
        let changed = self.change(principal, Action::LoginLinkCreate, target, detail, make);
        changed.await.map_err(GateError::flatten)
    }

    /// Keeps a new login link, outside of the gate.
    pub(crate) async fn new_login_link(
        &self,
        principal_id: i64,
    ) -> Result<NewLoginLink, AccessError> {
        let code = secret::generate("")?;
        let now = self.now();
        let expires_at = now + LOGIN_LINK_LIFE;
        let hash = secret::hash(code.expose());
        self.store
            .create_login_link(principal_id, &hash, now, expires_at)
            .await?;
        Ok(NewLoginLink { code, expires_at })
    }

    /// Uses a login link up and begins a session; recorded. A code that opens nothing is not: it
    /// comes from nobody, and anybody could fill the record with such.
    pub async fn redeem_login_link(&self, code: &str) -> Result<NewSession, AccessError> {
        if code.len() > MAX_PRESENTED_BYTES {
            return Err(AccessError::NotAuthenticated);
        }
        let now = self.now();
        let found = self
            .store
            .redeem_login_link(&secret::hash(code), now)
            .await?;
        let record = found.ok_or(AccessError::NotAuthenticated)?;
        let who = gate::principal(record, Via::Session { id: 0 });
        let target = Target::Principal(who.name.clone());
        let begin = async {
            let secret = secret::generate("")?;
            let expires_at = now + SESSION_LIFE;
            let hash = secret::hash(secret.expose());
            let id = self
                .store
                .create_session(who.id, &hash, now, expires_at)
                .await?;
            let principal = Principal {
                via: Via::Session { id },
                ..who.clone()
            };
            Ok::<_, AccessError>(NewSession {
                secret,
                principal,
                expires_at,
            })
        };
        // A session may be begun by whoever holds a link, whatever their role: Hermez allows it.
        let actor = Principal {
            role: crate::Role::System,
            ..who.clone()
        };
        let changed = self.change(&actor, Action::LoginLinkRedeem, target, json!({}), begin);
        changed.await.map_err(GateError::flatten)
    }

    /// Ends the session by which `principal` came; nothing for one who came by a token.
    pub async fn logout(&self, principal: &Principal) -> Result<(), AccessError> {
        let Via::Session { id } = principal.via else {
            return Ok(());
        };
        let target = Target::Principal(principal.name.clone());
        let end = async { self.store.delete_session(id).await };
        let ended = self.change(principal, Action::SessionEnd, target, json!({}), end);
        ended.await.map_err(GateError::flatten)
    }
}
