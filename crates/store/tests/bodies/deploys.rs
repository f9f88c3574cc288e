//! Deploys: timelines, leases and lanes.

use futures::future::join_all;
use hermez_api::{DeployState, Page, PodChange, PodChangeKind, PodVersion};
use hermez_store::{
    Applied, Change, DeployFilter, DeployRecord, DeployWrite, LaneFacts, MAX_POD_EVENTS, NewDeploy,
    NewPodEvent, PageRequest, Store, StoreError,
};

use super::{at, mk_commit, mk_workload, open};

const LEASE_MS: i64 = 15_000;

pub async fn mk_deploy(store: &Store, name: &str, n: u8) -> DeployRecord {
    let workload = match store.workload(name).await.unwrap() {
        Some(workload) => workload,
        None => mk_workload(store, name).await,
    };
    let new = NewDeploy {
        workload_id: workload.id,
        instance: name.to_owned(),
        commit: mk_commit(n),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "bob".to_owned(),
        reason: Some("because".to_owned()),
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    store.request_deploy(&new, at(0)).await.unwrap()
}

fn to(state: DeployState, message: &str) -> DeployWrite {
    DeployWrite {
        state: Some(state),
        message: Some(message.to_owned()),
        ..DeployWrite::default()
    }
}

/// Several servers follow one push at once: one of them asks for its deploy.
pub async fn a_push_is_deployed_once(url: &str) {
    let store = open(url).await;
    let earlier = mk_deploy(&store, "hello", 1).await;
    let push = |n| NewDeploy {
        workload_id: earlier.workload_id,
        instance: "hello".to_owned(),
        commit: mk_commit(n),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "push".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    for n in [2, 3] {
        let new = push(n);
        let asked = (0..6).map(|_| store.request_pushed_deploy(&new, None, at(1)));
        let asked = join_all(asked).await;
        let made = asked.into_iter().filter_map(Result::unwrap).count();
        assert_eq!(made, 1, "of commit {n}");
    }
    // What is no longer the newest is asked for again: the branch went back to it.
    let back = store.request_pushed_deploy(&push(2), None, at(2)).await;
    assert!(back.unwrap().is_some());
}

/// Writes a deploy to the cluster, `seconds` after the first time, and has it succeed.
async fn run(store: &Store, id: i64, seconds: i64) -> DeployRecord {
    let acquired = store.acquire_deploy(id, "me", at(seconds), LEASE_MS).await;
    let (lease, deploy) = acquired.unwrap().unwrap();
    let write = DeployWrite {
        applied: Some(Applied {
            manifest: format!("r/m@sha256:{}", &deploy.commit[..2]),
            paused: false,
        }),
        ..to(DeployState::Succeeded, "runs")
    };
    let written = store.write_deploy(lease, &write, at(seconds)).await;
    written.unwrap().unwrap()
}

/// A restart overtakes a deploy that waits, which then goes on.
pub async fn what_was_written_last_runs_whatever_its_number(url: &str) {
    let store = open(url).await;
    let first = mk_deploy(&store, "hello", 1).await;
    let first = run(&store, first.id, 10).await;
    let waiting = mk_deploy(&store, "hello", 2).await;
    let restart = NewDeploy {
        workload_id: first.workload_id,
        instance: "hello".to_owned(),
        commit: mk_commit(1),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "bob".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Restart,
        of: Some((first.id, first.manifest.clone().unwrap())),
        override_reason: None,
    };
    let restart = store.request_deploy(&restart, at(11)).await.unwrap();
    let restart = run(&store, restart.id, 20).await;
    let seen = async || {
        let row = store.workload_row("hello").await.unwrap().unwrap();
        let written = store.applied_deploys(first.workload_id, 10).await.unwrap();
        let ids: Vec<i64> = written.iter().map(|deploy| deploy.id).collect();
        (row.current.unwrap().id, row.latest.unwrap().id, ids)
    };
    let ids = vec![restart.id, first.id];
    assert_eq!(seen().await, (restart.id, restart.id, ids));

    // Who tells of the push again asks for nothing: the restart has not made it another commit's.
    let push = NewDeploy {
        workload_id: first.workload_id,
        instance: "hello".to_owned(),
        commit: waiting.commit.clone(),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "push".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let again = store.request_pushed_deploy(&push, None, at(21)).await;
    assert_eq!(again.unwrap(), None);
    let newest = store.newest_wanted_commit(first.workload_id).await.unwrap();
    assert_eq!(newest, Some(waiting.commit));

    let waiting = run(&store, waiting.id, 30).await;
    let ids = vec![waiting.id, restart.id, first.id];
    assert_eq!(seen().await, (waiting.id, restart.id, ids));
    let good = async |of: &DeployRecord| {
        let good = store.good_deploy_before(of).await.unwrap();
        good.map(|deploy| deploy.id)
    };
    assert_eq!(good(&waiting).await, Some(restart.id));
    assert_eq!(good(&restart).await, Some(first.id));
    assert_eq!(good(&first).await, None);
}

pub async fn a_timeline_is_kept(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    assert_eq!(
        (deploy.state, deploy.message.as_str()),
        (DeployState::Pending, "bob asked for it")
    );
    let (lease, _) = store
        .acquire_deploy(deploy.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let writes = [
        DeployWrite {
            build_id: Some(7),
            ..to(DeployState::Building, "build 7 runs")
        },
        to(DeployState::Applying, "applies"),
        DeployWrite {
            deadline_at: Some(Some(at(600))),
            applied: Some(Applied {
                manifest: "r/m@sha256:1".to_owned(),
                paused: false,
            }),
            ..to(DeployState::RollingOut, "1 of 3")
        },
        DeployWrite {
            message: Some("2 of 3".to_owned()),
            pods: Some((2, 3)),
            note: true,
            ..DeployWrite::default()
        },
        DeployWrite {
            message: Some("not noted".to_owned()),
            ..DeployWrite::default()
        },
        DeployWrite {
            deadline_at: Some(None),
            pods: Some((3, 3)),
            ..to(DeployState::Succeeded, "runs")
        },
    ];
    for (second, write) in (2..).zip(&writes) {
        store
            .write_deploy(lease, write, at(second))
            .await
            .unwrap()
            .unwrap();
    }
    let full = store.deploy_in_full(deploy.id).await.unwrap().unwrap();
    let timeline: Vec<_> = full
        .timeline
        .iter()
        .map(|e| (e.seq, e.message.as_str()))
        .collect();
    let wanted = [
        "bob asked for it",
        "build 7 runs",
        "applies",
        "1 of 3",
        "2 of 3",
        "runs",
    ];
    assert_eq!(timeline, (1..).zip(wanted).collect::<Vec<_>>());
    assert_eq!((full.summary.pods_ready, full.build_id), (3, Some(7)));
    assert_eq!(
        (full.summary.started_at, full.summary.finished_at),
        (Some(at(3)), Some(at(7)))
    );
    assert_eq!(store.deploy_events(deploy.id, 4).await.unwrap().len(), 2);
    let row = store.workload_row("hello").await.unwrap().unwrap();
    let current = row.current.unwrap();
    assert_eq!((current.id, current.deadline_at), (deploy.id, None));
}

pub async fn one_deploy_changes_an_instance(url: &str) {
    let store = open(url).await;
    let mut leases = Vec::new();
    for n in 1..=4 {
        let deploy = mk_deploy(&store, "hello", n).await;
        leases.push(
            store
                .acquire_deploy(deploy.id, "me", at(1), LEASE_MS)
                .await
                .unwrap()
                .unwrap()
                .0,
        );
    }
    let apply = to(DeployState::Applying, "applies");
    let races = join_all(
        leases
            .iter()
            .map(|lease| store.write_deploy(*lease, &apply, at(2))),
    )
    .await;
    let won: Vec<_> = races.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    let lease = *leases.iter().find(|lease| lease.id == won[0].id).unwrap();
    let loser = *leases.iter().find(|lease| lease.id != won[0].id).unwrap();
    assert_eq!(
        store.deploy_events(loser.id, 0).await.unwrap().len(),
        1,
        "nothing was written"
    );
    // Another workload is another lane.
    let other = mk_deploy(&store, "other", 1).await;
    let free = store
        .acquire_deploy(other.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap()
        .0;
    assert!(
        store
            .write_deploy(free, &apply, at(2))
            .await
            .unwrap()
            .is_some()
    );
    // The place is free again when it ends.
    store
        .write_deploy(lease, &to(DeployState::Failed, "crash"), at(3))
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .write_deploy(loser, &apply, at(4))
            .await
            .unwrap()
            .is_some()
    );
}

pub async fn an_ended_deploy_stays(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let (lease, _) = store
        .acquire_deploy(deploy.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let failed = DeployWrite {
        failure_cause: Some("image_pull".to_owned()),
        hint: Some("push it".to_owned()),
        ..to(DeployState::Failed, "no image")
    };
    store
        .write_deploy(lease, &failed, at(2))
        .await
        .unwrap()
        .unwrap();
    let again = store
        .write_deploy(lease, &to(DeployState::Succeeded, "ha"), at(3))
        .await;
    assert!(matches!(again, Err(StoreError::LeaseLost { .. })));
    assert!(
        store
            .acquire_deploy(deploy.id, "you", at(100), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    let canceled = store.cancel_deploy(deploy.id, "ada", at(4)).await.unwrap();
    assert_eq!(
        (canceled.state, canceled.cancel_requested),
        (DeployState::Failed, false)
    );
    assert_eq!(canceled.failure_cause.as_deref(), Some("image_pull"));
    assert_eq!(store.deploy_events(deploy.id, 0).await.unwrap().len(), 2);
    assert_eq!(
        store.deploy_counts().await.unwrap(),
        [("failed".to_owned(), 1)]
    );
}

pub async fn lanes_tell_what_else_goes_on(url: &str) {
    let store = open(url).await;
    let first = mk_deploy(&store, "hello", 1).await;
    let second = mk_deploy(&store, "hello", 2).await;
    let other = mk_deploy(&store, "other", 2).await;
    let facts = |newer, busy| LaneFacts { newer, busy };
    assert_eq!(
        store.lane_facts(&first).await.unwrap(),
        facts(Some(second.id), None)
    );
    assert_eq!(store.lane_facts(&other).await.unwrap(), facts(None, None));
    assert_eq!(store.lane_mates(&second).await.unwrap(), [first.id]);
    let (lease, _) = store
        .acquire_deploy(first.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    store
        .write_deploy(lease, &to(DeployState::Applying, "applies"), at(2))
        .await
        .unwrap();
    assert_eq!(
        store.lane_facts(&second).await.unwrap(),
        facts(None, Some(first.id))
    );
    assert_eq!(
        store.lane_facts(&first).await.unwrap().busy,
        None,
        "not by itself"
    );
    let (lease, _) = store
        .acquire_deploy(second.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    store
        .write_deploy(lease, &to(DeployState::Canceled, "stop"), at(2))
        .await
        .unwrap();
    assert_eq!(
        store.lane_facts(&first).await.unwrap().newer,
        None,
        "it was canceled"
    );
}

pub async fn a_deploy_is_leased_to_one(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let waits = mk_deploy(&store, "other", 1).await;
    let races =
        join_all((0..6).map(|_| store.acquire_deploy(deploy.id, "me", at(0), LEASE_MS))).await;
    let won: Vec<_> = races.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won.len(), 1);
    let old = won[0].0;
    assert_eq!(store.open_deploys(0, at(1), 10).await.unwrap(), [waits.id]);
    assert_eq!(
        store.open_deploys(0, at(15), 10).await.unwrap(),
        [deploy.id, waits.id]
    );
    assert_eq!(
        store.open_deploys(deploy.id, at(15), 10).await.unwrap(),
        [waits.id]
    );
    store.renew_deploy(old, at(10), LEASE_MS).await.unwrap();
    assert!(
        store
            .acquire_deploy(deploy.id, "you", at(24), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    let (new, _) = store
        .acquire_deploy(deploy.id, "you", at(25), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let lost = |error: StoreError| matches!(error, StoreError::LeaseLost { .. });
    assert!(lost(
        store.renew_deploy(old, at(26), LEASE_MS).await.unwrap_err()
    ));
    let write = to(DeployState::Applying, "late");
    assert!(lost(
        store.write_deploy(old, &write, at(26)).await.unwrap_err()
    ));
    store.release_deploy(old).await.unwrap();
    assert!(
        store
            .acquire_deploy(deploy.id, "x", at(26), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    store.release_deploy(new).await.unwrap();
    assert!(
        store
            .acquire_deploy(deploy.id, "x", at(26), LEASE_MS)
            .await
            .unwrap()
            .is_some()
    );
}

pub async fn deploys_are_paged(url: &str) {
    let store = open(url).await;
    let mut ids = Vec::new();
    for n in 1..=5 {
        ids.push(mk_deploy(&store, "hello", n).await.id);
    }
    mk_deploy(&store, "other", 1).await;
    let workload = store.workload("hello").await.unwrap().unwrap();
    let filter = DeployFilter {
        workload_id: Some(workload.id),
        states: vec![DeployState::Pending],
        ..DeployFilter::default()
    };
    let first = store
        .deploys(&filter, &PageRequest::first(3))
        .await
        .unwrap();
    let next = PageRequest::new(first.next_cursor.clone(), Some(3));
    let second = store.deploys(&filter, &next).await.unwrap();
    let seen = |page: &Page<DeployRecord>| page.items.iter().map(|d| d.id).collect::<Vec<_>>();
    ids.reverse();
    assert_eq!([seen(&first), seen(&second)].concat(), ids);
    assert_eq!(second.next_cursor, None);
    assert_eq!(first.items[0].summary().workload, "hello");
    let all = store
        .deploys(&DeployFilter::default(), &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(all.items.len(), 6);
}

pub async fn changes_are_announced(url: &str) {
    let store = open(url).await;
    let mut changes = store.changes();
    let deploy = mk_deploy(&store, "hello", 1).await;
    assert_eq!(
        changes.recv().await.unwrap(),
        Change::Workload("hello".to_owned())
    );
    assert_eq!(changes.recv().await.unwrap(), Change::Deploy(deploy.id));
    // What is announced can be read already.
    store.cancel_deploy(deploy.id, "ada", at(1)).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), Change::Deploy(deploy.id));
    assert!(
        store
            .deploy(deploy.id)
            .await
            .unwrap()
            .unwrap()
            .cancel_requested
    );
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    assert_eq!(events[1].message, "ada asked to stop it");
}

pub async fn a_timeline_is_bounded(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let acquired = store.acquire_deploy(deploy.id, "me", at(1), LEASE_MS).await;
    let lease = acquired.unwrap().unwrap().0;
    for n in 0..520 {
        let write = DeployWrite {
            message: Some(format!("{n} of many")),
            note: true,
            ..DeployWrite::default()
        };
        store.write_deploy(lease, &write, at(2)).await.unwrap();
    }
    store
        .write_deploy(lease, &to(DeployState::Failed, "flaps"), at(3))
        .await
        .unwrap();
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    assert_eq!(events.len(), 501);
    assert_eq!(events[500].message, "flaps", "the end is always told");
}

pub async fn pods_are_told_of_once_and_bounded(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let (lease, _) = store
        .acquire_deploy(deploy.id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let begun = to(DeployState::RollingOut, "1 of 2");
    store.write_deploy(lease, &begun, at(2)).await.unwrap();
    let event = |pod: usize| NewPodEvent {
        key: format!("new/p{pod}/ready"),
        change: PodChange {
            name: format!("p{pod}"),
            version: PodVersion::New,
            change: PodChangeKind::Ready,
        },
        message: format!("pod p{pod} (new) is ready"),
    };
    let two = [event(1), event(2)];
    store.tell_of_pods(lease, &two, at(3)).await.unwrap();
    // Another look, after a restart that has forgotten what was told.
    let three = [event(1), event(2), event(3), event(3)];
    store.tell_of_pods(lease, &three, at(4)).await.unwrap();
    let timeline = store.deploy_events(deploy.id, 2).await.unwrap();
    let told: Vec<_> = timeline
        .iter()
        .map(|it| (it.seq, it.at, it.message.as_str()))
        .collect();
    let wanted = [
        (3, at(3), "pod p1 (new) is ready"),
        (4, at(3), "pod p2 (new) is ready"),
        (5, at(4), "pod p3 (new) is ready"),
    ];
    assert_eq!(told, wanted);
    assert_eq!(timeline[0].state, DeployState::RollingOut);
    assert_eq!(timeline[0].pod, Some(event(1).change));
    let many: Vec<_> = (0..2 * MAX_POD_EVENTS).map(event).collect();
    for _ in 0..2 {
        store.tell_of_pods(lease, &many, at(5)).await.unwrap();
    }
    let keys = store.told_of_pods(deploy.id).await.unwrap();
    assert_eq!(keys.len(), MAX_POD_EVENTS + 1);
    let last = store.deploy_events(deploy.id, 0).await.unwrap().pop();
    let last = last.unwrap();
    assert!(
        last.pod.is_none() && last.message.contains("more"),
        "{last:?}"
    );
    // What comes after goes on.
    let ended = to(DeployState::Succeeded, "runs");
    let ended = store.write_deploy(lease, &ended, at(9)).await.unwrap();
    assert_eq!(ended.unwrap().state, DeployState::Succeeded);
    let full = store.deploy_in_full(deploy.id).await.unwrap().unwrap();
    let took: Vec<_> = full.stretches.iter().map(|it| it.took_ms).collect();
    assert_eq!(took, [Some(2_000), Some(7_000)]);
    let late = store.tell_of_pods(lease, &many, at(9)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })));
}
