//! Locks of workloads: one at most for each.

use hermez_api::WorkloadLock;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::entity::workload_lock::{ActiveModel, Column, Entity, Model};
use crate::words::{at, maybe_at, ms};
use crate::{Change, Store, StoreError, workloads};

fn lock(model: Model) -> Result<WorkloadLock, StoreError> {
    Ok(WorkloadLock {
        by: model.locked_by,
        at: at("workload_lock.locked_at_ms", model.locked_at_ms)?,
        until: maybe_at("workload_lock.until_ms", model.until_ms)?,
        reason: model.reason,
    })
}

impl Store {
    /// The lock of a workload, also one that has come off by itself.
    pub async fn lock_of(&self, workload_id: i64) -> Result<Option<WorkloadLock>, StoreError> {
        let found = Entity::find_by_id(workload_id).one(&self.read).await?;
        found.map(lock).transpose()
    }

    /// Locks a workload that is not deleted, or changes the reason and the end of one's own lock.
    /// Gives the lock that there is now: somebody else's stays until it comes off.
    pub async fn lock_workload(
        &self,
        workload_id: i64,
        new: &WorkloadLock,
        now: Timestamp,
    ) -> Result<WorkloadLock, StoreError> {
        let transaction = self.begin().await?;
        workloads::require_living(&transaction, workload_id, workloads::Hold::Shared).await?;
        let find = Entity::find_by_id(workload_id).lock_exclusive();
        let there = find.one(&transaction).await?.map(lock).transpose()?;
        let there = there.filter(|lock| lock.until.is_none_or(|until| until > now));
        if let Some(other) = there.as_ref().filter(|lock| lock.by != new.by) {
            return Ok(other.clone());
        }
        let since = there.map_or(new.at, |lock| lock.at);
        let row = ActiveModel {
            workload_id: Set(workload_id),
            locked_by: Set(new.by.clone()),
            locked_at_ms: Set(ms(since)),
            until_ms: Set(new.until.map(ms)),
            reason: Set(new.reason.clone()),
        };
        let mut replace = OnConflict::column(Column::WorkloadId);
        replace.update_columns([
            Column::LockedBy,
            Column::LockedAtMs,
            Column::UntilMs,
            Column::Reason,
        ]);
        Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&transaction)
            .await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        Ok(WorkloadLock {
            at: since,
            ..new.clone()
        })
    }

    /// Takes a workload's lock off if it is `of`'s; says whether it was.
    pub async fn unlock_workload(&self, workload_id: i64, of: &str) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let gone = Entity::delete_many()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::LockedBy.eq(of))
            .exec(&transaction)
            .await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        Ok(gone.rows_affected > 0)
    }
}
