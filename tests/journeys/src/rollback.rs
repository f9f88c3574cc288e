//! A bad version comes by itself with a push, and goes with one action: rollback, revert, pin, mark,
//! override, restart, hold. What history, comparisons and figures say of all that. Commits that cannot
//! be had, and two people who ask at once.

mod asked;
mod figures;
mod history;
mod revert;

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::{
    AuditEntry, CreateDeploy, CreateRestart, CreateRollback, Deploy, DeployComparison, DeployKind,
    DeployState, DeploySummary, Page, RollbackPlan, UpdateWorkload, Workload, WorkloadStatus,
};
use serde_json::{Value, json};

use crate::hermez::Refused;
use crate::sandbox::Sandbox;
use crate::stage::{LIMIT, Stage};
use crate::wait::until;

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let stage = Stage::open(sandbox, sandbox.hermez()?, "back").await?;
    let back = Back { stage };
    let figures = back.travel().await;
    back.stage.clean_up().await?;
    let figures = figures?;
    back.ask_after_the_end().await?;
    Ok(figures)
}

struct Back {
    stage: Stage,
}

impl Back {
    async fn travel(&self) -> Result<Value> {
        let (first, good) = self.bring_out_the_first().await?;
        let (second, bad) = self.push_the_bad_one().await?;
        let (rollback, rollback_ms) = self.roll_back(&good, &bad).await?;
        let revert_ms = self.propose(rollback, &bad).await?;
        let again = self.check_marks(&second).await?;
        self.check_pin().await?;
        self.propose_in_conflict(again).await?;
        self.compare(&good, &bad).await?;
        let restart_ms = self.restart(&first).await?;
        self.fail_and_mend().await?;
        self.measure().await?;
        self.look_back().await?;
        self.hold(&first).await?;
        let topic = self.ask_for_commits().await?;
        self.ask_at_once(&first, &topic).await?;
        Ok(json!({
            "journey": "rollback",
            "rollback_to_running_ms": rollback_ms,
            "revert_to_pull_request_ms": revert_ms,
            "restart_ms": restart_ms,
        }))
    }

    /// Without history a rollback and a restart say so; then the first version runs.
    async fn bring_out_the_first(&self) -> Result<(String, Deploy)> {
        self.write(2, "first\n")?;
        let first = self.stage.clone.commit_and_push("First page").await?;
        self.push_a_branch_and_a_tag("release").await?;
        self.stage.create().await?;
        for (path, body) in [("rollback", json!({})), ("restart", json!({}))] {
            let refused = self.refused(path, &body).await?;
            anyhow::ensure!(refused.status == 409, "{path} without history: {refused}");
        }
        let latest = |branch: &str| CreateDeploy {
            latest: true,
            branch: Some(branch.to_owned()),
            ..deploy_of(None)
        };
        let commit = self.refused("deploys", &latest(&first[..8])).await?;
        anyhow::ensure!(commit.status == 422, "a commit is no branch: {commit}");
        let asked = self.post("deploys", &latest("release")).await?;
        anyhow::ensure!(asked.commit == first, "--latest is the branch's newest");
        let deploy = self.succeeds(asked.id).await?;
        anyhow::ensure!(deploy.summary.kind == DeployKind::Regular);
        let only = self.refused("rollback", &json!({})).await?;
        anyhow::ensure!(only.status == 409, "with one version: {only}");
        Ok((first, deploy))
    }

