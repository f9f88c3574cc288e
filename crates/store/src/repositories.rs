//! Git repositories that are mirrored.

use hermez_api::WebhookState;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::entity::repository::{ActiveModel, Column, Entity, Model};
use crate::entity::workload;
use crate::words::{maybe_at, ms, value, word};
use crate::{Change, RepositoryRecord, Store, StoreError};

/// A repository to know.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Normalised URL by which it is one repository.
    pub identity: String,
    /// URL as it is fetched, without credentials.
    pub url: String,
    /// Sealed credential; `None` keeps the one that is known.
    pub sealed_credential: Option<Vec<u8>>,
    /// Default branch.
    pub default_branch: Option<String>,
}

impl RepositoryRecord {
    pub(crate) fn from_model(model: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: model.id,
            identity: model.identity,
            url: model.url,
            sealed_credential: model.sealed_credential,
            default_branch: model.default_branch,
            fetched_at: maybe_at("repository.fetched_at_ms", model.fetched_at_ms)?,
            error: model.error,
            webhook: value("repository.webhook", &model.webhook)?,
            webhook_reason: model.webhook_reason,
        })
    }
}

impl Store {
    /// Knows a repository: one row for an identity, however often and at once it is called.
    pub async fn upsert_repository(
        &self,
        new: &NewRepository,
        now: Timestamp,
    ) -> Result<RepositoryRecord, StoreError> {
        let mut update = OnConflict::column(Column::Identity);
        update.update_column(Column::Url);
        if new.sealed_credential.is_some() {
            update.update_column(Column::SealedCredential);
        }
        if new.default_branch.is_some() {
            update.update_column(Column::DefaultBranch);
        }
        let row = ActiveModel {
            identity: Set(new.identity.clone()),
            url: Set(new.url.clone()),
            sealed_credential: Set(new.sealed_credential.clone()),
            default_branch: Set(new.default_branch.clone()),
            created_at_ms: Set(ms(now)),
            webhook: Set(word(&WebhookState::Missing)),
            ..Default::default()
        };
        let insert = Entity::insert(row).on_conflict(update);
        RepositoryRecord::from_model(insert.exec_with_returning(&self.write).await?)
    }

    /// The repository with this number.
    pub async fn repository(&self, id: i64) -> Result<Option<RepositoryRecord>, StoreError> {
        let found = Entity::find_by_id(id).one(&self.read).await?;
        found.map(RepositoryRecord::from_model).transpose()
    }

    /// The repository with this identity.
    pub async fn repository_by_identity(
        &self,
        identity: &str,
    ) -> Result<Option<RepositoryRecord>, StoreError> {
        let find = Entity::find().filter(Column::Identity.eq(identity));
        let found = find.one(&self.read).await?;
        found.map(RepositoryRecord::from_model).transpose()
    }

    /// Notes a fetch that went well, at `now`.
    pub async fn repository_fetched(
        &self,
        id: i64,
        default_branch: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut update = Entity::update_many()
            .col_expr(Column::FetchedAtMs, Expr::val(ms(now)))
            .col_expr(Column::Error, Expr::val(Option::<String>::None));
        if let Some(branch) = default_branch {
            update = update.col_expr(Column::DefaultBranch, Expr::val(branch));
        }
        update.filter(Column::Id.eq(id)).exec(&self.write).await?;
        self.announce_workloads_of(id).await
    }

    /// Notes a fetch that failed, and why.
    pub async fn repository_fetch_failed(&self, id: i64, error: &str) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Error, Expr::val(error))
            .filter(Column::Id.eq(id))
            .exec(&self.write)
            .await?;
        self.announce_workloads_of(id).await
    }

    /// Notes whether the forge calls on each push.
    pub async fn set_webhook(
        &self,
        id: i64,
        state: WebhookState,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Webhook, Expr::val(word(&state)))
            .col_expr(Column::WebhookReason, Expr::val(reason.map(str::to_owned)))
            .filter(Column::Id.eq(id))
            .exec(&self.write)
            .await?;
        self.announce_workloads_of(id).await
    }

    /// Repositories whose forge calls on each push although no workload is left of them: their last
    /// workload was deleted by a process that did not live to say so.
    pub async fn abandoned_repositories(&self) -> Result<Vec<RepositoryRecord>, StoreError> {
        let living = Query::select()
            .expr(Expr::val(1))
            .from(workload::Entity)
            .and_where(
                Expr::col((workload::Entity, workload::Column::RepositoryId))
                    .equals((Entity, Column::Id)),
            )
            .and_where(workload::Column::DeletedAtMs.is_null())
            .to_owned();
        let find = Entity::find()
            .filter(Column::Webhook.eq(word(&WebhookState::Installed)))
            .filter(Expr::not_exists(living))
            .order_by_asc(Column::Id);
        let models = find.all(&self.read).await?;
        models
            .into_iter()
            .map(RepositoryRecord::from_model)
            .collect()
    }

    /// Forgets a repository that no workload (not even a deleted one) refers to; `false` when one
    /// does.
    pub async fn delete_repository_if_unused(&self, id: i64) -> Result<bool, StoreError> {
        let used = Query::select()
            .expr(Expr::val(1))
            .from(workload::Entity)
            .and_where(workload::Column::RepositoryId.eq(id))
            .to_owned();
        let deleted = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Expr::not_exists(used))
            .exec(&self.write)
            .await?;
        Ok(deleted.rows_affected == 1)
    }

    async fn announce_workloads_of(&self, repository_id: i64) -> Result<(), StoreError> {
        for workload in self.workloads_of_repository(repository_id).await? {
            self.announce(Change::Workload(workload.name));
        }
        Ok(())
    }
}
