//! Deploys and their timelines: asking, looking, stopping. Working on them is in
//! `deploy_leases`.

use hermez_api::{Deploy, DeployEvent, DeployKind, DeployState, HeldDeploy, Hotfix, Page, Pin};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, JoinType,
    QueryFilter, QueryOrder, QuerySelect, RelationDef, Select,
};

use crate::entity::deploy::{ActiveModel, Column, Entity, Model};
use crate::entity::{deploy_event, workload};
use crate::page::MapPage;
use crate::words::{at, from_json, json, maybe_at, ms, value, word};
use crate::workloads::{Hold, require_living};
use crate::written::newest_wanted;
use crate::{
    Change, DeployRecord, NewPreview, PageRequest, Store, StoreError, bad_artifacts, hotfixes,
    previews, workloads,
};

/// A deploy to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeploy {
    /// Its workload.
    pub workload_id: i64,
    /// Name of the Kubernetes object that it changes.
    pub instance: String,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author.
    pub author: String,
    /// Who asks.
    pub requested_by: String,
    /// Why.
    pub reason: Option<String>,
    /// What it does.
    pub kind: DeployKind,
    /// The deploy whose version it brings out, and that version's manifest by digest.
    pub of: Option<(i64, String)>,
    /// Why an artifact that is marked as bad is deployed all the same.
    pub override_reason: Option<String>,
}

/// The rollback of a deploy that fails, asked for in the transaction that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRollback {
    /// The rollback.
    pub new: NewDeploy,
    /// What it changes beside.
    pub aftermath: Aftermath,
}

/// What asking for a rollback changes beside the new deploy, in one transaction with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aftermath {
    /// The deploy that is left: stopped where it has not ended.
    pub left: DeployRecord,
    /// Digests of its artifact, to be marked as bad.
    pub bad: Vec<String>,
    /// Why, for the mark and for the pin.
    pub reason: String,
}

