//! What is played of rules, reverts, sleeping previews, load, other workloads and waves.

use anyhow::{Context, Result};
use hermez_api::{
    ApprovalRule, AutoscalingSettings, Build, BuildState, BuildSummary, CreateBuild, Deploy,
    DeployState, DeploySummary, Page, Preview, PreviewState, PullRequest, Revert, RolloutStrategy,
    ScaleChange, ScaleChangeState, ScaleOwner, SetAutoscaling, Wave, Workload,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::lane::{Lane, come_back, of};
use crate::hermez::{Hermez, ask};
use crate::visitor::{Shows, visit};

/// Seconds that the first wave bakes.
const BAKE_SECONDS: u32 = 1;

/// Deploys that wait for approvals.
impl Lane {
    /// There is no rule yet, and there are people who may approve.
    pub(super) async fn may_be_approved(&self) -> Result<()> {
        let path = self.path("rules/approvals");
        self.insist(Method::DELETE, &path, &json!({})).await?;
        self.approvers().await?;
        self.deployed(0).await
    }

    async fn approvers(&self) -> Result<[Hermez; 2]> {
        let (first, _) = self.somebody("approver", "owner").await?;
        let (second, _) = self.somebody("second-approver", "owner").await?;
        Ok([first, second])
    }

    /// From the rule to its end; between them a deploy that two people let go on.
    pub(super) async fn hold_and_approve(&self) -> Result<()> {
        let rule = ApprovalRule {
            count: 2,
            people: Vec::new(),
            role: Some("owner".to_owned()),
            rollback_needs_approval: false,
        };
        let path = self.path("rules/approvals");
        self.insist(Method::PUT, &path, &json!(rule)).await?;
        let asked = self.deploy(1).await?;
        let approve = format!("/deploys/{}/approve", asked.id);
        for (given, approver) in self.approvers().await?.iter().enumerate() {
            self.waits_with(asked.id, given).await?;
            self.insist_as(approver, Method::POST, &approve, &json!({}))
                .await?;
        }
        self.ends(asked.id).await?;
        self.insist(Method::DELETE, &path, &json!({})).await
    }

    /// Waits until a deploy says that so many have approved it; it must not have begun.
    async fn waits_with(&self, id: i64, given: usize) -> Result<()> {
        let what = format!("it waits with {given} approvals");
        self.until(&what, || async {
            let deploy: Deploy = self.get(&format!("/deploys/{id}")).await?;
            let summary = deploy.summary;
            anyhow::ensure!(
                summary.started_at.is_none() && !summary.state.is_over(),
                "it went on too early: {summary:#?}"
            );
            let approvals = summary.held.and_then(|held| held.approvals);
            let count = approvals.map(|it| it.given.len());
            Ok((count == Some(given)).then_some(()))
        })
        .await
    }
}

/// Reverts of what rollbacks left.
impl Lane {
    /// A commit was left by a rollback to the one below it, and nothing is proposed.
    pub(super) async fn has_rolled_back(&self) -> Result<()> {
        self.close_pulls().await?;
        self.set_previews(false).await?;
        let [kept, left] = self.pair().await?;
        self.runs(&kept).await?;
        self.runs(&left).await?;
        let asked: DeploySummary = self.ask("rollback", &json!({})).await?;
        let rollback = self.ends(asked.id).await?.summary;
        anyhow::ensure!(
            rollback.state == DeployState::Succeeded && rollback.commit == kept,
            "not back at {kept}: {rollback:#?}"
        );
        self.rolled_back(rollback.id);
        self.settles().await
    }

    /// The revert stands with its rollback, and is built.
    pub(super) async fn propose_the_revert(&self) -> Result<()> {
        let rollback = self.rollback().context("a rollback")?;
        let path = format!("/deploys/{rollback}");
        let revert: Revert = self.ask_at(&format!("{path}/revert"), &json!({})).await?;
        let deploy: Deploy = self.get(&path).await?;
        anyhow::ensure!(
            deploy.revert.as_ref() == Some(&revert),
            "{:#?} is not {revert:#?}",
            deploy.revert
        );
        // The forge tells of the branch, but for when the server is away just then.
        let body = CreateBuild {
            commit: revert.commit,
            retry: false,
        };
        let asked: BuildSummary = self.ask("builds", &body).await?;
        self.until("the revert is built", || async {
            let build: Build = self.get(&format!("/builds/{}", asked.id)).await?;
            let goes_on = [BuildState::Queued, BuildState::Running];
            Ok((!goes_on.contains(&build.summary.state)).then_some(()))
        })
        .await
    }
}

/// Previews that sleep.
impl Lane {
    /// There is a preview that is awake.
    pub(super) async fn is_awake(&self) -> Result<()> {
        let known = self.living_sleeper().await?;
        let number = if let Some(number) = known {
            number
        } else {
            self.close_pulls().await?;
            self.set_previews(true).await?;
            let number = self.open_sleeper().await?;
            self.said_under(number, ": ready").await?;
            number
        };
        // The visitor is known before: whoever is made while it is played counts as an effect.
        self.somebody("visitor", "viewer").await?;
        let wake = self.path(&format!("pull-requests/{number}/wake"));
        self.insist(Method::POST, &wake, &json!({})).await?;
        self.wakes(number).await
    }

    async fn living_sleeper(&self) -> Result<Option<i64>> {
        let Some(number) = self.sleeper() else {
            return Ok(None);
        };
        let over = [PreviewState::Removing, PreviewState::Removed];
        let preview = self.preview(number).await?;
        let living = preview.is_some_and(|it| !over.contains(&it.state));
        Ok(living.then_some(number))
    }

    async fn preview(&self, number: i64) -> Result<Option<Preview>> {
        let path = self.path(&format!("pull-requests/{number}"));
        let pull: PullRequest = self.get(&path).await?;
        Ok(pull.preview)
    }

    /// Waits until a preview is awake, and the cluster has done what it was told of it.
    async fn wakes(&self, number: i64) -> Result<()> {
        let name = self.preview_of(number);
        self.until("the preview is awake", || async {
            let preview = self.preview(number).await?.context("a preview")?;
            let counters = self.counters(&self.client, &name).await?;
            let awake = preview.state == PreviewState::Active && counters.settled;
            Ok(awake.then_some(()))
        })
        .await
    }

    /// It is put to sleep, has no pods, and is woken by a visitor.
    pub(super) async fn sleep_and_wake(&self) -> Result<()> {
        let number = self.sleeper().context("a preview")?;
        let sleep = self.path(&format!("pull-requests/{number}/sleep"));
        self.insist(Method::POST, &sleep, &json!({})).await?;
        let name = self.preview_of(number);
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        self.until("it has no pods", || async {
            let found = deployments.get(&name).await?;
            let wanted = found.spec.and_then(|spec| spec.replicas);
            let pods = found.status.and_then(|status| status.replicas);
            Ok((wanted == Some(0) && pods.unwrap_or(0) == 0).then_some(()))
        })
        .await?;
        let page: Url = format!("http://{name}.preview.localhost:{}/", self.gateway).parse()?;
        let (_, token) = self.somebody("visitor", "viewer").await?;
        self.until("a visitor reaches it", || async {
            match visit(&page, Shows::Token(&token), false).await {
                // A played pod is there and has no port, which is said when it is ready.
                Ok(answer) if answer.status == 502 => Ok(Some(())),
                Ok(answer) if answer.status == 503 => Ok(None),
                Ok(answer) => anyhow::bail!("{answer:?}"),
                Err(error) => come_back(error),
            }
        })
        .await?;
        self.wakes(number).await
    }
}

/// A number of pods that follows their load.
impl Lane {
    /// From the autoscaler to the config file's number.
    pub(super) async fn follow_the_load(&self) -> Result<()> {
        // As few as there are: an autoscaler without figures then leaves them alone.
        let body = SetAutoscaling {
            settings: AutoscalingSettings {
                min: 1,
                max: 3,
                cpu: Some(70),
                memory: None,
                metrics: Vec::new(),
                behavior: None,
            },
            reason: "it is busy".to_owned(),
            until: None,
        };
        let _: ScaleChange = self.ask("autoscaling", &body).await?;
        self.owned_by(ScaleOwner::Autoscaler).await?;
        self.has_autoscalers(1).await?;
        self.take_away(&self.path("scale?reason=over")).await?;
        self.owned_by(ScaleOwner::File).await?;
        self.has_autoscalers(0).await?;
        self.until("the ledger says that it is done", || async {
            let changes: Page<ScaleChange> = self.get(&self.path("scale/changes?limit=1")).await?;
            let newest = changes.items.first().context("a change")?;
            Ok((newest.state != ScaleChangeState::Pending).then_some(()))
        })
        .await
    }

    async fn has_autoscalers(&self, count: usize) -> Result<()> {
        let what = format!("there are {count} autoscalers");
        self.until(&what, || async {
            Ok((self.autoscalers().await? == count).then_some(()))
        })
        .await
    }
}

/// Another workload.
impl Lane {
    /// There is a repository for it, and nothing else.
    pub(super) async fn is_without_the_other(&self) -> Result<()> {
        let other = self.other().await?;
        self.delete_the_other().await?;
        self.clear_webhooks_of(&other).await
    }

    async fn delete_the_other(&self) -> Result<()> {
        let name = self.other_name();
        self.take_away(&format!("/workloads/{name}")).await?;
        self.is_gone(&name).await
    }

    /// Waits until nothing with this name is in the cluster.
    pub(super) async fn is_gone(&self, name: &str) -> Result<()> {
        self.until("nothing of it is in the cluster", || async {
            let (resources, deployments) = (self.resources().await?, self.deployments().await?);
            let left = resources.iter().chain(&deployments).any(|it| it == name);
            Ok((!left).then_some(()))
        })
        .await
    }

    /// It is created with its webhook, built and deployed once, and deleted.
    pub(super) async fn create_and_delete(&self) -> Result<()> {
        let other = self.known_other().context("its repository")?;
        let body = ask(&other.url, "service.yaml");
        let made: Workload = self.ask_at("/workloads", &body).await?;
        let path = format!("/workloads/{}", made.summary.name);
        let deploys = format!("{path}/deploys");
        let asked: DeploySummary = self.ask_at(&deploys, &of(&other.commit)).await?;
        let deploy = self.ends(asked.id).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let builds: Page<BuildSummary> = self.get(&format!("{path}/builds")).await?;
        let deploys: Page<DeploySummary> = self.get(&deploys).await?;
        let webhooks = self.webhooks_of_other().await?;
        anyhow::ensure!(
            (builds.items.len(), deploys.items.len(), webhooks) == (1, 1, 1),
            "it has {} builds, {} deploys and {webhooks} webhooks, and not one of each",
            builds.items.len(),
            deploys.items.len()
        );
        self.delete_the_other().await
    }
}

/// Two clusters in waves.
impl Lane {
    /// A strategy is set, and a version has gone by it.
    pub(super) async fn runs_in_waves(&self) -> Result<()> {
        let wave = |cluster: &str, bake_seconds| Wave {
            clusters: vec![cluster.to_owned()],
            bake_seconds,
        };
        let strategy = RolloutStrategy {
            canary: Vec::new(),
            waves: vec![wave("local", BAKE_SECONDS), wave("east", 0)],
        };
        let path = self.path("strategy");
        self.insist(Method::PUT, &path, &json!(strategy)).await?;
        self.deployed(0).await
    }

    /// The other version goes by it, and the strategy goes.
    pub(super) async fn go_in_waves(&self) -> Result<()> {
        let asked = self.deploy(1).await?;
        self.ends(asked.id).await?;
        let path = self.path("strategy");
        self.insist(Method::DELETE, &path, &json!({})).await
    }
}
