//! The ledger of how many pods were wanted.

use hermez_api::{AutoscalingSettings, ScaleBounds, ScaleChangeKind, ScaleChangeState};
use hermez_store::{NewScaleChange, PageRequest, ScaleWrite, StoreError};

use super::{at, mk_workload, open};

pub fn mk_change(workload_id: i64, replicas: i32) -> NewScaleChange {
    NewScaleChange {
        workload_id,
        kind: ScaleChangeKind::Replicas,
        replicas: Some(replicas),
        replicas_before: Some(1),
        autoscaling: None,
        fixed: false,
        reason: "a launch".to_owned(),
        by: "ada".to_owned(),
        until: Some(at(60)),
    }
}

pub async fn one_change_stands_at_a_time(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "app").await;
    // Asked for at the same moment: the later one of the ledger stands.
    let asks = (0..8).map(|n| {
        let (store, new) = (store.clone(), mk_change(workload.id, n));
        async move { store.request_scale(&new, at(1), at(1)).await.unwrap() }
    });
    let mut asked: Vec<i64> = futures::future::join_all(asks)
        .await
        .into_iter()
        .map(|record| record.change.id)
        .collect();
    asked.sort_unstable();
    let newest = *asked.last().unwrap();
    let standing = store.standing_scale(workload.id).await.unwrap().unwrap();
    assert_eq!(standing.change.id, newest);
    let first = PageRequest::first(3);
    let page = store.scale_changes(workload.id, &first).await.unwrap();
    assert_eq!(page.items[0].state, ScaleChangeState::Pending);
    assert_eq!(page.items[1].state, ScaleChangeState::Replaced);
    let rest = PageRequest::new(page.next_cursor, None);
    let rest = store.scale_changes(workload.id, &rest).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len()), (3, 5));
    // What was replaced is written no more.
    let write = ScaleWrite {
        state: ScaleChangeState::Active,
        message: None,
        due_at: None,
    };
    assert!(!store.write_scale(asked[0], &write).await.unwrap());
    assert!(store.write_scale(newest, &write).await.unwrap());
}

pub async fn what_stood_stands_again_when_the_cluster_refuses(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "app").await;
    let ask = async |replicas| {
        let new = mk_change(workload.id, replicas);
        store.request_scale(&new, at(1), at(5)).await.unwrap()
    };
    let write = async |id, state| {
        let write = ScaleWrite {
            state,
            message: None,
            due_at: (state == ScaleChangeState::Active).then(|| at(60)),
        };
        assert!(store.write_scale(id, &write).await.unwrap());
    };
    let held = ask(3).await.change.id;
    write(held, ScaleChangeState::Active).await;
    for replicas in [4, 5] {
        let refused = ask(replicas).await.change.id;
        write(refused, ScaleChangeState::Refused).await;
        let standing = store.standing_scale(workload.id).await.unwrap().unwrap();
        assert_eq!(standing.change.id, held);
        assert_eq!(standing.change.until, Some(at(60)), "its end is not lost");
        let due = store.due_scales(at(1), 10).await.unwrap();
        assert_eq!(due.len(), 1, "{due:?}");
        write(held, ScaleChangeState::Active).await;
    }
    // What had ended by itself does not come back.
    write(held, ScaleChangeState::Ended).await;
    let refused = ask(6).await.change.id;
    write(refused, ScaleChangeState::Refused).await;
    assert_eq!(store.standing_scale(workload.id).await.unwrap(), None);
}

pub async fn what_is_due_is_found(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "app").await;
    assert_eq!(store.next_scale_due().await.unwrap(), None);
    let settings = AutoscalingSettings {
        min: 1,
        max: 5,
        cpu: Some(70),
        memory: None,
        metrics: vec![serde_json::json!({"type": "Resource"})],
        behavior: None,
    };
    let new = NewScaleChange {
        kind: ScaleChangeKind::Autoscaling,
        replicas: None,
        autoscaling: Some(settings.clone()),
        ..mk_change(workload.id, 0)
    };
    let record = store.request_scale(&new, at(1), at(5)).await.unwrap();
    assert_eq!(record.change.autoscaling, Some(settings));
    assert_eq!(store.next_scale_due().await.unwrap(), Some(at(5)));
    assert!(store.due_scales(at(4), 10).await.unwrap().is_empty());
    let due = store.due_scales(at(5), 10).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&record));
    let ended = ScaleWrite {
        state: ScaleChangeState::Ended,
        message: Some("over".to_owned()),
        due_at: None,
    };
    assert!(store.write_scale(record.change.id, &ended).await.unwrap());
    assert!(!store.write_scale(record.change.id, &ended).await.unwrap());
    assert_eq!(store.next_scale_due().await.unwrap(), None);
}

pub async fn a_deleted_workload_is_not_scaled(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "app").await;
    let new = mk_change(workload.id, 3);
    let record = store.request_scale(&new, at(1), at(1)).await.unwrap();
    store
        .delete_workload("app", None, "ada", at(2))
        .await
        .unwrap();
    let ended = store.scale_change(record.change.id).await.unwrap().unwrap();
    assert_eq!(ended.change.state, ScaleChangeState::Ended);
    assert!(store.due_scales(at(9), 10).await.unwrap().is_empty());
    let refused = store.request_scale(&new, at(3), at(3)).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
}

pub async fn bounds_are_kept(url: &str) {
    let store = open(url).await;
    let workload = mk_workload(&store, "app").await;
    let all = ScaleBounds {
        min: 0,
        max: 10_000,
    };
    assert_eq!(workload.scale_bounds, all);
    let few = ScaleBounds { min: 2, max: 5 };
    let changed = store.set_scale_bounds("app", few).await.unwrap();
    assert_eq!(changed.scale_bounds, few);
    assert!(changed.version > workload.version);
}
