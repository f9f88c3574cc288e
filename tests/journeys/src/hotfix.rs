//! A fix is needed at once, and the branch has moved on: it is picked onto exactly what runs.

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::{
    CreateDeploy, CreateHotfix, CreateRollback, Deploy, DeployKind, DeployState, DeploySummary,
    HotfixPlan, Page,
};
use serde_json::{Value, json};

use crate::hermez::{Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::stage::{LIMIT, Stage};

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let stage = Stage::open(sandbox, sandbox.hermez()?, "fixed").await?;
    let fixed = Fixed { stage };
    let figures = fixed.travel().await;
    fixed.stage.clean_up().await?;
    figures
}

struct Fixed {
    stage: Stage,
}

/// The commits of the branch, oldest first.
struct History {
    base: String,
    /// A feature that is not ready; it changes the page.
    feature: String,
    /// A fix of another file.
    fix: String,
    /// More of the feature, in the same line.
    more: String,
}

impl Fixed {
    async fn travel(&self) -> Result<Value> {
        let base = self.bring_out().await?;
        let history = self.move_on(base).await?;
        self.refuse(&history).await?;
        let took = self.fix(&history).await?;
        self.again(&history).await?;
        Ok(json!({ "journey": "hotfix", "hotfix_to_running_ms": took }))
    }

    async fn bring_out(&self) -> Result<String> {
        let sample = Sample {
            name: &self.stage.name,
            namespace: &self.stage.name,
            replicas: 1,
            ready_after_s: 0,
            extra_step: "COPY notes.txt /notes.txt",
        };
        sample.write(&self.stage.clone, "first\n")?;
        self.stage.clone.write("notes.txt", "broken\n")?;
        let base = self.stage.clone.commit_and_push("First page").await?;
        let create = ask(&self.stage.url, "service.yaml");
        self.stage.hermez.create_workload(&create).await?;
        let nothing = self.refused("hotfixes", &[&base]).await?;
        anyhow::ensure!(nothing.status == 409, "nothing runs yet: {nothing}");
        let latest = CreateDeploy {
            commit: Some(base.clone()),
            latest: false,
            branch: None,
            reason: None,
            override_bad: None,
        };
        let path = format!("/workloads/{}/deploys", self.stage.name);
        let asked: DeploySummary = self.stage.hermez.post(&path, &latest).await?;
        self.succeeds(asked.id).await?;
        Ok(base)
    }

    async fn move_on(&self, base: String) -> Result<History> {
        self.stage.clone.write("message.txt", "half a feature\n")?;
        let feature = self.stage.clone.commit_and_push("Half a feature").await?;
        self.stage.clone.write("notes.txt", "mended\n")?;
        let fix = self.stage.clone.commit_and_push("Mend the notes").await?;
        self.stage.clone.write("message.txt", "a whole feature\n")?;
        let more = self.stage.clone.commit_and_push("The other half").await?;
        Ok(History {
            base,
            feature,
            fix,
            more,
        })
    }

    /// What does not fit says where, and leaves nothing behind.
    async fn refuse(&self, history: &History) -> Result<()> {
        let before = self.branches().await?;
        let conflict = self
            .refused("hotfixes", &[&history.fix, &history.more])
            .await?;
        let place = conflict.problem.places.first().context("a place")?;
        anyhow::ensure!(
            conflict.status == 409
                && place.file == "message.txt"
                && place.line == Some(1)
                && place.message.contains("first")
                && place.message.contains("a whole feature"),
            "{conflict}: {place:?}"
        );
        let there = self.refused("hotfixes", &[&history.base]).await?;
        anyhow::ensure!(there.status == 409, "the first commit of all: {there}");
        let unknown = self.refused("hotfixes", &[&"1".repeat(40)]).await?;
        anyhow::ensure!(unknown.status == 422, "{unknown}");
        let none = self.refused("hotfixes", &[]).await?;
        anyhow::ensure!(none.status == 422, "{none}");
        let after = self.branches().await?;
        anyhow::ensure!(before == after, "{before:?} became {after:?}");
        let runs = self.history().await?;
        anyhow::ensure!(runs.len() == 1, "no deploy came of it: {runs:?}");
        Ok(())
    }

