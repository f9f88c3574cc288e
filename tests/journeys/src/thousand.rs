//! A thousand services on nodes that are only played: how long they take, what they cost, and what
//! a restart of the server costs when nothing has changed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::played::Played;
use crate::sandbox::{Sandbox, unique};
use crate::usage::{server, usage};
use crate::wait::until;

/// Services.
const SERVICES: usize = 1_000;
/// Longest time for all to settle.
const LIMIT: Duration = Duration::from_mins(20);
/// Requests under way at the same time.
const AT_ONCE: usize = 16;

/// Runs the journey. Times are in milliseconds, CPU in seconds, memory in MiB.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let thousand = Thousand::prepare(sandbox).await?;
    let result = thousand.measure().await;
    thousand.played.clean_up().await?;
    result
}

struct Thousand<'a> {
    sandbox: &'a Sandbox,
    client: Client,
    namespace: String,
    played: Played,
}

impl<'a> Thousand<'a> {
    async fn prepare(sandbox: &'a Sandbox) -> Result<Self> {
        let played = Played::start(sandbox, unique("thousand")).await?;
        Ok(Self {
            sandbox,
            client: played.client.clone(),
            namespace: played.namespace.clone(),
            played,
        })
    }

    fn services(&self) -> Api<DynamicObject> {
        let resource = kube::api::ApiResource {
            group: "pinterest.com".into(),
            version: "v1".into(),
            api_version: "pinterest.com/v1".into(),
            kind: "PinterestService".into(),
            plural: "pinterestservices".into(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn measure(&self) -> Result<Value> {
        let process = server()?;
        let used = usage(process)?;
        let writes = self.writes_by_hermez().await?;
        let begun = Instant::now();
        self.create_all().await?;
        let created = begun.elapsed();
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        until("a thousand Deployments", LIMIT, || async {
            let all = deployments.list_metadata(&ListParams::default()).await?;
            Ok((all.items.len() == SERVICES).then_some(()))
        })
        .await?;
        let deployed = begun.elapsed();
        until("every status is right", LIMIT, || async {
            let all = self.services().list(&ListParams::default()).await?;
            let right = all.items.iter().filter(|service| is_right(service)).count();
            Ok((right == SERVICES).then_some(()))
        })
        .await?;
        let settled = begun.elapsed();
        let after = usage(process)?;
        self.quiet().await?;
        let written = self.writes_by_hermez().await?;
        let mut by_resource = BTreeMap::new();
        for (line, count) in &written {
            let count = count - writes.get(line).copied().unwrap_or(0.0);
            if count > 0.0 {
                by_resource.insert(line.clone(), count / SERVICES as f64);
            }
        }
        let restart = self.restart(process).await?;
        let mut figures = json!({
            "journey": "thousand",
            "services": SERVICES,
            "created_ms": created.as_millis() as u64,
            "all_deployments_ms": deployed.as_millis() as u64,
            "all_statuses_right_ms": settled.as_millis() as u64,
            "server_cpu_s": after.cpu_s - used.cpu_s,
            "server_peak_mib": after.peak_mib,
            "writes_per_service": by_resource,
        });
        if let (Some(figures), Value::Object(restart)) = (figures.as_object_mut(), restart) {
            figures.extend(restart);
        }
        Ok(figures)
    }

    async fn create_all(&self) -> Result<()> {
        let services = self.services();
        let create = |index: usize| {
            let services = services.clone();
            async move {
                let service = json!({
                    "apiVersion": "pinterest.com/v1",
                    "kind": "PinterestService",
                    "metadata": {"name": format!("s{index}")},
                    "spec": {
                        "replicas": 1,
                        "configs": {"A": "b"},
                        "template": {"spec": {
                            "nodeselector": {"type": self.namespace},
                            "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
                            "containers": [{"name": "played", "image": "played:1"}],
                        }},
                    },
                });
                let service = serde_json::from_value(service)?;
                services.create(&PostParams::default(), &service).await?;
                Ok::<_, anyhow::Error>(())
            }
        };
        stream::iter(0..SERVICES)
            .map(create)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Ends the server in good order, and measures until its successor has looked at everything.
    async fn restart(&self, process: u32) -> Result<Value> {
        let seen = self.writes_seen().await?;
        let begun = Instant::now();
        kill(Pid::from_raw(process.cast_signed()), Signal::SIGTERM)?;
        let successor = until("the server is back", Duration::from_mins(2), || async {
            Ok(server().ok().filter(|pid| *pid != process))
        })
        .await?;
        let back = Instant::now();
        let reconciled = "hermez_controller_reconcile_seconds_count";
        until("everything was looked at", LIMIT, || async {
            let Ok(figures) = self.figures().await else {
                return Ok(None);
            };
            let looked = sum(&figures, reconciled) >= SERVICES as f64;
            let waiting = sum(&figures, "hermez_controller_queue_depth");
            Ok((looked && waiting == 0.0).then_some(()))
        })
        .await?;
        let (total, synced) = (begun.elapsed(), back.elapsed());
        self.quiet().await?;
        let writes: f64 = self.writes_by_hermez().await?.values().sum();
        let used = usage(successor)?;
        let seen_after = self.writes_seen().await?;
        Ok(json!({
            "restart_ms": total.as_millis() as u64,
            "restart_process_to_synced_ms": synced.as_millis() as u64,
            "restart_cpu_s": used.cpu_s,
            "restart_peak_mib": used.peak_mib,
            "restart_writes_by_hermez": writes as u64,
            "restart_writes_seen_by_api_server": (seen_after - seen) as u64,
        }))
    }

    /// Waits until the controllers have done nothing for a while.
    async fn quiet(&self) -> Result<()> {
        let reconciles = || async {
            Ok::<_, anyhow::Error>(sum(
                &self.figures().await?,
                "hermez_controller_reconcile_seconds_count",
            ))
        };
        let (mut last, mut since) = (reconciles().await?, Instant::now());
        while since.elapsed() < Duration::from_secs(3) {
            let now = reconciles().await?;
            if now > last {
                (last, since) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The server's own figures, as text.
    async fn figures(&self) -> Result<String> {
        let token = std::fs::read_to_string(&self.sandbox.status.token_file)?;
        let url = format!("{}/metrics", self.sandbox.status.server);
        let answer = reqwest::Client::new()
            .get(url)
            .bearer_auth(token.trim())
            .send()
            .await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Writes of the controllers by verb and resource.
    async fn writes_by_hermez(&self) -> Result<BTreeMap<String, f64>> {
        let figures = self.figures().await?;
        let lines = figures.lines().filter_map(|line| {
            let line = line.strip_prefix("hermez_controller_writes_total{")?;
            let (labels, count) = line.rsplit_once("} ")?;
            Some((labels.replace('"', ""), count.parse().ok()?))
        });
        Ok(lines.collect())
    }

    /// Requests that change what the controllers write, by the API server's own count; status of
    /// native objects apart, which is Kubernetes'.
    async fn writes_seen(&self) -> Result<f64> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let text = self.client.request_text(request).await?;
        let ours = |line: &&str| {
            let has = |label: &str, value: &str| line.contains(&format!("{label}=\"{value}\""));
            let verbs = ["APPLY", "PATCH", "POST", "PUT", "DELETE"];
            let kinds = has("resource", "pinterestservices");
            let native = ["deployments", "configmaps", "services"];
            let native = native.iter().any(|resource| has("resource", resource));
            line.starts_with("apiserver_request_total{")
                && verbs.iter().any(|verb| has("verb", verb))
                && (kinds || (native && has("subresource", "") && has("verb", "APPLY")))
        };
        let counts = text.lines().filter(ours);
        Ok(counts
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum())
    }
}

/// Whether a service's status says that it runs as its spec says.
fn is_right(service: &DynamicObject) -> bool {
    let status = &service.data["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let holds = |kind: &str| {
        conditions
            .clone()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    status["observedGeneration"].as_i64() == service.metadata.generation
        && status["readyReplicas"] == 1
        && holds("Available")
        && !holds("Reconciling")
        && !holds("Stalled")
}

/// All lines that begin with `name`, added up.
fn sum(figures: &str, name: &str) -> f64 {
    let lines = figures.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}