/// What is kept together with a new deploy, all or nothing.
#[derive(Clone, Copy)]
pub(crate) enum With<'a> {
    Nothing,
    Hotfix(&'a Hotfix),
    Preview(&'a NewPreview),
    Aftermath(&'a Aftermath),
}

/// Which deploys are wanted; absent fields match everything.
#[derive(Debug, Clone, Default)]
pub struct DeployFilter {
    /// Workload's number.
    pub workload_id: Option<i64>,
    /// States, any of these; empty matches all.
    pub states: Vec<DeployState>,
    /// What it does.
    pub kind: Option<DeployKind>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// Beginning of the commit's id, in hexadecimal digits; anything else finds nothing.
    pub commit: Option<String>,
    /// Asked for at this time or later.
    pub since: Option<Timestamp>,
    /// Asked for before this time.
    pub until: Option<Timestamp>,
    /// Of this pull request.
    pub pull_request: Option<i64>,
}

/// The HTTP status of the answer to a request for a deploy.
pub(crate) const ACCEPTED: u16 = 202;
/// What errors call a row.
pub(crate) const WHAT: &str = "deploy";
/// Name of this list in cursors.
const LIST: &str = "deploy";
/// Most entries of a timeline that one call gives.
const MAX_EVENTS: u64 = 1000;

/// States in which a deploy has not ended.
pub const OPEN_DEPLOYS: [DeployState; 7] = [
    DeployState::Pending,
    DeployState::Building,
    DeployState::Queued,
    DeployState::Canary,
    DeployState::Applying,
    DeployState::RollingOut,
    DeployState::Verifying,
];
/// States in which a deploy changes its instance, or has changed it and is not sure of it.
const CHANGING: [DeployState; 4] = [
    DeployState::Canary,
    DeployState::Applying,
    DeployState::RollingOut,
    DeployState::Verifying,
];

/// Whether a deploy in this state changes its instance.
pub(crate) fn is_changing(state: DeployState) -> bool {
    CHANGING.contains(&state)
}

/// Whether a deploy in this state has changed nothing yet.
pub(crate) fn is_waiting(state: DeployState) -> bool {
    !has_ended(state) && !is_changing(state)
}

/// Whether a deploy in this state has ended.
pub(crate) fn has_ended(state: DeployState) -> bool {
    !OPEN_DEPLOYS.contains(&state)
}

/// The words of the open states.
pub(crate) fn open() -> [String; 7] {
    OPEN_DEPLOYS.map(|state| word(&state))
}

/// A deploy with its workload's name.
#[derive(FromQueryResult)]
pub(crate) struct Row {
    #[sea_orm(nested)]
    pub(crate) deploy: Model,
    pub(crate) workload_name: String,
}

impl Row {
    pub(crate) fn record(self) -> Result<DeployRecord, StoreError> {
        let deploy = self.deploy;
        Ok(DeployRecord {
            id: deploy.id,
            workload_id: deploy.workload_id,
            workload: self.workload_name,
            instance: deploy.instance,
            kind: value("deploy.kind", &deploy.kind)?,
            state: value("deploy.state", &deploy.state)?,
            commit: deploy.commit_id,
            title: deploy.title,
            author: deploy.author,
            requested_by: deploy.requested_by,
            reason: deploy.reason,
            created_at: at("deploy.created_at_ms", deploy.created_at_ms)?,
            started_at: maybe_at("deploy.started_at_ms", deploy.started_at_ms)?,
            finished_at: maybe_at("deploy.finished_at_ms", deploy.finished_at_ms)?,
            message: deploy.message,
            pods_ready: deploy.pods_ready,
            pods_desired: deploy.pods_desired,
            build_id: deploy.build_id,
            failure_cause: deploy.failure_cause,
            hint: deploy.hint,
            cancel_requested: deploy.cancel_requested,
            deadline_at: maybe_at("deploy.deadline_at_ms", deploy.deadline_at_ms)?,
            retries: deploy.retries,
            manifest: deploy.manifest,
            applied_at: maybe_at("deploy.applied_at_ms", deploy.applied_at_ms)?,
            of_deploy: deploy.of_deploy,
            override_reason: deploy.override_reason,
            paused_by: deploy.paused_by,
            applied_paused: deploy.applied_paused,
            held: deploy
                .held
                .map(|held| from_json("deploy.held", &held))
                .transpose()?,
            rejection: deploy.rejection,
            gate: deploy.gate,
            verify_until: maybe_at("deploy.verify_until_ms", deploy.verify_until_ms)?,
            pull_request: deploy.pull_request,
            plan: deploy
                .plan
                .map(|plan| from_json("deploy.plan", &plan))
                .transpose()?,
            promoted: deploy.promoted,
            mends: deploy.mends,
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

/// Appends an entry to a timeline; the caller holds the row and keeps its `event_seq`.
pub(crate) async fn append_event(
    transaction: &DatabaseTransaction,
    deploy: &Model,
    state: &str,
    message: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let place = (deploy.id, deploy.event_seq + 1);
    insert_event(transaction, place, state, message, now).await?;
    Entity::update_many()
        .col_expr(Column::EventSeq, Expr::val(deploy.event_seq + 1))
        .filter(Column::Id.eq(deploy.id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Puts an entry in its place (deploy and `seq`) in a timeline; the caller holds the row and writes
/// its `event_seq`.
pub(crate) async fn insert_event(
    transaction: &DatabaseTransaction,
    (deploy_id, seq): (i64, i64),
    state: &str,
    message: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = deploy_event::ActiveModel {
        deploy_id: Set(deploy_id),
        seq: Set(seq),
        at_ms: Set(ms(now)),
        state: Set(state.to_owned()),
        message: Set(message.to_owned()),
        pod: Set(None),
        pod_key: Set(None),
    };
    deploy_event::Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

impl Store {
    /// Keeps a new deploy; [`StoreError::NotFound`] when the workload is deleted.
    pub async fn request_deploy(
        &self,
        new: &NewDeploy,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        self.request(new, With::Nothing, None, now).await
    }

    /// Keeps a new deploy of a pushed commit, unless the workload is pinned by now, or its newest
    /// deploy (restarts left out) is of that commit already: of several servers that follow one push
    /// at once, one asks for its deploy, and no push follows a rollback that was asked for just
    /// before.
    pub async fn request_pushed_deploy(
        &self,
        new: &NewDeploy,
        held: Option<&HeldDeploy>,
        now: Timestamp,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let transaction = self.begin().await?;
        workloads::require_living(&transaction, new.workload_id, Hold::Alone).await?;
        if is_pinned(&transaction, new.workload_id).await? {
            return Ok(None);
        }
        let newest = newest_wanted(&transaction, new.workload_id).await?;
        if newest.is_some_and(|newest| newest.commit_id == new.commit) {
            return Ok(None);
        }
        let (record, _) = request_in(&transaction, new, With::Nothing, held, now).await?;
        self.commit_answered(transaction, ACCEPTED, &record.summary())
            .await?;
        self.announce_request(&record, With::Nothing, None);
        Ok(Some(record))
    }

    /// Keeps a new deploy of a hotfix and, with it, what it is made of; `held` where a rule holds it
    /// back from the first.
    pub async fn request_hotfix(
        &self,
        new: &NewDeploy,
        hotfix: &Hotfix,
        held: Option<&HeldDeploy>,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        self.request(new, With::Hotfix(hotfix), held, now).await
    }

    /// Keeps a new deploy that a rule holds back from the first.
    pub async fn request_held_deploy(
        &self,
        new: &NewDeploy,
        held: &HeldDeploy,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        self.request(new, With::Nothing, Some(held), now).await
    }

    /// Keeps a new deploy of a pull request; with it, all or nothing, its preview is made, or takes
    /// the new head and is awake again.
    pub async fn request_preview(
        &self,
        new: &NewDeploy,
        preview: &NewPreview,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        self.request(new, With::Preview(preview), None, now).await
    }

    /// Keeps a new rollback; with it, all or nothing, the workload is pinned, what is left is marked
    /// as bad, and a deploy that still brings it out is stopped. `held` where a rule holds it back
    /// from the first.
    pub async fn request_rollback(
        &self,
        new: &NewDeploy,
        aftermath: &Aftermath,
        held: Option<&HeldDeploy>,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        let with = With::Aftermath(aftermath);
        self.request(new, with, held, now).await
    }

    async fn request(
        &self,
        new: &NewDeploy,
        with: With<'_>,
        held: Option<&HeldDeploy>,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        let transaction = self.begin().await?;
        let (record, preview) = request_in(&transaction, new, with, held, now).await?;
        self.commit_answered(transaction, ACCEPTED, &record.summary())
            .await?;
        self.announce_request(&record, with, preview);
        Ok(record)
    }

    /// Announces a deploy that was asked for.
    pub(crate) fn announce_request(
        &self,
        record: &DeployRecord,
        with: With<'_>,
        preview: Option<i64>,
    ) {
        self.announce(Change::Deploy(record.id));
        if let Some(id) = preview {
            self.announce(Change::Preview(id));
        }
        if let With::Aftermath(aftermath) = with {
            self.announce(Change::Deploy(aftermath.left.id));
            self.announce(Change::Workload(record.workload.clone()));
            self.announce(Change::Marked(aftermath.left.id));
        }
    }

    /// Wants a rollout held, or let go on (`by` is `None`); one that has ended stays as it is.
    /// Wanting it again changes nothing.
    pub async fn pause_deploy(
        &self,
        id: i64,
        pause: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        let transaction = self.begin().await?;
        let find = Entity::find_by_id(id).lock_exclusive();
        let Some(deploy) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        if deploy.paused_by.is_some() != pause && open().contains(&deploy.state) {
            let paused_by = pause.then(|| by.to_owned());
            Entity::update_many()
                .col_expr(Column::PausedBy, Expr::val(paused_by))
                .filter(Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            let did = if pause { "paused it" } else { "let it go on" };
            let message = format!("{by} {did}");
            append_event(&transaction, &deploy, &deploy.state, &message, now).await?;
        }
        self.commit_recorded(transaction).await?;
        self.announce(Change::Deploy(id));
        self.deploy(id).await?.ok_or_else(|| missing(id))
    }

    /// The deploy with this number.
    pub async fn deploy(&self, id: i64) -> Result<Option<DeployRecord>, StoreError> {
        one(&self.read, id).await
    }

    /// The deploy with its images and timeline.
    pub async fn deploy_in_full(&self, id: i64) -> Result<Option<Deploy>, StoreError> {
        let Some(deploy) = self.deploy(id).await? else {
            return Ok(None);
        };
        let artifact = self.artifact(deploy.workload_id, &deploy.commit).await?;
        let digests = artifact
            .as_ref()
            .map(crate::ArtifactRecord::digests)
            .unwrap_or_default();
        let bad = self.bad_artifacts(&digests).await?.into_iter().next();
        let hotfix = match deploy.kind {
            DeployKind::Hotfix => self.hotfix(id).await?,
            _ => None,
        };
        let revert = match deploy.kind {
            DeployKind::Rollback => self.revert(id).await?,
            _ => None,
        };
        let timeline = self.deploy_events(id, 0).await?;
        Ok(Some(Deploy {
            hotfix,
            revert,
            left_deploy: deploy.mends.filter(|_| deploy.kind == DeployKind::Rollback),
            of_deploy: deploy.of_deploy,
            manifest: deploy.manifest.clone(),
            override_reason: deploy.override_reason.clone(),
            bad,
            plan: deploy.plan.clone(),
            build_id: deploy.build_id,
            images: artifact.map(|artifact| artifact.images).unwrap_or_default(),
            stretches: hermez_api::stretches(&timeline),
            timeline,
            failure_cause: deploy.failure_cause.clone(),
            hint: deploy.hint.clone(),
            summary: deploy.summary(),
        }))
    }

    /// Deploys, newest first.
    pub async fn deploys(
        &self,
        filter: &DeployFilter,
        page: &PageRequest,
    ) -> Result<Page<DeployRecord>, StoreError> {
        let mut find = with_workload()
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(workload_id) = filter.workload_id {
            find = find.filter(Column::WorkloadId.eq(workload_id));
        }
        if !filter.states.is_empty() {
            find = find.filter(Column::State.is_in(filter.states.iter().map(word)));
        }
        if let Some(kind) = &filter.kind {
            find = find.filter(Column::Kind.eq(word(kind)));
        }
        if let Some(by) = &filter.requested_by {
            find = find.filter(Column::RequestedBy.eq(by.as_str()));
        }
        if let Some(commit) = &filter.commit {
            // The range of texts that begin with it; `g` comes after every hexadecimal digit.
            let digits: String = commit.chars().take(40).collect::<String>().to_lowercase();
            find = find
                .filter(Column::CommitId.gte(digits.as_str()))
                .filter(Column::CommitId.lt(format!("{digits}g")));
        }
        if let Some(since) = filter.since {
            find = find.filter(Column::CreatedAtMs.gte(ms(since)));
        }
        if let Some(until) = filter.until {
            find = find.filter(Column::CreatedAtMs.lt(ms(until)));
        }
        if let Some(number) = filter.pull_request {
            find = find.filter(Column::PullRequest.eq(number));
        }
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.into_model::<Row>().all(&self.read).await?;
        page.page(LIST, rows, |row| row.deploy.id)
            .try_map(Row::record)
    }

    /// The timeline after `after` (0 for all), oldest first, at most 1,000.
    pub async fn deploy_events(
        &self,
        deploy_id: i64,
        after: i64,
    ) -> Result<Vec<DeployEvent>, StoreError> {
        let find = deploy_event::Entity::find()
            .filter(deploy_event::Column::DeployId.eq(deploy_id))
            .filter(deploy_event::Column::Seq.gt(after))
            .order_by_asc(deploy_event::Column::Seq)
            .limit(MAX_EVENTS);
        let mut events = Vec::new();
        for row in find.all(&self.read).await? {
            events.push(DeployEvent {
                seq: row.seq,
                at: at("deploy_event.at_ms", row.at_ms)?,
                state: value("deploy_event.state", &row.state)?,
                message: row.message,
                pod: row
                    .pod
                    .map(|pod| from_json("deploy_event.pod", &pod))
                    .transpose()?,
            });
        }
        Ok(events)
    }

    /// Wants a deploy stopped; one that has ended stays as it is. Wanting it again changes nothing. A
    /// rollback that has changed nothing yet takes its marks back with it. Its pin stays.
    pub async fn cancel_deploy(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<DeployRecord, StoreError> {
        let transaction = self.begin().await?;
        let find = Entity::find_by_id(id).lock_exclusive();
        let Some(deploy) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        let why = format!("{by} asked to stop it");
        let unmarked = withdraw(&transaction, &deploy, &why, now).await?;
        self.commit_recorded(transaction).await?;
        self.announce_withdrawn(id, unmarked);
        self.deploy(id).await?.ok_or_else(|| missing(id))
    }

    /// Announces what [`withdraw`] has done.
    pub(crate) fn announce_withdrawn(&self, id: i64, unmarked: Option<i64>) {
        self.announce(Change::Deploy(id));
        if let Some(left) = unmarked {
            self.announce(Change::Deploy(left));
            self.announce(Change::Marked(left));
        }
    }
}

/// Whether a workload is pinned, as a transaction sees it that holds its row.
async fn is_pinned(transaction: &DatabaseTransaction, id: i64) -> Result<bool, StoreError> {
    let find = workload::Entity::find_by_id(id).filter(workload::Column::PinnedBy.is_not_null());
    Ok(find.one(transaction).await?.is_some())
}

/// Keeps a new deploy within a transaction.
pub(crate) async fn request_in(
    transaction: &DatabaseTransaction,
    new: &NewDeploy,
    with: With<'_>,
    held: Option<&HeldDeploy>,
    now: Timestamp,
) -> Result<(DeployRecord, Option<i64>), StoreError> {
    let state = word(&DeployState::Pending);
    let message = format!("{} asked for it", new.requested_by);
    let row = ActiveModel {
        workload_id: Set(new.workload_id),
        instance: Set(new.instance.clone()),
        kind: Set(word(&new.kind)),
        of_deploy: Set(new.of.as_ref().map(|(id, _)| *id)),
        manifest: Set(new.of.as_ref().map(|(_, manifest)| manifest.clone())),
        override_reason: Set(new.override_reason.clone()),
        held: Set(held.map(json)),
        applied_paused: Set(false),
        pull_request: Set(match with {
            With::Preview(preview) => Some(preview.pull_request),
            _ => None,
        }),
        mends: Set(match with {
            With::Aftermath(aftermath) => Some(aftermath.left.id),
            With::Hotfix(hotfix) => Some(hotfix.base_deploy),
            _ => None,
        }),
        state: Set(state.clone()),
        commit_id: Set(new.commit.clone()),
        title: Set(new.title.clone()),
        author: Set(new.author.clone()),
        requested_by: Set(new.requested_by.clone()),
        reason: Set(new.reason.clone()),
        created_at_ms: Set(ms(now)),
        message: Set(message.clone()),
        pods_ready: Set(0),
        pods_desired: Set(0),
        cancel_requested: Set(false),
        retries: Set(0),
        fence: Set(0),
        event_seq: Set(1),
        ..Default::default()
    };
    let workload_name = require_living(transaction, new.workload_id, Hold::Shared).await?;
    let previewed = match with {
        With::Preview(preview) => {
            let by = &new.requested_by;
            Some(previews::upsert(transaction, new, preview, by, now).await?)
        }
        _ => None,
    };
    let deploy = Entity::insert(row).exec_with_returning(transaction).await?;
    insert_event(transaction, (deploy.id, 1), &state, &message, now).await?;
    let record = Row {
        deploy,
        workload_name,
    };
    let record = record.record()?;
    if let With::Hotfix(hotfix) = with {
        hotfixes::keep(transaction, record.id, hotfix).await?;
    }
    if let With::Aftermath(Aftermath { left, bad, reason }) = with {
        let by = new.requested_by.as_str();
        let why = format!("{by} rolled back from it (deploy {})", record.id);
        cancel(transaction, left.id, &why, now).await?;
        bad_artifacts::mark(transaction, bad, left, reason, by, now).await?;
        let pin = Pin {
            by: by.to_owned(),
            at: now,
            reason: reason.clone(),
            deploy_id: Some(record.id),
        };
        workloads::pin(transaction, new.workload_id, &pin).await?;
    }
    Ok((record, previewed))
}

/// Wants a deploy stopped if it has not ended, and tells its timeline why; says whether there is such
/// a deploy.
pub(crate) async fn cancel(
    transaction: &DatabaseTransaction,
    id: i64,
    why: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let find = Entity::find_by_id(id).lock_exclusive();
    let Some(deploy) = find.one(transaction).await? else {
        return Ok(false);
    };
    if !deploy.cancel_requested && open().contains(&deploy.state) {
        Entity::update_many()
            .col_expr(Column::CancelRequested, Expr::val(true))
            .filter(Column::Id.eq(id))
            .exec(transaction)
            .await?;
        append_event(transaction, &deploy, &deploy.state, why, now).await?;
    }
    Ok(true)
}

/// Wants a deploy stopped, as [`cancel`] does. A rollback that has changed nothing yet takes its marks
/// back with it, since what it was to replace goes on running; gives the deploy that bore them.
pub(crate) async fn withdraw(
    transaction: &DatabaseTransaction,
    deploy: &Model,
    why: &str,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    cancel(transaction, deploy.id, why, now).await?;
    if !is_waiting(value("deploy.state", &deploy.state)?) {
        return Ok(None);
    }
    bad_artifacts::unmark(transaction, deploy).await
}

/// Wants every deploy of one instance of a workload stopped that has not ended; gives their numbers.
pub(crate) async fn cancel_all_of_instance(
    transaction: &DatabaseTransaction,
    workload_id: i64,
    instance: &str,
    why: &str,
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let find = Entity::find()
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::Instance.eq(instance))
        .filter(Column::State.is_in(open()))
        .order_by_asc(Column::Id);
    let mut canceled = Vec::new();
    for deploy in find.all(transaction).await? {
        cancel(transaction, deploy.id, why, now).await?;
        canceled.push(deploy.id);
    }
    Ok(canceled)
}

/// Wants every deploy of a workload stopped that has not ended; gives their numbers.
pub(crate) async fn cancel_all_of(
    transaction: &DatabaseTransaction,
    workload_id: i64,
    why: &str,
    now: Timestamp,
) -> Result<Vec<i64>, StoreError> {
    let find = Entity::find()
        .filter(Column::WorkloadId.eq(workload_id))
        .filter(Column::State.is_in(open()))
        .order_by_asc(Column::Id);
    let mut canceled = Vec::new();
    for deploy in find.all(transaction).await? {
        cancel(transaction, deploy.id, why, now).await?;
        canceled.push(deploy.id);
    }
    Ok(canceled)
}

/// The deploy with this number.
pub(crate) async fn one<C: ConnectionTrait>(
    connection: &C,
    id: i64,
) -> Result<Option<DeployRecord>, StoreError> {
    let find = with_workload()
        .filter(Column::Id.eq(id))
        .into_model::<Row>();
    find.one(connection).await?.map(Row::record).transpose()
}
