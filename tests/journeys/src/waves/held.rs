//! Between two waves a deploy is stopped, or held and let go on.

use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{Deploy, DeployState, DeploySummary, Health};
use serde_json::json;

use super::{PODS, Waves, in_order, one_after_the_other, placements, run_in_both, set_strategy};

/// Seconds that a first wave bakes which nobody waits for.
const LONG_BAKE_SECONDS: u32 = 600;
/// Seconds that a first wave bakes which is held in its midst.
const HELD_BAKE_SECONDS: u32 = 3;

impl Waves<'_> {
    /// Canceled while the first wave bakes: the first cluster keeps what was written, and the second
    /// is never told. Gives the commit.
    pub(super) async fn stop_between(&self) -> Result<String> {
        let stage = &self.stage;
        set_strategy(stage, &one_after_the_other(LONG_BAKE_SECONDS)).await?;
        let told = self.told_east().await?;
        let ran = placements(stage).await?;
        let commit = stage.push("stopped").await?;
        let asked = stage.deploy(&commit).await?;
        stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        let path = format!("/deploys/{}/cancel", asked.id);
        let _: DeploySummary = stage.hermez.post(&path, &json!({})).await?;
        let canceled = stage.ends(asked.id, DeployState::Canceled).await?;
        let message = &canceled.summary.message;
        anyhow::ensure!(
            message.starts_with("wave 1 of 2 (local): canceled; what was already written")
                && message.ends_with("east not reached"),
            "{canceled:#?}"
        );
        anyhow::ensure!(
            self.told_east().await? == told,
            "the second cluster was told something"
        );
        let runs = placements(stage).await?;
        let [local, east] = &runs[..] else {
            anyhow::bail!("two clusters: {runs:#?}");
        };
        anyhow::ensure!(
            local.commit.as_deref() == Some(&*commit)
                && local.health == Health::Healthy
                && local.pods_ready == PODS,
            "the first keeps what was written: {runs:#?}"
        );
        let before = ran.get(1).context("two clusters")?;
        anyhow::ensure!(
            east.commit == before.commit && east.commit.as_deref() != Some(&*commit),
            "the second runs what it ran: {runs:#?}"
        );
        Ok(commit)
    }

    /// The same commit again, held while the first wave bakes: nothing goes on for as long as that
    /// lasts, and all does afterwards.
    pub(super) async fn hold_between(&self, commit: &str) -> Result<()> {
        let stage = &self.stage;
        set_strategy(stage, &one_after_the_other(HELD_BAKE_SECONDS)).await?;
        let told = self.told_east().await?;
        let asked = stage.deploy(commit).await?;
        stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        let path = |verb: &str| format!("/deploys/{}/{verb}", asked.id);
        let _: DeploySummary = stage.hermez.post(&path("pause"), &json!({})).await?;
        stage
            .says(asked.id, DeployState::Verifying, "paused it")
            .await?;
        // Longer than the bake: the next wave would have begun, if nothing held it.
        let longer = u64::from(HELD_BAKE_SECONDS) + 2;
        tokio::time::sleep(Duration::from_secs(longer)).await;
        let held: Deploy = stage.hermez.get(&format!("/deploys/{}", asked.id)).await?;
        anyhow::ensure!(
            held.summary.state == DeployState::Verifying && held.summary.paused_by.is_some(),
            "{held:#?}"
        );
        anyhow::ensure!(
            self.told_east().await? == told,
            "the second cluster was told something"
        );
        let _: DeploySummary = stage.hermez.post(&path("resume"), &json!({})).await?;
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        in_order(
            &deploy,
            &[
                (DeployState::Verifying, "wave 1 of 2 (local): all 2 pods"),
                (DeployState::Verifying, "wave 1 of 2 (local): held: "),
                (DeployState::Verifying, "let it go on"),
                (DeployState::Applying, "next: east"),
                (DeployState::Succeeded, "all 2 waves run the new version"),
            ],
        )?;
        anyhow::ensure!(run_in_both(stage, commit, PODS).await?, "both run it");
        Ok(())
    }
}
