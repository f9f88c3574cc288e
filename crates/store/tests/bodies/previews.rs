//! Previews: made with their deploys, leased, put to sleep and woken, removed, and who may look.

use hermez_api::{DeployState, PreviewState};
use hermez_store::{
    Change, DeployFilter, DeployRecord, Engine, NewDeploy, NewPreview, PageRequest, PreviewChanges,
    PreviewRecord, PreviewWrite, Store, StoreError, WorkloadRecord, WorkloadSettings,
};

use super::deploys::mk_deploy;
use super::{at, mk_commit, mk_workload, open};

const LEASE_MS: i64 = 15_000;

/// Asks for a deploy of a pull request of `hello`.
pub async fn ask(
    store: &Store,
    number: i64,
    n: u8,
    seconds: i64,
) -> Result<DeployRecord, StoreError> {
    let workload = match store.workload("hello").await.unwrap() {
        Some(workload) => workload,
        None => mk_workload(store, "hello").await,
    };
    let deploy = NewDeploy {
        workload_id: workload.id,
        instance: format!("hello-pr-{number}"),
        commit: mk_commit(n),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "bob".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let preview = NewPreview {
        pull_request: number,
        title: "Say hello".to_owned(),
        author: "ada".to_owned(),
        head_branch: "topic".to_owned(),
        from_fork: false,
        forge_url: "http://forge/pulls/1".to_owned(),
        replicas: 1,
    };
    store.request_preview(&deploy, &preview, at(seconds)).await
}

async fn preview(store: &Store, number: i64) -> Option<PreviewRecord> {
    let workload = store.workload("hello").await.unwrap().unwrap();
    store.preview(workload.id, number).await.unwrap()
}

async fn hello(store: &Store) -> WorkloadRecord {
    store.workload("hello").await.unwrap().unwrap()
}

/// Brings a deploy to an end.
async fn end(store: &Store, id: i64, state: DeployState) {
    let (lease, _) = store
        .acquire_deploy(id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let write = hermez_store::DeployWrite {
        state: Some(state),
        applied: Some(hermez_store::Applied {
            manifest: "r/m@sha256:1".to_owned(),
            paused: false,
        }),
        ..hermez_store::DeployWrite::default()
    };
    store.write_deploy(lease, &write, at(2)).await.unwrap();
}

pub async fn a_pull_request_has_one_preview(url: &str) {
    let store = open(url).await;
    let mut changes = store.changes();
    let first = ask(&store, 12, 1, 0).await.unwrap();
    assert_eq!(first.pull_request, Some(12));
    let made = preview(&store, 12).await.unwrap();
    assert_eq!(
        (made.state, made.head_commit.as_str(), made.applied_replicas),
        (PreviewState::Active, mk_commit(1).as_str(), None)
    );
    let mut announced = Vec::new();
    while let Ok(change) = changes.try_recv() {
        announced.push(change);
    }
    assert!(
        announced.contains(&Change::Preview(made.id)),
        "{announced:?}"
    );

    ask(&store, 12, 2, 5).await.unwrap();
    let moved = preview(&store, 12).await.unwrap();
    assert_eq!(
        (moved.id, moved.head_commit.clone()),
        (made.id, mk_commit(2))
    );
    assert_eq!(moved.last_used_at, at(5));
    let of = store.preview_of_instance("hello-pr-12").await.unwrap();
    assert_eq!(of.unwrap().id, made.id);
    let newest = store.latest_deploy_of(&moved).await.unwrap().unwrap();
    assert_eq!(newest.commit, mk_commit(2));
    assert!(store.is_deploying(&moved).await.unwrap());
}

pub async fn a_preview_is_not_what_runs_of_its_workload(url: &str) {
    let store = open(url).await;
    let own = mk_deploy(&store, "hello", 1).await;
    end(&store, own.id, DeployState::Succeeded).await;
    let pull = ask(&store, 12, 2, 0).await.unwrap();
    end(&store, pull.id, DeployState::Succeeded).await;
    let id = hello(&store).await.id;
    let applied = store.applied_deploys(id, 10).await.unwrap();
    assert_eq!(applied.iter().map(|it| it.id).collect::<Vec<_>>(), [own.id]);
    let row = store.workload_row("hello").await.unwrap().unwrap();
    assert_eq!(
        (row.current.unwrap().id, row.latest.unwrap().id),
        (own.id, own.id)
    );
    let good = store.good_deploy_before(&pull).await.unwrap();
    assert_eq!(good.unwrap().id, own.id);
    let page = PageRequest::default();
    let all = store
        .deploys(&DeployFilter::default(), &page)
        .await
        .unwrap();
    assert_eq!(all.items.len(), 2, "the history shows both");
    let filter = DeployFilter {
        pull_request: Some(12),
        ..DeployFilter::default()
    };
    let of = store.deploys(&filter, &page).await.unwrap();
    assert_eq!(
        of.items.iter().map(|it| it.id).collect::<Vec<_>>(),
        [pull.id]
    );
}

pub async fn a_preview_sleeps_and_wakes_once(url: &str) {
    let store = open(url).await;
    ask(&store, 12, 1, 0).await.unwrap();
    let made = preview(&store, 12).await.unwrap();
    assert!(!store.wake_preview(made.id, at(1)).await.unwrap(), "awake");
    assert!(store.sleep_preview(made.id).await.unwrap());
    assert!(
        !store.sleep_preview(made.id).await.unwrap(),
        "asleep already"
    );
    let wakes = (0..4).map(|_| store.wake_preview(made.id, at(9)));
    let woken = futures::future::join_all(wakes).await;
    let woken = woken.into_iter().filter(|it| *it.as_ref().unwrap()).count();
    assert_eq!(woken, 1, "of many visitors one wakes it");
    let waking = preview(&store, 12).await.unwrap();
    assert_eq!(
        (waking.state, waking.waking_since),
        (PreviewState::Waking, Some(at(9)))
    );
    store.touch_preview(made.id, at(20)).await.unwrap();
    store.touch_preview(made.id, at(10)).await.unwrap();
    let used = preview(&store, 12).await.unwrap().last_used_at;
    assert_eq!(used, at(20), "a use that is told late takes nothing back");
}

pub async fn a_preview_is_leased_to_one(url: &str) {
    let store = open(url).await;
    ask(&store, 12, 1, 0).await.unwrap();
    let id = preview(&store, 12).await.unwrap().id;
    let lease = |seconds| store.lease_preview(id, "one/1", at(seconds), LEASE_MS);
    let (first, _) = lease(0).await.unwrap().unwrap();
    assert!(lease(1).await.unwrap().is_none());
    let (second, _) = lease(15).await.unwrap().unwrap();
    let asleep = PreviewWrite {
        state: Some(PreviewState::Sleeping),
        ..PreviewWrite::default()
    };
    let write = |lease, from| {
        let (store, asleep) = (store.clone(), asleep.clone());
        async move {
            store
                .write_preview(lease, from, &asleep, at(16))
                .await
                .unwrap()
        }
    };
    assert!(
        !write(first, PreviewState::Active).await,
        "its lease is over"
    );
    assert!(!write(second, PreviewState::Waking).await, "another state");
    assert!(write(second, PreviewState::Active).await);
    store.release_preview(second).await.unwrap();
    assert!(lease(16).await.unwrap().is_some());
}

/// The next server of the same name goes on at once with what it looked at when it was killed.
pub async fn what_a_dead_server_looked_at_is_free(url: &str) {
    let store = open(url).await.of_replica("one");
    ask(&store, 12, 1, 0).await.unwrap();
    let id = preview(&store, 12).await.unwrap().id;
    let lease = |owner| store.lease_preview(id, owner, at(0), LEASE_MS);
    assert!(lease("one/dead").await.unwrap().is_some());
    assert_eq!(store.end_foreign_leases("one/dead").await.unwrap(), 0);
    if store.engine() == Engine::Postgres {
        let other = store.clone().of_replica("another");
        let ended = other.end_foreign_leases("another/alive").await;
        assert_eq!(ended.unwrap(), 0, "where replicas share a database");
    }
    assert!(lease("one/alive").await.unwrap().is_none());
    assert_eq!(store.end_foreign_leases("one/alive").await.unwrap(), 1);
    assert!(lease("one/alive").await.unwrap().is_some());
}

pub async fn a_removed_preview_makes_room(url: &str) {
    let store = open(url).await;
    let asked = ask(&store, 12, 1, 0).await.unwrap();
    let made = preview(&store, 12).await.unwrap();
    for _ in 0..2 {
        store
            .remove_preview(made.id, "it was closed", at(1))
            .await
            .unwrap();
    }
    let removing = preview(&store, 12).await.unwrap();
    assert_eq!(removing.state, PreviewState::Removing);
    let stopped = store.deploy(asked.id).await.unwrap().unwrap();
    assert!(stopped.cancel_requested, "its deploy is stopped");
    let events = store.deploy_events(asked.id, 0).await.unwrap();
    let last = events.last().unwrap().message.as_str();
    assert_eq!(last, "its preview is removed: it was closed");
    let again = ask(&store, 12, 2, 2).await.unwrap_err();
    assert!(matches!(again, StoreError::AlreadyExists { .. }), "{again}");

    let (lease, _) = store
        .lease_preview(made.id, "one/1", at(3), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let gone = PreviewWrite {
        state: Some(PreviewState::Removed),
        ..PreviewWrite::default()
    };
    let from = PreviewState::Removing;
    assert!(
        store
            .write_preview(lease, from, &gone, at(3))
            .await
            .unwrap()
    );
    assert!(preview(&store, 12).await.is_none());
    let left = store.unsettled_previews(0, 10).await.unwrap();
    assert_eq!(left.len(), 1, "the forge is not told yet");
    let settled = PreviewWrite {
        settled: true,
        ..PreviewWrite::default()
    };
    let from = PreviewState::Removed;
    assert!(
        store
            .write_preview(lease, from, &settled, at(4))
            .await
            .unwrap()
    );
    assert!(store.unsettled_previews(0, 10).await.unwrap().is_empty());
    let removed = store.removed_preview(made.workload_id, 12).await.unwrap();
    let removed = removed.expect("it is remembered");
    assert_eq!(
        (removed.id, removed.head_commit),
        (made.id, made.head_commit)
    );
    assert_eq!(removed.removed_why.as_deref(), Some("it was closed"));
    let other = store.removed_preview(made.workload_id, 13).await.unwrap();
    assert_eq!(other, None);
    assert!(
        store
            .auto_previewed_repositories()
            .await
            .unwrap()
            .is_empty()
    );
    let auto = WorkloadSettings {
        previews: PreviewChanges {
            auto: Some(true),
            ..PreviewChanges::default()
        },
        ..WorkloadSettings::default()
    };
    store.set_workload("hello", None, &auto).await.unwrap();
    let repositories = store.auto_previewed_repositories().await.unwrap();
    assert_eq!(repositories.len(), 1);

    ask(&store, 12, 2, 5).await.unwrap();
    assert_ne!(preview(&store, 12).await.unwrap().id, made.id);
    store
        .delete_workload("hello", None, "ada", at(6))
        .await
        .unwrap();
    let left = store.unsettled_previews(0, 10).await.unwrap();
    assert_eq!(
        left[0].state,
        PreviewState::Removing,
        "it goes with its workload"
    );
}

pub async fn a_fork_s_commit_is_allowed_alone(url: &str) {
    let store = open(url).await;
    let id = mk_workload(&store, "hello").await.id;
    let (allowed, other) = (mk_commit(1), mk_commit(2));
    for by in ["ada", "bob"] {
        store.allow_pull(id, 12, &allowed, by, at(0)).await.unwrap();
    }
    let by = |number, commit| store.pull_allowed_by(id, number, commit);
    assert_eq!(by(12, &allowed).await.unwrap().as_deref(), Some("ada"));
    assert_eq!(by(12, &other).await.unwrap(), None);
    assert_eq!(by(13, &allowed).await.unwrap(), None);
    assert_eq!(store.pull_allowances(id).await.unwrap().len(), 1);
}

pub async fn a_ticket_and_a_link_open_one_preview(url: &str) {
    let store = open(url).await;
    ask(&store, 12, 1, 0).await.unwrap();
    ask(&store, 13, 1, 0).await.unwrap();
    let one = preview(&store, 12).await.unwrap().id;
    let other = preview(&store, 13).await.unwrap().id;
    let principal = store.ensure_principal("ada", "owner", at(0)).await.unwrap();
    let session = store
        .create_session(principal.id, &[7; 32], at(0), at(100))
        .await
        .unwrap();
    store
        .create_preview_ticket("t1", one, session, at(60))
        .await
        .unwrap();
    let redeem = |hash, preview, seconds| store.redeem_preview_ticket(hash, preview, at(seconds));
    assert_eq!(redeem("t1", other, 1).await.unwrap(), None);
    assert_eq!(redeem("t1", one, 1).await.unwrap(), Some(session));
    assert_eq!(redeem("t1", one, 1).await.unwrap(), None, "it works once");
    store
        .create_preview_ticket("t2", one, session, at(60))
        .await
        .unwrap();
    assert_eq!(redeem("t2", one, 60).await.unwrap(), None, "it is too old");

    store
        .create_preview_visit("v1", one, Some(session), None, at(90))
        .await
        .unwrap();
    let looks =
        |hash, preview, shared, seconds| store.is_preview_visit(hash, preview, shared, at(seconds));
    assert!(looks("v1", one, None, 1).await.unwrap());
    assert!(!looks("v1", other, None, 1).await.unwrap());
    assert!(!looks("v1", one, None, 90).await.unwrap());
    store.delete_session(session).await.unwrap();
    assert!(!looks("v1", one, None, 1).await.unwrap(), "signed out");

    assert!(store.share_preview(one, Some("h")).await.unwrap());
    store
        .create_preview_visit("v2", one, None, Some("h"), at(90))
        .await
        .unwrap();
    assert!(looks("v2", one, Some("h"), 1).await.unwrap());
    assert!(!looks("v2", one, Some("new"), 1).await.unwrap());
    assert!(!looks("v2", one, None, 1).await.unwrap());
    assert_eq!(store.delete_expired(at(91)).await.unwrap(), 2);
}

pub async fn preview_settings_are_set(url: &str) {
    let store = open(url).await;
    let made = mk_workload(&store, "hello").await;
    assert_eq!(made.previews, hermez_api::PreviewSettings::default());
    let settings = WorkloadSettings {
        previews: PreviewChanges {
            auto: Some(true),
            idle_minutes: Some(5),
            ..PreviewChanges::default()
        },
        ..WorkloadSettings::default()
    };
    let set = store.set_workload("hello", None, &settings).await.unwrap();
    assert_eq!(
        (
            set.previews.auto,
            set.previews.idle_minutes,
            set.previews.expiry_days
        ),
        (true, 5, 7)
    );
}
