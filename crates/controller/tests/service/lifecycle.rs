//! What happens to a service from its making to its end.

use hermez_kinds::PinterestService;
use hermez_kinds::names::DEPLOY_ANNOTATION;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;

use crate::support::{Sandbox, condition, within};

fn wanted(deployment: &Deployment) -> Option<i32> {
    deployment.spec.as_ref().and_then(|spec| spec.replicas)
}

/// Waits until the service runs and nothing is left to do.
pub async fn settled(sandbox: &Sandbox) -> PinterestService {
    sandbox
        .until("hello", "settled", |service: &PinterestService| {
            let status = service.status.clone().unwrap_or_default();
            status.observed_generation == service.metadata.generation
                && condition(service, "Available").is_some_and(|found| found.0 == "True")
                && condition(service, "Reconciling").is_none()
                && status.ready_replicas == service.spec.replicas
        })
        .await
}

#[tokio::test]
async fn a_service_becomes_a_deployment_that_it_owns_and_tells_how_it_does() {
    within(async |sandbox| {
        sandbox
            .apply(json!({"replicas": 2}))
            .await
            .expect("applied");
        let service = settled(&sandbox).await;
        let deployment: Deployment = sandbox.api().get("hello").await.expect("there");
        let owner = &deployment.owner_references()[0];
        assert_eq!(Some(&owner.uid), service.metadata.uid.as_ref());
        assert_eq!(
            (owner.controller, owner.block_owner_deletion),
            (Some(true), Some(true))
        );
        let status = service.status.expect("a status");
        assert_eq!(
            (
                status.replicas,
                status.ready_replicas,
                status.updated_replicas
            ),
            (2, 2, 2)
        );
        assert_eq!(status.profile.as_deref(), Some("plain@1"));
        let scale = sandbox
            .api::<PinterestService>()
            .get_scale("hello")
            .await
            .expect("a scale");
        assert_eq!(scale.spec.and_then(|spec| spec.replicas), Some(2));
        let status = scale.status.expect("its status");
        assert_eq!(
            (status.replicas, status.selector.as_deref()),
            (2, Some("name=hello"))
        );
    })
    .await;
}

