//! The workload of the matrix, and what is done with it: by a client that asks again, under the same
//! key, when the server has died.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{CreateDeploy, Deploy, DeployKind, DeployState, DeploySummary, Page};
use kube::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask, ended};
use crate::sandbox::unique;
use crate::wait::until;

/// Longest time for anything, the server's start and the lease of one that has died included.
const LIMIT: Duration = Duration::from_secs(75);

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
}

/// What is played at each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// A commit is pushed, and is built and deployed by itself.
    Push,
    /// The other of two versions, which have their artifacts, is deployed.
    Deploy,
    /// The pods are replaced.
    Restart,
    /// What ran before is brought back by a person.
    Rollback,
    /// A version that the API server refuses fails, and what ran is brought back by itself.
    Fail,
    /// A deploy is held while it is verified, and let go on.
    Pause,
    /// A deploy is canceled while it is verified.
    Cancel,
}

/// Which of the versions fails.
const BAD: usize = 2;

impl Lane {
    /// The config file of a version.
    fn config(&self, version: &str, fails: bool) -> String {
        // More asked for than is allowed: the schema takes it, and the API server does not.
        let resources = if fails {
            "\n          resources: {requests: {cpu: \"2\"}, limits: {cpu: \"1\"}}"
        } else {
            ""
        };
        format!(
            "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: {}\n  namespace: {}\n  project: crashes\nspec:\n  replicas: 1\n  configs:\n    VERSION: \"{version}\"\n  template:\n    spec:\n      nodeselector:\n        type: kwok\n      tolerations:\n        - key: kwok.x-k8s.io/node\n          operator: Exists\n      containers:\n        - name: played\n          image: {}{resources}\n",
            self.name, self.namespace, self.name
        )
    }

    async fn push(&self, version: &str, fails: bool) -> Result<String> {
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

    /// What must be so before a play.
    ///
    /// # Errors
    /// When a deploy does not succeed.
    pub async fn before(&self, play: Play) -> Result<()> {
        match play {
            Play::Rollback => self.deployed(1).await,
            Play::Deploy | Play::Pause | Play::Cancel | Play::Fail => self.deployed(0).await,
            Play::Push | Play::Restart => Ok(()),
        }
    }

    async fn deployed(&self, version: usize) -> Result<()> {
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

    /// Plays it to its end.
    ///
    /// # Errors
    /// When anything is lost, refused or does not end.
    pub async fn play(&self, play: Play) -> Result<()> {
        match play {
            Play::Push => {
                let commit = self.push(&unique("version"), false).await?;
                let asked = self
                    .until("the pushed commit is deployed", || async {
                        let path = format!("/workloads/{}/deploys?limit=1", self.name);
                        let newest: Page<DeploySummary> = self.get(&path).await?;
                        let newest = newest.items.into_iter().next();
                        Ok(newest.filter(|it| it.commit == commit))
                    })
                    .await?;
                self.ends(asked.id).await?;
            }
            Play::Deploy => {
                let asked = self.deploy(1).await?;
                self.ends(asked.id).await?;
            }
            Play::Restart => {
                let asked = self.ask("restart", &json!({})).await?;
                self.ends(asked.id).await?;
            }
            Play::Rollback => {
                let asked = self.ask("rollback", &json!({})).await?;
                self.ends(asked.id).await?;
            }
            Play::Fail => {
                let asked = self.deploy(BAD).await?;
                self.ends(asked.id).await?;
                let rollback = self
                    .until("the automatic rollback is asked for", || async {
                        let path = format!("/workloads/{}/deploys?limit=1", self.name);
                        let newest: Page<DeploySummary> = self.get(&path).await?;
                        let newest = newest.items.into_iter().next();
                        Ok(newest.filter(|it| it.id > asked.id && it.kind == DeployKind::Rollback))
                    })
                    .await?;
                self.ends(rollback.id).await?;
            }
            Play::Pause => {
                let id = self.verifying().await?;
                self.insist(&format!("/deploys/{id}/pause")).await?;
                self.insist(&format!("/deploys/{id}/resume")).await?;
                self.ends(id).await?;
            }
            Play::Cancel => {
                let id = self.verifying().await?;
                self.insist(&format!("/deploys/{id}/cancel")).await?;
                self.ends(id).await?;
            }
        }
        self.settles().await
    }

    /// A deploy that is being verified.
    async fn verifying(&self) -> Result<i64> {
        let asked = self.deploy(1).await?;
        let reached = self
            .until("it is verified", || async {
                let deploy: Deploy = self.get(&format!("/deploys/{}", asked.id)).await?;
                let state = deploy.summary.state;
                Ok((state == DeployState::Verifying || ended(state)).then_some(deploy))
            })
            .await?;
        anyhow::ensure!(!ended(reached.summary.state), "too late: {reached:#?}");
        Ok(asked.id)
    }

    async fn deploy(&self, version: usize) -> Result<DeploySummary> {
        self.ask("deploys", &of(&self.versions[version])).await
    }

    async fn ends(&self, id: i64) -> Result<Deploy> {
        self.until("the deploy ends", || async {
            let deploy: Deploy = self.get(&format!("/deploys/{id}")).await?;
            Ok(ended(deploy.summary.state).then_some(deploy))
        })
        .await
        .with_context(|| format!("deploy {id}"))
    }

    /// Asks for work under one key until there is an answer.
    async fn ask(&self, what: &str, body: &(impl Serialize + Sync)) -> Result<DeploySummary> {
        let (path, key) = (format!("/workloads/{}/{what}", self.name), unique("key"));
        let asked = || async {
            match self.hermez.post_once(&path, body, &key).await {
                Ok(asked) => Ok(Some(asked)),
                Err(error) => come_back(error),
            }
        };
        until(&format!("an answer to {what}"), LIMIT, asked).await
    }

    /// Asks for what may be asked for any number of times.
    async fn insist(&self, path: &str) -> Result<()> {
        let asked = || async {
            match self.hermez.post::<_, Value>(path, &json!({})).await {
                Ok(_) => Ok(Some(())),
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
