//! A version whose pods are well and whose metrics are not is no success: checks of metrics, against
//! a number, against the version before, and of a canary's pods against those beside it, through whole
//! deploys and canaries, with a real Prometheus.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hermez_api::{
    CanaryStep, Comparison, Deploy, DeployKind, DeployState, DeploySummary, HealthGates,
    MetricCheck, Page, RolloutStrategy, WorkloadGates, WorkloadStrategy,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::sandbox::Sandbox;
use crate::server::{Options, Server, free_port};
use crate::stage::{LIMIT, Stage};
use crate::wait::until;

/// How often Prometheus is told which pods there are.
const DISCOVER_EVERY: Duration = Duration::from_millis(250);

/// Runs the journey with a server and a Prometheus of its own; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let prometheus = Prometheus::start(sandbox).await?;
    let options = Options {
        arguments: vec!["--prometheus-url".to_owned(), prometheus.url.clone()],
        ..Options::default()
    };
    let mut server = Server::start(sandbox, options).await?;
    let stage = Stage::open(sandbox, server.hermez()?, "metrics").await?;
    let discovery = prometheus.discover(&stage);
    let mut checks = MetricChecks { prometheus, stage };
    let figures = checks.travel().await;
    let figures = figures.with_context(|| server.last_words());
    discovery.abort();
    checks.stage.clean_up().await?;
    server.stop().await?;
    figures
}

/// A Prometheus that asks the pods of a journey's namespace for their pages, and ends with it. Pods
/// cannot be reached from the host: it asks through the API server, as the cluster's administrator.
struct Prometheus {
    folder: tempfile::TempDir,
    url: String,
    /// `host:port` of the API server.
    api_server: String,
    child: Option<Child>,
}

/// Its settings. Debian's Prometheus does not know Kubernetes: a file tells it of the pods.
const SETTINGS: &str = "
global:
  scrape_interval: 1s
  query_log_file: queries.log
scrape_configs:
  - job_name: pods
    scheme: https
    tls_config: {ca_file: ca, cert_file: certificate, key_file: key}
    file_sd_configs:
      - files: [pods.json]
";

impl Prometheus {
    async fn start(sandbox: &Sandbox) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = Kubeconfig::read_from(&sandbox.status.kubeconfig)?;
        let kubeconfig = serde_json::to_value(kubeconfig)?;
        let (cluster, user) = ("/clusters/0/cluster", "/users/0/user");
        let text = |section: &str, field: &str| {
            let text = kubeconfig.pointer(&format!("{section}/{field}"));
            let text = text.and_then(Value::as_str);
            text.with_context(|| format!("the kubeconfig has no {field}"))
        };
        for (file, section, field) in [
            ("ca", cluster, "certificate-authority-data"),
            ("certificate", user, "client-certificate-data"),
            ("key", user, "client-key-data"),
        ] {
            let decoded = BASE64_STANDARD.decode(text(section, field)?)?;
            std::fs::write(folder.path().join(file), decoded)?;
        }
        let server = text(cluster, "server")?;
        std::fs::write(folder.path().join("prometheus.yml"), SETTINGS)?;
        tell(folder.path(), &json!([]))?;
        let mut prometheus = Self {
            folder,
            url: format!("http://127.0.0.1:{}", free_port()?),
            api_server: server.trim_start_matches("https://").to_owned(),
            child: None,
        };
        prometheus.launch().await?;
        Ok(prometheus)
    }

    async fn launch(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let address = self.url.trim_start_matches("http://");
        let child = Command::new("prometheus")
            .current_dir(folder)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .kill_on_drop(true)
            .spawn()
            .context("Debian's package `prometheus` is installed by `cargo xtask test`")?;
        self.child = Some(child);
        let ready = format!("{}/-/ready", self.url);
        until("Prometheus is ready", Duration::from_mins(1), || async {
            let answer = reqwest::get(&ready).await;
            Ok(answer
                .is_ok_and(|it| it.status().is_success())
                .then_some(()))
        })
        .await
    }

    async fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Tells it which pods there are, until the task is aborted.
    fn discover(&self, stage: &Stage) -> tokio::task::JoinHandle<()> {
        let pods: Api<Pod> = Api::namespaced(stage.kube.clone(), &stage.name);
        let (folder, api_server) = (self.folder.path().to_owned(), self.api_server.clone());
        tokio::spawn(async move {
            let mut known = json!([]);
            loop {
                if let Ok(list) = pods.list(&ListParams::default()).await {
                    let there = list.items.iter().filter(|pod| is_asked(pod));
                    let there = json!(there.map(|it| target(it, &api_server)).collect::<Vec<_>>());
                    if there != known && tell(&folder, &there).is_ok() {
                        known = there;
                    }
                }
                tokio::time::sleep(DISCOVER_EVERY).await;
            }
        })
    }

    /// What a query gives, once it gives `expected`.
    async fn gives(&self, query: &str, expected: f64) -> Result<()> {
        let url = format!("{}/api/v1/query", self.url);
        let http = reqwest::Client::new();
        until(&format!("{query} is {expected}"), LIMIT, || async {
            let form = http.post(&url).form(&[("query", query)]);
            let answer = form.send().await?;
            let answer: Value = answer.json().await?;
            let value = answer.pointer("/data/result/0/value/1");
            let value = value.and_then(Value::as_str);
            let value = value.and_then(|text| text.parse::<f64>().ok());
            Ok((value == Some(expected)).then_some(()))
        })
        .await
    }

    /// The pods of each query that was asked about the errors of some pods.
    fn asked_about(&self) -> Result<Vec<BTreeSet<String>>> {
        let log = std::fs::read_to_string(self.folder.path().join("queries.log"))?;
        let before = BESIDE.split_once("$pods").map(|(before, _)| before);
        let before = format!("{}(?:", before.context("it is about pods")?);
        let mut asked = Vec::new();
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line)?;
            let query = entry.pointer("/params/query").and_then(Value::as_str);
            let query = query.with_context(|| format!("it has no query: {line}"))?;
            let names = query.strip_prefix(before.as_str());
            if let Some((names, _)) = names.and_then(|names| names.split_once(')')) {
                asked.push(names.split('|').map(str::to_owned).collect());
            }
        }
        Ok(asked)
    }
}

