//! What a deploy has brought about, counted where it lies: in Hermez's history and record, in the
//! cluster, in the registry, in the forge.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use hermez_api::{
    AuditEntry, BuildSummary, Deploy, DeployState, DeploySummary, Page, Receipt, ScaleChange,
    WorkloadSummary,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::forged::Branches;
use super::lane::Lane;
use super::plays::Play;

/// Entries that one look at a list gives.
const PAGE: usize = 100;

/// Changes that a play asks for until there is an answer, without a key: each time is one.
const AGAIN: &[&str] = &[
    "build.create",
    "deploy.approve",
    "deploy.cancel",
    "deploy.pause",
    "deploy.promote",
    "deploy.revert",
    "preview.sleep",
    "rules.update",
    "strategy.update",
];

/// How things stand before a play: what is newer counts.
#[derive(Debug, Clone)]
pub struct Mark {
    audit: i64,
    deploy: i64,
    build: i64,
    own: Counters,
    elsewhere: Option<Counters>,
    tags: usize,
    scale: i64,
    branches: Branches,
}

/// A cluster's own counters of a resource: each write that changed something moved one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    resource: i64,
    deployment: i64,
    revision: i64,
    /// Whether the cluster has done what it was told.
    pub settled: bool,
}

impl Counters {
    /// What was written since then.
    fn since(self, before: Self) -> Value {
        json!({
            "writes_of_resource": self.resource - before.resource,
            "writes_of_deployment": self.deployment - before.deployment,
            "rollouts": self.revision - before.revision,
        })
    }
}

impl Lane {
    /// The counters of a resource with this name.
    pub(super) async fn counters(&self, cluster: &Client, name: &str) -> Result<Counters> {
        let kind = hermez_kinds::Kind::Service.api_resource();
        let resources: Api<DynamicObject> =
            Api::namespaced_with(cluster.clone(), &self.namespace, &kind);
        let deployments: Api<Deployment> = Api::namespaced(cluster.clone(), &self.namespace);
        let resource = match resources.get_opt(name).await {
            // The definition itself comes with the server's first connection.
            Err(kube::Error::Api(answer)) if answer.code == 404 => None,
            found => found?,
        };
        let deployment = deployments.get_opt(name).await?;
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

    /// The counters of what a play changes beside the workload's own resource in its own cluster.
    async fn elsewhere(&self, play: Play) -> Result<Option<Counters>> {
        match (play, &self.east, self.sleeper()) {
            (Play::Waves, Some(east), _) => Ok(Some(self.counters(east, &self.name).await?)),
            (Play::Sleep, _, Some(number)) => {
                let preview = self.preview_of(number);
                Ok(Some(self.counters(&self.client, &preview).await?))
            }
            _ => Ok(None),
        }
    }

    /// Names of the Deployments beside played pods.
    pub(super) async fn deployments(&self) -> Result<Vec<String>> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = deployments.list(&ListParams::default()).await?;
        Ok(all.into_iter().filter_map(|it| it.metadata.name).collect())
    }

