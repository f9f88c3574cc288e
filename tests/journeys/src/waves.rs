//! A new version goes through two clusters in waves: the second is reached only when the first has
//! baked, with the number of pods that a person said before; one that fails holds or brings all waves
//! back; a killed server and a cluster that is away change nothing of it. Checks of metrics are asked
//! in each wave, a canary comes before the first, and between two a deploy is stopped or held.

mod checks;
mod held;
mod pair;
mod prometheus;
mod set;
mod tried;

use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{
    Deploy, DeployKind, DeployState, DeploySummary, Health, HealthGates, Page, PlacementStatus,
    RolloutStrategy, ScaleChange, ScaleChangeState, Wave, WorkloadGates, WorkloadStrategy,
};
use hermez_kinds::PinterestService;
use hermez_kinds::names::DEPLOY_ANNOTATION;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use kube::core::NamespaceResourceScope;
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::prometheus::Prometheus;
use crate::sandbox::Sandbox;
use crate::second::Second;
use crate::server::{Options, Server};
use crate::stage::{LIMIT, Stage};
use crate::wait::until;

/// Seconds that the first wave bakes.
const BAKE_SECONDS: u32 = 4;
/// The same where it is looked at but once.
const SHORT_BAKE_SECONDS: u32 = 2;
/// Pods that the config file says.
const PODS: i32 = 2;
/// Pods that a person says before the second cluster is entered.
const BY_HAND: i32 = 3;

/// Runs the journey with a server and a second cluster of its own; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let namespace = crate::sandbox::unique("waves");
    let second = Second::start(sandbox, &namespace).await?;
    let figures = with(sandbox, &second).await;
    second.clean_up().await?;
    figures
}

async fn with(sandbox: &Sandbox, second: &Second) -> Result<Value> {
    let kubeconfig = second.sandbox.status.kubeconfig.display();
    let prometheus = Prometheus::start().await?;
    let options = Options {
        arguments: vec![
            "--cluster".to_owned(),
            format!("east={kubeconfig}"),
            "--prometheus-url".to_owned(),
            prometheus.url.clone(),
        ],
        ..Options::default()
    };
    let server = Server::start(sandbox, options).await?;
    let stage = Stage::open(sandbox, server.hermez()?, "waves").await?;
    let east = second.sandbox.kube().await?;
    let mut waves = Waves {
        sandbox,
        server,
        stage,
        second,
        east,
        prometheus,
    };
    let figures = waves.travel().await;
    let figures = figures.with_context(|| waves.server.last_words());
    let cleaned = waves.stage.clean_up().await;
    let left = waves.in_east().await?;
    waves.server.stop().await?;
    cleaned?;
    let left = left.filter(|it| it.metadata.deletion_timestamp.is_none());
    anyhow::ensure!(
        left.is_none(),
        "the workload is deleted, and left in the second cluster"
    );
    figures
}

struct Waves<'a> {
    sandbox: &'a Sandbox,
    server: Server,
    stage: Stage,
    second: &'a Second,
    /// The second cluster.
    east: kube::Client,
    prometheus: Prometheus,
}

fn wave(clusters: &[&str], bake_seconds: u32) -> Wave {
    Wave {
        clusters: clusters.iter().map(|&name| name.to_owned()).collect(),
        bake_seconds,
    }
}

/// The first cluster, for so long, then the second.
fn one_after_the_other(bake_seconds: u32) -> RolloutStrategy {
    RolloutStrategy {
        canary: Vec::new(),
        waves: vec![wave(&["local"], bake_seconds), wave(&["east"], 0)],
    }
}

async fn set_strategy(stage: &Stage, strategy: &RolloutStrategy) -> Result<()> {
    let path = format!("/workloads/{}/strategy", stage.name);
    let set: WorkloadStrategy = stage.hermez.put(&path, strategy).await?;
    anyhow::ensure!(
        set.strategy == *strategy && set.known_clusters == ["local", "east"],
        "{set:?}"
    );
    Ok(())
}

