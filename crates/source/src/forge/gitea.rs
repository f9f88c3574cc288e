//! Gitea's API, as far as webhooks, the size of repositories and pull requests go.

mod pulls;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ForgeConfig, ForgeError};
use crate::RepositoryUrl;
use crate::revision::shorten;

/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Hooks that are looked through for our own: pages of 50.
const MAX_PAGES: u32 = 10;
/// What the forge tells of.
const EVENTS: [&str; 2] = ["push", PULLS];
const PULLS: &str = "pull_request";
const TIMEOUT: Duration = Duration::from_secs(15);

/// A Gitea (or Forgejo) server.
#[derive(Debug, Clone)]
pub struct Gitea {
    config: ForgeConfig,
    http: reqwest::Client,
}

impl Gitea {
    /// Talks to the forge of `config`.
    pub fn new(config: ForgeConfig) -> Result<Self, ForgeError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            // The token goes to the address it was given for, and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ForgeError::Unreachable {
                forge: config.base_url.to_string(),
                reason: innermost(&error),
            })?;
        Ok(Self { config, http })
    }

    /// How large the forge says that a repository is, in bytes: its history, and files that Git LFS
    /// keeps beside it.
    pub async fn size_bytes(&self, repository: &RepositoryUrl) -> Result<u64, ForgeError> {
        let path = self.api(repository)?;
        let answer = self
            .send(repository, Method::GET, &path, None::<&()>)
            .await?;
        let found: FoundRepository =
            serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
        Ok(found.size_kib.saturating_mul(1024))
    }

    /// Makes the forge call `target` on each push and on what becomes of pull requests, signed with
    /// `secret`.
    ///
    /// Idempotent: afterwards there is one webhook for the target. It is always a new one: Gitea
    /// (1.26) says yes to a change of a webhook's secret and keeps the old one. The old goes last, so
    /// that no push falls between.
    pub async fn ensure_webhook(
        &self,
        repository: &RepositoryUrl,
        target: &Url,
        secret: &str,
    ) -> Result<(), ForgeError> {
        let hooks = self.hooks(repository)?;
        let old = self.our_hooks(repository, &hooks, target).await?;
        let wanted = Hook::new(target, secret);
        self.send(repository, Method::POST, &hooks, Some(&wanted))
            .await?;
        self.delete_hooks(repository, &hooks, old).await
    }

    /// Whether a webhook for `target` tells of pull requests as well: those that an earlier Hermez
    /// made tell of pushes alone.
    pub async fn tells_of_pull_requests(
        &self,
        repository: &RepositoryUrl,
        target: &Url,
    ) -> Result<bool, ForgeError> {
        let hooks = self.hooks(repository)?;
        let found = self.found_hooks(repository, &hooks, target).await?;
        Ok(found
            .iter()
            .any(|hook| hook.events.iter().any(|event| event == PULLS)))
    }

    /// Takes the webhook for `target` away; fine if there is none, or no such repository any more.
    pub async fn remove_webhook(
        &self,
        repository: &RepositoryUrl,
        target: &Url,
    ) -> Result<(), ForgeError> {
        let hooks = self.hooks(repository)?;
        let ours = match self.our_hooks(repository, &hooks, target).await {
            Err(ForgeError::NotFound { .. }) => return Ok(()),
            other => other?,
        };
        self.delete_hooks(repository, &hooks, ours).await
    }

    /// Deletes hooks by their ids; fine if they are gone already.
    async fn delete_hooks(
        &self,
        repository: &RepositoryUrl,
        hooks: &str,
        ids: Vec<i64>,
    ) -> Result<(), ForgeError> {
        for id in ids {
            let path = format!("{hooks}/{id}");
            match self
                .send(repository, Method::DELETE, &path, None::<&()>)
                .await
            {
                Ok(_) | Err(ForgeError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Path of a repository's hooks in the API.
    fn hooks(&self, repository: &RepositoryUrl) -> Result<String, ForgeError> {
        Ok(format!("{}/hooks", self.api(repository)?))
    }

    /// Path of a repository in the API.
    fn api(&self, repository: &RepositoryUrl) -> Result<String, ForgeError> {
        let (owner, name) =
            self.config
                .owner_and_name(repository)
                .ok_or_else(|| ForgeError::NotThisForge {
                    url: repository.to_string(),
                    forge: self.forge(),
                })?;
        Ok(format!("api/v1/repos/{owner}/{name}"))
    }

    /// Ids of the hooks that call `target`.
    async fn our_hooks(
        &self,
        repository: &RepositoryUrl,
        hooks: &str,
        target: &Url,
    ) -> Result<Vec<i64>, ForgeError> {
        let found = self.found_hooks(repository, hooks, target).await?;
        Ok(found.into_iter().map(|hook| hook.id).collect())
    }

    /// The hooks that call `target`.
    async fn found_hooks(
        &self,
        repository: &RepositoryUrl,
        hooks: &str,
        target: &Url,
    ) -> Result<Vec<FoundHook>, ForgeError> {
        let mut ours = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!("{hooks}?page={page}&limit=50");
            let answer = self
                .send(repository, Method::GET, &path, None::<&()>)
                .await?;
            let found: Vec<FoundHook> =
                serde_json::from_slice(&answer).map_err(|error| self.unexpected(&error))?;
            let count = found.len();
            ours.extend(
                found
                    .into_iter()
                    .filter(|hook| hook.config.url == target.as_str()),
            );
            if count < 50 {
                break;
            }
        }
        Ok(ours)
    }

    async fn send(
        &self,
        repository: &RepositoryUrl,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Vec<u8>, ForgeError> {
        let unreachable = |reason: String| ForgeError::Unreachable {
            forge: self.forge(),
            reason,
        };
        let token = self
            .config
            .token
            .as_ref()
            .ok_or_else(|| ForgeError::NoToken {
                forge: self.forge(),
            })?;
        let base = self.config.base_url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}/{path}")).map_err(|e| unreachable(e.to_string()))?;
        let mut request = self
            .http
            .request(method, url)
            .header("authorization", authorization(token))
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request
            .send()
            .await
            .map_err(|e| unreachable(innermost(&e)))?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|e| unreachable(innermost(&e)))?
        {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ForgeError::Unexpected {
                    forge: self.forge(),
                    status: status.as_u16(),
                    message: format!("its answer is longer than {MAX_ANSWER_BYTES} bytes"),
                });
            }
            answer.extend_from_slice(&chunk);
        }
        let url = repository.to_string();
        match status {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ForgeError::Forbidden { url }),
            StatusCode::NOT_FOUND => Err(ForgeError::NotFound { url }),
            status => Err(ForgeError::Unexpected {
                forge: self.forge(),
                status: status.as_u16(),
                message: shorten(&String::from_utf8_lossy(&answer)),
            }),
        }
    }

    fn forge(&self) -> String {
        self.config.base_url.to_string()
    }

    /// An answer that should be something else.
    fn unexpected(&self, error: &serde_json::Error) -> ForgeError {
        ForgeError::Unexpected {
            forge: self.forge(),
            status: 200,
            message: error.to_string(),
        }
    }
}

