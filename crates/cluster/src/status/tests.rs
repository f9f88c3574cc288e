//! Statuses, from objects as the API server writes them.

#![allow(clippy::needless_pass_by_value)] // the helpers take literals

use std::sync::Arc;

use hermez_kinds::Kind;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::view::{DeploymentView, ReplicaSetView, ServiceView};

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().expect("a time")
}

fn mk_pod(name: &str, status: Value) -> Arc<PodView> {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {
            "name": name, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"pod-template-hash": "new"},
        },
        "spec": {
            "nodeName": "node",
            "initContainers": [
                {"name": "migrate", "image": "m"},
                {"name": "proxy", "image": "p", "restartPolicy": "Always"},
            ],
            "containers": [{"name": "app", "image": "r/a@sha256:1"}, {"name": "log", "image": "l"}],
        },
        "status": status,
    }))
    .expect("a pod");
    Arc::new((&pod).into())
}

fn container(name: &str, state: Value) -> Value {
    let runs = state.get("running").is_some();
    json!({
        "name": name, "image": "i", "imageID": "", "ready": runs, "started": runs,
        "restartCount": 1, "state": state,
    })
}

fn running() -> Value {
    json!({"running": {"startedAt": "2026-01-01T00:00:05Z"}})
}

fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason}})
}

fn ended(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

fn mk_running(name: &str) -> Arc<PodView> {
    mk_pod(
        name,
        json!({
            "phase": "Running", "startTime": "2026-01-01T00:00:01Z",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}],
            "initContainerStatuses": [container("migrate", ended(0, "Completed")), container("proxy", running())],
            "containerStatuses": [container("app", running()), container("log", running())],
        }),
    )
}

fn mk_workload(pods: Vec<Arc<PodView>>, available: i32) -> Workload {
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
        "metadata": {"name": "hello", "annotations": {"hermez.dev/commit": "c0ffee"}},
        "spec": {"replicas": 2},
    }))
    .expect("an object");
    Workload {
        declared: Some(Arc::new(Declared::read(Kind::Service, &object))),
        deployment: Some(Arc::new(DeploymentView {
            desired: 2,
            total: 2,
            updated: 2,
            ready: available,
            available,
            rolled_out: true,
            ..DeploymentView::default()
        })),
        replica_sets: vec![Arc::new(ReplicaSetView {
            name: "hello-new".into(),
            revision: 1,
            hash: "new".into(),
            ..ReplicaSetView::default()
        })],
        pods,
        services: vec![Arc::new(ServiceView {
            url: Some("http://10.0.0.1".into()),
        })],
        events: Vec::new(),
    }
}

#[test]
fn a_healthy_workload() {
    let workload = mk_workload(vec![mk_running("a"), mk_running("b")], 2);
    let status = assemble(&workload, None, now());
    assert_eq!(status.health, Health::Healthy);
    assert_eq!(status.reason, "2 of 2 pods are ready");
    assert_eq!(
        (status.pods_desired, status.pods_running, status.pods_ready),
        (2, 2, 2)
    );
    assert_eq!((status.pods_updated, status.pods_updated_ready), (2, 2));
    assert_eq!(status.commit.as_deref(), Some("c0ffee"));
    assert_eq!(status.url.as_deref(), Some("http://10.0.0.1"));
    let pod = &status.pods[0];
    assert_eq!(
        (pod.status.as_str(), pod.restarts, pod.ready, pod.updated),
        ("Running", 4, true, true)
    );
    let names: Vec<_> = pod
        .containers
        .iter()
        .map(|c| (c.name.as_str(), c.init))
        .collect();
    assert_eq!(
        names,
        [
            ("migrate", true),
            ("proxy", true),
            ("app", false),
            ("log", false)
        ]
    );
    assert_eq!(pod.containers[2].image, "r/a@sha256:1");
    assert_eq!(pod.containers[2].state, "running");
    assert_eq!(pod.containers[0].exit_code, Some(0));
    assert_eq!(pod.message, None);
}

#[test]
fn nothing_was_deployed_yet() {
    let status = assemble(&Workload::default(), None, now());
    assert_eq!(status.health, Health::NotDeployed);
}

#[test]
fn what_was_seen_last_is_shown_while_the_cluster_is_away() {
    let workload = mk_workload(vec![mk_running("a"), mk_running("b")], 2);
    let status = assemble(
        &workload,
        Some("the cluster does not answer: no route"),
        now(),
    );
    assert_eq!(status.health, Health::Unknown);
    assert_eq!(status.reason, "The cluster does not answer: no route");
    assert_eq!(status.pods.len(), 2);
}

#[test]
fn a_pod_lost_after_the_rollout_is_not_a_rollout() {
    let lost = mk_pod(
        "b",
        json!({"phase": "Running", "containerStatuses": [container("app", running())]}),
    );
    let workload = mk_workload(vec![mk_running("a"), lost.clone()], 1);
    assert_eq!(assemble(&workload, None, now()).health, Health::Degraded);

    let mut starting = PodView::clone(&lost);
    starting.created_at = Some(now());
    starting
        .containers
        .iter_mut()
        .for_each(|container| container.restarts = 0);
    let workload = mk_workload(vec![mk_running("a"), Arc::new(starting)], 1);
    assert_eq!(assemble(&workload, None, now()).health, Health::Progressing);
}

