//! Previews of pull requests, and which commits of forks were allowed.
//!
//! Guarantees: one living preview of a pull request; whoever works on one holds its lease, and a
//! write with an older fence changes nothing; what people and visitors ask for (sleep, wake, remove)
//! needs no lease, and a worker's write that finds another state than it began with is refused.

use hermez_api::PreviewState;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, Expr, SimpleExpr};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::entity::deploy;
use crate::entity::preview::{ActiveModel, Column, Entity, Model};
use crate::entity::pull_allowance;
use crate::entity::workload;
use crate::words::{at, maybe_at, ms, value, word};
use crate::{Change, DeployRecord, Lease, NewDeploy, Store, StoreError, deploys};

/// What errors call a row.
const WHAT: &str = "preview";
/// Most allowances that one question gives.
const MAX_ALLOWANCES: u64 = 1_000;

/// What a new deploy of a pull request says of its preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPreview {
    /// The pull request's number.
    pub pull_request: i64,
    /// Its title.
    pub title: String,
    /// Login of who opened it.
    pub author: String,
    /// The branch that it comes from.
    pub head_branch: String,
    /// Whether it comes from another repository.
    pub from_fork: bool,
    /// Its page in the forge.
    pub forge_url: String,
    /// Pods, while it is awake.
    pub replicas: i32,
}

/// A preview: a pull request's own instance of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewRecord {
    /// Number.
    pub id: i64,
    /// Its workload.
    pub workload_id: i64,
    /// Name of its Kubernetes object, and first label of its host.
    pub instance: String,
    /// The pull request's number.
    pub pull_request: i64,
    /// The pull request's title.
    pub title: String,
    /// Login of who opened it.
    pub author: String,
    /// The commit that was asked for last.
    pub head_commit: String,
    /// The branch that it comes from.
    pub head_branch: String,
    /// Whether it comes from another repository.
    pub from_fork: bool,
    /// The pull request's page in the forge.
    pub forge_url: String,
    /// How it is.
    pub state: PreviewState,
    /// Pods, while it is awake.
    pub replicas: i32,
    /// Pods that the cluster was last told to run; nothing before the first deploy was written, and
    /// -1 when that is not known.
    pub applied_replicas: Option<i32>,
    /// Port that its pods listen on.
    pub port: Option<u16>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was last asked for anything.
    pub last_used_at: Timestamp,
    /// When the forge was last asked about its pull request.
    pub checked_at: Timestamp,
    /// Since when it wakes.
    pub waking_since: Option<Timestamp>,
    /// How long it took to wake last, in milliseconds.
    pub last_wake_ms: Option<i64>,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// Why it is removed.
    pub removed_why: Option<String>,
    /// Hash of the secret in its shared link, while there is one.
    pub share_hash: Option<String>,
    /// Its comment in the forge.
    pub comment_id: Option<i64>,
    /// Digest of what the forge was told last.
    pub told: String,
    /// Tries to tell the forge that failed.
    pub tries: i32,
    /// When it is tried again, at the earliest.
    pub retry_at: Timestamp,
}

/// What a leased preview becomes. Absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreviewWrite {
    /// New state.
    pub state: Option<PreviewState>,
    /// Pods that the cluster was told to run.
    pub applied_replicas: Option<i32>,
    /// When the forge was asked about the pull request.
    pub checked_at: Option<Timestamp>,
    /// How long it took to wake, in milliseconds.
    pub last_wake_ms: Option<i64>,
    /// Why it is removed.
    pub removed_why: Option<String>,
    /// Its comment in the forge.
    pub comment_id: Option<i64>,
    /// Digest of what the forge was told.
    pub told: Option<String>,
    /// Tries to tell the forge that failed, and when it is tried again.
    pub tries: Option<(i32, Timestamp)>,
    /// Nothing is left to do.
    pub settled: bool,
}

