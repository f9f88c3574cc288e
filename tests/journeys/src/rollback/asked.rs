//! Commits that cannot be had, one that nobody has fetched, and two people who ask at once.

use anyhow::Result;
use hermez_api::{DeployState, Workload};
use hermez_kinds::Kind;
use hermez_kinds::names::DEPLOY_ANNOTATION;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject};
use reqwest::Method;

use super::{Back, deploy_of};
use crate::forge::Clone;
use crate::stage::{LIMIT, Stage};

impl Back {
    /// A commit that is nowhere, or only in another repository, is refused by its name; one that was
    /// just pushed is fetched. Gives the last one.
    pub(super) async fn ask_for_commits(&self) -> Result<String> {
        let (other, foreign) = self.another_repository().await?;
        let refused = self.refuse_commits(&foreign).await;
        other
            .hermez
            .artifact_available(&other.name, &foreign, LIMIT)
            .await?;
        other.clean_up().await?;
        refused?;
        self.deploy_unfetched().await
    }

    /// Another workload on the same server, with a repository of its own, and its commit.
    async fn another_repository(&self) -> Result<(Stage, String)> {
        let (name, url, clone) = Clone::of_new(&self.stage.forge, "other").await?;
        let other = Stage {
            hermez: self.stage.hermez.clone(),
            forge: self.stage.forge.clone(),
            clone,
            name,
            url,
            kube: self.stage.kube.clone(),
        };
        other.sample(1).write(&other.clone, "other\n")?;
        let commit = other.clone.commit_and_push("Another page").await?;
        other.create().await?;
        Ok((other, commit))
    }

    async fn refuse_commits(&self, foreign: &str) -> Result<()> {
        let before = self.newest().await?.id;
        for commit in ["1".repeat(40).as_str(), foreign] {
            let refused = self.refused("deploys", &deploy_of(Some(commit))).await?;
            let detail = refused.problem.detail.clone().unwrap_or_default();
            anyhow::ensure!(
                refused.status == 422
                    && refused.problem.kind == "urn:hermez:problem:revision-unknown"
                    && detail.contains(commit),
                "{commit}: {refused}"
            );
        }
        let after = self.newest().await?.id;
        anyhow::ensure!(before == after, "deploy {after} came of it");
        Ok(())
    }

    /// A commit of a branch that the forge tells nobody of is fetched when it is asked for.
    async fn deploy_unfetched(&self) -> Result<String> {
        let (forge, name) = (&self.stage.forge, &self.stage.name);
        for hook in forge.webhooks(name).await? {
            let path = format!("/repos/{}/{name}/hooks/{}", forge.user(), hook["id"]);
            forge.call(Method::DELETE, &path, None).await?;
        }
        self.stage.clone.write("message.txt", "topic\n")?;
        let commit = self.stage.clone.commit("A page of its own").await?;
        self.stage.clone.push_to("topic").await?;
        let asked = self.post("deploys", &deploy_of(Some(&commit))).await?;
        anyhow::ensure!(asked.commit == commit, "{asked:?}");
        self.succeeds(asked.id).await?;
        Ok(commit)
    }

    /// Two people ask at the same moment: both deploys end, and what was asked for last runs.
    pub(super) async fn ask_at_once(&self, first: &str, topic: &str) -> Result<()> {
        let (second, name) = self.stage.somebody("second", "owner").await?;
        let (one, other) = tokio::join!(
            self.stage.deploy(first),
            second.deploy(&self.stage.name, topic)
        );
        let (one, other) = (one?, other?);
        anyhow::ensure!(
            one.requested_by == "owner" && other.requested_by == name && one.id != other.id,
            "{one:?} {other:?}"
        );
        let (older, newer) = if one.id < other.id {
            (one, other)
        } else {
            (other, one)
        };
        self.succeeds(newer.id).await?;
        let older = self.stage.hermez.deploy_ends(older.id, LIMIT).await?;
        anyhow::ensure!(
            matches!(
                older.summary.state,
                DeployState::Succeeded | DeployState::Superseded
            ),
            "{older:#?}"
        );
        self.runs(newer.id).await
    }

    /// The server and the cluster say alike that this deploy's version runs.
    async fn runs(&self, deploy: i64) -> Result<()> {
        let name = self.stage.name.as_str();
        let workload: Workload = self.stage.hermez.get(&format!("/workloads/{name}")).await?;
        let current = workload.summary.current.as_ref().map(|it| it.id);
        anyhow::ensure!(current == Some(deploy), "{workload:?}");
        let kind = Kind::Service.api_resource();
        let resources: Api<DynamicObject> =
            Api::namespaced_with(self.stage.kube.clone(), name, &kind);
        let live = resources.get(name).await?;
        let of = live.annotations().get(DEPLOY_ANNOTATION);
        anyhow::ensure!(
            of == Some(&deploy.to_string()),
            "the resource is of deploy {of:?}, not {deploy}"
        );
        Ok(())
    }

    /// What is gone takes no deploy.
    pub(super) async fn ask_after_the_end(&self) -> Result<()> {
        let nowhere = "1".repeat(40);
        let refused = self.refused("deploys", &deploy_of(Some(&nowhere))).await?;
        let detail = refused.problem.detail.clone().unwrap_or_default();
        anyhow::ensure!(
            refused.status == 404
                && refused.problem.kind == "urn:hermez:problem:workload-not-found"
                && detail.contains(&self.stage.name),
            "{refused}"
        );
        Ok(())
    }
}
