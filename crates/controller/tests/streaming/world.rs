//! Streaming jobs of the tests: the image, the spec, what Flink says, and waiting for more than a
//! minute.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hermez_kinds::PinterestStreamingJob;
use hermez_kinds::names::DEPLOY_MANAGER;
use hermez_kinds::streamingjob::{PinterestStreamingJobStatus, Stage, service_name};
use hermez_sandbox::status::Status;
use hermez_sandbox::{flink_image, paths, status};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, labels};

/// Longest wait for a stage of a Flink job. Two virtual machines of Java start in it.
const PATIENCE: Duration = Duration::from_mins(8);
/// Name of the jobs.
pub const NAME: &str = "counting";

/// A condition's status, reason and message.
pub type Told = Option<(String, String, String)>;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cluster() -> Status {
    let folder = paths::default_data_dir().expect("a data folder");
    status::read(&folder).expect("a local cluster (`cargo xtask up --detach`)")
}

/// The image of Flink itself, made and published once.
fn flinks_image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let cache = paths::cache_dir().expect("a cache");
        let published = flink_image::publish(&cluster(), &repository().join("sandbox"), &cache);
        published.expect("published")
    })
}

/// The image of the example job, made once.
fn image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        flinks_image();
        let cluster = cluster();
        let name = format!("{}/tests/counting:1", cluster.registry);
        let context = repository().join("examples/streaming");
        let output = Command::new(&cluster.buildctl)
            .args(["--addr", &cluster.buildkit, "build", "--frontend=dockerfile.v0"])
            .arg(format!("--local=context={}", context.display()))
            .arg(format!("--local=dockerfile={}", context.display()))
            .arg(format!(
                "--output=type=image,name={name},push=true,registry.insecure=true,compression=uncompressed"
            ))
            .output()
            .expect("buildctl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        name
    })
}

/// A folder of the machine that the pods of one test share.
pub struct State(pub PathBuf);

