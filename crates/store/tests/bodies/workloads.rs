//! Repositories and workloads.

use futures::future::join_all;
use hermez_api::{BuildState, Category, DeployState, WebhookState};
use hermez_store::{
    Applied, DeployWrite, NewBuild, NewDeploy, NewRepository, PageRequest, PushRecord, Store,
    StoreError, WorkloadFilter,
};

use super::{at, mk_commit, mk_workload, open};

pub async fn a_repository_is_one_row(url: &str) {
    let store = open(url).await;
    let new = |credential: Option<&[u8]>| NewRepository {
        identity: "http://forge/a".to_owned(),
        url: "http://forge/a.git".to_owned(),
        sealed_credential: credential.map(<[u8]>::to_vec),
        default_branch: None,
    };
    let with = new(Some(b"sealed"));
    let made = join_all((0..8).map(|_| store.upsert_repository(&with, at(0)))).await;
    let id = made[0].as_ref().unwrap().id;
    assert!(made.iter().all(|one| one.as_ref().unwrap().id == id));
    let kept = store.upsert_repository(&new(None), at(1)).await.unwrap();
    assert_eq!(
        kept.sealed_credential.as_deref(),
        Some(b"sealed".as_slice())
    );

    store
        .repository_fetch_failed(id, "unreachable")
        .await
        .unwrap();
    store
        .set_webhook(id, WebhookState::Installed, None)
        .await
        .unwrap();
    let seen = store.repository(id).await.unwrap().unwrap();
    assert_eq!(
        (seen.error.as_deref(), seen.webhook),
        (Some("unreachable"), WebhookState::Installed)
    );
    store
        .repository_fetched(id, Some("main"), at(5))
        .await
        .unwrap();
    let seen = store
        .repository_by_identity("http://forge/a")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((seen.error, seen.fetched_at), (None, Some(at(5))));
    assert_eq!(seen.default_branch.as_deref(), Some("main"));

    let workload = mk_workload(&store, "hello").await;
    assert!(
        !store
            .delete_repository_if_unused(workload.repository_id)
            .await
            .unwrap()
    );
    assert!(store.delete_repository_if_unused(id).await.unwrap());
}

pub async fn a_name_is_unique_among_the_living(url: &str) {
    let store = open(url).await;
    let first = mk_workload(&store, "hello").await;
    let new = hermez_store::NewWorkload {
        name: "hello".to_owned(),
        kind: first.kind.clone(),
        category: Category::Production,
        project: "other".to_owned(),
        namespace: "other".to_owned(),
        repository_id: first.repository_id,
        config_path: "x".to_owned(),
        created_by: "bob".to_owned(),
    };
    let error = store.create_workload(&new, at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyExists { .. }), "{error}");
    store
        .delete_workload("hello", None, "ada", at(2))
        .await
        .unwrap();
    assert!(store.workload("hello").await.unwrap().is_none());
    let second = store.create_workload(&new, at(3)).await.unwrap();
    assert_ne!(first.id, second.id);
    let old = store.workload_by_id(first.id).await.unwrap().unwrap();
    assert_eq!(old.deleted_at, Some(at(2)));
}

pub async fn an_old_version_changes_nothing(url: &str) {
    let store = open(url).await;
    mk_workload(&store, "hello").await;
    let category = Category::NonProduction;
    let changed = store
        .set_category("hello", Some(1), category)
        .await
        .unwrap();
    assert_eq!((changed.version, changed.category), (2, category));
    let error = store
        .set_category("hello", Some(1), Category::Production)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::VersionMismatch { current: 2, .. }),
        "{error}"
    );
    let races = join_all((0..6).map(|_| store.set_category("hello", Some(2), category))).await;
    assert_eq!(races.iter().filter(|one| one.is_ok()).count(), 1);
    let error = store
        .set_category("nobody", None, category)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

