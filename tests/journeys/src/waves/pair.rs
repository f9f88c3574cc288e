//! A wave of two clusters: both are written and judged together, and one that fails fails both.

use anyhow::Result;
use hermez_api::{DeployState, RolloutStrategy};

use super::{PODS, Waves, in_order, placements, run_in_both, set_strategy, wave};
use crate::stage::LIMIT;
use crate::wait::until;

/// One wave with both clusters.
pub(super) fn together(bake_seconds: u32) -> RolloutStrategy {
    RolloutStrategy {
        canary: Vec::new(),
        waves: vec![wave(&["local", "east"], bake_seconds)],
    }
}

impl Waves<'_> {
    /// Both are written once, and baked as one.
    pub(super) async fn reach_both_at_once(&self) -> Result<()> {
        let stage = &self.stage;
        set_strategy(stage, &together(1)).await?;
        let commit = stage.push("together").await?;
        let asked = stage.deploy(&commit).await?;
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        let bakes = "all 4 pods run the new version; they must stay ready for 1 s";
        let baked = "all 4 pods run the new version; ready for 1 s";
        in_order(
            &deploy,
            &[
                (DeployState::RollingOut, "written to the cluster"),
                (DeployState::Verifying, bakes),
                (DeployState::Succeeded, baked),
            ],
        )?;
        let written = deploy.timeline.iter();
        let written = written.filter(|it| it.message.contains("written to the cluster"));
        anyhow::ensure!(written.count() == 1, "one wave: {deploy:#?}");
        anyhow::ensure!(
            deploy.summary.pods_ready == 2 * PODS && deploy.summary.pods_desired == 2 * PODS,
            "the pods of both are counted: {deploy:#?}"
        );
        anyhow::ensure!(run_in_both(stage, &commit, PODS).await?, "both run it");
        Ok(())
    }

    /// The second has no room: the wave fails and names the cluster, and both were told.
    pub(super) async fn fail_in_one_of_both(&self) -> Result<()> {
        let stage = &self.stage;
        self.fill_the_second().await?;
        let commit = stage.push("too many together").await?;
        let asked = stage.deploy(&commit).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("quota")
                && failed.summary.message.starts_with("east: "),
            "{failed:#?}"
        );
        until("both were told to run it", LIMIT, || async {
            let placements = placements(stage).await?;
            let told = placements.iter();
            let told = told.filter(|it| it.commit.as_deref() == Some(&*commit));
            Ok((told.count() == 2).then_some(()))
        })
        .await?;
        self.empty_the_second().await
    }
}
