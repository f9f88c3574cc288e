//! What the lane does in the forge: commits to pick, pull requests, and what is said of them.

use std::sync::{MutexGuard, PoisonError};

use anyhow::{Context, Result};
use kube::api::{Api, DynamicObject, ListParams};
use reqwest::Method;
use serde_json::{Value, json};

use super::lane::{LIMIT, Lane};
use crate::forge::Clone as Checkout;
use crate::sandbox::unique;

/// How the name of the other workload ends.
pub(super) const OTHER: &str = "-other";

/// What was done in the forge last.
#[derive(Debug, Default, Clone)]
pub struct Forged {
    /// The commit that is to be picked.
    fix: String,
    /// The pull request and its newest commit.
    pull: Option<(i64, String)>,
    /// Two commits of `main`, one on the other: the second is left by a rollback to the first.
    pair: Option<[String; 2]>,
    /// The rollback whose revert is proposed.
    rollback: Option<i64>,
    /// The pull request whose preview sleeps and wakes.
    sleeper: Option<i64>,
    /// The other workload's repository.
    other: Option<Other>,
    /// A commit whose build fails.
    broken: Option<String>,
}

/// A repository for a workload beside.
#[derive(Debug, Clone)]
pub(super) struct Other {
    /// Its name.
    pub repository: String,
    /// Its URL, as the server knows it.
    pub url: String,
    /// Its one commit.
    pub commit: String,
}

/// How many branches there are of Hermez's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branches {
    /// Of hotfixes.
    pub hotfixes: usize,
    /// Of reverts.
    pub reverts: usize,
}

impl Lane {
    fn forged(&self) -> MutexGuard<'_, Forged> {
        self.forged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commit that is to be picked.
    pub(super) fn fix(&self) -> String {
        self.forged().fix.clone()
    }

    /// The rollback whose revert is proposed.
    pub(super) fn rollback(&self) -> Option<i64> {
        self.forged().rollback
    }

    /// The same is another one now.
    pub(super) fn rolled_back(&self, rollback: i64) {
        self.forged().rollback = Some(rollback);
    }

    /// The pull request whose preview sleeps and wakes.
    pub(super) fn sleeper(&self) -> Option<i64> {
        self.forged().sleeper
    }

    /// Name of the preview of a pull request.
    pub(super) fn preview_of(&self, number: i64) -> String {
        format!("{}-pr-{number}", self.name)
    }

    /// Two commits of `main` that were built, one on the other; made once, and not deployed by
    /// themselves.
    pub(super) async fn pair(&self) -> Result<[String; 2]> {
        let known = self.forged().pair.clone();
        if let Some(pair) = known {
            return Ok(pair);
        }
        self.deploy_by_itself("").await?;
        let kept = self.push(&unique("kept"), false).await?;
        self.built(&kept).await?;
        let left = self.push(&unique("left"), false).await?;
        self.built(&left).await?;
        self.deploy_by_itself("main").await?;
        let pair = [kept, left];
        self.forged().pair = Some(pair.clone());
        Ok(pair)
    }

    /// Opens the pull request whose preview sleeps and wakes.
    pub(super) async fn open_sleeper(&self) -> Result<i64> {
        let number = self.open_pull().await?;
        self.forged().sleeper = Some(number);
        Ok(number)
    }

    /// Name of the other workload.
    pub(super) fn other_name(&self) -> String {
        format!("{}{OTHER}", self.name)
    }

    /// The other workload's repository, once there is one.
    pub(super) fn known_other(&self) -> Option<Other> {
        self.forged().other.clone()
    }

    /// The other workload's repository; made once.
    pub(super) async fn other(&self) -> Result<Other> {
        if let Some(other) = self.known_other() {
            return Ok(other);
        }
        let (repository, _, clone) = Checkout::of_new(&self.forge, "crash-other").await?;
        let config = self.config_of(&self.other_name(), "first", false);
        clone.write("service.yaml", config)?;
        clone.write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")?;
        clone.write("message.txt", "another\n")?;
        let commit = clone.commit_and_push("The other workload").await?;
        let other = Other {
            url: self.url.replace(&self.repository, &repository),
            repository,
            commit,
        };
        self.forged().other = Some(other.clone());
        Ok(other)
    }

