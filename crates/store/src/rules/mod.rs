//! What holds deploys back: windows and approval rules of workloads and projects, freezes, locks,
//! and the approvals that were given.
//!
//! Every change is announced as [`Change::Rules`], so that what waits for it is looked at again.

mod approvals;
mod entity;
mod freezes;
mod locks;

pub use approvals::{ApprovalRecord, NewApproval};
pub use freezes::{NewException, NewFreeze};

use hermez_api::{ApprovalRule, DeployWindows, Freeze, ScopeRules, WorkloadLock};
use jiff::Timestamp;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::words::{at, from_json, json, ms};
use crate::{Change, Store, StoreError, WorkloadRecord, workloads};
use entity::rule_set::{ActiveModel, Column, Entity, Model};

/// The role of those who may approve deploys, as it is kept.
const APPROVES: &str = "owner";

/// What windows and approval rules are set for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A workload, by its number.
    Workload(i64),
    /// A project, by its name.
    Project(String),
}

impl Scope {
    fn key(&self) -> String {
        match self {
            Scope::Workload(id) => format!("workload/{id}"),
            Scope::Project(name) => format!("project/{name}"),
        }
    }
}

/// All that may hold the deploys of one workload back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesRecord {
    /// What is set for the workload.
    pub own: ScopeRules,
    /// What is set for its project.
    pub of_project: ScopeRules,
    /// Freezes that are not over, also those that have not begun, oldest first.
    pub freezes: Vec<Freeze>,
    /// The lock, also one that has come off by itself.
    pub lock: Option<WorkloadLock>,
    /// Names of those whose role lets them approve; only asked for where approvals are needed.
    pub approvers: Vec<String>,
}

fn scope_rules(model: Model) -> Result<ScopeRules, StoreError> {
    let windows = model.windows.as_deref();
    let approvals = model.approvals.as_deref();
    Ok(ScopeRules {
        windows: windows
            .map(|text| from_json("rule_set.windows", text))
            .transpose()?,
        approvals: approvals
            .map(|text| from_json("rule_set.approvals", text))
            .transpose()?,
        changed_by: Some(model.changed_by),
        changed_at: Some(at("rule_set.changed_at_ms", model.changed_at_ms)?),
    })
}

impl Store {
    /// All that may hold the deploys of a workload back: five queries at most.
    pub async fn rules_of(
        &self,
        workload: &WorkloadRecord,
        now: Timestamp,
    ) -> Result<RulesRecord, StoreError> {
        let own = Scope::Workload(workload.id).key();
        let of_project = Scope::Project(workload.project.clone()).key();
        let keys = [own.as_str(), of_project.as_str()];
        let find = Entity::find().filter(Column::Scope.is_in(keys));
        let set = async { Ok(find.all(&self.read).await?) };
        let (freezes, lock, set) = tokio::try_join!(
            self.open_freezes(Some(&workload.project), now),
            self.lock_of(workload.id),
            set
        )?;
        let mut rules = RulesRecord {
            freezes,
            lock,
            ..RulesRecord::default()
        };
        for model in set {
            let place = if model.scope == own {
                &mut rules.own
            } else {
                &mut rules.of_project
            };
            *place = scope_rules(model)?;
        }
        if rules.own.approvals.is_some() || rules.of_project.approvals.is_some() {
            rules.approvers = self.names_with_role(APPROVES).await?;
        }
        Ok(rules)
    }

    /// What is set for a workload or a project.
    pub async fn scope_rules(&self, scope: &Scope) -> Result<ScopeRules, StoreError> {
        let find = Entity::find_by_id(scope.key());
        let found = find.one(&self.read).await?;
        Ok(found.map(scope_rules).transpose()?.unwrap_or_default())
    }

    /// The windows of a project's workloads that have some, with the workloads' names.
    pub async fn windows_in_project(
        &self,
        project: &str,
    ) -> Result<Vec<(String, DeployWindows)>, StoreError> {
        let mut found = Vec::new();
        let workloads = workloads::of_project(&self.read, project).await?;
        for chunk in workloads.chunks(500) {
            let keys = chunk.iter().map(|(id, _)| Scope::Workload(*id).key());
            let find = Entity::find()
                .filter(Column::Scope.is_in(keys))
                .filter(Column::Windows.is_not_null());
            for model in find.all(&self.read).await? {
                let of = chunk
                    .iter()
                    .find(|(id, _)| Scope::Workload(*id).key() == model.scope);
                if let (Some((_, name)), Some(windows)) = (of, scope_rules(model)?.windows) {
                    found.push((name.clone(), windows));
                }
            }
        }
        Ok(found)
    }

    /// Whether a workload that is not deleted belongs to the project.
    pub async fn has_project(&self, project: &str) -> Result<bool, StoreError> {
        Ok(!workloads::of_project(&self.read, project).await?.is_empty())
    }

    /// Sets, or takes away, the windows of a workload or a project.
    pub async fn set_windows(
        &self,
        scope: &Scope,
        windows: Option<&DeployWindows>,
        by: &str,
        now: Timestamp,
    ) -> Result<ScopeRules, StoreError> {
        let windows = windows.map(json);
        self.set(scope, Column::Windows, windows, by, now).await
    }

    /// Sets, or takes away, how a workload's or a project's deploys are approved.
    pub async fn set_approvals(
        &self,
        scope: &Scope,
        approvals: Option<&ApprovalRule>,
        by: &str,
        now: Timestamp,
    ) -> Result<ScopeRules, StoreError> {
        let approvals = approvals.map(json);
        self.set(scope, Column::Approvals, approvals, by, now).await
    }

    async fn set(
        &self,
        scope: &Scope,
        column: Column,
        text: Option<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<ScopeRules, StoreError> {
        let transaction = self.begin().await?;
        if let Scope::Workload(id) = scope {
            workloads::require_living(&transaction, *id, workloads::Hold::Shared).await?;
        }
        let row = ActiveModel {
            scope: Set(scope.key()),
            windows: Set(None),
            approvals: Set(None),
            changed_by: Set(by.to_owned()),
            changed_at_ms: Set(ms(now)),
        };
        let mut there = OnConflict::column(Column::Scope);
        there.update_columns([Column::ChangedBy, Column::ChangedAtMs]);
        Entity::insert(row)
            .on_conflict(there)
            .exec_without_returning(&transaction)
            .await?;
        Entity::update_many()
            .col_expr(column, Expr::val(text))
            .filter(Column::Scope.eq(scope.key()))
            .exec(&transaction)
            .await?;
        let set = Entity::find_by_id(scope.key()).one(&transaction).await?;
        self.commit_recorded(transaction).await?;
        self.announce(Change::Rules);
        Ok(set.map(scope_rules).transpose()?.unwrap_or_default())
    }
}
