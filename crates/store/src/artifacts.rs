//! Artifacts: written once, with the build that published them.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
};

use crate::entity::artifact::{Column, Entity, Model};
use crate::entity::deploy;
use crate::words::{at, from_json};
use crate::{ArtifactRecord, Store, StoreError};

impl ArtifactRecord {
    pub(crate) fn from_model(model: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: model.id,
            workload_id: model.workload_id,
            commit: model.commit_id,
            manifest: model.manifest,
            images: from_json("artifact.images", &model.images)?,
            created_at: at("artifact.created_at_ms", model.created_at_ms)?,
        })
    }
}

impl Store {
    /// What this commit became for this workload.
    pub async fn artifact(
        &self,
        workload_id: i64,
        commit: &str,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        let find = Entity::find()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::CommitId.eq(commit));
        let found = find.one(&self.read).await?;
        found.map(ArtifactRecord::from_model).transpose()
    }

    /// The artifacts of these commits (at most 1,000) for a workload; one query.
    pub async fn artifacts_of_commits(
        &self,
        workload_id: i64,
        commits: &[String],
    ) -> Result<Vec<ArtifactRecord>, StoreError> {
        let commits = commits.iter().take(1000).map(String::as_str);
        let find = Entity::find()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::CommitId.is_in(commits));
        let models = find.order_by_desc(Column::Id).all(&self.read).await?;
        models.into_iter().map(ArtifactRecord::from_model).collect()
    }

    /// The artifacts that these deploys brought out; one query.
    pub(crate) async fn artifacts_of_deploys(
        &self,
        deploys: &[i64],
    ) -> Result<Vec<ArtifactRecord>, StoreError> {
        if deploys.is_empty() {
            return Ok(Vec::new());
        }
        let join: RelationDef = Entity::belongs_to(deploy::Entity)
            .from(Column::WorkloadId)
            .to(deploy::Column::WorkloadId)
            .into();
        let same_commit = Expr::col((deploy::Entity, deploy::Column::CommitId))
            .equals((Entity, Column::CommitId));
        let find = Entity::find()
            .join(JoinType::InnerJoin, join)
            .filter(deploy::Column::Id.is_in(deploys.iter().copied()))
            .filter(same_commit);
        let models = find.all(&self.read).await?;
        models.into_iter().map(ArtifactRecord::from_model).collect()
    }
}
