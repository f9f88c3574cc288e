//! A stateful set whose pods write down each of their starts on their volumes.

use std::time::Duration;

use hermez_kinds::PinterestStatefulset;
use hermez_kinds::names::DEPLOY_MANAGER;
use hermez_kinds::statefulset::PinterestStatefulsetStatus;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{LogParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{PATIENCE, Sandbox, image, labels};

/// A stateful set named `hello` at a version, with more fields in its spec; the version `broken` ends
/// at once.
pub fn stateful_set(sandbox: &Sandbox, version: &str, more: &Value) -> Value {
    let script = "[ $VERSION = broken ] && exit 3; echo $VERSION >> /data/starts; cat /data/starts; trap 'exit 0' TERM; while :; do sleep 0.2; done";
    let mut set = json!({
        "apiVersion": "pinterest.com/v1",
        "kind": "PinterestStatefulset",
        "metadata": {"name": "hello", "namespace": sandbox.namespace, "labels": labels()},
        "spec": {
            "terminationgraceperiodseconds": 1,
            "volumeclaims": [{"name": "data", "storage": "1Mi"}],
            "template": {"spec": {"containers": [{
                "name": "hello",
                "image": image(),
                "command": ["/bin/sh", "-c", script],
                "env": [{"name": "VERSION", "value": version}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "resources": {"requests": {"cpu": "10m", "memory": "1Mi"}},
            }]}},
        },
    });
    let fields = set["spec"].as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    set
}

/// Applies a stateful set as a deploy would.
pub async fn apply(
    sandbox: &Sandbox,
    version: &str,
    more: Value,
) -> Result<PinterestStatefulset, kube::Error> {
    let body = stateful_set(sandbox, version, &more);
    let params = PatchParams::apply(DEPLOY_MANAGER).force();
    let patch = Patch::Apply(&body);
    sandbox.api().patch("hello", &params, &patch).await
}

/// Waits until its status is as wanted.
pub async fn until(
    sandbox: &Sandbox,
    what: &str,
    wanted: impl Fn(&PinterestStatefulsetStatus) -> bool,
) -> PinterestStatefulsetStatus {
    let holds = |set: &PinterestStatefulset| {
        let status = set.status.clone().unwrap_or_default();
        status.observed_generation == set.metadata.generation && wanted(&status)
    };
    let found = sandbox.until("hello", what, holds).await;
    found.status.expect("a status")
}

/// Waits until nothing is left to do.
pub async fn settled(sandbox: &Sandbox) -> PinterestStatefulsetStatus {
    until(sandbox, "settled", |status| {
        said(status, "Reconciling").is_none()
            && said(status, "Available").is_some_and(|said| said.0 == "True")
    })
    .await
}

/// Status, reason and message of a condition.
pub fn said(status: &PinterestStatefulsetStatus, kind: &str) -> Option<(String, String, String)> {
    let found = status.conditions.iter().find(|found| found.type_ == kind)?;
    let (reason, message) = (found.reason.clone(), found.message.clone());
    Some((found.status.clone(), reason, message))
}

/// What a pod found on its volume when it started: the versions of all of its starts.
pub async fn starts(sandbox: &Sandbox, pod: &str) -> Vec<String> {
    let written = async {
        loop {
            let log = sandbox.api::<Pod>().logs(pod, &LogParams::default()).await;
            let log = log.expect("a log");
            // It runs, and thus is available, some time before it writes.
            if !log.is_empty() {
                return log.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let written = tokio::time::timeout(PATIENCE, written).await;
    written.unwrap_or_else(|_| panic!("{pod} has written nothing within {PATIENCE:?}"))
}
