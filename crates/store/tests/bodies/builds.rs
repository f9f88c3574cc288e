//! Builds, their leases, logs and artifacts.

use std::collections::HashSet;

use futures::future::join_all;
use hermez_api::{ArtifactImage, BuildState, BuildStep, LogLine};
use hermez_store::{
    BuildFilter, BuildOutcome, BuildRecord, Engine, NewBuild, PageRequest, Store, StoreError,
};

use super::{at, mk_commit, mk_workload, open};

const LEASE_MS: i64 = 15_000;

pub fn mk_build(workload_id: i64, n: u8, retry: bool) -> NewBuild {
    NewBuild {
        workload_id,
        commit: mk_commit(n),
        title: format!("commit {n}"),
        requested_by: "push".to_owned(),
        retry,
    }
}

async fn mk_queued(store: &Store, n: u8) -> BuildRecord {
    let workload = match store.workload("hello").await.unwrap() {
        Some(workload) => workload,
        None => mk_workload(store, "hello").await,
    };
    let requested = store
        .request_build(&mk_build(workload.id, n, false), at(0))
        .await
        .unwrap();
    requested.build
}

fn failed() -> BuildOutcome {
    BuildOutcome::Failed {
        error: "exit code 1".to_owned(),
        hint: None,
    }
}

