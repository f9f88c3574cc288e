//! Deploys that fail for a known reason: each receipt names the cause, shows the last lines without
//! secrets, and says what came with it; one press brings back what ran before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    CreateRollback, Deploy, DeployState, DeploySummary, FailedContainer, Receipt, WorkloadStatus,
};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::wait::until;

mod killed;
mod waits;
mod ways;

use ways::{FAILURES, Failure, SECRET, VOLUMES, shows};

/// Longest time for a build or a rollout of the sample.
const LIMIT: Duration = Duration::from_mins(5);
/// Most bytes of a receipt.
const MAX_BYTES: usize = 256 * 1024;

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
    let (name, url, clone) = Clone::of_new(&forge, "receipt").await?;
    let kube = sandbox.kube().await?;
    let road = Road {
        hermez,
        forge,
        clone,
        kube,
        name,
        url,
    };
    let figures = road.travel().await;
    let cleaned = road.clean_up().await;
    let mut figures = figures?;
    cleaned?;
    let kept = killed::run(sandbox).await;
    figures["lines_kept_over_a_kill"] = kept.context("the server is killed")?;
    Ok(figures)
}

struct Road {
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    kube: kube::Client,
    name: String,
    url: String,
}

impl Road {
    async fn travel(&self) -> Result<Value> {
        let mut good = self.bring_out_a_good_one().await?;
        let mut figures = serde_json::Map::new();
        figures.insert("journey".to_owned(), json!("failure-receipt"));
        for failure in &FAILURES {
            let (deploy, told_ms) = self
                .fail(failure, &good)
                .await
                .with_context(|| format!("the failure {}", failure.name))?;
            figures.insert(format!("{}_to_cause_ms", failure.name), json!(told_ms));
            let receipt = self.receipt(deploy.summary.id).await?;
            figures.insert(
                format!("{}_gather_ms", failure.name),
                json!(receipt.evidence.took_ms),
            );
            good = self.press(&receipt).await?;
            let receipt = self.receipt(deploy.summary.id).await?;
            anyhow::ensure!(!receipt.is_current, "the rollback came after it");
        }
        for source in VOLUMES {
            self.a_volume_that_is_missing(source).await?;
        }
        good = self.a_namespace_that_denies().await?;
        self.an_image_that_is_forbidden(&good).await?;
        good = self.an_end_that_does_not_come().await?;
        self.an_image_that_is_gone(&good, &mut figures).await?;
        self.a_pod_that_is_gone(&mut figures).await?;
        self.a_build_that_fails().await?;
        Ok(Value::Object(figures))
    }

