//! DORA's four figures: how often, how fast and how safely changes reach production (pure).
//!
//! What counts as what: a *change* is a regular deploy or a hotfix; rollbacks and restarts bring out
//! nothing new. A change is *bad* when it failed after it was written to the cluster, or when a
//! rollback left it or a hotfix was made on it. Previews of pull requests are no deliveries.

use std::collections::{BTreeMap, HashMap, HashSet};

use hermez_api::{
    ChangeFailureRate, DeliveryPerformance, DeliveryWeek, DeployKind, DeployState,
    DeploymentFrequency, LeadTime, TimeToRestore,
};
use hermez_store::{DeliveryOf, DeliveryRow, StoreError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::{Road, RoadError};

/// Fewest cases that a figure is made of.
pub const ENOUGH: usize = 3;
/// Days that figures are made of where nobody says how many.
pub const DEFAULT_DAYS: i32 = 30;
/// Most days.
pub const MAX_DAYS: i32 = 365;
/// Most deploys that are looked at.
const MAX_ROWS: usize = 10_000;
const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The span of time that figures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// When the workload, or the first of the project, was created.
    pub began_at: Timestamp,
    /// Whether the rows are all that there are.
    pub complete: bool,
}

fn is_change(row: &DeliveryRow) -> bool {
    matches!(row.kind, DeployKind::Regular | DeployKind::Hotfix)
}

fn has_ended(row: &DeliveryRow) -> bool {
    use DeployState::{Canceled, Failed, Succeeded};
    matches!(row.state, Succeeded | Failed | Canceled)
}

/// The change whose version a deploy brings out: itself, or what a rollback or restart is of.
fn change_of(by_id: &HashMap<i64, &DeliveryRow>, mut id: i64) -> i64 {
    // Each is of an earlier one, so that this ends.
    while let Some(of) = by_id.get(&id).and_then(|row| row.of_deploy)
        && of < id
    {
        id = of;
    }
    id
}

/// Numbers of the changes that went wrong.
fn bad_ones(rows: &[DeliveryRow], by_id: &HashMap<i64, &DeliveryRow>) -> HashSet<i64> {
    let mut bad = HashSet::new();
    for row in rows {
        if is_change(row) && row.state == DeployState::Failed && row.applied_at.is_some() {
            bad.insert(row.id);
        }
        // Whoever asks for a rollback says so; a hotfix says it when it is brought out.
        if let Some(mended) = row.mends
            && (row.kind == DeployKind::Rollback || row.applied_at.is_some())
        {
            bad.insert(change_of(by_id, mended));
        }
    }
    bad
}

/// The value below which this share of sorted values lies; none of too few.
fn quantile(sorted: &[i64], percent: usize) -> Option<i64> {
    if sorted.len() < ENOUGH {
        return None;
    }
    if percent == 50 && sorted.len().is_multiple_of(2) {
        let middle = sorted.len() / 2;
        return Some(i64::midpoint(sorted[middle - 1], sorted[middle]));
    }
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    // Clocks of those who commit may be ahead of ours.
    (to.as_millisecond() - from.as_millisecond()).max(0)
}

fn lead_time(rows: &[DeliveryRow]) -> LeadTime {
    let (mut known, mut unknown) = (Vec::new(), 0);
    for row in rows {
        let first = is_change(row) && row.state == DeployState::Succeeded && !row.delivered_before;
        match (row.committed_at, row.finished_at) {
            (Some(committed), Some(finished)) if first => known.push(millis(committed, finished)),
            _ if first => unknown += 1,
            _ => {}
        }
    }
    known.sort_unstable();
    LeadTime {
        changes: count(known.len()),
        unknown,
        median_ms: quantile(&known, 50),
        p90_ms: quantile(&known, 90),
    }
}

fn time_to_restore(
    oldest_first: &[&DeliveryRow],
    by_id: &HashMap<i64, &DeliveryRow>,
    bad: &HashSet<i64>,
) -> TimeToRestore {
    let mut wrong_since: BTreeMap<i64, Timestamp> = BTreeMap::new();
    let mut took = Vec::new();
    for row in oldest_first {
        let Some(applied) = row.applied_at.filter(|_| has_ended(row)) else {
            continue;
        };
        if bad.contains(&change_of(by_id, row.id)) {
            if is_change(row) {
                wrong_since.entry(row.workload_id).or_insert(applied);
            }
        } else if row.state == DeployState::Succeeded
            && let Some(finished) = row.finished_at
            && let Some(since) = wrong_since.remove(&row.workload_id)
        {
            took.push(millis(since, finished));
        }
    }
    took.sort_unstable();
    TimeToRestore {
        incidents: count(took.len()),
        open: count(wrong_since.len()),
        median_ms: quantile(&took, 50),
    }
}

