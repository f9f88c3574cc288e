//! Rollbacks, pins, marks, pauses and the filters of the history.

use futures::future::join;
use hermez_api::{ArtifactImage, DeployKind, DeployState, Revert};
use hermez_store::{
    Aftermath, Applied, BuildOutcome, Change, DeployFilter, DeployRecord, DeployWrite, NewBuild,
    NewDeploy, PageRequest, Store, StoreError, WorkloadFilter, WorkloadSettings,
};

use super::deploys::mk_deploy;
use super::{at, mk_commit, mk_workload, open};

const LEASE_MS: i64 = 15_000;

/// Brings a deploy to that state, with its manifest written to the cluster.
pub async fn apply(store: &Store, id: i64, state: DeployState) -> DeployRecord {
    let (lease, deploy) = store
        .acquire_deploy(id, "me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    let applied = Applied {
        manifest: format!("r/m@sha256:{}", &deploy.commit[..2]),
        paused: false,
    };
    let write = DeployWrite {
        state: Some(state),
        applied: Some(applied),
        ..DeployWrite::default()
    };
    store
        .write_deploy(lease, &write, at(2))
        .await
        .unwrap()
        .unwrap()
}

pub fn mk_rollback(of: &DeployRecord) -> NewDeploy {
    NewDeploy {
        workload_id: of.workload_id,
        instance: of.instance.clone(),
        commit: of.commit.clone(),
        title: of.title.clone(),
        author: of.author.clone(),
        requested_by: "bob".to_owned(),
        reason: Some("it crashes".to_owned()),
        kind: DeployKind::Rollback,
        of: Some((of.id, of.manifest.clone().unwrap())),
        override_reason: None,
    }
}

/// The artifact of that commit, with one image that was built and one that was not.
pub async fn mk_artifact(store: &Store, workload_id: i64, n: u8) {
    let new = NewBuild {
        workload_id,
        commit: mk_commit(n),
        title: "title".to_owned(),
        requested_by: "bob".to_owned(),
        retry: false,
    };
    let build = store.request_build(&new, at(0)).await.unwrap().build;
    let (lease, _) = store
        .acquire_build("me", at(1), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lease.id, build.id);
    let image = |name: &str, built| ArtifactImage {
        name: name.to_owned(),
        reference: format!("r/{workload_id}/{name}@sha256:{name}{n}"),
        built,
    };
    let outcome = BuildOutcome::Succeeded {
        manifest: format!("r/m@sha256:m{workload_id}-{n}"),
        images: vec![image("app", true), image("postgres", false)],
        committed_at: at(-60),
    };
    store.finish_build(lease, outcome, at(2)).await.unwrap();
}

/// A deploy of `hello` that has succeeded, and one after it that rolls out.
async fn mk_good_and_left(store: &Store) -> (DeployRecord, DeployRecord) {
    let good = mk_deploy(store, "hello", 1).await;
    let good = apply(store, good.id, DeployState::Succeeded).await;
    let left = mk_deploy(store, "hello", 2).await;
    (good, apply(store, left.id, DeployState::RollingOut).await)
}

/// The end of a deploy's timeline.
async fn last_word(store: &Store, id: i64) -> String {
    let mut events = store.deploy_events(id, 0).await.unwrap();
    events.pop().unwrap().message
}

