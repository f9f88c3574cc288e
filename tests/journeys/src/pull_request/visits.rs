//! What a preview answers, who may look at it, and what it is told of whoever looks.

use anyhow::{Context, Result};
use hermez_api::{
    ContainerLogLine, Deploy, DeploySummary, LoginLink, Page, PreviewState, SharedPreview, Workload,
};
use serde_json::json;
use url::Url;

use super::Pull;
use crate::visitor::{Shows, visit};

impl Pull {
    pub(super) async fn check_preview(&self, number: i64, main: &Deploy) -> Result<Url> {
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
        let path = format!("/workloads/{}/log?pull_request={number}", self.name);
        let log: Page<ContainerLogLine> = self.hermez.get(&path).await?;
        anyhow::ensure!(
            !log.items.is_empty()
                && log
                    .items
                    .iter()
                    .all(|line| line.pod.starts_with(&preview.instance)),
            "the log of the preview's pods, and of no other: {log:?}"
        );
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

    /// Nobody looks without showing who they are; a browser is led to its session and back. Gives the
    /// cookie that it comes back with.
    pub(super) async fn check_access(&self, number: i64, page: &Url) -> Result<String> {
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
        Ok(cookie)
    }

    /// Whoever has the link looks, until it is shared no more.
    pub(super) async fn check_share(&self, number: i64, page: &Url) -> Result<()> {
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

    async fn sign_in(&self) -> Result<String> {
        let link: LoginLink = self.hermez.post("/login-links", &json!({})).await?;
        let signed = visit(&link.url.parse()?, Shows::Nothing, true).await?;
        signed.cookie.context("a session")
    }
}
