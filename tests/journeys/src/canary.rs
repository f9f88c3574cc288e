//! A new version is tried as a canary behind the same Service before it reaches all pods: it is seen
//! there, promoted, taken away when it fails or is canceled, and survives the server's death.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    CanaryStep, Deploy, DeployState, DeploySummary, PromoteDeploy, RolloutStrategy,
    WorkloadStrategy,
};
use hermez_kinds::PinterestService;
use hermez_kinds::names::WORKLOAD_LABEL;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::{Options, Server};
use crate::stage::{LIMIT, Stage};
use crate::wait::until;

/// Pods of the workload itself.
const PODS: u32 = 4;

/// Runs the journey with a server of its own; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let server = Server::start(sandbox, Options::default()).await?;
    let stage = Stage::open(sandbox, server.hermez()?, "canary").await?;
    let mut canary = Canary { server, stage };
    let figures = canary.travel().await;
    let figures = figures.with_context(|| canary.server.last_words());
    canary.stage.clean_up().await?;
    canary.server.stop().await?;
    figures
}

struct Canary {
    server: Server,
    stage: Stage,
}

fn step(percent: u32, seconds: u32, wait: bool) -> CanaryStep {
    CanaryStep {
        percent,
        seconds,
        wait,
    }
}

impl Canary {
    async fn travel(&mut self) -> Result<Value> {
        self.bring_out_the_first().await?;
        let promoted_ms = self.try_and_promote().await?;
        self.fail().await?;
        self.cancel().await?;
        let recovered_ms = self.survive().await?;
        let back = self.roll_back().await?;
        self.roll_back_from_the_canary(&back).await?;
        Ok(json!({
            "journey": "canary",
            "promoted_to_running_ms": promoted_ms,
            "killed_to_promoted_ms": recovered_ms,
        }))
    }

    fn path(&self) -> String {
        format!("/workloads/{}/strategy", self.stage.name)
    }

    fn canary(&self) -> String {
        format!("{}-canary", self.stage.name)
    }

    async fn set(&self, steps: &[CanaryStep]) -> Result<()> {
        let strategy = RolloutStrategy {
            canary: steps.to_vec(),
            waves: Vec::new(),
        };
        let set: WorkloadStrategy = self.stage.hermez.put(&self.path(), &strategy).await?;
        anyhow::ensure!(set.strategy == strategy, "{set:?}");
        Ok(())
    }

    /// What cannot be is refused; the first version has nothing beside which it could be tried.
    async fn bring_out_the_first(&self) -> Result<()> {
        let stage = &self.stage;
        stage.sample(PODS).write(&stage.clone, "first\n")?;
        let first = stage.push("first").await?;
        stage.create().await?;
        for (wrong, words) in [
            (json!({ "canary": [{ "percent": 0 }] }), "1 to 100"),
            (
                json!({ "canary": [{ "percent": 50 }, { "percent": 10 }] }),
                "goes down",
            ),
            (json!({ "waves": [{ "clusters": ["mars"] }] }), "mars"),
        ] {
            let problem = stage.put_refused(&self.path(), &wrong, 422).await?;
            let said = serde_json::to_string(&problem)?;
            anyhow::ensure!(said.contains(words), "{said} does not say {words}");
        }
        self.set(&[step(25, 0, true)]).await?;
        let asked = stage.deploy(&first).await?;
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        let says = |it: &hermez_api::DeployEvent| it.message.contains("nothing runs beside which");
        anyhow::ensure!(deploy.timeline.iter().any(says), "{deploy:#?}");
        let promote = format!("/deploys/{}/promote", asked.id);
        stage
            .post_refused(&promote, &PromoteDeploy::default(), 409)
            .await?;
        Ok(())
    }

