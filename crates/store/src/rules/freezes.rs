//! Freezes and the exceptions from them.

use hermez_api::{Freeze, FreezeException, Page};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
};

use super::entity::freeze::{ActiveModel, Column, Entity, Model};
use super::entity::freeze_exception::{self as exception, Column as ExceptionColumn};
use crate::entity::workload;
use crate::words::{at, maybe_at, ms};
use crate::{Change, PageRequest, Store, StoreError};

/// Status of the answer to who makes one.
const CREATED: u16 = 201;
/// Most freezes that are looked at for one workload.
const OPEN_MAX: u64 = 200;
/// Most exceptions of one freeze that are kept.
const EXCEPTIONS_MAX: u64 = 500;
/// Name of this list in cursors.
const LIST: &str = "freeze";
/// What errors call a row.
const WHAT: &str = "freeze";

/// A freeze to make.
#[derive(Debug, Clone)]
pub struct NewFreeze {
    /// Project; everything when absent.
    pub project: Option<String>,
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
}

/// An exception to grant.
#[derive(Debug, Clone)]
pub struct NewException {
    /// The workload.
    pub workload_id: i64,
    /// The one deploy that is meant; all of the workload when absent.
    pub deploy_id: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who grants it.
    pub by: String,
}

fn missing(id: i64) -> StoreError {
    let key = id.to_string();
    StoreError::NotFound { what: WHAT, key }
}

fn freeze(model: Model, exceptions: Vec<FreezeException>) -> Result<Freeze, StoreError> {
    Ok(Freeze {
        id: model.id,
        project: model.project,
        from: at("deploy_freeze.from_ms", model.from_ms)?,
        until: maybe_at("deploy_freeze.until_ms", model.until_ms)?,
        reason: model.reason,
        by: model.created_by,
        created_at: at("deploy_freeze.created_at_ms", model.created_at_ms)?,
        ended_at: maybe_at("deploy_freeze.ended_at_ms", model.ended_at_ms)?,
        ended_by: model.ended_by,
        exceptions,
    })
}

/// Of what is not over.
fn open_at(now: Timestamp) -> Condition {
    let until = Condition::any()
        .add(Column::UntilMs.is_null())
        .add(Column::UntilMs.gt(ms(now)));
    Condition::all().add(Column::EndedAtMs.is_null()).add(until)
}

