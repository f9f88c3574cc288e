//! A pull request gets a preview of its own: by itself and asked for, with a URL, a comment and a
//! status; it follows pushes, sleeps, wakes, is shared, and goes. One from a fork waits for a word.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    BuildState, BuildSummary, CreatePullRequestDeploy, Deploy, DeployState, DeploySummary,
    LoginLink, Page, Preview, PreviewState, PullRequest, SharedPreview, UpdatePreviewSettings,
    UpdateWorkload, Workload,
};
use hermez_kinds::PinterestService;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
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
/// Times that a preview is put to sleep and woken, for the figure.
const WAKES: usize = 5;
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
        self.check_access(number, &page).await?;
        self.check_share(number, &page).await?;
        let push_ms = self.push_again(number, &page).await?;
        self.check_forge(number, &page).await?;
        let wakes = self.sleep_and_wake(number, &page).await?;
        anyhow::ensure!(echo(&page, &self.token, "hello").await? == "hello");
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

    async fn bring_out_main(&self) -> Result<Deploy> {
        let sample = Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        };
        sample.write(&self.clone, "main\n")?;
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
        self.push_topic().await?;
        let begun = Instant::now();
        let number = self.forge_pull(&self.name, "topic").await?;
        self.ready(number, None).await?;
        Ok((number, begun.elapsed().as_millis()))
    }

    async fn check_preview(&self, number: i64, main: &Deploy) -> Result<Url> {
        let pull = self.pull(number).await?;
        let preview = pull.preview.context("a preview")?;
        anyhow::ensure!(
            preview.instance == format!("{}-pr-{number}", self.name)
                && preview.replicas == 1
                && preview.state == PreviewState::Active,
            "{preview:?}"
        );
        let deploy = preview.deploy.context("its deploy")?;
        anyhow::ensure!(
            deploy.pull_request == Some(number) && deploy.requested_by == "push",
            "{deploy:?}"
        );
        // What runs of the workload itself is another matter.
        let workload: Workload = self
            .hermez
            .get(&format!("/workloads/{}", self.name))
            .await?;
        let current = workload.summary.current.context("what runs")?;
        let latest = workload.summary.latest_deploy.context("the newest")?;
        anyhow::ensure!(
            current.id == main.summary.id && latest.id == main.summary.id,
            "{current:?} {latest:?}"
        );
        let history: Page<DeploySummary> = self
            .hermez
            .get(&format!(
                "/workloads/{}/deploys?pull_request={number}",
                self.name
            ))
            .await?;
        anyhow::ensure!(history.items.len() == 1, "{:?}", history.items);
        let own = json!({ "to": deploy.id });
        let path = format!("/workloads/{}/rollback", self.name);
        let refused = self.hermez.post::<_, DeploySummary>(&path, &own).await;
        anyhow::ensure!(refused.is_err(), "a preview is nothing to roll back to");
        // Its commit is no revision of the repository.
        let page = preview.url.context("a URL")?;
        let page: Url = page.parse()?;
        let answer = self.program(&page).await?;
        anyhow::ensure!(
            answer.status == 200 && answer.text == "first\n",
            "{answer:?}"
        );
        anyhow::ensure!(
            answer.cookie.is_none(),
            "it sets no cookie of ours: {answer:?}"
        );
        let headers = self
            .program(&page.join("/headers")?)
            .await?
            .text
            .to_lowercase();
        anyhow::ensure!(
            !headers.contains("authorization")
                && headers.contains("x-forwarded-proto: http")
                && headers.contains(&format!(
                    "x-forwarded-host: {}",
                    page.host_str().unwrap_or("")
                )),
            "{headers}"
        );
        Ok(page)
    }

    /// Nobody looks without showing who they are; a browser is led to its session and back.
    async fn check_access(&self, number: i64, page: &Url) -> Result<()> {
        let nothing = visit(page, Shows::Nothing, false).await?;
        anyhow::ensure!(nothing.status == 401, "{nothing:?}");
        let wrong = visit(page, Shows::Token("hermez_0"), false).await?;
        anyhow::ensure!(wrong.status == 401, "{wrong:?}");
        let led = visit(&page.join("/a?b=c")?, Shows::Nothing, true).await?;
        let door = led.location.context("the way to Hermez")?;
        anyhow::ensure!(
            led.status == 303 && door.starts_with(&self.server) && door.contains("/previews/open?"),
            "{door}"
        );
        let door: Url = door.parse()?;
        let again = visit(&door, Shows::Nothing, true).await?;
        anyhow::ensure!(
            again.status == 200 && again.text.contains("again=true"),
            "{again:?}"
        );
        let session = self.sign_in().await?;
        let back = visit(&door, Shows::Cookie(&session), true).await?;
        let ticket: Url = back.location.context("the way back")?.parse()?;
        let entered = visit(&ticket, Shows::Nothing, true).await?;
        anyhow::ensure!(
            entered.status == 303 && entered.location.as_deref() == Some("/a?b=c"),
            "{entered:?}"
        );
        let cookie = entered.cookie.context("a cookie")?;
        let inside = visit(page, Shows::Cookie(&cookie), true).await?;
        anyhow::ensure!(inside.status == 200, "{inside:?}");
        let spent = visit(&ticket, Shows::Nothing, true).await?;
        anyhow::ensure!(spent.status == 403, "a ticket works once: {spent:?}");
        let headers = visit(&page.join("/headers")?, Shows::Cookie(&cookie), false).await?;
        anyhow::ensure!(!headers.text.contains("hermez_preview"), "{headers:?}");
        let mut other = page.clone();
        let host = page.host_str().context("a host")?;
        let (_, base) = host.split_once('.').context("a base")?;
        other.set_host(Some(&format!("nothing-pr-{number}.{base}")))?;
        let elsewhere = visit(&other, Shows::Token(&self.token), false).await?;
        anyhow::ensure!(elsewhere.status == 404, "{elsewhere:?}");
        let hidden = visit(&other, Shows::Nothing, false).await?;
        anyhow::ensure!(hidden.status == 401, "{hidden:?}");
        Ok(())
    }

    /// Whoever has the link looks, until it is shared no more.
    async fn check_share(&self, number: i64, page: &Url) -> Result<()> {
        let shared: SharedPreview = self.post(number, "share").await?;
        let link: Url = shared.url.parse()?;
        let entered = visit(&link, Shows::Nothing, true).await?;
        let cookie = entered.cookie.context("a cookie")?;
        let inside = visit(page, Shows::Cookie(&cookie), true).await?;
        anyhow::ensure!(inside.status == 200, "{inside:?}");
        let path = format!("{}/share", self.path(number));
        self.hermez.delete(&path).await?;
        let outside = visit(page, Shows::Cookie(&cookie), false).await?;
        anyhow::ensure!(outside.status == 401, "{outside:?}");
        let over = visit(&link, Shows::Nothing, true).await?;
        anyhow::ensure!(over.status == 403, "{over:?}");
        Ok(())
    }

    async fn push_again(&self, number: i64, page: &Url) -> Result<u128> {
        self.clone.write("message.txt", "second\n")?;
        let second = self.clone.commit("Second page").await?;
        let begun = Instant::now();
        self.push_topic().await?;
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

    /// A browser whose preview does not wake within a moment gets a page that looks again, until it is
    /// the preview's own.
    async fn wait_on_a_page(&self, number: i64, page: &Url) -> Result<()> {
        self.put_to_sleep(number).await?;
        // Most wake so soon that nobody sees the page: this one cannot, for now.
        self.let_no_pod_start().await?;
        let waits = visit(page, Shows::Token(&self.token), true).await?;
        let words = [
            "<h1>The preview is starting</h1>",
            "It slept, and wakes now.",
            "http-equiv=\"refresh\"",
        ];
        anyhow::ensure!(
            waits.status == 503 && words.iter().all(|it| waits.text.contains(it)),
            "{waits:?}"
        );
        let preview = self.pull(number).await?.preview.context("a preview")?;
        anyhow::ensure!(preview.state == PreviewState::Waking, "{preview:?}");
        self.quotas()
            .delete("full", &DeleteParams::default())
            .await?;
        let answer = until("the waiting page becomes the page", LIMIT, || async {
            let answer = visit(page, Shows::Token(&self.token), true).await?;
            Ok((answer.status != 503).then_some(answer))
        })
        .await?;
        anyhow::ensure!(
            answer.status == 200 && answer.text == "second\n",
            "{answer:?}"
        );
        Ok(())
    }

    fn quotas(&self) -> Api<ResourceQuota> {
        Api::namespaced(self.kube.clone(), &self.name)
    }

    /// No further pod fits into the namespace.
    async fn let_no_pod_start(&self) -> Result<()> {
        let quota = json!({
            "metadata": { "name": "full" },
            "spec": { "hard": { "pods": "0" } },
        });
        let quota: ResourceQuota = serde_json::from_value(quota)?;
        self.quotas().create(&PostParams::default(), &quota).await?;
        until("the quota counts", LIMIT, || async {
            let found = self.quotas().get("full").await?;
            let used = found.status.and_then(|it| it.used).unwrap_or_default();
            Ok(used.contains_key("pods").then_some(()))
        })
        .await
    }

    /// Asleep it has no pods; a visit wakes it, with a page to wait on, or by being held.
    async fn sleep_and_wake(&self, number: i64, page: &Url) -> Result<Vec<u128>> {
        self.wait_on_a_page(number, page).await?;
        let mut wakes = Vec::new();
        for _ in 0..WAKES {
            self.put_to_sleep(number).await?;
            let begun = Instant::now();
            let answer = self.program(page).await?;
            anyhow::ensure!(
                answer.status == 200,
                "it is held until it is awake: {answer:?}"
            );
            wakes.push(begun.elapsed().as_millis());
        }
        let awake = until("it is awake", LIMIT, || async {
            let preview = self.pull(number).await?.preview.context("a preview")?;
            Ok((preview.state == PreviewState::Active).then_some(preview))
        })
        .await?;
        anyhow::ensure!(awake.last_wake_ms.is_some(), "{awake:?}");
        let _: Preview = self.post(number, "wake").await?;
        wakes.sort_unstable();
        Ok(wakes)
    }

    async fn put_to_sleep(&self, number: i64) -> Result<()> {
        let asleep: Preview = self.post(number, "sleep").await?;
        anyhow::ensure!(asleep.state == PreviewState::Sleeping, "{asleep:?}");
        until("it has no pods", LIMIT, || async {
            let found = self.object(number).await?.context("its object")?;
            let status = found.status.unwrap_or_default();
            Ok((found.spec.replicas == 0 && status.replicas == 0).then_some(()))
        })
        .await
    }

    /// Nobody comes for a minute.
    async fn sleeps_by_itself(&self, number: i64) -> Result<()> {
        self.set(UpdatePreviewSettings {
            idle_minutes: Some(1),
            ..UpdatePreviewSettings::default()
        })
        .await?;
        until("it sleeps by itself", Duration::from_mins(2), || async {
            let preview = self.pull(number).await?.preview.context("a preview")?;
            Ok((preview.state == PreviewState::Sleeping).then_some(()))
        })
        .await?;
        self.set(UpdatePreviewSettings {
            idle_minutes: Some(30),
            ..UpdatePreviewSettings::default()
        })
        .await?;
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

    /// A fork's pull request is deployed when its newest commit was allowed, and only that.
    async fn fork(&self) -> Result<()> {
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
        let number = self
            .forge_pull(&self.name, &format!("{organization}:theirs"))
            .await?;

        let pull = self.pull(number).await?;
        anyhow::ensure!(
            pull.from_fork && !pull.allowed && pull.preview.is_none(),
            "{pull:?}"
        );
        let refused = self.refused(number, "deploys").await?;
        let hint = refused.problem.hint.clone().unwrap_or_default();
        anyhow::ensure!(
            refused.status == 403 && hint.contains("pr allow"),
            "{refused}"
        );
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

        let allowed: PullRequest = self.post(number, "allow").await?;
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

    async fn sign_in(&self) -> Result<String> {
        let link: LoginLink = self.hermez.post("/login-links", &json!({})).await?;
        let signed = visit(&link.url.parse()?, Shows::Nothing, true).await?;
        signed.cookie.context("a session")
    }

    async fn push_topic(&self) -> Result<()> {
        let push = [
            "push",
            "--quiet",
            self.url.as_str(),
            "HEAD:refs/heads/topic",
        ];
        self.clone.git(&push).await.map(drop)
    }

    async fn forge_pull(&self, name: &str, head: &str) -> Result<i64> {
        let path = format!("/repos/{}/{name}/pulls", self.forge.user());
        let body = json!({ "head": head, "base": "main", "title": format!("Change {head}") });
        let made = self.forge.call(Method::POST, &path, Some(body)).await?;
        made["number"].as_i64().context("its number")
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
