//! The data of a stateful set: kept through updates, lost pods and its own end.

use hermez_kinds::PinterestStatefulset;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use crate::helpers::{apply, settled, starts};
use crate::kubectl::kubectl;
use crate::support::within;

#[tokio::test]
async fn data_stays_through_an_update_and_a_lost_pod() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({"replicas": 2}))
            .await
            .expect("applied");
        let first = settled(&sandbox).await;
        assert_eq!(
            (first.replicas, first.ready_replicas, first.desired_pods),
            (2, 2, 2)
        );
        assert_eq!(starts(&sandbox, "hello-1").await, ["one"]);

        apply(&sandbox, "two", json!({"replicas": 2}))
            .await
            .expect("applied");
        let second = settled(&sandbox).await;
        assert_ne!(second.revision, first.revision);
        assert_eq!(second.current_revision, second.update_revision);
        assert_eq!(second.updated_replicas, 2);
        for pod in ["hello-0", "hello-1"] {
            assert_eq!(starts(&sandbox, pod).await, ["one", "two"], "{pod}");
            let pod: Pod = sandbox.api().get(pod).await.expect("there");
            assert_eq!(
                Some(&pod.labels()["controller-revision-hash"]),
                second.revision.as_ref()
            );
        }

        let lost: Pod = sandbox.api().get("hello-0").await.expect("there");
        let at_once = DeleteParams::default().grace_period(0);
        let _ = sandbox
            .api::<Pod>()
            .delete("hello-0", &at_once)
            .await
            .expect("deleted");
        sandbox
            .until("hello-0", "another pod that is ready", |pod: &Pod| {
                let conditions = pod
                    .status
                    .iter()
                    .flat_map(|status| status.conditions.iter().flatten());
                let mut ready = conditions.filter(|found| found.type_ == "Ready");
                pod.uid() != lost.uid() && ready.any(|found| found.status == "True")
            })
            .await;
        assert_eq!(starts(&sandbox, "hello-0").await, ["one", "two", "two"]);
    })
    .await;
}

#[tokio::test]
async fn its_end_leaves_the_claims_and_the_next_one_finds_them() {
    within(async |sandbox| {
        let more = json!({"replicas": 2, "loadbalancer": {"port": 80, "internal": true}});
        apply(&sandbox, "one", more).await.expect("applied");
        settled(&sandbox).await;
        sandbox
            .until("hello", "there", |_: &PodDisruptionBudget| true)
            .await;
        let service: Service = sandbox.api().get("hello").await.expect("there");
        assert_eq!(
            service.spec.and_then(|spec| spec.type_).as_deref(),
            Some("ClusterIP")
        );
        kubectl(&sandbox, &["delete", "pintereststatefulset", "hello"])
            .await
            .expect("deleted");
        sandbox.gone::<StatefulSet>("hello").await;
        sandbox.gone::<Service>("hello").await;
        sandbox.gone::<Service>("hello-headless").await;
        sandbox.gone::<PodDisruptionBudget>("hello").await;
        sandbox.gone::<Pod>("hello-0").await;
        let claims = sandbox.api::<PersistentVolumeClaim>();
        claims.get("data-hello-0").await.expect("it stays");
        // What cannot be changed on one that is there can be otherwise on the next.
        apply(&sandbox, "two", json!({"podmanagementpolicy": "Parallel"}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        assert_eq!(starts(&sandbox, "hello-0").await, ["one", "two"]);
    })
    .await;
}

#[tokio::test]
async fn claims_go_with_it_where_the_policy_says_so() {
    within(async |sandbox| {
        let policy = json!({"persistentvolumeclaimretentionpolicy": {"whendeleted": "Delete", "whenscaled": "Delete"}, "replicas": 2});
        apply(&sandbox, "one", policy).await.expect("applied");
        settled(&sandbox).await;
        let claim: PersistentVolumeClaim = sandbox.api().get("data-hello-0").await.expect("there");
        let volume = claim.spec.and_then(|spec| spec.volume_name).expect("a volume");
        kubectl(&sandbox, &["scale", "pintereststatefulset", "hello", "--replicas=1"]).await.expect("scaled");
        sandbox.gone::<PersistentVolumeClaim>("data-hello-1").await;
        let params = DeleteParams::background();
        let _ = sandbox.api::<PinterestStatefulset>().delete("hello", &params).await.expect("deleted");
        sandbox.gone::<PersistentVolumeClaim>("data-hello-0").await;
        let volumes: Api<PersistentVolume> = Api::all(sandbox.client.clone());
        let gone = kube::runtime::wait::await_condition(volumes, &volume, |found: Option<&PersistentVolume>| found.is_none());
        let gone = tokio::time::timeout(std::time::Duration::from_mins(1), gone).await;
        gone.expect("the volume is deleted with its claim").expect("watched");
    })
    .await;
}

#[tokio::test]
async fn it_can_be_deleted_without_what_it_made() {
    within(async |sandbox| {
        apply(&sandbox, "one", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let before: Pod = sandbox.api().get("hello-0").await.expect("there");
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
        let after: Pod = sandbox.api().get("hello-0").await.expect("there");
        assert_eq!(before.uid(), after.uid());
    })
    .await;
}
