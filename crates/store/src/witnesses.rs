//! Containers that failed, with their last lines, kept while their deploy goes on: when it ends, their
//! pods may be gone, and the server that read them too.

use hermez_api::FailedContainer;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::deploys::{WHAT, open};
use crate::entity::deploy;
use crate::entity::deploy_witness::{ActiveModel, Column, Entity};
use crate::words::{from_json, json};
use crate::{Lease, Store, StoreError};

/// Forgets what was kept, in the transaction that ends the deploy.
pub(crate) async fn forget(
    transaction: &DatabaseTransaction,
    deploy_id: i64,
) -> Result<(), StoreError> {
    Entity::delete_by_id(deploy_id).exec(transaction).await?;
    Ok(())
}

impl Store {
    /// What is kept of a deploy's failing containers; nothing once it has ended.
    pub async fn kept_containers(
        &self,
        deploy_id: i64,
    ) -> Result<Vec<FailedContainer>, StoreError> {
        let Some(row) = Entity::find_by_id(deploy_id).one(&self.read).await? else {
            return Ok(Vec::new());
        };
        from_json("deploy_witness.containers", &row.containers)
    }

    /// Keeps failing containers of a leased deploy, in the place of what was kept before. The caller
    /// bounds and masks them. Announces nothing: nothing that is seen changed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else holds the deploy, or it has ended.
    pub async fn keep_containers(
        &self,
        lease: Lease,
        containers: &[FailedContainer],
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let find = deploy::Entity::find()
            .filter(deploy::Column::Id.eq(lease.id))
            .filter(deploy::Column::Fence.eq(lease.fence))
            .filter(deploy::Column::State.is_in(open()));
        if find.lock_exclusive().one(&transaction).await?.is_none() {
            let id = lease.id;
            return Err(StoreError::LeaseLost { what: WHAT, id });
        }
        let row = ActiveModel {
            deploy_id: Set(lease.id),
            // PostgreSQL's text holds no NUL; in JSON it is an escape, which text columns take.
            containers: Set(json(&containers)),
        };
        let mut replace = OnConflict::column(Column::DeployId);
        replace.update_column(Column::Containers);
        Entity::insert(row)
            .on_conflict(replace)
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
