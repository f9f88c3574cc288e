//! A pull request gets a preview of its own: by itself and asked for, with a URL, a comment and a
//! status; it follows pushes, sleeps, wakes, is shared, and goes. One from a fork waits for a word.

mod fork;
mod sleep;
pub mod unused;
mod visits;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    CreatePullRequestDeploy, Deploy, DeployState, DeploySummary, PullRequest,
    UpdatePreviewSettings, UpdateWorkload, Workload,
};
use hermez_kinds::PinterestService;
use kube::Api;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::visitor::{Answer, Shows, echo, visit};
use crate::wait::until;

/// Longest time for a build or a rollout of the sample.
const LIMIT: Duration = Duration::from_mins(5);
/// The program of the preview.
const PROGRAM: &str = include_str!("../fixtures/preview.pl");

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
    let token = std::fs::read_to_string(&sandbox.status.token_file)?;
    let (name, url, clone) = Clone::of_new(&forge, "pull").await?;
    let pull = Pull {
        server: sandbox.status.server.trim_end_matches('/').to_owned(),
        token: token.trim().to_owned(),
        kube: sandbox.kube().await?,
        hermez,
        forge,
        clone,
        name,
        url,
    };
    let figures = pull.travel().await;
    pull.clean_up().await?;
    figures
}

struct Pull {
    server: String,
    token: String,
    kube: kube::Client,
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    name: String,
    url: String,
}

