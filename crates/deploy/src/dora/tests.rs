use super::*;
use DeployKind::{Hotfix, Regular, Restart, Rollback};
use DeployState::{Canceled, Failed, RollingOut, Succeeded, Superseded};

/// Minutes after Monday, 2026-11-02, midnight.
fn minute(minutes: i64) -> Timestamp {
    let monday: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
    monday + SignedDuration::from_mins(minutes)
}

/// A deploy that was asked for ten times its number in minutes, was written after one minute and
/// ended after two; its commit is five minutes older.
fn mk(id: i64, kind: DeployKind, state: DeployState) -> DeliveryRow {
    let asked = id * 10;
    DeliveryRow {
        id,
        workload_id: 1,
        kind,
        state,
        created_at: minute(asked),
        applied_at: (state != Superseded).then(|| minute(asked + 1)),
        finished_at: (state != RollingOut).then(|| minute(asked + 2)),
        of_deploy: None,
        mends: None,
        committed_at: Some(minute(asked - 5)),
        delivered_before: false,
    }
}

fn back(id: i64, to: i64, from: i64) -> DeliveryRow {
    DeliveryRow {
        of_deploy: Some(to),
        mends: Some(from),
        delivered_before: true,
        ..mk(id, Rollback, Succeeded)
    }
}

fn span() -> Span {
    Span {
        since: minute(0),
        until: minute(14 * 24 * 60 + 60),
        began_at: minute(-100_000),
        complete: true,
    }
}

fn of(rows: &[DeliveryRow]) -> DeliveryPerformance {
    figures(rows, &span())
}

#[test]
fn nothing_is_said_of_nothing() {
    let none = of(&[]);
    assert_eq!(none.deployment_frequency.deploys, 0);
    assert_eq!(none.deployment_frequency.per_week, Some(0.0));
    assert_eq!(none.lead_time.median_ms, None);
    assert_eq!(none.change_failure_rate.rate, None);
    assert_eq!(none.time_to_restore.median_ms, None);
    assert_eq!(none.weeks.len(), 3, "{:?}", none.weeks);
    assert_eq!(none.weeks[0].begins, minute(0));
}

#[test]
fn too_few_cases_make_no_figure_and_are_counted() {
    let two = of(&[mk(1, Regular, Succeeded), mk(2, Regular, Succeeded)]);
    assert_eq!((two.lead_time.changes, two.lead_time.median_ms), (2, None));
    assert_eq!(two.change_failure_rate.deploys, 2);
    assert_eq!(two.change_failure_rate.rate, None);
    let young = Span {
        began_at: minute(13 * 24 * 60),
        ..span()
    };
    let young = figures(&[mk(1, Regular, Succeeded)], &young);
    assert_eq!(young.deployment_frequency.per_week, None);
    assert_eq!(young.deployment_frequency.deploys, 1);
}

#[test]
fn lead_time_is_of_first_deliveries_whose_commit_is_known() {
    let mut rows: Vec<DeliveryRow> = (1..=10)
        .map(|id| DeliveryRow {
            committed_at: Some(minute(id * 10 + 2 - id)),
            ..mk(id, Regular, Succeeded)
        })
        .collect();
    // Out before, unknown, failed, no change, and a commit from a clock that is ahead.
    rows.push(DeliveryRow {
        delivered_before: true,
        ..mk(11, Regular, Succeeded)
    });
    rows.push(DeliveryRow {
        committed_at: None,
        ..mk(12, Hotfix, Succeeded)
    });
    rows.push(mk(13, Regular, Failed));
    rows.push(mk(14, Restart, Succeeded));
    let lead = of(&rows).lead_time;
    let minutes = |count: f64| Some((count * 60_000.0) as i64);
    assert_eq!((lead.changes, lead.unknown), (10, 1));
    assert_eq!(lead.median_ms, minutes(5.5));
    assert_eq!(lead.p90_ms, minutes(9.0));
    rows[0].committed_at = Some(minute(10_000));
    assert_eq!(of(&rows).lead_time.p90_ms, minutes(9.0), "at least nothing");
}

#[test]
fn what_fails_or_is_mended_afterwards_is_a_failed_change() {
    let rows = [
        mk(1, Regular, Succeeded),
        mk(2, Regular, Failed),
        mk(3, Regular, Succeeded),
        // A restart of the version that is left: the change is what was wrong.
        DeliveryRow {
            of_deploy: Some(3),
            ..mk(4, Restart, Succeeded)
        },
        back(5, 1, 4),
        mk(6, Regular, Succeeded),
        DeliveryRow {
            mends: Some(6),
            ..mk(7, Hotfix, Succeeded)
        },
        mk(8, Regular, Canceled),
        // Changed nothing, and not over.
        mk(9, Regular, Superseded),
        DeliveryRow {
            applied_at: None,
            ..mk(10, Regular, Failed)
        },
        mk(11, Regular, RollingOut),
    ];
    let of = of(&rows);
    let rate = of.change_failure_rate;
    assert_eq!((rate.deploys, rate.failed), (6, 3), "2, 3 and 6");
    assert_eq!(rate.rate, Some(0.5));
    assert_eq!(of.deployment_frequency.deploys, 4, "1, 3, 6 and 7");
    let week = &of.weeks[0];
    assert_eq!((week.deploys, week.failed, week.rollbacks), (4, 3, 1));
}

#[test]
fn restoring_goes_from_the_bad_version_to_the_next_good_one() {
    let rows = [
        mk(1, Regular, Succeeded),
        // One trouble: two that failed, the second rolled back.
        mk(2, Regular, Failed),
        mk(3, Regular, Failed),
        back(4, 1, 3),
        // It ran well, they thought.
        mk(5, Regular, Succeeded),
        back(6, 1, 5),
        mk(7, Regular, Failed),
        mk(8, Regular, Succeeded),
        // Not over.
        mk(9, Regular, Failed),
    ];
    let restore = of(&rows).time_to_restore;
    assert_eq!((restore.incidents, restore.open), (3, 1));
    // 21 and 42 lie 21 minutes apart, the others 11.
    assert_eq!(restore.median_ms, Some(11 * 60_000));
    // Another workload's good deploy restores nothing.
    let other = DeliveryRow {
        workload_id: 2,
        ..mk(10, Regular, Succeeded)
    };
    let rows = [rows[8].clone(), other];
    let restore = of(&rows).time_to_restore;
    assert_eq!((restore.incidents, restore.open), (0, 1));
}

#[test]
fn a_rollback_of_a_rollback_blames_the_version_that_came_back() {
    let rows = [
        mk(1, Regular, Succeeded),
        mk(2, Regular, Succeeded),
        mk(3, Regular, Succeeded),
        back(4, 2, 3),
        back(5, 1, 4),
    ];
    let of = of(&rows);
    assert_eq!(of.change_failure_rate.failed, 2, "3, then 2");
    assert_eq!(of.time_to_restore.incidents, 1);
    assert_eq!(of.time_to_restore.open, 0);
}

#[test]
fn weeks_begin_on_mondays() {
    let sunday: Timestamp = "2026-11-08T23:59:59Z".parse().unwrap();
    assert_eq!(monday(sunday), minute(0));
    assert_eq!(monday(minute(0)), minute(0));
    let long = Span {
        since: minute(-365 * 24 * 60),
        ..span()
    };
    assert!(figures(&[], &long).weeks.len() <= 56);
}
