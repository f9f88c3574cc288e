use hermez_api::{Comparison, HealthGates, MetricCheck};
use hermez_cluster::FailureCause;
use proptest::prelude::*;

use super::*;
use crate::gates::decide::Measured;
use crate::gates::prometheus::QueryError;
use crate::state::tests::mk_deploy;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn mk_step(percent: u32, seconds: u32, wait: bool) -> CanaryStep {
    CanaryStep {
        percent,
        seconds,
        wait,
    }
}

/// A deploy at a step of its canary that is written.
fn mk_at(step: usize, steps: &[CanaryStep]) -> DeployRecord {
    DeployRecord {
        plan: Some(DeployPlan {
            canary: steps.to_vec(),
            step,
            canary_pods: Some(1),
            step_written: true,
            ..DeployPlan::default()
        }),
        deadline_at: Some(at(600)),
        ..mk_deploy(DeployState::Canary)
    }
}

fn seen(rollout: Rollout) -> Seen {
    Seen {
        connected: true,
        running: Some(4),
        canary_there: true,
        rollout: Some(rollout),
        ..Seen::default()
    }
}

const READY: Rollout = Rollout::Complete {
    ready: 1,
    desired: 1,
};

fn write(next: Next) -> DeployWrite {
    match next {
        Next::Write(write) => *write,
        other => panic!("{other:?} is no write"),
    }
}

#[test]
fn its_pods_are_a_share_and_at_least_one() {
    for (percent, running, pods) in [(10, 10, 1), (10, 11, 2), (50, 3, 2), (1, 1, 1), (100, 7, 7)] {
        assert_eq!(
            pods_of(&mk_step(percent, 0, false), running),
            pods,
            "{percent} % of {running}"
        );
    }
}

#[test]
fn nothing_is_tried_beside_nothing() {
    let mut deploy = mk_at(0, &[mk_step(10, 0, false)]);
    deploy.plan = deploy.plan.map(|plan| DeployPlan {
        canary_pods: None,
        step_written: false,
        ..plan
    });
    for running in [None, Some(0)] {
        let seen = Seen {
            running,
            connected: true,
            ..Seen::default()
        };
        let write = write(next(&deploy, &seen, at(1)));
        assert_eq!(write.state, Some(DeployState::Applying));
        assert!(write.message.expect("a message").contains("nothing runs"));
    }
    let seen = Seen {
        running: Some(11),
        connected: true,
        ..Seen::default()
    };
    assert_eq!(next(&deploy, &seen, at(1)), Next::Canary(2));
}

#[test]
fn the_pods_of_the_step_before_are_not_this_ones() {
    let steps = [mk_step(25, 0, false), mk_step(50, 0, true)];
    let mut deploy = mk_at(1, &steps);
    deploy.plan = deploy.plan.map(|plan| DeployPlan {
        canary_pods: Some(2),
        ..plan
    });
    let stale = write(next(&deploy, &seen(READY), at(10)));
    assert_eq!((stale.state, stale.verify_until), (None, None));
    assert!(
        stale
            .message
            .is_some_and(|it| it.contains("this step's pods"))
    );
    let both = Rollout::Complete {
        ready: 2,
        desired: 2,
    };
    let begun = write(next(&deploy, &seen(both), at(11)));
    assert!(begun.verify_until.flatten().is_some(), "{begun:?}");
}

