//! What hotfixes were made of: written once, with the deploy.

use hermez_api::Hotfix;
use sea_orm::ActiveValue::Set;
use sea_orm::{DatabaseTransaction, EntityTrait};

use crate::entity::hotfix::{ActiveModel, Entity};
use crate::words::{from_json, json};
use crate::{Store, StoreError};

/// Keeps what a deploy was made of, in the transaction that asks for it.
pub(crate) async fn keep(
    transaction: &DatabaseTransaction,
    deploy_id: i64,
    hotfix: &Hotfix,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        deploy_id: Set(deploy_id),
        detail: Set(json(hotfix)),
    };
    Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

impl Store {
    /// What a deploy was made of; none where it is no hotfix.
    pub async fn hotfix(&self, deploy_id: i64) -> Result<Option<Hotfix>, StoreError> {
        let row = Entity::find_by_id(deploy_id).one(&self.read).await?;
        row.map(|row| from_json("hotfix.detail", &row.detail))
            .transpose()
    }
}