    /// How many autoscalers there are.
    pub(super) async fn autoscalers(&self) -> Result<usize> {
        let scalers: Api<HorizontalPodAutoscaler> =
            Api::namespaced(self.client.clone(), &self.namespace);
        Ok(scalers.list(&ListParams::default()).await?.items.len())
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

    /// How things stand now.
    ///
    /// # Errors
    /// When anything does not answer.
    pub async fn mark(&self, play: Play) -> Result<Mark> {
        let history = self.history().await?;
        // A canary that waits ends while it is played: it counts.
        let newest = history.iter().find(|it| it.state != DeployState::Canary);
        Ok(Mark {
            audit: self.audit().await?.first().map_or(0, |it| it.id),
            deploy: newest.map_or(0, |it| it.id),
            build: self.builds().await?.first().map_or(0, |it| it.id),
            own: self.counters(&self.client, &self.name).await?,
            elsewhere: self.elsewhere(play).await?,
            tags: self.tags().await?,
            scale: self.scales().await?.first().map_or(0, |it| it.id),
            branches: self.branches().await?,
        })
    }

    /// Waits until the clusters have done what they were told.
    ///
    /// # Errors
    /// When they do not within the limit.
    pub async fn settles(&self) -> Result<()> {
        self.until("the clusters have done what they were told", || async {
            let mut settled = true;
            for cluster in self.clusters() {
                settled &= self.counters(cluster, &self.name).await?.settled;
            }
            Ok(settled.then_some(()))
        })
        .await
    }

    /// All that has come about since `mark`.
    ///
    /// # Errors
    /// When anything does not answer, or a deploy has ended twice.
    pub async fn since(&self, mark: &Mark, play: Play) -> Result<Value> {
        let builds = self.builds().await?;
        let builds = builds.iter().filter(|it| it.id > mark.build);
        let builds: Vec<_> = builds
            .map(|it| format!("{:?}", it.state).to_lowercase())
            .collect();
        let scales = self.scales().await?;
        let scales: Vec<_> = scales
            .iter()
            .filter(|it| it.id > mark.scale)
            .map(|it| format!("{:?}", it.state).to_lowercase())
            .collect();
        let own = self.counters(&self.client, &self.name).await?;
        let elsewhere = self.elsewhere(play).await?.zip(mark.elsewhere);
        let mut forge = self.shown_in_the_forge().await?;
        let branches = self.branches().await?;
        forge["hotfix_branches"] = json!(branches.hotfixes - mark.branches.hotfixes);
        forge["revert_branches"] = json!(branches.reverts - mark.branches.reverts);
        let workload: Value = self.get(&format!("/workloads/{}", self.name)).await?;
        Ok(json!({
            "deploys": self.deploys_since(mark).await?,
            "builds": builds,
            "pinned": !workload["pin"].is_null(),
            "record": self.record_since(mark, play).await?,
            "own": own.since(mark.own),
            "elsewhere": elsewhere.map(|(now, before)| now.since(before)),
            "tags": self.tags().await? - mark.tags,
            "scales": scales,
            "forge": forge,
            "there": self.there().await?,
        }))
    }

    /// The deploys since `mark`, with what was told and kept of them.
    async fn deploys_since(&self, mark: &Mark) -> Result<Value> {
        let (mut deploys, mut receipts, mut approvals) = (Vec::new(), 0, 0);
        for summary in self.history().await?.into_iter().rev() {
            if summary.id <= mark.deploy {
                continue;
            }
            let deploy: Deploy = self.get(&format!("/deploys/{}", summary.id)).await?;
            went_once(&deploy)?;
            deploys.push(format!("{:?} {:?}", summary.kind, summary.state).to_lowercase());
            let told = deploy.timeline.iter();
            approvals += told
                .filter(|it| it.message.ends_with(" approved it"))
                .count();
            if deploy.summary.state == DeployState::Failed {
                let path = format!("/deploys/{}/receipt", summary.id);
                let _: Receipt = self.get(&path).await.context("a failed deploy's receipt")?;
                receipts += 1;
            }
        }
        Ok(json!({ "all": deploys, "receipts": receipts, "approvals": approvals }))
    }

    /// How many lines of each action the record has since `mark`.
    async fn record_since(&self, mark: &Mark, play: Play) -> Result<BTreeMap<String, usize>> {
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
        Ok(record)
    }

    /// How much there is of what comes and goes.
    async fn there(&self) -> Result<Value> {
        let workloads: Page<WorkloadSummary> =
            self.get(&format!("/workloads?limit={PAGE}")).await?;
        Ok(json!({
            "workloads": workloads.items.len(),
            "resources": self.resources().await?.len(),
            "deployments": self.deployments().await?.len(),
            "autoscalers": self.autoscalers().await?,
            "webhooks": self.forge.webhooks(&self.repository).await?.len(),
            "webhooks_of_other": self.webhooks_of_other().await?,
        }))
    }
}

/// A timeline goes through each state once for each wave, and ends once.
fn went_once(deploy: &Deploy) -> Result<()> {
    let waves = deploy.plan.as_ref().map_or(1, |plan| plan.waves.len());
    let mut states: Vec<DeployState> = deploy.timeline.iter().map(|event| event.state).collect();
    states.dedup();
    let times = |state: &DeployState| states.iter().filter(|it| *it == state).count();
    let repeated = states.iter().any(|state| times(state) > waves.max(1));
    let ends = states.iter().filter(|state| state.is_over()).count();
    anyhow::ensure!(
        !repeated && ends == 1,
        "deploy {} did not go through each state once: {states:?}",
        deploy.summary.id
    );
    Ok(())
}
