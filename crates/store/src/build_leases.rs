//! Working on builds: leases and fenced writes.

use hermez_api::{ArtifactImage, BuildState};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

use crate::builds::{Row, WHAT, missing, with_workload};
use crate::entity::build::{Column, Entity};
use crate::entity::{artifact, build_step};
use crate::words::{json, maybe_at, ms, word};
use crate::{BuildRecord, Change, Lease, Store, StoreError};

/// How a try of a build ends.
#[derive(Debug, Clone)]
pub enum BuildOutcome {
    /// The artifact is published.
    Succeeded {
        /// The manifest's reference by digest.
        manifest: String,
        /// Images by digest.
        images: Vec<ArtifactImage>,
        /// When the commit was made (the committer's clock).
        committed_at: Timestamp,
    },
    /// It ended with an error.
    Failed {
        /// Why, in one sentence.
        error: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Somebody stopped it.
    Canceled,
    /// Something around it is down: it goes back to the queue until `not_before`.
    Waiting {
        /// What it waits for.
        message: String,
        /// When to try again.
        not_before: Timestamp,
    },
}

/// Takes the lease away.
fn unlease(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update
        .col_expr(Column::LeaseOwner, Expr::val(Option::<String>::None))
        .col_expr(Column::LeaseUntilMs, Expr::val(Option::<i64>::None))
}

/// Only the holder of the lease writes.
fn fenced(update: UpdateMany<Entity>, lease: Lease) -> UpdateMany<Entity> {
    update
        .filter(Column::Id.eq(lease.id))
        .filter(Column::Fence.eq(lease.fence))
        .filter(Column::State.eq(word(&BuildState::Running)))
}

fn lost(lease: Lease) -> StoreError {
    StoreError::LeaseLost {
        what: WHAT,
        id: lease.id,
    }
}

impl Store {
    /// Leases the oldest build that is due (queued, or running with a lease that ended) and marks
    /// it running.
    pub async fn acquire_build(
        &self,
        owner: &str,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<Option<(Lease, BuildRecord)>, StoreError> {
        let transaction = self.begin().await?;
        let queued = Column::State.eq(word(&BuildState::Queued));
        let running = Column::State.eq(word(&BuildState::Running));
        let orphaned = Column::LeaseUntilMs
            .is_null()
            .or(Column::LeaseUntilMs.lte(ms(now)));
        let due = queued.and(Column::DueAtMs.lte(ms(now)));
        let found = Entity::find()
            .filter(due.or(running.and(orphaned)))
            .order_by_asc(Column::DueAtMs)
            .order_by_asc(Column::Id)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&transaction)
            .await?;
        let Some(build) = found else {
            return Ok(None);
        };
        let lease = Lease {
            id: build.id,
            fence: build.fence + 1,
        };
        Entity::update_many()
            .col_expr(Column::State, Expr::val(word(&BuildState::Running)))
            .col_expr(
                Column::StartedAtMs,
                Expr::val(Some(build.started_at_ms.unwrap_or(ms(now)))),
            )
            .col_expr(Column::Message, Expr::val(""))
            .col_expr(Column::LeaseOwner, Expr::val(owner))
            .col_expr(Column::LeaseUntilMs, Expr::val(ms(now) + lease_ms))
            .col_expr(Column::Fence, Expr::val(lease.fence))
            .filter(Column::Id.eq(lease.id))
            .exec(&transaction)
            .await?;
        // Steps are those of the present try; lines of all tries stay.
        build_step::Entity::delete_many()
            .filter(build_step::Column::BuildId.eq(lease.id))
            .exec(&transaction)
            .await?;
        let find = with_workload()
            .filter(Column::Id.eq(lease.id))
            .into_model::<Row>();
        let row = find.one(&transaction).await?;
        transaction.commit().await?;
        self.announce(Change::Build(lease.id));
        let record = row.ok_or_else(|| missing(lease.id))?.record()?;
        Ok(Some((lease, record)))
    }