/// Whether a pod runs and is not about to go.
fn is_asked(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|it| it.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}

/// Where a pod is asked: its page, through the API server.
fn target(pod: &Pod, api_server: &str) -> Value {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/");
    json!({ "targets": [api_server], "labels": { "__metrics_path__": path, "pod": name } })
}

/// Writes the file that Prometheus reads, in one piece.
fn tell(folder: &Path, targets: &Value) -> Result<()> {
    let new = folder.join("pods.new");
    std::fs::write(&new, targets.to_string())?;
    std::fs::rename(new, folder.join("pods.json"))?;
    Ok(())
}

struct MetricChecks {
    prometheus: Prometheus,
    stage: Stage,
}

/// The share of requests that fail, in the worst pod.
const ERRORS: &str = "max(page_error_ratio)";
/// The same in the worst pod of one version.
const BESIDE: &str = "max(page_error_ratio{pod=~\"$pods\"})";
/// How long a request takes, in the slowest pod.
const LATENCY: &str = "max(page_seconds)";

fn check(name: &str, query: &str) -> MetricCheck {
    MetricCheck {
        name: name.to_owned(),
        query: query.to_owned(),
        comparison: Comparison::Less,
        threshold: None,
        relative_to_old_percent: None,
        for_seconds: 3,
    }
}

impl MetricChecks {
    async fn travel(&mut self) -> Result<Value> {
        self.bring_out_the_first().await?;
        self.set().await?;
        let failed_ms = self
            .fail(0.9, 0.1, "check errors failed: 0.9 is not < 0.5")
            .await?;
        let slower = "check latency failed: 0.2 is not <= 0.12 (120 % of the 0.1 before)";
        self.fail(0.01, 0.2, slower).await?;
        self.pass().await?;
        self.outlast_prometheus().await?;
        self.fail_as_a_canary().await?;
        self.fail_beside_the_old().await?;
        self.pass_as_a_canary().await?;
        Ok(json!({
            "journey": "metric-checks",
            "verifying_to_failed_ms": failed_ms,
        }))
    }

    /// Pushes a version with these metrics for its page.
    async fn push(&self, errors: f64, seconds: f64) -> Result<String> {
        self.push_with(errors, seconds, "").await
    }

    /// The same with more of them.
    async fn push_with(&self, errors: f64, seconds: f64, more: &str) -> Result<String> {
        let page = format!("page_error_ratio {errors}\npage_seconds {seconds}\n{more}");
        self.stage.clone.write("message.txt", page)?;
        let message = format!("Errors {errors}, {seconds} s");
        self.stage.clone.commit_and_push(&message).await
    }

    async fn measured(&self, errors: f64, seconds: f64) -> Result<()> {
        self.prometheus.gives(ERRORS, errors).await?;
        self.prometheus.gives(LATENCY, seconds).await
    }

    async fn bring_out_the_first(&self) -> Result<()> {
        self.stage.sample(2).write(&self.stage.clone, "")?;
        let first = self.push(0.01, 0.1).await?;
        self.stage.create().await?;
        let asked = self.stage.deploy(&first).await?;
        self.stage.ends(asked.id, DeployState::Succeeded).await?;
        self.measured(0.01, 0.1).await
    }

