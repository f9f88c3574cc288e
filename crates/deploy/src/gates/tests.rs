use super::*;
use crate::gates::decide::{Measured, verify};
use crate::state::tests::mk_deploy;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn mk_pod(name: &str, started: i64, restarts: i32) -> PodStatus {
    PodStatus {
        name: name.to_owned(),
        started_at: Some(at(started)),
        status: "Running".to_owned(),
        message: None,
        ready: true,
        updated: true,
        restarts,
        node: None,
        containers: Vec::new(),
    }
}

/// What is said of a version whose pods have restarted like this, where none may restart.
fn judged(before: BTreeMap<String, i32>, now: BTreeMap<String, i32>) -> String {
    let gate = Gate {
        restarts: before,
        gates: HealthGates {
            max_restarts: Some(0),
            ..HealthGates::default()
        },
        ..Gate::default()
    };
    let deploy = DeployRecord {
        gate: serde_json::to_string(&gate).ok(),
        verify_until: Some(at(30)),
        ..mk_deploy(DeployState::Verifying)
    };
    let ready = hermez_cluster::Rollout::Complete {
        ready: 1,
        desired: 1,
    };
    let measured = Measured {
        restarts: now,
        ..Measured::default()
    };
    let write = verify(&deploy, Some(&ready), &measured, at(31)).expect("it ends");
    write.message.unwrap_or_default()
}

#[test]
fn a_pod_that_was_made_anew_under_its_name_begins_at_nought() {
    let before = restarts("local", &[mk_pod("db-0", 10, 3)]);
    let said = judged(before.clone(), before.clone());
    assert!(said.contains("runs the new version"), "{said}");
    let said = judged(before, restarts("local", &[mk_pod("db-0", 20, 1)]));
    assert!(said.contains("restarted once"), "{said}");
}

#[test]
fn pods_of_one_name_in_two_clusters_are_both_counted() {
    let mut now = restarts("local", &[mk_pod("db-0", 20, 1)]);
    now.extend(restarts("east", &[mk_pod("db-0", 20, 2)]));
    let said = judged(BTreeMap::new(), now);
    assert!(said.contains("restarted 3 times"), "{said}");
}

#[test]
fn a_prometheus_that_is_away_is_waited_for_before_anything_is_written() {
    let with = |value| of_old(BTreeMap::from([("latency".to_owned(), (at(1), value))]));
    let kept = with(Ok(0.5)).expect("a value");
    assert_eq!(kept.get("latency"), Some(&Ok(0.5)));
    for why in [
        QueryError::NoValue("the query finds no series".to_owned()),
        QueryError::Refused("no such function".to_owned()),
    ] {
        let said = why.to_string();
        let kept = with(Err(why)).expect("the check is left out");
        assert_eq!(kept.get("latency"), Some(&Err(said)));
    }
    let why = with(Err(QueryError::Away("connection refused".to_owned()))).expect_err("it waits");
    assert!(why.transient && why.cause == decide::CAUSE, "{why:?}");
    assert_eq!(
        why.message,
        "check latency has no value of the old version to compare with: Prometheus does not answer: connection refused"
    );
}

#[test]
fn what_comes_next_can_begin_at_once() {
    let newer = mk_deploy;
    assert!(comes_next(&newer(DeployState::Queued), true));
    assert!(comes_next(&newer(DeployState::Building), true));
    assert!(!comes_next(&newer(DeployState::Building), false));
    assert!(!comes_next(&newer(DeployState::Pending), false));
    let back = DeployRecord {
        manifest: Some("r/x@sha256:1".to_owned()),
        ..newer(DeployState::Pending)
    };
    assert!(comes_next(&back, false), "it needs no build");
    let paused = DeployRecord {
        paused_by: Some("ada".to_owned()),
        ..newer(DeployState::Queued)
    };
    assert!(!comes_next(&paused, true));
    let stopped = DeployRecord {
        cancel_requested: true,
        ..newer(DeployState::Queued)
    };
    assert!(!comes_next(&stopped, true));
}
