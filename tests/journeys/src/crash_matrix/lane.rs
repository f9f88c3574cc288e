//! The workload of the matrix, and what is done with it: by a client that asks again, under the same
//! key, when the server has died.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{CreateDeploy, Deploy, DeployState, DeploySummary, Page};
use kube::Client;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::forged::Forged;
use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sandbox::unique;
use crate::wait::until;

/// Longest time for anything, the server's start and the lease of one that has died included.
pub(super) const LIMIT: Duration = Duration::from_secs(75);

/// The workload, and everything that is looked at for it.
pub struct Lane {
    /// The server's API.
    pub hermez: Hermez,
    /// The forge itself, past the proxy.
    pub forge: Forge,
    /// A developer's clone.
    pub clone: Clone,
    /// The cluster itself, past the proxy.
    pub client: Client,
    /// The registry itself, past the proxy.
    pub registry: String,
    /// Namespace of played pods.
    pub namespace: String,
    /// Name of the repository.
    pub repository: String,
    /// Its URL, as the server knows it.
    pub url: String,
    /// Name of the workload.
    pub name: String,
    /// Two versions that are well and one whose objects the API server refuses.
    pub versions: [String; 3],
    /// What the forge was told last.
    pub forged: Mutex<Forged>,
}

impl Lane {
    /// The config file of a version.
    pub(super) fn config(&self, version: &str, fails: bool) -> String {
        let namespace = &self.namespace;
        // More asked for than is allowed: the schema takes it, and the API server does not.
        let resources = if fails {
            "\n          resources: {requests: {cpu: \"2\"}, limits: {cpu: \"1\"}}"
        } else {
            ""
        };
        format!(
            "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: {}\n  namespace: {namespace}\n  project: crashes\nspec:\n  replicas: 1\n  configs:\n    VERSION: \"{version}\"\n  template:\n    spec:\n      nodeselector:\n        type: {namespace}\n      tolerations:\n        - key: kwok.x-k8s.io/node\n          operator: Exists\n      containers:\n        - name: played\n          image: {}{resources}\n",
            self.name, self.name
        )
    }

    /// Pushes a version to `main`.
    pub(super) async fn push(&self, version: &str, fails: bool) -> Result<String> {
        self.clone
            .write("service.yaml", self.config(version, fails))?;
        self.clone
            .write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")?;
        self.clone.write("message.txt", version)?;
        self.clone.commit_and_push(version).await
    }

    /// Creates the workload, and builds its versions.
    ///
    /// # Errors
    /// When anything fails.
    pub async fn prepare(&mut self) -> Result<()> {
        let first = self.push("first", false).await?;
        self.hermez
            .create_workload(&ask(&self.url, "service.yaml"))
            .await?;
        let second = self.push("second", false).await?;
        let bad = self.push("bad", true).await?;
        self.versions = [first, second, bad];
        let gates = json!({ "ready_seconds": 1, "checks": [], "auto_rollback": true });
        let path = format!("/workloads/{}/gates", self.name);
        let _: Value = self.hermez.put(&path, &gates).await?;
        for version in &self.versions {
            self.hermez
                .commit_arrives(&self.name, version, LIMIT)
                .await?;
            let build = self.hermez.build(&self.name, version).await?;
            self.hermez.build_ends(build.id, LIMIT).await?;
        }
        for version in [0, 1] {
            self.deployed(version).await?;
        }
        let path = format!("/workloads/{}", self.name);
        let by_itself = json!({ "auto_deploy": "main" });
        let _: Value = self.hermez.patch(&path, &by_itself).await?;
        Ok(())
    }

    /// Sees to it that a version runs.
    pub(super) async fn deployed(&self, version: usize) -> Result<()> {
        let path = format!("/workloads/{}/deploys?limit=1", self.name);
        let newest: Page<DeploySummary> = self.get(&path).await?;
        let runs = newest.items.first().is_some_and(|newest| {
            newest.state == DeployState::Succeeded && newest.commit == self.versions[version]
        });
        if !runs {
            let asked = self.deploy(version).await?;
            let deploy = self.ends(asked.id).await?;
            anyhow::ensure!(
                deploy.summary.state == DeployState::Succeeded,
                "{deploy:#?}"
            );
        }
        self.settles().await
    }