impl Store {
    /// Freezes that are not over, also those that have not begun, oldest first, at most 200: all,
    /// or those that hold a project's workloads.
    pub async fn open_freezes(
        &self,
        project: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Freeze>, StoreError> {
        let mut find = Entity::find()
            .filter(open_at(now))
            .order_by_asc(Column::Id)
            .limit(OPEN_MAX);
        if let Some(project) = project {
            let of_project = Condition::any()
                .add(Column::Project.is_null())
                .add(Column::Project.eq(project));
            find = find.filter(of_project);
        }
        let models = find.all(&self.read).await?;
        self.with_exceptions(models).await
    }

    /// How many freezes are not over.
    pub async fn count_open_freezes(&self, now: Timestamp) -> Result<u64, StoreError> {
        let find = Entity::find().filter(open_at(now));
        Ok(find.count(&self.read).await?)
    }

    /// Freezes, newest first: all, or those that are not over at `open`.
    pub async fn freezes(
        &self,
        open: Option<Timestamp>,
        page: &PageRequest,
    ) -> Result<Page<Freeze>, StoreError> {
        let mut find = Entity::find()
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(now) = open {
            find = find.filter(open_at(now));
        }
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.all(&self.read).await?;
        let page = page.page(LIST, rows, |row| row.id);
        Ok(Page {
            items: self.with_exceptions(page.items).await?,
            next_cursor: page.next_cursor,
        })
    }

    /// The freeze with this number.
    pub async fn freeze(&self, id: i64) -> Result<Option<Freeze>, StoreError> {
        let found = Entity::find_by_id(id).one(&self.read).await?;
        let found = self.with_exceptions(found.into_iter().collect()).await?;
        Ok(found.into_iter().next())
    }

    async fn with_exceptions(&self, models: Vec<Model>) -> Result<Vec<Freeze>, StoreError> {
        if models.is_empty() {
            return Ok(Vec::new());
        }
        let join: RelationDef = exception::Entity::belongs_to(workload::Entity)
            .from(ExceptionColumn::WorkloadId)
            .to(workload::Column::Id)
            .into();
        let find = exception::Entity::find()
            .join(JoinType::InnerJoin, join)
            .select_also(workload::Entity)
            .filter(ExceptionColumn::FreezeId.is_in(models.iter().map(|model| model.id)))
            .order_by_asc(ExceptionColumn::Id);
        let mut granted = Vec::new();
        for (row, workload) in find.all(&self.read).await? {
            let granted_at = at("freeze_exception.granted_at_ms", row.granted_at_ms)?;
            let of = FreezeException {
                workload: workload.map(|workload| workload.name).unwrap_or_default(),
                deploy_id: row.deploy_id,
                reason: row.reason,
                by: row.granted_by,
                at: granted_at,
            };
            granted.push((row.freeze_id, of));
        }
        let freezes = models.into_iter().map(|model| {
            let own = granted.iter().filter(|(id, _)| *id == model.id);
            let own = own.map(|(_, exception)| exception.clone()).collect();
            freeze(model, own)
        });
        freezes.collect()
    }

    /// Makes a freeze.
    pub async fn create_freeze(
        &self,
        new: &NewFreeze,
        now: Timestamp,
    ) -> Result<Freeze, StoreError> {
        let row = ActiveModel {
            project: Set(new.project.clone()),
            from_ms: Set(ms(new.from)),
            until_ms: Set(new.until.map(ms)),
            reason: Set(new.reason.clone()),
            created_by: Set(new.by.clone()),
            created_at_ms: Set(ms(now)),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        let model = Entity::insert(row)
            .exec_with_returning(&transaction)
            .await?;
        let made = freeze(model, Vec::new())?;
        self.commit_answered(transaction, CREATED, &made).await?;
        self.announce(Change::Rules);
        Ok(made)
    }

    /// Ends a freeze; one that has ended stays as it is.
    pub async fn end_freeze(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Freeze, StoreError> {
        let transaction = self.begin().await?;
        Entity::update_many()
            .col_expr(Column::EndedAtMs, Expr::val(ms(now)))
            .col_expr(Column::EndedBy, Expr::val(by))
            .filter(Column::Id.eq(id))
            .filter(open_at(now))
            .exec(&transaction)
            .await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        self.freeze(id).await?.ok_or_else(|| missing(id))
    }

    /// Grants an exception; the same one again changes nothing. `Ok(None)` when the freeze has
    /// ended, or has as many exceptions as are kept.
    pub async fn except_from_freeze(
        &self,
        id: i64,
        new: &NewException,
        now: Timestamp,
    ) -> Result<Option<Freeze>, StoreError> {
        let transaction = self.begin().await?;
        let find = Entity::find_by_id(id).lock_exclusive();
        let Some(model) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        let over = model.ended_at_ms.is_some() || model.until_ms.is_some_and(|end| end <= ms(now));
        let of = exception::Entity::find().filter(ExceptionColumn::FreezeId.eq(id));
        let same = match new.deploy_id {
            Some(deploy) => ExceptionColumn::DeployId.eq(deploy),
            None => ExceptionColumn::DeployId.is_null(),
        };
        let there = of
            .clone()
            .filter(ExceptionColumn::WorkloadId.eq(new.workload_id))
            .filter(same);
        let is_there = there.one(&transaction).await?.is_some();
        if !is_there && (over || of.count(&transaction).await? >= EXCEPTIONS_MAX) {
            return Ok(None);
        }
        if !is_there {
            let row = exception::ActiveModel {
                freeze_id: Set(id),
                workload_id: Set(new.workload_id),
                deploy_id: Set(new.deploy_id),
                reason: Set(new.reason.clone()),
                granted_by: Set(new.by.clone()),
                granted_at_ms: Set(ms(now)),
                ..Default::default()
            };
            exception::Entity::insert(row)
                .exec_without_returning(&transaction)
                .await?;
        }
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        self.freeze(id).await
    }
}
