//! How much work there is, for metrics.

use sea_orm::{ColumnTrait, EntityTrait, QuerySelect};

use crate::entity::{build, deploy};
use crate::{Store, StoreError};

impl Store {
    /// How many builds are in each state (by the API's words); states without any are left out.
    pub async fn build_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let counts = build::Entity::find()
            .select_only()
            .column(build::Column::State)
            .column_as(build::Column::Id.count(), "count")
            .group_by(build::Column::State)
            .into_tuple::<(String, i64)>();
        Ok(counts.all(&self.read).await?)
    }

    /// How many deploys are in each state (by the API's words); states without any are left out.
    pub async fn deploy_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let counts = deploy::Entity::find()
            .select_only()
            .column(deploy::Column::State)
            .column_as(deploy::Column::Id.count(), "count")
            .group_by(deploy::Column::State)
            .into_tuple::<(String, i64)>();
        Ok(counts.all(&self.read).await?)
    }
}
