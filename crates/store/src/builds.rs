//! Builds: one for a commit of a workload, however often it is asked for. Asking, looking,
//! stopping; working on them is in `build_leases`.

use hermez_api::{Build, BuildState, Page};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, RelationDef, Select, TryInsertResult, UpdateMany,
};

use crate::entity::build::{ActiveModel, Column, Entity, Model};
use crate::entity::workload;
use crate::page::MapPage;
use crate::words::{at, maybe_at, ms, value, word};
use crate::workloads::{Hold, require_living};
use crate::{BuildRecord, Change, PageRequest, Store, StoreError};

/// A build to ask for.
#[derive(Debug, Clone)]
pub struct NewBuild {
    /// Its workload.
    pub workload_id: i64,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// Who or what asks.
    pub requested_by: String,
    /// Try again where an earlier try failed or was canceled.
    pub retry: bool,
}

/// The commit's one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedBuild {
    /// The build.
    pub build: BuildRecord,
    /// Whether this call queued it (first, or again).
    pub queued: bool,
}

/// Which builds are wanted; absent fields match everything.
#[derive(Debug, Clone, Default)]
pub struct BuildFilter {
    /// Workload's number.
    pub workload_id: Option<i64>,
    /// States, any of these; empty matches all.
    pub states: Vec<BuildState>,
}

/// What errors call a row.
pub(crate) const WHAT: &str = "build";
/// Name of this list in cursors.
const LIST: &str = "build";

/// A build with its workload's name.
#[derive(FromQueryResult)]
pub(crate) struct Row {
    #[sea_orm(nested)]
    build: Model,
    workload_name: String,
}

impl Row {
    pub(crate) fn record(self) -> Result<BuildRecord, StoreError> {
        let build = self.build;
        Ok(BuildRecord {
            id: build.id,
            workload_id: build.workload_id,
            workload: self.workload_name,
            commit: build.commit_id,
            title: build.title,
            state: value("build.state", &build.state)?,
            attempt: build.attempt,
            requested_by: build.requested_by,
            created_at: at("build.created_at_ms", build.created_at_ms)?,
            started_at: maybe_at("build.started_at_ms", build.started_at_ms)?,
            finished_at: maybe_at("build.finished_at_ms", build.finished_at_ms)?,
            error: build.error,
            hint: build.hint,
            message: build.message,
            cancel_requested: build.cancel_requested,
            waits: build.waits,
        })
    }
}

pub(crate) fn with_workload() -> Select<Entity> {
    let workload: RelationDef = Entity::belongs_to(workload::Entity)
        .from(Column::WorkloadId)
        .to(workload::Column::Id)
        .into();
    Entity::find()
        .join(JoinType::InnerJoin, workload)
        .column_as(workload::Column::Name, "workload_name")
}

pub(crate) fn missing(id: i64) -> StoreError {
    let key = id.to_string();
    StoreError::NotFound { what: WHAT, key }
}

/// Sets a build to wait for its (next) try, forgetting how the last one ended.
fn queue(update: UpdateMany<Entity>, due: Timestamp) -> UpdateMany<Entity> {
    update
        .col_expr(Column::State, Expr::val(word(&BuildState::Queued)))
        .col_expr(Column::DueAtMs, Expr::val(ms(due)))
        .col_expr(Column::CancelRequested, Expr::val(false))
        .col_expr(Column::FinishedAtMs, Expr::val(Option::<i64>::None))
        .col_expr(Column::Error, Expr::val(Option::<String>::None))
        .col_expr(Column::Hint, Expr::val(Option::<String>::None))
}

