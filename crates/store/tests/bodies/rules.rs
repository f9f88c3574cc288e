//! Windows, freezes, locks, approvals, and deploys that are held.

use hermez_api::{
    ApprovalRule, DeployKind, DeployState, DeployWindow, DeployWindows, HeldDeploy, HoldingRule,
    Weekday, WorkloadLock,
};
use hermez_store::{
    Change, DeployWrite, NewApproval, NewDeploy, NewException, NewFreeze, PageRequest, Scope,
    Store, StoreError,
};

use super::deploys::mk_deploy;
use super::{at, mk_commit, mk_workload, open};

fn mk_windows() -> DeployWindows {
    DeployWindows {
        time_zone: "Europe/Berlin".to_owned(),
        windows: vec![DeployWindow {
            days: vec![Weekday::Mon],
            from: "09:00".to_owned(),
            to: "17:00".to_owned(),
        }],
    }
}

fn mk_held() -> HeldDeploy {
    HeldDeploy {
        rule: HoldingRule::Window,
        message: "outside".to_owned(),
        hint: None,
        until: Some(at(100)),
        approvals: None,
    }
}

pub async fn windows_and_approvals_are_set_apart(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    let other = mk_workload(&store, "other").await;
    let own = Scope::Workload(hello.id);
    let project = Scope::Project("demo".to_owned());
    let mut changes = store.changes();
    let set = store
        .set_windows(&own, Some(&mk_windows()), "ada", at(1))
        .await
        .unwrap();
    assert_eq!(set.windows, Some(mk_windows()));
    assert_eq!(changes.recv().await.unwrap(), Change::Rules);
    let rule = ApprovalRule {
        count: 1,
        people: vec!["bob".to_owned()],
        role: None,
        rollback_needs_approval: false,
    };
    for _ in 0..2 {
        store
            .set_approvals(&own, Some(&rule), "bob", at(2))
            .await
            .unwrap();
    }
    store
        .set_approvals(&project, Some(&rule), "eve", at(3))
        .await
        .unwrap();
    for (name, role) in [("bob", "owner"), ("eve", "viewer"), ("ada", "owner")] {
        store.create_principal(name, role, at(3)).await.unwrap();
    }
    let rules = store.rules_of(&hello, at(4)).await.unwrap();
    assert_eq!(rules.approvers, ["bob", "ada"]);
    assert_eq!(rules.own.windows, Some(mk_windows()));
    assert_eq!(rules.own.approvals.as_ref(), Some(&rule));
    assert_eq!(
        (rules.own.changed_by.as_deref(), rules.own.changed_at),
        (Some("bob"), Some(at(2)))
    );
    assert_eq!(rules.of_project.approvals.as_ref(), Some(&rule));
    assert_eq!(rules.of_project.windows, None);
    let of_other = store.rules_of(&other, at(4)).await.unwrap();
    assert_eq!(of_other.own.windows, None);
    let in_project = store.windows_in_project("demo").await.unwrap();
    assert_eq!(in_project, [("hello".to_owned(), mk_windows())]);
    store.set_windows(&own, None, "ada", at(5)).await.unwrap();
    let rules = store.rules_of(&hello, at(6)).await.unwrap();
    assert_eq!(rules.own.windows, None);
    assert!(rules.own.approvals.is_some(), "the rest stays");
    assert!(store.has_project("demo").await.unwrap());
    assert!(!store.has_project("nothing").await.unwrap());
    store
        .delete_workload("hello", None, "ada", at(7))
        .await
        .unwrap();
    let gone = store
        .set_windows(&own, Some(&mk_windows()), "ada", at(8))
        .await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}

pub fn mk_freeze(project: Option<&str>, until: Option<i64>) -> NewFreeze {
    NewFreeze {
        project: project.map(str::to_owned),
        from: at(0),
        until: until.map(at),
        reason: "the sale".to_owned(),
        by: "ada".to_owned(),
    }
}

