//! The health gates that are set for workloads.

use hermez_api::HealthGates;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use crate::words::{at, from_json, json, ms};
use crate::{Change, Store, StoreError, workloads};
use entity::{ActiveModel, Column, Entity};

/// The table as SeaORM sees it.
#[allow(missing_docs)] // As in `crate::entity`.
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workload_gate")]
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

/// The health gates that are set for a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct GatesRecord {
    /// The gates.
    pub gates: HealthGates,
    /// Who set them.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
}

impl Store {
    /// The health gates that are set for a workload.
    pub async fn gates(&self, workload_id: i64) -> Result<Option<GatesRecord>, StoreError> {
        let Some(row) = Entity::find_by_id(workload_id).one(&self.read).await? else {
            return Ok(None);
        };
        Ok(Some(GatesRecord {
            gates: from_json("workload_gate.settings", &row.settings)?,
            changed_by: row.changed_by,
            changed_at: at("workload_gate.changed_at_ms", row.changed_at_ms)?,
        }))
    }

    /// Sets, or takes away, the health gates of a workload that is not deleted. Deploys that have
    /// begun keep theirs.
    pub async fn set_gates(
        &self,
        workload_id: i64,
        gates: Option<&HealthGates>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        workloads::require_living(&transaction, workload_id, workloads::Hold::Shared).await?;
        match gates {
            Some(gates) => {
                let row = ActiveModel {
                    workload_id: Set(workload_id),
                    settings: Set(json(gates)),
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
}