#[test]
fn a_step_is_written_judged_for_its_time_and_followed_by_the_next() {
    let steps = [mk_step(25, 30, false), mk_step(50, 0, false)];
    let mut deploy = mk_at(0, &steps);
    let begun = write(next(&deploy, &seen(READY), at(10)));
    assert_eq!(begun.verify_until, Some(Some(at(40))));
    assert!(
        begun
            .message
            .expect("a message")
            .contains("20 % of the requests")
    );
    deploy.verify_until = Some(at(40));
    assert_eq!(next(&deploy, &seen(READY), at(39)), Next::Wait);
    let after = write(next(&deploy, &seen(READY), at(40)));
    let plan = after.plan.expect("a plan");
    assert_eq!(
        (plan.step, plan.step_written, after.state),
        (1, false, None)
    );
    deploy.plan = Some(plan);
    deploy.verify_until = None;
    assert_eq!(next(&deploy, &seen(READY), at(41)), Next::Canary(2));
    let mut deploy = mk_at(1, &steps);
    deploy.verify_until = Some(at(50));
    let last = write(next(&deploy, &seen(READY), at(50)));
    assert_eq!(last.state, Some(DeployState::Applying));
    assert_eq!(last.verify_until, Some(None));
}

#[test]
fn a_canary_that_somebody_took_away_is_written_again() {
    let deploy = mk_at(0, &[mk_step(25, 0, false)]);
    let seen = Seen {
        canary_there: false,
        ..seen(READY)
    };
    assert_eq!(next(&deploy, &seen, at(1)), Next::Canary(1));
}

#[test]
fn it_waits_for_a_person_and_any_step_before_is_not_enough() {
    let steps = [mk_step(25, 0, true), mk_step(50, 0, true)];
    let mut deploy = mk_at(1, &steps);
    (deploy.verify_until, deploy.promoted) = (Some(at(5)), Some(0));
    let said = write(next(&deploy, &seen(READY), at(100_000)));
    assert_eq!(said.state, None);
    let message = said.message.expect("a message");
    assert!(message.contains("hermez deploys promote 7"), "{message}");
    deploy.message = message;
    assert_eq!(next(&deploy, &seen(READY), at(100_001)), Next::Wait);
    deploy.promoted = Some(1);
    let on = write(next(&deploy, &seen(READY), at(100_002)));
    assert_eq!(on.state, Some(DeployState::Applying));
}

#[test]
fn whoever_promotes_all_leaves_the_steps_out() {
    let mut deploy = mk_at(0, &[mk_step(25, 600, true), mk_step(50, 600, true)]);
    deploy.promoted = Some(ALL_STEPS);
    let on = write(next(&deploy, &seen(READY), at(1)));
    assert_eq!(on.state, Some(DeployState::Applying));
}

#[test]
fn one_that_crashes_ends_its_deploy() {
    let failed = Rollout::Failed {
        cause: FailureCause::CrashLoop,
        ready: 0,
        desired: 1,
        message: "the pod ends with exit code 1".into(),
        hint: None,
    };
    let write = write(next(
        &mk_at(0, &[mk_step(25, 0, false)]),
        &seen(failed),
        at(1),
    ));
    assert_eq!(write.state, Some(DeployState::Failed));
    assert_eq!(write.failure_cause.as_deref(), Some("crash_loop"));
}

#[test]
fn a_metric_that_is_wrong_ends_its_deploy() {
    let gate = Gate {
        gates: HealthGates {
            checks: vec![MetricCheck {
                name: "errors".into(),
                query: "up".into(),
                comparison: Comparison::Less,
                threshold: Some(1.0),
                relative_to_old_percent: None,
                for_seconds: 0,
            }],
            ..HealthGates::default()
        },
        ..Gate::default()
    };
    let mut deploy = mk_at(0, &[mk_step(25, 30, false)]);
    deploy.gate = serde_json::to_string(&gate).ok();
    deploy.verify_until = Some(at(40));
    let with = |value: f64| Seen {
        measured: Measured {
            values: [("errors".to_owned(), (at(40), Ok(value)))].into(),
            ..Measured::default()
        },
        ..seen(READY)
    };
    let wrong = write(next(&deploy, &with(2.0), at(20)));
    assert_eq!(wrong.failure_cause.as_deref(), Some("health_gate"));
    // What ran before runs on: a rollback would leave that.
    let hint = wrong.hint.expect("a hint");
    assert!(
        hint.contains("query") && !hint.contains("rollback"),
        "{hint}"
    );
    let right = write(next(&deploy, &with(0.5), at(41)));
    assert_eq!(right.state, Some(DeployState::Applying));
    assert_eq!(
        right.message.as_deref(),
        Some("the canary did well; errors 0.5 < 1; writing to the cluster")
    );
}

