//! Workloads.

use std::collections::HashMap;

use hermez_api::{
    Category, DeployState, Page, Pin, PreviewSettings, ScaleBounds, ScaleChangeState,
};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, UpdateMany,
};
use serde::Serialize;

use crate::entity::repository;
use crate::entity::workload::{ActiveModel, Column, Entity, Model};
use crate::words::{at, maybe_at, ms, value, word};
use crate::{
    Change, DeployRecord, PageRequest, RepositoryRecord, Store, StoreError, WorkloadRecord,
    WorkloadRow, builds, deploys, previews, scales,
};

/// Status of the answer to who makes one.
const CREATED: u16 = 201;

/// A workload to create.
#[derive(Debug, Clone)]
pub struct NewWorkload {
    /// Unique name.
    pub name: String,
    /// One of the six kinds.
    pub kind: String,
    /// Production or not.
    pub category: Category,
    /// Project.
    pub project: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Its repository.
    pub repository_id: i64,
    /// Path of its config file.
    pub config_path: String,
    /// Who creates it.
    pub created_by: String,
}

/// What a workload's settings become; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct WorkloadSettings {
    /// Production or not.
    pub category: Option<Category>,
    /// Branch whose pushes are deployed by themselves; `Some(None)` turns it off.
    pub auto_deploy: Option<Option<String>>,
    /// How its pull requests are previewed.
    pub previews: PreviewChanges,
}

/// What changes in how a workload's pull requests are previewed; absent fields stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PreviewChanges {
    /// Whether they are deployed by themselves.
    pub auto: Option<bool>,
    /// Pods of a new preview.
    pub replicas: Option<i32>,
    /// Minutes without a request after which one sleeps.
    pub idle_minutes: Option<i32>,
    /// Days without a request after which one is removed.
    pub expiry_days: Option<i32>,
}

impl PreviewChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which workloads are wanted; absent fields match everything.
#[derive(Debug, Clone, Default)]
pub struct WorkloadFilter {
    /// Part of the name, whatever its case.
    pub q: Option<String>,
    /// Category.
    pub category: Option<Category>,
    /// Kind, for example `PinterestService`.
    pub workload_type: Option<String>,
    /// Project.
    pub project: Option<String>,
}

/// Most pods that anybody may ask for until a workload says otherwise: what the kinds allow.
const MAX_REPLICAS: i32 = 10_000;
/// What errors call a row.
const WHAT: &str = "workload";
/// Name of this list in cursors.
const LIST: &str = "workload";

impl WorkloadRecord {
    pub(crate) fn from_model(model: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: model.id,
            name: model.name,
            kind: model.kind,
            category: value("workload.category", &model.category)?,
            project: model.project,
            namespace: model.namespace,
            repository_id: model.repository_id,
            config_path: model.config_path,
            version: model.version,
            created_at: at("workload.created_at_ms", model.created_at_ms)?,
            created_by: model.created_by,
            deleted_at: maybe_at("workload.deleted_at_ms", model.deleted_at_ms)?,
            auto_deploy: model.auto_deploy,
            scale_bounds: ScaleBounds {
                min: model.scale_min,
                max: model.scale_max,
            },
            pin: match (model.pinned_by, model.pinned_at_ms) {
                (Some(by), Some(ms)) => Some(Pin {
                    by,
                    at: at("workload.pinned_at_ms", ms)?,
                    reason: model.pin_reason.unwrap_or_default(),
                    deploy_id: model.pin_deploy_id,
                }),
                _ => None,
            },
            previews: PreviewSettings {
                auto: model.auto_preview,
                replicas: model.preview_replicas,
                idle_minutes: model.preview_idle_minutes,
                expiry_days: model.preview_expiry_days,
            },
        })
    }
}

/// Those that are not deleted.
fn living() -> Select<Entity> {
    Entity::find().filter(Column::DeletedAtMs.is_null())
}

/// A pattern for `LIKE` (with `!` as its escape) that finds `text` anywhere.
fn anywhere(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}

impl Store {
    /// Creates a workload; [`StoreError::AlreadyExists`] when the name is taken.
    pub async fn create_workload(
        &self,
        new: &NewWorkload,
        now: Timestamp,
    ) -> Result<WorkloadRecord, StoreError> {
        self.create_answered_workload(new, now, |_| ()).await
    }