    /// A deploy that is being verified.
    pub(super) async fn verifying(&self) -> Result<i64> {
        let asked = self.deploy(1).await?;
        let reached = self
            .until("it is verified", || async {
                let deploy: Deploy = self.get(&format!("/deploys/{}", asked.id)).await?;
                let state = deploy.summary.state;
                Ok((state == DeployState::Verifying || state.is_over()).then_some(deploy))
            })
            .await?;
        anyhow::ensure!(!reached.summary.state.is_over(), "too late: {reached:#?}");
        Ok(asked.id)
    }

    /// Asks for a deploy of a version.
    pub(super) async fn deploy(&self, version: usize) -> Result<DeploySummary> {
        self.ask("deploys", &of(&self.versions[version])).await
    }

    /// Waits for the end of a deploy.
    pub(super) async fn ends(&self, id: i64) -> Result<Deploy> {
        self.until("the deploy ends", || async {
            let deploy: Deploy = self.get(&format!("/deploys/{id}")).await?;
            Ok(deploy.summary.state.is_over().then_some(deploy))
        })
        .await
        .with_context(|| format!("deploy {id}"))
    }

    /// Waits until the newest deploy is the one that is meant.
    pub(super) async fn newest_is(
        &self,
        what: &str,
        is_it: impl Fn(&DeploySummary) -> bool,
    ) -> Result<DeploySummary> {
        self.until(what, || async {
            let newest: Page<DeploySummary> = self.get(&self.path("deploys?limit=1")).await?;
            Ok(newest.items.into_iter().next().filter(|it| is_it(it)))
        })
        .await
    }

    /// Path of something of the workload's.
    pub(super) fn path(&self, what: &str) -> String {
        format!("/workloads/{}/{what}", self.name)
    }

    /// Asks for work under one key until there is an answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let (path, key) = (self.path(what), unique("key"));
        let asked = || async {
            match self.hermez.post_once(&path, body, &key).await {
                Ok(asked) => Ok(Some(asked)),
                Err(error) => come_back(error),
            }
        };
        until(&format!("an answer to {what}"), LIMIT, asked).await
    }

    /// Tells a deploy something that may be said any number of times.
    pub(super) async fn tell(&self, id: i64, what: &str) -> Result<()> {
        let path = format!("/deploys/{id}/{what}");
        self.insist(Method::POST, &path, &json!({})).await
    }

    /// Asks for what may be asked for any number of times.
    pub(super) async fn insist(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let asked = || async {
            let answer = match method {
                Method::PUT => self.hermez.put::<_, Value>(path, body).await.map(drop),
                Method::DELETE => self.hermez.delete(path).await,
                _ => self.hermez.post::<_, Value>(path, body).await.map(drop),
            };
            match answer {
                Ok(()) => Ok(Some(())),
                Err(error) => come_back(error),
            }
        };
        until(path, LIMIT, asked).await
    }

    /// What the server answers once it answers.
    ///
    /// # Errors
    /// When it refuses, or is away for too long.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let look = || async {
            match self.hermez.get(path).await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) => come_back(error),
            }
        };
        until(&format!("an answer to {path}"), LIMIT, look).await
    }

    /// Waits for a condition.
    ///
    /// # Errors
    /// When it does not come about.
    pub async fn until<T, F, Fut>(&self, what: &str, look: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Option<T>>>,
    {
        until(what, LIMIT, look).await
    }
}

/// A deploy of that commit, whatever was said of it before.
fn of(commit: &str) -> CreateDeploy {
    CreateDeploy {
        commit: Some(commit.to_owned()),
        latest: false,
        branch: None,
        reason: None,
        override_bad: Some("the matrix plays it again".to_owned()),
    }
}

/// Whether the request is to be made again: nobody answered, or not yet.
fn come_back<T>(error: anyhow::Error) -> Result<Option<T>> {
    use crate::hermez::Refused;
    let refused = error.downcast_ref::<Refused>().map(|it| it.status);
    match refused {
        None if error.downcast_ref::<reqwest::Error>().is_some() => Ok(None),
        Some(status) if status >= 500 => Ok(None),
        Some(409) if error.to_string().contains("Idempotency-Key") => Ok(None),
        _ => Err(error),
    }
}
