//! Deploys that come to a good end, and what the status says of them.

use hermez_api::Health;
use hermez_cluster::{Cluster, ClusterError, Rollout};
use hermez_kinds::{Kind, PinterestService};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{Rig, commit, within};

async fn scale(rig: &Rig, replicas: i32) {
    let params = PatchParams {
        field_manager: Some("kubectl".into()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    rig.api::<PinterestService>()
        .patch_scale("hello", &params, &patch)
        .await
        .expect("scaled");
}

#[tokio::test]
async fn a_deploy_comes_to_its_end_and_the_next_takes_its_place() {
    within(async |rig| {
        assert_eq!(rig.cluster.status(&rig.key).health, Health::NotDeployed);
        let two = json!({"replicas": 2});
        let done = rig.deploy_and_wait(1, &rig.running("one", &two)).await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 2,
                desired: 2
            }
        );
        let status = rig
            .status("healthy", |status| status.health == Health::Healthy)
            .await;
        assert_eq!(
            (
                status.pods_desired,
                status.pods_ready,
                status.pods_updated_ready
            ),
            (2, 2, 2)
        );
        assert_eq!(status.commit.as_deref(), Some(commit(1).as_str()));
        let first: Vec<String> = status.pods.iter().map(|pod| pod.name.clone()).collect();
        let pod = &status.pods[0];
        assert_eq!(
            (pod.status.as_str(), pod.ready, pod.updated),
            ("Running", true, true)
        );
        assert!(pod.started_at.is_some() && pod.node.is_some());
        assert_eq!(pod.containers[0].state, "running");

        let done = rig.deploy_and_wait(2, &rig.running("two", &two)).await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 2,
                desired: 2
            }
        );
        // The first deploy is not asked about any more.
        assert!(matches!(
            rig.cluster.rollout(&rig.key, 1),
            Rollout::Waiting { .. }
        ));
        let status = rig
            .status("only new pods", |status| {
                status.pods.len() == 2 && status.pods.iter().all(|pod| pod.updated && pod.ready)
            })
            .await;
        assert!(status.pods.iter().all(|pod| !first.contains(&pod.name)));
        assert_eq!(status.commit.as_deref(), Some(commit(2).as_str()));
        assert!(
            status
                .events
                .iter()
                .any(|event| event.reason == "ScalingReplicaSet")
        );
    })
    .await;
}

#[tokio::test]
async fn a_deploy_that_changes_nothing_restarts_nothing() {
    within(async |rig| {
        let service = rig.running("same", &json!({}));
        rig.deploy_and_wait(1, &service).await;
        let before = rig.status("one pod", |status| status.pods.len() == 1).await;
        let done = rig.deploy_and_wait(2, &service).await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 1,
                desired: 1
            }
        );
        let after = rig.cluster.status(&rig.key);
        assert_eq!(after.pods[0].name, before.pods[0].name);
        assert_eq!(after.commit.as_deref(), Some(commit(2).as_str()));
    })
    .await;
}

#[tokio::test]
async fn a_deploy_leaves_the_number_of_pods_to_the_person_who_set_it() {
    within(async |rig| {
        rig.deploy_and_wait(1, &rig.running("one", &json!({"replicas": 1})))
            .await;
        scale(&rig, 3).await;
        rig.status("three pods", |status| status.pods_ready == 3)
            .await;
        let done = rig
            .deploy_and_wait(2, &rig.running("two", &json!({"replicas": 1})))
            .await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 3,
                desired: 3
            }
        );
        let deployment: Deployment = rig.api().get("hello").await.expect("there");
        assert_eq!(deployment.spec.and_then(|spec| spec.replicas), Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_pause_is_a_healthy_state() {
    within(async |rig| {
        rig.deploy_and_wait(1, &rig.running("one", &json!({})))
            .await;
        scale(&rig, 0).await;
        let status = rig
            .status("no pods", |status| {
                status.pods_desired == 0 && status.pods.is_empty()
            })
            .await;
        assert_eq!(status.health, Health::Healthy, "{}", status.reason);
    })
    .await;
}

#[tokio::test]
async fn the_load_balancers_address_is_told() {
    within(async |rig| {
        let spec = json!({"loadbalancer": {"port": 8080}});
        rig.deploy_and_wait(1, &rig.running("one", &spec)).await;
        // What a cloud would write, unless the sandbox has done so.
        let service: Service = rig.api().get("hello").await.expect("there");
        let balancer = service.status.and_then(|status| status.load_balancer);
        if balancer.and_then(|balancer| balancer.ingress).is_none() {
            let ingress = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}});
            let params = PatchParams::default();
            let api = rig.api::<Service>();
            api.patch_status("hello", &params, &Patch::Merge(&ingress))
                .await
                .expect("patched");
        }
        let status = rig
            .status("an address", |status| status.url.is_some())
            .await;
        let url = status.url.expect("an address");
        assert!(
            url.starts_with("http://") && url.ends_with(":8080"),
            "{url}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_workload_is_gone_with_all_its_pods() {
    within(async |rig| {
        rig.deploy_and_wait(1, &rig.running("one", &json!({"replicas": 2})))
            .await;
        rig.cluster
            .delete(Kind::Service, &rig.key)
            .await
            .expect("deleted");
        let status = rig.status("gone", |status| {
            status.health == Health::NotDeployed && status.pods.is_empty()
        });
        assert_eq!(status.await.pods_desired, 0);
        // Once more is no error.
        rig.cluster
            .delete(Kind::Service, &rig.key)
            .await
            .expect("nothing to delete");
    })
    .await;
}

#[tokio::test]
async fn a_namespace_is_made_when_there_is_none() {
    within(async |rig| {
        let namespace = format!("{}-new", rig.key.namespace);
        let mut service = rig.running("one", &json!({"replicas": 0}));
        service.metadata_mut().namespace = Some(namespace.clone());
        rig.deploy(1, &service).await.expect("applied");
        let api: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(rig.cluster.client());
        api.delete(&namespace, &kube::api::DeleteParams::background())
            .await
            .expect("it was made");
    })
    .await;
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_as_such() {
    // Nobody listens there.
    let config = kube::Config::new("http://127.0.0.1:9".parse().expect("a URL"));
    let client = kube::Client::try_from(config).expect("a client");
    let cluster = Cluster::with_client(client);
    let error = cluster.ping().await.expect_err("away");
    assert!(error.is_transient(), "{error}");
    let key = hermez_cluster::WorkloadKey::new("default", "hello");
    assert_eq!(cluster.status(&key).health, Health::Unknown);
    assert!(matches!(cluster.rollout(&key, 1), Rollout::Waiting { .. }));
    let nowhere = Cluster::connect(Some("/nowhere/kubeconfig".into())).await;
    assert!(
        matches!(nowhere, Err(ClusterError::Kubeconfig(_))),
        "{nowhere:?}"
    );
}