    /// The same, with what is answered to the key under which it was asked for.
    pub async fn create_answered_workload<A: Serialize>(
        &self,
        new: &NewWorkload,
        now: Timestamp,
        answer: impl FnOnce(&WorkloadRecord) -> A + Send,
    ) -> Result<WorkloadRecord, StoreError> {
        let row = ActiveModel {
            name: Set(new.name.clone()),
            kind: Set(new.kind.clone()),
            category: Set(word(&new.category)),
            project: Set(new.project.clone()),
            namespace: Set(new.namespace.clone()),
            repository_id: Set(new.repository_id),
            config_path: Set(new.config_path.clone()),
            version: Set(1),
            scale_min: Set(0),
            scale_max: Set(MAX_REPLICAS),
            created_at_ms: Set(ms(now)),
            created_by: Set(new.created_by.clone()),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        let inserted = Entity::insert(row).exec_with_returning(&transaction).await;
        let model = inserted.map_err(|error| {
            if StoreError::is_unique_violation(&error) {
                let key = new.name.clone();
                StoreError::AlreadyExists { what: WHAT, key }
            } else {
                error.into()
            }
        })?;
        let record = WorkloadRecord::from_model(model)?;
        self.commit_answered(transaction, CREATED, &answer(&record))
            .await?;
        self.announce(Change::Workload(new.name.clone()));
        Ok(record)
    }

    /// The workload with this name that is not deleted.
    pub async fn workload(&self, name: &str) -> Result<Option<WorkloadRecord>, StoreError> {
        let found = living()
            .filter(Column::Name.eq(name))
            .one(&self.read)
            .await?;
        found.map(WorkloadRecord::from_model).transpose()
    }

    /// The workload with this number, deleted or not.
    pub async fn workload_by_id(&self, id: i64) -> Result<Option<WorkloadRecord>, StoreError> {
        let found = Entity::find_by_id(id).one(&self.read).await?;
        found.map(WorkloadRecord::from_model).transpose()
    }

    /// The workload with its repository and its current and newest deploys.
    pub async fn workload_row(&self, name: &str) -> Result<Option<WorkloadRow>, StoreError> {
        let Some(workload) = self.workload(name).await? else {
            return Ok(None);
        };
        Ok(self.rows_of(vec![workload]).await?.pop())
    }

    /// Workloads by name, with their repositories, deploys and marks: five queries whatever the
    /// length.
    pub async fn workloads(
        &self,
        filter: &WorkloadFilter,
        page: &PageRequest,
    ) -> Result<Page<WorkloadRow>, StoreError> {
        let mut find = living().order_by_asc(Column::Name).limit(page.limit() + 1);
        if let Some(q) = filter.q.as_deref().filter(|q| !q.is_empty()) {
            let name = Expr::expr(Func::lower(Expr::col(Column::Name)));
            find = find.filter(name.like(anywhere(q)));
        }
        if let Some(category) = &filter.category {
            find = find.filter(Column::Category.eq(word(category)));
        }
        if let Some(kind) = &filter.workload_type {
            find = find.filter(Column::Kind.eq(kind.as_str()));
        }
        if let Some(project) = &filter.project {
            find = find.filter(Column::Project.eq(project.as_str()));
        }
        if let Some(after) = page.after_text(LIST)? {
            find = find.filter(Column::Name.gt(after));
        }
        let models = find.all(&self.read).await?;
        let page = page.page(LIST, models, |model| model.name.clone());
        let next_cursor = page.next_cursor;
        let workloads = page.items.into_iter().map(WorkloadRecord::from_model);
        let items = self.rows_of(workloads.collect::<Result<_, _>>()?).await?;
        Ok(Page { items, next_cursor })
    }

    /// Workloads of a repository that are not deleted, by name.
    pub async fn workloads_of_repository(
        &self,
        repository_id: i64,
    ) -> Result<Vec<WorkloadRecord>, StoreError> {
        let find = living().filter(Column::RepositoryId.eq(repository_id));
        let models = find.order_by_asc(Column::Name).all(&self.read).await?;
        models.into_iter().map(WorkloadRecord::from_model).collect()
    }

    /// Changes a workload's category if its version still is `expected_version` (any when `None`).
    pub async fn set_category(
        &self,
        name: &str,
        expected_version: Option<i64>,
        category: Category,
    ) -> Result<WorkloadRecord, StoreError> {
        let settings = WorkloadSettings {
            category: Some(category),
            ..WorkloadSettings::default()
        };
        self.set_workload(name, expected_version, &settings).await
    }

    /// Changes a workload's settings if its version still is `expected_version` (any when `None`).
    pub async fn set_workload(
        &self,
        name: &str,
        expected_version: Option<i64>,
        settings: &WorkloadSettings,
    ) -> Result<WorkloadRecord, StoreError> {
        let transaction = self.begin().await?;
        let mut change = Entity::update_many();
        if let Some(category) = settings.category {
            change = change.col_expr(Column::Category, Expr::val(word(&category)));
        }
        if let Some(branch) = &settings.auto_deploy {
            change = change.col_expr(Column::AutoDeploy, Expr::val(branch.clone()));
        }
        let previews = &settings.previews;
        if let Some(auto) = previews.auto {
            change = change.col_expr(Column::AutoPreview, Expr::val(auto));
        }
        let numbers = [
            (Column::PreviewReplicas, previews.replicas),
            (Column::PreviewIdleMinutes, previews.idle_minutes),
            (Column::PreviewExpiryDays, previews.expiry_days),
        ];
        for (column, number) in numbers {
            if let Some(number) = number {
                change = change.col_expr(column, Expr::val(number));
            }
        }
        let changed = change_one(&transaction, name, expected_version, change).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Workload(name.to_owned()));
        Ok(changed)
    }

