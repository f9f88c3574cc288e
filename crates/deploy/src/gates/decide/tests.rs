use hermez_cluster::FailureCause;
use proptest::prelude::*;

use super::*;
use crate::state::tests::mk_deploy;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn mk_check(name: &str, limit: f64) -> MetricCheck {
    MetricCheck {
        name: name.into(),
        query: "up".into(),
        comparison: Comparison::Less,
        threshold: Some(limit),
        relative_to_old_percent: None,
        for_seconds: 20,
    }
}

fn mk_gate(gates: HealthGates) -> Gate {
    Gate {
        gates,
        ..Gate::default()
    }
}

/// A deploy that is verified until second 30.
fn mk_verified(gate: &Gate) -> DeployRecord {
    DeployRecord {
        gate: Some(serde_json::to_string(gate).expect("JSON")),
        verify_until: Some(at(30)),
        deadline_at: Some(at(330)),
        pods_ready: 2,
        pods_desired: 2,
        ..mk_deploy(DeployState::Verifying)
    }
}

const READY: Rollout = Rollout::Complete {
    ready: 2,
    desired: 2,
};

fn unready() -> Rollout {
    Rollout::Progressing {
        ready: 1,
        desired: 2,
        message: "1 of 2 pods is ready".into(),
    }
}

fn measured(name: &str, second: i64, value: Result<f64, &str>) -> Measured {
    let value = value.map_err(str::to_owned);
    Measured {
        values: BTreeMap::from([(name.to_owned(), (at(second), value))]),
        ..Measured::default()
    }
}

fn steady() -> Gate {
    mk_gate(HealthGates {
        ready_seconds: 30,
        ..HealthGates::default()
    })
}

fn state_and_message(write: Option<DeployWrite>) -> (Option<DeployState>, String) {
    let write = write.expect("something is written");
    (write.state, write.message.unwrap_or_default())
}

#[test]
fn without_gates_it_has_succeeded_when_its_pods_are_ready() {
    let deploy = mk_deploy(DeployState::RollingOut);
    assert_eq!(begin(&deploy, 2, 2, at(0)), None);
    let open = DeployRecord {
        gate: Some(serde_json::to_string(&Gate::default()).expect("JSON")),
        ..deploy.clone()
    };
    assert_eq!(begin(&open, 2, 2, at(0)), None);
    let gated = DeployRecord {
        gate: Some(serde_json::to_string(&steady()).expect("JSON")),
        ..deploy
    };
    assert_eq!(begin(&gated, 0, 0, at(0)), None, "no pods, nothing to see");
    let write = begin(&gated, 2, 2, at(0)).expect("it is verified");
    assert_eq!(write.state, Some(DeployState::Verifying));
    assert_eq!(write.verify_until, Some(Some(at(30))));
    assert_eq!(write.deadline_at, Some(Some(at(330))));
}

#[test]
fn pods_must_stay_ready_without_a_break() {
    let deploy = mk_verified(&steady());
    let nothing = Measured::default();
    let next = |deploy: &DeployRecord, rollout: &Rollout, second| {
        verify(deploy, Some(rollout), &nothing, at(second))
    };
    assert_eq!(next(&deploy, &READY, 29), None);
    assert_eq!(
        state_and_message(next(&deploy, &READY, 30)),
        (
            Some(DeployState::Succeeded),
            "all 2 pods run the new version; ready for 30 s".to_owned()
        )
    );
    let broken = next(&deploy, &unready(), 20).expect("the time is over");
    assert_eq!((broken.state, broken.verify_until), (None, Some(None)));
    let waiting = DeployRecord {
        verify_until: None,
        message: broken.message.unwrap_or_default(),
        ..deploy
    };
    assert_eq!(next(&waiting, &unready(), 21), None, "it is said once");
    let again = next(&waiting, &READY, 40).expect("it begins anew");
    assert_eq!(again.verify_until, Some(Some(at(70))));
    let late = next(&waiting, &unready(), 330).expect("it ends");
    assert_eq!(late.failure_cause.as_deref(), Some(CAUSE));
    assert!(
        late.message
            .is_some_and(|it| it.contains("30 s together: 1 of 2 pods")),
    );
    let crash = Rollout::Failed {
        cause: FailureCause::CrashLoop,
        ready: 1,
        desired: 2,
        message: "app ended with exit code 1".into(),
        hint: Some("read its log".into()),
    };
    let crash = next(&waiting, &crash, 22).expect("it ends");
    assert_eq!(
        (crash.failure_cause.as_deref(), crash.hint.as_deref()),
        (Some("crash_loop"), Some("read its log"))
    );
}

