use hermez_api::DeployKind;
use proptest::prelude::*;

use super::*;

const STATES: [DeployState; 11] = [
    DeployState::Pending,
    DeployState::Building,
    DeployState::Queued,
    DeployState::Canary,
    DeployState::Applying,
    DeployState::RollingOut,
    DeployState::Verifying,
    DeployState::Succeeded,
    DeployState::Failed,
    DeployState::Canceled,
    DeployState::Superseded,
];

pub(crate) fn mk_deploy(state: DeployState) -> DeployRecord {
    DeployRecord {
        id: 7,
        workload_id: 1,
        workload: "hello".into(),
        instance: "hello".into(),
        kind: DeployKind::Regular,
        state,
        commit: "95f6178".into(),
        title: String::new(),
        author: String::new(),
        requested_by: "ada".into(),
        reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        message: String::new(),
        pods_ready: 0,
        pods_desired: 0,
        build_id: None,
        failure_cause: None,
        hint: None,
        cancel_requested: false,
        deadline_at: None,
        retries: 0,
        manifest: None,
        applied_at: None,
        of_deploy: None,
        override_reason: None,
        paused_by: None,
        applied_paused: false,
        held: None,
        rejection: None,
        gate: None,
        verify_until: None,
        pull_request: None,
        plan: None,
        promoted: None,
        mends: None,
    }
}

