//! What delivery is measured by.

use hermez_api::{DeployKind, DeployState, Hotfix};
use hermez_store::{Aftermath, DeliveryOf, DeliveryRow, NewDeploy};

use super::deploys::mk_deploy;
use super::previews::ask;
use super::rollbacks::{apply, mk_artifact, mk_rollback};
use super::{at, mk_commit, open};

pub async fn what_delivery_is_measured_by_is_read_at_once(url: &str) {
    let store = open(url).await;
    assert_eq!(store.project_began_at("demo").await.unwrap(), None);
    let first = mk_deploy(&store, "hello", 1).await;
    let workload_id = first.workload_id;
    mk_artifact(&store, workload_id, 1).await;
    apply(&store, first.id, DeployState::Succeeded).await;
    let again = mk_deploy(&store, "hello", 1).await;
    let again = apply(&store, again.id, DeployState::Succeeded).await;
    let bad = mk_deploy(&store, "hello", 2).await;
    let bad = apply(&store, bad.id, DeployState::Failed).await;
    let aftermath = Aftermath {
        left: bad.clone(),
        bad: Vec::new(),
        reason: "it crashes".to_owned(),
    };
    let back = mk_rollback(&again);
    let back = store.request_rollback(&back, &aftermath, None, at(20));
    let back = back.await.unwrap();
    let back = apply(&store, back.id, DeployState::Succeeded).await;
    assert_eq!(back.mends, Some(bad.id));
    let hotfix = Hotfix {
        base_deploy: back.id,
        base_commit: back.commit.clone(),
        commits: vec![mk_commit(4)],
        branch: "hotfix/hello".to_owned(),
    };
    let new = NewDeploy {
        kind: DeployKind::Hotfix,
        commit: mk_commit(3),
        of: None,
        ..mk_rollback(&back)
    };
    let fixed = store.request_hotfix(&new, &hotfix, None, at(30));
    let fixed = fixed.await.unwrap();
    // Neither a pull request nor another project's workload is in it.
    ask(&store, 7, 9, 30).await.unwrap();
    let other = mk_deploy(&store, "other", 1).await;

    let of = DeliveryOf::Workload(workload_id);
    let rows = store.delivery(of, at(0), 100).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row: &DeliveryRow| (row.id, row.mends, row.delivered_before))
        .collect();
    let wanted = [
        (fixed.id, Some(back.id), false),
        (back.id, Some(bad.id), true),
        (bad.id, None, false),
        (again.id, None, true),
        (first.id, None, false),
    ];
    assert_eq!(told, wanted);
    assert_eq!(rows[4].committed_at, Some(at(-60)));
    assert_eq!(rows[2].committed_at, None, "it was never built");
    assert_eq!(
        (rows[2].applied_at, rows[2].finished_at, rows[2].state),
        (Some(at(2)), Some(at(2)), DeployState::Failed)
    );
    assert_eq!(rows[1].of_deploy, Some(again.id));

    let newest = store.delivery(of, at(0), 2).await.unwrap();
    assert_eq!(newest, rows[..2]);
    let late = store.delivery(of, at(21), 100).await.unwrap();
    assert_eq!(late, rows[..1]);
    let demo = DeliveryOf::Project("demo");
    let all = store.delivery(demo, at(0), 100).await.unwrap();
    assert_eq!((all.len(), all[0].id), (6, other.id));
    assert!(!all[0].delivered_before, "by another workload");
    let none = DeliveryOf::Project("nothing");
    assert!(store.delivery(none, at(0), 100).await.unwrap().is_empty());
    assert_eq!(store.project_began_at("demo").await.unwrap(), Some(at(0)));
}