pub async fn a_rollback_pins_marks_and_stops_in_one(url: &str) {
    let store = open(url).await;
    let (good, left) = mk_good_and_left(&store).await;
    let aftermath = Aftermath {
        left: left.clone(),
        bad: vec!["sha256:app2".to_owned(), "sha256:m2".to_owned()],
        reason: "it crashes".to_owned(),
    };
    let rollback = store
        .request_rollback(&mk_rollback(&good), &aftermath, None, at(10))
        .await
        .unwrap();
    assert_eq!(
        (
            rollback.kind,
            rollback.of_deploy,
            rollback.manifest.as_deref()
        ),
        (DeployKind::Rollback, Some(good.id), Some("r/m@sha256:01"))
    );
    assert!(
        store
            .deploy(left.id)
            .await
            .unwrap()
            .unwrap()
            .cancel_requested
    );
    assert_eq!(
        last_word(&store, left.id).await,
        format!("bob rolled back from it (deploy {})", rollback.id)
    );
    let pin = store.workload("hello").await.unwrap().unwrap().pin.unwrap();
    assert_eq!(
        (pin.by.as_str(), pin.at, pin.reason.as_str(), pin.deploy_id),
        ("bob", at(10), "it crashes", Some(rollback.id))
    );
    let asked = ["sha256:app2".to_owned(), "sha256:other".to_owned()];
    let marks = store.bad_artifacts(&asked).await.unwrap();
    assert_eq!(marks.len(), 1);
    assert_eq!(
        (
            marks[0].workload.as_str(),
            marks[0].deploy_id,
            marks[0].by.as_str()
        ),
        ("hello", left.id, "bob")
    );

    // The first mark stays, and a second rollback is none the worse for it.
    store
        .request_rollback(&mk_rollback(&good), &aftermath, None, at(20))
        .await
        .unwrap();
    let marks = store.bad_artifacts(&asked).await.unwrap();
    assert_eq!(marks[0].at, at(10));

    assert!(store.unpin("hello").await.unwrap());
    assert!(!store.unpin("hello").await.unwrap());
    assert_eq!(store.workload("hello").await.unwrap().unwrap().pin, None);
    assert!(matches!(
        store.unpin("nobody").await,
        Err(StoreError::NotFound { .. })
    ));

    // Of a deleted workload nothing is asked for, pinned or marked.
    store
        .delete_workload("hello", None, "bob", at(30))
        .await
        .unwrap();
    assert_eq!(
        last_word(&store, rollback.id).await,
        "bob deleted the workload"
    );
    let fresh = Aftermath {
        bad: vec!["sha256:fresh".to_owned()],
        ..aftermath
    };
    let refused = store
        .request_rollback(&mk_rollback(&good), &fresh, None, at(31))
        .await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    assert!(store.bad_artifacts(&fresh.bad).await.unwrap().is_empty());
}

pub async fn a_rejected_rollback_takes_its_marks_back(url: &str) {
    let store = open(url).await;
    let (good, left) = mk_good_and_left(&store).await;
    let before = Aftermath {
        left: left.clone(),
        bad: vec!["sha256:app2".to_owned()],
        reason: "it crashes".to_owned(),
    };
    store
        .request_rollback(&mk_rollback(&good), &before, None, at(10))
        .await
        .unwrap();
    let aftermath = Aftermath {
        bad: vec!["sha256:app2".to_owned(), "sha256:m2".to_owned()],
        ..before
    };
    let rollback = store
        .request_rollback(&mk_rollback(&good), &aftermath, None, at(20))
        .await
        .unwrap();
    assert_eq!(store.bad_artifacts(&aftermath.bad).await.unwrap().len(), 2);
    let mut changes = store.changes();
    let rejected = store
        .reject_deploy(rollback.id, "eve", "it is fine", at(30))
        .await
        .unwrap()
        .unwrap();
    assert!(rejected.cancel_requested);
    let mut announced = Vec::new();
    while let Ok(change) = changes.try_recv() {
        announced.push(change);
    }
    assert!(
        announced.contains(&Change::Marked(left.id)),
        "{announced:?}"
    );
    // The mark of the one before stays, and so does the pin.
    let marks = store.bad_artifacts(&aftermath.bad).await.unwrap();
    let marks: Vec<_> = marks.iter().map(|it| (it.digest.as_str(), it.at)).collect();
    assert_eq!(marks, [("sha256:app2", at(10))]);
    let pin = store.workload("hello").await.unwrap().unwrap().pin;
    assert_eq!(pin.and_then(|pin| pin.deploy_id), Some(rollback.id));
}