    /// The webhooks of the other workload's repository.
    pub(super) async fn webhooks_of_other(&self) -> Result<usize> {
        match self.known_other() {
            Some(other) => Ok(self.forge.webhooks(&other.repository).await?.len()),
            None => Ok(0),
        }
    }

    /// Takes the webhooks of the other workload's repository away, past Hermez.
    pub(super) async fn clear_webhooks_of(&self, other: &Other) -> Result<()> {
        for hook in self.forge.webhooks(&other.repository).await? {
            let id = hook["id"].as_i64().context("its number")?;
            let (user, repository) = (self.forge.user(), &other.repository);
            let path = format!("/repos/{user}/{repository}/hooks/{id}");
            self.forge.call(Method::DELETE, &path, None).await?;
        }
        Ok(())
    }

    /// Takes the other workload's repository away.
    ///
    /// # Errors
    /// When the forge refuses.
    pub async fn delete_other(&self) -> Result<()> {
        match self.known_other() {
            Some(other) => self.forge.delete_repository(&other.repository).await,
            None => Ok(()),
        }
    }

    /// A new commit beside the branch, on the version that runs; its own build has ended.
    pub(super) async fn new_fix(&self) -> Result<()> {
        let name = unique("fix");
        let from = self.versions[0].as_str();
        let switch = ["checkout", "--quiet", "-B", name.as_str(), from];
        self.clone.git(&switch).await?;
        self.clone.write("notes.txt", &name)?;
        let commit = self.on_a_branch(&name).await?;
        self.forged().fix.clone_from(&commit);
        self.build_of_branch_ends(&commit).await
    }

    /// A commit beside the branch whose build fails; made once, and its own build has ended.
    pub(super) async fn broken(&self) -> Result<String> {
        let known = self.forged().broken.clone();
        if let Some(broken) = known {
            return Ok(broken);
        }
        let name = unique("broken");
        let from = self.versions[0].as_str();
        let switch = ["checkout", "--quiet", "-B", name.as_str(), from];
        self.clone.git(&switch).await?;
        self.clone
            .write("Dockerfile", "FROM scratch\nCOPY missing.txt /\n")?;
        let commit = self.on_a_branch(&name).await?;
        self.build_of_branch_ends(&commit).await?;
        self.forged().broken = Some(commit.clone());
        Ok(commit)
    }

    /// Waits for the build of a commit that was pushed as a branch.
    async fn build_of_branch_ends(&self, commit: &str) -> Result<()> {
        let build = self.until("the commit is known", || async {
            Ok(self.hermez.build(&self.name, commit).await.ok())
        });
        let build = build.await?;
        self.hermez.build_ends(build.id, LIMIT).await?;
        Ok(())
    }

    /// Commits what was written, pushes it as a branch, and goes back to `main`.
    async fn on_a_branch(&self, name: &str) -> Result<String> {
        let commit = self.clone.commit(name).await?;
        let to = format!("HEAD:refs/heads/{name}");
        let push = ["push", "--quiet", self.clone.url(), to.as_str()];
        self.clone.git(&push).await?;
        self.clone.git(&["checkout", "--quiet", "main"]).await?;
        Ok(commit)
    }

    fn in_forge(&self, path: &str) -> String {
        format!("/repos/{}/{}/{path}", self.forge.user(), self.repository)
    }

    /// Opens a pull request with a commit that nobody has seen.
    pub(super) async fn open_pull(&self) -> Result<i64> {
        let name = unique("topic");
        let switch = ["checkout", "--quiet", "-b", name.as_str()];
        self.clone.git(&switch).await?;
        // The newest version of `main` may be the one that fails.
        let text = self.config(&name, false);
        self.clone.write("service.yaml", text)?;
        self.clone.write("message.txt", &name)?;
        let commit = self.on_a_branch(&name).await?;
        let number = self.forge.open_pull(&self.repository, &name, &name).await?;
        self.forged().pull = Some((number, commit));
        Ok(number)
    }

