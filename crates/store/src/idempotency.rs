//! Answers kept for requests that carry an `Idempotency-Key`.

use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, TryInsertResult};

use crate::entity::idempotency_key::{ActiveModel, Column, Entity};
use crate::words::ms;
use crate::{Engine, Store, StoreError};

/// A request that is under way for longer was lost with the server that began it, in milliseconds.
const LOST_AFTER_MS: i64 = 10 * 60 * 1000;

/// What to do with a request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// First of its kind: do it, then call [`Store::finish_idempotent`].
    New,
    /// It was done: give this answer again.
    Done {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// The first one is still under way.
    UnderWay,
    /// The key was used for something else.
    Mismatch,
}

/// Keeps the answer of a request.
pub(crate) async fn finish(
    connection: &impl ConnectionTrait,
    principal_id: i64,
    key: &str,
    status: u16,
    body: &str,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::val(i32::from(status)))
        .col_expr(Column::Body, Expr::val(body))
        .filter(Column::PrincipalId.eq(principal_id))
        .filter(Column::Key.eq(key))
        .exec(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Begins a request: `route` (method, path and a hash of the body) must be the same each time.
    /// Of many calls at once one is [`Begun::New`]. A key that expired is as good as new, and so is
    /// one whose request has been under way for 10 minutes: its server died.
    pub async fn begin_idempotent(
        &self,
        principal_id: i64,
        key: &str,
        route: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Begun, StoreError> {
        let lost = Column::Status
            .is_null()
            .and(Column::BegunAtMs.lte(ms(now) - LOST_AFTER_MS));
        let transaction = self.begin().await?;
        Entity::delete_many()
            .filter(Column::PrincipalId.eq(principal_id))
            .filter(Column::Key.eq(key))
            .filter(Column::ExpiresAtMs.lte(ms(now)).or(lost))
            .exec(&transaction)
            .await?;
        let new = ActiveModel {
            principal_id: Set(principal_id),
            key: Set(key.to_owned()),
            route: Set(route.to_owned()),
            begun_at_ms: Set(ms(now)),
            expires_at_ms: Set(ms(expires_at)),
            owner: Set(Some(self.replica().to_owned())),
            ..Default::default()
        };
        let inserted = Entity::insert(new)
            .on_conflict_do_nothing_on([Column::PrincipalId, Column::Key])
            .exec_without_returning(&transaction)
            .await?;
        let known = Entity::find_by_id((principal_id, key.to_owned()))
            .one(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(match (inserted, known) {
            (TryInsertResult::Inserted(1..), _) => Begun::New,
            (_, Some(known)) if known.route != route => Begun::Mismatch,
            (_, Some(known)) => match (known.status, known.body) {
                (Some(status), Some(body)) => Begun::Done {
                    status: u16::try_from(status).unwrap_or(500),
                    body,
                },
                _ => Begun::UnderWay,
            },
            // Somebody abandoned it between the two statements: the asker tries again.
            (_, None) => Begun::UnderWay,
        })
    }

    /// Keeps the answer of a request.
    pub async fn finish_idempotent(
        &self,
        principal_id: i64,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        finish(&self.write, principal_id, key, status, body).await
    }

    /// Forgets the requests that this replica's predecessor was at when it ended, so that they may be
    /// made again at once: what they asked for was not done, or their answer would be kept with it
    /// ([`crate::Together`]). To be called before this server answers.
    pub async fn forget_lost_requests(&self) -> Result<u64, StoreError> {
        let mut delete = Entity::delete_many().filter(Column::Status.is_null());
        if self.engine() != Engine::Sqlite {
            delete = delete.filter(Column::Owner.eq(self.replica()));
        }
        Ok(delete.exec(&self.write).await?.rows_affected)
    }

    /// Forgets a request that failed before it did anything, so that it may be tried again.
    pub async fn abandon_idempotent(&self, principal_id: i64, key: &str) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::PrincipalId.eq(principal_id))
            .filter(Column::Key.eq(key))
            .filter(Column::Status.is_null())
            .exec(&self.write)
            .await?;
        Ok(())
    }
}