    /// Pushes what is checked out as a branch, and another commit as a tag of its name.
    async fn push_a_branch_and_a_tag(&self, name: &str) -> Result<()> {
        let clone = &self.stage.clone;
        let other = ["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "Tagged"];
        let other = clone.git(&other).await?;
        let tag = format!("{}:refs/tags/{name}", other.trim());
        let branch = format!("HEAD:refs/heads/{name}");
        let push = [
            "push",
            "--quiet",
            clone.url(),
            tag.as_str(),
            branch.as_str(),
        ];
        clone.git(&push).await?;
        Ok(())
    }

    /// Every push to `main` is deployed from now on; this one is bad.
    async fn push_the_bad_one(&self) -> Result<(String, Deploy)> {
        let on = UpdateWorkload {
            auto_deploy: Some("main".to_owned()),
            ..UpdateWorkload::default()
        };
        let path = format!("/workloads/{}", self.stage.name);
        let workload: Workload = self.stage.hermez.patch(&path, &on).await?;
        anyhow::ensure!(workload.auto_deploy.as_deref() == Some("main"));
        let nowhere = UpdateWorkload {
            auto_deploy: Some("nowhere".to_owned()),
            ..UpdateWorkload::default()
        };
        let refused = self
            .stage
            .hermez
            .patch::<_, Workload>(&path, &nowhere)
            .await;
        anyhow::ensure!(refused.is_err(), "a branch that is not there is refused");

        self.write(3, "second\n")?;
        let asked = self.push("Second page").await?;
        Ok((asked.commit, self.succeeds(asked.id).await?))
    }

    /// The sample with so many pods and this page, in a project of its own.
    fn write(&self, replicas: u32, page: &str) -> Result<()> {
        let sample = self.stage.sample(replicas);
        sample.write(&self.stage.clone, page)?;
        let project = format!("project: {}", self.stage.name);
        let config = sample.config().replace("project: journeys", &project);
        self.stage.clone.write("service.yaml", config)?;
        Ok(())
    }

    /// Pushes what was written; gives the deploy that comes of it by itself.
    async fn push(&self, title: &str) -> Result<DeploySummary> {
        let commit = self.stage.clone.commit_and_push(title).await?;
        let asked = until("the push is deployed", LIMIT, || async {
            let newest = self.newest().await?;
            Ok((newest.commit == commit).then_some(newest))
        })
        .await?;
        anyhow::ensure!(asked.requested_by == "push", "{asked:?}");
        Ok(asked)
    }

    /// The plan says what changes; the rollback does it, without a build.
    async fn roll_back(&self, good: &Deploy, bad: &Deploy) -> Result<(i64, u128)> {
        let path = format!("/workloads/{}/rollback", self.stage.name);
        let plan: RollbackPlan = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(
            (plan.change.from.id, plan.change.to.id) == (bad.summary.id, good.summary.id),
            "{plan:?}"
        );
        let leaving = &plan.change.leaving;
        anyhow::ensure!(
            leaving.len() == 1
                && leaving[0].author == "Ada Lovelace"
                && leaving[0].title == "Second page",
            "{leaving:?}"
        );
        anyhow::ensure!(plan.change.images.len() == 1, "{:?}", plan.change.images);
        let diff = &plan.change.manifest_diff;
        anyhow::ensure!(
            diff.contains("-  replicas: 3") && diff.contains("+  replicas: 2"),
            "{diff}"
        );
        anyhow::ensure!(
            self.newest().await?.id == bad.summary.id,
            "a plan changes nothing"
        );

        let begun = Instant::now();
        let body = CreateRollback {
            reason: Some("it greets wrongly".to_owned()),
            ..CreateRollback::default()
        };
        let stale = CreateRollback {
            from: Some(0),
            ..body.clone()
        };
        let refused = self.refused("rollback", &stale).await?;
        anyhow::ensure!(refused.status == 409, "{refused:?}");
        let asked = self.post("rollback", &body).await?;
        let back = self.succeeds(asked.id).await?;
        let took = begun.elapsed().as_millis();
        anyhow::ensure!(
            back.summary.kind == DeployKind::Rollback
                && back.of_deploy == Some(good.summary.id)
                && back.build_id.is_none()
                && back.manifest == good.manifest
                && back.images == good.images,
            "exactly what ran before: {back:#?}"
        );
        revert::check_pods(&back, 2, 3)?;
        let status = self.status().await?;
        let image = &good.images[0].reference;
        for pod in status.pods.iter().filter(|pod| pod.updated) {
            anyhow::ensure!(
                pod.containers
                    .iter()
                    .any(|container| container.image == *image),
                "{pod:?} does not run {image}"
            );
        }
        Ok((back.summary.id, took))
    }

    /// The version that was left is refused, with who and why; with a reason it is not.
    async fn check_marks(&self, second: &str) -> Result<i64> {
        let refused = self.refused("deploys", &deploy_of(Some(second))).await?;
        let detail = refused.problem.detail.clone().unwrap_or_default();
        anyhow::ensure!(
            refused.status == 409
                && detail.contains("marked as bad by owner")
                && detail.contains("it greets wrongly"),
            "{refused}"
        );
        let meant = CreateDeploy {
            override_bad: Some("the greeting is right".to_owned()),
            ..deploy_of(Some(second))
        };
        let asked = self.post("deploys", &meant).await?;
        let deploy = self.succeeds(asked.id).await?;
        anyhow::ensure!(
            deploy.override_reason.as_deref() == Some("the greeting is right")
                && deploy.bad.is_some(),
            "the override is on record: {deploy:#?}"
        );
        // Back again, this time by number.
        let good = self.history("?state=succeeded&kind=regular").await?;
        let good = good.last().context("the first deploy")?.id;
        let body = CreateRollback {
            to: Some(good),
            ..CreateRollback::default()
        };
        let asked = self.post("rollback", &body).await?;
        self.succeeds(asked.id).await?;
        Ok(asked.id)
    }

    /// While it is pinned a push is built and not deployed, and the record says why.
    async fn check_pin(&self) -> Result<()> {
        let path = format!("/workloads/{}", self.stage.name);
        let pinned: Workload = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(pinned.summary.pin.is_some(), "{pinned:?}");
        let before = self.newest().await?.id;
        self.stage.clone.write("message.txt", "third\n")?;
        let third = self.stage.clone.commit_and_push("Third page").await?;
        let audit = format!(
            "/audit?action=deploy.create&target=workload/{}",
            self.stage.name
        );
        let held = until("the push is held back", LIMIT, || async {
            let page: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
            let of_third = |entry: &AuditEntry| entry.detail["commit"] == third.as_str();
            Ok(page.items.into_iter().find(of_third))
        })
        .await?;
        let why = held.detail["error"].as_str().unwrap_or_default();
        anyhow::ensure!(
            held.outcome == "failed" && why.to_lowercase().contains("pinned by owner"),
            "{held:?}"
        );
        self.stage
            .hermez
            .artifact_available(&self.stage.name, &third, LIMIT)
            .await?;
        anyhow::ensure!(self.newest().await?.id == before, "nothing was deployed");

        for _ in 0..2 {
            self.stage.hermez.delete(&format!("{path}/pin")).await?;
        }
        let free: Workload = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(free.summary.pin.is_none(), "{free:?}");
        Ok(())
    }

    async fn compare(&self, good: &Deploy, bad: &Deploy) -> Result<()> {
        let path = format!("/deploys/{}/compare/{}", good.summary.id, bad.summary.id);
        let change: DeployComparison = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(
            change.coming.len() == 1 && change.leaving.is_empty() && change.missing.is_empty(),
            "{change:?}"
        );
        anyhow::ensure!(change.from_took_ms.is_some() && change.to_took_ms.is_some());
        let by_push = self.history("?by=push").await?;
        anyhow::ensure!(
            by_push.iter().map(|deploy| deploy.id).collect::<Vec<_>>() == [bad.summary.id],
            "{by_push:?}"
        );
        let rollbacks = self.history("?kind=rollback").await?;
        anyhow::ensure!(rollbacks.len() == 2, "{rollbacks:?}");
        Ok(())
    }

    /// Every pod is another one afterwards, of the same version; a later deploy keeps them.
    async fn restart(&self, commit: &str) -> Result<u128> {
        let before = self.pods().await?;
        let begun = Instant::now();
        let asked = self.post("restart", &CreateRestart::default()).await?;
        let deploy = self.succeeds(asked.id).await?;
        let took = begun.elapsed().as_millis();
        anyhow::ensure!(
            deploy.summary.kind == DeployKind::Restart && deploy.summary.commit == commit,
            "{deploy:#?}"
        );
        let after = self.pods().await?;
        anyhow::ensure!(
            after.len() == 2 && after.iter().all(|pod| !before.contains(pod)),
            "{before:?} became {after:?}"
        );
        let asked = self.post("deploys", &deploy_of(Some(commit))).await?;
        self.succeeds(asked.id).await?;
        anyhow::ensure!(
            self.pods().await? == after,
            "a deploy of the same keeps the pods"
        );
        Ok(took)
    }

    /// A deploy is held, goes on, and can be canceled while it is held; each as often as one likes.
    async fn hold(&self, first: &str) -> Result<()> {
        let asked = self.post("restart", &CreateRestart::default()).await?;
        let path = |verb: &str| format!("/deploys/{}/{verb}", asked.id);
        for _ in 0..2 {
            let held: DeploySummary = self.stage.hermez.post(&path("pause"), &json!({})).await?;
            anyhow::ensure!(held.paused_by.as_deref() == Some("owner"), "{held:?}");
        }
        let said = until("it says that it is held", LIMIT, || async {
            let deploy: Deploy = self
                .stage
                .hermez
                .get(&format!("/deploys/{}", asked.id))
                .await?;
            let held = deploy.summary.message.contains("paused it");
            Ok(held.then_some(deploy))
        })
        .await?;
        anyhow::ensure!(said.summary.finished_at.is_none(), "{said:#?}");
        for _ in 0..2 {
            let _: DeploySummary = self.stage.hermez.post(&path("resume"), &json!({})).await?;
        }
        self.succeeds(asked.id).await?;

        let asked = self.post("deploys", &deploy_of(Some(first))).await?;
        let path = |verb: &str| format!("/deploys/{}/{verb}", asked.id);
        let _: DeploySummary = self.stage.hermez.post(&path("pause"), &json!({})).await?;
        for _ in 0..2 {
            let _: DeploySummary = self.stage.hermez.post(&path("cancel"), &json!({})).await?;
        }
        let ended = self.stage.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            matches!(
                ended.summary.state,
                DeployState::Canceled | DeployState::Succeeded
            ),
            "{ended:#?}"
        );
        Ok(())
    }

