use hermez_api::CanaryStep;
use hermez_cluster::FailureCause;
use proptest::prelude::*;

use super::*;
use crate::state::{self, Seen, tests::mk_deploy};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn mk_wave(clusters: &[&str], bake_seconds: u32) -> Wave {
    Wave {
        clusters: clusters.iter().map(|name| (*name).to_owned()).collect(),
        bake_seconds,
    }
}

fn mk_strategy() -> RolloutStrategy {
    RolloutStrategy {
        canary: vec![CanaryStep {
            percent: 10,
            seconds: 0,
            wait: false,
        }],
        waves: vec![mk_wave(&["local"], 30), mk_wave(&["east", "west"], 0)],
    }
}

fn mk_at(wave: usize, state: DeployState) -> DeployRecord {
    DeployRecord {
        plan: Some(DeployPlan {
            waves: mk_strategy().waves,
            wave,
            ..DeployPlan::default()
        }),
        deadline_at: Some(at(600)),
        ..mk_deploy(state)
    }
}

const READY: Rollout = Rollout::Complete {
    ready: 2,
    desired: 2,
};

fn seen(rollout: Rollout) -> Seen {
    Seen {
        connected: true,
        rollout: Some(rollout),
        ..Seen::default()
    }
}

fn write(next: Next) -> DeployWrite {
    match next {
        Next::Write(write) => *write,
        other => panic!("{other:?} is no write"),
    }
}

#[test]
fn a_remedy_takes_no_detours_and_reaches_all_clusters_at_once() {
    let mut deploy = mk_deploy(DeployState::Queued);
    let all = |_: &str| true;
    let planned = plan(&mk_strategy(), &deploy, Kind::Service, all).expect("a plan");
    assert_eq!((planned.waves.len(), planned.canary.len()), (2, 1));
    deploy.kind = DeployKind::Rollback;
    let planned = plan(&mk_strategy(), &deploy, Kind::Service, all).expect("a plan");
    assert_eq!(planned.waves, vec![mk_wave(&["east", "local", "west"], 0)]);
    assert!(planned.canary.is_empty());
    // What was never reached is not to be reached by a rollback.
    let not_west = |name: &str| name != "west";
    let planned = plan(&mk_strategy(), &deploy, Kind::Service, not_west).expect("a plan");
    assert_eq!(planned.waves, vec![mk_wave(&["east", "local"], 0)]);
}

#[test]
fn previews_and_other_kinds_have_no_canary() {
    let mut deploy = mk_deploy(DeployState::Queued);
    let all = |_: &str| true;
    let planned = plan(&mk_strategy(), &deploy, Kind::StatefulSet, all).expect("a plan");
    assert!(planned.canary.is_empty());
    deploy.pull_request = Some(3);
    deploy.instance = "hello-pr-3".into();
    assert_eq!(plan(&mk_strategy(), &deploy, Kind::Service, all), None);
    assert_eq!(
        plan(
            &RolloutStrategy::default(),
            &mk_deploy(DeployState::Queued),
            Kind::Service,
            all
        ),
        None
    );
}

#[test]
fn the_next_wave_begins_when_the_last_has_baked() {
    let mut deploy = mk_at(0, DeployState::RollingOut);
    let bakes = write(state::next(&deploy, &seen(READY), at(100)));
    assert_eq!(bakes.state, Some(DeployState::Verifying));
    assert_eq!(bakes.verify_until, Some(Some(at(130))));
    let message = bakes.message.expect("a message");
    assert!(message.starts_with("wave 1 of 2 (local): "), "{message}");
    deploy.state = DeployState::Verifying;
    (deploy.message, deploy.verify_until) = (message, Some(at(130)));
    (deploy.pods_ready, deploy.pods_desired) = (2, 2);
    assert_eq!(state::next(&deploy, &seen(READY), at(129)), Next::Wait);
    let next = write(state::next(&deploy, &seen(READY), at(130)));
    assert_eq!(next.state, Some(DeployState::Applying));
    assert_eq!(next.plan.expect("a plan").wave, 1);
    assert_eq!(next.verify_until, Some(None));
}

#[test]
fn the_last_wave_ends_the_deploy() {
    let done = write(state::next(
        &mk_at(1, DeployState::RollingOut),
        &seen(READY),
        at(1),
    ));
    assert_eq!(done.state, Some(DeployState::Succeeded));
    assert_eq!(
        done.message.as_deref(),
        Some("all 2 waves run the new version")
    );
}

#[test]
fn a_wave_that_fails_is_the_last() {
    let failed = Rollout::Failed {
        cause: FailureCause::CrashLoop,
        ready: 0,
        desired: 2,
        message: "the pods end".into(),
        hint: None,
    };
    let write = write(state::next(
        &mk_at(0, DeployState::RollingOut),
        &seen(failed),
        at(1),
    ));
    assert_eq!(write.state, Some(DeployState::Failed));
    let message = write.message.expect("a message");
    assert_eq!(
        message,
        "wave 1 of 2 (local): the pods end; east, west not reached"
    );
}

#[test]
fn one_that_is_canceled_says_what_was_not_reached() {
    let mut deploy = mk_at(0, DeployState::Verifying);
    deploy.cancel_requested = true;
    let ended = write(state::next(&deploy, &seen(READY), at(1)));
    assert_eq!(ended.state, Some(DeployState::Canceled));
    assert_eq!(
        ended.message.as_deref(),
        Some(
            "wave 1 of 2 (local): canceled; what was already written to the cluster stays until the next deploy; east, west not reached"
        )
    );
    // A canary comes before all waves.
    deploy.state = DeployState::Canary;
    let ended = write(state::next(&deploy, &seen(READY), at(1)));
    assert_eq!(
        ended.message.as_deref(),
        Some("canceled; the canary is taken away, what ran before stays")
    );
}

