//! Who may look at a preview: tickets, visits and shared links. Only SHA-256 hashes of secrets are
//! here, in hexadecimal.

use hermez_api::PreviewState;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::{preview, preview_session, preview_ticket, session};
use crate::words::{ms, word};
use crate::{Change, Store, StoreError};

impl Store {
    /// Keeps a ticket with which the browser of a session is let into a preview once.
    pub async fn create_preview_ticket(
        &self,
        hash: &str,
        preview_id: i64,
        session_id: i64,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = preview_ticket::ActiveModel {
            hash: Set(hash.to_owned()),
            preview_id: Set(preview_id),
            session_id: Set(session_id),
            expires_at_ms: Set(ms(expires_at)),
        };
        preview_ticket::Entity::insert(row)
            .exec_without_returning(&self.write)
            .await?;
        Ok(())
    }

    /// Uses a ticket up; gives its session. Nothing when it is no ticket of this preview, was used,
    /// or is too old. Of many calls at once one gets it.
    pub async fn redeem_preview_ticket(
        &self,
        hash: &str,
        preview_id: i64,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        use preview_ticket::{Column, Entity};
        let find = Entity::find()
            .filter(Column::Hash.eq(hash))
            .filter(Column::PreviewId.eq(preview_id));
        let Some(ticket) = find.one(&self.write).await? else {
            return Ok(None);
        };
        let used = Entity::delete_many()
            .filter(Column::Hash.eq(hash))
            .exec(&self.write)
            .await?;
        let good = used.rows_affected == 1 && ticket.expires_at_ms > ms(now);
        Ok(good.then_some(ticket.session_id))
    }

    /// Keeps a visit: of a session's browser, or of somebody with the shared link.
    pub async fn create_preview_visit(
        &self,
        hash: &str,
        preview_id: i64,
        session_id: Option<i64>,
        share_hash: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = preview_session::ActiveModel {
            hash: Set(hash.to_owned()),
            preview_id: Set(preview_id),
            session_id: Set(session_id),
            share_hash: Set(share_hash.map(str::to_owned)),
            expires_at_ms: Set(ms(expires_at)),
        };
        preview_session::Entity::insert(row)
            .exec_without_returning(&self.write)
            .await?;
        Ok(())
    }

    /// Whether there is such a visit of a preview, and what it came by still counts: the session has
    /// not ended, or the link is shared as it was.
    pub async fn is_preview_visit(
        &self,
        hash: &str,
        preview_id: i64,
        shared: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let find = preview_session::Entity::find()
            .filter(preview_session::Column::Hash.eq(hash))
            .filter(preview_session::Column::PreviewId.eq(preview_id))
            .filter(preview_session::Column::ExpiresAtMs.gt(ms(now)));
        let Some(visit) = find.one(&self.read).await? else {
            return Ok(false);
        };
        if let Some(id) = visit.session_id {
            let session = session::Entity::find_by_id(id).one(&self.read).await?;
            return Ok(session.is_some_and(|session| session.expires_at_ms > ms(now)));
        }
        Ok(visit.share_hash.is_some() && visit.share_hash.as_deref() == shared)
    }

    /// Shares a preview by a link with this hash, in place of the one before; `None` ends sharing.
    /// Says whether there is such a living preview.
    pub async fn share_preview(&self, id: i64, hash: Option<&str>) -> Result<bool, StoreError> {
        use preview::{Column, Entity};
        let over = [PreviewState::Removing, PreviewState::Removed];
        let transaction = self.begin().await?;
        let shared = Entity::update_many()
            .col_expr(Column::ShareHash, Expr::val(hash.map(str::to_owned)))
            .filter(Column::Id.eq(id))
            .filter(Column::State.is_not_in(over.iter().map(word)))
            .exec(&transaction)
            .await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Preview(id));
        Ok(shared.rows_affected == 1)
    }
}