/// A deploy of `commit` brought to `state`.
async fn mk_deploy(store: &Store, workload_id: i64, name: &str, state: DeployState) -> i64 {
    let new = NewDeploy {
        workload_id,
        instance: name.to_owned(),
        commit: mk_commit(1),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "ada".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let deploy = store.request_deploy(&new, at(1)).await.unwrap();
    let (lease, _) = store
        .acquire_deploy(deploy.id, "me", at(1), 1000)
        .await
        .unwrap()
        .unwrap();
    let write = DeployWrite {
        state: Some(state),
        applied: Some(Applied {
            manifest: "r/m@sha256:1".to_owned(),
            paused: false,
        }),
        ..DeployWrite::default()
    };
    store
        .write_deploy(lease, &write, at(2))
        .await
        .unwrap()
        .unwrap();
    deploy.id
}

pub async fn lists_are_paged_by_name_with_their_deploys(url: &str) {
    let store = open(url).await;
    let mut wanted = Vec::new();
    for n in 0..7 {
        let name = format!("app-{n}");
        let workload = mk_workload(&store, &name).await;
        let (mut current, mut latest) = (None, None);
        if n > 0 {
            mk_deploy(&store, workload.id, &name, DeployState::Succeeded).await;
            current = Some(mk_deploy(&store, workload.id, &name, DeployState::Succeeded).await);
            latest = current;
        }
        if n > 3 {
            latest = Some(mk_deploy(&store, workload.id, &name, DeployState::Failed).await);
        }
        wanted.push((name, current, latest));
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let request = PageRequest::new(cursor, Some(3));
        let page = store
            .workloads(&WorkloadFilter::default(), &request)
            .await
            .unwrap();
        assert!(page.items.len() <= 3);
        for row in page.items {
            assert_eq!(row.repository.identity, "http://forge/team/app");
            let id = |deploy: Option<hermez_store::DeployRecord>| deploy.map(|deploy| deploy.id);
            seen.push((row.workload.name, id(row.current), id(row.latest)));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, wanted);
    let one = store.workload_row("app-5").await.unwrap().unwrap();
    assert_eq!(
        one.latest.map(|deploy| deploy.state),
        Some(DeployState::Failed)
    );
    assert!(store.workload_row("nobody").await.unwrap().is_none());
}

pub async fn lists_are_filtered(url: &str) {
    let store = open(url).await;
    for name in ["alpha", "beta", "alphabet"] {
        mk_workload(&store, name).await;
    }
    store
        .set_category("beta", None, Category::NonProduction)
        .await
        .unwrap();
    let find = async |filter: WorkloadFilter| {
        let page = store
            .workloads(&filter, &PageRequest::first(10))
            .await
            .unwrap();
        page.items
            .into_iter()
            .map(|row| row.workload.name)
            .collect::<Vec<_>>()
    };
    let q = |q: &str| WorkloadFilter {
        q: Some(q.to_owned()),
        ..WorkloadFilter::default()
    };
    assert_eq!(find(q("PHA")).await, ["alpha", "alphabet"]);
    assert_eq!(find(q("%")).await, Vec::<String>::new());
    assert_eq!(find(q("_")).await, Vec::<String>::new());
    let category = WorkloadFilter {
        category: Some(Category::NonProduction),
        ..WorkloadFilter::default()
    };
    assert_eq!(find(category).await, ["beta"]);
    let none = WorkloadFilter {
        project: Some("other".to_owned()),
        ..WorkloadFilter::default()
    };
    assert!(find(none).await.is_empty());
    let kind = WorkloadFilter {
        workload_type: Some("PinterestService".to_owned()),
        project: Some("demo".to_owned()),
        ..WorkloadFilter::default()
    };
    assert_eq!(find(kind).await.len(), 3);
}

pub async fn deleting_stops_what_runs(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "hello").await;
    let mut builds = Vec::new();
    for n in 1..=2 {
        let new = NewBuild {
            workload_id: workload.id,
            commit: mk_commit(n),
            title: String::new(),
            requested_by: "push".to_owned(),
            retry: false,
        };
        builds.push(store.request_build(&new, at(1)).await.unwrap().build.id);
    }
    let (lease, running) = store
        .acquire_build("me", at(1), 1000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(running.id, builds[0]);
    let deploy = mk_deploy(&store, workload.id, "hello", DeployState::Building).await;

    store
        .delete_workload("hello", None, "ada", at(2))
        .await
        .unwrap();
    assert!(
        store.renew_build(lease, at(2), 1000).await.unwrap(),
        "the builder hears of it"
    );
    let queued = store.build(builds[1]).await.unwrap().unwrap();
    assert_eq!(queued.state, BuildState::Canceled);
    assert!(
        store
            .deploy(deploy)
            .await
            .unwrap()
            .unwrap()
            .cancel_requested
    );
}

pub async fn a_deleted_workload_gets_no_new_work(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "hello").await;
    let build = NewBuild {
        workload_id: workload.id,
        commit: mk_commit(1),
        title: String::new(),
        requested_by: "push".to_owned(),
        retry: true,
    };
    let deploy = NewDeploy {
        workload_id: workload.id,
        instance: "hello".to_owned(),
        commit: mk_commit(1),
        title: String::new(),
        author: String::new(),
        requested_by: "ada".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    // Asked for and deleted at once: what was kept is stopped, the rest is refused.
    let (deployed, deleted) = tokio::join!(
        join_all((0..8).map(|_| store.request_deploy(&deploy, at(1)))),
        store.delete_workload("hello", None, "ada", at(1)),
    );
    deleted.unwrap();
    for outcome in deployed {
        match outcome {
            Ok(kept) => assert!(
                store
                    .deploy(kept.id)
                    .await
                    .unwrap()
                    .unwrap()
                    .cancel_requested
            ),
            Err(error) => assert!(matches!(error, StoreError::NotFound { .. }), "{error}"),
        }
    }
    let refused = store.request_deploy(&deploy, at(2)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::NotFound {
                what: "workload",
                ..
            }
        ),
        "{refused}"
    );
    let refused = store.request_build(&build, at(2)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::NotFound {
                what: "workload",
                ..
            }
        ),
        "{refused}"
    );
}