/// The sample's config file for pods that may be on played nodes, which are tainted.
fn tolerant(stage: &Stage) -> String {
    let tolerant = "    spec:\n      tolerations:\n        - key: kwok.x-k8s.io/node\n          operator: Exists\n      containers:\n";
    let config = stage.sample(2).config();
    config.replace("    spec:\n      containers:\n", tolerant)
}

/// That the timeline has entries in these states with these words, in this order.
fn in_order(deploy: &Deploy, expected: &[(DeployState, &str)]) -> Result<()> {
    let mut entries = deploy.timeline.iter();
    for (state, words) in expected {
        anyhow::ensure!(
            entries.any(|it| it.state == *state && it.message.contains(*words)),
            "no {state:?} `{words}` at its place: {deploy:#?}"
        );
    }
    Ok(())
}

async fn placements(stage: &Stage) -> Result<Vec<PlacementStatus>> {
    let path = format!("/workloads/{}/placements", stage.name);
    stage.hermez.get(&path).await
}

/// Waits until both clusters run this commit, well, with so many pods.
async fn run_in_both(stage: &Stage, commit: &str, pods: i32) -> Result<bool> {
    let both = until("both clusters run it", Duration::from_secs(30), || async {
        let placements = placements(stage).await?;
        let well = placements.iter().filter(|it| {
            it.commit.as_deref() == Some(commit)
                && it.health == Health::Healthy
                && it.pods_ready == pods
        });
        Ok((well.count() == 2).then_some(()))
    });
    Ok(both.await.is_ok())
}