#[test]
fn a_check_with_nothing_to_compare_with_is_said_wherever_the_step_ends() {
    let gate = Gate {
        gates: HealthGates {
            checks: vec![MetricCheck {
                name: "errors".into(),
                query: "max(errors{pod=~\"$pods\"})".into(),
                comparison: Comparison::Less,
                threshold: None,
                relative_to_old_percent: Some(120.0),
                for_seconds: 0,
            }],
            ..HealthGates::default()
        },
        ..Gate::default()
    };
    let none = QueryError::NoValue("the query finds no series".to_owned());
    let seen = Seen {
        measured: Measured {
            values: [("errors".to_owned(), (at(40), Ok(2.0)))].into(),
            beside: [("errors".to_owned(), Err(none))].into(),
            ..Measured::default()
        },
        ..seen(READY)
    };
    let says = "; check errors was left out: it has no value of the old version to compare with";
    let last = [mk_step(25, 30, false)];
    let waits = [mk_step(25, 30, true)];
    let first = [mk_step(25, 30, false), mk_step(50, 0, false)];
    for steps in [&last[..], &waits[..], &first[..]] {
        let mut deploy = mk_at(0, steps);
        deploy.gate = serde_json::to_string(&gate).ok();
        deploy.verify_until = Some(at(40));
        let write = write(next(&deploy, &seen, at(41)));
        let message = write.message.expect("a message");
        assert!(message.contains(says), "{message}");
        assert_ne!(write.state, Some(DeployState::Failed));
        if steps[0].wait {
            deploy.message = message;
            let mut compared = seen.clone();
            let beside = &mut compared.measured.beside;
            beside.insert("errors".to_owned(), Ok(2.0));
            compared.measured.values = [("errors".to_owned(), (at(42), Ok(2.0)))].into();
            for seen in [&seen, &compared] {
                assert_eq!(next(&deploy, seen, at(43)), Next::Wait, "it is said once");
            }
        }
    }
}

#[test]
fn a_pod_that_is_not_well_any_more_gets_time_and_then_fails() {
    let unready = Rollout::Progressing {
        ready: 0,
        desired: 1,
        message: "0 of 1 pods are ready".into(),
    };
    let mut deploy = mk_at(0, &[mk_step(25, 0, true)]);
    (deploy.verify_until, deploy.deadline_at) = (Some(at(5)), Some(at(305)));
    let anew = write(next(&deploy, &seen(unready.clone()), at(10_000)));
    assert_eq!((anew.state, anew.verify_until), (None, Some(None)));
    deploy.verify_until = None;
    deploy.deadline_at = anew.deadline_at.flatten();
    let late = write(next(&deploy, &seen(unready), at(20_000)));
    assert_eq!(late.state, Some(DeployState::Failed));
}

fn keep(deploy: &mut DeployRecord, write: DeployWrite) {
    deploy.state = write.state.unwrap_or(deploy.state);
    deploy.verify_until = write.verify_until.unwrap_or(deploy.verify_until);
    deploy.deadline_at = write.deadline_at.unwrap_or(deploy.deadline_at);
    deploy.retries = write.retries.unwrap_or(deploy.retries);
    deploy.message = write.message.unwrap_or_else(|| deploy.message.clone());
    deploy.failure_cause = write.failure_cause;
}

