//! Hermez's API as a client sees it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{
    ArtifactStatus, Build, BuildState, BuildSummary, Commit, CreateBuild, CreateDeploy,
    CreateWorkload, Deploy, DeployState, DeploySummary, Page, Problem, Workload,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wait::until;

/// A client of one Hermez server.
#[derive(Clone)]
pub struct Hermez {
    base: String,
    token: String,
    http: reqwest::Client,
}

/// An open live stream.
pub struct Events {
    response: reqwest::Response,
    /// What came after the last event that was asked for.
    said: Vec<u8>,
}

impl Events {
    /// The data of the next event of that name, whatever comes before it.
    ///
    /// # Errors
    /// When the stream ends without one.
    pub async fn next(&mut self, name: &str) -> Result<serde_json::Value> {
        loop {
            while let Some(end) = self.said.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.said.drain(..end + 2).collect();
                let event = String::from_utf8(event)?;
                let field = |key: &str| event.lines().find_map(|line| line.strip_prefix(key));
                if field("event: ") == Some(name) {
                    return Ok(serde_json::from_str(field("data: ").unwrap_or_default())?);
                }
            }
            let more = self.response.chunk().await?;
            let more = more.with_context(|| format!("the stream ended without `{name}`"))?;
            self.said.extend_from_slice(&more);
        }
    }
}

/// A refusal: the status and the problem that came with it.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status code.
    pub status: u16,
    /// The problem document.
    pub problem: Problem,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}: {}; {}; {:?}",
            self.status,
            self.problem.title,
            self.problem.detail.as_deref().unwrap_or("-"),
            self.problem.hint.as_deref().unwrap_or("-"),
            self.problem.places
        )
    }
}

impl std::error::Error for Refused {}

