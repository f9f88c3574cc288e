//! What the journeys of workloads that come to an end share: their road to the cluster, and what
//! their resource and its pods say there.

mod pull_request;

use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{Deploy, DeployState, Receipt};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sandbox::Sandbox;
use crate::wait::until;

pub use pull_request::Pull;

/// Longest time for a build, a rollout or a run.
pub const LIMIT: Duration = Duration::from_mins(3);

/// A workload of a journey's own, in a namespace of its name.
pub struct Batch {
    /// Hermez.
    pub hermez: Hermez,
    /// The developer's clone.
    pub clone: Clone,
    /// Name of the workload, its repository and its namespace.
    pub name: String,
    /// The repository's URL.
    pub url: String,
    /// A client of the cluster itself.
    pub kube: kube::Client,
    forge: Forge,
    kind: &'static str,
}

impl Batch {
    /// A new repository for a workload of that kind.
    ///
    /// # Errors
    /// When the forge or the cluster cannot be reached.
    pub async fn prepare(sandbox: &Sandbox, kind: &'static str, prefix: &str) -> Result<Self> {
        let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
        let (name, url, clone) = Clone::of_new(&forge, prefix).await?;
        Ok(Self {
            hermez,
            clone,
            name,
            url,
            kube: sandbox.kube().await?,
            forge,
            kind,
        })
    }

    /// Creates the workload from a config file of the repository.
    ///
    /// # Errors
    /// When Hermez refuses.
    pub async fn create(&self, config: &str) -> Result<()> {
        let create = ask(&self.url, config);
        let workload = self.hermez.create_workload(&create).await?;
        anyhow::ensure!(
            workload.summary.name == self.name && workload.summary.workload_type == self.kind,
            "{workload:?}"
        );
        Ok(())
    }

    /// Waits for the artifact of a commit, deploys it, and returns how the deploy ended.
    ///
    /// # Errors
    /// When the build fails, or either does not end in time.
    pub async fn deploy(&self, commit: &str) -> Result<Deploy> {
        self.hermez
            .artifact_available(&self.name, commit, LIMIT)
            .await?;
        let asked = self.hermez.deploy(&self.name, commit).await?;
        self.hermez.deploy_ends(asked.id, LIMIT).await
    }

    /// Deploys a commit whose container fails, and wants the receipt to say how, and its last line.
    ///
    /// # Errors
    /// When the deploy does not fail, or its receipt says something else.
    pub async fn fails_to_deploy(&self, commit: &str, how: &str, last_line: &str) -> Result<()> {
        let deploy = self.deploy(commit).await?;
        anyhow::ensure!(deploy.summary.state == DeployState::Failed, "{deploy:#?}");
        let path = format!("/deploys/{}/receipt", deploy.summary.id);
        let receipt: Receipt = self.hermez.get(&path).await?;
        let found = &receipt.evidence;
        let mut lines = found.containers.iter().flat_map(|it| &it.lines);
        anyhow::ensure!(
            found.cause == "crash_loop"
                && found.sentence.contains(how)
                && lines.any(|line| line.text == last_line),
            "{receipt:#?}"
        );
        Ok(())
    }

    /// The workload's resource, once `wanted` holds for its status.
    ///
    /// # Errors
    /// When it does not in time; the error holds the last status.
    pub async fn status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.status_of(&self.name, what, wanted).await
    }

    /// The resources of its kind in its namespace.
    fn resources(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("pinterest.com", "v1", self.kind);
        let plural = format!("{}s", self.kind.to_lowercase());
        let native = ApiResource::from_gvk_with_plural(&kind, &plural);
        Api::namespaced_with(self.kube.clone(), &self.name, &native)
    }

    async fn status_of(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let api = self.resources();
        let last = std::sync::Mutex::new(Value::Null);
        let found = until(what, LIMIT, || async {
            let status = api
                .get_opt(name)
                .await?
                .map(|object| object.data["status"].clone());
            let status = status.unwrap_or_default();
            let holds = wanted(&status);
            if let Ok(mut last) = last.lock() {
                last.clone_from(&status);
            }
            Ok(holds.then_some(status))
        });
        let found = found.await;
        found.with_context(|| {
            format!(
                "the last status: {:#}",
                last.lock().map_or(Value::Null, |last| last.clone())
            )
        })
    }

    /// The workload's pods.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        let api: Api<Pod> = Api::namespaced(self.kube.clone(), &self.name);
        let ours = ListParams::default().labels(&format!("pinterest.com/workload={}", self.name));
        Ok(api.list(&ours).await?.items)
    }

    /// Waits until the log that Hermez shows has a line.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn logged(&self, line: &str) -> Result<()> {
        until(&format!("the line {line:?}"), LIMIT, || async {
            let path = format!("/workloads/{}/log?tail_lines=100", self.name);
            let log: Value = self.hermez.get(&path).await?;
            let lines = log["items"].as_array().context("log lines")?;
            let said = lines.iter().any(|found| found["text"] == line);
            Ok(said.then_some(()))
        })
        .await
    }

    /// Removes everything that the journey made.
    ///
    /// # Errors
    /// When something refuses to go.
    pub async fn clean_up(&self) -> Result<()> {
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: Api<Namespace> = Api::all(self.kube.clone());
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }
}