/// What becomes of a canary of one step whose pods are ready for `ready` seconds and not for
/// `unready`, again and again; gives the second in which it has failed.
fn flap(step: CanaryStep, ready: i64, unready: i64) -> (DeployRecord, Option<i64>) {
    let not_ready = Rollout::Progressing {
        ready: 0,
        desired: 1,
        message: "0 of 1 pods are ready".into(),
    };
    let mut deploy = mk_at(0, &[step]);
    for second in 0..20_000 {
        let is_ready = second % (ready + unready) < ready;
        let rollout = if is_ready { READY } else { not_ready.clone() };
        if let Next::Write(write) = next(&deploy, &seen(rollout), at(second)) {
            keep(&mut deploy, *write);
        }
        if deploy.state == DeployState::Failed {
            return (deploy, Some(second));
        }
    }
    (deploy, None)
}

#[test]
fn one_whose_pods_come_and_go_fails() {
    // Within its time, and while it waits for a person.
    for step in [
        mk_step(25, 600, false),
        mk_step(25, 0, true),
        mk_step(25, 30, true),
    ] {
        let (deploy, failed) = flap(step, 60, 20);
        assert!(failed.is_some_and(|second| second < 2_000), "{failed:?}");
        assert_eq!(deploy.failure_cause.as_deref(), Some("health_gate"));
        let message = &deploy.message;
        assert!(message.contains("do not stay ready"), "{message}");
    }
}

#[test]
fn one_that_waits_for_long_may_lose_a_pod_now_and_then() {
    let (deploy, failed) = flap(mk_step(25, 30, true), 3_600, 120);
    assert_eq!(failed, None, "{}", deploy.message);
    assert_eq!(deploy.state, DeployState::Canary);
}

#[test]
fn to_be_unready_does_not_prolong_what_is_left() {
    let mut deploy = mk_at(0, &[mk_step(25, 600, false)]);
    let unready = Rollout::Waiting {
        message: "a pod is replaced".into(),
    };
    let mut before = at(100_000);
    for second in [10, 110, 210] {
        let begun = write(next(&deploy, &seen(READY), at(second)));
        keep(&mut deploy, begun);
        let fallen = write(next(&deploy, &seen(unready.clone()), at(second + 50)));
        keep(&mut deploy, fallen);
        let deadline = deploy.deadline_at.expect("a deadline");
        assert!(deadline <= before, "{deadline} after {before}");
        before = deadline;
    }
    // 600 s and the patience, from when it was ready first.
    assert_eq!(before, at(910));
    let late = write(next(&deploy, &seen(unready), at(910)));
    assert_eq!(late.state, Some(DeployState::Failed));
    let message = late.message.expect("a message");
    assert!(message.contains("3 times"), "{message}");
}

#[test]
fn it_is_held_and_waits_for_the_cluster() {
    let mut deploy = mk_at(0, &[mk_step(25, 0, false)]);
    let away = write(next(&deploy, &Seen::default(), at(1)));
    assert!(away.message.expect("a message").contains("does not answer"));
    deploy.paused_by = Some("ada".into());
    let held = write(next(&deploy, &seen(READY), at(1)));
    assert!(held.message.expect("a message").contains("ada paused it"));
}

#[test]
fn one_that_was_held_is_judged_anew() {
    let mut deploy = mk_at(0, &[mk_step(25, 30, false)]);
    (deploy.verify_until, deploy.deadline_at) = (Some(at(40)), Some(at(340)));
    deploy.paused_by = Some("ada".into());
    let held = write(next(&deploy, &seen(READY), at(20)));
    keep(&mut deploy, held);
    assert_eq!((deploy.verify_until, deploy.deadline_at), (None, None));
    assert_eq!(next(&deploy, &seen(READY), at(21)), Next::Wait);
    deploy.paused_by = None;
    let on = write(next(&deploy, &seen(READY), at(4_000)));
    assert_eq!((on.state, on.plan.as_ref()), (None, None));
    keep(&mut deploy, on);
    let begun = write(next(&deploy, &seen(READY), at(4_000)));
    assert_eq!((begun.state, begun.plan.as_ref()), (None, None));
    assert_eq!(begun.verify_until, Some(Some(at(4_030))));
    // One whose pods are not ready gets the time of a new rollout, and ends all the same.
    let unready = Rollout::Progressing {
        ready: 0,
        desired: 1,
        message: "0 of 1 pods are ready".into(),
    };
    let waits = write(next(&deploy, &seen(unready.clone()), at(4_000)));
    assert_eq!(waits.state, None);
    let late = write(next(&deploy, &seen(unready), at(4_900)));
    assert_eq!(late.state, Some(DeployState::Failed));
}

