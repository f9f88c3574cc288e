//! What must be so before each play, and what is done.

use anyhow::{Context, Result};
use hermez_api::{
    CanaryStep, CreateHotfix, DeployKind, DeployState, DeploySummary, Page, RolloutStrategy,
    ScaleChange, ScaleChangeState, ScaleOwner, ScaleStatus, SetScale, UpdatePreviewSettings,
    UpdateWorkload,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::lane::{Lane, of};
use super::plays::Play;
use crate::sandbox::unique;

/// Which of the lane's versions fails.
const BAD: usize = 2;
/// How long a number of pods holds: longer than a server takes to come back.
const HOLDS: SignedDuration = SignedDuration::from_secs(15);

impl Lane {
    /// What must be so before a play.
    ///
    /// # Errors
    /// When a deploy does not succeed.
    pub async fn before(&self, play: Play) -> Result<()> {
        match play {
            Play::Rollback => self.deployed(1).await,
            Play::Deploy | Play::Pause | Play::Cancel | Play::Fail => self.deployed(0).await,
            Play::Push | Play::Restart => Ok(()),
            Play::Canary => {
                // One that failed may have left it.
                self.without_a_strategy().await?;
                self.deployed(0).await
            }
            Play::Hotfix => {
                self.deployed(0).await?;
                self.new_fix().await
            }
            Play::Preview => {
                self.close_pulls().await?;
                self.set_previews(true).await
            }
            Play::Scale | Play::Autoscale => {
                let path = self.path("scale");
                let status: ScaleStatus = self.get(&path).await?;
                if status.owner != ScaleOwner::File {
                    self.insist(Method::DELETE, &path, &json!({})).await?;
                }
                self.owned_by(ScaleOwner::File).await?;
                self.settles().await
            }
            Play::Held => self.may_be_approved().await,
            Play::Revert => self.has_rolled_back().await,
            Play::Sleep => self.is_awake().await,
            Play::Create => self.is_without_the_other().await,
            Play::CancelCanary | Play::Queue => self.has_a_canary().await,
            Play::BuildFails => self.broken().await.map(drop),
            Play::Waves => self.runs_in_waves().await,
        }
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// When anything is lost, refused or does not end.
    pub async fn play(&self, play: Play) -> Result<()> {
        match play {
            Play::Push => {
                let commit = self.push(&unique("version"), false).await?;
                let what = "the pushed commit is deployed";
                let asked = self.newest_is(what, |it| it.commit == commit).await?;
                self.ends(asked.id).await?;
            }
            Play::Deploy => {
                let asked = self.deploy(1).await?;
                self.ends(asked.id).await?;
            }
            Play::Restart => {
                let asked: DeploySummary = self.ask("restart", &json!({})).await?;
                self.ends(asked.id).await?;
            }
            Play::Rollback => {
                let asked: DeploySummary = self.ask("rollback", &json!({})).await?;
                self.ends(asked.id).await?;
            }
            Play::Fail => {
                let asked = self.deploy(BAD).await?;
                self.ends(asked.id).await?;
                let what = "the automatic rollback is asked for";
                let is_it =
                    |it: &DeploySummary| it.id > asked.id && it.kind == DeployKind::Rollback;
                let rollback = self.newest_is(what, is_it).await?;
                self.ends(rollback.id).await?;
            }
            Play::Pause => {
                let id = self.verifying().await?;
                self.tell(id, "pause").await?;
                self.tell(id, "resume").await?;
                self.ends(id).await?;
            }
            Play::Cancel => {
                let id = self.verifying().await?;
                self.tell(id, "cancel").await?;
                self.ends(id).await?;
            }
            Play::Canary => self.try_a_canary().await?,
            Play::Hotfix => {
                let body = CreateHotfix {
                    commits: vec![self.fix()],
                    branch: None,
                    reason: Some("it is broken".to_owned()),
                };
                let asked: DeploySummary = self.ask("hotfixes", &body).await?;
                self.ends(asked.id).await?;
            }
            Play::Preview => self.preview_and_close().await?,
            Play::Scale => self.scale_for_a_while().await?,
            Play::Held => self.hold_and_approve().await?,
            Play::Revert => self.propose_the_revert().await?,
            Play::Sleep => self.sleep_and_wake().await?,
            Play::Autoscale => self.follow_the_load().await?,
            Play::Create => self.create_and_delete().await?,
            Play::CancelCanary => self.cancel(self.canary().await?).await?,
            Play::Queue => self.queue_behind_a_canary().await?,
            Play::BuildFails => {
                let broken = self.broken().await?;
                let asked: DeploySummary = self.ask("deploys", &of(&broken)).await?;
                self.ends(asked.id).await?;
            }
            Play::Waves => self.go_in_waves().await?,
        }
        self.settles().await
    }

    async fn try_a_canary(&self) -> Result<()> {
        let id = self.canary_waits().await?;
        self.tell(id, "promote").await?;
        self.ends(id).await?;
        self.without_a_strategy().await
    }

    async fn without_a_strategy(&self) -> Result<()> {
        self.insist(Method::DELETE, &self.path("strategy"), &json!({}))
            .await
    }

    /// There is a canary that waits for a word, and what comes after it will have none.
    async fn has_a_canary(&self) -> Result<()> {
        self.without_a_strategy().await?;
        self.deployed(0).await?;
        self.canary_waits().await?;
        self.without_a_strategy().await
    }

    /// Tries a version as a canary, until that waits for a word; gives its deploy.
    async fn canary_waits(&self) -> Result<i64> {
        let strategy = RolloutStrategy {
            canary: vec![CanaryStep {
                percent: 50,
                seconds: 0,
                wait: true,
            }],
            waves: Vec::new(),
        };
        self.insist(Method::PUT, &self.path("strategy"), &json!(strategy))
            .await?;
        let asked = self.deploy(1).await?;
        let path = format!("/deploys/{}", asked.id);
        self.until("the canary waits for a word", || async {
            let deploy: hermez_api::Deploy = self.get(&path).await?;
            let state = deploy.summary.state;
            anyhow::ensure!(!state.is_over(), "it ended before: {deploy:#?}");
            let waits = deploy.summary.message.contains("hermez deploys promote");
            Ok((state == DeployState::Canary && waits).then_some(()))
        })
        .await?;
        Ok(asked.id)
    }

    /// The deploy whose canary waits.
    async fn canary(&self) -> Result<i64> {
        let is_it = |it: &DeploySummary| it.state == DeployState::Canary;
        Ok(self.newest_is("a canary waits", is_it).await?.id)
    }

    /// Stops a deploy, and waits until no canary is left.
    async fn cancel(&self, id: i64) -> Result<()> {
        self.tell(id, "cancel").await?;
        self.ends(id).await?;
        self.is_gone(&hermez_kinds::canary::name(&self.name)).await
    }

    /// What comes while a canary has the workload waits for it, and the newest is brought out.
    async fn queue_behind_a_canary(&self) -> Result<()> {
        let canary = self.canary().await?;
        let older = self.deploy(0).await?;
        let newer = self.deploy(1).await?;
        self.ends(older.id).await?;
        // It takes nobody's place, but would go first.
        let restart: DeploySummary = self.ask("restart", &json!({})).await?;
        self.tell(restart.id, "cancel").await?;
        self.ends(restart.id).await?;
        self.cancel(canary).await?;
        self.ends(newer.id).await?;
        Ok(())
    }

    pub(super) async fn set_previews(&self, auto: bool) -> Result<()> {
        let body = UpdateWorkload {
            previews: Some(UpdatePreviewSettings {
                auto: Some(auto),
                ..UpdatePreviewSettings::default()
            }),
            ..UpdateWorkload::default()
        };
        let path = format!("/workloads/{}", self.name);
        let _: Value = self.hermez.patch(&path, &body).await?;
        Ok(())
    }

    /// From the opened pull request to what the forge shows when all is gone.
    async fn preview_and_close(&self) -> Result<()> {
        let number = self.open_pull().await?;
        self.said_under(number, ": ready").await?;
        self.close_pull(number).await?;
        let gone = "removed, because the pull request was closed";
        self.said_under(number, gone).await
    }

    /// Waits until what Hermez says under a pull request has these words.
    pub(super) async fn said_under(&self, number: i64, words: &str) -> Result<()> {
        let what = format!("the pull request's comment says `{words}`");
        self.until(&what, || async {
            let comments = self.comments(number).await?;
            Ok(comments.iter().any(|it| it.contains(words)).then_some(()))
        })
        .await
    }

    /// Waits until that one says how many pods there are.
    pub(super) async fn owned_by(&self, owner: ScaleOwner) -> Result<()> {
        let what = format!("{owner:?} says how many pods there are");
        self.until(&what, || async {
            let status: ScaleStatus = self.get(&self.path("scale")).await?;
            Ok((status.owner == owner).then_some(()))
        })
        .await
    }

    async fn scale_for_a_while(&self) -> Result<()> {
        let body = SetScale {
            replicas: 2,
            reason: "a launch".to_owned(),
            until: Some(Timestamp::now() + HOLDS),
            fixed: false,
        };
        let asked: ScaleChange = self.ask("scale", &body).await?;
        self.until("its time is over", || async {
            let changes: Page<ScaleChange> = self.get(&self.path("scale/changes?limit=1")).await?;
            let newest = changes.items.into_iter().next().context("a change")?;
            anyhow::ensure!(newest.id == asked.id, "asked for twice: {newest:?}");
            Ok((newest.state == ScaleChangeState::Ended).then_some(()))
        })
        .await?;
        self.owned_by(ScaleOwner::File).await
    }
}