    /// Closes a pull request.
    pub(super) async fn close_pull(&self, number: i64) -> Result<()> {
        let path = self.in_forge(&format!("pulls/{number}"));
        let body = json!({ "state": "closed" });
        self.forge.call(Method::PATCH, &path, Some(body)).await?;
        Ok(())
    }

    /// Closes what an earlier play has left open, and waits until nothing of it is in the cluster.
    pub(super) async fn close_pulls(&self) -> Result<()> {
        let path = self.in_forge("pulls?state=open");
        let open = self.forge.call(Method::GET, &path, None).await?;
        for pull in open.as_array().into_iter().flatten() {
            let number = pull["number"].as_i64().context("its number")?;
            self.close_pull(number).await?;
        }
        self.until("no preview is left", || async {
            let left = self.resources().await?;
            Ok((!left.iter().any(|name| name.contains("-pr-"))).then_some(()))
        })
        .await
    }

    /// What Hermez has said under a pull request.
    pub(super) async fn comments(&self, number: i64) -> Result<Vec<String>> {
        let path = self.in_forge(&format!("issues/{number}/comments"));
        let all = self.forge.call(Method::GET, &path, None).await?;
        let bodies = all.as_array().into_iter().flatten();
        let bodies = bodies.filter_map(|comment| comment["body"].as_str());
        let marker = format!("hermez preview {}", self.name);
        Ok(bodies
            .filter(|body| body.contains(&marker))
            .map(str::to_owned)
            .collect())
    }

    /// Names of the workload's resources, and of those beside it.
    pub(super) async fn resources(&self) -> Result<Vec<String>> {
        let kind = hermez_kinds::Kind::Service.api_resource();
        let resources: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let all = resources.list(&ListParams::default()).await?;
        Ok(all.into_iter().filter_map(|it| it.metadata.name).collect())
    }

    /// How many branches of Hermez's own there are, by git itself: the forge's lists come in pages.
    pub(super) async fn branches(&self) -> Result<Branches> {
        let all = ["refs/heads/hotfix/*", "refs/heads/revert/*"];
        let list = ["ls-remote", self.clone.url(), all[0], all[1]];
        let listed = self.clone.git(&list).await?;
        let count = |below: &str| listed.lines().filter(|line| line.contains(below)).count();
        Ok(Branches {
            hotfixes: count("refs/heads/hotfix/"),
            reverts: count("refs/heads/revert/"),
        })
    }

    /// Pull requests that are open and take something back.
    async fn open_reverts(&self) -> Result<usize> {
        let path = self.in_forge("pulls?state=open");
        let open = self.forge.call(Method::GET, &path, None).await?;
        let heads = open.as_array().into_iter().flatten();
        let heads = heads.filter_map(|pull| pull["head"]["ref"].as_str());
        Ok(heads.filter(|head| head.starts_with("revert/")).count())
    }

    /// What the forge shows of the last pull request, and of reverts.
    pub(super) async fn shown_in_the_forge(&self) -> Result<Value> {
        let reverts = self.open_reverts().await?;
        let pull = self.forged().pull.clone();
        let Some((number, head)) = pull else {
            return Ok(json!({ "open_reverts": reverts }));
        };
        let path = self.in_forge(&format!("statuses/{head}?limit=100"));
        let statuses = self.forge.call(Method::GET, &path, None).await?;
        let mut said: Vec<(Option<i64>, &Value, &Value)> = statuses
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| (it["id"].as_i64(), &it["status"], &it["description"]))
            .collect();
        // Those of one second come in any order.
        said.sort_by_key(|(id, ..)| *id);
        let repeated = said
            .windows(2)
            .filter(|two| (two[0].1, two[0].2) == (two[1].1, two[1].2))
            .count();
        Ok(json!({
            "open_reverts": reverts,
            "comments": self.comments(number).await?.len(),
            "statuses_repeated": repeated,
            "statuses": !said.is_empty(),
        }))
    }
}
