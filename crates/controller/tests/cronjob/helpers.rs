//! A cron job of one quick container, and kubectl as people use it.

use std::path::PathBuf;
use std::time::Duration;

use hermez_kinds::PinterestCronJob;
use hermez_kinds::cronjob::{PinterestCronJobStatus, RunStatus};
use hermez_kinds::names::DEPLOY_MANAGER;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Sandbox, image, labels};

/// A schedule that does not fire while a test runs.
pub const SELDOM: &str = "0 0 29 2 *";

/// A cron job named `hello` that runs `script`, with more fields in its spec.
pub fn cron_job(sandbox: &Sandbox, script: &str, more: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "pinterest.com/v1",
        "kind": "PinterestCronJob",
        "metadata": {"name": "hello", "namespace": sandbox.namespace, "labels": labels()},
        "spec": {
            "schedule": SELDOM,
            "terminationgraceperiodseconds": 1,
            "template": {"spec": {"containers": [{
                "name": "hello",
                "image": image(),
                "command": ["/bin/sh", "-c", script, "hello"],
                "resources": {"requests": {"cpu": "10m", "memory": "1Mi"}},
            }]}},
        },
    });
    let fields = job["spec"].as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    job
}

/// Applies a cron job as a deploy would.
pub async fn apply(
    sandbox: &Sandbox,
    script: &str,
    more: Value,
) -> Result<PinterestCronJob, kube::Error> {
    let body = cron_job(sandbox, script, &more);
    let params = PatchParams::apply(DEPLOY_MANAGER).force();
    let patch = Patch::Apply(&body);
    sandbox.api().patch("hello", &params, &patch).await
}

/// Waits until its status is as wanted, for longer than the minute that a schedule may take.
pub async fn until(
    sandbox: &Sandbox,
    what: &str,
    wanted: impl Fn(&PinterestCronJobStatus) -> bool,
) -> PinterestCronJobStatus {
    let api = sandbox.api::<PinterestCronJob>();
    let holds = |job: Option<&PinterestCronJob>| {
        job.is_some_and(|job| {
            let status = job.status.clone().unwrap_or_default();
            status.observed_generation == job.metadata.generation && wanted(&status)
        })
    };
    let wait = kube::runtime::wait::await_condition(api.clone(), "hello", holds);
    if let Ok(found) = tokio::time::timeout(Duration::from_mins(3), wait).await {
        let found = found.expect("watched").expect("present");
        return found.status.expect("a status");
    }
    let last = api.get_opt("hello").await;
    panic!("hello did not become \"{what}\": {last:#?}")
}

/// Waits until nothing is left to do for the controller.
pub async fn settled(sandbox: &Sandbox) -> PinterestCronJobStatus {
    until(sandbox, "settled", |status| {
        said(status, "Reconciling").is_none()
    })
    .await
}

/// Waits until its newest run has ended.
pub async fn ended(sandbox: &Sandbox) -> RunStatus {
    let over = |status: &PinterestCronJobStatus| {
        let newest = status.runs.first();
        newest.is_some_and(|run| run.outcome != "Running")
    };
    until(sandbox, "run", over).await.runs.swap_remove(0)
}

/// Status, reason and message of a condition.
pub fn said(status: &PinterestCronJobStatus, kind: &str) -> Option<(String, String, String)> {
    let found = status.conditions.iter().find(|found| found.type_ == kind)?;
    let (reason, message) = (found.reason.clone(), found.message.clone());
    Some((found.status.clone(), reason, message))
}

/// What kubectl prints, in the test's namespace.
pub async fn kubectl(sandbox: &Sandbox, arguments: &[&str]) -> Result<String, String> {
    let folder = std::env::var_os("HERMEZ_SANDBOX").map(PathBuf::from);
    let folder = folder.expect("HERMEZ_SANDBOX");
    let state = std::fs::read(folder.join("state.json")).expect("the sandbox's state");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    let output = Command::new(state["kubectl"].as_str().expect("kubectl"))
        .arg("--kubeconfig")
        .arg(folder.join("kubeconfig"))
        .args(["--namespace", &sandbox.namespace])
        .args(arguments)
        .output()
        .await
        .expect("kubectl runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
