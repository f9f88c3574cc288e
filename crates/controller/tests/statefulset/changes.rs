//! Changes that Kubernetes cannot make are refused, with what to do instead.

use hermez_kinds::PinterestStatefulset;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::helpers::{apply, said, settled, until};
use crate::kubectl::kubectl;
use crate::support::within;

#[tokio::test]
async fn the_api_server_refuses_them() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let cases = [
            (
                json!({"volumeclaims": [{"name": "data", "storage": "2Mi"}]}),
                "volumeclaims cannot be changed once the pods have them: to grow a volume, edit its PersistentVolumeClaim",
            ),
            (
                json!({"volumeclaims": []}),
                "volumeclaims cannot be changed once the pods have them",
            ),
            (
                json!({"servicename": "other"}),
                "servicename cannot be changed, it is part of the pods' host names: delete this resource",
            ),
            (
                json!({"podmanagementpolicy": "Parallel"}),
                "podmanagementpolicy cannot be changed: delete this resource",
            ),
        ];
        for (more, words) in cases {
            match apply(&sandbox, "one", more).await {
                Err(kube::Error::Api(status)) => {
                    assert!(status.message.contains(words), "{words:?} is not in: {}", status.message);
                }
                other => panic!("not refused: {other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_definition_refuses_what_does_not_fit() {
    within(async |sandbox| {
        let cases = [
            (
                json!({"updatestrategy": "OnDelete", "partition": 1}),
                "partition belongs to updatestrategy RollingUpdate: leave partition out",
            ),
            (
                json!({"volumeclaims": [{"name": "a", "storage": "1Mi"}, {"name": "a", "storage": "1Mi"}]}),
                "two volumeclaims have the same name",
            ),
            (
                json!({"volumeclaims": [{"name": "a", "storage": "much"}]}),
                "should match",
            ),
        ];
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        for (more, words) in cases {
            let body: Value = crate::helpers::stateful_set(&sandbox, "one", &more);
            let set: PinterestStatefulset = serde_json::from_value(body).expect("a stateful set");
            match sandbox.api().create(&dry, &set).await {
                Err(kube::Error::Api(status)) => {
                    assert!(status.message.contains(words), "{words:?} is not in: {}", status.message);
                }
                other => panic!("not refused: {other:?}"),
            }
        }
        let explained = kubectl(&sandbox, &["explain", "pintereststatefulset.spec.partition"]).await;
        assert!(explained.expect("explained").contains("keep the old version"));
    })
    .await;
}

#[tokio::test]
async fn where_the_api_server_cannot_see_them_the_controller_refuses_them() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let delete = [
            "delete",
            "pintereststatefulset",
            "hello",
            "--cascade=orphan",
        ];
        kubectl(&sandbox, &delete).await.expect("deleted");
        sandbox
            .until("hello", "left alone", |set: &StatefulSet| {
                set.owner_references().is_empty()
            })
            .await;
        // Another resource of the name, of another make, that is then given the set that was left.
        let made = apply(&sandbox, "one", json!({"podmanagementpolicy": "Parallel"}))
            .await
            .expect("applied");
        let status = until(&sandbox, "stalled", |status| {
            said(status, "Stalled").is_some()
        })
        .await;
        let (_, reason, _) = said(&status, "Stalled").expect("said");
        assert_eq!(reason, "NameTaken", "it belongs to nobody: {status:#?}");
        let owner = json!([{
            "apiVersion": "pinterest.com/v1", "kind": "PinterestStatefulset", "name": "hello",
            "uid": made.uid(), "controller": true, "blockOwnerDeletion": true,
        }]);
        let labels = json!({"metadata": {"ownerReferences": owner}});
        sandbox.edit::<StatefulSet>("hello", labels).await;
        let status = until(&sandbox, "refused", |status| {
            said(status, "Stalled").is_some_and(|said| said.1 == "CannotChange")
        })
        .await;
        let (_, _, message) = said(&status, "Stalled").expect("said");
        assert!(
            message.starts_with("spec.podmanagementpolicy: Kubernetes cannot change this"),
            "{message}"
        );
        assert!(message.contains("deploy it again"), "{message}");
        // The old value is right again.
        kubectl(
            &sandbox,
            &[
                "delete",
                "pintereststatefulset",
                "hello",
                "--cascade=orphan",
            ],
        )
        .await
        .expect("deleted");
    })
    .await;
}
