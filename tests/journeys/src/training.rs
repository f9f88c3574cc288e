//! Training: four workers meet through their variables and reduce, lose one of them, and end with
//! the right result from their checkpoint; a gang that cannot fit starts nothing, and one that fails says
//! how its member ended. One of a pull request runs once, when somebody asks for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{Deploy, DeployState};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::batch::{Batch, LIMIT, Pull};
use crate::sandbox::Sandbox;
use crate::wait::until;

/// The program of all workers.
const PROGRAM: &str = include_str!("../fixtures/allreduce.pl");
/// Workers of the gang.
const WORKERS: u64 = 4;
/// Steps of the training, 0.2 s each.
const STEPS: u64 = 60;
/// Steps of the pull request's training, which goes on from the same checkpoint.
const MORE_STEPS: u64 = 65;

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let batch = Batch::prepare(sandbox, "PinterestTrainingJob", "training").await?;
    let disk = Disk::new(sandbox, &batch).await?;
    let result = travel(&batch, &disk).await;
    let removed = disk.remove(&batch).await;
    let cleaned = batch.clean_up().await;
    let figures = result?;
    removed.and(cleaned)?;
    Ok(figures)
}

fn config(name: &str, cpu: &str, steps: u64) -> String {
    format!(
        "apiVersion: pinterest.com/v1
kind: PinterestTrainingJob
metadata:
  name: {name}
  project: journeys
  namespace: {name}
spec:
  framework: pytorch
  terminationgraceperiodseconds: 2
  checkpoint:
    claim: checkpoint
    mountpath: /checkpoint
  configs: {{STEPS: \"{steps}\"}}
  members:
    - role: worker
      replicas: {WORKERS}
      template:
        spec:
          containers:
            - name: {name}
              image: {name}
              resources: {{requests: {{cpu: {cpu}, memory: 16Mi}}}}
"
    )
}

async fn travel(batch: &Batch, disk: &Disk) -> Result<Value> {
    let name = batch.name.as_str();
    batch.clone.write("allreduce.pl", PROGRAM)?;
    batch.clone.write(
        "Dockerfile",
        "FROM debian:bookworm-slim\nCOPY allreduce.pl /\nCMD [\"perl\", \"/allreduce.pl\"]\n",
    )?;
    batch
        .clone
        .write("training.yaml", config(name, "10m", STEPS))?;
    let first = batch.clone.commit_and_push("Train").await?;
    batch.create("training.yaml").await?;
    let more = config(name, "10m", MORE_STEPS);
    let pull = batch.open_pull_request("training.yaml", &more).await?;

    let begun = Instant::now();
    let deploy = batch.deploy(&first).await?;
    let deployed = begun.elapsed();
    anyhow::ensure!(
        deploy.summary.state == DeployState::Succeeded,
        "{deploy:#?}"
    );
    until("five steps", LIMIT, || async {
        Ok((disk.steps() >= 5).then_some(()))
    })
    .await?;
    let lost_at = disk.steps();
    let began = Instant::now();
    lose_a_worker(batch).await?;
    let second = |status: &Value| {
        status["attempt"] == 2 && (status["phase"] == "Running" || status["phase"] == "Completed")
    };
    batch.status("the second attempt runs", second).await?;
    let recovered = began.elapsed();
    let status = batch
        .status("the training has succeeded", |status| {
            status["phase"] == "Completed"
        })
        .await?;
    anyhow::ensure!(
        status["restarts"] == 1 && status["readyPods"] == WORKERS,
        "{status:#}"
    );
    let resumed = disk.first_number("began-2").context("a second attempt")?;
    anyhow::ensure!(
        (lost_at..STEPS).contains(&resumed),
        "lost after step {lost_at}, went on after step {resumed}"
    );
    let right = result_of(STEPS);
    disk.has_result(right)?;
    for rank in 0..WORKERS {
        batch
            .logged(&format!("rank {rank} ends with {right}"))
            .await?;
    }
    let run = of_a_pull_request(&pull, disk).await?;
    pull.push("training.yaml", &config(name, "10m", 1_000_000))
        .await?;
    let words = does_not_fit(batch).await?;
    fails_with_its_last_words(batch).await?;
    pull.ran_once(&run).await?;
    pull.close().await?;
    Ok(json!({
        "journey": "training",
        "workers": WORKERS,
        "deployed_ms": deployed.as_millis() as u64,
        "lost_after_step": lost_at,
        "resumed_after_step": resumed,
        "recovered_ms": recovered.as_millis() as u64,
        "result": right,
        "too_large": words,
    }))
}

/// What a training of so many steps ends with.
fn result_of(steps: u64) -> u64 {
    steps * (steps + 1) / 2 * WORKERS * (WORKERS + 1) / 2
}

/// The training of a pull request has not run by itself; it does when it is asked for, with its own
/// number of steps and the claim that its file names. Gives its status.
async fn of_a_pull_request(pull: &Pull<'_>, disk: &Disk) -> Result<Value> {
    pull.nothing_runs().await?;
    let status = pull.runs_when_asked().await?;
    let workers = pull.pods("worker").await?;
    anyhow::ensure!(
        workers.len() as u64 == WORKERS && status["readyPods"] == WORKERS,
        "{status:#} {workers:#?}"
    );
    let right = result_of(MORE_STEPS);
    disk.has_result(right)?;
    for rank in 0..WORKERS {
        pull.says("worker", &format!("rank {rank} ends with {right}"))
            .await?;
    }
    Ok(status)
}

async fn lose_a_worker(batch: &Batch) -> Result<()> {
    let pods = batch.pods().await?;
    let host = format!("{}-worker-2", batch.name);
    let is_it =
        |pod: &&Pod| pod.spec.as_ref().and_then(|spec| spec.hostname.as_deref()) == Some(&host);
    let pod = pods.iter().find(is_it).context("a worker of rank 2")?;
    let api: Api<Pod> = Api::namespaced(batch.kube.clone(), &batch.name);
    api.delete(&pod.name_any(), &DeleteParams::default())
        .await?;
    Ok(())
}

/// Deploys a gang that no node has room for; returns what it says it is short of.
async fn does_not_fit(batch: &Batch) -> Result<String> {
    batch
        .clone
        .write("training.yaml", config(&batch.name, "64", STEPS))?;
    let large = batch.clone.commit_and_push("Ask for too much").await?;
    batch
        .hermez
        .artifact_available(&batch.name, &large, LIMIT)
        .await?;
    let asked = batch.hermez.deploy(&batch.name, &large).await?;
    let short = |status: &Value| {
        status["waiting"]
            .as_str()
            .is_some_and(|words| words.starts_with("room: "))
    };
    let status = batch.status("the gang is short of room", short).await?;
    let words = status["waiting"].as_str().unwrap_or_default().to_owned();
    anyhow::ensure!(
        words.contains("4 of 4 pods find no node; short of") && words.contains("cpu"),
        "{words}"
    );
    // The deploy says so too, as long as it waits.
    let path = format!("/deploys/{}", asked.id);
    until("the deploy says what it waits for", LIMIT, || async {
        let deploy: Deploy = batch.hermez.get(&path).await?;
        Ok(serde_json::to_string(&deploy)?
            .to_lowercase()
            .contains("waits for room: ")
            .then_some(()))
    })
    .await?;
    let pods = batch.pods().await?;
    let held = |pod: &Pod| {
        pod.spec
            .as_ref()
            .is_some_and(|spec| spec.node_name.is_none() && spec.scheduling_gates.is_some())
    };
    anyhow::ensure!(
        pods.len() as u64 == WORKERS && pods.iter().all(held),
        "{pods:#?}"
    );
    let _: Value = batch
        .hermez
        .post(&format!("{path}/cancel"), &json!({}))
        .await?;
    batch
        .hermez
        .deploy_ends(asked.id, Duration::from_mins(1))
        .await?;
    Ok(words)
}

/// A member that fails is the deploy's failure: with its exit code, and what it said last.
async fn fails_with_its_last_words(batch: &Batch) -> Result<()> {
    let name = batch.name.as_str();
    let image = format!("image: {name}\n");
    let command = "command: [sh, -c, \"echo no checkpoint; exit 3\"]";
    let config = config(name, "10m", STEPS)
        .replace(&image, &format!("{image}              {command}\n"))
        .replace("  members:\n", "  maxrestarts: 0\n  members:\n");
    batch.clone.write("training.yaml", config)?;
    let commit = batch.clone.commit_and_push("Find no checkpoint").await?;
    let how = format!("container {name} ended with exit code 3");
    batch.fails_to_deploy(&commit, &how, "no checkpoint").await
}

/// A folder of the node, as the claim `checkpoint` in the workload's namespace.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    async fn new(sandbox: &Sandbox, batch: &Batch) -> Result<Self> {
        let name = batch.name.as_str();
        let folder = sandbox.status.data_dir.join("test-volumes").join(name);
        std::fs::create_dir_all(&folder)?;
        let namespaces: Api<Namespace> = Api::all(batch.kube.clone());
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
        let size = json!({"storage": "1Mi"});
        let volume: PersistentVolume = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "capacity": size, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                "hostPath": {"path": folder}, "persistentVolumeReclaimPolicy": "Retain",
            },
        }))?;
        Api::all(batch.kube.clone())
            .create(&PostParams::default(), &volume)
            .await?;
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": {"name": "checkpoint"},
            "spec": {
                "accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name,
                "resources": {"requests": size},
            },
        }))?;
        Api::namespaced(batch.kube.clone(), name)
            .create(&PostParams::default(), &claim)
            .await?;
        Ok(Self { folder })
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(file)).ok()
    }

    fn first_number(&self, file: &str) -> Option<u64> {
        self.read(file)?.split_whitespace().next()?.parse().ok()
    }

    /// Steps that the checkpoint has.
    fn steps(&self) -> u64 {
        self.first_number("checkpoint").unwrap_or(0)
    }

    fn has_result(&self, right: u64) -> Result<()> {
        anyhow::ensure!(
            self.first_number("result") == Some(right),
            "the result should be {right}: {:?}",
            self.read("result")
        );
        Ok(())
    }

    async fn remove(&self, batch: &Batch) -> Result<()> {
        let volumes: Api<PersistentVolume> = Api::all(batch.kube.clone());
        volumes
            .delete(&batch.name, &DeleteParams::default())
            .await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}
