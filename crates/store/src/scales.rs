//! The ledger of how many pods were wanted: who asked for what, why, and how far it came.
//!
//! At most one change of a workload stands (`pending` or `active`) at a time; a newer one takes the
//! place of the one before in the same transaction.

use hermez_api::{
    AutoscalingSettings, Page, ScaleBounds, ScaleChange, ScaleChangeKind, ScaleChangeState,
};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, RelationDef, Select,
};

use crate::entity::scale_change::{ActiveModel, Column, Entity, Model};
use crate::entity::workload;
use crate::page::MapPage;
use crate::words::{at, from_json, json, maybe_at, ms, value, word};
use crate::workloads::{Hold, change_one, require_living};
use crate::{Change, PageRequest, Store, StoreError, WorkloadRecord};

/// Status of the answer to who asks.
const ACCEPTED: u16 = 202;
/// Name of this list in cursors.
const LIST: &str = "scale_change";

/// A change to ask for.
#[derive(Debug, Clone)]
pub struct NewScaleChange {
    /// Its workload.
    pub workload_id: i64,
    /// What it wants.
    pub kind: ScaleChangeKind,
    /// Pods wanted, with [`ScaleChangeKind::Replicas`].
    pub replicas: Option<i32>,
    /// Pods wanted before.
    pub replicas_before: Option<i32>,
    /// Bounds and targets, with [`ScaleChangeKind::Autoscaling`].
    pub autoscaling: Option<AutoscalingSettings>,
    /// Whether it turns an autoscaler off.
    pub fixed: bool,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// A change with its workload's number.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleChangeRecord {
    /// Its workload.
    pub workload_id: i64,
    /// The change.
    pub change: ScaleChange,
}

/// How a change goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleWrite {
    /// New state.
    pub state: ScaleChangeState,
    /// What it waits for, or why it was refused or has ended.
    pub message: Option<String>,
    /// When there is something to do again.
    pub due_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    change: Model,
    workload_name: String,
}

impl Row {
    fn record(self) -> Result<ScaleChangeRecord, StoreError> {
        let change = self.change;
        let autoscaling = change
            .autoscaling
            .map(|text| from_json("scale_change.autoscaling", &text))
            .transpose()?;
        Ok(ScaleChangeRecord {
            workload_id: change.workload_id,
            change: ScaleChange {
                id: change.id,
                workload: self.workload_name,
                kind: value("scale_change.kind", &change.kind)?,
                replicas: change.replicas,
                replicas_before: change.replicas_before,
                autoscaling,
                fixed: change.fixed,
                reason: change.reason,
                by: change.requested_by,
                at: at("scale_change.created_at_ms", change.created_at_ms)?,
                until: maybe_at("scale_change.until_ms", change.until_ms)?,
                state: value("scale_change.state", &change.state)?,
                message: change.message,
            },
        })
    }
}

fn with_workload() -> Select<Entity> {
    let workload: RelationDef = Entity::belongs_to(workload::Entity)
        .from(Column::WorkloadId)
        .to(workload::Column::Id)
        .into();
    Entity::find()
        .join(JoinType::InnerJoin, workload)
        .column_as(workload::Column::Name, "workload_name")
}

/// The words of the states in which a change stands.
fn standing() -> [String; 2] {
    [ScaleChangeState::Pending, ScaleChangeState::Active].map(|state| word(&state))
}

/// Ends what stands of a workload.
pub(crate) async fn end_standing(
    transaction: &DatabaseTransaction,
    workload_id: i64,
    state: ScaleChangeState,
    message: &str,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::State, Expr::val(word(&state)))
        .col_expr(Column::Message, Expr::val(message))
        .col_expr(Column::DueAtMs, Expr::val(Option::<i64>::None))
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::State.is_in(standing()))
        .exec(transaction)
        .await?;
    Ok(())
}

/// The change that a standing one took the place of. Whoever asks for another one waits from here on.
async fn before(transaction: &DatabaseTransaction, id: i64) -> Result<Option<Model>, StoreError> {
    let Some(change) = Entity::find_by_id(id).one(transaction).await? else {
        return Ok(None);
    };
    let workload = workload::Entity::find_by_id(change.workload_id);
    workload.lock_exclusive().one(transaction).await?;
    let before = Entity::find()
        .filter(Column::WorkloadId.eq(change.workload_id))
        .filter(Column::Id.lt(id))
        .filter(Column::State.ne(word(&ScaleChangeState::Refused)))
        .order_by_desc(Column::Id);
    let replaced = word(&ScaleChangeState::Replaced);
    let before = before.one(transaction).await?;
    Ok(before.filter(|it| it.state == replaced))
}