pub async fn a_push_is_kept_until_it_is_followed(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "hello").await;
    let push = |branch: &str, n: u8| PushRecord {
        repository_id: workload.repository_id,
        branch: branch.to_owned(),
        commit: mk_commit(n),
    };
    store.keep_push(&push("main", 1), at(0)).await.unwrap();
    store.keep_push(&push("next", 2), at(1)).await.unwrap();
    store.keep_push(&push("main", 3), at(2)).await.unwrap();
    let open = async |until| store.open_pushes(at(until)).await.unwrap();
    assert_eq!(
        open(2).await,
        [push("next", 2), push("main", 3)],
        "a newer push takes the place of the one before it"
    );
    assert_eq!(open(1).await, [push("next", 2)]);
    // Whoever followed the older one does not end the newer.
    store.end_push(&push("main", 1)).await.unwrap();
    store.end_push(&push("next", 2)).await.unwrap();
    assert_eq!(open(2).await, [push("main", 3)]);
    store.end_push(&push("main", 3)).await.unwrap();
    assert_eq!(open(2).await, []);
}

pub async fn a_repository_that_lost_its_last_workload_is_found(url: &str) {
    let store = open(url).await;
    let one = mk_workload(&store, "one").await;
    let id = one.repository_id;
    let abandoned = async || {
        let all = store.abandoned_repositories().await.unwrap();
        all.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    let installed = WebhookState::Installed;
    store.set_webhook(id, installed, None).await.unwrap();
    assert!(abandoned().await.is_empty(), "it has a workload");
    store
        .delete_workload("one", None, "ada", at(3))
        .await
        .unwrap();
    assert_eq!(abandoned().await, [id]);
    let missing = WebhookState::Missing;
    store.set_webhook(id, missing, None).await.unwrap();
    assert!(abandoned().await.is_empty(), "it is forgotten");
}
