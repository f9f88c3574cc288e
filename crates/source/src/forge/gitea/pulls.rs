//! Gitea's API of pull requests: reading them, one comment that is kept up to date, and statuses.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Gitea;
use crate::forge::pulls::line;
use crate::forge::{CommitStatus, ForgeError, NewPullRequest, PullRequest, PullState};
use crate::{CommitId, RepositoryUrl};

/// Pull requests of a page; with the largest texts a page still fits into an answer.
const PAGE: usize = 20;
/// Pages of open pull requests that are read.
const MAX_PAGES: u32 = 5;
/// Pages of comments that are looked through for our own.
const COMMENT_PAGES: u32 = 5;

impl Gitea {
    /// One pull request as it is now.
    ///
    /// # Errors
    /// [`ForgeError::NoPullRequest`] when there is none of that number.
    pub async fn pull_request(
        &self,
        repository: &RepositoryUrl,
        number: i64,
    ) -> Result<PullRequest, ForgeError> {
        if number < 1 {
            let url = repository.to_string();
            return Err(ForgeError::NoPullRequest { url, number });
        }
        let path = format!("{}/pulls/{number}", self.api(repository)?);
        let found = self.send(repository, Method::GET, &path, None::<&()>).await;
        let answer = found.map_err(|error| match error {
            ForgeError::NotFound { url } => ForgeError::NoPullRequest { url, number },
            error => error,
        })?;
        let found: Found =
            serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
        self.read(found)
    }

