//! What delivery is measured by: the deploys of a span of time, in one query.

use hermez_api::{DeployKind, DeployState};
use jiff::Timestamp;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};

use crate::entity::deploy::{Column, Entity};
use crate::entity::{artifact, workload};
use crate::words::{at, maybe_at, ms, value, word};
use crate::{Store, StoreError};

/// Whose delivery is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOf<'a> {
    /// A workload's, by its number.
    Workload(i64),
    /// That of all workloads of a project, also of those that are deleted.
    Project(&'a str),
}

/// What one deploy says about delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Number of the deploy.
    pub id: i64,
    /// Its workload.
    pub workload_id: i64,
    /// What it does.
    pub kind: DeployKind,
    /// How far it is.
    pub state: DeployState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was first written to the cluster.
    pub applied_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The deploy whose version a rollback or restart brings out.
    pub of_deploy: Option<i64>,
    /// The deploy that a rollback leaves, or that a hotfix is made on.
    pub mends: Option<i64>,
    /// When its commit was made; nothing where that is not known.
    pub committed_at: Option<Timestamp>,
    /// Whether an earlier deploy of the workload has brought the same commit out.
    pub delivered_before: bool,
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    workload_id: i64,
    kind: String,
    state: String,
    created_at_ms: i64,
    applied_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
    of_deploy: Option<i64>,
    mends: Option<i64>,
    committed_at_ms: Option<i64>,
    delivered_before: bool,
}

impl Row {
    fn record(self) -> Result<DeliveryRow, StoreError> {
        Ok(DeliveryRow {
            id: self.id,
            workload_id: self.workload_id,
            kind: value("deploy.kind", &self.kind)?,
            state: value("deploy.state", &self.state)?,
            created_at: at("deploy.created_at_ms", self.created_at_ms)?,
            applied_at: maybe_at("deploy.applied_at_ms", self.applied_at_ms)?,
            finished_at: maybe_at("deploy.finished_at_ms", self.finished_at_ms)?,
            of_deploy: self.of_deploy,
            mends: self.mends,
            committed_at: maybe_at("artifact.committed_at_ms", self.committed_at_ms)?,
            delivered_before: self.delivered_before,
        })
    }
}

impl Store {
    /// Deploys that were asked for at `since` or later, newest first, at most `limit`; none of pull
    /// requests.
    pub async fn delivery(
        &self,
        of: DeliveryOf<'_>,
        since: Timestamp,
        limit: u64,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let artifacts: RelationDef = Entity::belongs_to(artifact::Entity)
            .from((Column::WorkloadId, Column::CommitId))
            .to((artifact::Column::WorkloadId, artifact::Column::CommitId))
            .into();
        let same = |column: Column| Expr::col(("d", column)).equals((Entity, column));
        let earlier = Query::select()
            .expr(Expr::val(1))
            .from_as(Entity, "d")
            .and_where(same(Column::WorkloadId))
            .and_where(same(Column::CommitId))
            .and_where(Expr::col(("d", Column::Id)).lt(Expr::col((Entity, Column::Id))))
            .and_where(Expr::col(("d", Column::State)).eq(word(&DeployState::Succeeded)))
            .and_where(Expr::col(("d", Column::PullRequest)).is_null())
            .to_owned();
        let mut find = Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::WorkloadId,
                Column::Kind,
                Column::State,
                Column::CreatedAtMs,
                Column::AppliedAtMs,
                Column::FinishedAtMs,
                Column::OfDeploy,
                Column::Mends,
            ])
            .column(artifact::Column::CommittedAtMs)
            .column_as(Expr::exists(earlier), "delivered_before")
            .join(JoinType::LeftJoin, artifacts)
            .filter(Column::PullRequest.is_null())
            .filter(Column::CreatedAtMs.gte(ms(since)))
            .order_by_desc(Column::Id)
            .limit(limit);
        find = match of {
            DeliveryOf::Workload(id) => find.filter(Column::WorkloadId.eq(id)),
            DeliveryOf::Project(name) => {
                let workloads = Query::select()
                    .column(workload::Column::Id)
                    .from(workload::Entity)
                    .and_where(workload::Column::Project.eq(name))
                    .to_owned();
                find.filter(Column::WorkloadId.in_subquery(workloads))
            }
        };
        let rows = find.into_model::<Row>().all(&self.read).await?;
        rows.into_iter().map(Row::record).collect()
    }

    /// When the first workload of a project was created, also where it is deleted; none where there
    /// never was one.
    pub async fn project_began_at(&self, project: &str) -> Result<Option<Timestamp>, StoreError> {
        let find = workload::Entity::find()
            .filter(workload::Column::Project.eq(project))
            .order_by_asc(workload::Column::CreatedAtMs)
            .limit(1);
        let first = find.one(&self.read).await?;
        first
            .map(|first| at("workload.created_at_ms", first.created_at_ms))
            .transpose()
    }
}
