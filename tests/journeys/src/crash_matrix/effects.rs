//! What a deploy has brought about, counted where it lies: in Hermez's history and record, in the
//! cluster, in the registry, in the forge.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use hermez_api::{
    AuditEntry, BuildSummary, Deploy, DeployState, DeploySummary, Page, Receipt, ScaleChange,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::lane::Lane;
use super::plays::Play;

/// Entries that one look at a list gives.
const PAGE: usize = 100;

/// Changes that a play asks for until there is an answer, without a key: each time is one.
const AGAIN: &[&str] = &[
    "deploy.cancel",
    "deploy.pause",
    "deploy.promote",
    "strategy.update",
];

/// How things stand before a play: what is newer counts.
#[derive(Debug, Clone)]
pub struct Mark {
    audit: i64,
    deploy: i64,
    build: i64,
    resource: i64,
    deployment: i64,
    revision: i64,
    tags: usize,
    scale: i64,
    hotfixes: i64,
}

/// The cluster's own counters of a workload: each write that changed something moved one.
struct Counters {
    resource: i64,
    deployment: i64,
    revision: i64,
    settled: bool,
}

impl Lane {
    async fn counters(&self) -> Result<Counters> {
        let kind = hermez_kinds::Kind::Service.api_resource();
        let resources: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let resource = resources.get_opt(&self.name).await?;
        let deployment = deployments.get_opt(&self.name).await?;
        let generation = |meta: Option<i64>| meta.unwrap_or(0);
        let of_resource = generation(resource.as_ref().and_then(|it| it.metadata.generation));
        let of_deployment = generation(deployment.as_ref().and_then(|it| it.metadata.generation));
        let revision = deployment.as_ref().and_then(|it| {
            let text = it.annotations().get("deployment.kubernetes.io/revision")?;
            text.parse().ok()
        });
        let observed = resource
            .as_ref()
            .and_then(|it| it.data.pointer("/status/observedGeneration")?.as_i64());
        let rolled_out = deployment.as_ref().is_none_or(|it| {
            let status = it.status.clone().unwrap_or_default();
            let wanted = it.spec.as_ref().and_then(|spec| spec.replicas);
            status.observed_generation == it.metadata.generation
                && status.updated_replicas == wanted
                && status.available_replicas == wanted
        });
        Ok(Counters {
            resource: of_resource,
            deployment: of_deployment,
            revision: revision.unwrap_or(0),
            settled: rolled_out && (resource.is_none() || observed == Some(of_resource)),
        })
    }

