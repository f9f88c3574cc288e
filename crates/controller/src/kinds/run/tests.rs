//! Attempts, their ends and what is kept of them.
#![allow(clippy::needless_pass_by_value)] // JSON is written in place

use serde_json::{Value, json};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn mk_settings() -> Settings {
    Settings {
        revision: "r".into(),
        maxrestarts: 2,
        ..Settings::default()
    }
}

fn mk_job(revision: &str, attempt: i32, status: Value) -> Job {
    serde_json::from_value(json!({
        "metadata": {
            "name": "job",
            "labels": {"pinterest.com/revision": revision, "pinterest.com/attempt": attempt.to_string()},
            "annotations": {"hermez.dev/template": "t"},
        },
        "status": status,
    }))
    .expect("a job")
}

fn ended(kind: &str) -> Value {
    json!({"conditions": [{"type": kind, "status": "True"}]})
}

fn mk_state(attempt: i32) -> RunState {
    RunState {
        revision: "r".into(),
        attempt,
        phase: Phase::Running,
        start_time: Some(Time(at(0))),
        attempt_time: Some(Time(at(0))),
        ..RunState::default()
    }
}

fn lost() -> Verdict {
    Verdict::Restart {
        message: "lost one".into(),
        counted: true,
    }
}

fn step(
    before: &RunState,
    settings: &Settings,
    jobs: &[Job],
    second: i64,
    verdict: Verdict,
) -> Run {
    advance(before, settings, jobs, at(second), |_, _| verdict)
}

#[test]
fn a_new_spec_is_a_new_run() {
    let run = step(&RunState::default(), &mk_settings(), &[], 5, Verdict::GoOn);
    assert_eq!(
        (run.state.revision.as_str(), run.state.attempt, run.stage),
        ("r", 1, Stage::On)
    );
    assert_eq!(run.state.start_time, Some(Time(at(5))));
    // After an older one that is over, and whose jobs have to go first.
    let mut before = mk_state(3);
    before.revision = "old".into();
    before.phase = Phase::Completed;
    before.restarts = 2;
    before.last_failure = Some("x".into());
    let run = step(
        &before,
        &mk_settings(),
        &[mk_job("old", 3, json!({}))],
        5,
        Verdict::GoOn,
    );
    assert_eq!(
        (run.state.attempt, run.state.restarts, run.stage),
        (1, 0, Stage::Between)
    );
    assert_eq!(run.state.last_failure, None);
    assert_eq!(
        run.state.waiting.as_deref(),
        Some("1 jobs of an earlier attempt to end, among them job")
    );
    let after = step(&run.state, &mk_settings(), &[], 6, Verdict::GoOn);
    assert_eq!((after.stage, after.state.waiting), (Stage::On, None));
}

#[test]
fn a_status_that_was_lost_or_is_old_follows_the_jobs() {
    let jobs = [mk_job("r", 3, json!({}))];
    let run = step(
        &RunState::default(),
        &mk_settings(),
        &jobs,
        5,
        Verdict::GoOn,
    );
    assert_eq!((run.state.attempt, run.stage), (3, Stage::On));
    assert!(run.notes.is_empty(), "nothing begins: {:?}", run.notes);
    let run = step(&mk_state(1), &mk_settings(), &jobs, 5, Verdict::GoOn);
    assert_eq!(
        (run.state.attempt, run.state.restarts, run.stage),
        (3, 2, Stage::On)
    );
}

#[test]
fn a_restart_waits_for_the_old_jobs_and_then_for_its_time() {
    let settings = mk_settings();
    let first = step(
        &mk_state(1),
        &settings,
        &[mk_job("r", 1, json!({}))],
        10,
        lost(),
    );
    assert_eq!(
        (first.state.attempt, first.state.restarts, first.state.phase),
        (2, 1, Phase::Restarting)
    );
    assert_eq!(
        (first.stage, first.state.not_before.clone()),
        (Stage::Between, None)
    );
    assert_eq!(first.state.last_failure.as_deref(), Some("lost one"));
    let leaving = step(
        &first.state,
        &settings,
        &[mk_job("r", 1, json!({}))],
        11,
        Verdict::GoOn,
    );
    assert_eq!(leaving.stage, Stage::Between);
    let second = step(&first.state, &settings, &[], 12, Verdict::GoOn);
    assert_eq!(
        (second.stage, second.state.phase),
        (Stage::On, Phase::Waiting)
    );
    // The second failure in a row is not tried again at once.
    let again = step(
        &second.state,
        &settings,
        &[mk_job("r", 2, json!({}))],
        20,
        lost(),
    );
    assert_eq!(again.state.not_before, Some(Time(at(30))));
    let early = step(&again.state, &settings, &[], 25, Verdict::GoOn);
    assert_eq!(
        (early.stage, early.again_after),
        (Stage::Between, Some(Duration::from_secs(5)))
    );
    let due = step(&early.state, &settings, &[], 30, Verdict::GoOn);
    assert_eq!((due.stage, due.state.not_before), (Stage::On, None));
}

#[test]
fn the_backoff_doubles_and_is_bounded() {
    let wait = |requeues: i32| {
        let mut before = mk_state(requeues + 1);
        before.requeues = requeues;
        let verdict = Verdict::Restart {
            message: String::new(),
            counted: false,
        };
        let run = step(&before, &mk_settings(), &[], 0, verdict);
        run.state.not_before.map_or(0, |time| time.0.as_second())
    };
    let waits: Vec<i64> = [0, 1, 2, 4, 5, 500].map(wait).into();
    assert_eq!(waits, [10, 20, 40, 160, 300, 300]);
}

