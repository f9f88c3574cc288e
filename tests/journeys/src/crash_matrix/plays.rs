//! What is played: what must be so before, what is done, and which effects must be seen of it.

use anyhow::{Context, Result};
use hermez_api::{
    CanaryStep, CreateHotfix, DeployKind, DeployState, DeploySummary, Page, RolloutStrategy,
    ScaleChange, ScaleChangeState, ScaleOwner, ScaleStatus, SetScale, UpdatePreviewSettings,
    UpdateWorkload,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::lane::Lane;
use crate::sandbox::unique;

/// Which of the lane's versions fails.
const BAD: usize = 2;
/// How long a number of pods holds: longer than a server takes to come back.
const HOLDS: SignedDuration = SignedDuration::from_secs(15);

/// What is played at each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// The other of two versions, which have their artifacts, is deployed.
    Deploy,
    /// A commit is pushed, and is built and deployed by itself.
    Push,
    /// The pods are replaced.
    Restart,
    /// A deploy is held while it is verified, and let go on.
    Pause,
    /// A deploy is canceled while it is verified.
    Cancel,
    /// What ran before is brought back by a person.
    Rollback,
    /// A version that the API server refuses fails, and what ran is brought back by itself.
    Fail,
    /// A rollout strategy is set, a version is tried as a canary and promoted, and the strategy goes.
    Canary,
    /// A commit is picked onto what runs, pushed as a branch, built and deployed.
    Hotfix,
    /// A pull request is opened and gets its preview; it is closed, and the preview goes.
    Preview,
    /// A number of pods is asked for, with an end after which the file's comes back.
    Scale,
}

/// The write of the resource, which is another thing in each play.
const RESOURCE: &str = "PATCH pinterestservices by hermez";
/// What is asked for, in one transaction with its line of the record.
const ASKED: &str = "insert audit_entry, insert deploy";

impl Play {
    /// All plays, in the order in which they are played.
    pub const ALL: [Self; 11] = [
        Self::Deploy,
        Self::Push,
        Self::Restart,
        Self::Pause,
        Self::Cancel,
        Self::Rollback,
        Self::Fail,
        Self::Canary,
        Self::Hotfix,
        Self::Preview,
        Self::Scale,
    ];

    /// The play of that name, as it is printed, in any letters.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |play: &Self| format!("{play:?}").eq_ignore_ascii_case(name.trim());
        Self::ALL.into_iter().find(is_it)
    }

    /// Parts of the names of its points that are its own, although a play before it had them.
    pub fn own(self) -> &'static [&'static str] {
        match self {
            Self::Deploy | Self::Push | Self::Pause | Self::Cancel => &[],
            Self::Restart | Self::Rollback | Self::Fail => &["insert deploy", RESOURCE],
            Self::Canary => &["canary", "promoted"],
            Self::Hotfix => &["insert deploy"],
            Self::Preview => &["preview", "insert deploy"],
            Self::Scale => &["scale", "PATCH pinterestservices"],
        }
    }

    /// Parts of the names of effects that must have been seen when it was played: a proxy that sees
    /// nothing proves nothing.
    pub fn must_see(self) -> &'static [&'static str] {
        match self {
            Self::Deploy => &[
                ASKED,
                "update deploy to applying",
                "update deploy to rolling_out",
                "update deploy to verifying",
                "update deploy to succeeded",
                RESOURCE,
                "PATCH deployments by hermez-controller",
            ],
            Self::Push => &[
                "insert push",
                "delete push",
                "insert build",
                "update build to running",
                "update build to succeeded",
                "PUT the image",
                "PUT the manifest",
                ASKED,
            ],
            Self::Restart | Self::Rollback => &["insert deploy", RESOURCE],
            Self::Pause | Self::Cancel => &["insert audit_entry, insert deploy", "update deploy"],
            Self::Fail => &["insert deploy", "update deploy to failed"],
            Self::Canary => &[
                "workload_strategy",
                "update deploy to canary",
                "PATCH pinterestservices of a canary",
                "DELETE pinterestservices of a canary",
                "PATCH deployments of a canary",
                RESOURCE,
                "update deploy to succeeded",
            ],
            Self::Hotfix => &[
                "forge: git push",
                "insert deploy, insert hotfix",
                "insert build",
                "update build to succeeded",
                "update deploy to succeeded",
                RESOURCE,
            ],
            Self::Preview => &[
                "insert preview",
                "update build to succeeded",
                "PATCH pinterestservices of a preview",
                "forge: POST issues",
                "forge: POST statuses",
                "update preview to removing",
                "DELETE pinterestservices of a preview",
                "update preview to removed",
            ],
            Self::Scale => &[
                "insert scale_change",
                "PATCH pinterestservices",
                "update scale_change to active",
                "update scale_change to ended",
            ],
        }
    }

    /// Whether each push of it has one line in the record. In the others, what is pushed is no branch
    /// that matters, and a server that is away when it is told of it does not follow it.
    pub fn records_pushes(self) -> bool {
        self == Self::Push
    }

    /// Whether what is kept of the first (marks, pins) is there at every further one.
    pub fn leaves_marks(self) -> bool {
        matches!(self, Self::Rollback | Self::Fail)
    }
}

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
                self.insist(Method::DELETE, &self.path("strategy"), &json!({}))
                    .await?;
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
            Play::Scale => {
                let path = self.path("scale");
                let status: ScaleStatus = self.get(&path).await?;
                if status.owner != ScaleOwner::File {
                    self.insist(Method::DELETE, &path, &json!({})).await?;
                }
                self.owned_by_the_file().await?;
                self.settles().await
            }
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
        }
        self.settles().await
    }

    async fn try_a_canary(&self) -> Result<()> {
        let strategy = RolloutStrategy {
            canary: vec![CanaryStep {
                percent: 50,
                seconds: 0,
                wait: true,
            }],
            waves: Vec::new(),
        };
        let path = self.path("strategy");
        self.insist(Method::PUT, &path, &json!(strategy)).await?;
        let asked = self.deploy(1).await?;
        let path_of_it = format!("/deploys/{}", asked.id);
        self.until("the canary waits for a word", || async {
            let deploy: hermez_api::Deploy = self.get(&path_of_it).await?;
            let state = deploy.summary.state;
            anyhow::ensure!(!state.is_over(), "it ended before: {deploy:#?}");
            let waits = deploy.summary.message.contains("hermez deploys promote");
            Ok((state == DeployState::Canary && waits).then_some(()))
        })
        .await?;
        let promote = format!("{path_of_it}/promote");
        self.insist(Method::POST, &promote, &json!({})).await?;
        self.ends(asked.id).await?;
        self.insist(Method::DELETE, &path, &json!({})).await
    }

    async fn set_previews(&self, auto: bool) -> Result<()> {
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
        self.until(
            "the pull request's comment says that it is ready",
            || async {
                let comments = self.comments(number).await?;
                Ok(comments
                    .iter()
                    .any(|it| it.contains(": ready"))
                    .then_some(()))
            },
        )
        .await?;
        self.close_pull(number).await?;
        self.until(
            "the pull request's comment says that it is gone",
            || async {
                let comments = self.comments(number).await?;
                let gone = "removed, because the pull request was closed";
                Ok(comments.iter().any(|it| it.contains(gone)).then_some(()))
            },
        )
        .await
    }

    async fn owned_by_the_file(&self) -> Result<()> {
        self.until("the config file says how many pods there are", || async {
            let status: ScaleStatus = self.get(&self.path("scale")).await?;
            Ok((status.owner == ScaleOwner::File).then_some(()))
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
        self.owned_by_the_file().await
    }
}