    /// The config file with that part of its container, and the secret in its environment.
    fn config(&self, container: &str) -> String {
        let sample = Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 1,
            ready_after_s: 0,
            extra_step: "",
        };
        let config = sample.config();
        let (before, probe) = config
            .split_once("          readinessProbe:")
            .unwrap_or((&config, ""));
        let probe = if container.contains("readinessProbe") {
            String::new()
        } else {
            format!("          readinessProbe:{probe}")
        };
        let before = before.replace(
            "  replicas: 1\n",
            "  replicas: 1\n  progressdeadlineseconds: 15\n",
        );
        format!(
            "{before}          env:\n            - name: DB_PASSWORD\n              value: {SECRET}\n{container}{probe}"
        )
    }

    async fn bring_out_a_good_one(&self) -> Result<Deploy> {
        let sample = Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 1,
            ready_after_s: 0,
            extra_step: "",
        };
        sample.write(&self.clone, "good\n")?;
        self.clone.write("service.yaml", self.config(""))?;
        let commit = self.clone.commit_and_push("A good page").await?;
        self.hermez
            .create_workload(&ask(&self.url, "service.yaml"))
            .await?;
        let asked = self.hermez.deploy(&self.name, &commit).await?;
        let deploy = self.ends(asked.id, DeployState::Succeeded).await?;
        let refused = self.receipt(asked.id).await.err().context("no receipt")?;
        let refused = refused.downcast::<Refused>()?;
        anyhow::ensure!(refused.status == 404, "what did not fail: {refused}");
        Ok(deploy)
    }

    /// Pushes a config file and asks for its deploy.
    async fn push(&self, container: &str, title: &str) -> Result<DeploySummary> {
        self.clone.write("service.yaml", self.config(container))?;
        let commit = self.clone.commit_and_push(title).await?;
        self.hermez
            .commit_arrives(&self.name, &commit, LIMIT)
            .await?;
        self.hermez.deploy(&self.name, &commit).await
    }

    /// Deploys what fails; the deploy, and the time from when the failure could be seen to when the
    /// receipt was there.
    async fn fail(&self, failure: &Failure, good: &Deploy) -> Result<(Deploy, u128)> {
        let title = format!("Break it: {}", failure.name);
        let asked = self.push(failure.container, &title).await?;
        let seen = self.failure_shows(asked.id, failure).await?;
        let deploy = self.ends(asked.id, DeployState::Failed).await?;
        let told_ms = seen.elapsed().as_millis();
        let receipt = self.receipt(asked.id).await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == failure.cause
                && failure
                    .says
                    .iter()
                    .all(|words| found.sentence.contains(words))
                && found.sentence == deploy.summary.message
                && !found.next_step.is_empty(),
            "the cause: {receipt:#?}"
        );
        let lines: Vec<&str> = lines(&found.containers);
        for words in failure.lines {
            anyhow::ensure!(
                lines.iter().any(|line| line.contains(words)),
                "{words:?} is in no line: {receipt:#?}"
            );
        }
        anyhow::ensure!(
            !found.containers.is_empty(),
            "what failed is named: {receipt:#?}"
        );
        self.compares(&receipt, good, &title)?;
        let text = serde_json::to_string(&receipt)?;
        for secret in [SECRET, "hunter2", "abc123"] {
            anyhow::ensure!(!text.contains(secret), "{secret:?} is in {receipt:#?}");
        }
        anyhow::ensure!(text.len() <= MAX_BYTES, "{} bytes", text.len());
        Ok((deploy, told_ms))
    }

    /// Diff, commits with authors, events and the way back.
    fn compares(&self, receipt: &Receipt, good: &Deploy, title: &str) -> Result<()> {
        let found = &receipt.evidence;
        anyhow::ensure!(found.compared_with == Some(good.summary.id), "{receipt:#?}");
        anyhow::ensure!(
            found.manifest_diff.contains("\n+") && found.missing.is_empty(),
            "the diff: {receipt:#?}"
        );
        let came = found.coming.first().context("no commit came")?;
        anyhow::ensure!(
            came.title == title && came.author == "Ada Lovelace",
            "{came:?}"
        );
        anyhow::ensure!(
            found
                .events
                .iter()
                .any(|event| event.object.contains(&self.name)),
            "the events: {:#?}",
            found.events
        );
        let back = found.rollback.as_ref().context("no way back")?;
        let goes_back = back.commit == good.summary.commit;
        anyhow::ensure!(goes_back && receipt.is_current, "{receipt:#?}");
        Ok(())
    }

    /// Waits until the cluster itself shows the failure, or the deploy has ended.
    async fn failure_shows(&self, id: i64, failure: &Failure) -> Result<Instant> {
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), &self.name);
        until("the failure shows", LIMIT, || async {
            let deploy: Deploy = self.hermez.get(&format!("/deploys/{id}")).await?;
            if deploy.summary.finished_at.is_some() {
                return Ok(Some(Instant::now()));
            }
            let listed = pods.list(&ListParams::default()).await?;
            let shows = listed.items.iter().any(|pod| shows(pod, failure.cause));
            Ok(shows.then(Instant::now))
        })
        .await
    }

    /// One press on the receipt: the very deploy that it names comes back.
    async fn press(&self, receipt: &Receipt) -> Result<Deploy> {
        let back = receipt.evidence.rollback.as_ref().context("no way back")?;
        let body = CreateRollback {
            to: Some(back.deploy_id),
            ..CreateRollback::default()
        };
        let path = format!("/workloads/{}/rollback", self.name);
        let asked: DeploySummary = self.hermez.post(&path, &body).await?;
        let deploy = self.ends(asked.id, DeployState::Succeeded).await?;
        anyhow::ensure!(
            deploy.of_deploy == Some(back.deploy_id) && deploy.summary.commit == back.commit,
            "{deploy:#?}"
        );
        let status: WorkloadStatus = self
            .hermez
            .get(&format!("/workloads/{}/status", self.name))
            .await?;
        anyhow::ensure!(status.commit.as_deref() == Some(back.commit.as_str()));
        Ok(deploy)
    }

    /// The image cannot be pulled: it is taken out of the registry before it is deployed.
    async fn an_image_that_is_gone(
        &self,
        good: &Deploy,
        figures: &mut serde_json::Map<String, Value>,
    ) -> Result<()> {
        let side = "        - name: side\n          image: SIDE\n";
        let nowhere = format!("{}/no/such@sha256:{}", registry(good)?, "0".repeat(64));
        let side = side.replace("SIDE", &nowhere);
        let mut config = self.config("");
        config.push_str(&side);
        self.clone.write("service.yaml", config)?;
        let commit = self.clone.commit_and_push("Break it: image").await?;
        self.hermez
            .commit_arrives(&self.name, &commit, LIMIT)
            .await?;
        let asked = self.hermez.deploy(&self.name, &commit).await?;
        let begun = Instant::now();
        let ended = self.ends(asked.id, DeployState::Failed).await?;
        let receipt = self.receipt(asked.id).await?;
        let found = &receipt.evidence;
        // By digest it needs no resolving, so that only the node finds out that it is not there.
        anyhow::ensure!(
            found.cause == "image_pull" && found.sentence.contains("cannot pull its image"),
            "{ended:#?} {receipt:#?}"
        );
        figures.insert(
            "image_asked_to_told_ms".to_owned(),
            json!(begun.elapsed().as_millis()),
        );
        self.compares(&receipt, good, "Break it: image")?;
        self.press(&receipt).await?;
        Ok(())
    }

    async fn a_volume_that_is_missing(&self, source: &str) -> Result<()> {
        // What no container mounts is not looked for.
        let mount =
            "          volumeMounts:\n            - name: data\n              mountPath: /data\n";
        let mut config = self.config(mount);
        config.push_str("      volumes:\n        - name: data\n          ");
        config.push_str(source);
        self.clone.write("service.yaml", config)?;
        let commit = self.clone.commit_and_push("Break it: volume").await?;
        self.hermez
            .commit_arrives(&self.name, &commit, LIMIT)
            .await?;
        let asked = self.hermez.deploy(&self.name, &commit).await?;
        self.ends(asked.id, DeployState::Failed).await?;
        let receipt = self.receipt(asked.id).await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == "config_missing"
                && found.sentence.contains("nowhere")
                && !found.next_step.is_empty(),
            "{receipt:#?}"
        );
        self.press(&receipt).await?;
        Ok(())
    }

    /// Admission refuses the pods, in its own words: the namespace takes only what is restricted.
    async fn a_namespace_that_denies(&self) -> Result<Deploy> {
        self.enforce(&json!("restricted")).await?;
        let asked = self
            .push("          imagePullPolicy: Always\n", "Break it: admission")
            .await?;
        self.ends(asked.id, DeployState::Failed).await?;
        self.enforce(&Value::Null).await?;
        let receipt = self.receipt(asked.id).await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == "admission"
                && found.sentence.contains("violates PodSecurity")
                && found.sentence.contains("runAsNonRoot"),
            "{receipt:#?}"
        );
        self.press(&receipt).await
    }

    /// Sets what Pod Security Admission lets into the namespace.
    async fn enforce(&self, level: &Value) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.kube.clone());
        let labels = json!({ "pod-security.kubernetes.io/enforce": level });
        let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
        let params = PatchParams::default();
        namespaces.patch(&self.name, &params, &patch).await?;
        Ok(())
    }

    /// A pod that crashed and was deleted: its lines are in the receipt all the same.
    async fn a_pod_that_is_gone(&self, figures: &mut serde_json::Map<String, Value>) -> Result<()> {
        let container = "          command: [\"sh\", \"-c\", \"echo last words of $HOSTNAME; sleep 5; exit 9\"]\n";
        let asked = self.push(container, "Break it: gone").await?;
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), &self.name);
        let restarted = |pod: &Pod| {
            let status = pod.status.as_ref();
            let containers = status.and_then(|it| it.container_statuses.as_ref());
            containers.is_some_and(|all| all.iter().any(|it| it.restart_count > 0))
        };
        // Once may be come over: the deploy goes on.
        let gone = until("a container has crashed once", LIMIT, || async {
            let listed = pods.list(&ListParams::default()).await?;
            let crashed = listed.items.into_iter().find(restarted);
            Ok(crashed.and_then(|pod| pod.metadata.name))
        })
        .await?;
        // The engine looks once a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = DeleteParams::default().grace_period(0);
        pods.delete(&gone, &now).await?;
        self.ends(asked.id, DeployState::Failed).await?;
        let receipt = self.receipt(asked.id).await?;
        let containers = &receipt.evidence.containers;
        let kept = containers.iter().find(|it| it.pod == gone);
        let kept = kept.with_context(|| format!("{gone} is not in {receipt:#?}"))?;
        anyhow::ensure!(
            kept.gone && kept.lines.iter().any(|line| line.text.contains(&gone)),
            "{receipt:#?}"
        );
        figures.insert("gone_pod_lines".to_owned(), json!(kept.lines.len()));
        self.press(&receipt).await?;
        Ok(())
    }

    /// A build that fails has a receipt too, with the build's last lines and no way back: what ran
    /// before still runs.
    async fn a_build_that_fails(&self) -> Result<()> {
        let broken = "FROM debian:bookworm-slim\nRUN echo password=hunter2 && exit 7\n";
        self.clone.write("Dockerfile", broken)?;
        let asked = self.push("", "Break it: build").await?;
        self.ends(asked.id, DeployState::Failed).await?;
        let receipt = self.receipt(asked.id).await?;
        let found = &receipt.evidence;
        let text: Vec<&str> = found
            .build_lines
            .iter()
            .map(|it| it.text.as_str())
            .collect();
        anyhow::ensure!(
            found.cause == "build"
                && !text.is_empty()
                && text.iter().all(|line| !line.contains("hunter2"))
                && found.rollback.is_none()
                && !receipt.is_current,
            "{receipt:#?}"
        );
        Ok(())
    }

    async fn receipt(&self, id: i64) -> Result<Receipt> {
        self.hermez.get(&format!("/deploys/{id}/receipt")).await
    }

    async fn ends(&self, id: i64, state: DeployState) -> Result<Deploy> {
        let deploy = self.hermez.deploy_ends(id, LIMIT).await?;
        anyhow::ensure!(deploy.summary.state == state, "{deploy:#?}");
        Ok(deploy)
    }

    async fn clean_up(&self) -> Result<()> {
        let path = format!("/workloads/{}", self.name);
        self.hermez.delete(&path).await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: Api<Namespace> = Api::all(self.kube.clone());
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }
}

/// The registry that a deploy's images come from.
fn registry(deploy: &Deploy) -> Result<&str> {
    let image = deploy.images.first().context("no image")?;
    image.reference.split('/').next().context("no registry")
}

fn lines(containers: &[FailedContainer]) -> Vec<&str> {
    let all = containers.iter().flat_map(|it| &it.lines);
    all.map(|line| line.text.as_str()).collect()
}