    async fn deployments(&self) -> Result<usize> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(deployments.list(&ListParams::default()).await?.items.len())
    }

    async fn tags(&self) -> Result<usize> {
        // A workload that builds one image has its manifests beside it.
        let repository = format!("hermez/{0}/{0}", self.name);
        let url = format!("http://{}/v2/{repository}/tags/list", self.registry);
        let answer: Value = reqwest::get(url).await?.json().await?;
        Ok(answer["tags"].as_array().map_or(0, Vec::len))
    }

    async fn audit(&self) -> Result<Vec<AuditEntry>> {
        let page: Page<AuditEntry> = self.get(&format!("/audit?limit={PAGE}")).await?;
        Ok(page.items)
    }

    async fn history(&self) -> Result<Vec<DeploySummary>> {
        let path = format!("/workloads/{}/deploys?limit={PAGE}", self.name);
        let page: Page<DeploySummary> = self.get(&path).await?;
        Ok(page.items)
    }

    async fn builds(&self) -> Result<Vec<BuildSummary>> {
        let path = format!("/workloads/{}/builds?limit={PAGE}", self.name);
        let page: Page<BuildSummary> = self.get(&path).await?;
        Ok(page.items)
    }

    async fn scales(&self) -> Result<Vec<ScaleChange>> {
        let page: Page<ScaleChange> = self.get(&self.path("scale/changes")).await?;
        Ok(page.items)
    }

    async fn hotfixes(&self) -> Result<i64> {
        let shown = self.shown_in_the_forge().await?;
        shown["hotfix_branches"].as_i64().context("a number")
    }

    /// How things stand now.
    ///
    /// # Errors
    /// When anything does not answer.
    pub async fn mark(&self) -> Result<Mark> {
        let counters = self.counters().await?;
        Ok(Mark {
            audit: self.audit().await?.first().map_or(0, |it| it.id),
            deploy: self.history().await?.first().map_or(0, |it| it.id),
            build: self.builds().await?.first().map_or(0, |it| it.id),
            resource: counters.resource,
            deployment: counters.deployment,
            revision: counters.revision,
            tags: self.tags().await?,
            scale: self.scales().await?.first().map_or(0, |it| it.id),
            hotfixes: self.hotfixes().await?,
        })
    }

    /// Waits until the cluster has done what it was told.
    ///
    /// # Errors
    /// When it does not within the limit.
    pub async fn settles(&self) -> Result<()> {
        self.until("the cluster has done what it was told", || async {
            Ok(self.counters().await?.settled.then_some(()))
        })
        .await
    }

    /// All that has come about since `mark`.
    ///
    /// # Errors
    /// When anything does not answer, or a deploy has ended twice.
    pub async fn since(&self, mark: &Mark, play: Play) -> Result<Value> {
        let counters = self.counters().await?;
        let mut deploys = Vec::new();
        let mut receipts = 0;
        for summary in self.history().await?.into_iter().rev() {
            if summary.id <= mark.deploy {
                continue;
            }
            let deploy: Deploy = self.get(&format!("/deploys/{}", summary.id)).await?;
            went_once(&deploy)?;
            deploys.push(format!("{:?} {:?}", summary.kind, summary.state).to_lowercase());
            if deploy.summary.state == DeployState::Failed {
                let path = format!("/deploys/{}/receipt", summary.id);
                let _: Receipt = self.get(&path).await.context("a failed deploy's receipt")?;
                receipts += 1;
            }
        }
        let builds = self.builds().await?;
        let builds = builds.iter().filter(|it| it.id > mark.build);
        let builds: Vec<_> = builds
            .map(|it| format!("{:?}", it.state).to_lowercase())
            .collect();
        let mut record = BTreeMap::<String, usize>::new();
        for entry in self.audit().await? {
            let counts = entry.action != "push" || play.records_pushes();
            if entry.id > mark.audit && entry.outcome == "allowed" && counts {
                *record.entry(entry.action).or_default() += 1;
            }
        }
        // What was asked for again for want of an answer is in the record each time.
        for action in AGAIN {
            record.entry((*action).to_owned()).and_modify(|it| *it = 1);
        }
        let scales = self.scales().await?;
        let scales: Vec<_> = scales
            .iter()
            .filter(|it| it.id > mark.scale)
            .map(|it| format!("{:?}", it.state).to_lowercase())
            .collect();
        let mut forge = self.shown_in_the_forge().await?;
        forge["hotfix_branches"] = json!(self.hotfixes().await? - mark.hotfixes);
        let workload: Value = self.get(&format!("/workloads/{}", self.name)).await?;
        Ok(json!({
            "deploys": deploys,
            "receipts": receipts,
            "builds": builds,
            "pinned": !workload["pin"].is_null(),
            "record": record,
            "writes_of_resource": counters.resource - mark.resource,
            "writes_of_deployment": counters.deployment - mark.deployment,
            "rollouts": counters.revision - mark.revision,
            "tags": self.tags().await? - mark.tags,
            "scales": scales,
            "resources": self.resources().await?.len(),
            "deployments": self.deployments().await?,
            "forge": forge,
            "webhooks": self.forge.webhooks(&self.repository).await?.len(),
        }))
    }
}

/// A timeline goes through each state once, and ends once.
fn went_once(deploy: &Deploy) -> Result<()> {
    let mut states: Vec<DeployState> = deploy.timeline.iter().map(|event| event.state).collect();
    states.dedup();
    let repeated = states
        .iter()
        .enumerate()
        .any(|(at, state)| states[..at].contains(state));
    let ends = states.iter().filter(|state| state.is_over()).count();
    anyhow::ensure!(
        !repeated && ends == 1,
        "deploy {} did not go through each state once: {states:?}",
        deploy.summary.id
    );
    Ok(())
}