    /// Takes a workload's pin off; says whether there was one.
    pub async fn unpin(&self, name: &str) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let find = living().filter(Column::Name.eq(name));
        let was_pinned = find
            .one(&transaction)
            .await?
            .is_some_and(|model| model.pinned_by.is_some());
        let none = || Expr::val(Option::<String>::None);
        let change = Entity::update_many()
            .col_expr(Column::PinnedBy, none())
            .col_expr(Column::PinReason, none())
            .col_expr(Column::PinnedAtMs, Expr::val(Option::<i64>::None))
            .col_expr(Column::PinDeployId, Expr::val(Option::<i64>::None));
        change_one(&transaction, name, None, change).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Workload(name.to_owned()));
        Ok(was_pinned)
    }

    /// Marks a workload as deleted and, in the same transaction, wants everything stopped that
    /// waits or runs for it; its name is free again. From then on nothing new can be asked for.
    pub async fn delete_workload(
        &self,
        name: &str,
        expected_version: Option<i64>,
        by: &str,
        now: Timestamp,
    ) -> Result<WorkloadRecord, StoreError> {
        let transaction = self.begin().await?;
        let change = Entity::update_many().col_expr(Column::DeletedAtMs, Expr::val(ms(now)));
        let deleted = change_one(&transaction, name, expected_version, change).await?;
        let why = format!("{by} deleted the workload");
        let deploys = deploys::cancel_all_of(&transaction, deleted.id, &why, now).await?;
        let builds = builds::cancel_all_of(&transaction, deleted.id, now).await?;
        let (ended, gone) = (ScaleChangeState::Ended, "the workload was deleted");
        scales::end_standing(&transaction, deleted.id, ended, gone).await?;
        let previews = previews::remove_all_of(&transaction, deleted.id).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Workload(name.to_owned()));
        for id in deploys {
            self.announce(Change::Deploy(id));
        }
        for id in builds {
            self.announce(Change::Build(id));
        }
        for id in previews {
            self.announce(Change::Preview(id));
        }
        Ok(deleted)
    }

    /// Adds repositories, deploys and marks to workloads, in the same order, by four queries.
    async fn rows_of(
        &self,
        workloads: Vec<WorkloadRecord>,
    ) -> Result<Vec<WorkloadRow>, StoreError> {
        let ids: Vec<i64> = workloads.iter().map(|w| w.repository_id).collect();
        let mut repositories = HashMap::new();
        let find = repository::Entity::find().filter(repository::Column::Id.is_in(ids));
        for model in find.all(&self.read).await? {
            repositories.insert(model.id, RepositoryRecord::from_model(model)?);
        }
        let ids: Vec<i64> = workloads.iter().map(|w| w.id).collect();
        let mut deploys: HashMap<i64, Vec<DeployRecord>> = HashMap::new();
        for deploy in self.outstanding_deploys(&ids).await? {
            deploys.entry(deploy.workload_id).or_default().push(deploy);
        }
        let mut rows = Vec::with_capacity(workloads.len());
        for workload in workloads {
            let Some(repository) = repositories.get(&workload.repository_id).cloned() else {
                continue; // its foreign key does not let this happen
            };
            let own = deploys.remove(&workload.id).unwrap_or_default();
            let latest = own.iter().max_by_key(|deploy| deploy.id).cloned();
            let current = own
                .into_iter()
                .filter(|deploy| deploy.state == DeployState::Succeeded)
                .max_by_key(|deploy| (deploy.applied_at, deploy.id));
            rows.push(WorkloadRow {
                workload,
                repository,
                current,
                latest,
                bad: None,
            });
        }
        let current: Vec<i64> = rows
            .iter()
            .filter_map(|row| Some(row.current.as_ref()?.id))
            .collect();
        let mut marks = self.marks_of_deploys(&current).await?;
        for row in &mut rows {
            row.bad = marks.remove(&row.workload.id);
        }
        Ok(rows)
    }
}