    /// What Prometheus cannot parse is refused when it is set.
    async fn set(&self) -> Result<()> {
        let path = format!("/workloads/{}/gates", self.stage.name);
        let mut errors = check("errors", "max(page_error_ratio");
        errors.threshold = Some(0.5);
        let mut latency = check("latency", LATENCY);
        latency.comparison = Comparison::AtMost;
        latency.relative_to_old_percent = Some(120.0);
        let mut gates = HealthGates {
            ready_seconds: 0,
            max_restarts: None,
            checks: vec![errors, latency],
            auto_rollback: true,
        };
        let problem = self.stage.put_refused(&path, &gates, 422).await?;
        let said = serde_json::to_string(&problem)?;
        anyhow::ensure!(said.contains("unclosed left parenthesis"), "{said}");
        ERRORS.clone_into(&mut gates.checks[0].query);
        let set: WorkloadGates = self.stage.hermez.put(&path, &gates).await?;
        anyhow::ensure!(set.gates == gates && set.has_prometheus, "{set:?}");
        Ok(())
    }

    /// All pods of a version are ready, its metrics are wrong: it fails with what was measured, and
    /// what ran comes back. Gives the milliseconds from `verifying` to `failed`.
    async fn fail(&self, errors: f64, seconds: f64, words: &str) -> Result<i64> {
        let stage = &self.stage;
        let bad = self.push(errors, seconds).await?;
        let asked = stage.deploy(&bad).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("health_gate")
                && failed.summary.message.contains(words),
            "not `{words}`: {failed:#?}"
        );
        let receipt = stage.receipt(asked.id).await?;
        let said = serde_json::to_string(&receipt)?;
        anyhow::ensure!(said.contains(words), "{receipt:#?}");
        let path = format!("/workloads/{}/deploys?kind=rollback", stage.name);
        let rollbacks: Page<DeploySummary> = stage.hermez.get(&path).await?;
        let newest = rollbacks.items.first().context("it is rolled back")?;
        anyhow::ensure!(newest.id > asked.id, "{newest:?}");
        let back = stage.ends(newest.id, DeployState::Succeeded).await?;
        anyhow::ensure!(back.summary.kind == DeployKind::Rollback, "{back:#?}");
        self.measured(0.01, 0.1).await?;
        let at = |state| {
            let mut entries = failed.timeline.iter();
            entries.find(|it| it.state == state).map(|it| it.at)
        };
        let verified = at(DeployState::Verifying).context("it was verified")?;
        let ended = at(DeployState::Failed).context("it failed")?;
        Ok(i64::try_from(ended.duration_since(verified).as_millis())?)
    }

    /// What is right for long enough succeeds, and says with which values.
    async fn pass(&self) -> Result<()> {
        let good = self.push(0.02, 0.11).await?;
        let asked = self.stage.deploy(&good).await?;
        let deploy = self.stage.ends(asked.id, DeployState::Succeeded).await?;
        let words = "errors 0.02 < 0.5; latency 0.11 <= 0.12 (120 % of the 0.1 before)";
        anyhow::ensure!(deploy.summary.message.contains(words), "{deploy:#?}");
        self.measured(0.02, 0.11).await
    }

    /// Prometheus away is neither a success nor a failure: it is waited for.
    async fn outlast_prometheus(&mut self) -> Result<()> {
        let good = self.push(0.03, 0.11).await?;
        let asked = self.stage.deploy(&good).await?;
        self.stage
            .says(asked.id, DeployState::Verifying, "checks: errors, latency")
            .await?;
        self.prometheus.stop().await?;
        self.stage
            .says(asked.id, DeployState::Verifying, "cannot be measured")
            .await?;
        self.prometheus.launch().await?;
        self.stage.ends(asked.id, DeployState::Succeeded).await?;
        self.measured(0.03, 0.11).await
    }

    async fn generation(&self) -> Result<Option<i64>> {
        let name = &self.stage.name;
        let deployments: Api<Deployment> = Api::namespaced(self.stage.kube.clone(), name);
        Ok(deployments.get(name).await?.metadata.generation)
    }

    /// Deploys a version with these metrics as a canary, until it ends in this state.
    async fn as_a_canary(&self, errors: f64, more: &str, state: DeployState) -> Result<Deploy> {
        let strategy = RolloutStrategy {
            canary: vec![CanaryStep {
                percent: 50,
                seconds: 6,
                wait: false,
            }],
            waves: Vec::new(),
        };
        let path = format!("/workloads/{}/strategy", self.stage.name);
        let _: WorkloadStrategy = self.stage.hermez.put(&path, &strategy).await?;
        let commit = self.push_with(errors, 0.11, more).await?;
        let asked = self.stage.deploy(&commit).await?;
        self.stage.ends(asked.id, state).await
    }

    /// A canary with wrong metrics goes, and what runs was left alone: there is nothing to roll back.
    async fn fail_as_a_canary(&self) -> Result<()> {
        let before = self.generation().await?;
        let failed = self.as_a_canary(0.8, "", DeployState::Failed).await?;
        let words = "the canary failed: check errors failed: 0.8 is not < 0.5";
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("health_gate")
                && failed.summary.message.contains(words),
            "{failed:#?}"
        );
        anyhow::ensure!(self.generation().await? == before, "it is left alone");
        let newest: Page<DeploySummary> = self
            .stage
            .hermez
            .get(&format!("/workloads/{}/deploys", self.stage.name))
            .await?;
        let newest = newest.items.first().context("there are deploys")?;
        anyhow::ensure!(newest.id == failed.summary.id, "{newest:?}");
        self.measured(0.03, 0.11).await
    }

    /// What the names of a canary's pods begin with.
    fn of_canary(&self) -> String {
        format!("{}-canary-", self.stage.name)
    }

    /// The workload's own pods.
    async fn own_pods(&self) -> Result<BTreeSet<String>> {
        let pods: Api<Pod> = Api::namespaced(self.stage.kube.clone(), &self.stage.name);
        let list = pods.list(&ListParams::default()).await?;
        let names = list.items.iter().filter(|pod| is_asked(pod));
        let names = names.map(ResourceExt::name_any);
        Ok(names
            .filter(|name| !name.starts_with(&self.of_canary()))
            .collect())
    }

    /// A canary whose pods are worse than those beside them fails, though all together are well enough.
    async fn fail_beside_the_old(&self) -> Result<()> {
        let path = format!("/workloads/{}/gates", self.stage.name);
        let mut errors = check("errors", ERRORS);
        errors.threshold = Some(0.5);
        let mut beside = check("beside", &BESIDE.replace('~', ""));
        let mut fresh = check("fresh", "count(page_fresh{pod=~\"$pods\"})");
        for relative in [&mut beside, &mut fresh] {
            relative.comparison = Comparison::AtMost;
            relative.relative_to_old_percent = Some(200.0);
        }
        let mut gates = HealthGates {
            ready_seconds: 0,
            max_restarts: None,
            checks: vec![errors, beside, fresh],
            auto_rollback: true,
        };
        let problem = self.stage.put_refused(&path, &gates, 422).await?;
        let said = serde_json::to_string(&problem)?;
        anyhow::ensure!(said.contains("no regular expression"), "{said}");
        BESIDE.clone_into(&mut gates.checks[1].query);
        let _: WorkloadGates = self.stage.hermez.put(&path, &gates).await?;

        let old = self.own_pods().await?;
        let failed = self.as_a_canary(0.3, "", DeployState::Failed).await?;
        let words = "the canary failed: check beside failed: 0.3 is not <= 0.06 (200 % of the 0.03 that the old version has now)";
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("health_gate")
                && failed.summary.message.contains(words),
            "{failed:#?}"
        );
        let (asked, of_canary) = (self.prometheus.asked_about()?, self.of_canary());
        let is_canary = |pod: &String| pod.starts_with(&of_canary);
        let canary = asked.iter().filter(|pods| pods.iter().any(is_canary));
        let canary: Vec<_> = canary.collect();
        anyhow::ensure!(
            !canary.is_empty() && canary.iter().all(|pods| pods.iter().all(is_canary)),
            "the canary's pods alone: {asked:?}"
        );
        // Before the rollout, and beside the canary.
        let times = asked.iter().filter(|pods| **pods == old).count();
        anyhow::ensure!(times >= 2, "not twice {old:?}: {asked:?}");
        self.measured(0.03, 0.11).await
    }

    /// One that is no worse than the pods beside it goes on; what the old version has no value for is
    /// left out, and said.
    async fn pass_as_a_canary(&self) -> Result<()> {
        let passed = DeployState::Succeeded;
        let deploy = self.as_a_canary(0.04, "page_fresh 1\n", passed).await?;
        let says = |words: &str| deploy.timeline.iter().any(|it| it.message.contains(words));
        let fresh = "check fresh was left out: it has no value of the old version to compare with: the query finds no series";
        let beside = "beside 0.04 <= 0.06 (200 % of the 0.03";
        let did_well = format!(
            "the canary did well; errors 0.04 < 0.5; {beside} that the old version has now); {fresh}"
        );
        let verified = format!("errors 0.04 < 0.5; {beside} before); {fresh}");
        anyhow::ensure!(
            says(&did_well) && deploy.summary.message.contains(&verified),
            "{deploy:#?}"
        );
        let (asked, new) = (self.prometheus.asked_about()?, self.own_pods().await?);
        anyhow::ensure!(asked.contains(&new), "not {new:?}: {asked:?}");
        self.measured(0.04, 0.11).await
    }
}