#[test]
fn restarts_are_counted_up_to_the_limit() {
    let mut before = mk_state(3);
    before.restarts = 2;
    let run = step(&before, &mk_settings(), &[], 7, lost());
    assert_eq!((run.state.phase, run.stage), (Phase::Failed, Stage::Over));
    assert_eq!(run.state.reason.as_deref(), Some("MaxRestartsExceeded"));
    assert_eq!(run.state.completion_time, Some(Time(at(7))));
    let uncounted = Verdict::Restart {
        message: "late".into(),
        counted: false,
    };
    let run = step(&before, &mk_settings(), &[], 7, uncounted);
    assert_eq!(
        (run.state.restarts, run.state.requeues, run.state.attempt),
        (2, 1, 4)
    );
    let none = Settings {
        maxrestarts: 0,
        ..mk_settings()
    };
    assert_eq!(
        step(&mk_state(1), &none, &[], 7, lost())
            .state
            .reason
            .as_deref(),
        Some("JobFailed")
    );
}

#[test]
fn what_is_over_stays_over_and_is_forgotten_in_time() {
    let settings = Settings {
        ttl_s: Some(60),
        ..mk_settings()
    };
    let run = step(
        &mk_state(1),
        &settings,
        &[],
        100,
        Verdict::Succeeded("done".into()),
    );
    assert_eq!(
        (run.state.phase, run.stage),
        (Phase::Completed, Stage::Over)
    );
    let later = step(&run.state, &settings, &[], 130, lost());
    assert_eq!(
        (later.stage, later.again_after),
        (Stage::Over, Some(Duration::from_secs(30)))
    );
    assert_eq!(later.state, run.state);
    assert_eq!(
        step(&run.state, &settings, &[], 160, lost()).stage,
        Stage::Gone
    );
    assert_eq!(
        step(&run.state, &mk_settings(), &[], 160, lost()).stage,
        Stage::Over
    );
}

#[test]
fn the_deadline_is_of_the_run_and_not_of_the_attempt() {
    let settings = Settings {
        deadline_s: Some(50),
        ..mk_settings()
    };
    let run = step(&mk_state(2), &settings, &[], 20, Verdict::GoOn);
    assert_eq!(
        (run.stage, run.again_after),
        (Stage::On, Some(Duration::from_secs(30)))
    );
    let run = step(&mk_state(2), &settings, &[], 50, Verdict::GoOn);
    assert_eq!(
        (run.state.phase, run.state.reason.as_deref()),
        (Phase::Failed, Some("DeadlineExceeded"))
    );
}

#[test]
fn suspending_keeps_jobs_or_begins_anew_and_stops_the_clock() {
    let jobs = [mk_job("r", 1, json!({}))];
    let keeps = Settings {
        suspend: true,
        suspend_jobs: true,
        deadline_s: Some(5),
        ..mk_settings()
    };
    let run = step(&mk_state(1), &keeps, &jobs, 100, Verdict::GoOn);
    assert_eq!(
        (run.state.phase, run.stage, run.state.attempt),
        (Phase::Suspended, Stage::On, 1)
    );
    assert!(run.attempt().suspended);
    let drops = Settings {
        suspend_jobs: false,
        ..keeps
    };
    let run = step(&mk_state(1), &drops, &jobs, 100, Verdict::GoOn);
    assert_eq!(
        (run.state.phase, run.stage, run.state.attempt),
        (Phase::Suspended, Stage::Between, 2)
    );
    let still = step(&run.state, &drops, &[], 101, Verdict::GoOn);
    assert_eq!((still.state.attempt, still.notes.len()), (2, 0));
    let on = Settings {
        suspend: false,
        ..drops
    };
    let run = step(&still.state, &on, &[], 200, Verdict::GoOn);
    assert_eq!((run.stage, run.state.phase), (Stage::On, Phase::Waiting));
    assert_eq!(
        (run.state.start_time, run.state.restarts),
        (Some(Time(at(200))), 0)
    );
}

fn mk_objects(hash: &str) -> RunObjects {
    let mut job = mk_job("r", 1, Value::Null);
    job.annotations_mut()
        .insert(TEMPLATE_ANNOTATION.into(), hash.into());
    let jobs = vec![hermez_kinds::run::GroupJob {
        group: "g".into(),
        job,
    }];
    RunObjects {
        around: Vec::new(),
        jobs,
    }
}

#[test]
fn jobs_that_cannot_change_are_left_as_they_are() {
    let run = step(&mk_state(1), &mk_settings(), &[], 0, Verdict::GoOn);
    let of = |hash: &str, live: &[Job]| {
        let mut plan = Plan::default();
        emit(&run, mk_objects(hash), live, &mut plan);
        (plan.objects.len(), plan.keep.len())
    };
    assert_eq!(of("t", &[]), (1, 0));
    assert_eq!(of("t", &[mk_job("r", 1, json!({}))]), (1, 0));
    assert_eq!(
        of("another profile's", &[mk_job("r", 1, json!({}))]),
        (0, 1)
    );
    assert_eq!(of("t", &[mk_job("r", 1, ended("Complete"))]), (0, 1));
}

#[test]
fn after_the_end_only_what_has_ended_stays() {
    let run = step(
        &mk_state(1),
        &mk_settings(),
        &[],
        0,
        Verdict::Succeeded(String::new()),
    );
    let live = [
        mk_job("r", 1, ended("Failed")),
        // Known to have failed while its last pods end.
        mk_job("r", 1, ended("FailureTarget")),
        mk_job("r", 1, json!({})),
        mk_job("old", 1, ended("Failed")),
    ];
    let mut plan = Plan::default();
    emit(&run, mk_objects("t"), &live, &mut plan);
    assert_eq!((plan.objects.len(), plan.keep.len()), (0, 2));
}