fn mk_build(state: BuildState) -> BuildRecord {
    BuildRecord {
        id: 3,
        workload_id: 1,
        workload: "hello".into(),
        commit: "95f6178".into(),
        title: String::new(),
        state,
        attempt: 1,
        requested_by: "ada".into(),
        created_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        error: None,
        hint: None,
        message: String::new(),
        cancel_requested: false,
        waits: 0,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

/// The state that follows, where one does.
fn after(deploy: &DeployRecord, seen: &Seen) -> Option<DeployState> {
    after_at(deploy, seen, at(0))
}

fn after_at(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Option<DeployState> {
    match next(deploy, seen, now) {
        Next::Write(write) => write.state,
        _ => None,
    }
}

#[test]
fn the_whole_road() {
    let nothing = Seen::default();
    assert_eq!(
        next(&mk_deploy(DeployState::Pending), &nothing, at(0)),
        Next::RequestBuild
    );
    let there = Seen {
        artifact: true,
        connected: true,
        ..Seen::default()
    };
    let busy = Seen {
        lane: LaneFacts {
            busy: Some(1),
            ..LaneFacts::default()
        },
        ..there.clone()
    };
    for waiting in [DeployState::Pending, DeployState::Building] {
        let deploy = mk_deploy(waiting);
        assert_eq!(after(&deploy, &there), Some(DeployState::Applying));
        assert_eq!(after(&deploy, &busy), Some(DeployState::Queued));
    }
    let queued = mk_deploy(DeployState::Queued);
    assert_eq!(after(&queued, &there), Some(DeployState::Applying));
    assert_eq!(
        next(&mk_deploy(DeployState::Applying), &there, at(0)),
        Next::Apply
    );
    let written = applied(
        &mk_deploy(DeployState::Applying),
        mk_applied(false),
        600,
        at(0),
    );
    assert_eq!(written.state, Some(DeployState::RollingOut));
    let done = Seen {
        rollout: Some(Rollout::Complete {
            ready: 2,
            desired: 2,
        }),
        ..there
    };
    assert_eq!(
        after(&mk_deploy(DeployState::RollingOut), &done),
        Some(DeployState::Succeeded)
    );
}

#[test]
fn a_failed_build_fails_the_deploy_with_its_reason() {
    let mut build = mk_build(BuildState::Failed);
    build.error = Some("`RUN make` failed with exit code 2".into());
    let seen = Seen {
        build: Some(build),
        ..Seen::default()
    };
    let Next::Write(write) = next(&mk_deploy(DeployState::Building), &seen, at(0)) else {
        panic!("it fails")
    };
    assert_eq!(write.state, Some(DeployState::Failed));
    assert_eq!(write.failure_cause.as_deref(), Some("build"));
    assert!(
        write
            .message
            .is_some_and(|message| message.contains("exit code 2"))
    );
    assert!(write.hint.is_some());
}

#[test]
fn what_a_build_waits_for_is_said_once() {
    let mut build = mk_build(BuildState::Queued);
    build.message = "the registry does not answer".into();
    let seen = Seen {
        build: Some(build),
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Building);
    let Next::Write(write) = next(&deploy, &seen, at(0)) else {
        panic!("it says so")
    };
    deploy.message = write.message.expect("a message");
    assert!(deploy.message.contains("the registry does not answer"));
    assert_eq!(next(&deploy, &seen, at(0)), Next::Wait);
}

#[test]
fn without_its_cluster_a_deploy_waits_and_says_so() {
    let seen = Seen {
        artifact: true,
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Applying);
    deploy.deadline_at = Some(at(100));
    let Next::Write(write) = next(&deploy, &seen, at(0)) else {
        panic!("it says so")
    };
    assert_eq!(write.state, None);
    assert!(
        write
            .message
            .is_some_and(|message| message.contains("cluster"))
    );
    // Once it was asked to write something, it may have done so.
    for (retries, changed) in [(0, "nothing was changed"), (1, "is not known")] {
        deploy.retries = retries;
        let Next::Write(write) = next(&deploy, &seen, at(100)) else {
            panic!("it gives up")
        };
        assert_eq!(
            (write.state, write.failure_cause.as_deref()),
            (Some(DeployState::Failed), Some("cluster"))
        );
        let message = write.message.expect("a message");
        assert!(message.contains(changed), "{message}");
    }
}

#[test]
fn a_rollout_is_not_judged_while_the_cluster_is_away() {
    let mut deploy = mk_deploy(DeployState::RollingOut);
    deploy.deadline_at = Some(at(1));
    let seen = Seen {
        rollout: Some(Rollout::Complete {
            ready: 1,
            desired: 1,
        }),
        ..Seen::default()
    };
    let Next::Write(write) = next(&deploy, &seen, at(50)) else {
        panic!("it says so")
    };
    assert_eq!(write.state, None);
}

#[test]
fn a_cluster_that_never_comes_back_ends_the_deploy() {
    let mut deploy = mk_deploy(DeployState::RollingOut);
    deploy.deadline_at = Some(at(1));
    assert_eq!(after_at(&deploy, &Seen::default(), at(3_600)), None);
    assert_eq!(
        after_at(&deploy, &Seen::default(), at(3_601)),
        Some(DeployState::Failed)
    );
}

#[test]
fn one_deploy_at_a_time_changes_a_workload() {
    let seen = Seen {
        lane: LaneFacts {
            newer: None,
            busy: Some(6),
        },
        connected: true,
        ..Seen::default()
    };
    let Next::Write(write) = next(&mk_deploy(DeployState::Queued), &seen, at(0)) else {
        panic!("it says so")
    };
    assert_eq!(write.state, None);
    assert!(
        write
            .message
            .is_some_and(|message| message.contains("deploy 6"))
    );
}

#[test]
fn what_can_be_tried_again_is_until_the_deadline() {
    let mut deploy = mk_deploy(DeployState::Applying);
    deploy.deadline_at = Some(at(100));
    let (write, wait) = apply_failed(&deploy, "registry", "refused", None, true, at(0));
    assert_eq!((write.state, write.retries), (None, Some(1)));
    assert_eq!(wait, Some(SignedDuration::from_secs(1)));
    deploy.retries = 9;
    let (_, wait) = apply_failed(&deploy, "registry", "refused", None, true, at(0));
    assert_eq!(wait, Some(SignedDuration::from_secs(32)));
    let (write, wait) = apply_failed(&deploy, "registry", "refused", None, true, at(100));
    assert_eq!((write.state, wait), (Some(DeployState::Failed), None));
    let (write, _) = apply_failed(&deploy, "admission", "no", None, false, at(0));
    assert_eq!(write.state, Some(DeployState::Failed));
}

fn rollouts() -> impl Strategy<Value = Option<Rollout>> {
    let message = "m".to_owned();
    prop_oneof![
        Just(None),
        Just(Some(Rollout::Waiting {
            message: message.clone()
        })),
        Just(Some(Rollout::Progressing {
            ready: 1,
            desired: 2,
            message: message.clone()
        })),
        Just(Some(Rollout::Complete {
            ready: 2,
            desired: 2
        })),
        Just(Some(Rollout::Failed {
            cause: FailureCause::CrashLoop,
            ready: 0,
            desired: 2,
            message,
            hint: None
        })),
    ]
}

fn seens() -> impl Strategy<Value = Seen> {
    let builds = prop_oneof![
        Just(None),
        Just(Some(mk_build(BuildState::Queued))),
        Just(Some(mk_build(BuildState::Running))),
        Just(Some(mk_build(BuildState::Succeeded))),
        Just(Some(mk_build(BuildState::Failed))),
        Just(Some(mk_build(BuildState::Canceled))),
    ];
    let lanes = (
        proptest::option::of(8..9_i64),
        proptest::option::of(1..2_i64),
    );
    let waits = prop_oneof![Just(None), Just(Some(mk_waits("outside the window")))];
    (
        any::<bool>(),
        builds,
        lanes,
        any::<bool>(),
        rollouts(),
        waits,
    )
        .prop_map(
            |(artifact, build, (newer, busy), connected, rollout, waits)| Seen {
                late: None,
                measured: Measured::default(),
                waits,
                bad: None,
                artifact,
                build,
                lane: LaneFacts { newer, busy },
                connected,
                rollout,
                ..Seen::default()
            },
        )
}

/// How far along the road a state is; a deploy never goes back.
fn place(state: DeployState) -> usize {
    STATES
        .iter()
        .position(|found| *found == state)
        .expect("a state")
        .min(7)
}

#[test]
fn a_deadline_is_never_told_as_a_bare_time_out() {
    let mut deploy = mk_deploy(DeployState::RollingOut);
    deploy.deadline_at = Some(Timestamp::UNIX_EPOCH);
    deploy.message = "0 of 2 pods are ready".into();
    let now = Timestamp::from_second(100).unwrap();
    let told = |late: Option<Late>| {
        let seen = Seen {
            connected: true,
            late,
            ..Seen::default()
        };
        let Next::Write(write) = next(&deploy, &seen, now) else {
            panic!("the deadline has passed")
        };
        (
            write.failure_cause.unwrap(),
            write.message.unwrap(),
            write.hint.unwrap(),
        )
    };
    let late = Late {
        cause: FailureCause::ConfigMissing,
        message: "0 of 2 pods are ready; they wait for a volume: timed out".into(),
        hint: Some("Look at the volume.".into()),
    };
    let (cause, message, hint) = told(Some(late));
    assert_eq!(
        (cause.as_str(), hint.as_str()),
        ("config_missing", "Look at the volume.")
    );
    assert!(
        message.ends_with("they wait for a volume: timed out"),
        "{message}"
    );
    let (cause, message, hint) = told(None);
    assert_eq!(cause, "deadline");
    assert!(message.ends_with("0 of 2 pods are ready") && hint.contains("hermez status"));
}

proptest! {
    #[test]
    fn a_deploy_never_goes_back_and_its_end_is_its_end(
        state in proptest::sample::select(&STATES[..]),
        seen in seens(),
        cancel in any::<bool>(),
        deadline in proptest::option::of(0..200_i64),
        now in 0..200_i64,
    ) {
        let mut deploy = mk_deploy(state);
        deploy.cancel_requested = cancel && place(state) < 7;
        deploy.deadline_at = deadline.map(at);
        match next(&deploy, &seen, at(now)) {
            Next::Write(write) => {
                prop_assert!(place(state) < 7, "an ended deploy is never written");
                if let Some(after) = write.state {
                    prop_assert!(place(after) > place(state));
                    prop_assert!(write.message.is_some(), "every change of state says why");
                }
                if write.state == Some(DeployState::Failed) {
                    prop_assert!(write.failure_cause.is_some());
                }
                if write.state == Some(DeployState::Superseded) {
                    prop_assert!(place(state) < place(DeployState::Canary), "never what is half-way");
                }
            }
            Next::Apply => prop_assert_eq!(state, DeployState::Applying),
            Next::Canary(_) => prop_assert_eq!(state, DeployState::Canary),
            Next::RequestBuild => prop_assert!(place(state) < 2 && !seen.artifact),
            Next::Wait => {}
        }
    }

    #[test]
    fn looking_twice_at_the_same_says_nothing_new(seen in seens(), state in proptest::sample::select(&STATES[..7])) {
        let mut deploy = mk_deploy(state);
        // Which rule holds it is written first, then what is said.
        for looks in 0..3 {
            let Next::Write(write) = next(&deploy, &seen, at(0)) else { break };
            if write.state.is_some() {
                break;
            }
            prop_assert!(looks < 2, "{write:?} is written again");
            if let Some(held) = write.held {
                deploy.held = held;
            }
            if let Some(until) = write.verify_until {
                deploy.verify_until = until;
            }
            if let Some(message) = write.message {
                deploy.message = message;
            }
            if let Some((ready, desired)) = write.pods {
                (deploy.pods_ready, deploy.pods_desired) = (ready, desired);
            }
        }
    }
}

fn mk_applied(paused: bool) -> Applied {
    Applied {
        manifest: "r/x@sha256:1".into(),
        paused,
    }
}

#[test]
fn a_restart_does_not_bring_back_what_another_deploy_has_replaced() {
    let mut restart = mk_deploy(DeployState::Pending);
    restart.kind = DeployKind::Restart;
    restart.manifest = Some("r/x@sha256:1".into());
    let mut seen = Seen::default();
    assert_eq!(after(&restart, &seen), Some(DeployState::Applying));
    seen.replaced_by = Some(9);
    let Next::Write(write) = next(&restart, &seen, at(0)) else {
        panic!("it ends")
    };
    assert_eq!(write.state, Some(DeployState::Superseded));
    assert!(write.message.is_some_and(|it| it.contains("deploy 9")));
}

#[test]
fn a_rollback_needs_no_build() {
    let mut deploy = mk_deploy(DeployState::Pending);
    deploy.manifest = Some("r/x@sha256:1".into());
    let nothing = Seen::default();
    assert_eq!(after(&deploy, &nothing), Some(DeployState::Applying));
}

#[test]
fn a_rollout_is_held_and_goes_on() {
    let seen = Seen {
        connected: true,
        rollout: Some(Rollout::Progressing {
            ready: 1,
            desired: 2,
            message: "1 of 2".into(),
        }),
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::RollingOut);
    deploy.paused_by = Some("ada".into());
    assert_eq!(
        next(&deploy, &seen, at(0)),
        Next::Apply,
        "the hold is written"
    );
    let held = applied(
        &mk_deploy(DeployState::Applying),
        mk_applied(true),
        600,
        at(0),
    );
    assert_eq!(held.deadline_at, Some(None), "what is held is never late");
    deploy.applied_paused = true;
    let Next::Write(write) = next(&deploy, &seen, at(9_999_999)) else {
        panic!("it says that it is held")
    };
    assert_eq!(write.message.as_deref(), Some("held: ada paused it"));
    deploy.message = "held: ada paused it".into();
    assert_eq!(next(&deploy, &seen, at(9_999_999)), Next::Wait);
    deploy.paused_by = None;
    assert_eq!(next(&deploy, &seen, at(0)), Next::Apply, "it is let go on");
    let on = applied(
        &mk_deploy(DeployState::Applying),
        mk_applied(false),
        600,
        at(1000),
    );
    assert_eq!(on.deadline_at, Some(Some(at(1660))));
}

#[test]
fn what_is_held_while_it_is_verified_is_verified_anew() {
    let seen = Seen {
        connected: true,
        rollout: Some(Rollout::Complete {
            ready: 2,
            desired: 2,
        }),
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Verifying);
    deploy.gate = Some(r#"{"gates":{"ready_seconds":30}}"#.into());
    deploy.verify_until = Some(at(30));
    deploy.deadline_at = Some(at(330));
    deploy.paused_by = Some("ada".into());
    let Next::Write(held) = next(&deploy, &seen, at(10)) else {
        panic!("it says that it is held")
    };
    assert_eq!(held.message.as_deref(), Some("held: ada paused it"));
    assert_eq!(
        (held.verify_until, held.deadline_at),
        (Some(None), Some(None))
    );
    deploy.message = "held: ada paused it".into();
    deploy.verify_until = None;
    deploy.deadline_at = None;
    assert_eq!(next(&deploy, &seen, at(9_999_999)), Next::Wait);
    deploy.paused_by = None;
    let Next::Write(on) = next(&deploy, &seen, at(1000)) else {
        panic!("it is looked at again")
    };
    assert_eq!(on.verify_until, Some(Some(at(1030))));
    assert_eq!(on.deadline_at, Some(Some(at(1330))));
}

#[test]
fn a_held_deploy_does_not_begin() {
    let seen = Seen {
        artifact: true,
        connected: true,
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Queued);
    deploy.paused_by = Some("ada".into());
    assert_eq!(after(&deploy, &seen), None);
    deploy.cancel_requested = true;
    assert_eq!(after(&deploy, &seen), Some(DeployState::Canceled));
}

#[test]
fn what_was_marked_while_it_waited_does_not_begin() {
    let bad = BadArtifact {
        digest: "sha256:1".into(),
        workload: "hello".into(),
        deploy_id: 3,
        commit: "c".into(),
        reason: "it crashes".into(),
        by: "ada".into(),
        at: at(0),
    };
    let seen = Seen {
        artifact: true,
        connected: true,
        bad: Some(bad),
        ..Seen::default()
    };
    let mut deploy = mk_deploy(DeployState::Queued);
    let Next::Write(write) = next(&deploy, &seen, at(60)) else {
        panic!("it ends")
    };
    assert_eq!(write.state, Some(DeployState::Failed));
    assert_eq!(write.failure_cause.as_deref(), Some("bad_artifact"));
    // A pull request that mends it has another commit, and so another artifact.
    deploy.pull_request = Some(12);
    assert_eq!(after(&deploy, &seen), Some(DeployState::Failed));
    deploy.pull_request = None;
    deploy.kind = DeployKind::Restart;
    assert_eq!(after(&deploy, &seen), Some(DeployState::Applying));
    deploy.kind = DeployKind::Regular;
    deploy.override_reason = Some("the cause was elsewhere".into());
    assert_eq!(after(&deploy, &seen), Some(DeployState::Applying));
}

fn mk_waits(message: &str) -> Waits {
    Waits {
        held: hermez_api::HeldDeploy {
            rule: hermez_api::HoldingRule::Window,
            message: message.into(),
            hint: None,
            until: Some(at(60)),
            approvals: None,
        },
        look_again_at: Some(at(60)),
    }
}

#[test]
fn a_rule_holds_what_waits_and_says_so() {
    let mut deploy = mk_deploy(DeployState::Queued);
    let held = Seen {
        artifact: true,
        connected: true,
        waits: Some(mk_waits("outside the deploy window")),
        ..Seen::default()
    };
    let Next::Write(write) = next(&deploy, &held, at(0)) else {
        panic!("what it waits for is written down");
    };
    assert_eq!(write.state, None);
    let shown = write.held.flatten();
    assert_eq!(shown.as_ref(), held.waits.as_ref().map(|it| &it.held));
    deploy.held = shown;
    let Next::Write(write) = next(&deploy, &held, at(0)) else {
        panic!("it is said");
    };
    assert_eq!(
        (write.state, write.message.as_deref(), write.note),
        (None, Some("outside the deploy window"), true)
    );
    "outside the deploy window".clone_into(&mut deploy.message);
    assert_eq!(next(&deploy, &held, at(0)), Next::Wait);
    let free = Seen {
        waits: None,
        ..held.clone()
    };
    assert_eq!(after(&deploy, &free), Some(DeployState::Applying));
    // A newer one takes the place of one that is held.
    let newer = Seen {
        lane: LaneFacts {
            newer: Some(8),
            busy: None,
        },
        ..held
    };
    assert_eq!(after(&deploy, &newer), Some(DeployState::Superseded));
}

#[test]
fn what_a_rule_has_let_go_of_does_not_say_that_it_is_held() {
    let cleared = |state, paused_by: Option<&str>, seen: &Seen| {
        let mut deploy = DeployRecord {
            held: Some(mk_waits("waits for 1 of 1 approvals").held),
            paused_by: paused_by.map(str::to_owned),
            ..mk_deploy(state)
        };
        let Next::Write(write) = next(&deploy, seen, at(0)) else {
            panic!("it is written");
        };
        assert_eq!((write.state, &write.held), (None, &Some(None)));
        deploy.held = None;
        deploy.message = write.message.unwrap_or_default();
        assert_eq!(next(&deploy, seen, at(0)), Next::Wait, "once");
    };
    let builds = Seen {
        build: Some(mk_build(BuildState::Running)),
        ..Seen::default()
    };
    cleared(DeployState::Building, None, &builds);
    // Even where there is nothing else to say.
    let built = Seen {
        build: Some(mk_build(BuildState::Succeeded)),
        ..Seen::default()
    };
    cleared(DeployState::Building, None, &built);
    let free = Seen {
        artifact: true,
        connected: true,
        ..Seen::default()
    };
    cleared(DeployState::Queued, Some("ada"), &free);
    let busy = Seen {
        lane: LaneFacts {
            newer: None,
            busy: Some(6),
        },
        ..free.clone()
    };
    cleared(DeployState::Queued, None, &busy);
    let deploy = DeployRecord {
        held: Some(mk_waits("outside the window").held),
        ..mk_deploy(DeployState::Queued)
    };
    assert_eq!(
        after(&deploy, &free),
        Some(DeployState::Applying),
        "in one step"
    );
}

#[test]
fn a_rejection_ends_it_with_its_words() {
    let deploy = DeployRecord {
        cancel_requested: true,
        rejection: Some("rejected by eve: not on a Friday".into()),
        ..mk_deploy(DeployState::Queued)
    };
    let Next::Write(write) = next(&deploy, &Seen::default(), at(0)) else {
        panic!("it ends");
    };
    assert_eq!(
        (write.state, write.message.as_deref()),
        (
            Some(DeployState::Canceled),
            Some("rejected by eve: not on a Friday")
        )
    );
}

#[test]
fn it_waits_until_the_rule_lets_go() {
    use std::time::Duration;
    let longest = Duration::from_secs(5);
    let waits = mk_waits("x");
    let wait = |second| crate::rules::wait_until(Some(&waits), at(second), longest);
    assert_eq!(wait(0), longest);
    assert_eq!(wait(58), Duration::from_secs(2));
    assert_eq!(wait(61), Duration::ZERO);
    assert_eq!(crate::rules::wait_until(None, at(0), longest), longest);
}
