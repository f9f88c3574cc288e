//! Runs of cron jobs, and their schedule.

use hermez_api::{Page as List, Run, RunOutcome, RunTrigger, ScheduleStatus};

use super::{Page, cut, dash, more, short};
use crate::print::cell;

/// What became of a run, in words.
pub fn outcome(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Running => "running",
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Deleted => "deleted",
    }
}

fn trigger(run: &Run) -> String {
    match (run.trigger, &run.by) {
        (RunTrigger::Schedule, _) => "schedule".to_owned(),
        (RunTrigger::Manual, Some(by)) => cut(by, 20),
        (RunTrigger::Manual, None) => "by hand".to_owned(),
    }
}

/// The table of runs.
pub fn list(runs: &List<Run>, page: &Page) -> String {
    if runs.items.is_empty() {
        return "No runs yet. Start one with `hermez run`.\n".to_owned();
    }
    let rows = runs.items.iter().map(|run| {
        vec![
            cell(&run.name),
            outcome(run.outcome).to_owned(),
            trigger(run),
            run.commit.as_deref().map_or_else(dash, short),
            page.ago_or_dash(run.started_at.or(run.created_at)),
            page.took(run.started_at, run.ended_at),
            format!("{}/{}", run.succeeded_pods, run.failed_pods),
            run.message
                .as_deref()
                .map_or_else(dash, |text| cut(text, 60)),
        ]
    });
    let header = [
        "run",
        "outcome",
        "started by",
        "commit",
        "started",
        "took",
        "ok/failed",
        "message",
    ];
    page.table(&header, &["message", "started by"], rows.collect()) + &more(runs)
}

/// A run that has ended, in one sentence.
pub fn sentence(run: &Run, page: &Page) -> String {
    let took = page.took(run.started_at, run.ended_at);
    let words = format!("{} {} after {took}", cell(&run.name), outcome(run.outcome));
    match &run.message {
        Some(message) => format!("{words}: {}", cell(message)),
        None => words,
    }
}

/// When a cron job runs, in one sentence.
pub fn schedule(schedule: &ScheduleStatus, page: &Page) -> String {
    let written = format!(
        "\"{}\" {}",
        cell(&schedule.schedule),
        cell(&schedule.timezone)
    );
    if schedule.suspended {
        return format!("suspended; {written} does not count until `hermez resume`");
    }
    match schedule.next.first() {
        Some(next) => format!("runs by {written}, next at {}", page.date(*next)),
        None => format!("runs by {written}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn page() -> Page {
        Page {
            now: at("2026-11-23T12:00:00Z"),
            zone: TimeZone::UTC,
            width: None,
        }
    }

    fn mk_run(name: &str, outcome: RunOutcome, by: Option<&str>) -> Run {
        Run {
            name: name.to_owned(),
            trigger: if by.is_some() {
                RunTrigger::Manual
            } else {
                RunTrigger::Schedule
            },
            by: by.map(str::to_owned),
            commit: Some("95f6178000000000000000000000000000000000".to_owned()),
            created_at: Some(at("2026-11-23T11:55:00Z")),
            started_at: Some(at("2026-11-23T11:55:00Z")),
            ended_at: (outcome != RunOutcome::Running).then(|| at("2026-11-23T11:56:30Z")),
            outcome,
            message: (outcome == RunOutcome::Failed)
                .then(|| "Job has reached the specified backoff limit".to_owned()),
            succeeded_pods: i32::from(outcome == RunOutcome::Succeeded),
            failed_pods: 0,
            pods: Vec::new(),
        }
    }

    #[test]
    fn runs_stand_in_a_table() {
        let items = vec![
            mk_run("report-run-x2c4v", RunOutcome::Running, Some("ada")),
            mk_run("report-29400121", RunOutcome::Failed, None),
            mk_run("report-29400120", RunOutcome::Succeeded, None),
        ];
        let list = super::list(
            &List {
                items,
                next_cursor: None,
            },
            &page(),
        );
        insta::assert_snapshot!(list);
    }

    #[test]
    fn a_run_and_a_schedule_are_sentences() {
        let failed = mk_run("r", RunOutcome::Failed, None);
        assert_eq!(
            sentence(&failed, &page()),
            "r failed after 1 min 30 s: Job has reached the specified backoff limit"
        );
        let mut when = ScheduleStatus {
            schedule: "@daily".to_owned(),
            timezone: "Etc/UTC".to_owned(),
            suspended: false,
            next: vec![at("2026-11-24T00:00:00Z")],
            last_scheduled_at: None,
            last_succeeded_at: None,
            active_runs: 0,
            latest_run: None,
        };
        assert_eq!(
            schedule(&when, &page()),
            "runs by \"@daily\" Etc/UTC, next at 2026-11-24 00:00:00 UTC"
        );
        when.suspended = true;
        assert!(schedule(&when, &page()).starts_with("suspended; "));
    }
}