    /// The open pull requests, the one that changed last first; at most 100.
    pub async fn open_pull_requests(
        &self,
        repository: &RepositoryUrl,
    ) -> Result<Vec<PullRequest>, ForgeError> {
        let base = format!("{}/pulls", self.api(repository)?);
        let mut open = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!("{base}?state=open&sort=recentupdate&page={page}&limit={PAGE}");
            let answer = self
                .send(repository, Method::GET, &path, None::<&()>)
                .await?;
            let found: Vec<Found> =
                serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
            let count = found.len();
            for pull in found {
                open.push(self.read(pull)?);
            }
            if count < PAGE {
                break;
            }
        }
        Ok(open)
    }

    /// Opens a pull request, or gives the open one that goes between the same branches: doing it
    /// twice leaves one.
    pub async fn ensure_pull_request(
        &self,
        repository: &RepositoryUrl,
        new: &NewPullRequest,
    ) -> Result<PullRequest, ForgeError> {
        if let Some(there) = self.find_pull_request(repository, new).await? {
            return Ok(there);
        }
        let path = format!("{}/pulls", self.api(repository)?);
        let body = json!({
            "title": new.title,
            "body": new.body,
            "head": new.head,
            "base": new.base,
        });
        match self
            .send(repository, Method::POST, &path, Some(&body))
            .await
        {
            Ok(answer) => {
                let made: Found =
                    serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
                self.read(made)
            }
            // Somebody else was faster.
            Err(error @ ForgeError::Unexpected { status: 409, .. }) => {
                let there = self.find_pull_request(repository, new).await?;
                there.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_pull_request(
        &self,
        repository: &RepositoryUrl,
        new: &NewPullRequest,
    ) -> Result<Option<PullRequest>, ForgeError> {
        let open = self.open_pull_requests(repository).await?;
        Ok(open.into_iter().find(|pull| {
            !pull.from_fork && pull.head_branch == new.head && pull.base_branch == new.base
        }))
    }

    /// Makes one comment of a pull request say `body`; gives its number. `known` is the number it
    /// had before; without one (or when it is gone) it is looked for by `marker`, which is part of
    /// the body, and made where there is none. Doing it twice leaves one comment.
    pub async fn set_comment(
        &self,
        repository: &RepositoryUrl,
        number: i64,
        known: Option<i64>,
        marker: &str,
        body: &str,
    ) -> Result<i64, ForgeError> {
        let issues = format!("{}/issues", self.api(repository)?);
        let text = json!({ "body": body });
        let known = match known {
            Some(id) => Some(id),
            None => self.find_comment(repository, number, marker).await?,
        };
        if let Some(id) = known {
            let path = format!("{issues}/comments/{id}");
            match self
                .send(repository, Method::PATCH, &path, Some(&text))
                .await
            {
                Ok(_) => return Ok(id),
                // Somebody deleted it.
                Err(ForgeError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let path = format!("{issues}/{number}/comments");
        let answer = self
            .send(repository, Method::POST, &path, Some(&text))
            .await?;
        let made: Comment =
            serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
        Ok(made.id)
    }

    async fn find_comment(
        &self,
        repository: &RepositoryUrl,
        number: i64,
        marker: &str,
    ) -> Result<Option<i64>, ForgeError> {
        let base = format!("{}/issues/{number}/comments", self.api(repository)?);
        // Whoever writes the marker into a comment of theirs keeps their words.
        let me = match self
            .send(repository, Method::GET, "api/v1/user", None::<&()>)
            .await
        {
            Ok(answer) => {
                serde_json::from_slice::<User>(&answer)
                    .map_err(|error| self.unexpected(&error))?
                    .login
            }
            // A token that may not read who it belongs to finds nothing again.
            Err(ForgeError::Forbidden { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_ours = |comment: &&Comment| {
            let by = comment.user.as_ref().map(|user| user.login.as_str());
            by == Some(me.as_str()) && comment.body.contains(marker)
        };
        for page in 1..=COMMENT_PAGES {
            let path = format!("{base}?page={page}&limit={PAGE}");
            let answer = self
                .send(repository, Method::GET, &path, None::<&()>)
                .await?;
            let found: Vec<Comment> =
                serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
            if let Some(ours) = found.iter().find(is_ours) {
                return Ok(Some(ours.id));
            }
            if found.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// Gives a commit a status; the newest of a context counts.
    pub async fn set_status(
        &self,
        repository: &RepositoryUrl,
        commit: &CommitId,
        status: &CommitStatus,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/statuses/{commit}", self.api(repository)?);
        if self.is_said(repository, &path, status).await? {
            return Ok(());
        }
        let body = json!({
            "context": status.context,
            "state": status.state.as_str(),
            "target_url": status.target_url,
            "description": status.description,
        });
        self.send(repository, Method::POST, &path, Some(&body))
            .await
            .map(drop)
    }

    /// Whether a commit's newest status of that name says this already: a forge keeps each that it is
    /// told, and whoever told it may not have lived to note so.
    async fn is_said(
        &self,
        repository: &RepositoryUrl,
        path: &str,
        status: &CommitStatus,
    ) -> Result<bool, ForgeError> {
        let newest = format!("{path}?sort=recentupdate&limit=50");
        let answer = self
            .send(repository, Method::GET, &newest, None::<&()>)
            .await?;
        let said: Vec<Said> =
            serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
        // Those of one second come in any order.
        let newest = said
            .into_iter()
            .filter(|it| it.context == status.context)
            .max_by_key(|it| it.id);
        Ok(newest.is_some_and(|it| {
            it.status == status.state.as_str()
                && it.target_url == status.target_url
                && it.description == status.description
        }))
    }

    fn read(&self, found: Found) -> Result<PullRequest, ForgeError> {
        let head = CommitId::parse(&found.head.sha).map_err(|error| ForgeError::Unexpected {
            forge: self.forge(),
            status: 200,
            message: format!("the head of pull request {}: {error}", found.number),
        })?;
        Ok(PullRequest {
            number: found.number,
            title: line(&found.title),
            author: line(&found.user.map(|user| user.login).unwrap_or_default()),
            state: match (found.merged, found.state.as_str()) {
                (true, _) => PullState::Merged,
                (false, "open") => PullState::Open,
                (false, _) => PullState::Closed,
            },
            head,
            // A fork that is gone has no number, or none that is the base's. What was pushed to
            // refs/for/BRANCH (AGit) has the base's, though whoever can read may push there: of all
            // pull requests, it alone has no label.
            from_fork: found.base.repo_id == 0
                || found.head.repo_id != found.base.repo_id
                || found.head.label.is_empty(),
            head_branch: line(&found.head.reference),
            base_branch: line(&found.base.reference),
            html_url: line(&found.html_url),
        })
    }
}

/// A status of a commit.
#[derive(Deserialize)]
struct Said {
    id: i64,
    context: String,
    status: String,
    target_url: String,
    description: String,
}

#[derive(Deserialize)]
struct Found {
    number: i64,
    #[serde(default)]
    title: String,
    user: Option<User>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    html_url: String,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    login: String,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref", default)]
    reference: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    repo_id: i64,
}

#[derive(Deserialize)]
struct Comment {
    id: i64,
    user: Option<User>,
    #[serde(default)]
    body: String,
}
