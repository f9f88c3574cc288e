//! Looking back: filters of the history, its pages, and what lies between any two deploys.

use anyhow::{Context, Result};
use hermez_api::{
    ChangedCommit, Deploy, DeployComparison, DeployKind, DeployState, DeploySummary, Page,
};
use serde_json::Value;

use super::Back;
use crate::hermez::Refused;

/// Titles of the commits from the first page to the mended one, newest first.
const TITLES: [&str; 4] = ["Mended page", "Broken page", "Third page", "Second page"];

fn ids(deploys: &[DeploySummary]) -> Vec<i64> {
    deploys.iter().map(|deploy| deploy.id).collect()
}

/// Those of them that fit.
fn kept(all: &[DeploySummary], fits: impl Fn(&DeploySummary) -> bool) -> Vec<i64> {
    let fitting = all.iter().filter(|deploy| fits(deploy));
    fitting.map(|deploy| deploy.id).collect()
}

fn titles(commits: &[ChangedCommit]) -> Vec<&str> {
    commits.iter().map(|commit| commit.title.as_str()).collect()
}

/// From asking to the end.
fn took_ms(deploy: &DeploySummary) -> Option<i64> {
    let finished = deploy.finished_at?.as_millisecond();
    Some(finished - deploy.created_at.as_millisecond())
}

impl Back {
    pub(super) async fn look_back(&self) -> Result<()> {
        let all = self.history("?limit=200").await?;
        self.narrow(&all).await?;
        self.refuse_filters().await?;
        self.turn_pages(&all).await?;
        self.compare_any(&all).await
    }

    /// Each filter keeps what fits, and nothing else.
    async fn narrow(&self, all: &[DeploySummary]) -> Result<()> {
        let newest = all.first().context("a deploy")?;
        let oldest = all.last().context("a deploy")?;
        let middle = all[all.len() / 2].created_at;
        let commit = newest.commit.as_str();
        let of_commit = kept(all, |it| it.commit == commit);
        let cases = [
            (
                "kind=regular".to_owned(),
                kept(all, |it| it.kind == DeployKind::Regular),
            ),
            (
                "kind=rollback".to_owned(),
                kept(all, |it| it.kind == DeployKind::Rollback),
            ),
            (
                "kind=restart".to_owned(),
                kept(all, |it| it.kind == DeployKind::Restart),
            ),
            (
                "state=failed".to_owned(),
                kept(all, |it| it.state == DeployState::Failed),
            ),
            (
                "by=push".to_owned(),
                kept(all, |it| it.requested_by == "push"),
            ),
            (
                "by=owner".to_owned(),
                kept(all, |it| it.requested_by == "owner"),
            ),
            (format!("commit={commit}"), of_commit.clone()),
            (format!("commit={}", commit[..12].to_uppercase()), of_commit),
            (
                format!("since={middle}"),
                kept(all, |it| it.created_at >= middle),
            ),
            (
                format!("until={middle}"),
                kept(all, |it| it.created_at < middle),
            ),
            (
                format!("until={middle}&kind=regular&state=succeeded&by=owner"),
                kept(all, |it| {
                    let fits = (it.kind, it.state) == (DeployKind::Regular, DeployState::Succeeded);
                    fits && it.created_at < middle && it.requested_by == "owner"
                }),
            ),
        ];
        for (query, wanted) in cases {
            anyhow::ensure!(
                !wanted.is_empty() && wanted.len() < all.len(),
                "{query} keeps {wanted:?} of {all:?}"
            );
            let found = ids(&self.history(&format!("?limit=200&{query}")).await?);
            anyhow::ensure!(found == wanted, "{query}: {found:?} is not {wanted:?}");
            let name = &self.stage.name;
            let path = format!("/deploys?workload={name}&limit=200&{query}");
            let page: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
            anyhow::ensure!(ids(&page.items) == wanted, "{path}: {page:?}");
        }
        for query in [
            "kind=hotfix".to_owned(),
            "state=superseded".to_owned(),
            "by=nobody".to_owned(),
            format!("commit={}", "f".repeat(40)),
            format!("until={}", oldest.created_at),
        ] {
            let found = self.history(&format!("?{query}")).await?;
            anyhow::ensure!(found.is_empty(), "{query}: {found:?}");
        }
        Ok(())
    }

    /// What no deploy can ever pass is refused, by its name.
    async fn refuse_filters(&self) -> Result<()> {
        for (query, status, field) in [
            ("state=broken", 400, "state:"),
            ("kind=sideways", 400, "kind:"),
            ("since=yesterday", 400, "since:"),
            ("until=soon", 400, "until:"),
            ("commit=main", 422, "`commit`"),
            (
                "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
                422,
                "`since`",
            ),
            ("limit=0", 400, "`limit`"),
            ("limit=201", 400, "`limit`"),
            ("cursor=elsewhere", 400, "`cursor`"),
        ] {
            let path = format!("/workloads/{}/deploys?{query}", self.stage.name);
            self.unread(&path, status, field).await?;
        }
        Ok(())
    }

