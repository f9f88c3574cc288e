//! The forge (Gitea) and a developer's clone, through Gitea's API and git itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_sandbox::status::Status;
use serde_json::{Value, json};

use crate::wait::until;

/// Longest time for the forge to know what was pushed.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// The forge, as its administrator.
#[derive(Clone)]
pub struct Forge {
    base: String,
    user: String,
    token: String,
    http: reqwest::Client,
}

impl Forge {
    /// Reads the forge's address and token from the cluster's status.
    ///
    /// # Errors
    /// When the token file cannot be read.
    pub fn new(status: &Status) -> Result<Self> {
        let token = std::fs::read_to_string(&status.forge_token_file)
            .context("cannot read the forge's token")?;
        Ok(Self {
            base: status.forge.trim_end_matches('/').to_owned(),
            user: status.forge_user.clone(),
            token: token.trim().to_owned(),
            http: reqwest::Client::new(),
        })
    }

    /// The forge's user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's token, which is also their password for git.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// URL of a repository of the user's.
    pub fn repository_url(&self, name: &str) -> String {
        format!("{}/{}/{name}.git", self.base, self.user)
    }

    /// Creates an empty repository.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub async fn create_repository(&self, name: &str, private: bool) -> Result<String> {
        let body = json!({ "name": name, "private": private, "default_branch": "main", "auto_init": false });
        self.call(reqwest::Method::POST, "/user/repos", Some(body))
            .await?;
        Ok(self.repository_url(name))
    }

    /// Deletes a repository.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub async fn delete_repository(&self, name: &str) -> Result<()> {
        self.call(
            reqwest::Method::DELETE,
            &format!("/repos/{}/{name}", self.user),
            None,
        )
        .await?;
        Ok(())
    }

    /// The webhooks of a repository.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub async fn webhooks(&self, name: &str) -> Result<Vec<Value>> {
        let answer = self
            .call(
                reqwest::Method::GET,
                &format!("/repos/{}/{name}/hooks", self.user),
                None,
            )
            .await?;
        Ok(answer.as_array().cloned().unwrap_or_default())
    }

    /// Opens a pull request to `main` from a branch that was just pushed, of a fork where `head` is
    /// `owner:branch`; gives its number.
    ///
    /// # Errors
    /// When Gitea refuses, or does not come to know of the branch.
    pub async fn open_pull(&self, repository: &str, head: &str, title: &str) -> Result<i64> {
        let path = format!("/repos/{}/{repository}", self.user);
        // A branch is known a moment after its push.
        let (owner, branch) = head.split_once(':').unwrap_or((&self.user, head));
        let branch = format!("/repos/{owner}/{repository}/branches/{branch}");
        until("the forge knows the branch", KNOWN_WITHIN, || async {
            let known = self.call(reqwest::Method::GET, &branch, None).await;
            Ok(known.ok())
        })
        .await?;
        let ask = json!({ "head": head, "base": "main", "title": title });
        let pulls = format!("{path}/pulls");
        let made = self.call(reqwest::Method::POST, &pulls, Some(ask)).await?;
        made["number"].as_i64().context("its number")
    }

    /// Calls the forge's API.
    ///
    /// # Errors
    /// When Gitea refuses.
    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self
            .http
            .request(method, &url)
            .header("Authorization", format!("token {}", self.token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

/// A developer's clone of a repository.
pub struct Clone {
    directory: tempfile::TempDir,
    url: String,
    user: String,
    token: String,
}

impl Clone {
    /// An empty clone whose pushes go to `url`.
    ///
    /// # Errors
    /// When git fails.
    pub async fn new(forge: &Forge, url: &str) -> Result<Self> {
        let clone = Self {
            directory: tempfile::tempdir()?,
            url: url.to_owned(),
            user: forge.user.clone(),
            token: forge.token.clone(),
        };
        clone
            .git(&["init", "--quiet", "--initial-branch=main"])
            .await?;
        clone.git(&["config", "user.name", "Ada Lovelace"]).await?;
        clone
            .git(&["config", "user.email", "ada@example.com"])
            .await?;
        Ok(clone)
    }

    /// A clone of a new, public and empty repository, with its name (which begins with `prefix`)
    /// and its URL.
    ///
    /// # Errors
    /// When the forge or git refuses.
    pub async fn of_new(forge: &Forge, prefix: &str) -> Result<(String, String, Self)> {
        let name = crate::sandbox::unique(prefix);
        let url = forge.create_repository(&name, false).await?;
        let clone = Self::new(forge, &url).await?;
        Ok((name, url, clone))
    }

    /// Where its pushes go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The work tree.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of the work tree.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let file = self.path().join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&file, content)?;
        Ok(file)
    }

    /// Commits everything and pushes `main`; returns the commit's id.
    ///
    /// # Errors
    /// When git fails.
    pub async fn commit_and_push(&self, message: &str) -> Result<String> {
        let commit = self.commit(message).await?;
        self.push().await?;
        Ok(commit)
    }

    /// Commits everything; returns the commit's id.
    ///
    /// # Errors
    /// When git fails.
    pub async fn commit(&self, message: &str) -> Result<String> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message])
            .await?;
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Pushes `main`.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push(&self) -> Result<()> {
        self.push_to("main").await
    }

    /// Pushes what is checked out as this branch.
    ///
    /// # Errors
    /// When git fails.
    pub async fn push_to(&self, branch: &str) -> Result<()> {
        let to = format!("HEAD:refs/heads/{branch}");
        self.git(&["push", "--quiet", &self.url, &to]).await?;
        Ok(())
    }

    /// Runs git in the work tree, with the user's credentials in its environment.
    ///
    /// # Errors
    /// When git fails; the error holds what it said.
    pub async fn git(&self, arguments: &[&str]) -> Result<String> {
        let output = git_command(&self.user, &self.token)
            .current_dir(self.path())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await?;
        anyhow::ensure!(
            output.status.success(),
            "git {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// `git` that signs in by a credential helper that reads the environment.
pub fn git_command(user: &str, token: &str) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("JOURNEY_USER", user)
        .env("JOURNEY_TOKEN", token)
        .args(["-c", "credential.helper=!f() { echo username=$JOURNEY_USER; echo password=$JOURNEY_TOKEN; }; f"]);
    command
}
