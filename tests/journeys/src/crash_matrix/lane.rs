//! The workload of the matrix, and what is done with it: by a client that asks again, under the same
//! key, when the server has died.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{
    CreateDeploy, CreatedToken, Deploy, DeployState, DeploySummary, Page, Principal, UpdateWorkload,
};
use kube::Client;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::forged::Forged;
use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, Refused, ask};
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
    /// The second cluster, where there is one.
    pub east: Option<Client>,
    /// Port of the preview gateway, where there is one.
    pub gateway: u16,
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
    /// People beside the owner, with their tokens, by what they are for.
    pub people: Mutex<BTreeMap<String, (Hermez, String)>>,
}

impl Lane {
    /// The clusters in which the server runs controllers.
    pub fn clusters(&self) -> impl Iterator<Item = &Client> {
        std::iter::once(&self.client).chain(&self.east)
    }

    /// The config file of a version.
    pub(super) fn config(&self, version: &str, fails: bool) -> String {
        self.config_of(&self.name, version, fails)
    }

    /// The config file of a version of a workload with this name.
    pub(super) fn config_of(&self, name: &str, version: &str, fails: bool) -> String {
        let namespace = &self.namespace;
        // More asked for than is allowed: the schema takes it, and the API server does not.
        let resources = if fails {
            "\n          resources: {requests: {cpu: \"2\"}, limits: {cpu: \"1\"}}"
        } else {
            ""
        };
        format!(
            "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  project: crashes\nspec:\n  replicas: 1\n  configs:\n    VERSION: \"{version}\"\n  template:\n    spec:\n      nodeselector:\n        type: {namespace}\n      tolerations:\n        - key: kwok.x-k8s.io/node\n          operator: Exists\n      containers:\n        - name: played\n          image: {name}{resources}\n"
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
            self.built(version).await?;
        }
        for version in [0, 1] {
            self.deployed(version).await?;
        }
        self.deploy_by_itself("main").await
    }

    /// Waits for a commit of the default branch, and for its build.
    pub(super) async fn built(&self, commit: &str) -> Result<()> {
        self.hermez
            .commit_arrives(&self.name, commit, LIMIT)
            .await?;
        let build = self.hermez.build(&self.name, commit).await?;
        self.hermez.build_ends(build.id, LIMIT).await?;
        Ok(())
    }

    /// Which branch's pushes are deployed by themselves; none with an empty name.
    pub(super) async fn deploy_by_itself(&self, branch: &str) -> Result<()> {
        let path = format!("/workloads/{}", self.name);
        let body = UpdateWorkload {
            auto_deploy: Some(branch.to_owned()),
            ..UpdateWorkload::default()
        };
        let _: Value = self.hermez.patch(&path, &body).await?;
        Ok(())
    }

    /// Somebody with that role, signed in, and their token: the same each time.
    pub(super) async fn somebody(&self, who: &str, role: &str) -> Result<(Hermez, String)> {
        let people = || self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let known = people().get(who).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let name = format!("{who}-of-{}", self.name);
        let body = json!({ "name": name, "role": role });
        let _: Principal = self.hermez.post("/principals", &body).await?;
        let path = format!("/principals/{name}/tokens");
        let body = json!({ "name": "a journey" });
        let token: CreatedToken = self.hermez.post(&path, &body).await?;
        let made = (self.hermez.signed_in_with(&token.secret), token.secret);
        people().insert(who.to_owned(), made.clone());
        Ok(made)
    }

    /// Sees to it that a version runs.
    pub(super) async fn deployed(&self, version: usize) -> Result<()> {
        self.runs(&self.versions[version]).await
    }

    /// Sees to it that a commit runs.
    pub(super) async fn runs(&self, commit: &str) -> Result<()> {
        let path = format!("/workloads/{}/deploys?limit=1", self.name);
        let newest: Page<DeploySummary> = self.get(&path).await?;
        let runs = newest.items.first().is_some_and(|newest| {
            newest.state == DeployState::Succeeded && newest.commit == commit
        });
        if !runs {
            let asked: DeploySummary = self.ask("deploys", &of(commit)).await?;
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
        self.ask_at(&self.path(what), body).await
    }

    /// The same at any path.
    pub(super) async fn ask_at<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let key = unique("key");
        let asked = || async {
            match self.hermez.post_once(path, body, &key).await {
                Ok(asked) => Ok(Some(asked)),
                Err(error) => come_back(error),
            }
        };
        until(&format!("an answer to {path}"), LIMIT, asked).await
    }

    /// Takes something away, under one key until there is an answer. What is not there is gone.
    pub(super) async fn take_away(&self, path: &str) -> Result<()> {
        let key = unique("key");
        let asked = || async {
            let Err(error) = self.hermez.delete_once(path, &key).await else {
                return Ok(Some(()));
            };
            let refused = error.downcast_ref::<Refused>();
            if refused.is_some_and(|it| it.status == 404) {
                return Ok(Some(()));
            }
            come_back(error)
        };
        until(&format!("{path} is gone"), LIMIT, asked).await
    }

    /// Tells a deploy something that may be said any number of times.
    pub(super) async fn tell(&self, id: i64, what: &str) -> Result<()> {
        let path = format!("/deploys/{id}/{what}");
        self.insist(Method::POST, &path, &json!({})).await
    }

    /// Asks for what may be asked for any number of times.
    pub(super) async fn insist(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        self.insist_as(&self.hermez, method, path, body).await
    }

    /// The same for somebody.
    pub(super) async fn insist_as(
        &self,
        hermez: &Hermez,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<()> {
        let asked = || async {
            let answer = match method {
                Method::PUT => hermez.put::<_, Value>(path, body).await.map(drop),
                Method::DELETE => hermez.delete(path).await,
                _ => hermez.post::<_, Value>(path, body).await.map(drop),
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
pub(super) fn of(commit: &str) -> CreateDeploy {
    CreateDeploy {
        commit: Some(commit.to_owned()),
        latest: false,
        branch: None,
        reason: None,
        override_bad: Some("the matrix plays it again".to_owned()),
    }
}

/// Whether the request is to be made again: nobody answered, or not yet.
pub(super) fn come_back<T>(error: anyhow::Error) -> Result<Option<T>> {
    let refused = error.downcast_ref::<Refused>().map(|it| it.status);
    match refused {
        None if error.downcast_ref::<reqwest::Error>().is_some() => Ok(None),
        Some(status) if status >= 500 => Ok(None),
        Some(409) if error.to_string().contains("Idempotency-Key") => Ok(None),
        _ => Err(error),
    }
}
