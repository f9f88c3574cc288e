//! Updates in order, in part, and by hand; and the number of pods.

use hermez_kinds::PinterestStatefulset;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use crate::helpers::{apply, said, settled, starts, until};
use crate::kubectl::kubectl;
use crate::support::within;

#[tokio::test]
async fn a_partition_keeps_the_pods_below_it() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({"replicas": 2, "partition": 1}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        apply(&sandbox, "two", json!({"replicas": 2, "partition": 1}))
            .await
            .expect("applied");
        let part = until(&sandbox, "updated in part", |status| {
            said(status, "Reconciling").is_none() && status.updated_replicas == 1
        })
        .await;
        assert_ne!(part.current_revision, part.update_revision);
        assert_eq!(part.revision, part.update_revision);
        let message = said(&part, "Available").expect("said").2;
        assert_eq!(
            message,
            "2 of 2 pods are available, 1 of the newest version; those below 1 keep the old one"
        );
        assert_eq!(starts(&sandbox, "hello-0").await, ["one"]);
        assert_eq!(starts(&sandbox, "hello-1").await, ["one", "two"]);

        apply(&sandbox, "two", json!({"replicas": 2, "partition": 0}))
            .await
            .expect("applied");
        let whole = settled(&sandbox).await;
        assert_eq!(whole.updated_replicas, 2);
        assert_eq!(starts(&sandbox, "hello-0").await, ["one", "two"]);
    })
    .await;
}

#[tokio::test]
async fn a_version_that_does_not_start_does_not_block_the_next() {
    within(async |sandbox| {
        let two_pods = || json!({"replicas": 2});
        apply(&sandbox, "one", two_pods()).await.expect("applied");
        settled(&sandbox).await;
        apply(&sandbox, "broken", two_pods())
            .await
            .expect("applied");
        until(&sandbox, "broken in part", |status| {
            status.updated_replicas == 1 && status.available_replicas == 1
        })
        .await;
        apply(&sandbox, "two", two_pods()).await.expect("applied");
        let whole = settled(&sandbox).await;
        assert_eq!(whole.updated_replicas, 2);
        for pod in ["hello-0", "hello-1"] {
            assert_eq!(starts(&sandbox, pod).await, ["one", "two"], "{pod}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_first_version_that_does_not_start_is_replaced_too() {
    within(async |sandbox| {
        let two_pods = || json!({"replicas": 2});
        apply(&sandbox, "broken", two_pods())
            .await
            .expect("applied");
        until(&sandbox, "broken from the first", |status| {
            status.replicas == 1 && status.revision.is_some()
        })
        .await;
        apply(&sandbox, "one", two_pods()).await.expect("applied");
        settled(&sandbox).await;
        for pod in ["hello-0", "hello-1"] {
            assert_eq!(starts(&sandbox, pod).await, ["one"], "{pod}");
        }
    })
    .await;
}

#[tokio::test]
async fn on_delete_a_pod_is_new_when_somebody_deletes_it() {
    within(async |sandbox| {
        let more = json!({"updatestrategy": "OnDelete"});
        apply(&sandbox, "one", more.clone()).await.expect("applied");
        settled(&sandbox).await;
        apply(&sandbox, "two", more).await.expect("applied");
        let waits = until(&sandbox, "waiting", |status| {
            said(status, "Reconciling").is_none() && status.updated_replicas == 0
        })
        .await;
        let message = said(&waits, "Available").expect("said").2;
        assert!(
            message.ends_with("0 of the newest version; the others wait to be deleted"),
            "{message}"
        );
        let _ = sandbox
            .api::<Pod>()
            .delete("hello-0", &DeleteParams::default())
            .await
            .expect("deleted");
        until(&sandbox, "new", |status| {
            status.updated_replicas == 1 && status.available_replicas == 1
        })
        .await;
        assert_eq!(starts(&sandbox, "hello-0").await, ["one", "two"]);
    })
    .await;
}

#[tokio::test]
async fn scaling_it_scales_its_pods() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({"podmanagementpolicy": "Parallel"}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        let scale = ["scale", "pintereststatefulset", "hello", "--replicas=3"];
        kubectl(&sandbox, &scale).await.expect("scaled");
        let three = settled(&sandbox).await;
        assert_eq!(
            (three.replicas, three.ready_pods, three.desired_pods),
            (3, 3, 3)
        );
        let scale = sandbox
            .api::<PinterestStatefulset>()
            .get_scale("hello")
            .await
            .expect("a scale");
        let status = scale.status.expect("its status");
        assert_eq!(
            (status.replicas, status.selector.as_deref()),
            (3, Some("name=hello"))
        );
        let table = kubectl(&sandbox, &["get", "psts"]).await.expect("listed");
        let cells: Vec<&str> = table
            .lines()
            .nth(1)
            .expect("a row")
            .split_whitespace()
            .collect();
        assert_eq!(cells[..5], ["hello", "3", "3", "3", "True"], "{table}");
    })
    .await;
}

#[tokio::test]
async fn a_reconcile_without_a_difference_writes_nothing() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let version = async || {
            let set: StatefulSet = sandbox.api().get("hello").await.expect("there");
            set.resource_version()
        };
        let before = version().await;
        for round in 0..3 {
            let touch = json!({"metadata": {"annotations": {"touched": round.to_string()}}});
            let touched = sandbox.edit::<PinterestStatefulset>("hello", touch).await;
            sandbox.idle().await;
            let now: PinterestStatefulset = sandbox.api().get("hello").await.expect("there");
            assert_eq!(touched.status, now.status);
        }
        assert_eq!(version().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_rollout_that_stands_still_has_failed() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let mut body = crate::helpers::stateful_set(&sandbox, "two", &json!({}));
        body["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["/bin/false"]);
        let template = body["spec"]["template"].clone();
        let more = json!({"progressdeadlineseconds": 5, "template": template});
        apply(&sandbox, "two", more).await.expect("applied");
        let status = until(&sandbox, "stalled", |status| {
            said(status, "Stalled").is_some()
        })
        .await;
        let (_, reason, message) = said(&status, "Stalled").expect("said");
        assert_eq!(reason, "ProgressDeadlineExceeded");
        assert!(
            message.starts_with("no step forward for 5 s: 0 of 1 pods"),
            "{message}"
        );
    })
    .await;
}