pub async fn freezes_hold_until_they_are_over(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    let create = async |new: NewFreeze| store.create_freeze(&new, at(0)).await.unwrap();
    let everywhere = create(mk_freeze(None, None)).await;
    let own = create(mk_freeze(Some("demo"), Some(100))).await;
    create(mk_freeze(Some("other"), None)).await;
    let held = async |now: i64| {
        let rules = store.rules_of(&hello, at(now)).await.unwrap();
        rules
            .freezes
            .iter()
            .map(|freeze| freeze.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(held(1).await, [everywhere.id, own.id]);
    assert_eq!(held(100).await, [everywhere.id]);
    assert_eq!(store.count_open_freezes(at(1)).await.unwrap(), 3);

    let exception = NewException {
        workload_id: hello.id,
        deploy_id: None,
        reason: "the fix".to_owned(),
        by: "bob".to_owned(),
    };
    for _ in 0..2 {
        let granted = store
            .except_from_freeze(everywhere.id, &exception, at(2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(granted.exceptions.len(), 1);
        assert_eq!(granted.exceptions[0].workload, "hello");
    }
    let of_one = NewException {
        deploy_id: Some(7),
        ..exception.clone()
    };
    let granted = store
        .except_from_freeze(everywhere.id, &of_one, at(3))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(granted.exceptions.len(), 2);
    let late = store.except_from_freeze(own.id, &exception, at(100)).await;
    assert_eq!(late.unwrap(), None, "it is over");

    for _ in 0..2 {
        let ended = store.end_freeze(everywhere.id, "eve", at(5)).await.unwrap();
        assert_eq!(
            (ended.ended_by.as_deref(), ended.ended_at),
            (Some("eve"), Some(at(5)))
        );
    }
    assert_eq!(held(6).await, [own.id]);
    let open = store
        .freezes(Some(at(6)), &PageRequest::default())
        .await
        .unwrap();
    assert_eq!(open.items.len(), 2);
    let first = store.freezes(None, &PageRequest::first(2)).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let rest = PageRequest::new(first.next_cursor, Some(2));
    let rest = store.freezes(None, &rest).await.unwrap();
    assert_eq!(rest.items[0].id, everywhere.id);
    let missing = store.end_freeze(999, "eve", at(5)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
}

pub fn mk_lock(by: &str, until: Option<i64>) -> WorkloadLock {
    WorkloadLock {
        by: by.to_owned(),
        at: at(1),
        until: until.map(at),
        reason: "a migration".to_owned(),
    }
}

pub async fn a_lock_is_one_persons(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    let lock = async |by: &str, until, now| {
        let new = mk_lock(by, until);
        store.lock_workload(hello.id, &new, at(now)).await
    };
    assert_eq!(lock("ada", Some(50), 1).await.unwrap().by, "ada");
    assert_eq!(lock("bob", None, 2).await.unwrap().by, "ada");
    let longer = lock("ada", Some(60), 3).await.unwrap();
    assert_eq!((longer.at, longer.until), (at(1), Some(at(60))));
    assert_eq!(
        lock("bob", None, 60).await.unwrap().by,
        "bob",
        "it came off"
    );
    assert!(!store.unlock_workload(hello.id, "ada").await.unwrap());
    assert!(store.unlock_workload(hello.id, "bob").await.unwrap());
    assert_eq!(store.lock_of(hello.id).await.unwrap(), None);
    store
        .delete_workload("hello", None, "ada", at(70))
        .await
        .unwrap();
    let gone = lock("ada", None, 71).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}

pub async fn approvals_are_kept_once(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let approve = async |by: &str, comment: &str, now| {
        let new = NewApproval {
            deploy_id: deploy.id,
            by: by.to_owned(),
            role: "owner".to_owned(),
            comment: Some(comment.to_owned()),
            manifest: None,
        };
        store.approve_deploy(&new, at(now)).await
    };
    assert!(approve("bob", "fine", 1).await.unwrap().is_some());
    assert!(approve("bob", "again", 2).await.unwrap().is_some());
    assert!(approve("eve", "me too", 3).await.unwrap().is_some());
    let given = store.approvals(deploy.id).await.unwrap();
    assert_eq!(given.len(), 2);
    assert_eq!(
        (given[0].by.as_str(), given[0].comment.as_deref()),
        ("bob", Some("fine"))
    );
    assert_eq!(given[0].commit, mk_commit(1));
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    let said = events
        .iter()
        .filter(|it| it.message.contains("approved it"));
    assert_eq!(said.count(), 2);

    for reason in ["not today", "never"] {
        let rejected = store
            .reject_deploy(deploy.id, "eve", reason, at(4))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            rejected.rejection.as_deref(),
            Some("rejected by eve: not today")
        );
        assert!(rejected.cancel_requested);
    }
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    assert_eq!(events.last().unwrap().message, "eve rejected it");
    assert_eq!(approve("zoe", "too late", 5).await.unwrap(), None);
    let missing = store.reject_deploy(999, "eve", "no", at(6)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
}

async fn request(store: &Store, workload_id: i64, kind: DeployKind, held: bool) -> i64 {
    let new = NewDeploy {
        workload_id,
        instance: "hello".to_owned(),
        commit: mk_commit(1),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "ada".to_owned(),
        reason: None,
        kind,
        of: None,
        override_reason: None,
    };
    let made = if held {
        store.request_held_deploy(&new, &mk_held(), at(0)).await
    } else {
        store.request_deploy(&new, at(0)).await
    };
    made.unwrap().id
}

pub async fn what_is_held_says_so_until_it_begins(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    let id = request(&store, hello.id, DeployKind::Regular, true).await;
    let read = async || store.deploy(id).await.unwrap().unwrap();
    assert_eq!(read().await.summary().held, Some(mk_held()));
    // A restart takes the place of other restarts alone, all else waits for it; a newer deploy
    // takes the place of either.
    let other = mk_workload(&store, "other").await;
    let waits = request(&store, other.id, DeployKind::Regular, false).await;
    let first = request(&store, other.id, DeployKind::Restart, false).await;
    let second = request(&store, other.id, DeployKind::Restart, false).await;
    for (id, newer, busy) in [
        (waits, None, Some(second)),
        (first, Some(second), None),
        (second, None, None),
    ] {
        let deploy = store.deploy(id).await.unwrap().unwrap();
        let facts = store.lane_facts(&deploy).await.unwrap();
        assert_eq!((facts.newer, facts.busy), (newer, busy));
    }
    let restart = request(&store, hello.id, DeployKind::Restart, false).await;
    let facts = store.lane_facts(&read().await).await.unwrap();
    assert_eq!((facts.newer, facts.busy), (None, Some(restart)));
    let newer = request(&store, hello.id, DeployKind::Regular, false).await;
    let facts = store.lane_facts(&read().await).await.unwrap();
    assert_eq!(facts.newer, Some(newer));

    let (lease, _) = store
        .acquire_deploy(id, "me", at(1), 30_000)
        .await
        .unwrap()
        .unwrap();
    let other = HeldDeploy {
        message: "frozen".to_owned(),
        ..mk_held()
    };
    let write = DeployWrite {
        held: Some(Some(other.clone())),
        ..DeployWrite::default()
    };
    let written = store.write_deploy(lease, &write, at(2)).await.unwrap();
    assert_eq!(written.unwrap().held, Some(other));
    let write = DeployWrite {
        state: Some(DeployState::Applying),
        ..DeployWrite::default()
    };
    let begun = store.write_deploy(lease, &write, at(3)).await.unwrap();
    assert_eq!(begun.unwrap().held, None);
}
