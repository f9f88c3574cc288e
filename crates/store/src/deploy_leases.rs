//! Working on deploys: leases, fenced writes, and what else goes on with the same instance.

use hermez_api::{DeployKind, DeployPlan, DeployState, Evidence, HeldDeploy};
use jiff::Timestamp;
use sea_orm::sea_query::{Condition, Expr, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, UpdateMany};

use crate::deploys::{
    ACCEPTED, Row, WHAT, With, has_ended, insert_event, is_changing, is_waiting, missing, one,
    open, request_in, with_workload,
};
use crate::entity::build::{self, Column as BuildColumn};
use crate::entity::deploy::{Column, Entity, Model};
use crate::entity::preview::{self, Column as PreviewColumn};
use crate::words::{json, ms, value, word};
use crate::{
    Change, DeployRecord, Engine, FailedRollback, Lease, Store, StoreError, Together, receipts,
    witnesses,
};

/// What a leased deploy becomes. Absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployWrite {
    /// New state; entering one that changes the cluster takes the instance's one place.
    pub state: Option<DeployState>,
    /// What happens now.
    pub message: Option<String>,
    /// Whether the message goes into the timeline (a change of state always does).
    pub note: bool,
    /// Ready pods of the new version, and wanted pods.
    pub pods: Option<(i32, i32)>,
    /// Its build.
    pub build_id: Option<i64>,
    /// A stable word for why it failed.
    pub failure_cause: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// When the state ends in failure; `Some(None)` takes the deadline away.
    pub deadline_at: Option<Option<Timestamp>>,
    /// Tries of what failed last for a reason around it; of a canary, how often its pods ceased to be
    /// ready in this step.
    pub retries: Option<i32>,
    /// What was written to the cluster.
    pub applied: Option<Applied>,
    /// Which rule it waits for; `Some(None)` when for none any more. A state in which nothing is
    /// waited for forgets it by itself.
    pub held: Option<Option<HeldDeploy>>,
    /// The health gates that it begins with, as JSON.
    pub gate: Option<String>,
    /// Where it is on its way.
    pub plan: Option<DeployPlan>,
    /// When its health gates are passed; `Some(None)` when that is not known.
    pub verify_until: Option<Option<Timestamp>>,
    /// The rollback that is asked for in the same transaction.
    pub rollback: Option<Box<FailedRollback>>,
    /// What was found, when it ends in failure; kept in the same transaction.
    pub evidence: Option<Box<Evidence>>,
    /// Whether what was kept of its failing containers ([`Store::keep_containers`]) goes with this.
    pub forget_containers: bool,
}

/// What a deploy has written to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The manifest's reference by digest.
    pub manifest: String,
    /// Whether the rollout is held.
    pub paused: bool,
}

/// What else goes on with the same Kubernetes object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneFacts {
    /// A newer deploy that has not ended, or has succeeded.
    pub newer: Option<i64>,
    /// Another deploy that changes it now.
    pub busy: Option<i64>,
}

/// Entries of a timeline after which only changes of state are added: a rollout that flaps does
/// not fill the database.
const MAX_NOTES: i64 = 500;

/// Of all that has not ended.
fn not_ended() -> Select<Entity> {
    Entity::find().filter(Column::State.is_in(open()))
}

/// Of what nobody holds.
fn unheld(now: Timestamp) -> Condition {
    Condition::any()
        .add(Column::LeaseUntilMs.is_null())
        .add(Column::LeaseUntilMs.lte(ms(now)))
}

/// Takes the lease away.
fn unlease(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update
        .col_expr(Column::LeaseOwner, Expr::val(Option::<String>::None))
        .col_expr(Column::LeaseUntilMs, Expr::val(Option::<i64>::None))
}

fn lost(lease: Lease) -> StoreError {
    StoreError::LeaseLost {
        what: WHAT,
        id: lease.id,
    }
}