pub async fn a_canceled_rollback_takes_its_marks_back_until_it_begins(url: &str) {
    let store = open(url).await;
    let good = mk_deploy(&store, "hello", 1).await;
    let good = apply(&store, good.id, DeployState::Succeeded).await;
    let left = mk_deploy(&store, "hello", 2).await;
    let left = apply(&store, left.id, DeployState::Succeeded).await;
    let aftermath = Aftermath {
        left,
        bad: vec!["sha256:app2".to_owned()],
        reason: "it crashes".to_owned(),
    };
    let marks = async || store.bad_artifacts(&aftermath.bad).await.unwrap().len();
    let rollback = async |seconds| {
        let new = mk_rollback(&good);
        let asked = store
            .request_rollback(&new, &aftermath, None, at(seconds))
            .await;
        asked.unwrap().id
    };
    let first = rollback(10).await;
    assert_eq!(marks().await, 1);
    for _ in 0..2 {
        let canceled = store.cancel_deploy(first, "eve", at(11)).await.unwrap();
        assert!(canceled.cancel_requested);
        assert_eq!(marks().await, 0, "nothing was changed");
    }
    let second = rollback(20).await;
    apply(&store, second, DeployState::Applying).await;
    store.cancel_deploy(second, "eve", at(23)).await.unwrap();
    assert_eq!(marks().await, 1, "it had begun");
}

/// Names of the workloads that run what is marked as bad.
async fn marked(store: &Store) -> Vec<String> {
    let page = PageRequest::default();
    let found = store.workloads(&WorkloadFilter::default(), &page).await;
    let rows = found.unwrap().items.into_iter();
    let marked = rows.filter(|row| row.bad.is_some());
    marked.map(|row| row.workload.name).collect()
}

pub async fn a_mark_finds_every_workload(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    let other = mk_workload(&store, "other").await;
    let third = mk_workload(&store, "third").await;
    mk_workload(&store, "unused").await;
    mk_artifact(&store, hello.id, 2).await;
    mk_artifact(&store, other.id, 2).await;
    mk_artifact(&store, third.id, 1).await;
    for (name, n) in [("other", 2), ("third", 1)] {
        let deploy = mk_deploy(&store, name, n).await;
        apply(&store, deploy.id, DeployState::Succeeded).await;
    }
    let left = mk_deploy(&store, "hello", 2).await;
    let left = apply(&store, left.id, DeployState::Succeeded).await;
    let artifact = store
        .artifact(hello.id, &mk_commit(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        artifact.digests(),
        [format!("sha256:m{}-2", hello.id), "sha256:app2".to_owned()],
        "an image of others is not marked"
    );
    let aftermath = Aftermath {
        left: left.clone(),
        bad: artifact.digests(),
        reason: "it crashes".to_owned(),
    };
    assert!(marked(&store).await.is_empty());
    let mut changes = store.changes();
    store
        .request_rollback(&mk_rollback(&left), &aftermath, None, at(10))
        .await
        .unwrap();
    // What runs shows it, whoever was rolled back, until the rollback has come to its end.
    assert_eq!(marked(&store).await, ["hello", "other"]);
    let row = store.workload_row("other").await.unwrap().unwrap();
    let bad = row.bad.unwrap();
    assert_eq!((bad.workload.as_str(), bad.deploy_id), ("hello", left.id));
    let mut announced = Vec::new();
    while let Ok(change) = changes.try_recv() {
        announced.push(change);
    }
    assert!(
        announced.contains(&Change::Marked(left.id)),
        "{announced:?}"
    );
    let mut names = store.workloads_with_artifact_of(left.id).await.unwrap();
    names.sort();
    assert_eq!(names, ["hello", "other"]);
    let mended = mk_deploy(&store, "other", 3).await;
    apply(&store, mended.id, DeployState::Succeeded).await;
    assert_eq!(marked(&store).await, ["hello"]);
    // The same image runs in the other workload.
    let elsewhere = store
        .artifact(other.id, &mk_commit(2))
        .await
        .unwrap()
        .unwrap();
    let marks = store.bad_artifacts(&elsewhere.digests()).await.unwrap();
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].workload, "hello");
    let full = store.deploy_in_full(left.id).await.unwrap().unwrap();
    assert_eq!(full.bad.unwrap().reason, "it crashes");
}

