//! Authenticate, authorize, act, record.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hermez_source::forge::verify_signature;
use hermez_store::{NewAuditEntry, PrincipalRecord, Store, Together};
use jiff::{SignedDuration, Timestamp};

use crate::record::{bounded, without_secrets};
use crate::{
    AccessError, Action, Decision, GateError, Principal, Role, SESSION_LIFE, SecretKey, Target,
    Via, authorize, secret,
};

/// Longest token or session secret that is looked at, in bytes.
pub const MAX_PRESENTED_BYTES: usize = 256;
/// Uses are noted no more often than this.
const NOTE_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Tries to write a line of the record, and the time between them.
const RECORD_TRIES: u32 = 3;
const RECORD_PAUSE: Duration = Duration::from_millis(100);

/// What a request presents.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// The part after `Bearer ` of the `Authorization` header.
    Bearer(&'a str),
    /// The value of the `hermez_session` cookie.
    Session(&'a str),
    /// A webhook: the repository of its address, its body and its signature header
    /// (`X-Gitea-Signature` or `X-Hub-Signature-256`).
    Webhook {
        /// The repository's number.
        repository_id: i64,
        /// The body as it came.
        body: &'a [u8],
        /// The signature header.
        signature: &'a str,
    },
}

/// Tells the time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The one gate of every change. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub(crate) store: Store,
    key: Arc<SecretKey>,
    clock: Clock,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

pub(crate) fn principal(record: PrincipalRecord, via: Via) -> Principal {
    Principal {
        id: record.id,
        role: Role::parse(&record.role),
        name: record.name,
        via,
    }
}

impl Gate {
    /// A gate in front of `store`.
    pub fn new(store: Store, key: SecretKey) -> Self {
        Self::with_clock(store, key, Arc::new(Timestamp::now))
    }

    /// The same with a clock of one's own.
    pub fn with_clock(store: Store, key: SecretKey, clock: Clock) -> Self {
        Self {
            store,
            key: Arc::new(key),
            clock,
        }
    }

    /// The server's key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Recognises who asks. A session's life is prolonged; uses are noted at most once a minute.
    pub async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, AccessError> {
        match presented {
            Presented::Bearer(token) => self.by_token(bounded_secret(token)?).await,
            Presented::Session(session) => self.by_session(bounded_secret(session)?).await,
            Presented::Webhook {
                repository_id,
                body,
                signature,
            } => {
                let signature = bounded_secret(signature)?;
                self.by_webhook(repository_id, body, signature).await
            }
        }
    }

    async fn by_token(&self, token: &str) -> Result<Principal, AccessError> {
        let found = self.store.token_by_hash(&secret::hash(token)).await?;
        let found = found
            .filter(|token| token.revoked_at.is_none())
            .ok_or(AccessError::NotAuthenticated)?;
        let now = self.now();
        if found
            .last_used_at
            .is_none_or(|last| now.duration_since(last) >= NOTE_EVERY)
        {
            self.store.touch_token(found.id, now).await?;
        }
        Ok(principal(found.principal, Via::Token { id: found.id }))
    }

    async fn by_session(&self, session: &str) -> Result<Principal, AccessError> {
        let found = self.store.session_by_hash(&secret::hash(session)).await?;
        let now = self.now();
        let found = found
            .filter(|session| session.expires_at > now)
            .ok_or(AccessError::NotAuthenticated)?;
        if now.duration_since(found.last_used_at) >= NOTE_EVERY {
            let until = now + SESSION_LIFE;
            self.store.extend_session(found.id, now, until).await?;
        }
        Ok(principal(found.principal, Via::Session { id: found.id }))
    }

    async fn by_webhook(
        &self,
        repository_id: i64,
        body: &[u8],
        signature: &str,
    ) -> Result<Principal, AccessError> {
        let key = self.key.webhook_secret(repository_id);
        if !verify_signature(key.expose().as_bytes(), body, signature)
            || self.store.repository(repository_id).await?.is_none()
        {
            return Err(AccessError::NotAuthenticated);
        }
        Ok(Principal {
            id: 0,
            name: "forge".to_owned(),
            role: Role::Forge,
            via: Via::Webhook { repository_id },
        })
    }

    /// Lets somebody look at something, or records that they may not.
    pub async fn look(
        &self,
        principal: &Principal,
        action: Action,
        target: &Target,
    ) -> Result<(), AccessError> {
        match authorize(principal, action, target) {
            Decision::Allow => Ok(()),
            Decision::Deny { reason } => {
                let detail = serde_json::json!({});
                Err(self.deny(principal, action, target, detail, reason).await)
            }
        }
    }

    /// Makes a change: authorizes it, runs `act`, and records it as allowed, denied or failed.
    /// `act` is not polled when the answer is no. `detail` should be free of secrets; fields whose
    /// names promise one are redacted anyway, and large details are cut.
    pub async fn change<T, E: Display>(
        &self,
        principal: &Principal,
        action: Action,
        target: Target,
        detail: serde_json::Value,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, GateError<E>> {
        if let Decision::Deny { reason } = authorize(principal, action, &target) {
            let denied = self.deny(principal, action, &target, detail, reason).await;
            return Err(GateError::Access(denied));
        }
        // The line is kept in one transaction with the change where the store can.
        let entry = self.entry(principal, action, &target, "allowed", detail.clone());
        let together = Together::recorded(entry);
        match together.clone().with(act).await {
            Ok(done) => {
                if together.is_unrecorded() {
                    self.record(principal, action, &target, "allowed", detail)
                        .await?;
                }
                Ok(done)
            }
            Err(error) => {
                let detail = with(detail, "error", &error.to_string());
                if let Err(unrecorded) = self
                    .record(principal, action, &target, "failed", detail)
                    .await
                {
                    tracing::error!(error = %unrecorded, action = action.as_str(), "a failed change is not in the record");
                }
                Err(GateError::Act(error))
            }
        }
    }

    async fn deny(
        &self,
        principal: &Principal,
        action: Action,
        target: &Target,
        detail: serde_json::Value,
        reason: String,
    ) -> AccessError {
        let detail = with(detail, "reason", &reason);
        if let Err(error) = self
            .record(principal, action, target, "denied", detail)
            .await
        {
            tracing::error!(%error, action = action.as_str(), "a denied change is not in the record");
        }
        AccessError::Denied {
            principal: principal.name.clone(),
            role: principal.role.as_str(),
            action: action.as_str(),
            target: target.to_string(),
            reason,
        }
    }

    /// A line of the record.
    fn entry(
        &self,
        principal: &Principal,
        action: Action,
        target: &Target,
        outcome: &'static str,
        detail: serde_json::Value,
    ) -> NewAuditEntry {
        NewAuditEntry {
            at: self.now(),
            principal: principal.name.clone(),
            action: action.as_str().to_owned(),
            target: target.to_string(),
            outcome,
            detail: bounded(without_secrets(with(detail, "via", principal.via.as_str()))),
        }
    }

    /// Appends to the record, and tries again when the database stumbles: what was done must be in
    /// it.
    async fn record(
        &self,
        principal: &Principal,
        action: Action,
        target: &Target,
        outcome: &'static str,
        detail: serde_json::Value,
    ) -> Result<(), AccessError> {
        let entry = self.entry(principal, action, target, outcome, detail);
        let mut tries = 1;
        loop {
            match self.store.append_audit(entry.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transient() && tries < RECORD_TRIES => {
                    tries += 1;
                    tokio::time::sleep(RECORD_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What was presented, unless it is longer than anything Hermez gives out.
fn bounded_secret(presented: &str) -> Result<&str, AccessError> {
    if presented.len() > MAX_PRESENTED_BYTES {
        return Err(AccessError::TooLarge {
            limit: MAX_PRESENTED_BYTES,
        });
    }
    Ok(presented)
}

/// The detail with one more field.
fn with(detail: serde_json::Value, field: &str, text: &str) -> serde_json::Value {
    let mut fields = match detail {
        serde_json::Value::Object(fields) => fields,
        serde_json::Value::Null => serde_json::Map::new(),
        other => serde_json::Map::from_iter([("detail".to_owned(), other)]),
    };
    fields.insert(field.to_owned(), text.into());
    serde_json::Value::Object(fields)
}
