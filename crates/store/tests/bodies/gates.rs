//! Health gates, and rollbacks that deploys ask for as they fail.

use hermez_api::{CanaryStep, DeployKind, DeployPlan, DeployState, HealthGates, RolloutStrategy};
use hermez_store::{
    Aftermath, DeployFilter, DeployWrite, FailedRollback, NewDeploy, PageRequest, StoreError,
};

use super::deploys::mk_deploy;
use super::{at, mk_workload, open};

pub async fn gates_are_set_and_taken_away(url: &str) {
    let store = open(url).await;
    let hello = mk_workload(&store, "hello").await;
    assert_eq!(store.gates(hello.id).await.unwrap(), None);
    for seconds in [10, 20] {
        let gates = HealthGates {
            ready_seconds: seconds,
            ..HealthGates::default()
        };
        store
            .set_gates(hello.id, Some(&gates), "ada", at(1))
            .await
            .unwrap();
        let set = store.gates(hello.id).await.unwrap().unwrap();
        assert_eq!((set.gates, set.changed_by.as_str()), (gates, "ada"));
    }
    store.set_gates(hello.id, None, "ada", at(2)).await.unwrap();
    assert_eq!(store.gates(hello.id).await.unwrap(), None);
    let gone = store.set_gates(999, None, "ada", at(3)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}

pub async fn a_failure_asks_for_its_rollback_once(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 2).await;
    let (old, _) = store
        .acquire_deploy(deploy.id, "one", at(1), 1_000)
        .await
        .unwrap()
        .unwrap();
    let gate = DeployWrite {
        gate: Some("{}".to_owned()),
        verify_until: Some(Some(at(30))),
        ..DeployWrite::default()
    };
    let kept = store
        .write_deploy(old, &gate, at(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.gate.as_deref(), kept.verify_until),
        (Some("{}"), Some(at(30)))
    );
    // The first driver lost its lease: what it asks for is not done.
    let (lease, left) = store
        .acquire_deploy(deploy.id, "two", at(10), 30_000)
        .await
        .unwrap()
        .unwrap();
    let new = NewDeploy {
        workload_id: left.workload_id,
        instance: left.instance.clone(),
        commit: left.commit.clone(),
        title: left.title.clone(),
        author: left.author.clone(),
        requested_by: "hermez".to_owned(),
        reason: Some("automatic".to_owned()),
        kind: DeployKind::Rollback,
        of: Some((left.id, "r/m@sha256:01".to_owned())),
        override_reason: None,
    };
    let aftermath = Aftermath {
        left: left.clone(),
        bad: vec!["sha256:bad".to_owned()],
        reason: "automatic".to_owned(),
    };
    let failure = DeployWrite {
        state: Some(DeployState::Failed),
        message: Some("it crashed".to_owned()),
        failure_cause: Some("health_gate".to_owned()),
        rollback: Some(Box::new(FailedRollback { new, aftermath })),
        ..DeployWrite::default()
    };
    let rollbacks = async || {
        let filter = DeployFilter {
            kind: Some(DeployKind::Rollback),
            ..DeployFilter::default()
        };
        let page = store.deploys(&filter, &PageRequest::default()).await;
        page.unwrap().items
    };
    let lost = store.write_deploy(old, &failure, at(11)).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost { .. })));
    assert!(rollbacks().await.is_empty());
    let ended = store.write_deploy(lease, &failure, at(12)).await.unwrap();
    let ended = ended.unwrap();
    assert_eq!(
        (ended.state, ended.cancel_requested),
        (DeployState::Failed, false)
    );
    // The same again, as after a lost answer.
    let again = store.write_deploy(lease, &failure, at(13)).await;
    assert!(matches!(again, Err(StoreError::LeaseLost { .. })));
    let made = rollbacks().await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].of_deploy, Some(deploy.id));
    let pin = store.workload("hello").await.unwrap().unwrap().pin.unwrap();
    assert_eq!(
        (pin.by.as_str(), pin.deploy_id),
        ("hermez", Some(made[0].id))
    );
    let marks = store.bad_artifacts(&["sha256:bad".to_owned()]).await;
    assert_eq!(marks.unwrap().len(), 1);
}

pub async fn a_strategy_is_set_and_a_canary_promoted(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 2).await;
    let id = deploy.workload_id;
    assert_eq!(store.strategy(id).await.unwrap(), None);
    let step = CanaryStep {
        percent: 10,
        seconds: 5,
        wait: true,
    };
    let strategy = RolloutStrategy {
        canary: vec![step],
        waves: Vec::new(),
    };
    for by in ["ada", "grace"] {
        store
            .set_strategy(id, Some(&strategy), by, at(1))
            .await
            .unwrap();
        let set = store.strategy(id).await.unwrap().unwrap();
        assert_eq!((&set.strategy, set.changed_by.as_str()), (&strategy, by));
    }
    store.set_strategy(id, None, "ada", at(2)).await.unwrap();
    assert_eq!(store.strategy(id).await.unwrap(), None);

    let (lease, _) = store
        .acquire_deploy(deploy.id, "one", at(1), 60_000)
        .await
        .unwrap()
        .unwrap();
    let plan = DeployPlan {
        canary: strategy.canary.clone(),
        canary_pods: Some(1),
        ..DeployPlan::default()
    };
    let write = DeployWrite {
        state: Some(DeployState::Canary),
        plan: Some(plan.clone()),
        ..DeployWrite::default()
    };
    let written = store.write_deploy(lease, &write, at(2)).await.unwrap();
    assert_eq!(written.unwrap().plan, Some(plan));
    // Promoting further than before is noted, anything else changes nothing.
    for (step, promoted) in [(0, 0), (0, 0), (i64::MAX, i64::MAX), (1, i64::MAX)] {
        let deploy = store.promote_deploy(deploy.id, step, "ada", at(3)).await;
        assert_eq!(deploy.unwrap().promoted, Some(promoted));
    }
    let events = store.deploy_events(deploy.id, 0).await.unwrap();
    let promotions = events.iter().filter(|it| it.message.contains("promoted"));
    assert_eq!(promotions.count(), 2);
    // It holds the place of its instance.
    let other = store.deploy(deploy.id).await.unwrap().unwrap();
    assert!(other.started_at.is_some());
    let gone = store.promote_deploy(999, 0, "ada", at(3)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}