/// Numbers and names of a project's workloads that are not deleted, by name.
pub(crate) async fn of_project<C: ConnectionTrait>(
    connection: &C,
    project: &str,
) -> Result<Vec<(i64, String)>, StoreError> {
    let find = living()
        .select_only()
        .column(Column::Id)
        .column(Column::Name)
        .filter(Column::Project.eq(project))
        .order_by_asc(Column::Name);
    Ok(find.into_tuple().all(connection).await?)
}

/// Pins a workload in the transaction of the rollback that does so.
pub(crate) async fn pin(
    transaction: &DatabaseTransaction,
    id: i64,
    pin: &Pin,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::PinnedBy, Expr::val(pin.by.as_str()))
        .col_expr(Column::PinnedAtMs, Expr::val(ms(pin.at)))
        .col_expr(Column::PinReason, Expr::val(pin.reason.as_str()))
        .col_expr(Column::PinDeployId, Expr::val(pin.deploy_id))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Makes one change of a living workload and raises its version.
pub(crate) async fn change_one(
    transaction: &DatabaseTransaction,
    name: &str,
    expected_version: Option<i64>,
    change: UpdateMany<Entity>,
) -> Result<WorkloadRecord, StoreError> {
    let find = living().filter(Column::Name.eq(name)).lock_exclusive();
    let Some(model) = find.one(transaction).await? else {
        let key = name.to_owned();
        return Err(StoreError::NotFound { what: WHAT, key });
    };
    if expected_version.is_some_and(|version| version != model.version) {
        return Err(StoreError::VersionMismatch {
            what: WHAT,
            key: name.to_owned(),
            current: model.version,
        });
    }
    change
        .col_expr(Column::Version, Expr::val(model.version + 1))
        .filter(Column::Id.eq(model.id))
        .exec(transaction)
        .await?;
    let changed = Entity::find_by_id(model.id).one(transaction).await?;
    WorkloadRecord::from_model(changed.unwrap_or(model))
}

/// How a transaction holds a workload's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Beside others that do the same.
    Shared,
    /// Alone.
    Alone,
}

/// Refuses work for a workload that is deleted, and keeps it from being deleted until the
/// transaction ends: whoever deletes it afterwards finds the work and stops it. Gives its name.
pub(crate) async fn require_living(
    transaction: &DatabaseTransaction,
    id: i64,
    hold: Hold,
) -> Result<String, StoreError> {
    let find = living().filter(Column::Id.eq(id));
    let find = match hold {
        Hold::Shared => find.lock_shared(),
        Hold::Alone => find.lock_exclusive(),
    };
    match find.one(transaction).await? {
        Some(workload) => Ok(workload.name),
        None => Err(StoreError::NotFound {
            what: WHAT,
            key: id.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{NewRepository, NewWorkload};

    #[tokio::test]
    async fn a_list_of_any_length_takes_three_queries() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("hermez.db").display());
        let mut store = Store::open(&url).await.unwrap();
        let new = NewRepository {
            identity: "http://forge/a".to_owned(),
            url: "http://forge/a".to_owned(),
            sealed_credential: None,
            default_branch: None,
        };
        let now = Timestamp::UNIX_EPOCH;
        let repository = store.upsert_repository(&new, now).await.unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queries);
        store.read.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let mut counts = Vec::new();
        for n in 0..6 {
            let new = NewWorkload {
                name: format!("app-{n}"),
                kind: "PinterestService".to_owned(),
                category: Category::Production,
                project: "demo".to_owned(),
                namespace: "default".to_owned(),
                repository_id: repository.id,
                config_path: "service.yaml".to_owned(),
                created_by: "ada".to_owned(),
            };
            store.create_workload(&new, now).await.unwrap();
            let before = queries.load(Ordering::SeqCst);
            let (all, first) = (WorkloadFilter::default(), PageRequest::default());
            let page = store.workloads(&all, &first).await.unwrap();
            assert_eq!(page.items.len(), n + 1);
            counts.push(queries.load(Ordering::SeqCst) - before);
        }
        assert_eq!(counts, [3; 6]);
    }

    #[test]
    fn wildcards_in_a_search_are_plain_text() {
        let like = format!("{:?}", anywhere("A_b%!"));
        assert!(like.contains("%a!_b!%!!%"), "{like}");
    }
}