/// Midnight (UTC) of the Monday of a time's week.
fn monday(at: Timestamp) -> Timestamp {
    let date = at.to_zoned(TimeZone::UTC).date();
    let days = i64::from(date.weekday().to_monday_zero_offset());
    let midnight = date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let midnight = midnight.unwrap_or(at);
    let back = SignedDuration::from_hours(24 * days);
    midnight.checked_sub(back).unwrap_or(midnight)
}

fn weeks(span: &Span, rows: &[DeliveryRow], bad: &HashSet<i64>) -> Vec<DeliveryWeek> {
    let mut weeks: BTreeMap<Timestamp, DeliveryWeek> = BTreeMap::new();
    let mut begins = monday(span.since);
    while begins <= span.until && weeks.len() <= 54 {
        weeks.insert(
            begins,
            DeliveryWeek {
                begins,
                deploys: 0,
                failed: 0,
                rollbacks: 0,
            },
        );
        let Ok(next) = begins.checked_add(WEEK) else {
            break;
        };
        begins = next;
    }
    for row in rows {
        let Some(week) = weeks.get_mut(&monday(row.created_at)) else {
            continue;
        };
        let succeeded = row.state == DeployState::Succeeded;
        week.deploys += i64::from(is_change(row) && succeeded);
        week.failed += i64::from(is_change(row) && has_ended(row) && bad.contains(&row.id));
        week.rollbacks += i64::from(row.kind == DeployKind::Rollback && succeeded);
    }
    weeks.into_values().collect()
}

/// The figures of these deploys, in any order. Those of previews must not be among them.
pub fn figures(rows: &[DeliveryRow], span: &Span) -> DeliveryPerformance {
    let mut oldest_first: Vec<&DeliveryRow> = rows.iter().collect();
    oldest_first.sort_unstable_by_key(|row| row.id);
    let by_id: HashMap<i64, &DeliveryRow> = rows.iter().map(|row| (row.id, row)).collect();
    let bad = bad_ones(rows, &by_id);
    let changes = || rows.iter().filter(|row| is_change(row));
    let deploys = changes()
        .filter(|row| row.state == DeployState::Succeeded)
        .count();
    let changed = |row: &&DeliveryRow| row.applied_at.is_some() && has_ended(row);
    let written = changes().filter(changed).count();
    let failed = changes()
        .filter(changed)
        .filter(|row| bad.contains(&row.id))
        .count();
    let seen = span.until.duration_since(span.since.max(span.began_at));
    let weeks_seen = seen.as_secs_f64() / WEEK.as_secs_f64();
    let per_week = (seen >= WEEK).then(|| deploys as f64 / weeks_seen);
    DeliveryPerformance {
        since: span.since,
        until: span.until,
        enough: count(ENOUGH),
        complete: span.complete,
        deployment_frequency: DeploymentFrequency {
            deploys: count(deploys),
            per_week,
        },
        lead_time: lead_time(rows),
        change_failure_rate: ChangeFailureRate {
            deploys: count(written),
            failed: count(failed),
            rate: (written >= ENOUGH).then(|| share(failed, written)),
        },
        time_to_restore: time_to_restore(&oldest_first, &by_id, &bad),
        weeks: weeks(span, rows, &bad),
    }
}

impl Road {
    /// The figures of a workload for the last `days` (1 to 365).
    pub async fn delivery_of_workload(
        &self,
        workload: &str,
        days: i32,
    ) -> Result<DeliveryPerformance, RoadError> {
        let workload = self.workload(workload).await?;
        let of = DeliveryOf::Workload(workload.id);
        self.delivery(of, workload.created_at, days).await
    }

    /// The same for all workloads of a project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where no workload ever was of that project.
    pub async fn delivery_of_project(
        &self,
        project: &str,
        days: i32,
    ) -> Result<DeliveryPerformance, RoadError> {
        let began = self.parts().store.project_began_at(project).await?;
        let began = began.ok_or_else(|| StoreError::NotFound {
            what: "project",
            key: project.chars().take(253).collect(),
        })?;
        self.delivery(DeliveryOf::Project(project), began, days)
            .await
    }

    async fn delivery(
        &self,
        of: DeliveryOf<'_>,
        began_at: Timestamp,
        days: i32,
    ) -> Result<DeliveryPerformance, RoadError> {
        let until = Timestamp::now();
        let days = days.clamp(1, MAX_DAYS);
        let mut since = until.checked_sub(DAY * days).unwrap_or(until);
        let store = &self.parts().store;
        let mut rows = store.delivery(of, since, MAX_ROWS as u64 + 1).await?;
        let complete = rows.len() <= MAX_ROWS;
        rows.truncate(MAX_ROWS);
        if let (false, Some(oldest)) = (complete, rows.last()) {
            since = oldest.created_at;
        }
        let span = Span {
            since,
            until,
            began_at,
            complete,
        };
        Ok(figures(&rows, &span))
    }
}

#[cfg(test)]
mod tests;