/// The columns that a write changes, with their new values.
fn columns_of(
    deploy: &Model,
    before: DeployState,
    write: &DeployWrite,
    now: Timestamp,
) -> Vec<(Column, Expr)> {
    let mut columns = Vec::new();
    if let Some(state) = write.state {
        let lane = format!("{}/{}", deploy.workload_id, deploy.instance);
        let lane = is_changing(state).then_some(lane);
        columns.push((Column::State, Expr::val(word(&state))));
        columns.push((Column::LaneKey, Expr::val(lane)));
        if is_changing(state) && !is_changing(before) {
            columns.push((Column::StartedAtMs, Expr::val(ms(now))));
        }
        if has_ended(state) {
            columns.push((Column::FinishedAtMs, Expr::val(ms(now))));
            columns.push((Column::LeaseOwner, Expr::val(Option::<String>::None)));
            columns.push((Column::LeaseUntilMs, Expr::val(Option::<i64>::None)));
        }
    }
    let waits = write.state.is_none_or(is_waiting);
    if let Some(held) = write.held.as_ref().filter(|_| waits) {
        columns.push((Column::Held, Expr::val(held.as_ref().map(json))));
    } else if !waits {
        columns.push((Column::Held, Expr::val(Option::<String>::None)));
    }
    if let Some(message) = &write.message {
        columns.push((Column::Message, Expr::val(message.as_str())));
    }
    if let Some((ready, desired)) = write.pods {
        columns.push((Column::PodsReady, Expr::val(ready)));
        columns.push((Column::PodsDesired, Expr::val(desired)));
    }
    if let Some(build_id) = write.build_id {
        columns.push((Column::BuildId, Expr::val(build_id)));
    }
    if let Some(cause) = &write.failure_cause {
        columns.push((Column::FailureCause, Expr::val(cause.as_str())));
    }
    if let Some(hint) = &write.hint {
        columns.push((Column::Hint, Expr::val(hint.as_str())));
    }
    if let Some(deadline) = write.deadline_at {
        columns.push((Column::DeadlineAtMs, Expr::val(deadline.map(ms))));
    }
    if let Some(gate) = &write.gate {
        columns.push((Column::Gate, Expr::val(gate.as_str())));
    }
    if let Some(plan) = &write.plan {
        columns.push((Column::Plan, Expr::val(json(plan))));
    }
    if let Some(until) = write.verify_until {
        columns.push((Column::VerifyUntilMs, Expr::val(until.map(ms))));
    }
    if let Some(retries) = write.retries {
        columns.push((Column::Retries, Expr::val(retries)));
    }
    if let Some(applied) = &write.applied {
        columns.push((Column::Manifest, Expr::val(applied.manifest.as_str())));
        columns.push((Column::AppliedPaused, Expr::val(applied.paused)));
        if deploy.applied_at_ms.is_none() {
            columns.push((Column::AppliedAtMs, Expr::val(ms(now))));
        }
    }
    columns
}

impl Store {
    /// Numbers of deploys that have not ended and that nobody holds, oldest first, after `after`
    /// (0 for all), at most `limit`.
    pub async fn open_deploys(
        &self,
        after: i64,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<i64>, StoreError> {
        let find = not_ended()
            .filter(Column::Id.gt(after))
            .filter(unheld(now))
            .order_by_asc(Column::Id)
            .limit(limit);
        let deploys = find.all(&self.read).await?;
        Ok(deploys.into_iter().map(|deploy| deploy.id).collect())
    }

    /// Numbers of deploys that have not ended and wait for this build.
    pub async fn deploys_waiting_for(&self, build_id: i64) -> Result<Vec<i64>, StoreError> {
        let find = not_ended()
            .filter(Column::BuildId.eq(build_id))
            .order_by_asc(Column::Id);
        let deploys = find.all(&self.read).await?;
        Ok(deploys.into_iter().map(|deploy| deploy.id).collect())
    }

    /// Numbers of the other deploys of the same instance that have not ended, oldest first.
    pub async fn lane_mates(&self, deploy: &DeployRecord) -> Result<Vec<i64>, StoreError> {
        let find = not_ended()
            .filter(Column::WorkloadId.eq(deploy.workload_id))
            .filter(Column::Instance.eq(deploy.instance.as_str()))
            .filter(Column::Id.ne(deploy.id))
            .order_by_asc(Column::Id);
        let deploys = find.all(&self.read).await?;
        Ok(deploys.into_iter().map(|deploy| deploy.id).collect())
    }

    /// What else goes on with the Kubernetes object of this deploy. A restart brings out nothing new:
    /// it supersedes only other restarts, and all else waits for it.
    pub async fn lane_facts(&self, deploy: &DeployRecord) -> Result<LaneFacts, StoreError> {
        let mut relevant = open().to_vec();
        relevant.push(word(&DeployState::Succeeded));
        let restart = word(&DeployKind::Restart);
        let is_restart = deploy.kind == DeployKind::Restart;
        let newer = || {
            Entity::find()
                .filter(Column::WorkloadId.eq(deploy.workload_id))
                .filter(Column::Instance.eq(deploy.instance.as_str()))
                .filter(Column::Id.gt(deploy.id))
                .order_by_desc(Column::Id)
        };
        let mut superseding = newer().filter(Column::State.is_in(relevant));
        if !is_restart {
            superseding = superseding.filter(Column::Kind.ne(restart.as_str()));
        }
        let lane = format!("{}/{}", deploy.workload_id, deploy.instance);
        let busy = Entity::find()
            .filter(Column::LaneKey.eq(lane))
            .filter(Column::Id.ne(deploy.id));
        let restarts = newer()
            .filter(Column::State.is_in(open()))
            .filter(Column::Kind.eq(restart.as_str()));
        let (superseding, busy, restarts) = tokio::try_join!(
            superseding.one(&self.read),
            busy.one(&self.read),
            restarts.one(&self.read)
        )?;
        Ok(LaneFacts {
            newer: superseding.map(|deploy| deploy.id),
            busy: busy
                .or(restarts.filter(|_| !is_restart))
                .map(|deploy| deploy.id),
        })
    }

    /// The deploy of a workload itself that is at the cluster, and of which nothing says yet that the
    /// workload was written: its canary is tried, or the writing goes on.
    pub async fn unwritten_deploy(
        &self,
        workload_id: i64,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let states = [DeployState::Canary, DeployState::Applying];
        let find = with_workload()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::PullRequest.is_null())
            .filter(Column::State.is_in(states.iter().map(word)))
            .filter(Column::AppliedAtMs.is_null())
            .order_by_desc(Column::Id);
        let row = find.into_model::<Row>().one(&self.read).await?;
        row.map(Row::record).transpose()
    }