    /// The plan says what comes; then it comes, and nothing else does.
    async fn fix(&self, history: &History) -> Result<u128> {
        let body = mk_ask(&[&history.fix]);
        let path = format!("/workloads/{}/hotfix-plan", self.stage.name);
        let plan: HotfixPlan = self.stage.hermez.post(&path, &body).await?;
        anyhow::ensure!(
            plan.base.commit == history.base
                && plan.commits.len() == 1
                && plan.commits[0].title == "Mend the notes",
            "{plan:?}"
        );
        anyhow::ensure!(self.branches().await? == ["main"], "a plan pushes nothing");
        let begun = Instant::now();
        let asked = self.post("hotfixes", &body).await?;
        anyhow::ensure!(asked.commit == plan.commit, "as planned: {asked:?}");
        let deploy = self.succeeds(asked.id).await?;
        let took = begun.elapsed().as_millis();
        let hotfix = deploy.hotfix.as_ref().context("what it was made of")?;
        anyhow::ensure!(
            deploy.summary.kind == DeployKind::Hotfix
                && hotfix.commits == [history.fix.clone()]
                && hotfix.base_commit == history.base
                && hotfix.branch == plan.branch,
            "{deploy:#?}"
        );
        self.stage
            .clone
            .git(&["fetch", "--quiet", &self.stage.url, &plan.branch])
            .await?;
        let show = async |path: &str| {
            let object = format!("{}:{path}", plan.commit);
            self.stage.clone.git(&["show", &object]).await
        };
        anyhow::ensure!(show("notes.txt").await? == "mended\n", "the fix came");
        anyhow::ensure!(show("message.txt").await? == "first\n", "nothing else did");
        let parent = format!("{}~1", plan.commit);
        let parent = self.stage.clone.git(&["rev-parse", &parent]).await?;
        anyhow::ensure!(parent.trim() == history.base, "on what ran: {parent}");
        Ok(took)
    }

    /// On a hotfix another can be put. What was rolled back is not made again, and what is to be taken
    /// back in the repository is the commit that it was picked from.
    async fn again(&self, history: &History) -> Result<()> {
        let asked = self.post("hotfixes", &mk_ask(&[&history.feature])).await?;
        let second = self.succeeds(asked.id).await?;
        let hotfix = second.hotfix.as_ref().context("what it was made of")?;
        anyhow::ensure!(hotfix.base_commit != history.base, "{hotfix:?}");
        let there = self.refused("hotfixes", &[&history.feature]).await?;
        anyhow::ensure!(there.status == 409, "it is there already: {there}");

        let path = format!("/workloads/{}/rollback", self.stage.name);
        let back = CreateRollback::default();
        let asked: DeploySummary = self.stage.hermez.post(&path, &back).await?;
        let back = self.succeeds(asked.id).await?;
        anyhow::ensure!(back.summary.commit == hotfix.base_commit, "{back:#?}");

        let marked = self.refused("hotfixes", &[&history.feature]).await?;
        let said = marked.problem.detail.as_deref().unwrap_or_default();
        anyhow::ensure!(
            marked.status == 409 && said.contains("arked as bad"),
            "{marked}"
        );
        let newest = self.history().await?.remove(0);
        anyhow::ensure!(newest.id == back.summary.id, "it was asked for: {newest:?}");

        // The branch has it still, with more in the same line.
        let path = format!("/deploys/{}/revert", back.summary.id);
        let problem = self.stage.post_refused(&path, &json!({}), 409).await?;
        let said = problem.detail.as_deref().unwrap_or_default();
        anyhow::ensure!(
            problem.kind == "urn:hermez:problem:revert-conflict" && said.contains("Half a feature"),
            "{problem:?}"
        );
        Ok(())
    }

    async fn branches(&self) -> Result<Vec<String>> {
        let said = self
            .stage
            .clone
            .git(&["ls-remote", "--heads", &self.stage.url])
            .await?;
        let names = said.lines().filter_map(|line| {
            let (_, name) = line.split_once("refs/heads/")?;
            Some(name.to_owned())
        });
        Ok(names.collect())
    }

    async fn history(&self) -> Result<Vec<DeploySummary>> {
        let path = format!("/workloads/{}/deploys", self.stage.name);
        let page: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
        Ok(page.items)
    }

    async fn post(&self, what: &str, body: &CreateHotfix) -> Result<DeploySummary> {
        let path = format!("/workloads/{}/{what}", self.stage.name);
        self.stage.hermez.post(&path, body).await
    }

    async fn refused(&self, what: &str, commits: &[&str]) -> Result<Refused> {
        match self.post(what, &mk_ask(commits)).await {
            Ok(deploy) => anyhow::bail!("{commits:?} should have been refused: {deploy:?}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn succeeds(&self, id: i64) -> Result<Deploy> {
        let deploy = self.stage.hermez.deploy_ends(id, LIMIT).await?;
        let state = deploy.summary.state;
        anyhow::ensure!(state == DeployState::Succeeded, "{deploy:#?}");
        Ok(deploy)
    }
}

fn mk_ask(commits: &[&str]) -> CreateHotfix {
    CreateHotfix {
        commits: commits.iter().map(|commit| (*commit).to_owned()).collect(),
        branch: None,
        reason: Some("it is broken".to_owned()),
    }
}
