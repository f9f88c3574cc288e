//! Artifacts that are not to be deployed again, by the digests of their manifests and images.

use std::collections::HashMap;

use hermez_api::{BadArtifact, DeployKind};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::bad_artifact::{ActiveModel, Column, Entity};
use crate::entity::{artifact, deploy, workload};
use crate::words::{at, ms, word};
use crate::{ArtifactRecord, DeployRecord, Store, StoreError};

/// Most digests of one question.
const MAX_DIGESTS: usize = 5_000;

/// Marks the digests of the version that a deploy brought out; the first mark of a digest stays.
pub(crate) async fn mark(
    transaction: &DatabaseTransaction,
    digests: &[String],
    deploy: &DeployRecord,
    reason: &str,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    for digest in digests {
        let row = ActiveModel {
            digest: Set(digest.clone()),
            workload_id: Set(deploy.workload_id),
            deploy_id: Set(deploy.id),
            commit_id: Set(deploy.commit.clone()),
            reason: Set(reason.to_owned()),
            marked_by: Set(by.to_owned()),
            marked_at_ms: Set(ms(now)),
        };
        Entity::insert(row)
            .on_conflict_do_nothing_on([Column::Digest])
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}

/// Takes back the marks that were made with the request of a rollback which is not to be; gives the
/// deploy whose version bore them. What had been marked before stays, and so does all else.
pub(crate) async fn unmark(
    transaction: &DatabaseTransaction,
    rollback: &deploy::Model,
) -> Result<Option<i64>, StoreError> {
    let is_rollback = rollback.kind == word(&DeployKind::Rollback);
    let Some(left) = rollback.mends.filter(|_| is_rollback) else {
        return Ok(None);
    };
    let gone = Entity::delete_many()
        .filter(Column::DeployId.eq(left))
        .filter(Column::MarkedBy.eq(rollback.requested_by.as_str()))
        .filter(Column::MarkedAtMs.eq(rollback.created_at_ms))
        .exec(transaction)
        .await?;
    Ok((gone.rows_affected > 0).then_some(left))
}

/// The mark that an artifact bears, of these.
pub fn mark_of<'a>(artifact: &ArtifactRecord, marks: &'a [BadArtifact]) -> Option<&'a BadArtifact> {
    let digests = artifact.digests();
    marks.iter().find(|mark| digests.contains(&mark.digest))
}

impl Store {
    /// The marks that these digests (at most 5,000) bear.
    pub async fn bad_artifacts(&self, digests: &[String]) -> Result<Vec<BadArtifact>, StoreError> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = digests.iter().take(MAX_DIGESTS).map(String::as_str);
        let join: sea_orm::RelationDef = Entity::belongs_to(workload::Entity)
            .from(Column::WorkloadId)
            .to(workload::Column::Id)
            .into();
        let rows = Entity::find()
            .join(sea_orm::JoinType::InnerJoin, join)
            .select_also(workload::Entity)
            .filter(Column::Digest.is_in(wanted))
            .order_by_asc(Column::MarkedAtMs)
            .all(&self.read)
            .await?;
        rows.into_iter()
            .map(|(mark, workload)| {
                Ok(BadArtifact {
                    digest: mark.digest,
                    workload: workload.map(|workload| workload.name).unwrap_or_default(),
                    deploy_id: mark.deploy_id,
                    commit: mark.commit_id,
                    reason: mark.reason,
                    by: mark.marked_by,
                    at: at("bad_artifact.marked_at_ms", mark.marked_at_ms)?,
                })
            })
            .collect()
    }

    /// The marks that artifacts of these deploys bear, by workload: two queries, whatever the number.
    pub(crate) async fn marks_of_deploys(
        &self,
        deploys: &[i64],
    ) -> Result<HashMap<i64, BadArtifact>, StoreError> {
        let artifacts = self.artifacts_of_deploys(deploys).await?;
        let digests: Vec<String> = artifacts.iter().flat_map(ArtifactRecord::digests).collect();
        let marks = self.bad_artifacts(&digests).await?;
        let marked = artifacts.iter().filter_map(|artifact| {
            let mark = mark_of(artifact, &marks)?;
            Some((artifact.workload_id, mark.clone()))
        });
        Ok(marked.collect())
    }

    /// Names of the workloads that have an artifact of this deploy's commit, the deploy's own among
    /// them. An image has the commit that it was built from among its labels, so that others can have
    /// the very same one by that commit alone.
    pub async fn workloads_with_artifact_of(
        &self,
        deploy_id: i64,
    ) -> Result<Vec<String>, StoreError> {
        let Some(deploy) = self.deploy(deploy_id).await? else {
            return Ok(Vec::new());
        };
        let join: sea_orm::RelationDef = workload::Entity::belongs_to(artifact::Entity)
            .from(workload::Column::Id)
            .to(artifact::Column::WorkloadId)
            .into();
        let find = workload::Entity::find()
            .select_only()
            .column(workload::Column::Name)
            .join(sea_orm::JoinType::InnerJoin, join)
            .filter(workload::Column::DeletedAtMs.is_null())
            .filter(artifact::Column::CommitId.eq(deploy.commit));
        Ok(find.into_tuple().all(&self.read).await?)
    }
}
