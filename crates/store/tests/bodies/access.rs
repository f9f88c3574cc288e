//! People, tokens, sessions, the record of changes, idempotency, and the schema itself.

use futures::future::join_all;
use hermez_api::{Page, Principal};
use hermez_store::{
    AuditFilter, Begun, Engine, NewAuditEntry, PageRequest, Scope, Store, StoreError, Together,
};
use sea_orm::ConnectionTrait;

use super::{at, open};

pub async fn migrations_run_once_even_at_once(url: &str) {
    let opened = join_all((0..4).map(|_| Store::open(url))).await;
    for store in opened {
        store.unwrap().ping().await.unwrap();
    }
    open(url).await.ping().await.unwrap();
}

pub async fn a_newer_schema_is_refused(url: &str) {
    drop(open(url).await);
    let raw = sea_orm::Database::connect(url).await.unwrap();
    raw.execute_unprepared("INSERT INTO schema_migration (name) VALUES ('9999_future')")
        .await
        .unwrap();
    let error = Store::open(url).await.unwrap_err();
    assert!(error.to_string().contains("9999_future"), "{error}");
}

pub async fn a_principal_is_made_once(url: &str) {
    let store = open(url).await;
    let made = join_all((0..10).map(|_| store.ensure_principal("ada", "owner", at(0)))).await;
    let first = made[0].as_ref().unwrap();
    assert!(made.iter().all(|one| one.as_ref().unwrap().id == first.id));
    let again = store
        .ensure_principal("ada", "viewer", at(1))
        .await
        .unwrap();
    assert_eq!(again.role, "owner");
    assert_eq!(
        store.principal(first.id).await.unwrap().as_ref(),
        Some(first)
    );
}

pub async fn tokens_live_until_revoked(url: &str) {
    let store = open(url).await;
    let ada = store.ensure_principal("ada", "owner", at(0)).await.unwrap();
    let bob = store
        .ensure_principal("bob", "viewer", at(0))
        .await
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        let token = store
            .create_token(ada.id, "laptop", &[n; 32], at(0))
            .await
            .unwrap();
        assert_eq!((token.owner.as_str(), token.last_used_at), ("ada", None));
        ids.push(token.id.parse::<i64>().unwrap());
    }
    store
        .create_token(bob.id, "phone", &[9; 32], at(0))
        .await
        .unwrap();

    store.touch_token(ids[1], at(60)).await.unwrap();
    store.revoke_token(ids[1], at(90)).await.unwrap();
    let again = store.revoke_token(ids[1], at(99)).await.unwrap();
    assert_eq!(
        (again.last_used_at, again.revoked_at),
        (Some(at(60)), Some(at(90)))
    );
    let found = store.token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.principal.name.as_str(), found.revoked_at),
        ("ada", Some(at(90)))
    );
    assert!(store.token_by_hash(&[7; 32]).await.unwrap().is_none());
    assert!(matches!(
        store.revoke_token(999, at(0)).await,
        Err(StoreError::NotFound { .. })
    ));

    let page = store
        .tokens(Some(ada.id), &PageRequest::first(2))
        .await
        .unwrap();
    let next = PageRequest::new(page.next_cursor.clone(), Some(2));
    let rest = store.tokens(Some(ada.id), &next).await.unwrap();
    let seen: Vec<_> = page
        .items
        .iter()
        .chain(&rest.items)
        .map(|t| t.id.clone())
        .collect();
    let wanted: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!((seen, rest.next_cursor), (wanted, None));
    assert_eq!(
        store
            .tokens(None, &PageRequest::first(9))
            .await
            .unwrap()
            .items
            .len(),
        4
    );
}

pub async fn a_login_link_opens_once(url: &str) {
    let store = open(url).await;
    let ada = store.ensure_principal("ada", "owner", at(0)).await.unwrap();
    store
        .create_login_link(ada.id, &[1; 32], at(0), at(600))
        .await
        .unwrap();
    store
        .create_login_link(ada.id, &[2; 32], at(0), at(600))
        .await
        .unwrap();
    let tries = join_all((0..8).map(|_| store.redeem_login_link(&[1; 32], at(599)))).await;
    let opened = tries
        .into_iter()
        .filter_map(Result::unwrap)
        .collect::<Vec<_>>();
    assert_eq!(opened, [ada]);
    assert_eq!(
        store.redeem_login_link(&[2; 32], at(600)).await.unwrap(),
        None,
        "too old"
    );
    assert_eq!(
        store.redeem_login_link(&[3; 32], at(0)).await.unwrap(),
        None,
        "unknown"
    );
}

