//! Artifacts that are not to be deployed again, by the digests of their manifests and images.

use hermez_api::BadArtifact;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::entity::bad_artifact::{ActiveModel, Column, Entity};
use crate::entity::workload;
use crate::words::{at, ms};
use crate::{DeployRecord, Store, StoreError};

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
}
