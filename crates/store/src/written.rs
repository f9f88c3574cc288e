//! What was written to the cluster last, and what ran before it. A restart overtakes deploys that
//! wait, so that numbers do not tell: what changes one instance is written one after the other.

use hermez_api::{DeployKind, DeployState};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::deploys::{Row, with_workload};
use crate::entity::deploy::{Column, Entity, Model};
use crate::entity::workload;
use crate::words::{ms, word};
use crate::{DeployRecord, Store, StoreError};

/// Deploys of a workload itself that were written to the cluster, the last one first.
fn written(workload_id: i64) -> Select<Entity> {
    with_workload()
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::PullRequest.is_null())
        .filter(Column::AppliedAtMs.is_not_null())
        .order_by_desc(Column::AppliedAtMs)
        .order_by_desc(Column::Id)
}

/// Numbers of the newest deploy of each workload, or of the one that `runs`: that succeeded, and was
/// written last. One look into an index for each.
fn last_of(workloads: &[i64], runs: bool) -> SelectStatement {
    let mut last = Query::select()
        .column(("d", Column::Id))
        .from_as(Entity, "d")
        .and_where(
            Expr::col(("d", Column::WorkloadId)).equals((workload::Entity, workload::Column::Id)),
        )
        // What becomes of pull requests is not what becomes of the workload.
        .and_where(Expr::col(("d", Column::PullRequest)).is_null())
        .to_owned();
    if runs {
        last.and_where(Expr::col(("d", Column::State)).eq(word(&DeployState::Succeeded)))
            .and_where(Expr::col(("d", Column::AppliedAtMs)).is_not_null())
            .order_by(("d", Column::AppliedAtMs), Order::Desc);
    }
    last.order_by(("d", Column::Id), Order::Desc).limit(1);
    Query::select()
        .expr(Expr::SubQuery(None, Box::new(last.into())))
        .from(workload::Entity)
        .and_where(workload::Column::Id.is_in(workloads.iter().copied()))
        .to_owned()
}

/// The newest deploy of a workload itself that was asked for because of its commit: a restart is
/// asked for whatever runs.
pub(crate) async fn newest_wanted<C: ConnectionTrait>(
    connection: &C,
    workload_id: i64,
) -> Result<Option<Model>, StoreError> {
    let find = Entity::find()
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::PullRequest.is_null())
        .filter(Column::Kind.ne(word(&DeployKind::Restart)))
        .order_by_desc(Column::Id);
    Ok(find.one(connection).await?)
}

impl Store {
    /// Deploys of a workload itself that were written to the cluster, the last one first, at most
    /// `limit`.
    pub async fn applied_deploys(
        &self,
        workload_id: i64,
        limit: u64,
    ) -> Result<Vec<DeployRecord>, StoreError> {
        let find = written(workload_id).limit(limit);
        let rows = find.into_model::<Row>().all(&self.read).await?;
        rows.into_iter().map(Row::record).collect()
    }

    /// The last deploy of its workload itself that succeeded and was written before this one; where
    /// this one was not written, the last of all.
    pub async fn good_deploy_before(
        &self,
        deploy: &DeployRecord,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let mut find = written(deploy.workload_id)
            .filter(Column::State.eq(word(&DeployState::Succeeded)))
            .filter(Column::Id.ne(deploy.id));
        if let Some(written_at) = deploy.applied_at {
            find = find.filter(Column::AppliedAtMs.lte(ms(written_at)));
        }
        let row = find.into_model::<Row>().one(&self.read).await?;
        row.map(Row::record).transpose()
    }

    /// The commit that was asked for last for a workload itself, whatever became of it; a restart
    /// asks for none.
    pub async fn newest_wanted_commit(
        &self,
        workload_id: i64,
    ) -> Result<Option<String>, StoreError> {
        let newest = newest_wanted(&self.read, workload_id).await?;
        Ok(newest.map(|newest| newest.commit_id))
    }

    /// The newest deploy of each of these workloads, and the one that runs; one query.
    pub(crate) async fn outstanding_deploys(
        &self,
        workloads: &[i64],
    ) -> Result<Vec<DeployRecord>, StoreError> {
        if workloads.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = last_of(workloads, false);
        ids.union(UnionType::All, last_of(workloads, true));
        let find = with_workload().filter(Column::Id.in_subquery(ids));
        let rows = find.into_model::<Row>().all(&self.read).await?;
        rows.into_iter().map(Row::record).collect()
    }
}