impl Hermez {
    /// A client that signs in with the token in `token_file`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_token_file(base: &str, token_file: &Path) -> Result<Self> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("cannot read the token file {}", token_file.display()))?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            token: token.trim().to_owned(),
            http: reqwest::Client::builder()
                .timeout(Duration::from_mins(2))
                .build()?,
        })
    }

    /// The same server for somebody else, who signs in with `token`.
    #[must_use]
    pub fn signed_in_with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// GET `path` (below `/api/v1`).
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.answer(self.http.get(self.url(path))).await
    }

    /// POST `body` to `path` (below `/api/v1`).
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T> {
        self.answer(self.http.post(self.url(path)).json(body)).await
    }

    /// POST `body` to `path` (below `/api/v1`) under an `Idempotency-Key`.
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn post_once<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: &str,
    ) -> Result<T> {
        let request = self.http.post(self.url(path)).json(body);
        self.answer(request.header("Idempotency-Key", key)).await
    }

    /// PUT `body` at `path` (below `/api/v1`).
    ///
    /// # Errors
    /// [`Refused`] when Hermez does not answer with success.
    pub async fn put<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T> {
        self.answer(self.http.put(self.url(path)).json(body)).await
    }

    /// PATCH `path` (below `/api/v1`), whatever version there is.
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn patch<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T> {
        let request = self.http.patch(self.url(path)).json(body);
        self.answer(request.header("If-Match", "*")).await
    }

    /// DELETE `path` (below `/api/v1`).
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let response = self
            .http
            .delete(self.url(path))
            .bearer_auth(&self.token)
            .send()
            .await?;
        anyhow::ensure!(
            response.status().is_success(),
            "DELETE {path}: {}",
            response.text().await?
        );
        Ok(())
    }

    /// DELETE `path` (below `/api/v1`) under an `Idempotency-Key`.
    ///
    /// # Errors
    /// [`Refused`] for any status but success.
    pub async fn delete_once(&self, path: &str, key: &str) -> Result<()> {
        let request = self.http.delete(self.url(path));
        let request = request.header("Idempotency-Key", key);
        self.taken(request).await?;
        Ok(())
    }

    /// The status that `path` (from the server's root) answers with, without any credentials.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn anonymous_status(&self, path: &str) -> Result<u16> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await?;
        Ok(response.status().as_u16())
    }

    /// Opens the live stream at `path` (below `/api/v1`).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn stream(&self, path: &str) -> Result<Events> {
        let request = self.http.get(self.url(path)).bearer_auth(&self.token);
        let request = request.header("Accept", "text/event-stream");
        let response = request.send().await?.error_for_status()?;
        Ok(Events {
            response,
            said: Vec::new(),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let (what, body) = self.taken(request).await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{what} with {}", String::from_utf8_lossy(&body)))
    }

    /// What answered, and how, with the body of a success.
    async fn taken(&self, request: reqwest::RequestBuilder) -> Result<(String, Vec<u8>)> {
        let response = request.bearer_auth(&self.token).send().await?;
        let status = response.status();
        let what = format!("{} answered {status}", response.url());
        let body = response.bytes().await?;
        if status.is_success() {
            return Ok((what, body.to_vec()));
        }
        let problem: Problem = serde_json::from_slice(&body).with_context(|| {
            format!(
                "{what} without a problem document: {}",
                String::from_utf8_lossy(&body)
            )
        })?;
        Err(Refused {
            status: status.as_u16(),
            problem,
        }
        .into())
    }

    /// Creates a workload from a repository and a config file.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn create_workload(&self, create: &CreateWorkload) -> Result<Workload> {
        self.post("/workloads", create).await
    }

    /// Asks for the build of `commit`.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn build(&self, workload: &str, commit: &str) -> Result<BuildSummary> {
        let body = CreateBuild {
            commit: commit.to_owned(),
            retry: false,
        };
        self.post(&format!("/workloads/{workload}/builds"), &body)
            .await
    }

    /// Asks for a deploy of `commit`.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn deploy(&self, workload: &str, commit: &str) -> Result<DeploySummary> {
        let body = CreateDeploy {
            commit: Some(commit.to_owned()),
            latest: false,
            branch: None,
            reason: Some("a journey".to_owned()),
            override_bad: None,
        };
        self.post(&format!("/workloads/{workload}/deploys"), &body)
            .await
    }

    /// The commits of the default branch, newest first.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn commits(&self, workload: &str) -> Result<Vec<Commit>> {
        let page: Page<Commit> = self.get(&format!("/workloads/{workload}/commits")).await?;
        Ok(page.items)
    }

    /// Waits until the forge's push of `commit` has arrived, without asking for anything.
    ///
    /// # Errors
    /// When it does not arrive within `limit`.
    pub async fn commit_arrives(
        &self,
        workload: &str,
        commit: &str,
        limit: Duration,
    ) -> Result<Commit> {
        until(&format!("commit {commit} arrives"), limit, || async {
            Ok(self
                .commits(workload)
                .await?
                .into_iter()
                .find(|seen| seen.id == commit))
        })
        .await
    }

    /// Waits until `commit` has its artifact, without asking for a build.
    ///
    /// # Errors
    /// When the build fails or does not end within `limit`.
    pub async fn artifact_available(
        &self,
        workload: &str,
        commit: &str,
        limit: Duration,
    ) -> Result<Commit> {
        until(&format!("artifact of {commit}"), limit, || async {
            let found = self
                .commits(workload)
                .await?
                .into_iter()
                .find(|seen| seen.id == commit);
            if let Some(failed) = found
                .as_ref()
                .filter(|seen| seen.artifact_status == ArtifactStatus::Failed)
            {
                anyhow::bail!("the build of {commit} failed: {:?}", failed.build);
            }
            Ok(found.filter(|seen| seen.artifact_status == ArtifactStatus::Available))
        })
        .await
    }

    /// Waits until a build has ended, however it ends.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub async fn build_ends(&self, id: i64, limit: Duration) -> Result<Build> {
        until(&format!("end of build {id}"), limit, || async {
            let build: Build = self.get(&format!("/builds/{id}")).await?;
            let ended = !matches!(
                build.summary.state,
                BuildState::Queued | BuildState::Running
            );
            Ok(ended.then_some(build))
        })
        .await
    }

    /// Waits until a deploy is in one of `states`, or has ended.
    ///
    /// # Errors
    /// When neither happens within `limit`.
    pub async fn deploy_reaches(
        &self,
        id: i64,
        states: &[DeployState],
        limit: Duration,
    ) -> Result<Deploy> {
        until(
            &format!("deploy {id} in one of {states:?}"),
            limit,
            || async {
                let deploy: Deploy = self.get(&format!("/deploys/{id}")).await?;
                let state = deploy.summary.state;
                Ok((states.contains(&state) || state.is_over()).then_some(deploy))
            },
        )
        .await
    }

    /// Waits until a deploy has ended, however it ends.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub async fn deploy_ends(&self, id: i64, limit: Duration) -> Result<Deploy> {
        self.deploy_reaches(id, &[], limit).await
    }
}

/// Asks for a workload with nothing but its repository and its config file.
pub fn ask(repository: &str, config: &str) -> CreateWorkload {
    CreateWorkload {
        repository: repository.to_owned(),
        config: config.to_owned(),
        branch: None,
        username: None,
        password: None,
        category: None,
    }
}
