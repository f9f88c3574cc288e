//! A canary comes before all waves: it is tried in the server's own cluster, and only when it was
//! promoted does the first wave begin.

use anyhow::Result;
use hermez_api::{CanaryStep, DeployState, DeploySummary, PromoteDeploy, RolloutStrategy};
use hermez_kinds::PinterestService;

use super::{
    PODS, SHORT_BAKE_SECONDS, Waves, found, in_order, one_after_the_other, placements, run_in_both,
    set_strategy,
};

impl Waves<'_> {
    /// Canary, promotion, first wave, bake, second wave.
    pub(super) async fn try_before_the_waves(&self) -> Result<()> {
        let stage = &self.stage;
        let strategy = RolloutStrategy {
            canary: vec![CanaryStep {
                percent: 50,
                seconds: 0,
                wait: true,
            }],
            ..one_after_the_other(SHORT_BAKE_SECONDS)
        };
        set_strategy(stage, &strategy).await?;
        let (told, ran) = (self.told_east().await?, self.commits().await?);
        let commit = stage.push("tried").await?;
        let asked = stage.deploy(&commit).await?;
        stage
            .says(asked.id, DeployState::Canary, "hermez deploys promote")
            .await?;
        anyhow::ensure!(
            self.canaries().await? == (true, false),
            "there is one canary, in the server's own cluster"
        );
        anyhow::ensure!(
            self.told_east().await? == told && self.commits().await? == ran,
            "what ran is left alone in both: {:#?}",
            placements(stage).await?
        );
        let promote = PromoteDeploy {
            all: false,
            step: Some(0),
        };
        let path = format!("/deploys/{}/promote", asked.id);
        let _: DeploySummary = stage.hermez.post(&path, &promote).await?;
        stage
            .says(asked.id, DeployState::Verifying, "wave 1 of 2 (local)")
            .await?;
        anyhow::ensure!(
            self.told_east().await? == told,
            "the second cluster waits for the first"
        );
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        in_order(
            &deploy,
            &[
                (DeployState::Canary, "begins with a canary"),
                (DeployState::Canary, "canary, step 1 of 1: 1 pod is made"),
                (DeployState::Canary, "promoted step 1"),
                (DeployState::Applying, "the canary did well"),
                (DeployState::RollingOut, "wave 1 of 2 (local): written"),
                (DeployState::Verifying, "wave 1 of 2 (local): all 2 pods"),
                (DeployState::Applying, "next: east"),
                (DeployState::RollingOut, "wave 2 of 2 (east): written"),
                (DeployState::Succeeded, "all 2 waves run the new version"),
            ],
        )?;
        anyhow::ensure!(
            self.canaries().await? == (false, false),
            "the canary is taken away"
        );
        anyhow::ensure!(run_in_both(stage, &commit, PODS).await?, "both run it");
        Ok(())
    }

    /// Whether there is a canary in the first cluster, and in the second.
    async fn canaries(&self) -> Result<(bool, bool)> {
        let stage = &self.stage;
        let name = format!("{}-canary", stage.name);
        let local: Option<PinterestService> = found(&stage.kube, &stage.name, &name).await?;
        let east: Option<PinterestService> = found(&self.east, &stage.name, &name).await?;
        Ok((local.is_some(), east.is_some()))
    }

    /// The commits that the clusters run, the first one's first.
    async fn commits(&self) -> Result<Vec<Option<String>>> {
        let placements = placements(&self.stage).await?;
        Ok(placements.into_iter().map(|it| it.commit).collect())
    }
}
