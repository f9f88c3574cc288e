//! Receipts of deploys that failed: written once, with the state `failed`, and kept with the deploy.

use hermez_api::{DeployKind, Evidence, Receipt};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::deploy_receipt::{ActiveModel, Entity};
use crate::entity::{deploy, deploy_receipt};
use crate::words::{from_json, json, word};
use crate::{Store, StoreError};

/// Keeps what was found; the transaction also ends the deploy, so that there is one at most.
pub(crate) async fn keep(
    transaction: &DatabaseTransaction,
    deploy_id: i64,
    evidence: &Evidence,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        deploy_id: Set(deploy_id),
        // PostgreSQL's text holds no NUL; in JSON it is an escape, which text columns take.
        evidence: Set(json(evidence)),
    };
    Entity::insert(row)
        .on_conflict_do_nothing_on([deploy_receipt::Column::DeployId])
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

impl Store {
    /// The receipt of a deploy; none where it left none.
    pub async fn receipt(&self, deploy_id: i64) -> Result<Option<Receipt>, StoreError> {
        let Some(row) = Entity::find_by_id(deploy_id).one(&self.read).await? else {
            return Ok(None);
        };
        let Some(record) = self.deploy(deploy_id).await? else {
            return Ok(None);
        };
        let newer = deploy::Entity::find()
            .filter(deploy::Column::WorkloadId.eq(record.workload_id))
            .filter(deploy::Column::Instance.eq(record.instance.as_str()))
            .filter(deploy::Column::AppliedAtMs.is_not_null())
            .order_by_desc(deploy::Column::AppliedAtMs)
            .order_by_desc(deploy::Column::Id)
            .limit(1)
            .one(&self.read)
            .await?;
        let left_by = deploy::Entity::find()
            .filter(deploy::Column::Mends.eq(deploy_id))
            .filter(deploy::Column::Kind.eq(word(&DeployKind::Rollback)))
            .order_by_desc(deploy::Column::Id)
            .limit(1)
            .one(&self.read)
            .await?
            .map(|rollback| rollback.id);
        let revert = match left_by {
            Some(rollback) => self.revert(rollback).await?,
            None => None,
        };
        Ok(Some(Receipt {
            rolled_back_by: left_by,
            revert,
            is_current: newer.is_some_and(|newest| newest.id == deploy_id),
            deploy: record.summary(),
            evidence: from_json("deploy_receipt.evidence", &row.evidence)?,
        }))
    }
}