/// A commit of a fork that a maintainer allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The pull request's number.
    pub pull_request: i64,
    /// The commit (40 hexadecimal digits).
    pub commit: String,
    /// Who allowed it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl PreviewRecord {
    fn from_model(model: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: model.id,
            workload_id: model.workload_id,
            instance: model.instance,
            pull_request: model.pull_request,
            title: model.title,
            author: model.author,
            head_commit: model.head_commit,
            head_branch: model.head_branch,
            from_fork: model.from_fork,
            forge_url: model.forge_url,
            state: value("preview.state", &model.state)?,
            replicas: model.replicas,
            applied_replicas: model.applied_replicas,
            port: model.port.and_then(|port| u16::try_from(port).ok()),
            created_at: at("preview.created_at_ms", model.created_at_ms)?,
            created_by: model.created_by,
            last_used_at: at("preview.last_used_at_ms", model.last_used_at_ms)?,
            checked_at: at("preview.checked_at_ms", model.checked_at_ms)?,
            waking_since: maybe_at("preview.waking_since_ms", model.waking_since_ms)?,
            last_wake_ms: model.last_wake_ms,
            removed_at: maybe_at("preview.removed_at_ms", model.removed_at_ms)?,
            removed_why: model.removed_why,
            share_hash: model.share_hash,
            comment_id: model.comment_id,
            told: model.told,
            tries: model.tries,
            retry_at: at("preview.retry_at_ms", model.retry_at_ms)?,
        })
    }
}

/// Those that are not removed.
fn living() -> Select<Entity> {
    Entity::find().filter(Column::State.ne(word(&PreviewState::Removed)))
}

fn missing(id: i64) -> StoreError {
    let key = id.to_string();
    StoreError::NotFound { what: WHAT, key }
}

/// Makes the preview of a pull request, or gives the one that there is its new head.
/// [`StoreError::AlreadyExists`] while the one before is being removed, or when the name is taken.
pub(crate) async fn upsert(
    transaction: &DatabaseTransaction,
    deploy: &NewDeploy,
    preview: &NewPreview,
    by: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let taken = || StoreError::AlreadyExists {
        what: WHAT,
        key: deploy.instance.clone(),
    };
    let find = living()
        .filter(Column::Instance.eq(deploy.instance.as_str()))
        .lock_exclusive();
    if let Some(found) = find.one(transaction).await? {
        let removing = found.state == word(&PreviewState::Removing);
        let other =
            (found.workload_id, found.pull_request) != (deploy.workload_id, preview.pull_request);
        if removing || other {
            return Err(taken());
        }
        Entity::update_many()
            .col_expr(Column::State, Expr::val(word(&PreviewState::Active)))
            .col_expr(Column::HeadCommit, Expr::val(deploy.commit.as_str()))
            .col_expr(Column::HeadBranch, Expr::val(preview.head_branch.as_str()))
            .col_expr(Column::Title, Expr::val(preview.title.as_str()))
            .col_expr(Column::FromFork, Expr::val(preview.from_fork))
            .col_expr(Column::ForgeUrl, Expr::val(preview.forge_url.as_str()))
            .col_expr(Column::Replicas, Expr::val(preview.replicas))
            .col_expr(Column::LastUsedAtMs, Expr::val(ms(now)))
            .col_expr(Column::CheckedAtMs, Expr::val(ms(now)))
            .col_expr(Column::WakingSinceMs, Expr::val(Option::<i64>::None))
            .filter(Column::Id.eq(found.id))
            .exec(transaction)
            .await?;
        return Ok(found.id);
    }
    let row = ActiveModel {
        workload_id: Set(deploy.workload_id),
        instance: Set(deploy.instance.clone()),
        pull_request: Set(preview.pull_request),
        title: Set(preview.title.clone()),
        author: Set(preview.author.clone()),
        head_commit: Set(deploy.commit.clone()),
        head_branch: Set(preview.head_branch.clone()),
        from_fork: Set(preview.from_fork),
        forge_url: Set(preview.forge_url.clone()),
        state: Set(word(&PreviewState::Active)),
        replicas: Set(preview.replicas),
        created_at_ms: Set(ms(now)),
        created_by: Set(by.to_owned()),
        last_used_at_ms: Set(ms(now)),
        checked_at_ms: Set(ms(now)),
        told: Set(String::new()),
        tries: Set(0),
        retry_at_ms: Set(ms(now)),
        settled: Set(false),
        fence: Set(0),
        ..Default::default()
    };
    match Entity::insert(row).exec(transaction).await {
        Ok(done) => Ok(done.last_insert_id),
        Err(error) if StoreError::is_unique_violation(&error) => Err(taken()),
        Err(error) => Err(error.into()),
    }
}

/// Begins to remove all previews of a workload that is being deleted; gives their numbers.
pub(crate) async fn remove_all_of(
    transaction: &DatabaseTransaction,
    workload_id: i64,
) -> Result<Vec<i64>, StoreError> {
    let find = living().filter(Column::WorkloadId.eq(workload_id));
    let mut ids = Vec::new();
    for preview in find.all(transaction).await? {
        begin_removal(transaction, preview.id, "its workload was deleted").await?;
        ids.push(preview.id);
    }
    Ok(ids)
}

