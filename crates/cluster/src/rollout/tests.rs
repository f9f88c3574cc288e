//! Rollouts, from objects as the API server writes them.

#![allow(clippy::needless_pass_by_value)] // the helpers take literals

use std::sync::Arc;

use hermez_kinds::Kind;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::view::{DeploymentView, EventView, ReplicaSetView};

mod pods;
mod road;
mod told;

const DEPLOY: i64 = 7;

/// Seconds after the beginning of the test's time, as Kubernetes writes it.
fn time(second: i64) -> String {
    Timestamp::from_second(1_800_000_000 + second)
        .expect("in range")
        .to_string()
}

fn now(second: i64) -> Timestamp {
    time(second).parse().expect("a time")
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of Kubernetes")
}

fn mk_declared(deploy: i64, conditions: Value) -> Arc<Declared> {
    let object: DynamicObject = read(json!({
        "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
        "metadata": {
            "name": "hello", "generation": 2,
            "annotations": {"hermez.dev/deploy": deploy.to_string()},
            "managedFields": [{"manager": "hermez", "operation": "Apply", "time": time(0)}],
        },
        "spec": {"replicas": 3},
        "status": {"observedGeneration": 2, "conditions": conditions},
    }));
    Arc::new(Declared::read(Kind::Service, &object))
}

/// A Deployment of 3 pods in its second version; `status` is merged into its status.
fn mk_deployment(desired: i32, status: Value) -> Arc<DeploymentView> {
    let mut value = json!({
        "metadata": {
            "name": "hello", "generation": 5,
            "annotations": {
                "hermez.dev/deploy": DEPLOY.to_string(),
                "deployment.kubernetes.io/revision": "2",
            },
        },
        "spec": {
            "replicas": desired, "progressDeadlineSeconds": 60,
            "selector": {}, "template": {},
        },
        "status": {"observedGeneration": 5},
    });
    for (key, field) in status.as_object().expect("fields") {
        value["status"][key] = field.clone();
    }
    Arc::new((&read::<Deployment>(value)).into())
}

fn mk_set(hash: &str, revision: i64, conditions: Value) -> Arc<ReplicaSetView> {
    let set: ReplicaSet = read(json!({
        "metadata": {
            "name": format!("hello-{hash}"),
            "labels": {"pod-template-hash": hash},
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
        },
        "spec": {"selector": {}},
        "status": {"replicas": 0, "conditions": conditions},
    }));
    Arc::new((&set).into())
}

/// A pod made at second 0, with one container in that state.
fn mk_pod(name: &str, hash: &str, ready: bool, container: Value) -> Value {
    let mut status = json!({
        "name": "app", "image": "i", "imageID": "", "ready": ready, "restartCount": 0,
    });
    for (key, field) in container.as_object().expect("fields") {
        status[key] = field.clone();
    }
    json!({
        "metadata": {
            "name": name, "creationTimestamp": time(0), "labels": {"pod-template-hash": hash},
        },
        "spec": {"nodeName": "node", "containers": [{"name": "app", "image": "registry/app@sha256:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": if ready { "True" } else { "False" }},
                {"type": "PodScheduled", "status": "True"},
            ],
            "containerStatuses": [status],
        },
    })
}

fn mk_ready(name: &str) -> Value {
    mk_pod(name, "new", true, json!({"state": {"running": {}}}))
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": message}}})
}

fn crashed(restarts: i32, end: Value) -> Value {
    json!({
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {"terminated": end}, "restartCount": restarts,
    })
}

fn mk_event(pod: &str, reason: &str, message: &str, count: i32) -> Arc<EventView> {
    let event: Event = read(json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": pod},
        "type": "Warning", "reason": reason, "message": message, "count": count,
        "lastTimestamp": time(1),
    }));
    Arc::new((&event).into())
}

/// The deploy's own workload of 3 pods, with a Deployment, an old and a new ReplicaSet.
fn mk_workload(pods: Vec<Value>) -> Workload {
    let status =
        json!({"replicas": 4, "updatedReplicas": 3, "readyReplicas": 1, "availableReplicas": 1});
    Workload {
        declared: Some(mk_declared(DEPLOY, json!([]))),
        deployment: Some(mk_deployment(3, status)),
        replica_sets: vec![mk_set("old", 1, json!([])), mk_set("new", 2, json!([]))],
        pods: pods
            .into_iter()
            .map(|pod| Arc::new(PodView::from(&read::<Pod>(pod))))
            .collect(),
        ..Workload::default()
    }
}

fn at(workload: &Workload, second: i64) -> Rollout {
    assess(&RolloutInput {
        workload,
        now: now(second),
        deploy_id: DEPLOY,
    })
}

/// Cause and message of a failure.
fn failure(workload: &Workload, second: i64) -> (FailureCause, String) {
    match at(workload, second) {
        Rollout::Failed { cause, message, .. } => (cause, message),
        other => panic!("not a failure: {other:?}"),
    }
}

fn is_waiting(workload: &Workload) -> bool {
    matches!(at(workload, 0), Rollout::Waiting { .. })
}

fn is_progressing(workload: &Workload, second: i64) -> bool {
    matches!(at(workload, second), Rollout::Progressing { .. })
}