#[test]
fn one_that_waits_for_a_person_outlasts_a_prometheus_that_is_away_for_a_moment() {
    let gate = Gate {
        gates: HealthGates {
            checks: vec![MetricCheck {
                name: "errors".into(),
                query: "up".into(),
                comparison: Comparison::Less,
                threshold: Some(1.0),
                relative_to_old_percent: None,
                for_seconds: 0,
            }],
            ..HealthGates::default()
        },
        ..Gate::default()
    };
    let mut deploy = mk_at(0, &[mk_step(25, 30, true)]);
    deploy.gate = serde_json::to_string(&gate).ok();
    (deploy.verify_until, deploy.deadline_at) = (Some(at(40)), Some(at(340)));
    let with = |second, value: Result<f64, &str>| Seen {
        measured: Measured {
            values: [(
                "errors".to_owned(),
                (at(second), value.map_err(str::to_owned)),
            )]
            .into(),
            ..Measured::default()
        },
        ..seen(READY)
    };
    let known = |second| with(second, Ok(0.5));
    let away = |second| with(second, Err("Prometheus does not answer: refused"));
    let waits = write(next(&deploy, &known(41), at(41)));
    keep(&mut deploy, waits);
    for begins in [10_000, 20_000] {
        let unknown = write(next(&deploy, &away(begins), at(begins)));
        assert_eq!(unknown.state, None);
        keep(&mut deploy, unknown);
        assert_eq!(deploy.deadline_at, Some(at(begins + 300)));
        assert_eq!(next(&deploy, &away(begins + 9), at(begins + 9)), Next::Wait);
        if begins == 10_000 {
            let waits = write(next(&deploy, &known(10_010), at(10_010)));
            keep(&mut deploy, waits);
            assert!(deploy.message.contains("hermez deploys promote"));
        }
    }
    // Whoever promotes it then does not end it.
    deploy.promoted = Some(0);
    assert_eq!(next(&deploy, &away(20_100), at(20_100)), Next::Wait);
    let failed = write(next(&deploy, &away(20_300), at(20_300)));
    assert_eq!(failed.state, Some(DeployState::Failed));
    assert_eq!(failed.failure_cause.as_deref(), Some("health_gate"));
}

proptest! {
    /// Whatever is seen: the workload itself is reached only from the last step, or by a person's
    /// word, or where nothing runs; and a failure always takes the deploy with it.
    #[test]
    fn no_step_is_skipped(
        step in 0_usize..4,
        count in 1_usize..4,
        promoted in proptest::option::of(0_i64..5),
        wait: bool,
        looked in 0_i64..100,
        now in 0_i64..100,
        ready: bool,
    ) {
        let steps = vec![mk_step(10, 5, wait); count];
        let step = step.min(count - 1);
        let mut deploy = mk_at(step, &steps);
        deploy.verify_until = Some(at(looked));
        deploy.promoted = promoted;
        let rollout = if ready { READY } else {
            Rollout::Progressing { ready: 0, desired: 1, message: "not ready".into() }
        };
        if let Next::Write(write) = next(&deploy, &seen(rollout), at(now)) {
            let is_last = step + 1 == count;
            let allowed = !wait || promoted.is_some_and(|it| it >= step as i64);
            if write.state == Some(DeployState::Applying) {
                prop_assert!(is_last && ready && allowed && now >= looked);
            }
            if write.plan.is_some() {
                prop_assert!(!is_last && ready && allowed && now >= looked);
            }
        }
    }
}
