//! Who may look at a preview: signed-in people by a ticket that works once, programs by their API
//! token, and whoever has the link of a preview that is shared.
//!
//! A preview runs code that a pull request brought, on a host of its own. It gets neither the
//! session's cookie nor a token: a browser proves itself to the gateway by a cookie that opens this
//! one preview and nothing else.

use std::time::Duration;

use hermez_store::PreviewRecord;

use crate::{AccessError, Gate, MAX_PRESENTED_BYTES, Principal, Secret, Via, secret};

/// How long a ticket lets a browser into a preview.
pub const TICKET_LIFE: Duration = Duration::from_mins(1);
/// How long a visit lasts; the session or the link that it came by may end it before.
pub const VISIT_LIFE: Duration = Duration::from_hours(12);

fn hash(secret: &str) -> String {
    hex::encode(secret::hash(secret))
}

impl Gate {
    /// Makes a ticket that lets the browser of a session into one preview, once, within a minute.
    /// Nothing for those who came by a token: a browser has no use for it.
    pub async fn preview_ticket(
        &self,
        principal: &Principal,
        preview: &PreviewRecord,
    ) -> Result<Option<Secret>, AccessError> {
        let Via::Session { id } = principal.via else {
            return Ok(None);
        };
        let ticket = secret::generate("")?;
        let until = self.now() + TICKET_LIFE;
        self.store
            .create_preview_ticket(&hash(ticket.expose()), preview.id, id, until)
            .await?;
        Ok(Some(ticket))
    }

    /// Uses a ticket up and begins a visit; gives the secret of its cookie.
    pub async fn redeem_preview_ticket(
        &self,
        preview: &PreviewRecord,
        ticket: &str,
    ) -> Result<Secret, AccessError> {
        let now = self.now();
        let session = if ticket.len() > MAX_PRESENTED_BYTES {
            None
        } else {
            self.store
                .redeem_preview_ticket(&hash(ticket), preview.id, now)
                .await?
        };
        let session = session.ok_or(AccessError::NotAuthenticated)?;
        self.begin_visit(preview, Some(session), None).await
    }

    /// Begins a visit of somebody who has the shared link; gives the secret of their cookie.
    pub async fn redeem_preview_link(
        &self,
        preview: &PreviewRecord,
        token: &str,
    ) -> Result<Secret, AccessError> {
        let shared = preview.share_hash.as_deref();
        if token.len() > MAX_PRESENTED_BYTES || shared != Some(hash(token).as_str()) {
            return Err(AccessError::NotAuthenticated);
        }
        self.begin_visit(preview, None, shared).await
    }

    async fn begin_visit(
        &self,
        preview: &PreviewRecord,
        session: Option<i64>,
        shared: Option<&str>,
    ) -> Result<Secret, AccessError> {
        let cookie = secret::generate("")?;
        let until = self.now() + VISIT_LIFE;
        self.store
            .create_preview_visit(&hash(cookie.expose()), preview.id, session, shared, until)
            .await?;
        Ok(cookie)
    }

    /// Whether a cookie opens a preview.
    pub async fn opens_preview(
        &self,
        preview: &PreviewRecord,
        cookie: &str,
    ) -> Result<bool, AccessError> {
        if cookie.is_empty() || cookie.len() > MAX_PRESENTED_BYTES {
            return Ok(false);
        }
        let shared = preview.share_hash.as_deref();
        let store = &self.store;
        Ok(store
            .is_preview_visit(&hash(cookie), preview.id, shared, self.now())
            .await?)
    }

    /// Shares a preview by a new link, in place of the one before; gives its secret. Nothing when
    /// the preview is being removed. The caller passes the gate.
    pub async fn share_preview(&self, preview_id: i64) -> Result<Option<Secret>, AccessError> {
        let token = secret::generate("")?;
        let shared = self
            .store
            .share_preview(preview_id, Some(&hash(token.expose())))
            .await?;
        Ok(shared.then_some(token))
    }
}

/// Whether a text looks like an API token of Hermez, which nobody else must see.
pub fn is_api_token(text: &str) -> bool {
    text.trim().starts_with(crate::tokens::PREFIX)
}