    /// Two steps: the page is that of both versions, and the workload itself is left alone until the
    /// second is promoted.
    async fn try_and_promote(&self) -> Result<i64> {
        let stage = &self.stage;
        self.set(&[step(25, 2, false), step(50, 0, true)]).await?;
        let before = self.generation().await?;
        let second = stage.push("second").await?;
        let asked = stage.deploy(&second).await?;
        let at_two = stage
            .says(asked.id, DeployState::Canary, "hermez deploys promote")
            .await?;
        let steps: Vec<&str> = [
            "step 1 of 2: 1 pod",
            "step 1 of 2: 1 pod beside 4 (20 %",
            "step 2 of 2: 2 pods",
        ]
        .into_iter()
        .filter(|words| at_two.timeline.iter().any(|it| it.message.contains(words)))
        .collect();
        anyhow::ensure!(steps.len() == 3, "only {steps:?}: {at_two:#?}");
        let plan = at_two.plan.context("it has a plan")?;
        anyhow::ensure!(plan.step == 1 && plan.canary_pods == Some(2), "{plan:?}");
        anyhow::ensure!(
            self.generation().await? == before,
            "the workload itself is left alone"
        );
        let seen = self.pages(&["first", "second"]).await?;
        anyhow::ensure!(seen.len() == 2, "both versions answer: {seen:?}");
        // A step that is over is not promoted again, one that is to come not yet; asking again for
        // what is at work changes nothing.
        let promote = format!("/deploys/{}/promote", asked.id);
        let at = |step| PromoteDeploy {
            all: false,
            step: Some(step),
        };
        let still: DeploySummary = stage.hermez.post(&promote, &at(0)).await?;
        anyhow::ensure!(
            still.message.contains("hermez deploys promote"),
            "{still:?}"
        );
        stage.post_refused(&promote, &at(2), 409).await?;
        let begun = Instant::now();
        for _ in 0..2 {
            let _: DeploySummary = stage.hermez.post(&promote, &at(1)).await?;
        }
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        let took = begun.elapsed();
        let promotions = deploy.timeline.iter();
        let promotions = promotions.filter(|it| it.message.contains("promoted step 2"));
        anyhow::ensure!(promotions.count() == 1, "{deploy:#?}");
        self.is_gone().await?;
        let seen = self.pages(&["second"]).await?;
        anyhow::ensure!(seen == BTreeSet::from(["second".to_owned()]), "{seen:?}");
        self.versions_are(2).await?;
        Ok(i64::try_from(took.as_millis())?)
    }