#[test]
fn restarts_are_counted_since_the_deploy_began() {
    let gate = Gate {
        restarts: BTreeMap::from([("old".to_owned(), 5)]),
        ..mk_gate(HealthGates {
            max_restarts: Some(1),
            ..HealthGates::default()
        })
    };
    let deploy = mk_verified(&gate);
    let with = |old, new| Measured {
        restarts: BTreeMap::from([("old".to_owned(), old), ("new".to_owned(), new)]),
        ..Measured::default()
    };
    let at_30 = |measured: &Measured| verify(&deploy, Some(&READY), measured, at(30));
    assert_eq!(
        state_and_message(at_30(&with(5, 1))).0,
        Some(DeployState::Succeeded)
    );
    let (state, message) = state_and_message(at_30(&with(6, 1)));
    assert_eq!(state, Some(DeployState::Failed));
    assert_eq!(
        message,
        "the new version's containers restarted 2 times since the deploy began; at most 1 is allowed"
    );
}

#[test]
fn a_wrong_value_fails_at_once_and_a_right_one_at_the_end() {
    let gate = mk_gate(HealthGates {
        checks: vec![mk_check("errors", 0.01)],
        ..HealthGates::default()
    });
    let deploy = mk_verified(&gate);
    let next = |measured: &Measured, second| verify(&deploy, Some(&READY), measured, at(second));
    let (state, message) = state_and_message(next(&measured("errors", 5, Ok(0.12)), 5));
    assert_eq!(
        (state, message.as_str()),
        (
            Some(DeployState::Failed),
            "check errors failed: 0.12 is not < 0.01"
        )
    );
    assert_eq!(next(&measured("errors", 5, Ok(0.001)), 5), None);
    let (state, message) = state_and_message(next(&measured("errors", 29, Ok(0.001)), 30));
    assert_eq!(state, None, "it was measured before the time was over");
    assert!(message.contains("cannot be measured: there is no answer yet"));
    let (state, message) = state_and_message(next(&measured("errors", 30, Ok(0.001)), 31));
    assert_eq!(
        (state, message.as_str()),
        (
            Some(DeployState::Succeeded),
            "all 2 pods run the new version; errors 0.001 < 0.01"
        )
    );
    let away = measured("errors", 300, Err("Prometheus does not answer: refused"));
    assert_eq!(state_and_message(next(&away, 300)).0, None);
    let (state, message) = state_and_message(next(&away, 330));
    assert_eq!(state, Some(DeployState::Failed));
    assert!(message.ends_with("Prometheus does not answer: refused"));
}

#[test]
fn a_value_may_be_compared_with_the_old_versions() {
    let relative = MetricCheck {
        threshold: None,
        relative_to_old_percent: Some(120.0),
        ..mk_check("latency", 0.0)
    };
    let mut gate = mk_gate(HealthGates {
        checks: vec![relative],
        ..HealthGates::default()
    });
    gate.old = BTreeMap::from([("latency".to_owned(), Ok(0.5))]);
    let slow = measured("latency", 31, Ok(0.7));
    let (state, message) =
        state_and_message(verify(&mk_verified(&gate), Some(&READY), &slow, at(31)));
    assert_eq!(
        (state, message.as_str()),
        (
            Some(DeployState::Failed),
            "check latency failed: 0.7 is not < 0.6 (120 % of the 0.5 before)"
        )
    );
    // Of the first version there is no version before.
    gate.old = BTreeMap::from([("latency".to_owned(), Err("no series".to_owned()))]);
    let (state, message) =
        state_and_message(verify(&mk_verified(&gate), Some(&READY), &slow, at(31)));
    assert_eq!(state, Some(DeployState::Succeeded));
    let why = "it has no value of the old version to compare with: no series";
    let said = format!("check latency was left out: {why}");
    assert!(message.contains(&said), "{message}");
    // And it is said before the time is over.
    let rolled_out = DeployRecord {
        verify_until: None,
        state: DeployState::RollingOut,
        ..mk_verified(&gate)
    };
    let (state, message) = state_and_message(begin(&rolled_out, 2, 2, at(0)));
    assert_eq!(state, Some(DeployState::Verifying));
    let says = format!("check latency is left out: {why}");
    assert!(message.contains(&says), "{message}");
}