async fn begin_removal(
    transaction: &DatabaseTransaction,
    id: i64,
    why: &str,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::State, Expr::val(word(&PreviewState::Removing)))
        .col_expr(Column::RemovedWhy, Expr::val(why))
        .col_expr(Column::ShareHash, Expr::val(Option::<String>::None))
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// That the number of pods in the cluster is not known, where there is an object: a process that died
/// may have written another than it noted, and whoever wants it otherwise writes it again.
fn unknown_replicas() -> SimpleExpr {
    Expr::case(Column::AppliedReplicas.is_not_null(), -1).into()
}

impl Store {
    /// The living preview of a pull request.
    pub async fn preview(
        &self,
        workload_id: i64,
        pull_request: i64,
    ) -> Result<Option<PreviewRecord>, StoreError> {
        let find = living()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::PullRequest.eq(pull_request));
        let found = find.one(&self.read).await?;
        found.map(PreviewRecord::from_model).transpose()
    }

    /// Repositories whose pull requests some workload wants deployed by themselves, by number.
    pub async fn auto_previewed_repositories(&self) -> Result<Vec<i64>, StoreError> {
        let find = workload::Entity::find()
            .select_only()
            .column(workload::Column::RepositoryId)
            .distinct()
            .filter(workload::Column::AutoPreview.eq(true))
            .filter(workload::Column::DeletedAtMs.is_null())
            .order_by_asc(workload::Column::RepositoryId);
        Ok(find.into_tuple().all(&self.read).await?)
    }

    /// The preview of a pull request that was removed last.
    pub async fn removed_preview(
        &self,
        workload_id: i64,
        pull_request: i64,
    ) -> Result<Option<PreviewRecord>, StoreError> {
        let find = Entity::find()
            .filter(Column::State.eq(word(&PreviewState::Removed)))
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::PullRequest.eq(pull_request))
            .order_by_desc(Column::Id);
        let found = find.one(&self.read).await?;
        found.map(PreviewRecord::from_model).transpose()
    }

    /// The preview with this number, removed or not.
    pub async fn preview_by_id(&self, id: i64) -> Result<Option<PreviewRecord>, StoreError> {
        let found = Entity::find_by_id(id).one(&self.read).await?;
        found.map(PreviewRecord::from_model).transpose()
    }

    /// The living preview with this name.
    pub async fn preview_of_instance(
        &self,
        instance: &str,
    ) -> Result<Option<PreviewRecord>, StoreError> {
        let find = living().filter(Column::Instance.eq(instance));
        let found = find.one(&self.read).await?;
        found.map(PreviewRecord::from_model).transpose()
    }

    /// The living previews of a workload, by pull request, at most `limit`.
    pub async fn previews_of(
        &self,
        workload_id: i64,
        limit: u64,
    ) -> Result<Vec<PreviewRecord>, StoreError> {
        let find = living()
            .filter(Column::WorkloadId.eq(workload_id))
            .order_by_asc(Column::PullRequest)
            .limit(limit);
        let found = find.all(&self.read).await?;
        found.into_iter().map(PreviewRecord::from_model).collect()
    }

    /// Previews that something may be to be done about, by number after `after` (0 for all), at
    /// most `limit`.
    pub async fn unsettled_previews(
        &self,
        after: i64,
        limit: u64,
    ) -> Result<Vec<PreviewRecord>, StoreError> {
        let find = Entity::find()
            .filter(Column::Settled.eq(false))
            .filter(Column::Id.gt(after))
            .order_by_asc(Column::Id)
            .limit(limit);
        let found = find.all(&self.read).await?;
        found.into_iter().map(PreviewRecord::from_model).collect()
    }

    /// The newest deploy of a preview.
    pub async fn latest_deploy_of(
        &self,
        preview: &PreviewRecord,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let find = deploys::with_workload()
            .filter(deploy::Column::WorkloadId.eq(preview.workload_id))
            .filter(deploy::Column::PullRequest.eq(preview.pull_request))
            .filter(deploy::Column::CreatedAtMs.gte(ms(preview.created_at)))
            .order_by_desc(deploy::Column::Id);
        let found = find.into_model::<deploys::Row>().one(&self.read).await?;
        found.map(deploys::Row::record).transpose()
    }

    /// Whether a deploy of this preview has not ended.
    pub async fn is_deploying(&self, preview: &PreviewRecord) -> Result<bool, StoreError> {
        let find = deploy::Entity::find()
            .filter(deploy::Column::WorkloadId.eq(preview.workload_id))
            .filter(deploy::Column::Instance.eq(preview.instance.as_str()))
            .filter(deploy::Column::State.is_in(deploys::open()));
        Ok(find.one(&self.write).await?.is_some())
    }

    /// Notes what a deploy wrote to the cluster for a pull request.
    pub async fn preview_applied(
        &self,
        workload_id: i64,
        pull_request: i64,
        replicas: i32,
        port: Option<u16>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AppliedReplicas, Expr::val(replicas))
            .col_expr(Column::Port, Expr::val(port.map(i32::from)))
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::PullRequest.eq(pull_request))
            .filter(Column::State.ne(word(&PreviewState::Removed)))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Notes that a preview was used. A use that is told late takes nothing back.
    pub async fn touch_preview(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::LastUsedAtMs, Expr::val(ms(now)))
            .filter(Column::Id.eq(id))
            .filter(Column::LastUsedAtMs.lt(ms(now)))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Wants a preview awake that sleeps; says whether it did sleep. Of many calls at once one does.
    pub async fn wake_preview(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        let woken = Entity::update_many()
            .col_expr(Column::State, Expr::val(word(&PreviewState::Waking)))
            .col_expr(Column::WakingSinceMs, Expr::val(ms(now)))
            .col_expr(Column::LastUsedAtMs, Expr::val(ms(now)))
            .col_expr(Column::AppliedReplicas, unknown_replicas())
            .filter(Column::Id.eq(id))
            .filter(Column::State.eq(word(&PreviewState::Sleeping)))
            .exec(&self.write)
            .await?;
        if woken.rows_affected == 1 {
            self.announce(Change::Preview(id));
        }
        Ok(woken.rows_affected == 1)
    }

    /// Wants a preview asleep; says whether it was awake.
    pub async fn sleep_preview(&self, id: i64) -> Result<bool, StoreError> {
        let awake = [PreviewState::Active, PreviewState::Waking];
        let slept = Entity::update_many()
            .col_expr(Column::State, Expr::val(word(&PreviewState::Sleeping)))
            .col_expr(Column::WakingSinceMs, Expr::val(Option::<i64>::None))
            .col_expr(Column::AppliedReplicas, unknown_replicas())
            .filter(Column::Id.eq(id))
            .filter(Column::State.is_in(awake.iter().map(word)))
            .exec(&self.write)
            .await?;
        if slept.rows_affected == 1 {
            self.announce(Change::Preview(id));
        }
        Ok(slept.rows_affected == 1)
    }

    /// Begins to remove a preview, and wants its deploys stopped, in one transaction. One that is
    /// being removed, or is removed, stays as it is.
    pub async fn remove_preview(
        &self,
        id: i64,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let find = Entity::find_by_id(id).lock_exclusive();
        let Some(preview) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        let over = [PreviewState::Removing, PreviewState::Removed];
        if over.iter().any(|state| preview.state == word(state)) {
            return Ok(());
        }
        begin_removal(&transaction, id, why).await?;
        let (workload, instance) = (preview.workload_id, preview.instance.as_str());
        let told = format!("its preview is removed: {why}");
        let canceled =
            deploys::cancel_all_of_instance(&transaction, workload, instance, &told, now).await?;
        self.commit_recorded(transaction).await?;
        for deploy in canceled {
            self.announce(Change::Deploy(deploy));
        }
        self.announce(Change::Preview(id));
        Ok(())
    }

    /// Leases a preview to `owner`, if nobody else holds it.
    pub async fn lease_preview(
        &self,
        id: i64,
        owner: &str,
        now: Timestamp,
        lease_ms: i64,
    ) -> Result<Option<(Lease, PreviewRecord)>, StoreError> {
        let transaction = self.begin().await?;
        let unheld = Condition::any()
            .add(Column::LeaseUntilMs.is_null())
            .add(Column::LeaseUntilMs.lte(ms(now)));
        let find = Entity::find_by_id(id).filter(unheld).lock_exclusive();
        let Some(model) = find.one(&transaction).await? else {
            return Ok(None);
        };
        let fence = model.fence + 1;
        Entity::update_many()
            .col_expr(Column::LeaseOwner, Expr::val(owner))
            .col_expr(Column::LeaseUntilMs, Expr::val(ms(now) + lease_ms))
            .col_expr(Column::Fence, Expr::val(fence))
            .filter(Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(Some((
            Lease { id, fence },
            PreviewRecord::from_model(model)?,
        )))
    }

    /// Writes a leased preview if it still is in the state `from`; says whether it was. Announces
    /// nothing: whoever writes looks again.
    pub async fn write_preview(
        &self,
        lease: Lease,
        from: PreviewState,
        write: &PreviewWrite,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut columns: Vec<(Column, Expr)> = Vec::new();
        let mut set = |column: Column, value: Expr| columns.push((column, value));
        if let Some(state) = write.state {
            set(Column::State, Expr::val(word(&state)));
            if state == PreviewState::Removed {
                set(Column::RemovedAtMs, Expr::val(ms(now)));
                // What is left to tell is tried afresh.
                set(Column::Tries, Expr::val(0));
                set(Column::RetryAtMs, Expr::val(ms(now)));
            }
            if state != PreviewState::Waking {
                set(Column::WakingSinceMs, Expr::val(Option::<i64>::None));
            }
        }
        if let Some(replicas) = write.applied_replicas {
            set(Column::AppliedReplicas, Expr::val(replicas));
        }
        if let Some(checked_at) = write.checked_at {
            set(Column::CheckedAtMs, Expr::val(ms(checked_at)));
        }
        if let Some(took) = write.last_wake_ms {
            set(Column::LastWakeMs, Expr::val(took));
        }
        if let Some(why) = &write.removed_why {
            set(Column::RemovedWhy, Expr::val(why.as_str()));
        }
        if let Some(comment) = write.comment_id {
            set(Column::CommentId, Expr::val(comment));
        }
        if let Some(told) = &write.told {
            set(Column::Told, Expr::val(told.as_str()));
        }
        if let Some((tries, retry_at)) = write.tries {
            set(Column::Tries, Expr::val(tries));
            set(Column::RetryAtMs, Expr::val(ms(retry_at)));
        }
        if write.settled {
            set(Column::Settled, Expr::val(true));
        }
        if columns.is_empty() {
            return Ok(true);
        }
        let update = columns
            .into_iter()
            .fold(Entity::update_many(), |update, (column, value)| {
                update.col_expr(column, value)
            });
        let written = update
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .filter(Column::State.eq(word(&from)))
            .exec(&self.write)
            .await?;
        Ok(written.rows_affected == 1)
    }

    /// Notes that it is not known what the cluster was told last about a preview: it is told again.
    pub async fn forget_applied(&self, lease: Lease) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AppliedReplicas, Expr::val(-1))
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Gives a preview's lease back.
    pub async fn release_preview(&self, lease: Lease) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::LeaseOwner, Expr::val(Option::<String>::None))
            .col_expr(Column::LeaseUntilMs, Expr::val(Option::<i64>::None))
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Allows one commit of a fork; allowing it again changes nothing.
    pub async fn allow_pull(
        &self,
        workload_id: i64,
        pull_request: i64,
        commit: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        use pull_allowance::{ActiveModel, Column, Entity};
        let row = ActiveModel {
            workload_id: Set(workload_id),
            pull_request: Set(pull_request),
            commit_id: Set(commit.to_owned()),
            allowed_by: Set(by.to_owned()),
            allowed_at_ms: Set(ms(now)),
        };
        let transaction = self.begin().await?;
        Entity::insert(row)
            .on_conflict_do_nothing_on([Column::WorkloadId, Column::PullRequest, Column::CommitId])
            .exec_without_returning(&transaction)
            .await?;
        self.commit_recorded(transaction).await
    }

    /// What was allowed of the pull requests of a workload, the newest 1,000.
    pub async fn pull_allowances(&self, workload_id: i64) -> Result<Vec<Allowance>, StoreError> {
        use pull_allowance::{Column, Entity};
        let find = Entity::find()
            .filter(Column::WorkloadId.eq(workload_id))
            .order_by_desc(Column::AllowedAtMs)
            .limit(MAX_ALLOWANCES);
        let mut all = Vec::new();
        for row in find.all(&self.read).await? {
            all.push(Allowance {
                pull_request: row.pull_request,
                commit: row.commit_id,
                by: row.allowed_by,
                at: at("pull_allowance.allowed_at_ms", row.allowed_at_ms)?,
            });
        }
        Ok(all)
    }

    /// Who allowed this commit of a fork, if somebody did.
    pub async fn pull_allowed_by(
        &self,
        workload_id: i64,
        pull_request: i64,
        commit: &str,
    ) -> Result<Option<String>, StoreError> {
        use pull_allowance::{Column, Entity};
        let find = Entity::find()
            .filter(Column::WorkloadId.eq(workload_id))
            .filter(Column::PullRequest.eq(pull_request))
            .filter(Column::CommitId.eq(commit));
        Ok(find.one(&self.read).await?.map(|row| row.allowed_by))
    }
}
