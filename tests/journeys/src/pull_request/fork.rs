//! A pull request from a fork: built, and deployed only when somebody has said so of its commit. One
//! that was pushed without a branch waits in the same way.

use std::process::Stdio;

use anyhow::{Context, Result};
use hermez_api::{AllowPullRequest, BuildState, BuildSummary, Page, PullRequest};
use reqwest::Method;
use serde_json::json;
use url::Url;

use super::{LIMIT, Pull};
use crate::forge::git_command;
use crate::hermez::Refused;
use crate::wait::until;

/// Password of the user who may only read.
const PASSWORD: &str = "may-read-only";

impl Pull {
    /// A fork's pull request is deployed when its newest commit was allowed, and only that.
    pub(super) async fn fork(&self) -> Result<()> {
        let organization = format!("{}-fork", self.name);
        let body = json!({ "username": organization });
        self.forge.call(Method::POST, "/orgs", Some(body)).await?;
        let path = format!("/repos/{}/{}/forks", self.forge.user(), self.name);
        let body = json!({ "organization": organization });
        self.forge.call(Method::POST, &path, Some(body)).await?;
        let base = self.url.replace(
            &format!("/{}/", self.forge.user()),
            &format!("/{organization}/"),
        );
        self.clone
            .git(&["checkout", "--quiet", "-b", "theirs", "main"])
            .await?;
        self.clone.write("message.txt", "theirs\n")?;
        let first = self.clone.commit("Their page").await?;
        let push = ["push", "--quiet", base.as_str(), "HEAD:refs/heads/theirs"];
        self.clone.git(&push).await?;
        let head = format!("{organization}:theirs");
        let number = self
            .forge
            .open_pull(&self.name, &head, "Their page")
            .await?;

        let pull = self.pull(number).await?;
        anyhow::ensure!(
            pull.from_fork && !pull.allowed && pull.preview.is_none(),
            "{pull:?}"
        );
        let refused = self.refused(number, "deploys").await?;
        let hint = refused.problem.hint.clone().unwrap_or_default();
        let line = format!("hermez pr allow {number} --commit {first}");
        anyhow::ensure!(refused.status == 403 && hint.contains(&line), "{refused}");
        // It is built meanwhile, without secrets: there are none in a build.
        let builds = format!("/workloads/{}/builds", self.name);
        until("the fork's commit is built", LIMIT, || async {
            let page: Page<BuildSummary> = self.hermez.get(&builds).await?;
            let mut of_it = page.items.iter().filter(|build| build.commit == first);
            let built = of_it.any(|build| build.state == BuildState::Succeeded);
            Ok(built.then_some(()))
        })
        .await?;
        anyhow::ensure!(self.pull(number).await?.preview.is_none());
        let by_id = self.hermez.deploy(&self.name, &first).await;
        anyhow::ensure!(
            by_id.is_err(),
            "a fork's commit is no revision of the repository"
        );
        self.without_a_branch().await?;

        let unsaid = self.refused(number, "allow").await?;
        anyhow::ensure!(unsaid.status == 422, "which commit was read? {unsaid}");
        let allowed = self.allow(number, &first).await?;
        anyhow::ensure!(
            allowed.allowed_by.as_deref() == Some("owner"),
            "{allowed:?}"
        );
        self.ready(number, Some(&first)).await?;
        let page = self.pull(number).await?.preview.and_then(|it| it.url);
        let page: Url = page.context("a URL")?.parse()?;
        let answer = self.program(&page).await?;
        anyhow::ensure!(answer.text == "theirs\n", "{answer:?}");

        self.clone.write("message.txt", "sneaky\n")?;
        let second = self.clone.commit("Another page").await?;
        self.clone.git(&push).await?;
        until("the fork's push is known", LIMIT, || async {
            let pull = self.pull(number).await?;
            Ok((pull.head == second && !pull.allowed).then_some(()))
        })
        .await?;
        let refused = self.refused(number, "deploys").await?;
        anyhow::ensure!(refused.status == 403, "{refused}");
        let late = self.allow(number, &first).await;
        let late = late.err().context("the first is allowed, too")?;
        let late = late.downcast::<Refused>()?;
        anyhow::ensure!(late.status == 409, "{late}");
        let pull = self.pull(number).await?;
        anyhow::ensure!(!pull.allowed, "nobody has read the second: {pull:?}");
        anyhow::ensure!(self.program(&page).await?.text == "theirs\n");

        // The workload goes, and with it what is left of its pull requests.
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        until("the fork's preview is gone", LIMIT, || async {
            Ok(self.object(number).await?.is_none().then_some(()))
        })
        .await?;
        let nobody = self.refused(number, "deploys").await?;
        anyhow::ensure!(nobody.status == 404, "{nobody}");
        Ok(())
    }

    async fn allow(&self, number: i64, commit: &str) -> Result<PullRequest> {
        let ask = AllowPullRequest {
            commit: commit.to_owned(),
        };
        let path = format!("{}/allow", self.path(number));
        self.hermez.post(&path, &ask).await
    }

    /// Who can only read may push what is checked out to refs/for/main, and the forge says that it comes
    /// from the repository itself: it waits for a word all the same.
    async fn without_a_branch(&self) -> Result<()> {
        let reader = format!("{}-reader", self.name);
        let body = json!({
            "username": reader,
            "email": format!("{reader}@example.com"),
            "password": PASSWORD,
            "must_change_password": false,
        });
        let users = "/admin/users";
        self.forge.call(Method::POST, users, Some(body)).await?;
        let pushed = git_command(&reader, PASSWORD)
            .current_dir(self.clone.path())
            .args(["push", "--quiet", "--push-option", "topic=topic"])
            .args([self.url.as_str(), "HEAD:refs/for/main"])
            .stdin(Stdio::null())
            .output()
            .await?;
        anyhow::ensure!(pushed.status.success(), "{pushed:?}");
        let path = format!("/workloads/{}/pull-requests", self.name);
        let pulls: Page<PullRequest> = self.hermez.get(&path).await?;
        let mut pulls = pulls.items.into_iter();
        let pull = pulls.find(|pull| pull.author == reader);
        let pull = pull.context("the reader's pull request")?;
        anyhow::ensure!(
            pull.from_fork && !pull.allowed && pull.preview.is_none(),
            "{pull:?}"
        );
        let refused = self.refused(pull.number, "deploys").await?;
        anyhow::ensure!(refused.status == 403, "{refused}");
        let pull = self.pull(pull.number).await?;
        anyhow::ensure!(pull.from_fork && pull.preview.is_none(), "{pull:?}");
        Ok(())
    }
}