impl Pull {
    async fn travel(&self) -> Result<Value> {
        let main = self.bring_out_main().await?;
        let (number, first_ms) = self.open_pull_request().await?;
        let page = self.check_preview(number, &main).await?;
        let cookie = self.check_access(number, &page).await?;
        self.check_share(number, &page).await?;
        self.push_in_the_same_second(number, &page).await?;
        let push_ms = self.push_again(number, &page).await?;
        self.check_forge(number, &page).await?;
        let sockets = [Shows::Token(&self.token), Shows::Cookie(&cookie)];
        for shows in sockets {
            anyhow::ensure!(echo(&page, shows, "hello").await? == "hello");
        }
        let wakes = self.sleep_and_wake(number, &page, &cookie).await?;
        self.listens_late(number, &page).await?;
        self.sleeps_by_itself(number).await?;
        self.ask_for_it(number, &main).await?;
        let gone_ms = self.close(number, &page).await?;
        self.fork().await?;
        Ok(json!({
            "journey": "pull-request",
            "opened_to_ready_ms": first_ms,
            "push_to_answer_ms": push_ms,
            "wake_ms": wakes,
            "wake_p50_ms": wakes[wakes.len() / 2],
            "closed_to_gone_ms": gone_ms,
        }))
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        }
    }

    async fn bring_out_main(&self) -> Result<Deploy> {
        self.sample().write(&self.clone, "main\n")?;
        self.clone.write("server.pl", PROGRAM)?;
        let commit = self.clone.commit_and_push("Main page").await?;
        self.hermez
            .create_workload(&ask(&self.url, "service.yaml"))
            .await?;
        let asked = self.hermez.deploy(&self.name, &commit).await?;
        let deploy = self.succeeds(asked.id).await?;
        let unknown = self.refused(9_999, "deploys").await?;
        anyhow::ensure!(unknown.status == 404, "{unknown}");
        let negative = self.refused(-1, "deploys").await?;
        anyhow::ensure!(negative.status == 404, "{negative}");
        self.set(UpdatePreviewSettings {
            auto: Some(true),
            ..UpdatePreviewSettings::default()
        })
        .await?;
        Ok(deploy)
    }

    /// Opened, it is deployed by itself.
    async fn open_pull_request(&self) -> Result<(i64, u128)> {
        self.clone
            .git(&["checkout", "--quiet", "-b", "topic"])
            .await?;
        self.clone.write("message.txt", "first\n")?;
        self.clone.commit("First page").await?;
        self.clone.push_to("topic").await?;
        let begun = Instant::now();
        let number = self
            .forge
            .open_pull(&self.name, "topic", "Another page")
            .await?;
        self.ready(number, None).await?;
        Ok((number, begun.elapsed().as_millis()))
    }

    /// A commit of the same second, with a file of the same size: a builder may take it for the one
    /// before.
    async fn push_in_the_same_second(&self, number: i64, page: &Url) -> Result<()> {
        let git = async |words: &[&str]| self.clone.git(words).await;
        let date = git(&["log", "-1", "--format=%cI"]).await?;
        self.clone.write("message.txt", "other\n")?;
        self.clone.commit("Other page").await?;
        git(&[
            "commit",
            "--quiet",
            "--amend",
            "--no-edit",
            "--date",
            date.trim(),
        ])
        .await?;
        let as_dated = [
            "rebase",
            "--quiet",
            "--committer-date-is-author-date",
            "HEAD~1",
        ];
        git(&as_dated).await?;
        let dates = git(&["log", "-2", "--format=%ct"]).await?;
        let same = dates
            .lines()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            == 1;
        anyhow::ensure!(same, "{dates}");
        let head = git(&["rev-parse", "HEAD"]).await?;
        self.clone.push_to("topic").await?;
        self.ready(number, Some(head.trim())).await?;
        until("the preview has that commit's file", LIMIT, || async {
            let answer = self.program(page).await?;
            Ok((answer.text == "other\n").then_some(()))
        })
        .await
    }

    async fn push_again(&self, number: i64, page: &Url) -> Result<u128> {
        self.clone.write("message.txt", "second\n")?;
        let second = self.clone.commit("Second page").await?;
        let begun = Instant::now();
        self.clone.push_to("topic").await?;
        until("the preview follows the push", LIMIT, || async {
            let answer = self.program(page).await?;
            Ok((answer.text == "second\n").then_some(()))
        })
        .await?;
        let took = begun.elapsed().as_millis();
        self.ready(number, Some(&second)).await?;
        Ok(took)
    }

    /// One comment and one status, both with the way to the preview.
    async fn check_forge(&self, number: i64, page: &Url) -> Result<()> {
        let head = self.pull(number).await?.head;
        let context = format!("hermez/preview/{}", self.name);
        let status = until("the commit's status is there", LIMIT, || async {
            let path = format!("/repos/{}/{}/statuses/{head}", self.forge.user(), self.name);
            let all = self.forge.call(Method::GET, &path, None).await?;
            let all = all.as_array().cloned().unwrap_or_default();
            Ok(all
                .into_iter()
                .find(|it| it["context"] == context.as_str() && it["status"] == "success"))
        })
        .await?;
        anyhow::ensure!(status["target_url"] == page.as_str(), "{status}");
        let comments = self.comments(number).await?;
        anyhow::ensure!(comments.len() == 1, "{comments:?}");
        anyhow::ensure!(
            comments[0].contains(page.as_str()) && comments[0].contains(&head[..7]),
            "{comments:?}"
        );
        Ok(())
    }

    /// Asked for, it is deployed again, awake, with as many pods as asked.
    async fn ask_for_it(&self, number: i64, main: &Deploy) -> Result<()> {
        let many = CreatePullRequestDeploy {
            replicas: Some(10_000_000),
            ..CreatePullRequestDeploy::default()
        };
        let path = format!("{}/deploys", self.path(number));
        let refused = self.hermez.post::<_, DeploySummary>(&path, &many).await;
        anyhow::ensure!(refused.is_err(), "ten million pods are refused");
        let two = CreatePullRequestDeploy {
            replicas: Some(2),
            reason: Some("to look at it".to_owned()),
            override_bad: None,
        };
        let asked: DeploySummary = self.hermez.post(&path, &two).await?;
        anyhow::ensure!(asked.requested_by == "owner", "{asked:?}");
        let deploy = self.succeeds(asked.id).await?;
        anyhow::ensure!(deploy.build_id.is_none(), "it was built: {deploy:?}");
        let found = self.object(number).await?.context("its object")?;
        anyhow::ensure!(found.spec.replicas == 2 && found.spec.loadbalancer.is_none());
        // A commit that only a pull request has is no revision: not even by its id.
        let commit = self.hermez.deploy(&self.name, &deploy.summary.commit).await;
        anyhow::ensure!(
            commit.is_ok(),
            "a branch of the repository itself may be deployed: {commit:?}"
        );
        let back = self.succeeds(commit?.id).await?;
        anyhow::ensure!(back.summary.pull_request.is_none() && back.summary.id > main.summary.id);
        Ok(())
    }

    /// Closed, it is gone: object, address, and what the comment says.
    async fn close(&self, number: i64, page: &Url) -> Result<u128> {
        let begun = Instant::now();
        let path = format!("/repos/{}/{}/pulls/{number}", self.forge.user(), self.name);
        let body = json!({ "state": "closed" });
        self.forge.call(Method::PATCH, &path, Some(body)).await?;
        until("its object is gone", LIMIT, || async {
            Ok(self.object(number).await?.is_none().then_some(()))
        })
        .await?;
        let took = begun.elapsed().as_millis();
        until("its comment says so", LIMIT, || async {
            let comments = self.comments(number).await?;
            anyhow::ensure!(comments.len() == 1, "{comments:?}");
            let said = comments[0].contains("the pull request was closed");
            Ok((said && !comments[0].contains(page.as_str())).then_some(()))
        })
        .await?;
        let gone = self.program(page).await?;
        anyhow::ensure!(gone.status == 404, "{gone:?}");
        let closed = self.refused(number, "deploys").await?;
        anyhow::ensure!(closed.status == 409, "{closed}");
        Ok(took)
    }

    async fn comments(&self, number: i64) -> Result<Vec<String>> {
        let user = self.forge.user();
        let path = format!("/repos/{user}/{}/issues/{number}/comments", self.name);
        let all = self.forge.call(Method::GET, &path, None).await?;
        let all = all.as_array().cloned().unwrap_or_default();
        let bodies = all.iter().filter_map(|comment| comment["body"].as_str());
        let marker = format!("hermez preview {}", self.name);
        Ok(bodies
            .filter(|body| body.contains(&marker))
            .map(str::to_owned)
            .collect())
    }

    fn path(&self, number: i64) -> String {
        format!("/workloads/{}/pull-requests/{number}", self.name)
    }

    async fn pull(&self, number: i64) -> Result<PullRequest> {
        self.hermez.get(&self.path(number)).await
    }

    async fn post<T: serde::de::DeserializeOwned>(&self, number: i64, verb: &str) -> Result<T> {
        let path = format!("{}/{verb}", self.path(number));
        self.hermez.post(&path, &json!({})).await
    }

    async fn refused(&self, number: i64, verb: &str) -> Result<Refused> {
        match self.post::<Value>(number, verb).await {
            Ok(answer) => anyhow::bail!("{verb} should have been refused: {answer}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn set(&self, previews: UpdatePreviewSettings) -> Result<Workload> {
        let body = UpdateWorkload {
            previews: Some(previews),
            ..UpdateWorkload::default()
        };
        let path = format!("/workloads/{}", self.name);
        self.hermez.patch(&path, &body).await
    }

    /// Waits until the newest deploy of a pull request (of that commit) has succeeded.
    async fn ready(&self, number: i64, commit: Option<&str>) -> Result<()> {
        until("the preview is ready", LIMIT, || async {
            let preview = self.pull(number).await?.preview;
            let deploy = preview.and_then(|preview| preview.deploy);
            let deploy = deploy.filter(|it| commit.is_none_or(|commit| it.commit == commit));
            if let Some(failed) = deploy.as_ref().filter(|it| it.state == DeployState::Failed) {
                anyhow::bail!("its deploy failed: {failed:?}");
            }
            Ok(deploy
                .filter(|deploy| deploy.state == DeployState::Succeeded)
                .map(drop))
        })
        .await
    }

    async fn succeeds(&self, id: i64) -> Result<Deploy> {
        let deploy = self.hermez.deploy_ends(id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        Ok(deploy)
    }

    /// What a program with a token is answered.
    async fn program(&self, page: &Url) -> Result<Answer> {
        visit(page, Shows::Token(&self.token), false).await
    }

    /// The preview's own resource.
    async fn object(&self, number: i64) -> Result<Option<PinterestService>> {
        let api: Api<PinterestService> = Api::namespaced(self.kube.clone(), &self.name);
        Ok(api.get_opt(&format!("{}-pr-{number}", self.name)).await?)
    }

    async fn clean_up(&self) -> Result<()> {
        let path = format!("/workloads/{}", self.name);
        if self.hermez.get::<Workload>(&path).await.is_ok() {
            self.hermez.delete(&path).await?;
        }
        let organization = format!("{}-fork", self.name);
        for path in [
            format!("/repos/{organization}/{}", self.name),
            format!("/orgs/{organization}"),
            format!("/admin/users/{}-reader?purge=true", self.name),
        ] {
            // Not there where the journey broke off before.
            let _ = self.forge.call(Method::DELETE, &path, None).await;
        }
        self.forge.delete_repository(&self.name).await?;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.kube.clone());
        let delete = kube::api::DeleteParams::default();
        namespaces.delete(&self.name, &delete).await?;
        Ok(())
    }
}