pub async fn expired_things_go(url: &str) {
    let store = open(url).await;
    let ada = store.ensure_principal("ada", "owner", at(0)).await.unwrap();
    let id = store
        .create_session(ada.id, &[1; 32], at(0), at(100))
        .await
        .unwrap();
    store
        .create_session(ada.id, &[2; 32], at(0), at(100))
        .await
        .unwrap();
    store.extend_session(id, at(60), at(160)).await.unwrap();
    store
        .create_login_link(ada.id, &[1; 32], at(0), at(10))
        .await
        .unwrap();
    store
        .begin_idempotent(ada.id, "k", "r", at(0), at(10))
        .await
        .unwrap();
    assert_eq!(store.delete_expired(at(150)).await.unwrap(), 3);
    let kept = store.session_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((kept.last_used_at, kept.expires_at), (at(60), at(160)));
    store.delete_session(id).await.unwrap();
    assert!(store.session_by_hash(&[1; 32]).await.unwrap().is_none());
}

fn mk_entry(n: i64, principal: &str, action: &str) -> NewAuditEntry {
    NewAuditEntry {
        at: at(n),
        principal: principal.to_owned(),
        action: action.to_owned(),
        target: "workload/hello".to_owned(),
        outcome: "allowed",
        detail: serde_json::json!({ "n": n }),
    }
}

pub async fn the_record_is_append_only(url: &str) {
    let store = open(url).await;
    let id = store
        .append_audit(mk_entry(1, "ada", "deploy.create"))
        .await
        .unwrap();
    let raw = sea_orm::Database::connect(url).await.unwrap();
    let mut attacks = vec![
        "UPDATE audit_entry SET principal = 'bob'".to_owned(),
        "DELETE FROM audit_entry".to_owned(),
    ];
    attacks.push(if url.starts_with("sqlite") {
        format!("REPLACE INTO audit_entry VALUES ({id}, 1, 'bob', 'x', 'x', 'x', '{{}}')")
    } else {
        "TRUNCATE audit_entry".to_owned()
    });
    for attack in attacks {
        let error = raw.execute_unprepared(&attack).await.unwrap_err();
        assert!(
            error.to_string().contains("append-only"),
            "{attack}: {error}"
        );
    }
    let entries = store
        .audit(&AuditFilter::default(), &PageRequest::first(5))
        .await
        .unwrap();
    assert_eq!(entries.items.len(), 1);
    assert_eq!(entries.items[0].principal, "ada");
    assert_eq!(entries.items[0].detail["n"], 1);
}