    async fn post(&self, what: &str, body: &impl serde::Serialize) -> Result<DeploySummary> {
        let body = serde_json::to_value(body)?;
        let path = format!("/workloads/{}/{what}", self.stage.name);
        self.stage.hermez.post(&path, &body).await
    }

    async fn refused(&self, what: &str, body: &impl serde::Serialize) -> Result<Refused> {
        match self.post(what, body).await {
            Ok(deploy) => anyhow::bail!("{what} should have been refused: {deploy:?}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn succeeds(&self, id: i64) -> Result<Deploy> {
        self.stage.ends(id, DeployState::Succeeded).await
    }

    async fn history(&self, query: &str) -> Result<Vec<DeploySummary>> {
        let path = format!("/workloads/{}/deploys{query}", self.stage.name);
        let page: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
        Ok(page.items)
    }

    async fn newest(&self) -> Result<DeploySummary> {
        let newest = self.history("?limit=1").await?.pop();
        newest.context("no deploy")
    }

    async fn status(&self) -> Result<WorkloadStatus> {
        self.stage
            .hermez
            .get(&format!("/workloads/{}/status", self.stage.name))
            .await
    }

    /// Names of the pods that are there to stay, in order.
    async fn pods(&self) -> Result<Vec<String>> {
        until("old pods are gone", LIMIT, || async {
            let status = self.status().await?;
            let wanted = usize::try_from(status.pods_desired)?;
            let mut names: Vec<_> = status.pods.into_iter().map(|pod| pod.name).collect();
            names.sort();
            Ok((names.len() == wanted).then_some(names))
        })
        .await
    }
}

fn deploy_of(commit: Option<&str>) -> CreateDeploy {
    CreateDeploy {
        commit: commit.map(str::to_owned),
        latest: false,
        branch: None,
        reason: None,
        override_bad: None,
    }
}