    /// Leases the deploy with this number, if it has not ended and nobody else holds it.
    pub async fn acquire_deploy(
        &self,
        id: i64,
        owner: &str,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<Option<(Lease, DeployRecord)>, StoreError> {
        let find = with_workload()
            .filter(Column::Id.eq(id))
            .filter(Column::State.is_in(open()))
            .filter(unheld(now));
        let Some(seen) = find.into_model::<Row>().one(&self.read).await? else {
            return Ok(None);
        };
        // Whoever took it in between has raised the fence.
        let taken = Entity::update_many()
            .col_expr(Column::LeaseOwner, Expr::val(owner))
            .col_expr(Column::LeaseUntilMs, Expr::val(ms(now) + lease_ms))
            .col_expr(Column::Fence, Expr::val(seen.deploy.fence + 1))
            .filter(Column::Id.eq(id))
            .filter(Column::Fence.eq(seen.deploy.fence))
            .filter(Column::State.is_in(open()))
            .filter(unheld(now))
            .exec_with_returning(&self.write)
            .await?;
        let Some(deploy) = taken.into_iter().next() else {
            return Ok(None);
        };
        let lease = Lease {
            id,
            fence: deploy.fence,
        };
        let record = Row { deploy, ..seen }.record()?;
        Ok(Some((lease, record)))
    }

    /// Prolongs a deploy's lease and reads it again.
    pub async fn renew_deploy(
        &self,
        lease: Lease,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<DeployRecord, StoreError> {
        let renewed = Entity::update_many()
            .col_expr(Column::LeaseUntilMs, Expr::val(ms(now) + lease_ms))
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .filter(Column::State.is_in(open()))
            .exec(&self.write)
            .await?;
        if renewed.rows_affected == 0 {
            return Err(lost(lease));
        }
        one(&self.write, lease.id)
            .await?
            .ok_or_else(|| missing(lease.id))
    }

    /// Writes a leased deploy and its timeline in one transaction. `Ok(None)` when it wanted to
    /// change the cluster and another deploy of the same instance does: nothing was written.
    pub async fn write_deploy(
        &self,
        lease: Lease,
        write: &DeployWrite,
        now: Timestamp,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let transaction = self.begin().await?;
        let mut find = with_workload()
            .filter(Column::State.is_in(open()))
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence));
        // Its own row, not the workload's.
        QuerySelect::query(&mut find).lock_with_tables(LockType::Update, [Entity]);
        let found = find.into_model::<Row>().one(&transaction).await?;
        let Some(mut row) = found else {
            return Err(lost(lease));
        };
        let deploy = &row.deploy;
        let before: DeployState = value("deploy.state", &deploy.state)?;
        let mut columns = columns_of(deploy, before, write, now);
        let state = write.state.unwrap_or(before);
        let message = write.message.as_deref().unwrap_or(&deploy.message);
        let note = write.note && message != deploy.message && deploy.event_seq < MAX_NOTES;
        if state != before || note {
            let seq = deploy.event_seq + 1;
            columns.push((Column::EventSeq, Expr::val(seq)));
            let place = (lease.id, seq);
            insert_event(&transaction, place, &word(&state), message, now).await?;
        }
        if let Some(evidence) = &write.evidence {
            receipts::keep(&transaction, lease.id, evidence).await?;
        }
        if write.forget_containers {
            witnesses::forget(&transaction, lease.id).await?;
        }
        if !columns.is_empty() {
            let update = columns
                .into_iter()
                .fold(Entity::update_many(), |update, (column, value)| {
                    update.col_expr(column, value)
                })
                .filter(Column::Id.eq(lease.id));
            let written = match update.exec_with_returning(&transaction).await {
                Err(error) if StoreError::is_unique_violation(&error) => return Ok(None),
                done => done?,
            };
            let written = written.into_iter().next();
            row.deploy = written.ok_or_else(|| missing(lease.id))?;
        }
        let record = row.record()?;
        let mut rollback = None;
        if let Some(FailedRollback { new, aftermath }) = write.rollback.as_deref() {
            let (asked, _) =
                request_in(&transaction, new, With::Aftermath(aftermath), None, now).await?;
            let kept = Together::keep(&transaction, ACCEPTED, &asked.summary()).await?;
            rollback = Some((asked, aftermath, kept));
        }
        transaction.commit().await?;
        self.announce(Change::Deploy(lease.id));
        if let Some((asked, aftermath, kept)) = rollback {
            kept.confirm();
            self.announce_request(&asked, With::Aftermath(aftermath), None);
        }
        if has_ended(state) {
            self.announce(Change::Workload(record.workload.clone()));
        }
        Ok(Some(record))
    }

