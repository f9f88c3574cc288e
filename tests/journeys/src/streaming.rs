//! Streaming: a Flink job from its repository to an upgrade that keeps its state, and back from one
//! that fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{Deploy, DeployState, WorkloadPlan};
use hermez_kinds::PinterestStreamingJob;
use hermez_kinds::streamingjob::{PinterestStreamingJobStatus, Stage};
use hermez_sandbox::{flink_image, paths};
use serde_json::{Value, json};

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sandbox::Sandbox;
use crate::wait::until;

/// Longest time for a build, a start or an upgrade: two virtual machines of Java on a laptop.
const LIMIT: Duration = Duration::from_mins(10);
/// The example's repository.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/streaming");

/// Runs the journey; its times are in milliseconds.
///
/// # Errors
/// When anything on the way is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let status = sandbox.status.clone();
    // Blocking, and the first time on a machine a matter of minutes.
    tokio::task::spawn_blocking(move || {
        let pins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sandbox");
        flink_image::publish(&status, pins.as_ref(), &paths::cache_dir()?)?;
        anyhow::Ok(())
    })
    .await??;
    let journey = Streaming::prepare(sandbox).await?;
    let result = journey.travel().await;
    journey.clean_up(sandbox).await?;
    result
}

/// Why the job cannot go on, when it cannot.
fn stalled(status: &PinterestStreamingJobStatus) -> Option<String> {
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|condition| condition.type_ == "Stalled")?;
    Some(found.message.clone())
}

struct Streaming {
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    name: String,
    url: String,
    jobs: kube::Api<PinterestStreamingJob>,
    /// Folder that the job's pods share.
    state: std::path::PathBuf,
}

impl Streaming {
    async fn prepare(sandbox: &Sandbox) -> Result<Self> {
        let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
        let (name, url, clone) = Clone::of_new(&forge, "streaming").await?;
        let state = sandbox.status.data_dir.join("var/streaming").join(&name);
        let jobs = kube::Api::namespaced(sandbox.kube().await?, &name);
        Ok(Self {
            hermez,
            forge,
            clone,
            name,
            url,
            jobs,
            state,
        })
    }

    /// Writes the repository: the example's, under the journey's name, with a class and a word.
    fn write(&self, class: &str, word: &str) -> Result<()> {
        for file in ["Dockerfile", "src/Counting.java"] {
            let content = std::fs::read_to_string(format!("{EXAMPLE}/{file}"))?;
            self.clone.write(file, content)?;
        }
        let config = std::fs::read_to_string(format!("{EXAMPLE}/streaming.yaml"))?;
        let state = self.state.display().to_string();
        let config = config
            .replace(
                "name: counting\n",
                &format!("name: {0}\n  namespace: {0}\n", self.name),
            )
            .replace("class: Counting", &format!("class: {class}"))
            .replace("hello]", &format!("{word}]"))
            .replace("/var/tmp/hermez-counting", &state)
            .replace(
                "checkpointintervalseconds: 10",
                "checkpointintervalseconds: 2",
            );
        self.clone.write("streaming.yaml", config)?;
        Ok(())
    }

    async fn travel(&self) -> Result<Value> {
        let begun = Instant::now();
        self.write("Counting", "one")?;
        let first = self.clone.commit_and_push("First version").await?;
        let create = ask(&self.url, "streaming.yaml");
        let plan: WorkloadPlan = self.hermez.post("/workloads/plan", &create).await?;
        anyhow::ensure!(plan.workload_type == "PinterestStreamingJob", "{plan:?}");
        self.hermez.create_workload(&create).await?;
        self.hermez
            .artifact_available(&self.name, &first, LIMIT)
            .await?;
        let built_ms = begun.elapsed().as_millis() as u64;

        let begun = Instant::now();
        self.deploy(&first, DeployState::Succeeded).await?;
        let started_ms = begun.elapsed().as_millis() as u64;
        let status = self.status().await?;
        let told = status.job.context("a job in the status")?;
        anyhow::ensure!(told.state == "RUNNING", "{told:?}");
        let checkpoint = until("a checkpoint", LIMIT, || async {
            Ok(self.status().await?.last_checkpoint)
        })
        .await?;

        let begun = Instant::now();
        self.write("Counting", "two")?;
        let second = self.clone.commit_and_push("Second version").await?;
        self.hermez
            .artifact_available(&self.name, &second, LIMIT)
            .await?;
        self.deploy(&second, DeployState::Succeeded).await?;
        let upgraded_ms = begun.elapsed().as_millis() as u64;
        let upgraded = self.status().await?;
        let savepoint = upgraded.last_savepoint.context("a savepoint")?.path;
        let restored = upgraded.restored.context("what it was restored from")?;
        anyhow::ensure!(
            restored.savepoint && restored.path.as_ref() == Some(&savepoint),
            "restored from {restored:?}, not from {savepoint}"
        );

        let begun = Instant::now();
        self.write("NoSuchClass", "three")?;
        let bad = self
            .clone
            .commit_and_push("A version that cannot start")
            .await?;
        self.hermez
            .artifact_available(&self.name, &bad, LIMIT)
            .await?;
        self.deploy(&bad, DeployState::Failed).await?;
        let back = until("the old version runs again", LIMIT, || async {
            let status = self.status().await?;
            Ok(stalled(&status).is_some().then_some(status))
        })
        .await?;
        let returned_ms = begun.elapsed().as_millis() as u64;
        let said = stalled(&back).unwrap_or_default();
        anyhow::ensure!(said.contains("NoSuchClass"), "it says why: {said:?}");
        anyhow::ensure!(
            back.stage == Some(Stage::Running) && back.revision == upgraded.revision,
            "the old version runs again: {back:?}"
        );
        let newest = back.last_savepoint.context("a savepoint")?.path;
        let restored = back.restored.and_then(|restored| restored.path);
        anyhow::ensure!(
            newest != savepoint && restored == Some(newest),
            "{restored:?}"
        );
        Ok(json!({
            "journey": "streaming",
            "built_ms": built_ms,
            "started_ms": started_ms,
            "upgraded_with_savepoint_ms": upgraded_ms,
            "returned_from_bad_version_ms": returned_ms,
            "checkpoint_ms": checkpoint.duration_ms,
            "checkpoint_bytes": checkpoint.size_bytes,
        }))
    }

    async fn status(&self) -> Result<PinterestStreamingJobStatus> {
        let job = self.jobs.get(&self.name).await?;
        job.status.context("the streaming job has no status")
    }

    async fn deploy(&self, commit: &str, wanted: DeployState) -> Result<Deploy> {
        let asked = self.hermez.deploy(&self.name, commit).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(deploy.summary.state == wanted, "{deploy:#?}");
        Ok(deploy)
    }

    async fn clean_up(&self, sandbox: &Sandbox) -> Result<()> {
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(sandbox.kube().await?);
        let params = kube::api::DeleteParams::default();
        namespaces.delete(&self.name, &params).await?;
        until("the namespace is gone", LIMIT, || async {
            Ok(namespaces
                .get_opt(&self.name)
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
        if self.state.exists() {
            std::fs::remove_dir_all(&self.state)?;
        }
        Ok(())
    }
}
