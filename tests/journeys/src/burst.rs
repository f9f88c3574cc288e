//! A thousand deploys at once on played pods: all finish, and none is done twice. And what Hermez adds
//! to an apply: from the request to the write of the Deployment, against the same resource applied to
//! the cluster directly, in the same run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use hermez_api::{CreateDeploy, DeployState, DeploySummary, Page};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::played::{Played, config};
use crate::sandbox::{Sandbox, unique};
use crate::usage::{server, usage};
use crate::wait::until;

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Deploys that are asked for at once, each of a workload of its own; at least 20.
    pub deploys: usize,
    /// Deploys of the second figure.
    pub timed: usize,
}

/// What the figures are of.
const WHOLE: Size = Size {
    deploys: 1_000,
    timed: 200,
};
/// Workloads that take turns in the second figure.
const TAKING_TURNS: usize = 20;
/// Requests under way at the same time.
const AT_ONCE: usize = 16;
/// Before each is timed: what follows from the one before is over, for either in the same way.
const REST: Duration = Duration::from_millis(250);
/// Longest time for all to end.
const LIMIT: Duration = Duration::from_mins(30);

/// Runs the journey, with `HERMEZ_DEPLOYS` at once where it says how many. Times are in milliseconds,
/// CPU in seconds, memory in MiB.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let deploys = match std::env::var("HERMEZ_DEPLOYS") {
        Ok(text) => text.parse().context("HERMEZ_DEPLOYS is a number")?,
        Err(_) => WHOLE.deploys,
    };
    anyhow::ensure!(deploys >= TAKING_TURNS, "at least {TAKING_TURNS} deploys");
    run_of(sandbox, Size { deploys, ..WHOLE }).await
}

/// Runs the journey with another size.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run_of(sandbox: &Sandbox, size: Size) -> Result<Value> {
    let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
    let played = Played::start(sandbox, unique("burst")).await?;
    let burst = Burst {
        turning: Repository::new(&forge, "burst-turning").await?,
        others: Repository::new(&forge, "burst").await?,
        hermez,
        forge,
        client: played.client.clone(),
        namespace: played.namespace.clone(),
        size,
    };
    let figures = burst.travel().await;
    let cleaned = burst.clean_up().await;
    played.clean_up().await?;
    cleaned?;
    figures
}

/// A repository of many workloads, each with a config file of its own.
struct Repository {
    name: String,
    url: String,
    clone: Clone,
}

impl Repository {
    async fn new(forge: &Forge, prefix: &str) -> Result<Self> {
        let (name, url, clone) = Clone::of_new(forge, prefix).await?;
        Ok(Self { name, url, clone })
    }
}

struct Burst {
    hermez: Hermez,
    forge: Forge,
    /// The workloads that take turns; a push of theirs builds no others.
    turning: Repository,
    others: Repository,
    client: Client,
    namespace: String,
    size: Size,
}

/// A commit of each repository.
struct Commits {
    turning: String,
    others: String,
}

impl Commits {
    fn of(&self, index: usize) -> &str {
        if index < TAKING_TURNS {
            &self.turning
        } else {
            &self.others
        }
    }
}

/// The config file of a workload.
fn file(index: usize) -> String {
    format!("s{index}.yaml")
}

impl Burst {
    async fn travel(&self) -> Result<Value> {
        let created = Instant::now();
        let first = self.create_all().await?;
        let created = created.elapsed();
        let all = self.all_at_once(&first).await?;
        let added = self.added(&first.turning).await?;
        let mut figures = json!({
            "journey": "burst",
            "deploys": self.size.deploys,
            "created_and_built_ms": created.as_millis() as u64,
        });
        if let Some(figures) = figures.as_object_mut() {
            for more in [all, added] {
                figures.extend(more.as_object().cloned().unwrap_or_default());
            }
        }
        Ok(figures)
    }

    fn name(&self, index: usize) -> String {
        format!("{}-{index}", self.namespace)
    }

    fn repository(&self, index: usize) -> &Repository {
        if index < TAKING_TURNS {
            &self.turning
        } else {
            &self.others
        }
    }

