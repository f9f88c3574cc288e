//! What the lane does in the forge: commits to pick, pull requests, and what is said of them.

use std::sync::{MutexGuard, PoisonError};

use anyhow::{Context, Result};
use kube::api::{Api, DynamicObject, ListParams};
use reqwest::Method;
use serde_json::{Value, json};

use super::lane::{LIMIT, Lane};
use crate::sandbox::unique;

/// What was done in the forge last.
#[derive(Debug, Default, Clone)]
pub struct Forged {
    /// The commit that is to be picked.
    fix: String,
    /// The pull request and its newest commit.
    pull: Option<(i64, String)>,
}

impl Lane {
    fn forged(&self) -> MutexGuard<'_, Forged> {
        self.forged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commit that is to be picked.
    pub(super) fn fix(&self) -> String {
        self.forged().fix.clone()
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
        let build = self.until("the commit to be picked is known", || async {
            Ok(self.hermez.build(&self.name, &commit).await.ok())
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
        let body = json!({ "head": name, "base": "main", "title": name });
        let path = self.in_forge("pulls");
        let made = self.forge.call(Method::POST, &path, Some(body)).await?;
        let number = made["number"].as_i64().context("its number")?;
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

    /// What the forge shows of the last pull request, and how many branches there are.
    pub(super) async fn shown_in_the_forge(&self) -> Result<Value> {
        let branches = self.in_forge("branches?limit=100");
        let branches = self.forge.call(Method::GET, &branches, None).await?;
        let hotfixes = branches.as_array().into_iter().flatten();
        let hotfixes = hotfixes.filter(|it| {
            let name = it["name"].as_str();
            name.is_some_and(|name| name.starts_with("hotfix/"))
        });
        let hotfixes = hotfixes.count();
        let pull = self.forged().pull.clone();
        let Some((number, head)) = pull else {
            return Ok(json!({ "hotfix_branches": hotfixes }));
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
            "hotfix_branches": hotfixes,
            "comments": self.comments(number).await?.len(),
            "statuses_repeated": repeated,
            "statuses": !said.is_empty(),
        }))
    }
}