impl Store {
    /// Keeps a new change, to be done by `due_at`, in place of the one that stood;
    /// [`StoreError::NotFound`] when the workload is deleted.
    pub async fn request_scale(
        &self,
        new: &NewScaleChange,
        now: Timestamp,
        due_at: Timestamp,
    ) -> Result<ScaleChangeRecord, StoreError> {
        let transaction = self.begin().await?;
        // Exclusive: of two that ask at once, the second replaces the first.
        require_living(&transaction, new.workload_id, Hold::Alone).await?;
        let message = format!("{} asked for something else", new.by);
        let replaced = ScaleChangeState::Replaced;
        end_standing(&transaction, new.workload_id, replaced, &message).await?;
        let row = ActiveModel {
            workload_id: Set(new.workload_id),
            kind: Set(word(&new.kind)),
            replicas: Set(new.replicas),
            replicas_before: Set(new.replicas_before),
            autoscaling: Set(new.autoscaling.as_ref().map(json)),
            fixed: Set(new.fixed),
            reason: Set(new.reason.clone()),
            requested_by: Set(new.by.clone()),
            created_at_ms: Set(ms(now)),
            until_ms: Set(new.until.map(ms)),
            state: Set(word(&ScaleChangeState::Pending)),
            due_at_ms: Set(Some(ms(due_at))),
            ..Default::default()
        };
        let model = Entity::insert(row)
            .exec_with_returning(&transaction)
            .await?;
        let row = with_workload()
            .filter(Column::Id.eq(model.id))
            .into_model::<Row>()
            .one(&transaction)
            .await?;
        let record = row.ok_or_else(|| missing(model.id))?.record()?;
        self.commit_answered(transaction, ACCEPTED, &record.change)
            .await?;
        self.announce(Change::Workload(record.change.workload.clone()));
        Ok(record)
    }

    /// The change with this number.
    pub async fn scale_change(&self, id: i64) -> Result<Option<ScaleChangeRecord>, StoreError> {
        let find = with_workload().filter(Column::Id.eq(id));
        let row = find.into_model::<Row>().one(&self.read).await?;
        row.map(Row::record).transpose()
    }

    /// The change of a workload that stands.
    pub async fn standing_scale(
        &self,
        workload_id: i64,
    ) -> Result<Option<ScaleChangeRecord>, StoreError> {
        let find = with_workload()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::State.is_in(standing()));
        let row = find.into_model::<Row>().one(&self.read).await?;
        row.map(Row::record).transpose()
    }

    /// The ledger of a workload, newest first.
    pub async fn scale_changes(
        &self,
        workload_id: i64,
        page: &PageRequest,
    ) -> Result<Page<ScaleChange>, StoreError> {
        let mut find = with_workload()
            .filter(Column::WorkloadId.eq(workload_id))
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.into_model::<Row>().all(&self.read).await?;
        page.page(LIST, rows, |row| row.change.id)
            .try_map(|row| Ok(row.record()?.change))
    }

    /// Changes for which there is something to do, the longest due first, at most `limit`.
    pub async fn due_scales(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<ScaleChangeRecord>, StoreError> {
        let find = with_workload()
            .filter(Column::DueAtMs.lte(ms(now)))
            .order_by_asc(Column::DueAtMs)
            .limit(limit);
        let rows = find.into_model::<Row>().all(&self.read).await?;
        rows.into_iter().map(Row::record).collect()
    }

    /// When there is something to do next.
    pub async fn next_scale_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let find = Entity::find()
            .filter(Column::DueAtMs.is_not_null())
            .order_by_asc(Column::DueAtMs);
        let next = find.one(&self.read).await?;
        maybe_at(
            "scale_change.due_at_ms",
            next.and_then(|model| model.due_at_ms),
        )
    }

    /// Writes how a change goes on, if it still stands; says whether it did. When the cluster refused
    /// it, the one that it took the place of stands again, with its end, and is due at once.
    pub async fn write_scale(&self, id: i64, write: &ScaleWrite) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let before = match write.state {
            ScaleChangeState::Refused => before(&transaction, id).await?,
            _ => None,
        };
        let written = Entity::update_many()
            .col_expr(Column::State, Expr::val(word(&write.state)))
            .col_expr(Column::Message, Expr::val(write.message.clone()))
            .col_expr(Column::DueAtMs, Expr::val(write.due_at.map(ms)))
            .filter(Column::Id.eq(id))
            .filter(Column::State.is_in(standing()))
            .exec(&transaction)
            .await?;
        if let Some(before) = before.filter(|_| written.rows_affected > 0) {
            Entity::update_many()
                .col_expr(Column::State, Expr::val(word(&ScaleChangeState::Pending)))
                .col_expr(Column::Message, Expr::val(Option::<String>::None))
                .col_expr(Column::DueAtMs, Expr::val(before.created_at_ms))
                .filter(Column::Id.eq(before.id))
                .exec(&transaction)
                .await?;
        }
        transaction.commit().await?;
        if written.rows_affected == 0 {
            return Ok(false);
        }
        if let Some(record) = self.scale_change(id).await? {
            self.announce(Change::Workload(record.change.workload));
        }
        Ok(true)
    }

    /// Sets what people may ask for; the caller has checked the numbers.
    pub async fn set_scale_bounds(
        &self,
        name: &str,
        bounds: ScaleBounds,
    ) -> Result<WorkloadRecord, StoreError> {
        let transaction = self.begin().await?;
        let change = workload::Entity::update_many()
            .col_expr(workload::Column::ScaleMin, Expr::val(bounds.min))
            .col_expr(workload::Column::ScaleMax, Expr::val(bounds.max));
        let changed = change_one(&transaction, name, None, change).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Workload(name.to_owned()));
        Ok(changed)
    }
}

fn missing(id: i64) -> StoreError {
    let key = id.to_string();
    StoreError::NotFound {
        what: "scale change",
        key,
    }
}
