//! The rollout strategies that are set for workloads, and promotions of canaries.

use hermez_api::RolloutStrategy;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::deploys::{append_event, has_ended, missing};
use crate::entity::deploy;
use crate::words::{at, from_json, json, ms, value};
use crate::{Change, DeployRecord, Store, StoreError, workloads};
use entity::{ActiveModel, Column, Entity};

/// The table as SeaORM sees it.
#[allow(missing_docs)] // As in `crate::entity`.
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workload_strategy")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workload_id: i64,
        pub settings: String,
        pub changed_by: String,
        pub changed_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The rollout strategy that is set for a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyRecord {
    /// The strategy.
    pub strategy: RolloutStrategy,
    /// Who set it.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
}

impl Store {
    /// The rollout strategy that is set for a workload.
    pub async fn strategy(&self, workload_id: i64) -> Result<Option<StrategyRecord>, StoreError> {
        let Some(row) = Entity::find_by_id(workload_id).one(&self.read).await? else {
            return Ok(None);
        };
        Ok(Some(StrategyRecord {
            strategy: from_json("workload_strategy.settings", &row.settings)?,
            changed_by: row.changed_by,
            changed_at: at("workload_strategy.changed_at_ms", row.changed_at_ms)?,
        }))
    }

    /// Sets, or takes away, the rollout strategy of a workload that is not deleted. Deploys that
    /// have begun keep theirs.
    pub async fn set_strategy(
        &self,
        workload_id: i64,
        strategy: Option<&RolloutStrategy>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        workloads::require_living(&transaction, workload_id, workloads::Hold::Shared).await?;
        match strategy {
            Some(strategy) => {
                let row = ActiveModel {
                    workload_id: Set(workload_id),
                    settings: Set(json(strategy)),
                    changed_by: Set(by.to_owned()),
                    changed_at_ms: Set(ms(now)),
                };
                let mut replace = OnConflict::column(Column::WorkloadId);
                replace.update_columns([Column::Settings, Column::ChangedBy, Column::ChangedAtMs]);
                Entity::insert(row)
                    .on_conflict(replace)
                    .exec_without_returning(&transaction)
                    .await?;
            }
            None => {
                Entity::delete_by_id(workload_id).exec(&transaction).await?;
            }
        }
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        Ok(())
    }

    /// Lets a deploy go on that waits at a step of its canary, up to `step` (from 0); one that has
    /// ended stays as it is. Doing it again changes nothing.
    pub async fn promote_deploy(
        &self,
        id: i64,
        step: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        let transaction = self.begin().await?;
        let find = deploy::Entity::find_by_id(id).lock_exclusive();
        let Some(row) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        let state = value("deploy.state", &row.state)?;
        if !has_ended(state) && row.promoted.is_none_or(|promoted| promoted < step) {
            deploy::Entity::update_many()
                .col_expr(deploy::Column::Promoted, Expr::val(step))
                .filter(deploy::Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            let what = match step {
                i64::MAX => "the canary, without further steps".to_owned(),
                _ => format!("step {} of the canary", step + 1),
            };
            let message = format!("{by} promoted {what}");
            append_event(&transaction, &row, &row.state, &message, now).await?;
        }
        self.commit_recorded(transaction).await?;
        self.announce(Change::Deploy(id));
        self.deploy(id).await?.ok_or_else(|| missing(id))
    }
}
