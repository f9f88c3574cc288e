//! Approvals and rejections of deploys.

use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entity::deploy_approval::{self, ActiveModel, Column, Entity};
use crate::deploys::{append_event, is_waiting, missing, withdraw};
use crate::entity::deploy;
use crate::words::{at, ms, value};
use crate::{Change, DeployRecord, Store, StoreError};

/// An approval to keep.
#[derive(Debug, Clone)]
pub struct NewApproval {
    /// The deploy.
    pub deploy_id: i64,
    /// Who approves.
    pub by: String,
    /// Their role.
    pub role: String,
    /// What they say.
    pub comment: Option<String>,
    /// The manifest's reference by digest, where it is known already.
    pub manifest: Option<String>,
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// Who approved.
    pub by: String,
    /// Their role at that time.
    pub role: String,
    /// When.
    pub at: Timestamp,
    /// What they said.
    pub comment: Option<String>,
    /// The commit that they approved.
    pub commit: String,
    /// The manifest that they approved, where it was known.
    pub manifest: Option<String>,
}

impl Store {
    /// The approvals of a deploy, oldest first.
    pub async fn approvals(&self, deploy_id: i64) -> Result<Vec<ApprovalRecord>, StoreError> {
        let find = Entity::find()
            .filter(Column::DeployId.eq(deploy_id))
            .order_by_asc(Column::ApprovedAtMs)
            .order_by_asc(Column::ApprovedBy);
        let rows = find.all(&self.read).await?.into_iter().map(|row| {
            Ok(ApprovalRecord {
                by: row.approved_by,
                role: row.role,
                at: at("deploy_approval.approved_at_ms", row.approved_at_ms)?,
                comment: row.comment,
                commit: row.commit_id,
                manifest: row.manifest,
            })
        });
        rows.collect()
    }

    /// Keeps an approval of a deploy that has changed nothing yet; the first of each person stays.
    /// `Ok(None)` when the deploy has begun or ended.
    pub async fn approve_deploy(
        &self,
        new: &NewApproval,
        now: Timestamp,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let transaction = self.begin().await?;
        let find = deploy::Entity::find_by_id(new.deploy_id).lock_exclusive();
        let Some(deploy) = find.one(&transaction).await? else {
            return Err(missing(new.deploy_id));
        };
        let key = (new.deploy_id, new.by.clone());
        let is_there = Entity::find_by_id(key).one(&transaction).await?.is_some();
        let waits = is_waiting(value("deploy.state", &deploy.state)?) && !deploy.cancel_requested;
        if !is_there && !waits {
            return Ok(None);
        }
        if !is_there {
            let row = ActiveModel {
                deploy_id: Set(new.deploy_id),
                approved_by: Set(new.by.clone()),
                role: Set(new.role.clone()),
                comment: Set(new.comment.clone()),
                commit_id: Set(deploy.commit_id.clone()),
                manifest: Set(new.manifest.clone()),
                approved_at_ms: Set(ms(now)),
            };
            deploy_approval::Entity::insert(row)
                .exec_without_returning(&transaction)
                .await?;
            let message = match &new.comment {
                Some(comment) => format!("{} approved it: {comment}", new.by),
                None => format!("{} approved it", new.by),
            };
            append_event(&transaction, &deploy, &deploy.state, &message, now).await?;
        }
        self.commit_recorded(transaction).await?;
        self.announce(Change::Deploy(new.deploy_id));
        self.deploy(new.deploy_id).await
    }

    /// Ends a deploy that has changed nothing yet, with these words; the first rejection stays. A
    /// rollback takes its marks back with it: what it was to replace goes on running. Its pin stays.
    /// `Ok(None)` when the deploy has begun or ended.
    pub async fn reject_deploy(
        &self,
        id: i64,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<DeployRecord>, StoreError> {
        let transaction = self.begin().await?;
        let find = deploy::Entity::find_by_id(id).lock_exclusive();
        let Some(deploy) = find.one(&transaction).await? else {
            return Err(missing(id));
        };
        let mut unmarked = None;
        if deploy.rejection.is_none() {
            let waits =
                is_waiting(value("deploy.state", &deploy.state)?) && !deploy.cancel_requested;
            if !waits {
                return Ok(None);
            }
            let words = format!("rejected by {by}: {reason}");
            deploy::Entity::update_many()
                .col_expr(deploy::Column::Rejection, Expr::val(words))
                .filter(deploy::Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            let why = format!("{by} rejected it");
            unmarked = withdraw(&transaction, &deploy, &why, now).await?;
        }
        self.commit_recorded(transaction).await?;
        self.announce_withdrawn(id, unmarked);
        self.deploy(id).await
    }
}