    /// When the next build becomes due by time alone: one that waits, or one whose lease ends.
    pub async fn next_build_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let queued = Entity::find()
            .filter(Column::State.eq(word(&BuildState::Queued)))
            .order_by_asc(Column::DueAtMs)
            .one(&self.read)
            .await?
            .map(|build| build.due_at_ms);
        let running = Entity::find()
            .filter(Column::State.eq(word(&BuildState::Running)))
            .order_by_asc(Column::LeaseUntilMs)
            .one(&self.read)
            .await?
            .and_then(|build| build.lease_until_ms);
        let next = queued.into_iter().chain(running).min();
        maybe_at("build.due_at_ms", next)
    }

    /// Prolongs a build's lease, and says whether somebody wants it stopped.
    pub async fn renew_build(
        &self,
        lease: Lease,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<bool, StoreError> {
        let update =
            Entity::update_many().col_expr(Column::LeaseUntilMs, Expr::val(ms(now) + lease_ms));
        let renewed = fenced(update, lease).exec(&self.write).await?;
        if renewed.rows_affected == 0 {
            return Err(lost(lease));
        }
        let build = Entity::find_by_id(lease.id).one(&self.write).await?;
        Ok(build.is_none_or(|build| build.cancel_requested))
    }

    /// Gives a build back as it is, for the next builder: the server stops.
    pub async fn release_build(&self, lease: Lease) -> Result<(), StoreError> {
        let update = unlease(Entity::update_many());
        fenced(update, lease).exec(&self.write).await?;
        self.announce(Change::Build(lease.id));
        Ok(())
    }

    /// Ends a try of a build and gives its lease back; an artifact's row is written in the same
    /// transaction.
    pub async fn finish_build(
        &self,
        lease: Lease,
        outcome: BuildOutcome,
        now: Timestamp,
    ) -> Result<BuildRecord, StoreError> {
        let transaction = self.begin().await?;
        let ended = |state: BuildState| {
            Entity::update_many()
                .col_expr(Column::State, Expr::val(word(&state)))
                .col_expr(Column::FinishedAtMs, Expr::val(ms(now)))
        };
        let mut artifact = None;
        let update = match outcome {
            BuildOutcome::Succeeded {
                manifest,
                images,
                committed_at,
            } => {
                artifact = Some((manifest, images, committed_at));
                ended(BuildState::Succeeded)
            }
            BuildOutcome::Failed { error, hint } => ended(BuildState::Failed)
                .col_expr(Column::Error, Expr::val(error))
                .col_expr(Column::Hint, Expr::val(hint)),
            BuildOutcome::Canceled => ended(BuildState::Canceled),
            BuildOutcome::Waiting {
                message,
                not_before,
            } => Entity::update_many()
                .col_expr(Column::State, Expr::val(word(&BuildState::Queued)))
                .col_expr(Column::DueAtMs, Expr::val(ms(not_before)))
                .col_expr(Column::Message, Expr::val(message))
                .col_expr(Column::Waits, Expr::col(Column::Waits).add(1)),
        };
        let written = fenced(unlease(update), lease).exec(&transaction).await?;
        if written.rows_affected == 0 {
            return Err(lost(lease));
        }
        let find = with_workload()
            .filter(Column::Id.eq(lease.id))
            .into_model::<Row>();
        let row = find.one(&transaction).await?;
        let record = row.ok_or_else(|| missing(lease.id))?.record()?;
        if let Some((manifest, images, committed_at)) = artifact {
            let row = artifact::ActiveModel {
                workload_id: Set(record.workload_id),
                commit_id: Set(record.commit.clone()),
                build_id: Set(lease.id),
                manifest: Set(manifest),
                images: Set(json(&images)),
                created_at_ms: Set(ms(now)),
                committed_at_ms: Set(Some(ms(committed_at))),
                ..Default::default()
            };
            artifact::Entity::insert(row)
                .on_conflict_do_nothing_on([
                    artifact::Column::WorkloadId,
                    artifact::Column::CommitId,
                ])
                .exec_without_returning(&transaction)
                .await?;
        }
        transaction.commit().await?;
        self.announce(Change::Build(lease.id));
        Ok(record)
    }
}
