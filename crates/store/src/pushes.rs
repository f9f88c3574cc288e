//! Pushes that were taken and are not followed yet: a forge tells of each once.

use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::push::{ActiveModel, Column, Entity};
use crate::words::ms;
use crate::{Store, StoreError};

/// Most pushes that one look gives.
const MOST: u64 = 1_000;

/// A push that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PushRecord {
    /// The repository's number.
    pub repository_id: i64,
    /// The branch.
    pub branch: String,
    /// Its newest commit (40 hexadecimal digits).
    pub commit: String,
}

impl Store {
    /// Keeps a push until it is followed; a newer one of the same branch takes its place.
    pub async fn keep_push(&self, push: &PushRecord, now: Timestamp) -> Result<(), StoreError> {
        let row = ActiveModel {
            repository_id: Set(push.repository_id),
            branch: Set(push.branch.clone()),
            commit_id: Set(push.commit.clone()),
            received_at_ms: Set(ms(now)),
        };
        let newer = OnConflict::columns([Column::RepositoryId, Column::Branch])
            .update_columns([Column::CommitId, Column::ReceivedAtMs])
            .to_owned();
        Entity::insert(row)
            .on_conflict(newer)
            .exec_without_returning(&self.write)
            .await?;
        Ok(())
    }

    /// The push was followed, or never can be. With it, all or nothing, its line in the record: a push
    /// is followed again for as long as it has none.
    pub async fn end_push(&self, push: &PushRecord) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        Entity::delete_many()
            .filter(Column::RepositoryId.eq(push.repository_id))
            .filter(Column::Branch.eq(push.branch.as_str()))
            .filter(Column::CommitId.eq(push.commit.as_str()))
            .exec(&transaction)
            .await?;
        self.commit_recorded(transaction).await
    }

    /// Pushes that came until then and are not followed to the end yet, oldest first.
    pub async fn open_pushes(&self, until: Timestamp) -> Result<Vec<PushRecord>, StoreError> {
        let find = Entity::find()
            .filter(Column::ReceivedAtMs.lte(ms(until)))
            .order_by_asc(Column::ReceivedAtMs)
            .limit(MOST);
        let rows = find.all(&self.write).await?.into_iter();
        let pushes = rows.map(|row| PushRecord {
            repository_id: row.repository_id,
            branch: row.branch,
            commit: row.commit_id,
        });
        Ok(pushes.collect())
    }
}