    /// A canary that crashes ends its deploy, with its last lines, and what ran is untouched.
    async fn fail(&self) -> Result<()> {
        let stage = &self.stage;
        let before = self.generation().await?;
        let good = std::fs::read(stage.clone.path().join("Dockerfile"))?;
        let bad =
            "FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"echo no luck here; exit 3\"]\n";
        stage.clone.write("Dockerfile", bad)?;
        let commit = stage.push("bad").await?;
        let asked = stage.deploy(&commit).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("crash_loop")
                && failed.summary.message.contains("the canary failed"),
            "{failed:#?}"
        );
        self.is_gone().await?;
        anyhow::ensure!(
            self.generation().await? == before,
            "the workload itself is left alone"
        );
        let receipt = stage.receipt(asked.id).await?;
        let said = serde_json::to_string(&receipt)?;
        anyhow::ensure!(
            said.contains("no luck here"),
            "the last lines are there: {receipt:#?}"
        );
        stage.clone.write("Dockerfile", good)?;
        Ok(())
    }

    /// Canceled in its midst, twice: the canary goes, what ran stays.
    async fn cancel(&self) -> Result<()> {
        let stage = &self.stage;
        let before = self.generation().await?;
        let commit = stage.push("third").await?;
        let asked = stage.deploy(&commit).await?;
        stage
            .says(asked.id, DeployState::Canary, "hermez deploys promote")
            .await?;
        let cancel = format!("/deploys/{}/cancel", asked.id);
        for _ in 0..2 {
            let _: DeploySummary = stage.hermez.post(&cancel, &json!({})).await?;
        }
        stage.ends(asked.id, DeployState::Canceled).await?;
        self.is_gone().await?;
        anyhow::ensure!(
            self.generation().await? == before,
            "the workload itself is left alone"
        );
        Ok(())
    }

    /// The server is killed while a canary waits: it is still there, the same deploy goes on, and is
    /// promoted without its further steps.
    async fn survive(&mut self) -> Result<i64> {
        self.set(&[step(25, 0, true), step(50, 600, true)]).await?;
        let commit = self.stage.push("fourth").await?;
        let asked = self.stage.deploy(&commit).await?;
        self.stage
            .says(asked.id, DeployState::Canary, "hermez deploys promote")
            .await?;
        let pods = self.canary_uid().await?;
        self.server.kill().await?;
        let begun = Instant::now();
        self.server.launch().await?;
        self.stage.hermez = self.server.hermez()?;
        let promote = format!("/deploys/{}/promote", asked.id);
        let all = PromoteDeploy {
            all: true,
            step: None,
        };
        let _: DeploySummary = self.stage.hermez.post(&promote, &all).await?;
        let deploy = self.stage.ends(asked.id, DeployState::Succeeded).await?;
        let took = begun.elapsed();
        anyhow::ensure!(pods.is_some(), "the canary was there");
        let ends = deploy.timeline.iter();
        let ends = ends.filter(|it| it.state == DeployState::Succeeded).count();
        anyhow::ensure!(ends == 1, "{deploy:#?}");
        self.is_gone().await?;
        self.versions_are(3).await?;
        Ok(i64::try_from(took.as_millis())?)
    }

    /// What takes trouble away takes no detours.
    async fn roll_back(&self) -> Result<Deploy> {
        let path = format!("/workloads/{}/rollback", self.stage.name);
        let asked: DeploySummary = self.stage.hermez.post(&path, &json!({})).await?;
        let deploy = self.stage.ends(asked.id, DeployState::Succeeded).await?;
        let by_canary = |deploy: &Deploy| {
            let mut entries = deploy.timeline.iter();
            entries.any(|it| it.state == DeployState::Canary)
        };
        anyhow::ensure!(!by_canary(&deploy), "{deploy:#?}");
        let seen = self.pages(&["second"]).await?;
        anyhow::ensure!(seen.contains("second"), "{seen:?}");
        Ok(deploy)
    }

    /// While a canary waits, it is what a rollback leaves: what runs beside it stays, and is not
    /// marked.
    async fn roll_back_from_the_canary(&self, runs: &Deploy) -> Result<()> {
        let stage = &self.stage;
        let commit = stage.push("fifth").await?;
        let tried = stage.deploy(&commit).await?;
        stage
            .says(tried.id, DeployState::Canary, "hermez deploys promote")
            .await?;
        let path = format!("/workloads/{}/rollback", stage.name);
        let asked: DeploySummary = stage.hermez.post(&path, &json!({})).await?;
        let back = stage.ends(asked.id, DeployState::Succeeded).await?;
        anyhow::ensure!(
            back.left_deploy == Some(tried.id) && back.of_deploy == Some(runs.summary.id),
            "{back:#?}"
        );
        anyhow::ensure!(back.bad.is_none(), "what runs is marked: {back:#?}");
        let left = stage.ends(tried.id, DeployState::Canceled).await?;
        anyhow::ensure!(left.bad.is_some(), "what was left is not: {left:#?}");
        self.is_gone().await?;
        let seen = self.pages(&["second"]).await?;
        anyhow::ensure!(seen == BTreeSet::from(["second".to_owned()]), "{seen:?}");
        Ok(())
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.stage.kube.clone(), &self.stage.name)
    }

    /// Generation of the workload's own Deployment.
    async fn generation(&self) -> Result<Option<i64>> {
        let deployments: Api<Deployment> = self.api();
        Ok(deployments.get(&self.stage.name).await?.metadata.generation)
    }

    async fn canary_uid(&self) -> Result<Option<String>> {
        let services: Api<PinterestService> = self.api();
        let found = services.get_opt(&self.canary()).await?;
        Ok(found.and_then(|it| it.metadata.uid))
    }

    /// Neither the canary's resource nor its Deployment nor a pod of it is there.
    async fn is_gone(&self) -> Result<()> {
        anyhow::ensure!(
            self.canary_uid().await?.is_none(),
            "the canary's resource is left"
        );
        let deployments: Api<Deployment> = self.api();
        until("the canary's Deployment is gone", LIMIT, || async {
            let found = deployments.get_opt(&self.canary()).await?;
            Ok(found.is_none().then_some(()))
        })
        .await?;
        // Its pods answer for a moment longer.
        let pods: Api<Pod> = self.api();
        let own = ListParams::default().labels(&format!("{WORKLOAD_LABEL}={}", self.canary()));
        until("the canary's pods are gone", LIMIT, || async {
            let found = pods.list_metadata(&own).await?;
            Ok(found.items.is_empty().then_some(()))
        })
        .await
    }

    /// The workload's own Deployment brought out that many versions.
    async fn versions_are(&self, expected: usize) -> Result<()> {
        let sets: Api<ReplicaSet> = self.api();
        let own =
            ListParams::default().labels(&format!("pinterest.com/workload={}", self.stage.name));
        let found = sets.list(&own).await?.items.len();
        anyhow::ensure!(
            found == expected,
            "{found} versions were brought out, not {expected}"
        );
        Ok(())
    }

    /// The pages that the Service answers with, until all of `expected` were seen among enough
    /// answers.
    async fn pages(&self, expected: &[&str]) -> Result<BTreeSet<String>> {
        let services: Api<Service> = self.api();
        let url = until("the Service has an address", LIMIT, || async {
            let service = services.get(&self.stage.name).await?;
            let address = service
                .status
                .and_then(|it| it.load_balancer?.ingress?.into_iter().next()?.ip);
            Ok(address.map(|ip| format!("http://{ip}:8080/")))
        })
        .await?;
        let mut seen = BTreeSet::new();
        for _ in 0..400 {
            // A new connection each time: the Service chooses a pod for a connection.
            let client = reqwest::Client::builder()
                .pool_max_idle_per_host(0)
                .timeout(Duration::from_secs(5))
                .build()?;
            if let Ok(answer) = client.get(&url).send().await {
                seen.insert(answer.text().await?.trim().to_owned());
            }
            if seen.len() > 1 && expected.iter().all(|page| seen.contains(*page)) {
                break;
            }
        }
        Ok(seen)
    }
}
