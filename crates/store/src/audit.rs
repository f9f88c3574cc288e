//! The append-only record of changes.

use hermez_api::{AuditEntry, Page};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::audit_entry::{ActiveModel, Column, Entity, Model};
use crate::page::MapPage;
use crate::words::{at, from_json, json, ms};
use crate::{PageRequest, Store, StoreError};

/// A line to append.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub principal: String,
    /// What they did, for example `workload.create`.
    pub action: String,
    /// What they did it to, for example `workload/hello`.
    pub target: String,
    /// `allowed`, `denied` or `failed`.
    pub outcome: &'static str,
    /// Details worth keeping, without secrets.
    pub detail: serde_json::Value,
}

/// Which lines are wanted; absent fields match everything.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Who.
    pub principal: Option<String>,
    /// What.
    pub action: Option<String>,
    /// To what.
    pub target: Option<String>,
}

/// Name of this list in cursors.
const LIST: &str = "audit";

fn entry(model: Model) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: model.id,
        at: at("audit_entry.at_ms", model.at_ms)?,
        principal: model.principal,
        action: model.action,
        target: model.target,
        outcome: model.outcome,
        detail: from_json("audit_entry.detail", &model.detail)?,
    })
}

/// Appends a line and gives its number.
pub(crate) async fn append(
    connection: &impl ConnectionTrait,
    entry: NewAuditEntry,
) -> Result<i64, StoreError> {
    let new = ActiveModel {
        at_ms: Set(ms(entry.at)),
        principal: Set(entry.principal),
        action: Set(entry.action),
        target: Set(entry.target),
        outcome: Set(entry.outcome.to_owned()),
        detail: Set(json(&entry.detail)),
        ..Default::default()
    };
    Ok(Entity::insert(new).exec(connection).await?.last_insert_id)
}

impl Store {
    /// Appends a line and gives its number.
    pub async fn append_audit(&self, entry: NewAuditEntry) -> Result<i64, StoreError> {
        append(&self.write, entry).await
    }

    /// Lines, newest first.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        let mut find = Entity::find()
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        let wanted = [
            (Column::Principal, &filter.principal),
            (Column::Action, &filter.action),
            (Column::Target, &filter.target),
        ];
        for (column, wanted) in wanted {
            if let Some(wanted) = wanted {
                find = find.filter(column.eq(wanted.as_str()));
            }
        }
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.all(&self.read).await?;
        page.page(LIST, rows, |row| row.id).try_map(entry)
    }
}