/// The header, marked so that no log shows it.
fn authorization(token: &SecretString) -> reqwest::header::HeaderValue {
    let text = format!("token {}", token.expose_secret().trim());
    let mut value = reqwest::header::HeaderValue::from_str(&text)
        .unwrap_or_else(|_| reqwest::header::HeaderValue::from_static("token unusable"));
    value.set_sensitive(true);
    value
}

/// The innermost cause, which says what the network said, and never a URL.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    shorten(&cause.to_string())
}

#[derive(Serialize)]
struct Hook<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    config: HookConfig<'a>,
    events: [&'static str; 2],
    branch_filter: &'static str,
    active: bool,
}

#[derive(Serialize)]
struct HookConfig<'a> {
    url: &'a str,
    content_type: &'static str,
    secret: &'a str,
}

impl<'a> Hook<'a> {
    fn new(target: &'a Url, secret: &'a str) -> Self {
        Self {
            kind: "gitea",
            config: HookConfig {
                url: target.as_str(),
                content_type: "json",
                secret,
            },
            events: EVENTS,
            branch_filter: "*",
            active: true,
        }
    }
}

#[derive(Deserialize)]
struct FoundRepository {
    #[serde(rename = "size")]
    size_kib: u64,
}

#[derive(Deserialize)]
struct FoundHook {
    id: i64,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    config: FoundConfig,
}

#[derive(Deserialize, Default)]
struct FoundConfig {
    #[serde(default)]
    url: String,
}