#[tokio::test]
async fn edits_while_the_status_is_written_are_all_seen() {
    within(async |sandbox| {
        sandbox
            .apply(json!({"replicas": 1}))
            .await
            .expect("applied");
        for round in 0..30 {
            let change = json!({
                "metadata": {"labels": {"round": round.to_string()}},
                "spec": {"replicas": 1 + round % 3},
            });
            sandbox.edit::<PinterestService>("hello", change).await;
        }
        let service = settled(&sandbox).await;
        assert_eq!(service.spec.replicas, 3);
        let deployment: Deployment = sandbox.api().get("hello").await.expect("there");
        assert_eq!(wanted(&deployment), Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_reconcile_without_a_difference_writes_nothing() {
    within(async |sandbox| {
        let more = json!({"loadbalancer": {"port": 80}, "configs": {"A": "b"}, "replicas": 2});
        sandbox.apply(more).await.expect("applied");
        let begun = settled(&sandbox)
            .await
            .resource_version()
            .expect("a version");
        // Each touch is a reconcile. The last must reach the Deployment: once it has, the others
        // have had their turn, and whatever they wrote would have been seen before it.
        for round in 0..5 {
            let touch = json!({"metadata": {"annotations": {"touched": round.to_string()}}});
            sandbox.edit::<PinterestService>("hello", touch).await;
            sandbox.idle().await;
        }
        let last = json!({"metadata": {"annotations": {DEPLOY_ANNOTATION: "99"}}});
        sandbox.edit::<PinterestService>("hello", last).await;
        let is_last = |found: Option<&String>| found.map(String::as_str) == Some("99");
        let deployments = sandbox
            .changes::<Deployment>(&begun, |found| {
                is_last(found.annotations().get(DEPLOY_ANNOTATION))
            })
            .await;
        assert_eq!(
            deployments.len(),
            1,
            "written by touches that change nothing: {deployments:#?}"
        );
        let services = sandbox
            .changes::<PinterestService>(&begun, |found| {
                is_last(found.annotations().get(DEPLOY_ANNOTATION))
            })
            .await;
        assert_eq!(
            services.len(),
            6,
            "somebody wrote beside the six edits: {services:#?}"
        );
        for version in [
            sandbox
                .api::<Service>()
                .get("hello")
                .await
                .expect("there")
                .resource_version(),
            sandbox
                .api::<ConfigMap>()
                .get("hello-configs")
                .await
                .expect("there")
                .resource_version(),
        ] {
            let version: u64 = version
                .and_then(|version| version.parse().ok())
                .expect("a number");
            assert!(
                version < begun.parse().expect("a number"),
                "written after it was settled"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn drift_is_healed_and_foreign_fields_stay() {
    within(async |sandbox| {
        sandbox
            .apply(json!({"loadbalancer": {"port": 80}}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        let change =
            json!({"spec": {"replicas": 0, "paused": true}, "metadata": {"labels": {"app": "x"}}});
        sandbox.edit::<Deployment>("hello", change).await;
        let healed = sandbox
            .until("hello", "healed", |deployment: &Deployment| {
                wanted(deployment) == Some(1) && deployment.labels()["app"] == "hello"
            })
            .await;
        assert_eq!(
            healed.spec.and_then(|spec| spec.paused),
            Some(true),
            "not ours, so it stays"
        );
        let told = sandbox.event("Drift").await;
        assert!(
            told.starts_with("a-person (Update) changed ") && told.contains("spec.replicas"),
            "{told}"
        );
        assert!(
            told.contains("metadata.labels.app") && told.contains("Deployment/hello at "),
            "{told}"
        );
        let before: Service = sandbox.api().get("hello").await.expect("there");
        let params = DeleteParams::default();
        let _ = sandbox
            .api::<Service>()
            .delete("hello", &params)
            .await
            .expect("deleted");
        sandbox
            .until("hello", "made again", |service: &Service| {
                service.uid() != before.uid()
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn what_the_spec_no_longer_asks_for_is_pruned() {
    within(async |sandbox| {
        let autoscaling = json!({"min": 2, "max": 3, "cpu": 70});
        let more = json!({"loadbalancer": {"port": 80}, "configs": {"A": "b"}, "autoscaling": autoscaling});
        sandbox.apply(more).await.expect("applied");
        sandbox.until("hello", "there", |_: &Service| true).await;
        sandbox
            .until("hello", "there", |_: &HorizontalPodAutoscaler| true)
            .await;
        sandbox
            .until("hello", "there", |_: &PodDisruptionBudget| true)
            .await;
        sandbox
            .until("hello-configs", "there", |_: &ConfigMap| true)
            .await;
        sandbox.apply(json!({})).await.expect("applied");
        sandbox.gone::<Service>("hello").await;
        sandbox.gone::<ConfigMap>("hello-configs").await;
        sandbox.gone::<HorizontalPodAutoscaler>("hello").await;
        sandbox.gone::<PodDisruptionBudget>("hello").await;
        sandbox
            .until("hello", "without its source", |deployment: &Deployment| {
                let pod = deployment
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.template.spec.as_ref());
                pod.is_some_and(|pod| pod.containers[0].env_from.is_none())
            })
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_service_account_that_is_taken_out_goes_from_its_pods() {
    within(async |sandbox| {
        let account = |name: Option<&str>| json!({"spec": {"template": {"spec": {"serviceaccountname": name}}}});
        let names = |deployment: &Deployment| {
            let pod = deployment.spec.clone().and_then(|spec| spec.template.spec);
            pod.map(|pod| (pod.service_account_name, pod.service_account))
        };
        sandbox.apply(json!({})).await.expect("applied");
        sandbox.edit::<PinterestService>("hello", account(Some("team"))).await;
        let team = || Some("team".to_owned());
        sandbox
            .until("hello", "with its account", |it: &Deployment| names(it) == Some((team(), team())))
            .await;
        sandbox.edit::<PinterestService>("hello", account(None)).await;
        sandbox
            .until("hello", "without it", |it: &Deployment| names(it) == Some((None, None)))
            .await;
    })
    .await;
}

#[tokio::test]
async fn its_end_is_the_end_of_all_that_it_made() {
    within(async |sandbox| {
        sandbox
            .apply(json!({"loadbalancer": {"port": 80}, "replicas": 2}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        let pods = sandbox
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .expect("a list");
        assert_eq!(pods.items.len(), 2);
        let api: Api<PinterestService> = sandbox.api();
        let _ = api
            .delete("hello", &DeleteParams::background())
            .await
            .expect("deleted");
        sandbox.gone::<Deployment>("hello").await;
        sandbox.gone::<Service>("hello").await;
        for pod in pods.items {
            sandbox.gone::<Pod>(&pod.name_any()).await;
        }
        let sets = sandbox
            .api::<ReplicaSet>()
            .list(&ListParams::default())
            .await
            .expect("a list");
        assert!(sets.items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn scaling_the_service_scales_its_pods() {
    within(async |sandbox| {
        sandbox.apply(json!({})).await.expect("applied");
        settled(&sandbox).await;
        let params = kube::api::PatchParams::default();
        let patch = kube::api::Patch::Merge(json!({"spec": {"replicas": 3}}));
        let api: Api<PinterestService> = sandbox.api();
        api.patch_scale("hello", &params, &patch)
            .await
            .expect("scaled");
        sandbox
            .until("hello", "three pods", |found: &Deployment| {
                wanted(found) == Some(3)
            })
            .await;
        let service = settled(&sandbox).await;
        assert_eq!(service.status.map(|status| status.ready_replicas), Some(3));
    })
    .await;
}

#[tokio::test]
async fn an_autoscaler_finds_the_scale_of_the_service() {
    within(async |sandbox| {
        // As a deploy does, which always says a number first: the API server tells who scaled a
        // custom resource only if the number had an owner before (kubernetes/kubernetes#131892).
        let more = json!({"replicas": 1, "autoscaling": {"min": 2, "max": 3, "cpu": 70}});
        sandbox.apply(more).await.expect("applied");
        let scaler = sandbox
            .until(
                "hello",
                "able to scale",
                |scaler: &HorizontalPodAutoscaler| {
                    let status = scaler.status.as_ref();
                    let conditions = status.and_then(|status| status.conditions.as_ref());
                    conditions.into_iter().flatten().any(|condition| {
                        condition.type_ == "AbleToScale" && condition.status == "True"
                    })
                },
            )
            .await;
        assert_eq!(
            scaler
                .spec
                .map(|spec| spec.scale_target_ref.kind)
                .as_deref(),
            Some("PinterestService")
        );
        // It raises the service to its least number by the service's own scale subresource.
        let service = sandbox
            .until("hello", "raised", |service: &PinterestService| {
                service.spec.replicas == 2
            })
            .await;
        let owner = service.managed_fields().iter().find(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
        });
        let owner = owner.and_then(|entry| entry.manager.clone());
        assert_eq!(owner.as_deref(), Some("kube-controller-manager"));
        sandbox
            .until("hello", "two pods", |found: &Deployment| {
                wanted(found) == Some(2)
            })
            .await;
    })
    .await;
}