#[test]
fn what_cannot_be_written_is_said_of_its_wave() {
    let deploy = mk_at(0, DeployState::Applying);
    let (tried, _) = state::apply_failed(&deploy, "cluster", "no answer", None, true, at(1));
    assert_eq!(
        tried.message.as_deref(),
        Some("wave 1 of 2 (local): no answer; trying again")
    );
    let (failed, _) = state::apply_failed(&deploy, "admission", "no", None, false, at(1));
    assert_eq!(
        (failed.state, failed.message.as_deref()),
        (
            Some(DeployState::Failed),
            Some("wave 1 of 2 (local): no; east, west not reached")
        )
    );
}

#[test]
fn the_same_is_said_once() {
    let mut deploy = mk_at(0, DeployState::RollingOut);
    let waits = Rollout::Waiting {
        message: "not yet".into(),
    };
    let first = write(state::next(&deploy, &seen(waits.clone()), at(1)));
    deploy.message = first.message.expect("a message");
    assert_eq!(state::next(&deploy, &seen(waits), at(2)), Next::Wait);
}

#[test]
fn a_cluster_that_is_away_is_named() {
    let seen = Seen {
        away: Some("west".into()),
        ..Seen::default()
    };
    let said = write(state::next(&mk_at(1, DeployState::Applying), &seen, at(1)));
    let message = said.message.expect("a message");
    assert!(
        message.contains("the cluster west, which does not answer"),
        "{message}"
    );
}

#[test]
fn a_remedy_is_brought_to_the_clusters_that_answer() {
    let seen = Seen {
        answering: 1,
        away: Some("east".into()),
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Applying);
    deploy.deadline_at = Some(at(600));
    deploy.plan = Some(DeployPlan {
        waves: vec![mk_wave(&["east", "local"], 0)],
        ..DeployPlan::default()
    });
    let waits = write(state::next(&deploy, &seen, at(1)));
    assert!(waits.message.is_some_and(|it| it.contains("waits for")));
    for kind in [DeployKind::Rollback, DeployKind::Restart] {
        deploy.kind = kind;
        assert_eq!(state::next(&deploy, &seen, at(1)), Next::Apply);
        // The others are not waited for without end.
        let failed = write(state::next(&deploy, &seen, at(600)));
        assert_eq!(failed.state, Some(DeployState::Failed));
        assert!(
            failed
                .message
                .is_some_and(|it| it.contains("the cluster east"))
        );
        let none = Seen {
            answering: 0,
            ..seen.clone()
        };
        let waits = write(state::next(&deploy, &none, at(1)));
        assert_eq!(waits.state, None);
    }
}

#[test]
fn a_bake_that_nobody_saw_begins_anew() {
    let mut deploy = mk_at(0, DeployState::Verifying);
    (deploy.verify_until, deploy.deadline_at) = (Some(at(130)), Some(at(430)));
    let away = Seen::default();
    // A hiccup in its midst is none.
    let said = write(state::next(&deploy, &away, at(129)));
    assert_eq!(said.verify_until, None);
    let over = write(state::next(&deploy, &away, at(130)));
    assert_eq!((over.state, over.verify_until), (None, Some(None)));
    deploy.verify_until = None;
    let again = write(state::next(&deploy, &seen(READY), at(5_000)));
    assert_eq!(again.state, None);
    assert_eq!(again.verify_until, Some(Some(at(5_030))));
    assert_eq!(again.deadline_at, Some(Some(at(5_330))));
}

#[test]
fn clusters_of_a_wave_are_judged_together() {
    let going = Rollout::Progressing {
        ready: 1,
        desired: 3,
        message: "1 of 3".into(),
    };
    let both = together(vec![("east".into(), READY), ("west".into(), going)]);
    let expected = Rollout::Progressing {
        ready: 3,
        desired: 5,
        message: "west: 1 of 3".into(),
    };
    assert_eq!(both, Some(expected));
    let both = together(vec![("east".into(), READY), ("west".into(), READY)]);
    assert_eq!(
        both,
        Some(Rollout::Complete {
            ready: 4,
            desired: 4
        })
    );
    assert_eq!(together(Vec::new()), None);
}

proptest! {
    /// However a wave goes, the next one begins only from a wave that is complete, one at a time,
    /// and only the last wave's end is the deploy's success.
    #[test]
    fn waves_come_one_after_the_other(
        wave in 0_usize..2,
        kind in 0_u8..4,
        state in prop_oneof![
            Just(DeployState::Applying), Just(DeployState::RollingOut), Just(DeployState::Verifying)
        ],
        until in proptest::option::of(0_i64..200),
        now in 0_i64..1_000,
    ) {
        let mut deploy = mk_at(wave, state);
        deploy.verify_until = until.map(at);
        let rollout = match kind {
            0 => READY,
            1 => Rollout::Waiting { message: "not yet".into() },
            2 => Rollout::Progressing { ready: 0, desired: 2, message: "some".into() },
            _ => Rollout::Failed {
                cause: FailureCause::Probe, ready: 0, desired: 2, message: "no".into(), hint: None,
            },
        };
        let complete = rollout == READY;
        if let Next::Write(write) = state::next(&deploy, &seen(rollout), at(now)) {
            if let Some(plan) = &write.plan {
                prop_assert!(complete && wave == 0 && plan.wave == 1);
                prop_assert_eq!(write.state, Some(DeployState::Applying));
            }
            if write.state == Some(DeployState::Succeeded) {
                prop_assert!(complete && wave == 1);
            }
        }
    }
}
