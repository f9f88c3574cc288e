//! Deploys that cannot come to a good end: each is noticed early, by its name.

use hermez_api::Health;
use hermez_cluster::{ClusterError, FailureCause, Rollout};
use hermez_kinds::Resource;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::support::{Rig, registry, within};

/// Deploys what must fail; its cause, its message and its hint.
async fn fail(rig: &Rig, id: i64, resource: &Resource) -> (FailureCause, String, String) {
    match rig.deploy_and_wait(id, resource).await {
        Rollout::Failed {
            cause,
            message,
            hint,
            ..
        } => (cause, message, hint.unwrap_or_default()),
        other => panic!("did not fail: {other:?}"),
    }
}

fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

#[tokio::test]
async fn an_image_that_is_not_there() {
    within(async |rig| {
        let image = format!("{}/no/such-image:1", registry());
        let service = rig.service("true", &json!({"image": image}), &json!({"replicas": 2}));
        let (cause, message, hint) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::ImagePull, "{message}");
        assert_says(&message, &["0 of 2 pods are ready", "cannot pull"]);
        assert_says(&hint, &[&image]);
        let status = rig
            .status("degraded", |status| status.health == Health::Degraded)
            .await;
        assert_says(&status.reason, &["cannot pull"]);
        assert!(
            status.events.iter().any(|event| event.kind == "Warning"),
            "{:?}",
            status.events
        );
    })
    .await;
}

#[tokio::test]
async fn a_container_that_crashes() {
    within(async |rig| {
        let service = rig.service("echo no; exit 3", &json!({}), &json!({}));
        let (cause, message, _) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::CrashLoop, "{message}");
        assert_says(&message, &["container hello", "exit code 3"]);
    })
    .await;
}

#[tokio::test]
async fn a_command_that_is_not_there() {
    within(async |rig| {
        let container = json!({"command": ["/no/such/program"]});
        let (cause, message, _) = fail(&rig, 1, &rig.service("", &container, &json!({}))).await;
        assert_eq!(cause, FailureCause::CrashLoop, "{message}");
        assert_says(&message, &["hello", "/no/such/program"]);
    })
    .await;
}

#[tokio::test]
async fn an_init_container_that_fails() {
    within(async |rig| {
        let image = format!("{}/library/debian:bookworm-slim", registry());
        let mut service = rig.running("one", &json!({}));
        let Resource::Service(own) = &mut service else {
            unreachable!("it is a service")
        };
        own.spec.template.spec.initcontainers = serde_json::from_value(json!([
            {"name": "prepare", "image": image, "command": ["/bin/sh", "-c", "exit 4"]},
        ]))
        .expect("containers");
        let (cause, message, _) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::CrashLoop, "{message}");
        assert_says(&message, &["init container prepare", "exit code 4"]);
    })
    .await;
}

#[tokio::test]
async fn pods_that_fit_on_no_node() {
    within(async |rig| {
        let container = json!({"resources": {"requests": {"cpu": "1000"}}});
        let (cause, message, _) = fail(&rig, 1, &rig.service("true", &container, &json!({}))).await;
        assert_eq!(cause, FailureCause::Unschedulable, "{message}");
        assert_says(&message, &["no node", "Insufficient cpu"]);
    })
    .await;
}

#[tokio::test]
async fn a_readiness_probe_that_does_not_pass() {
    within(async |rig| {
        let probe = json!({"exec": {"command": ["/bin/sh", "-c", "echo not yet; exit 1"]}, "periodSeconds": 1});
        let script = "trap 'exit 0' TERM; while :; do sleep 0.2; done";
        let container = json!({"readinessProbe": probe});
        let service = rig.service(script, &container, &json!({"progressdeadlineseconds": 6}));
        let (cause, message, _) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::Probe, "{message}");
        assert_says(&message, &["readiness probe", "not yet"]);
    })
    .await;
}

