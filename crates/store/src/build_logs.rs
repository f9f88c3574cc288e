//! Steps and log lines of builds.

use hermez_api::{BuildStep, LogLine, Page};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::build_step::Column as StepColumn;
use crate::entity::{build, build_log_line, build_step};
use crate::page::MapPage;
use crate::words::{at, maybe_at, ms};
use crate::{Change, Lease, PageRequest, Store, StoreError};

/// Name of the log's list in cursors.
const LIST: &str = "log";
/// Rows of one INSERT; five values each stay far below both databases' limits.
const ROWS: usize = 1000;
/// Most lines that one call gives.
const MAX_LINES: u64 = 10_000;
/// Most that is kept of one build's log over all its tries, in bytes. One try is bounded by the
/// builder; this bounds them together.
const MAX_LOG_BYTES: i64 = 64 * 1024 * 1024;

fn line(model: build_log_line::Model) -> Result<LogLine, StoreError> {
    Ok(LogLine {
        seq: model.seq,
        at: at("build_log_line.at_ms", model.at_ms)?,
        step: model.step,
        text: model.text,
    })
}

impl Store {
    /// Appends lines (their `seq` is ignored and given here) and writes steps by their number, in
    /// one transaction, and gives the number of the last line. Past 64 MiB a build keeps only
    /// Hermez's own words (step 0).
    pub async fn write_build_progress(
        &self,
        lease: Lease,
        steps: &[BuildStep],
        lines: &[LogLine],
    ) -> Result<i64, StoreError> {
        let transaction = self.begin().await?;
        let find = build::Entity::find_by_id(lease.id).filter(build::Column::Fence.eq(lease.fence));
        let Some(build) = find.lock_exclusive().one(&transaction).await? else {
            return Err(StoreError::LeaseLost {
                what: "build",
                id: lease.id,
            });
        };
        let (mut seq, mut bytes) = (build.log_seq, build.log_bytes);
        let mut rows = Vec::with_capacity(lines.len());
        for line in lines {
            if bytes >= MAX_LOG_BYTES && line.step != 0 {
                continue;
            }
            seq += 1;
            bytes += line.text.len() as i64;
            rows.push(build_log_line::ActiveModel {
                build_id: Set(lease.id),
                seq: Set(seq),
                at_ms: Set(ms(line.at)),
                step: Set(line.step),
                // PostgreSQL's text holds no NUL.
                text: Set(line.text.replace('\0', "\u{fffd}")),
            });
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS));
            build_log_line::Entity::insert_many(rows)
                .exec_without_returning(&transaction)
                .await?;
            rows = rest;
        }
        for step in steps {
            let row = build_step::ActiveModel {
                build_id: Set(lease.id),
                number: Set(step.number),
                name: Set(step.name.replace('\0', "\u{fffd}")),
                state: Set(step.state.clone()),
                started_at_ms: Set(step.started_at.map(ms)),
                finished_at_ms: Set(step.finished_at.map(ms)),
            };
            let mut known = OnConflict::columns([StepColumn::BuildId, StepColumn::Number]);
            known.update_columns([
                StepColumn::Name,
                StepColumn::State,
                StepColumn::StartedAtMs,
                StepColumn::FinishedAtMs,
            ]);
            build_step::Entity::insert(row)
                .on_conflict(known)
                .exec_without_returning(&transaction)
                .await?;
        }
        build::Entity::update_many()
            .col_expr(build::Column::LogSeq, Expr::val(seq))
            .col_expr(build::Column::LogBytes, Expr::val(bytes))
            .filter(build::Column::Id.eq(lease.id))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.announce(Change::BuildLog(lease.id));
        Ok(seq)
    }

    /// Steps of a build, in the order they began.
    pub async fn build_steps(&self, build_id: i64) -> Result<Vec<BuildStep>, StoreError> {
        let find = build_step::Entity::find().filter(build_step::Column::BuildId.eq(build_id));
        let rows = find.order_by_asc(build_step::Column::Number);
        let mut steps = Vec::new();
        for row in rows.all(&self.read).await? {
            steps.push(BuildStep {
                number: row.number,
                name: row.name,
                state: row.state,
                started_at: maybe_at("build_step.started_at_ms", row.started_at_ms)?,
                finished_at: maybe_at("build_step.finished_at_ms", row.finished_at_ms)?,
            });
        }
        Ok(steps)
    }

    /// Lines after `after` (0 for all), oldest first, at most `limit` (1..=10,000).
    pub async fn build_log(
        &self,
        build_id: i64,
        after: i64,
        limit: u64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let find = build_log_line::Entity::find()
            .filter(build_log_line::Column::BuildId.eq(build_id))
            .filter(build_log_line::Column::Seq.gt(after))
            .order_by_asc(build_log_line::Column::Seq)
            .limit(limit.clamp(1, MAX_LINES));
        find.all(&self.read).await?.into_iter().map(line).collect()
    }

    /// The last lines, oldest first, at most `limit` (1..=10,000).
    pub async fn build_log_end(
        &self,
        build_id: i64,
        limit: u64,
    ) -> Result<Vec<LogLine>, StoreError> {
        let find = build_log_line::Entity::find()
            .filter(build_log_line::Column::BuildId.eq(build_id))
            .order_by_desc(build_log_line::Column::Seq)
            .limit(limit.clamp(1, MAX_LINES));
        let newest = find.all(&self.read).await?;
        newest.into_iter().rev().map(line).collect()
    }

    /// The same as a page, for lists.
    pub async fn build_log_page(
        &self,
        build_id: i64,
        page: &PageRequest,
    ) -> Result<Page<LogLine>, StoreError> {
        let after = page.after_id(LIST)?.unwrap_or(0);
        let lines = self.build_log(build_id, after, page.limit() + 1).await?;
        page.page(LIST, lines, |line| line.seq).try_map(Ok)
    }
}
