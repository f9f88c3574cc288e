//! A stateful set goes through the clusters as a service does; and what one of two clusters refuses
//! is in the other all the same, and counts.

use anyhow::{Context, Result};
use hermez_api::{DeployState, HealthGates, WorkloadGates};
use hermez_kinds::PinterestStatefulset;
use hermez_kinds::names::COMMIT_ANNOTATION;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::pair::together;
use super::{
    PODS, SHORT_BAKE_SECONDS, Waves, found, one_after_the_other, run_in_both, set_strategy,
    tolerant,
};
use crate::stage::{LIMIT, Stage};
use crate::wait::until;

/// A config file of a stateful set whose pods come and go fast.
fn config(stage: &Stage) -> String {
    tolerant(stage)
        .replace("kind: PinterestService", "kind: PinterestStatefulset")
        .replace(
            "  replicas: ",
            "  podmanagementpolicy: Parallel\n  terminationgraceperiodseconds: 1\n  replicas: ",
        )
}

impl Waves<'_> {
    /// A workload of its own, from its repository to its end in both clusters.
    pub(super) async fn bring_out_a_set(&self) -> Result<()> {
        let stage = Stage::open(self.sandbox, self.server.hermez()?, "wavesets").await?;
        let travelled = self.travel_as_a_set(&stage).await;
        let cleaned = stage.clean_up().await;
        travelled?;
        cleaned?;
        let left = self.set_in_east(&stage).await?;
        let left = left.filter(|it| it.metadata.deletion_timestamp.is_none());
        anyhow::ensure!(left.is_none(), "it is deleted, and left in the second");
        Ok(())
    }

    async fn travel_as_a_set(&self, stage: &Stage) -> Result<()> {
        stage.sample(2).write(&stage.clone, "")?;
        stage.clone.write("service.yaml", config(stage))?;
        let first = stage.push("first").await?;
        stage.create().await?;
        let path = format!("/workloads/{}/strategy", stage.name);
        let canary = json!({ "canary": [{ "percent": 50 }] });
        let problem = stage.put_refused(&path, &canary, 409).await?;
        let said = serde_json::to_string(&problem)?;
        anyhow::ensure!(said.contains("no requests to share"), "{said}");
        self.refuse_in_one_of_both(stage, &first).await?;
        set_strategy(stage, &one_after_the_other(SHORT_BAKE_SECONDS)).await?;
        self.reach_both_with_a_set(stage, &first, None).await?;
        let before = self.revision(stage).await?;
        let second = stage.push("second").await?;
        self.reach_both_with_a_set(stage, &second, Some(&first))
            .await?;
        anyhow::ensure!(
            self.revision(stage).await? != before,
            "the pods of the second cluster are of the new version"
        );
        Ok(())
    }

    /// The second cluster takes nothing of a wave of both: the deploy fails and names it, and knows
    /// that the first was written.
    async fn refuse_in_one_of_both(&self, stage: &Stage, commit: &str) -> Result<()> {
        let gates = HealthGates {
            auto_rollback: true,
            ..HealthGates::default()
        };
        let path = format!("/workloads/{}/gates", stage.name);
        let _: WorkloadGates = stage.hermez.put(&path, &gates).await?;
        set_strategy(stage, &together(0)).await?;
        // A namespace that is about to go takes nothing new.
        let namespaces: Api<Namespace> = Api::all(self.east.clone());
        let ending = json!({
            "metadata": { "name": stage.name, "finalizers": ["hermez.dev/journey"] },
        });
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(ending)?)
            .await?;
        namespaces
            .delete(&stage.name, &DeleteParams::default())
            .await?;
        let asked = stage.deploy(commit).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        let message = &failed.summary.message;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("admission")
                && message.starts_with("east: ")
                && message.contains("being terminated"),
            "{failed:#?}"
        );
        anyhow::ensure!(
            message.contains("it is not rolled back"),
            "it has changed the first, and there is no version before it: {failed:#?}"
        );
        let local: Option<PinterestStatefulset> =
            found(&stage.kube, &stage.name, &stage.name).await?;
        anyhow::ensure!(local.is_some(), "the first was written");
        let released = json!({ "metadata": { "finalizers": null } });
        namespaces
            .patch(
                &stage.name,
                &PatchParams::default(),
                &Patch::Merge(&released),
            )
            .await?;
        until("the namespace is gone", LIMIT, || async {
            let left = namespaces.get_opt(&stage.name).await?;
            Ok(left.is_none().then_some(()))
        })
        .await
    }

    /// While the first wave bakes the second cluster has `before`, afterwards both have the commit.
    async fn reach_both_with_a_set(
        &self,
        stage: &Stage,
        commit: &str,
        before: Option<&str>,
    ) -> Result<()> {
        let asked = stage.deploy(commit).await?;
        stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        let there = self.set_in_east(stage).await?;
        let there = there.and_then(|it| it.annotations().get(COMMIT_ANNOTATION).cloned());
        anyhow::ensure!(
            there.as_deref() == before,
            "the second cluster waits for the first: {there:?}"
        );
        stage.ends(asked.id, DeployState::Succeeded).await?;
        anyhow::ensure!(run_in_both(stage, commit, PODS).await?, "both run it");
        Ok(())
    }

    async fn set_in_east(&self, stage: &Stage) -> Result<Option<PinterestStatefulset>> {
        found(&self.east, &stage.name, &stage.name).await
    }

    /// The version that all pods of the set in the second cluster are of.
    async fn revision(&self, stage: &Stage) -> Result<Option<String>> {
        let set: Option<StatefulSet> = found(&self.east, &stage.name, &stage.name).await?;
        let status = set.and_then(|it| it.status).context("it has a status")?;
        anyhow::ensure!(
            status.updated_replicas == Some(PODS) && status.ready_replicas == Some(PODS),
            "{status:?}"
        );
        Ok(status.update_revision)
    }
}