impl State {
    pub fn of(sandbox: &Sandbox) -> State {
        State(
            cluster()
                .data_dir
                .join("var/streaming")
                .join(&sandbox.namespace),
        )
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Pods may still write into it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The spec of the example job, small, with a quick timeout.
pub fn spec(state: &State, word: &str) -> Value {
    json!({
        "terminationgraceperiodseconds": 5,
        "flink": {
            "job": {"class": "Counting", "jar": "/opt/flink/usrlib/counting.jar", "args": ["200", word]},
            "state": {"dir": "file:///state", "volume": "state"},
            "checkpointintervalseconds": 2,
            "jobmanager": {"memory": "640m"},
            "taskmanager": {"memory": "768m"},
            "upgrade": {"timeoutseconds": 240},
            "configuration": {
                "jobmanager.memory.jvm-metaspace.size": "128m",
                "jobmanager.memory.jvm-overhead.min": "64m",
                "taskmanager.memory.jvm-metaspace.size": "128m",
                "taskmanager.memory.jvm-overhead.min": "64m",
            },
        },
        "template": {"spec": {
            "containers": [{"name": "flink", "image": image()}],
            "volumes": [{
                "name": "state",
                "hostPath": {"path": state.0, "type": "DirectoryOrCreate"},
            }],
        }},
    })
}

/// The spec of one of Flink's own example jobs: state machines whose events are checked for each
/// address, which is its keyed state.
pub fn flinks_own(state: &State, error_rate: &str) -> Value {
    let mut spec = spec(state, "");
    spec["flink"]["job"] = json!({
        "class": "org.apache.flink.streaming.examples.statemachine.StateMachineExample",
        "jar": format!("/opt/flink/examples/streaming/{}", flink_image::EXAMPLES),
        "args": ["--rps", "100", "--error-rate", error_rate],
    });
    spec["template"]["spec"]["containers"][0]["image"] = json!(flinks_image());
    spec
}

/// Applies a streaming job as a deploy would.
pub async fn apply(sandbox: &Sandbox, spec: &Value) -> Result<PinterestStreamingJob, kube::Error> {
    let body = json!({
        "apiVersion": "pinterest.com/v1", "kind": "PinterestStreamingJob",
        "metadata": {
            "name": NAME, "namespace": sandbox.namespace, "labels": labels(),
        },
        "spec": spec,
    });
    let params = PatchParams::apply(DEPLOY_MANAGER).force();
    sandbox
        .api()
        .patch(NAME, &params, &Patch::Apply(&body))
        .await
}

pub fn status_of(job: &PinterestStreamingJob) -> PinterestStreamingJobStatus {
    job.status.clone().unwrap_or_default()
}

/// What the job's condition says.
pub fn condition(job: &PinterestStreamingJob, kind: &str) -> Told {
    let status = status_of(job);
    let found = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some((
        found.status.clone(),
        found.reason.clone(),
        found.message.clone(),
    ))
}

/// Waits until the job is as wanted.
pub async fn until(
    sandbox: &Sandbox,
    what: &str,
    wanted: impl Fn(&PinterestStreamingJob) -> bool,
) -> PinterestStreamingJob {
    let api = sandbox.api::<PinterestStreamingJob>();
    let condition = |job: Option<&PinterestStreamingJob>| job.is_some_and(&wanted);
    let wait = kube::runtime::wait::await_condition(api.clone(), NAME, condition);
    if let Ok(found) = tokio::time::timeout(PATIENCE, wait).await {
        return found.expect("watched").expect("present");
    }
    let last = api.get(NAME).await.map(|job| status_of(&job));
    panic!("the job did not become \"{what}\" within {PATIENCE:?}: {last:#?}")
}

/// Waits until the newest spec runs and nothing is left to do.
pub async fn runs(sandbox: &Sandbox) -> PinterestStreamingJob {
    until(sandbox, "running and settled", |job| {
        let status = status_of(job);
        status.observed_generation == job.metadata.generation
            && status.stage == Some(Stage::Running)
            && condition(job, "Available").is_some_and(|told| told.0 == "True")
            && condition(job, "Reconciling").is_none()
            && condition(job, "Stalled").is_none()
    })
    .await
}

/// What Flink answers at a path.
pub async fn flink(sandbox: &Sandbox, path: &str) -> Result<Value, kube::Error> {
    let uri = format!(
        "/api/v1/namespaces/{}/services/{}:rest/proxy{path}",
        sandbox.namespace,
        service_name(NAME)
    );
    let request = http::Request::get(uri).body(Vec::new()).expect("a request");
    sandbox.client.request(request).await
}

/// How many numbers the job has counted in all, over all of its lives.
pub async fn counted(sandbox: &Sandbox) -> i64 {
    let begun = Instant::now();
    loop {
        if let Some(count) = try_counted(sandbox).await {
            return count;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the job does not tell what it counted"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn try_counted(sandbox: &Sandbox) -> Option<i64> {
    let job = sandbox
        .api::<PinterestStreamingJob>()
        .get(NAME)
        .await
        .ok()?;
    let id = status_of(&job).job?.id;
    let details = flink(sandbox, &format!("/jobs/{id}")).await.ok()?;
    let vertices = details["vertices"].as_array()?;
    let vertex = vertices.iter().find(|vertex| {
        vertex["name"]
            .as_str()
            .is_some_and(|name| name.contains("Count"))
    })?;
    let metrics = format!(
        "/jobs/{id}/vertices/{}/subtasks/metrics",
        vertex["id"].as_str()?
    );
    let names = flink(sandbox, &metrics).await.ok()?;
    let name = names
        .as_array()?
        .iter()
        .find_map(|metric| metric["id"].as_str().filter(|id| id.ends_with("counted")))?;
    let found = flink(sandbox, &format!("{metrics}?get={name}"))
        .await
        .ok()?;
    let sum = found.pointer("/0/sum")?.as_f64()?;
    // It is 0 until the state is there.
    (sum > 0.0).then_some(sum as i64)
}
