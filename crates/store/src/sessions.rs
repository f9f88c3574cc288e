//! Browser sessions and the links that begin them. Only SHA-256 hashes of secrets are here.

use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::{idempotency_key, login_link, preview_session, preview_ticket, session};
use crate::words::{at, ms};
use crate::{PrincipalRecord, SessionRecord, Store, StoreError};

impl Store {
    /// Keeps a new session.
    pub async fn create_session(
        &self,
        principal_id: i64,
        hash: &[u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<i64, StoreError> {
        let new = session::ActiveModel {
            principal_id: Set(principal_id),
            hash: Set(hash.to_vec()),
            created_at_ms: Set(ms(now)),
            last_used_at_ms: Set(ms(now)),
            expires_at_ms: Set(ms(expires_at)),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        let made = session::Entity::insert(new).exec(&transaction).await?;
        self.commit_recorded(transaction).await?;
        Ok(made.last_insert_id)
    }

    /// The session whose secret has this hash, expired or not.
    pub async fn session_by_hash(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<SessionRecord>, StoreError> {
        let find = session::Entity::find().filter(session::Column::Hash.eq(hash.to_vec()));
        let Some(session) = find.one(&self.read).await? else {
            return Ok(None);
        };
        let Some(principal) = self.principal(session.principal_id).await? else {
            return Ok(None);
        };
        Ok(Some(SessionRecord {
            id: session.id,
            principal,
            last_used_at: at("session.last_used_at_ms", session.last_used_at_ms)?,
            expires_at: at("session.expires_at_ms", session.expires_at_ms)?,
        }))
    }

    /// Notes that a session was used, and lets it live until `expires_at`.
    pub async fn extend_session(
        &self,
        id: i64,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        session::Entity::update_many()
            .col_expr(session::Column::LastUsedAtMs, Expr::val(ms(now)))
            .col_expr(session::Column::ExpiresAtMs, Expr::val(ms(expires_at)))
            .filter(session::Column::Id.eq(id))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Ends a session.
    pub async fn delete_session(&self, id: i64) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let delete = session::Entity::delete_by_id(id);
        delete.exec(&transaction).await?;
        self.commit_recorded(transaction).await
    }

    /// Keeps a new login link.
    pub async fn create_login_link(
        &self,
        principal_id: i64,
        hash: &[u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let new = login_link::ActiveModel {
            principal_id: Set(principal_id),
            hash: Set(hash.to_vec()),
            created_at_ms: Set(ms(now)),
            expires_at_ms: Set(ms(expires_at)),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        login_link::Entity::insert(new).exec(&transaction).await?;
        self.commit_recorded(transaction).await
    }

    /// Uses a login link up: `None` when it does not exist, was used, or is too old. Of many calls
    /// at once one gets the principal.
    pub async fn redeem_login_link(
        &self,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<PrincipalRecord>, StoreError> {
        use login_link::Column;
        let used = login_link::Entity::update_many()
            .col_expr(Column::UsedAtMs, Expr::val(ms(now)))
            .filter(Column::Hash.eq(hash.to_vec()))
            .filter(Column::UsedAtMs.is_null())
            .filter(Column::ExpiresAtMs.gt(ms(now)))
            .exec(&self.write)
            .await?;
        if used.rows_affected != 1 {
            return Ok(None);
        }
        let find = login_link::Entity::find().filter(Column::Hash.eq(hash.to_vec()));
        match find.one(&self.write).await? {
            Some(link) => self.principal(link.principal_id).await,
            None => Ok(None),
        }
    }

    /// Deletes sessions, login links, tickets and idempotency keys that expired before `now`; says how many.
    pub async fn delete_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        let now = ms(now);
        let sessions = session::Entity::delete_many()
            .filter(session::Column::ExpiresAtMs.lt(now))
            .exec(&self.write)
            .await?;
        let links = login_link::Entity::delete_many()
            .filter(login_link::Column::ExpiresAtMs.lt(now))
            .exec(&self.write)
            .await?;
        let keys = idempotency_key::Entity::delete_many()
            .filter(idempotency_key::Column::ExpiresAtMs.lt(now))
            .exec(&self.write)
            .await?;
        let tickets = preview_ticket::Entity::delete_many()
            .filter(preview_ticket::Column::ExpiresAtMs.lt(now))
            .exec(&self.write)
            .await?;
        let visits = preview_session::Entity::delete_many()
            .filter(preview_session::Column::ExpiresAtMs.lt(now))
            .exec(&self.write)
            .await?;
        let all = [sessions, links, keys, tickets, visits];
        Ok(all.iter().map(|deleted| deleted.rows_affected).sum())
    }
}