    /// Gives a deploy's lease back. Announces nothing: nothing that is seen changed.
    pub async fn release_deploy(&self, lease: Lease) -> Result<(), StoreError> {
        unlease(Entity::update_many())
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Ends the leases that this server's dead predecessor held, so that what it was at goes on at
    /// once: on SQLite, where this server is alone, those of everybody but `owner`; on PostgreSQL
    /// those of owners whose name begins with this replica's, and `owner` excepted. Says how many.
    pub async fn end_foreign_leases(&self, owner: &str) -> Result<u64, StoreError> {
        let mut held = Condition::all()
            .add(Column::LeaseOwner.is_not_null())
            .add(Column::LeaseOwner.ne(owner));
        let mut building = Condition::all()
            .add(BuildColumn::LeaseOwner.is_not_null())
            .add(BuildColumn::LeaseOwner.ne(owner));
        // One of an earlier version has no owner, and is held until it ends.
        let mut previewing = Condition::all()
            .add(PreviewColumn::LeaseOwner.is_not_null())
            .add(PreviewColumn::LeaseOwner.ne(owner));
        if self.engine() != Engine::Sqlite {
            let own = format!("{}/", self.replica());
            held = held.add(Column::LeaseOwner.starts_with(own.as_str()));
            building = building.add(BuildColumn::LeaseOwner.starts_with(own.as_str()));
            previewing = previewing.add(PreviewColumn::LeaseOwner.starts_with(own.as_str()));
        }
        let deploys = unlease(Entity::update_many())
            .filter(held)
            .exec(&self.write)
            .await?;
        let builds = build::Entity::update_many()
            .col_expr(BuildColumn::LeaseOwner, Expr::val(Option::<String>::None))
            .col_expr(BuildColumn::LeaseUntilMs, Expr::val(Option::<i64>::None))
            .filter(building)
            .exec(&self.write)
            .await?;
        let previews = preview::Entity::update_many()
            .col_expr(PreviewColumn::LeaseOwner, Expr::val(Option::<String>::None))
            .col_expr(PreviewColumn::LeaseUntilMs, Expr::val(Option::<i64>::None))
            .filter(previewing)
            .exec(&self.write)
            .await?;
        Ok(deploys.rows_affected + builds.rows_affected + previews.rows_affected)
    }
}
