//! The main job: a commit's whole road, twice, and what of its time is Hermez's own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    ArtifactStatus, BuildState, Deploy, DeployState, DeploySummary, Page, Workload, WorkloadPlan,
    WorkloadStatus,
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::wait::until;

/// Longest time for a build or a rollout of the sample.
const LIMIT: Duration = Duration::from_mins(3);
/// How many timed rounds of each way.
const ROUNDS: usize = 5;

/// Runs the journey; its figures are medians over the timed rounds, in milliseconds.
///
/// # Errors
/// When anything on the road is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let road = Road::prepare(sandbox).await?;
    let result = road.travel(sandbox).await;
    road.clean_up(sandbox).await?;
    result
}

/// A workload of the journey's own.
struct Road {
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    name: String,
    url: String,
}

impl Road {
    async fn prepare(sandbox: &Sandbox) -> Result<Self> {
        let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
        let (name, url, clone) = Clone::of_new(&forge, "road").await?;
        Ok(Self {
            hermez,
            forge,
            clone,
            name,
            url,
        })
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        }
    }

    async fn travel(&self, sandbox: &Sandbox) -> Result<Value> {
        let (hermez, name) = (&self.hermez, self.name.as_str());
        self.sample().write(&self.clone, "first\n")?;
        let first = self.clone.commit_and_push("First page").await?;
        self.create(&first).await?;

        let commit = hermez.artifact_available(name, &first, LIMIT).await?;
        self.check_artifact(sandbox, &commit).await?;
        let deploy = self.deploy(&first).await?;
        let address = self.address().await?;
        self.answers(&address, "first\n").await?;
        self.built_once(&first).await?;

        // A push alone builds; nobody asks.
        self.clone.write("message.txt", "second\n")?;
        let second = self.clone.commit_and_push("Second page").await?;
        let built = hermez.artifact_available(name, &second, LIMIT).await?;
        let build = built
            .build
            .context("an available artifact without a build")?;
        anyhow::ensure!(
            build.requested_by == "push",
            "the build says who asked for it"
        );
        self.answers(&address, "first\n").await?;
        let redeploy = self.deploy(&second).await?;
        self.answers(&address, "second\n").await?;
        self.check_what_is_seen(&first, &second, &deploy, &redeploy)
            .await?;

        let hermez_ms = self.timed_rounds(&address).await?;
        let by_hand_ms = ByHand::prepare(sandbox, self)
            .await?
            .timed_rounds(&self.clone)
            .await?;
        let added_ms = i64::try_from(hermez_ms)? - i64::try_from(by_hand_ms)?;
        Ok(json!({
            "journey": "main-job",
            "rounds": ROUNDS,
            "push_to_running_ms": hermez_ms,
            "by_hand_ms": by_hand_ms,
            "added_ms": added_ms,
            "added_percent": added_ms * 100 / i64::try_from(by_hand_ms.max(1))?,
            "server_rss_mib": server_rss_mib(sandbox)?,
        }))
    }

    /// Looks at what the server reads from the repository, then creates the workload.
    async fn create(&self, first: &str) -> Result<()> {
        let create = ask(&self.url, "service.yaml");
        let plan: WorkloadPlan = self.hermez.post("/workloads/plan", &create).await?;
        anyhow::ensure!(
            plan.name == self.name && plan.namespace == self.name,
            "read from the file: {plan:?}"
        );
        anyhow::ensure!(
            plan.project == "journeys" && plan.workload_type == "PinterestService",
            "{plan:?}"
        );
        anyhow::ensure!(
            plan.commit == first && plan.branch == "main" && plan.port == Some(8080),
            "{plan:?}"
        );
        anyhow::ensure!(
            plan.builds.len() == 1 && plan.builds[0].dockerfile == "Dockerfile",
            "{plan:?}"
        );
        let workload = self.hermez.create_workload(&create).await?;
        anyhow::ensure!(workload.summary.name == self.name, "{workload:?}");
        let hooks = self.forge.webhooks(&self.name).await?;
        anyhow::ensure!(hooks.len() == 1, "one webhook is installed: {hooks:?}");
        Ok(())
    }

    /// The image and the manifest are in the registry by digest, and the manifest refers to the image.
    async fn check_artifact(&self, sandbox: &Sandbox, commit: &hermez_api::Commit) -> Result<()> {
        anyhow::ensure!(commit.artifact_status == ArtifactStatus::Available);
        anyhow::ensure!(
            commit.author == "Ada Lovelace"
                && commit.title == "First page"
                && commit.branch == "main"
        );
        let artifact = commit.artifact.as_ref().context("no artifact")?;
        let image = artifact.images.first().context("no image")?;
        let (_, image_digest) = image
            .reference
            .split_once('@')
            .context("the image is pinned by digest")?;
        let (repository, digest) = artifact
            .manifest
            .split_once('@')
            .context("the manifest is pinned by digest")?;
        let repository = repository
            .strip_prefix(&format!("{}/", sandbox.status.registry))
            .context("our registry")?;
        let url = format!(
            "http://{}/v2/{repository}/manifests/{digest}",
            sandbox.status.registry
        );
        let accept = "application/vnd.oci.image.manifest.v1+json";
        let manifest: Value = reqwest::Client::new()
            .get(&url)
            .header("Accept", accept)
            .send()
            .await?
            .json()
            .await?;
        anyhow::ensure!(
            manifest["subject"]["digest"] == image_digest,
            "the manifest refers to the image: {manifest}"
        );
        let layer = manifest["layers"][0]["digest"]
            .as_str()
            .context("a layer")?;
        let blob = format!(
            "http://{}/v2/{repository}/blobs/{layer}",
            sandbox.status.registry
        );
        let yaml = reqwest::get(&blob).await?.text().await?;
        anyhow::ensure!(
            yaml.contains(&image.reference),
            "the manifest pins the image: {yaml}"
        );
        Ok(())
    }

    async fn deploy(&self, commit: &str) -> Result<Deploy> {
        let asked = self.hermez.deploy(&self.name, commit).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        Ok(deploy)
    }

    async fn address(&self) -> Result<String> {
        until("an address", LIMIT, || async {
            let workload: Workload = self
                .hermez
                .get(&format!("/workloads/{}", self.name))
                .await?;
            Ok(workload.url)
        })
        .await
    }

    async fn answers(&self, address: &str, expected: &str) -> Result<()> {
        until(
            &format!("{address} answers {expected:?}"),
            LIMIT,
            || async {
                let Ok(answer) = reqwest::get(address).await else {
                    return Ok(None);
                };
                Ok((answer.text().await.unwrap_or_default() == expected).then_some(()))
            },
        )
        .await
    }

    /// However often a commit's build is asked for, it has one.
    async fn built_once(&self, commit: &str) -> Result<()> {
        let asks =
            futures::future::try_join_all((0..8).map(|_| self.hermez.build(&self.name, commit)))
                .await?;
        let all_one = asks.iter().all(|build| {
            build.id == asks[0].id && build.state == BuildState::Succeeded && build.attempt == 1
        });
        anyhow::ensure!(all_one, "one build for a commit: {asks:#?}");
        Ok(())
    }

    async fn check_what_is_seen(
        &self,
        first: &str,
        second: &str,
        deploy: &Deploy,
        redeploy: &Deploy,
    ) -> Result<()> {
        let path = |rest: &str| format!("/workloads/{}/{rest}", self.name);
        let history: Page<DeploySummary> = self.hermez.get(&path("deploys")).await?;
        let seen: Vec<(i64, &str)> = history
            .items
            .iter()
            .map(|seen| (seen.id, seen.commit.as_str()))
            .collect();
        anyhow::ensure!(
            seen == [(redeploy.summary.id, second), (deploy.summary.id, first)],
            "history: {seen:?}"
        );

        let status: WorkloadStatus = until("old pods are gone", LIMIT, || async {
            let status: WorkloadStatus = self.hermez.get(&path("status")).await?;
            Ok((status.pods.len() == 2 && status.pods_ready == 2).then_some(status))
        })
        .await?;
        anyhow::ensure!(
            status.commit.as_deref() == Some(second) && status.pods_desired == 2,
            "{status:#?}"
        );
        anyhow::ensure!(
            status
                .pods
                .iter()
                .all(|pod| pod.updated && pod.containers.len() == 1),
            "{status:#?}"
        );

        until("the pods' log has the requests", LIMIT, || async {
            let log: Value = self.hermez.get(&path("log?tail_lines=100")).await?;
            let lines = log["items"].as_array().context("log lines")?;
            let said = |text: &str| lines.iter().any(|line| line["text"].as_str() == Some(text));
            Ok((said("listening on 8080") && said("request /")).then_some(()))
        })
        .await
    }

    /// Median time from `git push` to the new page, with the deploy asked for right after the push.
    async fn timed_rounds(&self, address: &str) -> Result<u64> {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let message = format!("timed by Hermez {round}\n");
            self.clone.write("message.txt", &message)?;
            let commit = self.clone.commit(&message).await?;
            let begun = Instant::now();
            self.clone.push().await?;
            self.deploy(&commit).await?;
            times.push(begun.elapsed());
            self.answers(address, &message).await?;
        }
        Ok(median_ms(times))
    }

    async fn clean_up(&self, sandbox: &Sandbox) -> Result<()> {
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(sandbox.kube().await?);
        namespaces
            .delete(&self.name, &kube::api::DeleteParams::default())
            .await?;
        Ok(())
    }
}