pub async fn a_pause_is_idempotent(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let deploy = apply(&store, deploy.id, DeployState::RollingOut).await;
    for _ in 0..2 {
        let held = store
            .pause_deploy(deploy.id, true, "ada", at(5))
            .await
            .unwrap();
        assert_eq!(held.paused_by.as_deref(), Some("ada"));
    }
    for _ in 0..2 {
        let on = store
            .pause_deploy(deploy.id, false, "bob", at(6))
            .await
            .unwrap();
        assert_eq!(on.paused_by, None);
    }
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    let said: Vec<_> = events.iter().map(|event| event.message.as_str()).collect();
    let paused = said
        .iter()
        .filter(|said| said.ends_with("paused it"))
        .count();
    let resumed = said
        .iter()
        .filter(|said| said.ends_with("let it go on"))
        .count();
    assert_eq!((paused, resumed), (1, 1), "{said:?}");
    let missing = store.pause_deploy(999, true, "ada", at(7)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));

    let over = mk_deploy(&store, "over", 1).await;
    apply(&store, over.id, DeployState::Succeeded).await;
    let over = store
        .pause_deploy(over.id, true, "ada", at(8))
        .await
        .unwrap();
    assert_eq!(over.paused_by, None, "what has ended stays");
}

pub async fn what_ran_is_listed(url: &str) {
    let store = open(url).await;
    let first = mk_deploy(&store, "hello", 1).await;
    let first = apply(&store, first.id, DeployState::Succeeded).await;
    let never = mk_deploy(&store, "hello", 2).await;
    store.cancel_deploy(never.id, "ada", at(3)).await.unwrap();
    let last = mk_deploy(&store, "hello", 3).await;
    let last = apply(&store, last.id, DeployState::Failed).await;
    mk_deploy(&store, "other", 1).await;
    let ran = store.applied_deploys(first.workload_id, 10).await.unwrap();
    let ids: Vec<_> = ran.iter().map(|deploy| deploy.id).collect();
    assert_eq!(ids, [last.id, first.id]);
    assert_eq!(
        (ran[0].applied_at, ran[0].manifest.as_deref()),
        (Some(at(2)), Some("r/m@sha256:03"))
    );
    let newest = store.applied_deploys(first.workload_id, 1).await.unwrap();
    assert_eq!(newest.len(), 1);

    // What is at the cluster, and not written there yet, is found apart from it.
    let tried = mk_deploy(&store, "hello", 4).await;
    let (lease, _) = store
        .acquire_deploy(tried.id, "me", at(4), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    for (state, is_at_it) in [
        (DeployState::Queued, false),
        (DeployState::Canary, true),
        (DeployState::Applying, true),
        (DeployState::RollingOut, false),
    ] {
        let write = DeployWrite {
            state: Some(state),
            ..DeployWrite::default()
        };
        store.write_deploy(lease, &write, at(5)).await.unwrap();
        let found = store.unwritten_deploy(first.workload_id).await.unwrap();
        let found = found.map(|deploy| deploy.id);
        assert_eq!(found, is_at_it.then_some(tried.id), "{state:?}");
    }
    let ran = store.applied_deploys(first.workload_id, 10).await.unwrap();
    assert!(ran.iter().all(|deploy| deploy.id != tried.id));
}

pub async fn deploys_are_filtered(url: &str) {
    let store = open(url).await;
    let one = mk_deploy(&store, "hello", 1).await;
    let one = apply(&store, one.id, DeployState::Succeeded).await;
    let two = mk_deploy(&store, "hello", 0x1a).await;
    let aftermath = Aftermath {
        left: two.clone(),
        bad: Vec::new(),
        reason: "no".to_owned(),
    };
    let mut new = mk_rollback(&one);
    "ada".clone_into(&mut new.requested_by);
    let back = store
        .request_rollback(&new, &aftermath, None, at(100))
        .await
        .unwrap();
    let found = async |filter: DeployFilter| {
        let page = store
            .deploys(&filter, &PageRequest::default())
            .await
            .unwrap();
        page.items
            .iter()
            .map(|deploy| deploy.id)
            .collect::<Vec<_>>()
    };
    let all = DeployFilter::default;
    let kind = Some(DeployKind::Rollback);
    assert_eq!(found(DeployFilter { kind, ..all() }).await, [back.id]);
    let requested_by = Some("ada".to_owned());
    assert_eq!(
        found(DeployFilter {
            requested_by,
            ..all()
        })
        .await,
        [back.id]
    );
    let commit = |commit: &str| DeployFilter {
        commit: Some(commit.to_owned()),
        ..all()
    };
    assert_eq!(found(commit("1A")).await, [two.id]);
    assert_eq!(found(commit("0")).await, [back.id, one.id]);
    assert_eq!(found(commit("%")).await, [] as [i64; 0]);
    let since = Some(at(50));
    assert_eq!(found(DeployFilter { since, ..all() }).await, [back.id]);
    let until = Some(at(50));
    assert_eq!(
        found(DeployFilter { until, ..all() }).await,
        [two.id, one.id]
    );
}

pub async fn automatic_deploys_are_set(url: &str) {
    let store = open(url).await;
    mk_workload(&store, "hello").await;
    let set = |branch: Option<&str>| WorkloadSettings {
        auto_deploy: Some(branch.map(str::to_owned)),
        ..WorkloadSettings::default()
    };
    let on = store
        .set_workload("hello", Some(1), &set(Some("main")))
        .await
        .unwrap();
    assert_eq!((on.auto_deploy.as_deref(), on.version), (Some("main"), 2));
    let stale = store.set_workload("hello", Some(1), &set(None)).await;
    assert!(matches!(stale, Err(StoreError::VersionMismatch { .. })));
    let off = store.set_workload("hello", None, &set(None)).await.unwrap();
    assert_eq!(off.auto_deploy, None);
}

pub fn mk_revert(rollback: i64, left_deploy: i64) -> Revert {
    Revert {
        pull_request: 7,
        url: "http://forge/team/app/pulls/7".to_owned(),
        branch: format!("revert/hello-deploy-{rollback}"),
        base_branch: "main".to_owned(),
        commit: mk_commit(3),
        commits: Vec::new(),
        left_deploy,
        by: "bob".to_owned(),
        at: at(10),
    }
}

/// Whoever follows a push has looked at the pin before: a rollback may come in between.
pub async fn no_push_follows_a_rollback(url: &str) {
    let store = open(url).await;
    let (good, left) = mk_good_and_left(&store).await;
    let aftermath = Aftermath {
        left,
        bad: vec!["sha256:app2".to_owned()],
        reason: "it crashes".to_owned(),
    };
    let rollback = mk_rollback(&good);
    let push = |n| NewDeploy {
        commit: mk_commit(n),
        requested_by: "push".to_owned(),
        kind: DeployKind::Regular,
        of: None,
        ..rollback.clone()
    };
    for n in 3..6 {
        let new = push(n);
        let (rolled_back, pushed) = join(
            store.request_rollback(&rollback, &aftermath, None, at(10)),
            store.request_pushed_deploy(&new, None, at(10)),
        )
        .await;
        let rolled_back = rolled_back.unwrap();
        if let Some(pushed) = pushed.unwrap() {
            assert!(pushed.id < rolled_back.id, "of commit {n}");
        }
        let late = store.request_pushed_deploy(&push(9), None, at(11)).await;
        assert_eq!(late.unwrap(), None, "of commit {n}");
        let row = store.workload_row("hello").await.unwrap().unwrap();
        assert_eq!(row.latest.unwrap().id, rolled_back.id);
        assert!(store.unpin("hello").await.unwrap());
    }
    let free = store.request_pushed_deploy(&push(9), None, at(12)).await;
    assert!(free.unwrap().is_some());
}

pub async fn a_revert_is_kept_once(url: &str) {
    let store = open(url).await;
    let good = mk_deploy(&store, "hello", 1).await;
    let good = apply(&store, good.id, DeployState::Succeeded).await;
    let left = mk_deploy(&store, "hello", 2).await;
    let left = apply(&store, left.id, DeployState::Succeeded).await;
    let aftermath = Aftermath {
        left: left.clone(),
        bad: Vec::new(),
        reason: "it crashes".to_owned(),
    };
    let back = mk_rollback(&good);
    let back = store.request_rollback(&back, &aftermath, None, at(9)).await;
    let back = back.unwrap();
    assert_eq!(store.revert(back.id).await.unwrap(), None);
    let revert = mk_revert(back.id, left.id);
    assert_eq!(store.keep_revert(back.id, &revert).await.unwrap(), revert);
    let later = Revert {
        pull_request: 8,
        ..revert.clone()
    };
    assert_eq!(store.keep_revert(back.id, &later).await.unwrap(), revert);
    let full = store.deploy_in_full(back.id).await.unwrap().unwrap();
    assert_eq!(full.revert, Some(revert));
    assert_eq!(full.left_deploy, Some(left.id));
}
