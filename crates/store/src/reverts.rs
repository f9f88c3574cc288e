//! Reverts that were proposed after rollbacks: one for a deploy.

use hermez_api::Revert;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;

use crate::entity::deploy_revert::{ActiveModel, Column, Entity};
use crate::words::{from_json, json};
use crate::{Change, Store, StoreError};

impl Store {
    /// Keeps the revert of a rollback and gives the one that is kept: another that was there first
    /// stays.
    pub async fn keep_revert(&self, deploy_id: i64, revert: &Revert) -> Result<Revert, StoreError> {
        let row = ActiveModel {
            deploy_id: Set(deploy_id),
            detail: Set(json(revert)),
        };
        Entity::insert(row)
            .on_conflict_do_nothing_on([Column::DeployId])
            .exec_without_returning(&self.write)
            .await?;
        self.announce(Change::Deploy(deploy_id));
        let kept = Entity::find_by_id(deploy_id).one(&self.write).await?;
        let kept = kept.ok_or_else(|| crate::deploys::missing(deploy_id))?;
        from_json("deploy_revert.detail", &kept.detail)
    }

    /// The revert that was proposed after a rollback.
    pub async fn revert(&self, deploy_id: i64) -> Result<Option<Revert>, StoreError> {
        let row = Entity::find_by_id(deploy_id).one(&self.read).await?;
        row.map(|row| from_json("deploy_revert.detail", &row.detail))
            .transpose()
    }
}