pub async fn the_record_is_paged_and_filtered(url: &str) {
    let store = open(url).await;
    for n in 1..=5 {
        let action = if n % 2 == 0 {
            "build.create"
        } else {
            "deploy.create"
        };
        store
            .append_audit(mk_entry(n, "ada", action))
            .await
            .unwrap();
    }
    let filter = AuditFilter {
        action: Some("deploy.create".to_owned()),
        ..AuditFilter::default()
    };
    let first = store.audit(&filter, &PageRequest::first(2)).await.unwrap();
    let next = PageRequest::new(first.next_cursor, Some(2));
    let second = store.audit(&filter, &next).await.unwrap();
    let times =
        |entries: &[hermez_api::AuditEntry]| entries.iter().map(|e| e.at).collect::<Vec<_>>();
    assert_eq!(times(&first.items), [at(5), at(3)]);
    assert_eq!(times(&second.items), [at(1)]);
    assert_eq!(second.next_cursor, None);
    let nobody = AuditFilter {
        principal: Some("bob".to_owned()),
        ..AuditFilter::default()
    };
    assert!(
        store
            .audit(&nobody, &PageRequest::first(2))
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let foreign = PageRequest::new(Some("Zm9v".to_owned()), None);
    assert!(matches!(
        store.audit(&filter, &foreign).await,
        Err(StoreError::BadCursor)
    ));
}

pub async fn an_idempotent_request_is_begun_once(url: &str) {
    let store = open(url).await;
    let begin = |key: &'static str, route: &'static str, now| {
        store.begin_idempotent(1, key, route, at(now), at(now + 100))
    };
    let answers = join_all((0..8).map(|_| begin("k", "POST /a", 0))).await;
    let new = answers
        .iter()
        .filter(|one| *one.as_ref().unwrap() == Begun::New)
        .count();
    assert_eq!(new, 1, "{answers:?}");
    assert_eq!(begin("k", "POST /a", 1).await.unwrap(), Begun::UnderWay);
    assert_eq!(begin("k", "POST /b", 1).await.unwrap(), Begun::Mismatch);
    store.finish_idempotent(1, "k", 201, "{}").await.unwrap();
    store.abandon_idempotent(1, "k").await.unwrap();
    let done = Begun::Done {
        status: 201,
        body: "{}".to_owned(),
    };
    assert_eq!(
        begin("k", "POST /a", 2).await.unwrap(),
        done,
        "an answer is not abandoned"
    );
    assert_eq!(
        begin("k", "POST /a", 100).await.unwrap(),
        Begun::New,
        "it expired"
    );
    store.abandon_idempotent(1, "k").await.unwrap();
    assert_eq!(
        begin("k", "POST /b", 101).await.unwrap(),
        Begun::New,
        "it was abandoned"
    );

    let long = |now| store.begin_idempotent(1, "lost", "POST /a", at(now), at(now + 86_400));
    assert_eq!(long(0).await.unwrap(), Begun::New);
    assert_eq!(long(599).await.unwrap(), Begun::UnderWay);
    assert_eq!(
        long(600).await.unwrap(),
        Begun::New,
        "the server that began it died"
    );
    store.finish_idempotent(1, "lost", 202, "{}").await.unwrap();
    assert!(matches!(
        long(5000).await.unwrap(),
        Begun::Done { status: 202, .. }
    ));
}

pub async fn principals_have_names_of_their_own(url: &str) {
    let store = open(url).await;
    for name in ["ada", "bob", "cyd"] {
        let made = store.create_principal(name, "viewer", at(1)).await.unwrap();
        assert_eq!((made.name.as_str(), made.created_at), (name, at(1)));
    }
    let taken = store.create_principal("bob", "owner", at(2)).await;
    assert!(
        matches!(
            taken,
            Err(StoreError::AlreadyExists {
                what: "principal",
                ..
            })
        ),
        "{taken:?}"
    );
    let first = PageRequest::new(None, Some(2));
    let page = store.principals(&first).await.unwrap();
    let names = |page: &Page<Principal>| -> Vec<String> {
        page.items.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names(&page), ["ada", "bob"]);
    let rest = PageRequest::new(page.next_cursor, Some(2));
    let rest = store.principals(&rest).await.unwrap();
    assert_eq!(names(&rest), ["cyd"]);
    assert_eq!(rest.items[0].role, "viewer");
    assert!(rest.next_cursor.is_none());
}

/// A process that ends right after the deploy was kept has kept its line of the record and its answer,
/// too; one that ends before has kept nothing, and its successor may begin anew.
pub async fn what_a_request_asks_for_is_kept_with_its_answer(url: &str) {
    let store = open(url).await.of_replica("one");
    let begin = |key: &'static str| store.begin_idempotent(1, key, "POST /a", at(0), at(100));
    assert_eq!(begin("kept").await.unwrap(), Begun::New);
    assert_eq!(begin("lost").await.unwrap(), Begun::New);
    let entry = mk_entry(0, "ada", "deploy.create");
    let asking = async {
        let together = Together::recorded(entry);
        let making = Box::pin(super::deploys::mk_deploy(&store, "hello", 1));
        let deploy = together.clone().with(making).await;
        assert!(!together.is_unrecorded());
        deploy
    };
    let deploy = Together::under_key(1, "kept").with(Box::pin(asking)).await;

    // The server died here, without having answered; the next one of its name starts.
    if store.engine() == Engine::Postgres {
        let other = store.clone().of_replica("another");
        assert_eq!(other.forget_lost_requests().await.unwrap(), 0);
        assert_eq!(begin("lost").await.unwrap(), Begun::UnderWay);
    }
    assert_eq!(store.forget_lost_requests().await.unwrap(), 1);
    assert_eq!(begin("lost").await.unwrap(), Begun::New);
    let Begun::Done { status: 202, body } = begin("kept").await.unwrap() else {
        panic!("it has its answer")
    };
    let answer: hermez_api::DeploySummary = serde_json::from_str(&body).unwrap();
    assert_eq!(answer, deploy.summary());
    let record = store
        .audit(&AuditFilter::default(), &PageRequest::first(5))
        .await
        .unwrap();
    assert_eq!(record.items.len(), 1, "{record:?}");

    // Work without a request keeps itself alone.
    super::deploys::mk_deploy(&store, "hello", 2).await;
}

/// Every change of what is set, by its own call: its line is in the record as soon as it is made. What
/// is refused leaves the line to whoever asked, who knows how it ended.
pub async fn a_change_is_kept_with_its_line(url: &str) {
    let store = open(url).await;
    let hello = super::mk_workload(&store, "hello").await;
    let lines = async || {
        let page = PageRequest::new(None, Some(PageRequest::MAX_LIMIT));
        let found = store.audit(&AuditFilter::default(), &page).await.unwrap();
        found.items.len()
    };
    let mut expected = 0;
    macro_rules! kept {
        ($action:literal, $change:expr) => {{
            let together = Together::recorded(mk_entry(0, "ada", $action));
            let done = together.clone().with(Box::pin($change)).await.unwrap();
            assert!(!together.is_unrecorded(), "{} has no line", $action);
            expected += 1;
            assert_eq!(lines().await, expected, "{} has one line", $action);
            done
        }};
    }
    let gates = hermez_api::HealthGates::default();
    kept!(
        "gates",
        store.set_gates(hello.id, Some(&gates), "ada", at(1))
    );
    let strategy = hermez_api::RolloutStrategy::default();
    let set = store.set_strategy(hello.id, Some(&strategy), "ada", at(1));
    kept!("strategy", set);
    let own = Scope::Workload(hello.id);
    kept!("windows", store.set_windows(&own, None, "ada", at(1)));
    kept!("approvals", store.set_approvals(&own, None, "ada", at(1)));
    let new = super::rules::mk_lock("ada", None);
    kept!("lock", store.lock_workload(hello.id, &new, at(1)));
    kept!("unlock", store.unlock_workload(hello.id, "ada"));
    let new = super::rules::mk_freeze(None, None);
    let freeze = kept!("freeze", store.create_freeze(&new, at(1)));
    let exception = hermez_store::NewException {
        workload_id: hello.id,
        deploy_id: None,
        reason: "it is mended".to_owned(),
        by: "ada".to_owned(),
    };
    let granted = store.except_from_freeze(freeze.id, &exception, at(1));
    kept!("freeze.except", granted);
    kept!("freeze.end", store.end_freeze(freeze.id, "ada", at(2)));
    let new = super::scales::mk_change(hello.id, 2);
    kept!("scale", store.request_scale(&new, at(1), at(2)));
    let bounds = hermez_api::ScaleBounds { min: 1, max: 3 };
    kept!("bounds", store.set_scale_bounds("hello", bounds));
    let auto = hermez_store::WorkloadSettings {
        auto_deploy: Some(Some("main".to_owned())),
        ..hermez_store::WorkloadSettings::default()
    };
    kept!("workload.update", store.set_workload("hello", None, &auto));
    kept!("unpin", store.unpin("hello"));
    kept!("principal", store.create_principal("bob", "viewer", at(1)));
    let token = kept!("token", store.create_token(1, "ci", &[7; 32], at(1)));
    let id = token.id.parse().unwrap();
    kept!("token.revoke", store.revoke_token(id, at(2)));
    kept!("link", store.create_login_link(1, &[8; 32], at(1), at(9)));
    let session = kept!("session", store.create_session(1, &[9; 32], at(1), at(9)));
    kept!("session.end", store.delete_session(session));
    let new = super::builds::mk_build(hello.id, 2, false);
    let requested = kept!("build", store.request_build(&new, at(1)));
    let cancel = store.cancel_build(requested.build.id, at(2));
    kept!("build.cancel", cancel);
    let part = Together::recorded(mk_entry(0, "ada", "push"));
    let new = super::builds::mk_build(hello.id, 3, false);
    let asking = Together::apart(store.request_build(&new, at(1)));
    part.clone().with(Box::pin(asking)).await.unwrap();
    assert!(part.is_unrecorded(), "the push it belongs to is not over");
    let deploy = super::deploys::mk_deploy(&store, "hello", 1).await;
    kept!("pause", store.pause_deploy(deploy.id, true, "ada", at(1)));
    kept!("promote", store.promote_deploy(deploy.id, 0, "ada", at(1)));
    let rejected = store.reject_deploy(deploy.id, "bob", "not now", at(1));
    kept!("reject", rejected);
    kept!("cancel", store.cancel_deploy(deploy.id, "ada", at(1)));
    kept!("allow", store.allow_pull(hello.id, 1, "abc", "ada", at(1)));
    let push = hermez_store::PushRecord {
        repository_id: hello.repository_id,
        branch: "main".to_owned(),
        commit: super::mk_commit(1),
    };
    store.keep_push(&push, at(1)).await.unwrap();
    kept!("push", store.end_push(&push));
    let delete = store.delete_workload("hello", None, "ada", at(3));
    kept!("workload.delete", delete);

    // Nothing was changed: no line says that it was.
    let refused = Together::recorded(mk_entry(0, "ada", "principal"));
    let twice = store.create_principal("bob", "owner", at(4));
    let twice = refused.clone().with(Box::pin(twice)).await;
    assert!(twice.is_err() && refused.is_unrecorded());
    let gone = store.set_gates(hello.id, None, "ada", at(4));
    let gone = refused.clone().with(Box::pin(gone)).await;
    assert!(gone.is_err() && refused.is_unrecorded());
    assert_eq!(lines().await, expected);
}