#[test]
fn a_pod_in_trouble_says_why() {
    let state =
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "ErrImagePull: i: not found"}});
    let bad = mk_pod(
        "b",
        json!({"phase": "Pending", "containerStatuses": [container("app", state)]}),
    );
    let workload = mk_workload(vec![mk_running("a"), bad], 1);
    let status = assemble(&workload, None, now());
    assert_eq!(status.health, Health::Degraded);
    assert_eq!(
        status.reason,
        "1 of 2 pods is ready; the second cannot pull its image: manifest unknown"
    );
    let pod = status
        .pods
        .iter()
        .find(|pod| pod.name == "b")
        .expect("listed");
    assert_eq!(pod.status, "ImagePullBackOff");
    assert_eq!(
        pod.message.as_deref(),
        Some("The pod cannot pull its image: manifest unknown")
    );
}

#[test]
fn words_are_those_of_kubectl() {
    let init_done = || container("migrate", ended(0, "Completed"));
    let proxy = || container("proxy", running());
    let ready =
        json!([{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]);
    let app = |state: Value| {
        json!({
            "phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}],
            "initContainerStatuses": [init_done(), proxy()],
            "containerStatuses": [container("app", state), container("log", running())],
        })
    };
    let init = |migrate: Value| {
        json!({
            "phase": "Pending",
            "initContainerStatuses": [container("migrate", migrate), container("proxy", waiting("PodInitializing"))],
            "containerStatuses": [container("app", waiting("PodInitializing"))],
        })
    };
    for (status, expected) in [
        (json!({"phase": "Pending"}), "Pending"),
        (json!({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
        (
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            "SchedulingGated",
        ),
        (app(running()), "Running"),
        (app(waiting("CrashLoopBackOff")), "CrashLoopBackOff"),
        (app(waiting("ContainerCreating")), "ContainerCreating"),
        (app(ended(137, "OOMKilled")), "OOMKilled"),
        (app(ended(1, "Error")), "Error"),
        (app(json!({"terminated": {"exitCode": 3}})), "ExitCode:3"),
        (
            app(json!({"terminated": {"exitCode": 0, "signal": 9}})),
            "Signal:9",
        ),
        (app(ended(0, "Completed")), "NotReady"),
        (
            {
                let mut status = app(ended(0, "Completed"));
                status["conditions"] = ready.clone();
                status
            },
            "Running",
        ),
        (init(running()), "Init:0/2"),
        (init(waiting("PodInitializing")), "Init:0/2"),
        (init(waiting("ImagePullBackOff")), "Init:ImagePullBackOff"),
        (init(ended(1, "Error")), "Init:Error"),
        (
            init(json!({"terminated": {"exitCode": 2}})),
            "Init:ExitCode:2",
        ),
        (init(ended(0, "Completed")), "Init:1/2"),
    ] {
        assert_eq!(
            printed::word(&mk_pod("p", status.clone())),
            expected,
            "{status}"
        );
    }
}

#[test]
fn a_pod_that_is_deleted_is_terminating_or_lost() {
    let mut pod = PodView::clone(&mk_running("a"));
    pod.deleting = true;
    assert_eq!(printed::word(&pod), "Terminating");
    pod.reason = Some("NodeLost".into());
    assert_eq!(printed::word(&pod), "Unknown");
    let workload = mk_workload(vec![Arc::new(pod)], 0);
    let status = assemble(&workload, None, now());
    assert_eq!((status.pods_ready, status.pods_running), (0, 0));
    assert!(!status.pods[0].ready);
}

#[test]
fn newest_first_and_bounded() {
    let mut workload = mk_workload(vec![], 0);
    workload.pods = (0..MAX_PODS as i64 + 5)
        .map(|n| {
            let mut pod = PodView::clone(&mk_running(&format!("p{n}")));
            pod.created_at = Timestamp::from_second(n).ok();
            Arc::new(pod)
        })
        .collect();
    workload.events = (0..MAX_EVENTS as i64 + 5)
        .map(|n| {
            let event: Event = serde_json::from_value(json!({
                "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"},
                "reason": "R", "lastTimestamp": Timestamp::from_second(n).expect("in range").to_string(),
            }))
            .expect("an event");
            Arc::new((&event).into())
        })
        .collect();
    let status = assemble(&workload, None, now());
    assert_eq!(status.pods_ready, MAX_PODS as i32 + 5);
    assert_eq!(status.pods.len(), MAX_PODS);
    assert_eq!(status.pods[0].name, format!("p{}", MAX_PODS + 4));
    assert_eq!(status.events.len(), MAX_EVENTS);
    assert_eq!(
        status.events[0].at,
        Timestamp::from_second(MAX_EVENTS as i64 + 4).ok()
    );
    assert_eq!(
        (
            status.events[0].kind.as_str(),
            status.events[0].object.as_str()
        ),
        ("Normal", "Pod/p")
    );
}

#[test]
fn the_pods_of_runs_that_are_over_do_not_count() {
    let declared = |kind: Kind| {
        let mut object = DynamicObject::new("report", &kind.api_resource());
        object.metadata.generation = Some(1);
        object.data = json!({"spec": {"schedule": "@daily"}, "status": {
            "observedGeneration": 1, "desiredPods": 1, "readyPods": 1,
        }});
        Arc::new(Declared::read(kind, &object))
    };
    let mut over = PodView::clone(&mk_running("report-1-x"));
    (over.phase, over.ready) = ("Succeeded".into(), false);
    let workload = Workload {
        declared: Some(declared(Kind::CronJob)),
        pods: vec![Arc::new(over), mk_running("report-2-y")],
        ..Workload::default()
    };
    let status = assemble(&workload, None, now());
    assert_eq!(
        (status.pods_desired, status.pods_updated, status.pods.len()),
        (1, 1, 2)
    );
    assert!(
        status.pods.iter().all(|pod| pod.updated),
        "they have no versions"
    );
    assert_eq!(
        status.schedule.map(|found| found.schedule).as_deref(),
        Some("@daily")
    );
}