#[tokio::test]
async fn a_liveness_probe_that_ends_the_container_again_and_again() {
    within(async |rig| {
        let probe = json!({
            "exec": {"command": ["/bin/sh", "-c", "echo sick; exit 1"]},
            "periodSeconds": 1, "failureThreshold": 1,
        });
        // It ignores the request to end, so that it is killed, as most programs are.
        let script = "while :; do sleep 0.2; done";
        let container = json!({"livenessProbe": probe, "readinessProbe": probe});
        let (cause, message, _) = fail(&rig, 1, &rig.service(script, &container, &json!({}))).await;
        assert_eq!(cause, FailureCause::Probe, "{message}");
        assert_says(&message, &["liveness probe", "sick"]);
    })
    .await;
}

#[tokio::test]
async fn a_config_map_that_is_missing() {
    within(async |rig| {
        let container = json!({"envFrom": [{"configMapRef": {"name": "nowhere"}}]});
        let (cause, message, _) = fail(&rig, 1, &rig.service("true", &container, &json!({}))).await;
        assert_eq!(cause, FailureCause::ConfigMissing, "{message}");
        assert_says(&message, &["nowhere", "not found"]);
    })
    .await;
}

#[tokio::test]
async fn a_quota_that_does_not_allow_the_pods() {
    within(async |rig| {
        let quota = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
            "spec": {"hard": {"pods": "1"}},
        });
        let quota: ResourceQuota = serde_json::from_value(quota).expect("a quota");
        let api: Api<ResourceQuota> = rig.api();
        api.create(&PostParams::default(), &quota)
            .await
            .expect("made");
        let in_force = |quota: Option<&ResourceQuota>| {
            quota.is_some_and(|quota| quota.status.as_ref().is_some_and(|s| s.hard.is_some()))
        };
        kube::runtime::wait::await_condition(api, "few", in_force)
            .await
            .expect("watched");
        let service = rig.running("one", &json!({"replicas": 3}));
        let (cause, message, _) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::Quota, "{message}");
        assert_says(&message, &["of 3 pods", "exceeded quota: few"]);
    })
    .await;
}

#[tokio::test]
async fn an_object_that_the_api_server_refuses() {
    within(async |rig| {
        let mut service = rig.running("one", &json!({}));
        let Resource::Service(own) = &mut service else {
            unreachable!("it is a service")
        };
        own.spec.template.spec.containers[0].image = None;
        let (cause, message, _) = fail(&rig, 1, &service).await;
        assert_eq!(cause, FailureCause::Admission, "{message}");
        assert_says(&message, &["Deployment/hello", "image"]);
        // The next deploy is judged by itself.
        let done = rig
            .deploy_and_wait(2, &rig.running("one", &json!({})))
            .await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 1,
                desired: 1
            }
        );
    })
    .await;
}

#[tokio::test]
async fn a_resource_that_the_api_server_refuses() {
    within(async |rig| {
        let service = rig.running("one", &json!({"replicas": 10_001}));
        match rig.deploy(1, &service).await {
            Err(ClusterError::Refused { object, message }) => {
                assert_eq!(object, "PinterestService/hello");
                assert_says(&message, &["spec.replicas", "10000"]);
            }
            other => panic!("not refused: {other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn the_old_version_goes_on_while_the_new_one_fails() {
    within(async |rig| {
        let two = json!({"replicas": 2});
        rig.deploy_and_wait(1, &rig.running("one", &two)).await;
        // Without a probe its pods are ready for a moment, and the old ones may go.
        let probed = json!({"readinessProbe": {"exec": {"command": ["false"]}}});
        let (cause, message, _) = fail(&rig, 2, &rig.service("exit 5", &probed, &two)).await;
        assert_eq!(cause, FailureCause::CrashLoop, "{message}");
        assert_says(&message, &["exit code 5"]);
        let status = rig.cluster.status(&rig.key);
        assert_eq!(status.health, Health::Degraded, "{}", status.reason);
        assert!(status.pods_ready >= 2, "the old pods serve: {status:#?}");
        assert_eq!(status.pods_updated_ready, 0);
        // A mended version is not held responsible for its forerunner's pods.
        let done = rig.deploy_and_wait(3, &rig.running("three", &two)).await;
        assert_eq!(
            done,
            Rollout::Complete {
                ready: 2,
                desired: 2
            }
        );
    })
    .await;
}