    /// Reading this is refused with that status, in these words.
    pub(super) async fn unread(&self, path: &str, status: u16, words: &str) -> Result<()> {
        let answer = self.stage.hermez.get::<Value>(path).await;
        let answer = answer.map_err(anyhow::Error::downcast::<Refused>);
        let Err(Ok(refused)) = &answer else {
            anyhow::bail!("{path} was not refused: {answer:?}");
        };
        let detail = refused.problem.detail.as_deref().unwrap_or_default();
        anyhow::ensure!(
            refused.status == status && detail.contains(words),
            "{path}: not {status} with {words}: {refused}"
        );
        Ok(())
    }

    /// Page by page it is the same history, also of what a filter keeps.
    async fn turn_pages(&self, all: &[DeploySummary]) -> Result<()> {
        let regular = kept(all, |it| it.kind == DeployKind::Regular);
        for (filter, wanted) in [("", ids(all)), ("&kind=regular", regular)] {
            let mut seen: Vec<i64> = Vec::new();
            let mut cursor = String::new();
            loop {
                let name = &self.stage.name;
                let path = format!("/workloads/{name}/deploys?limit=2{filter}{cursor}");
                let page: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
                seen.extend(ids(&page.items));
                anyhow::ensure!(
                    page.items.len() <= 2 && seen.len() <= wanted.len(),
                    "{path}: {seen:?} is more than {wanted:?}"
                );
                let Some(next) = page.next_cursor else {
                    break;
                };
                cursor = format!("&cursor={next}");
            }
            anyhow::ensure!(seen == wanted, "{filter}: {seen:?} is not {wanted:?}");
        }
        Ok(())
    }

    /// Any two can be compared, in either direction: commits, images, manifests, how long they took.
    async fn compare_any(&self, all: &[DeploySummary]) -> Result<()> {
        let [mended, broken, .., back, second, first] = all else {
            anyhow::bail!("{all:?}");
        };
        let change = self.change(first.id, mended.id).await?;
        anyhow::ensure!(
            titles(&change.coming) == TITLES
                && change.coming.iter().all(|it| it.author == "Ada Lovelace")
                && change.leaving.is_empty()
                && !change.more_commits
                && change.missing.is_empty(),
            "{change:#?}"
        );
        let (from, to) = (self.image(first.id).await?, self.image(mended.id).await?);
        let [image] = change.images.as_slice() else {
            anyhow::bail!("one image changes: {change:#?}");
        };
        anyhow::ensure!(
            from != to && image.from.as_ref() == Some(&from) && image.to.as_ref() == Some(&to),
            "{image:?} is not from {from} to {to}"
        );
        let took = (change.from_took_ms, change.to_took_ms);
        anyhow::ensure!(
            took == (took_ms(first), took_ms(mended)) && took.0.is_some() && took.1.is_some(),
            "{change:#?}"
        );
        let turned = self.change(mended.id, first.id).await?;
        anyhow::ensure!(
            turned.leaving == change.coming
                && turned.coming.is_empty()
                && (turned.from_took_ms, turned.to_took_ms) == (took.1, took.0),
            "{turned:#?}"
        );

        let fewer = self.change(second.id, mended.id).await?.manifest_diff;
        anyhow::ensure!(
            fewer.contains("-  replicas: 3") && fewer.contains("+  replicas: 2"),
            "{fewer}"
        );
        let of_failed = self.change(broken.id, mended.id).await?;
        anyhow::ensure!(
            titles(&of_failed.coming) == TITLES[..1]
                && of_failed.from.state == DeployState::Failed
                && of_failed.images.len() == 1,
            "{of_failed:#?}"
        );
        let same = self.change(first.id, back.id).await?;
        anyhow::ensure!(
            same.coming.is_empty()
                && same.leaving.is_empty()
                && same.images.is_empty()
                && same.manifest_diff.is_empty(),
            "the rollback brought exactly the first back: {same:#?}"
        );
        let nowhere = "999999999999";
        let path = format!("/deploys/{}/compare/{nowhere}", first.id);
        self.unread(&path, 404, nowhere).await
    }

    async fn change(&self, from: i64, to: i64) -> Result<DeployComparison> {
        let path = format!("/deploys/{from}/compare/{to}");
        self.stage.hermez.get(&path).await
    }

    /// The image that a deploy brings out, by digest.
    async fn image(&self, deploy: i64) -> Result<String> {
        let deploy: Deploy = self.stage.hermez.get(&format!("/deploys/{deploy}")).await?;
        let image = deploy.images.first().context("an image")?;
        Ok(image.reference.clone())
    }
}
