//! What a rollback left is taken back in the repository, as a pull request in the forge.

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::{Deploy, PodChangeKind, PodVersion, Revert};
use reqwest::Method;
use serde_json::{Value, json};

use super::Back;
use crate::hermez::Refused;

impl Back {
    async fn revert(&self, deploy: i64) -> Result<Revert> {
        let path = format!("/deploys/{deploy}/revert");
        self.stage.hermez.post(&path, &json!({})).await
    }

    async fn revert_refused(&self, deploy: i64) -> Result<Refused> {
        match self.revert(deploy).await {
            Ok(revert) => anyhow::bail!("it should have been refused: {revert:?}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn of_forge(&self, path: &str) -> Result<Vec<Value>> {
        let path = format!(
            "/repos/{}/{}/{path}",
            self.stage.forge.user(),
            self.stage.name
        );
        let answer = self.stage.forge.call(Method::GET, &path, None).await?;
        Ok(answer.as_array().cloned().unwrap_or_default())
    }

    /// The commit that was left is reverted on the branch's newest commit; asked twice it is one pull
    /// request, which stands with the deploy.
    pub(super) async fn propose(&self, rollback: i64, bad: &Deploy) -> Result<u128> {
        let refused = self.revert_refused(bad.summary.id).await?;
        anyhow::ensure!(refused.status == 409, "no rollback: {refused}");
        let begun = Instant::now();
        let revert = self.revert(rollback).await?;
        let took = begun.elapsed().as_millis();
        let [commit] = revert.commits.as_slice() else {
            anyhow::bail!("one commit is taken back: {revert:?}");
        };
        anyhow::ensure!(
            commit.id == bad.summary.commit
                && revert.left_deploy == bad.summary.id
                && revert.base_branch == "main"
                && revert.by == "owner",
            "{revert:?}"
        );
        let again = self.revert(rollback).await?;
        anyhow::ensure!(again == revert, "{again:?} is not {revert:?}");
        let deploy: Deploy = self
            .stage
            .hermez
            .get(&format!("/deploys/{rollback}"))
            .await?;
        anyhow::ensure!(deploy.revert.as_ref() == Some(&revert), "{deploy:#?}");

        let open = self.of_forge("pulls?state=open").await?;
        let [pull] = open.as_slice() else {
            anyhow::bail!("one pull request is open: {open:?}");
        };
        let text = |field: &str| pull[field].as_str().unwrap_or_default();
        anyhow::ensure!(
            pull["number"] == revert.pull_request
                && text("html_url") == revert.url
                && text("title") == "Revert \"Second page\""
                && text("body").contains(&commit.id)
                && text("body").contains("it greets wrongly")
                && pull["mergeable"] == true,
            "{pull:#}"
        );
        self.stage
            .clone
            .git(&["fetch", "--quiet", &self.stage.url, &revert.branch])
            .await?;
        let page = self
            .stage
            .clone
            .git(&["show", "FETCH_HEAD:message.txt"])
            .await?;
        let message = self
            .stage
            .clone
            .git(&["log", "-1", "--format=%B", "FETCH_HEAD"]);
        let message = message.await?;
        anyhow::ensure!(page == "first\n", "{page:?} is not what was brought back");
        anyhow::ensure!(
            message.contains(&format!("This reverts commit {}", commit.id)),
            "{message}"
        );
        Ok(took)
    }

    /// The branch has moved on in the same line: nothing is pushed, and the answer says where. A
    /// branch that an earlier request has pushed, and been killed after, becomes the pull request.
    pub(super) async fn propose_in_conflict(&self, rollback: i64) -> Result<()> {
        let refused = self.revert_refused(rollback).await?;
        let place = refused.problem.places.first().context("a place")?;
        anyhow::ensure!(
            refused.status == 409
                && place.file == "message.txt"
                && place.message.contains("<<<<<<<"),
            "{refused}"
        );
        let branch = format!("revert/{}-deploy-{rollback}", self.stage.name);
        let branches = self.of_forge("branches").await?;
        anyhow::ensure!(
            branches.iter().all(|it| it["name"] != branch.as_str()),
            "nothing was pushed: {branches:?}"
        );
        self.stage
            .clone
            .git(&["checkout", "--quiet", "-b", "by-hand"])
            .await?;
        self.stage.clone.write("message.txt", "first\n")?;
        let commit = self.stage.clone.commit("Taken back by hand").await?;
        let to = format!("HEAD:refs/heads/{branch}");
        self.stage
            .clone
            .git(&["push", "--quiet", &self.stage.url, &to])
            .await?;
        self.stage
            .clone
            .git(&["checkout", "--quiet", "main"])
            .await?;
        let revert = self.revert(rollback).await?;
        anyhow::ensure!(
            revert.commit == commit && revert.branch == branch,
            "{revert:?} is not of {commit}"
        );
        Ok(())
    }
}

/// The timeline tells of the pods: at least `new` ones come (Kubernetes may make one too many and take
/// it back), then `old` ones go.
pub(super) fn check_pods(deploy: &Deploy, new: usize, old: usize) -> Result<()> {
    let told = |version, kinds: &[PodChangeKind]| -> Vec<(i64, &str)> {
        let all = deploy.timeline.iter().filter_map(|event| {
            let pod = event.pod.as_ref()?;
            let fits = pod.version == version && kinds.contains(&pod.change);
            fits.then_some((event.seq, pod.name.as_str()))
        });
        all.collect()
    };
    let scheduled = told(PodVersion::New, &[PodChangeKind::Scheduled]);
    let ready = told(PodVersion::New, &[PodChangeKind::Ready]);
    let mut leaving = told(
        PodVersion::Old,
        &[PodChangeKind::Stopping, PodChangeKind::Gone],
    );
    let last = leaving.last().context("old pods go")?.0;
    leaving.sort_by_key(|(_, name)| (*name).to_owned());
    leaving.dedup_by_key(|(_, name)| *name);
    let timeline = &deploy.timeline;
    anyhow::ensure!(
        scheduled.len() >= new && ready.len() >= new && leaving.len() == old,
        "{new} new pods come and {old} old ones go: {timeline:#?}"
    );
    for (seq, name) in &ready {
        let before = scheduled.iter().find(|(_, other)| other == name);
        anyhow::ensure!(
            before.is_some_and(|(earlier, _)| earlier < seq),
            "{name} is ready before it has a node: {timeline:#?}"
        );
    }
    anyhow::ensure!(
        ready[0].0 < last,
        "old pods go before a new one is ready: {timeline:#?}"
    );
    let took = deploy.stretches.iter().map(|it| it.took_ms);
    anyhow::ensure!(
        took.clone().count() > 2 && took.clone().all(|took| took.is_some()),
        "each stretch has its time: {:?}",
        deploy.stretches
    );
    Ok(())
}