pub async fn a_commit_has_one_build(url: &str) {
    let store = open(url).await;
    let id = mk_workload(&store, "hello").await.id;
    let new = mk_build(id, 1, true);
    let asked = join_all((0..20).map(|_| store.request_build(&new, at(0)))).await;
    let asked: Vec<_> = asked.into_iter().map(Result::unwrap).collect();
    let ids: HashSet<_> = asked.iter().map(|one| one.build.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(asked.iter().filter(|one| one.queued).count(), 1);
    assert_eq!(
        store.build_counts().await.unwrap(),
        [("queued".to_owned(), 1)]
    );
    let other = mk_workload(&store, "other").await.id;
    assert!(
        store
            .request_build(&mk_build(other, 1, false), at(0))
            .await
            .unwrap()
            .queued
    );
}

pub async fn a_failed_build_is_tried_again_on_request(url: &str) {
    let store = open(url).await;
    let build = mk_queued(&store, 1).await;
    let (lease, _) = store
        .acquire_build("me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    store.finish_build(lease, failed(), at(2)).await.unwrap();

    let plain = store
        .request_build(&mk_build(build.workload_id, 1, false), at(3))
        .await
        .unwrap();
    assert_eq!(
        (plain.queued, plain.build.state),
        (false, BuildState::Failed)
    );
    assert_eq!(plain.build.error.as_deref(), Some("exit code 1"));
    let new = mk_build(build.workload_id, 1, true);
    let again = join_all((0..8).map(|_| store.request_build(&new, at(4)))).await;
    let again: Vec<_> = again.into_iter().map(Result::unwrap).collect();
    assert_eq!(again.iter().filter(|one| one.queued).count(), 1);
    let now = store.build(build.id).await.unwrap().unwrap();
    assert_eq!(
        (now.state, now.attempt, now.error),
        (BuildState::Queued, 2, None)
    );
    assert_eq!((now.started_at, now.finished_at), (None, None));
}

pub async fn a_build_is_leased_to_one(url: &str) {
    let store = open(url).await;
    for n in 1..=4 {
        mk_queued(&store, n).await;
    }
    let tries = join_all((0..8).map(|_| store.acquire_build("me", at(1), LEASE_MS))).await;
    let mut got: Vec<_> = tries
        .into_iter()
        .filter_map(Result::unwrap)
        .map(|(l, _)| l.id)
        .collect();
    // Those that found every row locked by another try come again, as the builder does.
    while let Some((lease, _)) = store.acquire_build("me", at(1), LEASE_MS).await.unwrap() {
        got.push(lease.id);
    }
    let distinct: HashSet<_> = got.iter().copied().collect();
    assert_eq!((got.len(), distinct.len()), (4, 4));
    assert_eq!(
        store.next_build_due().await.unwrap(),
        Some(at(16)),
        "the first lease to end"
    );
}

pub async fn a_lost_lease_writes_nothing(url: &str) {
    let store = open(url).await;
    let build = mk_queued(&store, 1).await;
    let (old, _) = store
        .acquire_build("old", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .acquire_build("new", at(14), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    assert!(!store.renew_build(old, at(10), LEASE_MS).await.unwrap());
    assert!(
        store
            .acquire_build("new", at(24), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    let (new, taken) = store
        .acquire_build("new", at(25), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (taken.id, taken.attempt, taken.started_at),
        (build.id, 1, Some(at(0)))
    );

    let lost = |error: StoreError| matches!(error, StoreError::LeaseLost { .. });
    assert!(lost(
        store.renew_build(old, at(26), LEASE_MS).await.unwrap_err()
    ));
    assert!(lost(
        store.finish_build(old, failed(), at(26)).await.unwrap_err()
    ));
    assert!(lost(
        store
            .write_build_progress(old, &[], &[mk_line("late")])
            .await
            .unwrap_err()
    ));
    store
        .finish_build(new, BuildOutcome::Canceled, at(27))
        .await
        .unwrap();
    assert!(
        lost(store.finish_build(new, failed(), at(28)).await.unwrap_err()),
        "ended is ended"
    );
    let ended = store.build(build.id).await.unwrap().unwrap();
    assert_eq!(ended.state, BuildState::Canceled);
}

pub async fn a_build_that_waits_is_due_later(url: &str) {
    let store = open(url).await;
    let build = mk_queued(&store, 1).await;
    let (lease, _) = store
        .acquire_build("me", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let waiting = BuildOutcome::Waiting {
        message: "the registry does not answer".to_owned(),
        not_before: at(10),
    };
    let waits = store.finish_build(lease, waiting, at(1)).await.unwrap();
    assert_eq!((waits.state, waits.waits), (BuildState::Queued, 1));
    assert_eq!(waits.message, "the registry does not answer");
    assert_eq!(store.next_build_due().await.unwrap(), Some(at(10)));
    assert!(
        store
            .acquire_build("me", at(9), LEASE_MS)
            .await
            .unwrap()
            .is_none()
    );
    let (_, again) = store
        .acquire_build("me", at(10), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.id, again.message.as_str(), again.waits),
        (build.id, "", 1)
    );
}

pub async fn success_publishes_the_artifact_once(url: &str) {
    let store = open(url).await;
    let build = mk_queued(&store, 1).await;
    let (lease, _) = store
        .acquire_build("me", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let images = vec![ArtifactImage {
        name: "hello".to_owned(),
        reference: "r/hello@sha256:00".to_owned(),
        built: true,
    }];
    let outcome = BuildOutcome::Succeeded {
        manifest: "r/hermez/hello@sha256:11".to_owned(),
        images: images.clone(),
        committed_at: at(0),
    };
    store.finish_build(lease, outcome, at(5)).await.unwrap();
    let artifact = store
        .artifact(build.workload_id, &build.commit)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((artifact.images, artifact.created_at), (images, at(5)));
    let commits = vec![build.commit.clone(), mk_commit(9)];
    let known = store
        .artifacts_of_commits(build.workload_id, &commits)
        .await
        .unwrap();
    assert_eq!(known.len(), 1);
    let known = store
        .builds_of_commits(build.workload_id, &commits)
        .await
        .unwrap();
    assert_eq!((known.len(), known[0].state), (1, BuildState::Succeeded));
    let full = store.build_in_full(build.id).await.unwrap().unwrap();
    assert_eq!(full.artifact.unwrap().manifest, "r/hermez/hello@sha256:11");
    // A retry of what succeeded changes nothing.
    let again = store
        .request_build(&mk_build(build.workload_id, 1, true), at(6))
        .await
        .unwrap();
    assert!(!again.queued);
}

fn mk_line(text: &str) -> LogLine {
    LogLine {
        seq: 0,
        at: at(1),
        step: 1,
        text: text.to_owned(),
    }
}

pub async fn logs_continue_over_tries(url: &str) {
    let store = open(url).await.of_replica("one");
    let build = mk_queued(&store, 1).await;
    let (lease, _) = store
        .acquire_build("one/me", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let step = |number, state: &str| BuildStep {
        number,
        name: format!("[{number}/2] RUN make"),
        state: state.to_owned(),
        started_at: Some(at(1)),
        finished_at: None,
    };
    let lines: Vec<_> = (1..=1500)
        .map(|n| mk_line(&format!("line {n}\0")))
        .collect();
    let last = store
        .write_build_progress(lease, &[step(1, "running")], &lines)
        .await
        .unwrap();
    assert_eq!(last, 1500);
    store
        .write_build_progress(lease, &[step(1, "succeeded"), step(2, "running")], &[])
        .await
        .unwrap();
    let steps = store.build_steps(build.id).await.unwrap();
    assert_eq!(
        steps.iter().map(|s| s.state.as_str()).collect::<Vec<_>>(),
        ["succeeded", "running"]
    );

    store.end_foreign_leases("one/next").await.unwrap();
    let (lease, _) = store
        .acquire_build("next", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert!(
        store.build_steps(build.id).await.unwrap().is_empty(),
        "steps are those of this try"
    );
    let last = store
        .write_build_progress(lease, &[], &[mk_line("again")])
        .await
        .unwrap();
    assert_eq!(last, 1501);
    let tail = store.build_log(build.id, 1499, 10).await.unwrap();
    let texts: Vec<_> = tail
        .iter()
        .map(|line| (line.seq, line.text.as_str()))
        .collect();
    assert_eq!(texts, [(1500, "line 1500\u{fffd}"), (1501, "again")]);
    let page = store
        .build_log_page(build.id, &PageRequest::first(200))
        .await
        .unwrap();
    let next = PageRequest::new(page.next_cursor, Some(1));
    assert_eq!(
        store.build_log_page(build.id, &next).await.unwrap().items[0].seq,
        201
    );
}

pub async fn cancel_is_heard(url: &str) {
    let store = open(url).await;
    let first = mk_queued(&store, 1).await;
    let second = mk_queued(&store, 2).await;
    let (lease, _) = store
        .acquire_build("me", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let asked = store.cancel_build(first.id, at(1)).await.unwrap();
    assert_eq!(
        (asked.state, asked.cancel_requested),
        (BuildState::Running, true)
    );
    assert!(store.renew_build(lease, at(1), LEASE_MS).await.unwrap());
    let stopped = store.cancel_build(second.id, at(1)).await.unwrap();
    assert_eq!(
        (stopped.state, stopped.finished_at),
        (BuildState::Canceled, Some(at(1)))
    );
    store.finish_build(lease, failed(), at(2)).await.unwrap();
    let ended = store.cancel_build(first.id, at(3)).await.unwrap();
    assert_eq!(ended.state, BuildState::Failed);
    assert!(matches!(
        store.cancel_build(99, at(0)).await,
        Err(StoreError::NotFound { .. })
    ));
    let filter = BuildFilter {
        workload_id: Some(first.workload_id),
        states: vec![BuildState::Canceled],
    };
    let page = store.builds(&filter, &PageRequest::first(5)).await.unwrap();
    assert_eq!(
        page.items.iter().map(|build| build.id).collect::<Vec<_>>(),
        [second.id]
    );
}

pub async fn what_a_dead_server_held_is_free(url: &str) {
    let store = open(url).await.of_replica("one");
    mk_queued(&store, 1).await;
    let (dead, _) = store
        .acquire_build("one/dead", at(0), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        store.end_foreign_leases("one/dead").await.unwrap(),
        0,
        "its own stay"
    );
    // Where replicas share a database, nobody ends another one's.
    if store.engine() == Engine::Postgres {
        let other = store.clone().of_replica("another");
        let ended = other.end_foreign_leases("another/alive").await;
        assert_eq!(ended.unwrap(), 0);
    }
    assert_eq!(store.end_foreign_leases("one/alive").await.unwrap(), 1);
    let (lease, _) = store
        .acquire_build("alive", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((lease.id, lease.fence), (dead.id, dead.fence + 1));
    store.release_build(lease).await.unwrap();
    assert!(
        store
            .acquire_build("next", at(1), LEASE_MS)
            .await
            .unwrap()
            .is_some()
    );
}