impl Store {
    /// The commit's one build, queued where there is none (or, with `retry`, where the last try
    /// failed or was canceled). Many calls at once get the same build; one of them queued it.
    /// [`StoreError::NotFound`] when the workload is deleted.
    pub async fn request_build(
        &self,
        new: &NewBuild,
        now: Timestamp,
    ) -> Result<RequestedBuild, StoreError> {
        let row = ActiveModel {
            workload_id: Set(new.workload_id),
            commit_id: Set(new.commit.clone()),
            title: Set(new.title.clone()),
            state: Set(word(&BuildState::Queued)),
            attempt: Set(1),
            requested_by: Set(new.requested_by.clone()),
            created_at_ms: Set(ms(now)),
            due_at_ms: Set(ms(now)),
            message: Set(String::new()),
            cancel_requested: Set(false),
            waits: Set(0),
            fence: Set(0),
            log_seq: Set(0),
            log_bytes: Set(0),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        require_living(&transaction, new.workload_id, Hold::Shared).await?;
        let inserted = Entity::insert(row)
            .on_conflict_do_nothing_on([Column::WorkloadId, Column::CommitId])
            .exec_without_returning(&transaction)
            .await?;
        let mut queued = matches!(inserted, TryInsertResult::Inserted(1..));
        if !queued && new.retry {
            let ended = [BuildState::Failed, BuildState::Canceled].map(|state| word(&state));
            let again = queue(Entity::update_many(), now)
                .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1))
                .col_expr(Column::RequestedBy, Expr::val(new.requested_by.as_str()))
                .col_expr(Column::StartedAtMs, Expr::val(Option::<i64>::None))
                .col_expr(Column::Waits, Expr::val(0))
                .col_expr(Column::Message, Expr::val(""))
                .filter(Column::WorkloadId.eq(new.workload_id))
                .filter(Column::CommitId.eq(new.commit.as_str()))
                .filter(Column::State.is_in(ended))
                .exec(&transaction)
                .await?;
            queued = again.rows_affected == 1;
        }
        let find = with_workload()
            .filter(Column::WorkloadId.eq(new.workload_id))
            .filter(Column::CommitId.eq(new.commit.as_str()));
        let row = find.into_model::<Row>().one(&transaction).await?;
        self.commit_recorded(transaction).await?;
        let build = row.ok_or_else(|| missing(0))?.record()?;
        if queued {
            self.announce(Change::Build(build.id));
        }
        Ok(RequestedBuild { build, queued })
    }

    /// The build with this number.
    pub async fn build(&self, id: i64) -> Result<Option<BuildRecord>, StoreError> {
        let find = with_workload()
            .filter(Column::Id.eq(id))
            .into_model::<Row>();
        find.one(&self.read).await?.map(Row::record).transpose()
    }

    /// The build with its steps and its artifact.
    pub async fn build_in_full(&self, id: i64) -> Result<Option<Build>, StoreError> {
        let Some(build) = self.build(id).await? else {
            return Ok(None);
        };
        let artifact = match build.state {
            BuildState::Succeeded => self.artifact(build.workload_id, &build.commit).await?,
            _ => None,
        };
        Ok(Some(Build {
            steps: self.build_steps(id).await?,
            artifact: artifact.map(|artifact| artifact.summary()),
            summary: build.summary(),
        }))
    }

    /// Builds, newest first.
    pub async fn builds(
        &self,
        filter: &BuildFilter,
        page: &PageRequest,
    ) -> Result<Page<BuildRecord>, StoreError> {
        let mut find = with_workload()
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(workload_id) = filter.workload_id {
            find = find.filter(Column::WorkloadId.eq(workload_id));
        }
        if !filter.states.is_empty() {
            find = find.filter(Column::State.is_in(filter.states.iter().map(word)));
        }
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.into_model::<Row>().all(&self.read).await?;
        page.page(LIST, rows, |row| row.build.id)
            .try_map(Row::record)
    }

    /// The builds of these commits (at most 1,000) for a workload; one query.
    pub async fn builds_of_commits(
        &self,
        workload_id: i64,
        commits: &[String],
    ) -> Result<Vec<BuildRecord>, StoreError> {
        let commits = commits.iter().take(1000).map(String::as_str);
        let find = with_workload()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::CommitId.is_in(commits));
        let rows = find.into_model::<Row>().all(&self.read).await?;
        rows.into_iter().map(Row::record).collect()
    }

    /// Stops a build: a queued one at once, a running one as soon as its builder hears of it. One
    /// that has ended stays as it is.
    pub async fn cancel_build(&self, id: i64, now: Timestamp) -> Result<BuildRecord, StoreError> {
        let transaction = self.begin().await?;
        cancel(&transaction, Column::Id.eq(id), now).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Build(id));
        self.build(id).await?.ok_or_else(|| missing(id))
    }
}

/// Stops the builds that `which` picks: queued ones at once, running ones by their builders.
async fn cancel(
    transaction: &DatabaseTransaction,
    which: Expr,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Running ones first: one that becomes queued in between (it waits) is caught by the second.
    Entity::update_many()
        .col_expr(Column::CancelRequested, Expr::val(true))
        .filter(which.clone())
        .filter(Column::State.eq(word(&BuildState::Running)))
        .exec(transaction)
        .await?;
    Entity::update_many()
        .col_expr(Column::State, Expr::val(word(&BuildState::Canceled)))
        .col_expr(Column::FinishedAtMs, Expr::val(ms(now)))
        .col_expr(Column::Message, Expr::val(""))
        .filter(which)
        .filter(Column::State.eq(word(&BuildState::Queued)))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Stops every build that waits or runs for a workload; gives their numbers.
pub(crate) async fn cancel_all_of(
    transaction: &DatabaseTransaction,
    workload_id: i64,
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let open = [BuildState::Queued, BuildState::Running].map(|state| word(&state));
    let find = Entity::find()
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::State.is_in(open));
    let builds = find.all(transaction).await?;
    cancel(transaction, Column::WorkloadId.eq(workload_id), now).await?;
    Ok(builds.into_iter().map(|build| build.id).collect())
}