/// The same work by the tools themselves: git, buildctl, kubectl.
struct ByHand {
    status: hermez_sandbox::status::Status,
    user: String,
    token: String,
    checkout: tempfile::TempDir,
    name: String,
    manifest: String,
}

impl ByHand {
    /// Clones the repository and brings the Deployment that Hermez made out under another name.
    async fn prepare(sandbox: &Sandbox, road: &Road) -> Result<Self> {
        let client = sandbox.kube().await?;
        let deployments: kube::Api<k8s_openapi::api::apps::v1::Deployment> =
            kube::Api::namespaced(client, &road.name);
        let made = deployments.get(&road.name).await?;
        let name = format!("{}-by-hand", road.name);
        let mut manifest = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name, "namespace": road.name },
            "spec": serde_json::to_value(made.spec)?,
        });
        let labels = json!({ "app": name });
        manifest["spec"]["selector"] = json!({ "matchLabels": labels });
        manifest["spec"]["template"]["metadata"]["labels"] = labels;
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("IMAGE");
        let by_hand = Self {
            status: sandbox.status.clone(),
            user: road.forge.user().to_owned(),
            token: road.forge.token().to_owned(),
            checkout: tempfile::tempdir()?,
            name,
            manifest: manifest.to_string(),
        };
        by_hand.git(&["clone", "--quiet", &road.url, "."]).await?;
        by_hand.round(&road.name).await?;
        Ok(by_hand)
    }

    async fn timed_rounds(&self, clone: &Clone) -> Result<u64> {
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            let message = format!("timed by hand {round}\n");
            clone.write("message.txt", &message)?;
            clone.commit(&message).await?;
            let begun = Instant::now();
            clone.push().await?;
            self.git(&["pull", "--quiet"]).await?;
            self.round(&self.name).await?;
            times.push(begun.elapsed());
        }
        Ok(median_ms(times))
    }

    /// Builds what is checked out, pushes it, applies it, and waits for the rollout.
    async fn round(&self, repository: &str) -> Result<()> {
        let image = format!("{}/by-hand/{repository}", self.status.registry);
        let metadata = self.checkout.path().join(".git/build-metadata.json");
        let context = self.checkout.path().display();
        output(
            Command::new(&self.status.buildctl)
                .args([
                    "--addr",
                    &self.status.buildkit,
                    "build",
                    "--frontend",
                    "dockerfile.v0",
                ])
                .args([
                    "--local",
                    &format!("context={context}"),
                    "--local",
                    &format!("dockerfile={context}"),
                ])
                .args([
                    "--output",
                    &format!("type=image,name={image}:latest,push=true,registry.insecure=true"),
                ])
                .arg("--metadata-file")
                .arg(&metadata),
        )
        .await?;
        let metadata: Value = serde_json::from_slice(&std::fs::read(&metadata)?)?;
        let digest = metadata["containerimage.digest"]
            .as_str()
            .context("buildctl names the digest")?;
        let file = self.checkout.path().join(".git/deployment.json");
        std::fs::write(
            &file,
            self.manifest.replace("IMAGE", &format!("{image}@{digest}")),
        )?;
        let namespace =
            serde_json::from_str::<Value>(&self.manifest)?["metadata"]["namespace"].clone();
        let namespace = namespace.as_str().context("a namespace")?;
        output(self.kubectl().arg("apply").arg("-f").arg(&file)).await?;
        let deployment = format!("deployment/{}", self.name);
        output(self.kubectl().args([
            "rollout",
            "status",
            "-n",
            namespace,
            &deployment,
            "--timeout=180s",
        ]))
        .await?;
        Ok(())
    }

    fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.status.kubectl);
        command.arg("--kubeconfig").arg(&self.status.kubeconfig);
        command
    }

    async fn git(&self, arguments: &[&str]) -> Result<()> {
        let mut command = crate::forge::git_command(&self.user, &self.token);
        output(command.current_dir(self.checkout.path()).args(arguments)).await
    }
}

async fn output(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .await
        .with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn median_ms(mut times: Vec<Duration>) -> u64 {
    times.sort();
    times[times.len() / 2].as_millis() as u64
}

/// Resident memory of the server process, in MiB, from the kernel's own account.
fn server_rss_mib(sandbox: &Sandbox) -> Result<u64> {
    let component = sandbox
        .status
        .components
        .iter()
        .find(|component| component.name == "hermez");
    let pid = component
        .and_then(|component| component.pid)
        .context("the server's process id")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024)
}