    /// A thousand workloads, each with its artifact; gives their commits.
    async fn create_all(&self) -> Result<Commits> {
        for index in 0..self.size.deploys {
            let config = config(&self.name(index), &self.namespace, "first");
            self.repository(index).clone.write(&file(index), config)?;
        }
        for repository in [&self.turning, &self.others] {
            // One image for all: the build of the second is the cache's.
            let dockerfile = "FROM scratch\nCOPY message.txt /\n";
            repository.clone.write("Dockerfile", dockerfile)?;
            repository.clone.write("message.txt", "played\n")?;
        }
        let first = Commits {
            turning: self.turning.clone.commit_and_push("First").await?,
            others: self.others.clone.commit_and_push("First").await?,
        };
        stream::iter(0..self.size.deploys)
            .map(|index| async move {
                let create = ask(&self.repository(index).url, &file(index));
                self.hermez.create_workload(&create).await.map(drop)
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        self.built(&first).await?;
        Ok(first)
    }

    /// Waits until every workload has the artifact of its commit.
    async fn built(&self, commits: &Commits) -> Result<()> {
        stream::iter(0..self.size.deploys)
            .map(|index| async move {
                let name = self.name(index);
                self.hermez
                    .artifact_available(&name, commits.of(index), LIMIT)
                    .await
                    .map(drop)
            })
            .buffer_unordered(4)
            .try_collect()
            .await
    }

    /// Asks for all of them, and asks for some of them twice.
    async fn all_at_once(&self, commits: &Commits) -> Result<Value> {
        let process = server()?;
        let before = usage(process)?;
        let begun = Instant::now();
        let asked: Vec<DeploySummary> = stream::iter(0..self.size.deploys)
            .map(|index| async move {
                let path = format!("/workloads/{}/deploys", self.name(index));
                let body = of(commits.of(index));
                let asked: DeploySummary = self.hermez.post_once(&path, &body, &path).await?;
                if index % 10 == 0 {
                    let again: DeploySummary = self.hermez.post_once(&path, &body, &path).await?;
                    anyhow::ensure!(again.id == asked.id, "asked twice under one key: {again:?}");
                }
                Ok(asked)
            })
            .buffer_unordered(64)
            .try_collect()
            .await?;
        let requested = begun.elapsed();
        for deploy in &asked {
            let ended = self.hermez.deploy_ends(deploy.id, LIMIT).await?;
            let state = ended.summary.state;
            anyhow::ensure!(state == DeployState::Succeeded, "{ended:#?}");
        }
        let took = begun.elapsed();
        let after = usage(process)?;
        self.none_twice(&asked).await?;
        Ok(json!({
            "all_requested_ms": requested.as_millis() as u64,
            "all_succeeded_ms": took.as_millis() as u64,
            "server_cpu_s": after.cpu_s - before.cpu_s,
            "server_peak_mib": after.peak_mib,
        }))
    }

    /// Each workload has its one deploy, and its resource was written once.
    async fn none_twice(&self, asked: &[DeploySummary]) -> Result<()> {
        let resources = self.resources().list(&ListParams::default()).await?;
        anyhow::ensure!(
            resources.items.len() == self.size.deploys,
            "{}",
            resources.items.len()
        );
        let by_name: HashMap<String, i64> = asked
            .iter()
            .map(|deploy| (deploy.workload.clone(), deploy.id))
            .collect();
        for resource in &resources.items {
            let name = resource.name_any();
            let marked = resource.annotations().get("hermez.dev/deploy").cloned();
            anyhow::ensure!(
                marked == by_name.get(&name).map(i64::to_string)
                    && resource.metadata.generation == Some(1),
                "{name}: {marked:?}, generation {:?}",
                resource.metadata.generation
            );
        }
        let path = format!("/workloads/{}/deploys", self.name(0));
        let history: Page<DeploySummary> = self.hermez.get(&path).await?;
        anyhow::ensure!(history.items.len() == 1, "{history:?}");
        Ok(())
    }

    fn resources(&self) -> Api<DynamicObject> {
        let kind = hermez_kinds::Kind::Service.api_resource();
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    /// From the request to the Deployment's write: through Hermez, and by an apply of the resource.
    async fn added(&self, first: &str) -> Result<Value> {
        for index in 0..TAKING_TURNS {
            let clone = &self.turning.clone;
            let text = std::fs::read_to_string(clone.path().join(file(index)))?;
            let changed = text.replace("VERSION: \"first\"", "VERSION: \"second\"");
            clone.write(&file(index), changed)?;
        }
        let second = self.turning.clone.commit_and_push("Second").await?;
        for index in 0..TAKING_TURNS {
            let name = self.name(index);
            // How long a version is looked at after it is ready is not what is measured.
            let gates = json!({ "ready_seconds": 0, "checks": [], "auto_rollback": false });
            let path = format!("/workloads/{name}/gates");
            let _: Value = self.hermez.put(&path, &gates).await?;
            self.hermez
                .artifact_available(&name, &second, LIMIT)
                .await?;
        }
        let seen = Seen::watch(&self.client, &self.namespace);
        until("the watch has begun", LIMIT, || async {
            let all = (0..TAKING_TURNS).all(|index| seen.newest(&self.name(index)).is_some());
            Ok(all.then_some(()))
        })
        .await?;
        let (mut by_hermez, mut by_apply) = (Vec::new(), Vec::new());
        for round in 0..self.size.timed {
            let name = self.name(round % TAKING_TURNS);
            let turn = round / TAKING_TURNS;
            let commit = if turn.is_multiple_of(2) {
                &second
            } else {
                first
            };
            tokio::time::sleep(REST).await;
            let begun = Instant::now();
            let mark = seen.generation(&name);
            let path = format!("/workloads/{name}/deploys");
            let asked: DeploySummary = self.hermez.post(&path, &of(commit)).await?;
            by_hermez.push(seen.newer(&name, mark, begun).await?);
            self.hermez.deploy_ends(asked.id, LIMIT).await?;
            // The same change by hand, on a resource whose deploy has ended.
            tokio::time::sleep(REST).await;
            let mark = seen.generation(&name);
            let begun = Instant::now();
            self.apply(&name, round).await?;
            by_apply.push(seen.newer(&name, mark, begun).await?);
            // Its pods change too; the next one begins as this one did.
            seen.settled(&name).await?;
        }
        let (hermez, apply) = (Percentiles::of(by_hermez), Percentiles::of(by_apply));
        Ok(json!({
            "timed_deploys": self.size.timed,
            "request_to_deployment_p50_ms": hermez.p50,
            "request_to_deployment_p99_ms": hermez.p99,
            "apply_to_deployment_p50_ms": apply.p50,
            "apply_to_deployment_p99_ms": apply.p99,
            "added_p50_ms": hermez.p50 - apply.p50,
            "added_p99_ms": hermez.p99 - apply.p99,
        }))
    }

    /// Changes a field of the resource as `kubectl apply --server-side` does.
    async fn apply(&self, name: &str, round: usize) -> Result<()> {
        let body = json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {"name": name},
            "spec": {"configs": {"BY_HAND": round.to_string()}},
        });
        let params = PatchParams::apply("kubectl").force();
        self.resources()
            .patch(name, &params, &Patch::Apply(&body))
            .await?;
        Ok(())
    }

    async fn clean_up(&self) -> Result<()> {
        stream::iter(0..self.size.deploys)
            .map(|index| async move {
                let path = format!("/workloads/{}", self.name(index));
                // Where it was never created there is nothing to delete.
                let _ = self.hermez.delete(&path).await;
            })
            .buffer_unordered(AT_ONCE)
            .collect::<()>()
            .await;
        self.forge.delete_repository(&self.turning.name).await?;
        self.forge.delete_repository(&self.others.name).await
    }
}

fn of(commit: &str) -> CreateDeploy {
    CreateDeploy {
        commit: Some(commit.to_owned()),
        latest: false,
        branch: None,
        reason: None,
        override_bad: None,
    }
}

/// Two points of a distribution, in milliseconds.
struct Percentiles {
    p50: f64,
    p99: f64,
}

impl Percentiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let place = ((times.len() as f64 - 1.0) * share).round() as usize;
            times
                .get(place)
                .map_or(0.0, |time| (time.as_secs_f64() * 10_000.0).round() / 10.0)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// Deployments as a watch sees them.
struct Seen {
    newest: Arc<Mutex<HashMap<String, Newest>>>,
    changed: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

/// The newest of a Deployment that was seen.
#[derive(Clone, Copy)]
struct Newest {
    generation: i64,
    /// When this generation was seen first.
    at: Instant,
    /// Whether all its pods are those of this generation, and available.
    settled: bool,
}

/// Whether all pods of a Deployment are those of its generation, and available.
fn is_settled(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation == deployment.metadata.generation
        && status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
}

impl Seen {
    fn watch(client: &Client, namespace: &str) -> Self {
        let newest: Arc<Mutex<HashMap<String, Newest>>> = Arc::default();
        let changed = Arc::new(Notify::new());
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let (map, wake) = (newest.clone(), changed.clone());
        let task = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(deployments, watcher::Config::default()));
            while let Some(event) = events.next().await {
                let Ok(Event::Apply(deployment) | Event::InitApply(deployment)) = event else {
                    continue;
                };
                let generation = deployment.metadata.generation.unwrap_or(0);
                let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
                let known = map.get(&deployment.name_any());
                let seen = known.filter(|known| known.generation >= generation);
                let newest = Newest {
                    generation,
                    at: seen.map_or_else(Instant::now, |seen| seen.at),
                    settled: is_settled(&deployment),
                };
                map.insert(deployment.name_any(), newest);
                wake.notify_waiters();
            }
        });
        Self {
            newest,
            changed,
            task,
        }
    }

    fn newest(&self, name: &str) -> Option<Newest> {
        let map = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        map.get(name).copied()
    }

    fn generation(&self, name: &str) -> i64 {
        self.newest(name).map_or(0, |newest| newest.generation)
    }

    /// How long after `begun` a generation after `mark` was seen.
    async fn newer(&self, name: &str, mark: i64, begun: Instant) -> Result<Duration> {
        let newer = self.when(name, |newest| newest.generation > mark);
        let newest = newer
            .await
            .with_context(|| format!("no write of the Deployment {name}"))?;
        Ok(newest.at.saturating_duration_since(begun))
    }

    /// Waits until a Deployment's pods are all of its newest generation.
    async fn settled(&self, name: &str) -> Result<()> {
        let settled = self.when(name, |newest| newest.settled).await;
        settled.with_context(|| format!("the Deployment {name} does not come to rest"))?;
        Ok(())
    }

    async fn when(&self, name: &str, is_it: impl Fn(&Newest) -> bool) -> Result<Newest> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if let Some(newest) = self.newest(name).filter(&is_it) {
                    return newest;
                }
                changed.await;
            }
        };
        Ok(tokio::time::timeout(Duration::from_mins(1), wait).await?)
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.task.abort();
    }
}