#[test]
fn what_is_beside_a_canary_counts_more_than_what_was_before() {
    let relative = MetricCheck {
        threshold: None,
        relative_to_old_percent: Some(120.0),
        ..mk_check("errors", 0.0)
    };
    let gate = Gate {
        old: BTreeMap::from([("errors".to_owned(), Ok(100.0))]),
        ..mk_gate(HealthGates {
            checks: vec![relative],
            ..HealthGates::default()
        })
    };
    let with = |beside: Result<f64, QueryError>| {
        let measured = Measured {
            beside: BTreeMap::from([("errors".to_owned(), beside)]),
            ..measured("errors", 31, Ok(0.7))
        };
        judge(&gate, &measured, at(30))
    };
    let (message, _) = with(Ok(0.5))
        .wrong
        .expect("it is worse than what is beside it");
    assert_eq!(
        message,
        "check errors failed: 0.7 is not < 0.6 (120 % of the 0.5 that the old version has now)"
    );
    // All are worse than before, and the canary is no worse than the others.
    let right = with(Ok(0.6));
    assert!(right.wrong.is_none() && right.left_out.is_empty());
    assert_eq!(
        right.right,
        ["errors 0.7 < 0.72 (120 % of the 0.6 that the old version has now)"]
    );
    let none = with(Err(QueryError::NoValue("no series".to_owned())));
    assert!(none.wrong.is_none() && none.unknown.is_none() && none.right.is_empty());
    assert_eq!(
        none.left_out,
        [
            "check errors was left out: it has no value of the old version to compare with: no series"
        ]
    );
    let away = with(Err(QueryError::Away("refused".to_owned())));
    assert!(away.left_out.is_empty(), "it may still be answered");
    assert_eq!(
        away.unknown.as_deref(),
        Some("check errors cannot be measured: Prometheus does not answer: refused")
    );
}

proptest! {
    /// Nothing succeeds before its time, with a wrong value, or with too many restarts; and what is
    /// written once is not written again.
    #[test]
    fn nothing_passes_its_gates_that_should_not(
        second in 0_i64..400, value in prop::option::of(0.0_f64..0.02), measured_at in 0_i64..400,
        restarts in 0_i32..4, is_ready: bool,
    ) {
        let gate = mk_gate(HealthGates {
            ready_seconds: 30,
            max_restarts: Some(1),
            checks: vec![mk_check("errors", 0.01)],
            ..HealthGates::default()
        });
        let mut deploy = mk_verified(&gate);
        let mut seen = value.map_or_else(Measured::default, |it| measured("errors", measured_at, Ok(it)));
        seen.restarts = BTreeMap::from([("pod".to_owned(), restarts)]);
        let rollout = if is_ready { READY } else { unready() };
        let write = verify(&deploy, Some(&rollout), &seen, at(second));
        let Some(write) = write else { return Ok(()) };
        match write.state {
            Some(DeployState::Succeeded) => {
                prop_assert!(is_ready && second >= 30 && restarts <= 1 && measured_at >= 30);
                prop_assert!(value.is_some_and(|value| value < 0.01));
            }
            Some(state) => {
                prop_assert_eq!(state, DeployState::Failed);
                prop_assert!(write.failure_cause.is_some() && write.hint.is_some());
            }
            None => {
                if let Some(until) = write.verify_until {
                    deploy.verify_until = until;
                }
                deploy.message = write.message.unwrap_or_default();
                prop_assert_eq!(verify(&deploy, Some(&rollout), &seen, at(second)), None);
            }
        }
    }
}
