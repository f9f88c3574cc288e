//! A pull request of a workload whose pods come to an end: nothing of it runs because it was opened or
//! pushed to, whatever the settings say; asked for, what it says runs, once; closed, it is gone.

use anyhow::{Context, Result};
use hermez_api::{
    DeployState, DeploySummary, Page, Preview, PullRequest, UpdatePreviewSettings, UpdateWorkload,
    Workload,
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Batch, LIMIT};
use crate::wait::until;

/// A pull request, which comes from the branch `topic`.
pub struct Pull<'a> {
    batch: &'a Batch,
    number: i64,
    /// Name of its own instance.
    instance: String,
    /// The commit that it was opened with.
    commit: String,
}

impl Batch {
    /// Wants every pull request deployed by itself, and opens one in which a file is another. The clone
    /// is on `main` afterwards.
    ///
    /// # Errors
    /// When Hermez or the forge refuses.
    pub async fn open_pull_request(&self, file: &str, content: &str) -> Result<Pull<'_>> {
        let update = UpdateWorkload {
            previews: Some(UpdatePreviewSettings {
                auto: Some(true),
                ..UpdatePreviewSettings::default()
            }),
            ..UpdateWorkload::default()
        };
        let path = format!("/workloads/{}", self.name);
        let workload: Workload = self.hermez.patch(&path, &update).await?;
        anyhow::ensure!(workload.previews.auto, "{workload:?}");
        self.clone
            .git(&["checkout", "--quiet", "-b", "topic"])
            .await?;
        let commit = self.push_topic(file, content).await?;
        let title = "Another run";
        let number = self.forge.open_pull(&self.name, "topic", title).await?;
        Ok(Pull {
            batch: self,
            number,
            instance: format!("{}-pr-{number}", self.name),
            commit,
        })
    }

    /// Pushes a commit with another file from `topic`, where the clone is; it is on `main` afterwards.
    async fn push_topic(&self, file: &str, content: &str) -> Result<String> {
        self.clone.write(file, content)?;
        let commit = self.clone.commit(&format!("Another {file}")).await?;
        self.clone.push_to("topic").await?;
        self.clone.git(&["checkout", "--quiet", "main"]).await?;
        Ok(commit)
    }

    /// The repository's pull requests in the forge.
    fn pulls(&self) -> String {
        format!("/repos/{}/{}/pulls", self.forge.user(), self.name)
    }
}

impl Pull<'_> {
    fn path(&self) -> String {
        let name = &self.batch.name;
        format!("/workloads/{name}/pull-requests/{}", self.number)
    }

    async fn preview(&self) -> Result<Option<Preview>> {
        let pull: PullRequest = self.batch.hermez.get(&self.path()).await?;
        Ok(pull.preview)
    }

    async fn deploys(&self) -> Result<Vec<DeploySummary>> {
        let (name, number) = (&self.batch.name, self.number);
        let path = format!("/workloads/{name}/deploys?pull_request={number}");
        let page: Page<DeploySummary> = self.batch.hermez.get(&path).await?;
        Ok(page.items)
    }

    /// Pushes another commit with another file.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push(&self, file: &str, content: &str) -> Result<()> {
        let clone = &self.batch.clone;
        clone.git(&["checkout", "--quiet", "topic"]).await?;
        self.batch.push_topic(file, content).await.map(drop)
    }

    /// Its pods of that role.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn pods(&self, role: &str) -> Result<Vec<Pod>> {
        let instance = &self.instance;
        let labels = format!("pinterest.com/workload={instance},pinterest.com/role={role}");
        let ours = ListParams::default().labels(&labels);
        Ok(self.pods_in_namespace().list(&ours).await?.items)
    }

    fn pods_in_namespace(&self) -> Api<Pod> {
        Api::namespaced(self.batch.kube.clone(), &self.batch.name)
    }

    /// Checks that there is nothing of it: no deploy, no preview, no resource.
    ///
    /// # Errors
    /// When there is.
    pub async fn nothing_runs(&self) -> Result<()> {
        let preview = self.preview().await?;
        anyhow::ensure!(preview.is_none(), "{preview:?}");
        let deploys = self.deploys().await?;
        anyhow::ensure!(deploys.is_empty(), "{deploys:?}");
        let resource = self.batch.resources().get_opt(&self.instance).await?;
        anyhow::ensure!(resource.is_none(), "{resource:?}");
        Ok(())
    }

    /// Asks for it, and waits until it has run at the first attempt; gives its status.
    ///
    /// # Errors
    /// When it fails, or does not end in time.
    pub async fn runs_when_asked(&self) -> Result<Value> {
        let hermez = &self.batch.hermez;
        let path = format!("{}/deploys", self.path());
        let asked: DeploySummary = hermez.post(&path, &json!({})).await?;
        anyhow::ensure!(
            asked.pull_request == Some(self.number) && asked.commit == self.commit,
            "{asked:?}"
        );
        let deploy = hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let is_over =
            |status: &Value| status["phase"] == "Completed" || status["phase"] == "Failed";
        let what = "what the pull request says has run";
        let status = self.batch.status_of(&self.instance, what, is_over).await?;
        anyhow::ensure!(
            status["phase"] == "Completed" && status["attempt"] == 1 && status["restarts"] == 0,
            "{status:#}"
        );
        Ok(status)
    }

    /// Waits until a pod of that role has said a line.
    ///
    /// # Errors
    /// When none has in time.
    pub async fn says(&self, role: &str, line: &str) -> Result<()> {
        let pods = self.pods_in_namespace();
        until(&format!("the line {line:?}"), LIMIT, || async {
            for pod in self.pods(role).await? {
                let log = pods.logs(&pod.name_any(), &LogParams::default()).await?;
                if log.lines().any(|said| said == line) {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Checks that it has not run again since it had this status, though it was pushed to.
    ///
    /// # Errors
    /// When it has.
    pub async fn ran_once(&self, before: &Value) -> Result<()> {
        let pull: PullRequest = self.batch.hermez.get(&self.path()).await?;
        let preview = pull.preview.context("a preview")?;
        anyhow::ensure!(
            pull.head != self.commit && preview.commit == self.commit,
            "{} {preview:?}",
            pull.head
        );
        let deploys = self.deploys().await?;
        anyhow::ensure!(deploys.len() == 1, "{deploys:?}");
        let resource = self.batch.resources().get(&self.instance).await?;
        let now = &resource.data["status"];
        let same = [
            "phase",
            "revision",
            "attempt",
            "startTime",
            "completionTime",
        ];
        anyhow::ensure!(
            same.iter().all(|field| now[field] == before[field]),
            "{now:#} {before:#}"
        );
        Ok(())
    }

    /// Closes it, and waits until its resource is gone.
    ///
    /// # Errors
    /// When it does not go in time.
    pub async fn close(&self) -> Result<()> {
        let path = format!("{}/{}", self.batch.pulls(), self.number);
        let close = json!({ "state": "closed" });
        self.batch
            .forge
            .call(Method::PATCH, &path, Some(close))
            .await?;
        let resources = self.batch.resources();
        until("what ran of the pull request is gone", LIMIT, || async {
            let resource = resources.get_opt(&self.instance).await?;
            Ok(resource.is_none().then_some(()))
        })
        .await
    }
}