/// An object of a cluster, where it is there.
async fn found<K>(client: &kube::Client, namespace: &str, name: &str) -> Result<Option<K>>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    // The definition itself comes with the first deploy.
    match objects.get_opt(name).await {
        Ok(found) => Ok(found),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Waves<'_> {
    async fn travel(&mut self) -> Result<Value> {
        self.scale_in_one().await?;
        // It takes some seconds until it asks there.
        self.prometheus.ask(&self.address().await?)?;
        self.set().await?;
        let first = self.reach_both().await?;
        self.release_in_both().await?;
        self.survive().await?;
        let away_ms = self.wait_for_the_cluster().await?;
        self.judge_each_wave().await?;
        self.reach_both_at_once().await?;
        self.fail_in_one_of_both().await?;
        self.try_before_the_waves().await?;
        let stopped = self.stop_between().await?;
        self.hold_between(&stopped).await?;
        self.bring_out_a_set().await?;
        self.hold().await?;
        self.bring_all_back().await?;
        Ok(json!({
            "journey": "waves",
            "asked_to_both_ms": first,
            "back_to_succeeded_ms": away_ms,
        }))
    }

    /// The workload runs in one cluster, with as many pods as a person said.
    async fn scale_in_one(&self) -> Result<()> {
        let stage = &self.stage;
        stage.sample(2).write(&stage.clone, "first\n")?;
        stage.clone.write("service.yaml", tolerant(stage))?;
        let commit = stage.push("zeroth").await?;
        stage.create().await?;
        let asked = stage.deploy(&commit).await?;
        stage.ends(asked.id, DeployState::Succeeded).await?;
        let path = format!("/workloads/{}/scale", stage.name);
        let wanted = json!({ "replicas": BY_HAND, "reason": "a launch" });
        let change: ScaleChange = stage.hermez.post(&path, &wanted).await?;
        anyhow::ensure!(change.state == ScaleChangeState::Active, "{change:?}");
        Ok(())
    }

    /// The config file's number comes back in both clusters.
    async fn release_in_both(&self) -> Result<()> {
        let commit = self.stage.clone.git(&["rev-parse", "HEAD"]).await?;
        let path = format!("/workloads/{}/scale?reason=over", self.stage.name);
        self.stage.hermez.delete(&path).await?;
        anyhow::ensure!(
            run_in_both(&self.stage, commit.trim(), PODS).await?,
            "both have {PODS} pods again: {:#?}",
            placements(&self.stage).await?
        );
        Ok(())
    }

    /// The strategy, and what cannot be.
    async fn set(&self) -> Result<()> {
        let stage = &self.stage;
        let path = format!("/workloads/{}/strategy", stage.name);
        for (wrong, words) in [
            (
                json!({ "waves": [{ "clusters": ["local", "mars"] }] }),
                "mars",
            ),
            (json!({ "waves": [{ "clusters": ["east"] }] }), "leave out"),
            (
                json!({ "waves": [{ "clusters": ["local"] }, { "clusters": ["local"] }] }),
                "twice",
            ),
        ] {
            let problem = stage.put_refused(&path, &wrong, 422).await?;
            let said = serde_json::to_string(&problem)?;
            anyhow::ensure!(said.contains(words), "{said} does not say {words}");
        }
        set_strategy(stage, &one_after_the_other(BAKE_SECONDS)).await
    }

    /// The second cluster is reached when the first has baked, and not before.
    async fn reach_both(&self) -> Result<i64> {
        let stage = &self.stage;
        let commit = stage.push("first").await?;
        let asked = stage.deploy(&commit).await?;
        stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        anyhow::ensure!(
            self.in_east().await?.is_none(),
            "nothing is in the second cluster yet"
        );
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        let at = |state: DeployState, words: &str| {
            let mut entries = deploy.timeline.iter();
            let entry = entries.find(|it| it.state == state && it.message.contains(words));
            entry
                .map(|it| it.at)
                .with_context(|| format!("no {state:?} `{words}`: {deploy:#?}"))
        };
        let baked = at(DeployState::Verifying, "wave 1 of 2")?;
        let next = at(DeployState::Applying, "next: east")?;
        let took = next.duration_since(baked);
        anyhow::ensure!(
            took >= SignedDuration::from_secs(i64::from(BAKE_SECONDS)),
            "{took:#}"
        );
        anyhow::ensure!(
            run_in_both(&self.stage, &commit, BY_HAND).await?,
            "both run it with {BY_HAND} pods: {:#?}",
            placements(&self.stage).await?
        );
        let ended = deploy.summary.finished_at.context("it ended")?;
        let took = ended.duration_since(deploy.summary.created_at);
        Ok(i64::try_from(took.as_millis())?)
    }

    /// Killed while the first wave bakes: the same deploy goes on, and ends once.
    async fn survive(&mut self) -> Result<()> {
        let commit = self.stage.push("second").await?;
        let asked = self.stage.deploy(&commit).await?;
        self.stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        self.server.kill().await?;
        self.server.launch().await?;
        self.stage.hermez = self.server.hermez()?;
        let deploy = self.stage.ends(asked.id, DeployState::Succeeded).await?;
        let ends = deploy.timeline.iter();
        let ends = ends.filter(|it| it.state == DeployState::Succeeded).count();
        anyhow::ensure!(ends == 1, "{deploy:#?}");
        anyhow::ensure!(
            run_in_both(&self.stage, &commit, PODS).await?,
            "both run it"
        );
        Ok(())
    }

    /// A cluster that does not answer is named and waited for.
    async fn wait_for_the_cluster(&self) -> Result<i64> {
        let commit = self.stage.push("third").await?;
        self.second.signal_api_server(Signal::SIGSTOP)?;
        let waited = async {
            let asked = self.stage.deploy(&commit).await?;
            let words = "the cluster";
            self.stage
                .says(asked.id, DeployState::Applying, words)
                .await?;
            Ok::<_, anyhow::Error>(asked.id)
        };
        let waited = waited.await;
        self.second.signal_api_server(Signal::SIGCONT)?;
        let begun = jiff::Timestamp::now();
        let deploy = self.stage.ends(waited?, DeployState::Succeeded).await?;
        anyhow::ensure!(
            run_in_both(&self.stage, &commit, PODS).await?,
            "both run it"
        );
        let ended = deploy.summary.finished_at.context("it ended")?;
        Ok(i64::try_from(ended.duration_since(begun).as_millis())?)
    }

    /// The second wave fails, and the workload says nothing of rolling back: what was reached stays.
    async fn hold(&self) -> Result<()> {
        self.fill_the_second().await?;
        let commit = self.stage.push("fourth").await?;
        let asked = self.stage.deploy(&commit).await?;
        let failed = self.stage.ends(asked.id, DeployState::Failed).await?;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("quota")
                && failed.summary.message.starts_with("wave 2 of 2 (east)"),
            "{failed:#?}"
        );
        let placements = placements(&self.stage).await?;
        let local = &placements[0];
        anyhow::ensure!(
            local.commit.as_deref() == Some(&*commit) && local.health == Health::Healthy,
            "the first wave stays: {placements:#?}"
        );
        Ok(())
    }

    /// The same with the word to roll back: all waves come back to the last good version.
    async fn bring_all_back(&self) -> Result<()> {
        let stage = &self.stage;
        let gates = HealthGates {
            auto_rollback: true,
            ..HealthGates::default()
        };
        let path = format!("/workloads/{}/gates", stage.name);
        let _: WorkloadGates = stage.hermez.put(&path, &gates).await?;
        let commit = stage.push("fifth").await?;
        let asked = stage.deploy(&commit).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        anyhow::ensure!(
            failed
                .summary
                .message
                .contains("it is rolled back to deploy"),
            "{failed:#?}"
        );
        let path = format!("/workloads/{}/deploys?kind=rollback", stage.name);
        let rollbacks: Page<DeploySummary> = stage.hermez.get(&path).await?;
        anyhow::ensure!(rollbacks.items.len() == 1, "{rollbacks:?}");
        // What the quota keeps from being made in the second cluster is made again.
        self.empty_the_second().await?;
        let rollback = stage
            .ends(rollbacks.items[0].id, DeployState::Succeeded)
            .await?;
        anyhow::ensure!(
            rollback.summary.kind == DeployKind::Rollback,
            "{rollback:#?}"
        );
        anyhow::ensure!(
            run_in_both(&self.stage, &rollback.summary.commit, PODS).await?,
            "both run what ran before: {:#?}",
            placements(&self.stage).await?
        );
        Ok(())
    }

    async fn in_east(&self) -> Result<Option<PinterestService>> {
        found(&self.east, &self.stage.name, &self.stage.name).await
    }

    /// What the second cluster was told last: by which deploy, and in which version.
    async fn told_east(&self) -> Result<(Option<String>, Option<i64>)> {
        let service = self.in_east().await?.context("it is in the second")?;
        let deploy = service.annotations().get(DEPLOY_ANNOTATION).cloned();
        Ok((deploy, service.metadata.generation))
    }

    fn quotas(&self) -> Api<ResourceQuota> {
        Api::namespaced(self.east.clone(), &self.stage.name)
    }

    /// No further pod fits into the second cluster's namespace.
    async fn fill_the_second(&self) -> Result<()> {
        let quota = json!({
            "metadata": { "name": "full" },
            "spec": { "hard": { "pods": "2" } },
        });
        let made = self
            .quotas()
            .create(&PostParams::default(), &serde_json::from_value(quota)?)
            .await?;
        until("the quota counts", LIMIT, || async {
            let found = self.quotas().get(&made.name_any()).await?;
            let used = found.status.and_then(|it| it.used).unwrap_or_default();
            Ok(used.contains_key("pods").then_some(()))
        })
        .await
    }

    async fn empty_the_second(&self) -> Result<()> {
        self.quotas()
            .delete("full", &DeleteParams::default())
            .await?;
        Ok(())
    }
}
