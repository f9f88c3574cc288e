//! Pushes while the project is frozen: nothing reaches the cluster, and when the freeze is over the
//! newest of them is deployed, and it alone.

use std::collections::BTreeMap;

use anyhow::Result;
use hermez_api::{CreateFreeze, DeployState, DeploySummary, Freeze, HoldingRule, Page};
use hermez_kinds::Kind;
use hermez_kinds::names::COMMIT_ANNOTATION;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject};
use serde_json::json;

use super::{Rules, begun_after};
use crate::stage::LIMIT;

/// What a deploy would change in the cluster: the resource's generation and its annotations.
type Trace = (Option<i64>, BTreeMap<String, String>);

impl Rules {
    /// Gives the time from the end of the freeze to the deploy's beginning, in milliseconds.
    pub(super) async fn push_while_frozen(&self) -> Result<i64> {
        let body = CreateFreeze {
            project: Some(self.stage.name.clone()),
            from: None,
            until: None,
            reason: "the year's end".to_owned(),
        };
        let freeze: Freeze = self.stage.hermez.post("/freezes", &body).await?;
        let before = self.trace().await?;
        let older = self.push("sixth").await?;
        self.held(older.id, HoldingRule::Freeze).await?;
        let newer = self.push("seventh").await?;
        let held = self.held(newer.id, HoldingRule::Freeze).await?.summary;
        anyhow::ensure!(
            held.state == DeployState::Queued
                && held.requested_by == "push"
                && held.message.contains("frozen by owner"),
            "{held:#?}"
        );
        self.gives_way(older.id, newer.id).await?;
        let after = self.trace().await?;
        anyhow::ensure!(after == before, "{before:?} became {after:?}");

        let ended = Timestamp::now();
        let path = format!("/freezes/{}/end", freeze.id);
        let _: Freeze = self.stage.hermez.post(&path, &json!({})).await?;
        let deploy = self.succeeds(newer.id).await?;
        let late = begun_after(&deploy, ended)?;
        self.gives_way(older.id, newer.id).await?;
        let (_, annotations) = self.trace().await?;
        anyhow::ensure!(
            annotations.get(COMMIT_ANNOTATION) == Some(&newer.commit),
            "{annotations:?} is not of {newer:?}"
        );
        let page: Page<DeploySummary> = self.get("deploys?limit=2").await?;
        let newest: Vec<i64> = page.items.iter().map(|deploy| deploy.id).collect();
        anyhow::ensure!(newest == [newer.id, older.id], "{page:?}");
        Ok(late)
    }

    /// The older of two that wait has never begun, and says which one took its place.
    async fn gives_way(&self, older: i64, newer: i64) -> Result<()> {
        let ended = self.stage.hermez.deploy_ends(older, LIMIT).await?.summary;
        anyhow::ensure!(
            ended.state == DeployState::Superseded
                && ended.started_at.is_none()
                && ended.message.contains(&format!("deploy {newer} ")),
            "{ended:#?}"
        );
        Ok(())
    }

    /// What stands in the cluster now.
    pub(super) async fn trace(&self) -> Result<Trace> {
        let kind = Kind::Service.api_resource();
        let name = self.stage.name.as_str();
        let resources: Api<DynamicObject> =
            Api::namespaced_with(self.stage.kube.clone(), name, &kind);
        let live = resources.get(name).await?;
        Ok((live.metadata.generation, live.annotations().clone()))
    }
}
