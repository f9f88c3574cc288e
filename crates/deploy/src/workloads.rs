//! Workloads as a whole: created from a repository and a config file, fetched, deleted.

use std::sync::PoisonError;
use std::time::Duration;

use hermez_api::{CreateWorkload, WebhookState, WorkloadPlan};
use hermez_source::forge::Gitea;
use hermez_source::{CommitId, Credential, RepositoryUrl, SourceError};
use hermez_store::{
    BuildRecord, DeployFilter, Engine, NewBuild, NewRepository, NewWorkload, PageRequest,
    PushRecord, RepositoryRecord, StoreError, Together, WorkloadRecord, WorkloadRow,
};
use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use hermez_cluster::WorkloadKey;
use hermez_kinds::Kind;

use crate::requests::{AutoDeploy, PUSH};
use crate::{Road, RoadError};

/// How long a first fetch may take before the forge is asked for the repository's size.
const FORGE_ASKED_AFTER: Duration = Duration::from_secs(45);

impl Road {
    /// Reads the repository and the config file. Leaves nothing behind when it fails.
    pub async fn plan(&self, ask: &CreateWorkload) -> Result<WorkloadPlan, RoadError> {
        let _alone = self
            .alone_on(&RepositoryUrl::parse(ask.repository.trim())?)
            .await;
        Ok(self.inspect(ask).await?.plan)
    }

    /// Plans and creates the workload, installs the webhook where the forge is known, and asks for
    /// the build of the branch's newest commit. Leaves nothing behind when it fails. `answer` is what
    /// the key is answered under which it was asked for, should this process not live to say more.
    pub async fn create_workload<A: Serialize>(
        &self,
        ask: &CreateWorkload,
        by: &str,
        answer: impl FnOnce(&WorkloadRow) -> A + Send,
    ) -> Result<WorkloadRecord, RoadError> {
        let alone = self
            .alone_on(&RepositoryUrl::parse(ask.repository.trim())?)
            .await;
        let inspected = self.inspect(ask).await?;
        let (store, url, plan) = (&self.parts().store, &inspected.url, &inspected.plan);
        if store.workload(&plan.name).await?.is_some() {
            return Err(StoreError::AlreadyExists {
                what: "workload",
                key: plan.name.clone(),
            }
            .into());
        }
        if store.preview_of_instance(&plan.name).await?.is_some() {
            return Err(RoadError::NotNow {
                message: format!("a pull request's preview is called `{}`", plan.name),
                hint: "change metadata.name in the config file, or remove the preview: hermez pr remove"
                    .to_owned(),
            });
        }
        let sealed = match &inspected.credential {
            Some(credential) if inspected.credential_is_new => Some(self.seal(url, credential)?),
            _ => None,
        };
        let now = Timestamp::now();
        let repository = NewRepository {
            identity: url.identity(),
            url: url.to_string(),
            sealed_credential: sealed,
            default_branch: Some(inspected.default_branch.clone()),
        };
        let repository = store.upsert_repository(&repository, now).await?;
        let workload = NewWorkload {
            name: plan.name.clone(),
            kind: plan.workload_type.clone(),
            category: plan.category,
            project: plan.project.clone(),
            namespace: plan.namespace.clone(),
            repository_id: repository.id,
            config_path: plan.config.clone(),
            created_by: by.to_owned(),
        };
        let answer = |workload: &WorkloadRecord| {
            answer(&WorkloadRow {
                workload: workload.clone(),
                repository: repository.clone(),
                current: None,
                latest: None,
                bad: None,
            })
        };
        let created = store.create_answered_workload(&workload, now, answer);
        let workload = match created.await {
            Ok(workload) => workload,
            Err(error) => {
                store.delete_repository_if_unused(repository.id).await?;
                return Err(error.into());
            }
        };
        store
            .repository_fetched(repository.id, Some(&inspected.default_branch), now)
            .await?;
        self.note_mirrored(repository.id, now);
        drop(alone);
        self.install_webhook(&repository, url).await?;
        self.ask_for_build(&workload, url, &inspected.commit, by, false)
            .await?;
        Ok(workload)
    }

    /// Installs the repository's webhook, and notes whether that worked and why not.
    pub(crate) async fn install_webhook(
        &self,
        repository: &RepositoryRecord,
        url: &RepositoryUrl,
    ) -> Result<(), RoadError> {
        let result = match self.forge_of(url) {
            None => Err("no forge is configured for this repository (--forge)".to_owned()),
            Some(Err(reason)) => Err(reason),
            Some(Ok(gitea)) => {
                let secret = self.parts().gate.key().webhook_secret(repository.id);
                let target = self.webhook_target(repository.id);
                gitea
                    .ensure_webhook(url, &target, secret.expose())
                    .await
                    .map_err(|error| error.to_string())
            }
        };
        let store = &self.parts().store;
        match result {
            Ok(()) => {
                store
                    .set_webhook(repository.id, WebhookState::Installed, None)
                    .await?;
            }
            Err(reason) => {
                tracing::info!(repository = %url, reason, "the webhook is not installed");
                store
                    .set_webhook(repository.id, WebhookState::Missing, Some(&reason))
                    .await?;
            }
        }
        Ok(())
    }

    pub(crate) fn forge_of(&self, url: &RepositoryUrl) -> Option<Result<Gitea, String>> {
        let config = self
            .parts()
            .forges
            .iter()
            .find(|forge| forge.matches(url))?;
        Some(Gitea::new(config.clone()).map_err(|error| error.to_string()))
    }

    /// Fetches a repository for the first time.
    ///
    /// A history that is too large is mostly found out while it arrives; but its forge may have to
    /// pack it for minutes before that. Where nothing has come of it for a while, the forge's own word
    /// for its size is taken. (Only then: it counts files that are not fetched.)
    pub(crate) async fn first_sync(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
    ) -> Result<(), RoadError> {
        let mirrors = &self.parts().mirrors;
        let said_too_large = async {
            tokio::time::sleep(FORGE_ASKED_AFTER).await;
            if let Some(Ok(gitea)) = self.forge_of(url)
                && let Ok(bytes) = gitea.size_bytes(url).await
                && let Some(refusal) = mirrors.refusal_of_size(url, bytes)
            {
                return refusal;
            }
            std::future::pending().await
        };
        tokio::select! {
            fetched = mirrors.sync(url, credential) => Ok(fetched.map(drop)?),
            refusal = said_too_large => Err(refusal.into()),
        }
    }

    pub(crate) fn webhook_target(&self, repository_id: i64) -> Url {
        let mut target = self.parts().public_url.clone();
        let base = target.path().trim_end_matches('/').to_owned();
        target.set_path(&format!("{base}/api/v1/webhooks/{repository_id}"));
        target
    }

    /// Deletes the workload's objects from the cluster, and marks it as deleted; its history stays.
    /// The webhook goes with the repository's last workload.
    pub async fn delete_workload(
        &self,
        name: &str,
        version: Option<i64>,
        by: &str,
    ) -> Result<WorkloadRecord, RoadError> {
        let store = &self.parts().store;
        let workload = self.workload(name).await?;
        if let Some(expected) = version.filter(|expected| *expected != workload.version) {
            let key = name.to_owned();
            tracing::debug!(
                expected,
                current = workload.version,
                "another version of the workload was meant"
            );
            return Err(StoreError::VersionMismatch {
                what: "workload",
                key,
                current: workload.version,
            }
            .into());
        }
        let deployed = DeployFilter {
            workload_id: Some(workload.id),
            ..DeployFilter::default()
        };
        let ever_deployed = !store
            .deploys(&deployed, &PageRequest::default())
            .await?
            .items
            .is_empty();
        if ever_deployed {
            self.delete_from_cluster(&workload).await?;
        }
        let deleted = store
            .delete_workload(name, version, by, Timestamp::now())
            .await?;
        if ever_deployed {
            // A deploy that was at work when the first call was made may have written since.
            self.delete_from_cluster(&workload).await?;
        }
        if store
            .workloads_of_repository(workload.repository_id)
            .await?
            .is_empty()
        {
            self.forget_repository(workload.repository_id).await?;
        }
        Ok(deleted)
    }

    async fn delete_from_cluster(&self, workload: &WorkloadRecord) -> Result<(), RoadError> {
        let Some(kind) = Kind::from_spelling(&workload.kind) else {
            return Ok(());
        };
        let key = WorkloadKey {
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        };
        for name in self.clusters_of_workload(workload.id).await? {
            self.cluster_called(&name)?.delete(kind, &key).await?;
        }
        Ok(())
    }

    /// Installs the webhook of a repository that has none: its forge was away, or the process died that
    /// was about to.
    pub async fn complete_webhook(&self, repository: &RepositoryRecord) -> Result<(), RoadError> {
        if repository.webhook == WebhookState::Installed {
            return Ok(());
        }
        let url = RepositoryUrl::parse(&repository.url)?;
        self.install_webhook(repository, &url).await
    }

    /// Forgets the repositories whose last workload was deleted by a process that died just then.
    pub async fn forget_abandoned_repositories(&self) -> Result<(), RoadError> {
        for repository in self.parts().store.abandoned_repositories().await? {
            self.forget_repository(repository.id).await?;
        }
        Ok(())
    }

    async fn forget_repository(&self, id: i64) -> Result<(), RoadError> {
        let Some(repository) = self.parts().store.repository(id).await? else {
            return Ok(());
        };
        let url = RepositoryUrl::parse(&repository.url)?;
        let _alone = self.alone_on(&url).await;
        if let Some(Ok(gitea)) = self.forge_of(&url)
            && let Err(error) = gitea.remove_webhook(&url, &self.webhook_target(id)).await
        {
            tracing::warn!(repository = %url, %error, "the webhook could not be removed; it is answered with 401 from now on");
        }
        self.parts()
            .store
            .set_webhook(
                id,
                WebhookState::Missing,
                Some("the repository has no workload"),
            )
            .await?;
        self.parts().mirrors.remove(&url).await?;
        Ok(())
    }

    /// Fetches the repository and notes how it went; says whether anything new came.
    pub async fn sync(&self, repository_id: i64) -> Result<bool, RoadError> {
        let store = &self.parts().store;
        let key = repository_id.to_string();
        let missing = StoreError::NotFound {
            what: "repository",
            key,
        };
        let repository = store.repository(repository_id).await?.ok_or(missing)?;
        let url = RepositoryUrl::parse(&repository.url)?;
        let credential = self.credential(&url, &repository)?;
        match self.parts().mirrors.sync(&url, credential.as_ref()).await {
            Ok(report) => {
                let branch = self.parts().mirrors.default_branch(&url).await?;
                let now = Timestamp::now();
                store
                    .repository_fetched(repository_id, Some(&branch), now)
                    .await?;
                self.note_mirrored(repository_id, now);
                Ok(!report.changed_branches.is_empty())
            }
            Err(error) => {
                store
                    .repository_fetch_failed(repository_id, &error.to_string())
                    .await?;
                Err(error.into())
            }
        }
    }

    fn note_mirrored(&self, repository_id: i64, at: Timestamp) {
        let mirrored = self.inner.mirrored.lock();
        let mut mirrored = mirrored.unwrap_or_else(PoisonError::into_inner);
        mirrored.insert(repository_id, at);
    }

    fn is_mirrored(&self, repository: &RepositoryRecord, url: &RepositoryUrl) -> bool {
        if !self.parts().mirrors.has(url) {
            return false;
        }
        // A server that is alone has fetched whatever was fetched.
        if self.parts().store.engine() == Engine::Sqlite {
            return true;
        }
        let mirrored = self.inner.mirrored.lock();
        let mirrored = mirrored.unwrap_or_else(PoisonError::into_inner);
        let of_all = repository.fetched_at.map(Timestamp::as_millisecond);
        let own = mirrored.get(&repository.id);
        of_all <= own.map(|at| at.as_millisecond())
    }

    /// Sees to it that this server's mirror is there, and as new as that of any other server on the
    /// database: each has mirrors of its own, and a push is told to one of them. What is there does
    /// while the forge is away.
    pub async fn require_mirror(&self, repository: &RepositoryRecord) -> Result<(), RoadError> {
        let url = RepositoryUrl::parse(&repository.url)?;
        if self.is_mirrored(repository, &url) {
            return Ok(());
        }
        let _alone = self.alone_on(&url).await;
        if self.is_mirrored(repository, &url) {
            return Ok(());
        }
        match self.sync(repository.id).await {
            Ok(_) => Ok(()),
            Err(error) if self.parts().mirrors.has(&url) => {
                tracing::info!(%error, repository = %url, "what another server has fetched could not be fetched");
                // Not again for each request.
                if let Some(at) = repository.fetched_at {
                    self.note_mirrored(repository.id, at);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A push came: fetches, and asks for a build of the pushed commit for every workload of the
    /// repository whose config file is there. Gives the deploys that workloads want of it, for
    /// [`Road::request_auto_deploy`].
    pub async fn pushed(
        &self,
        repository_id: i64,
        branch: Option<&str>,
        after: Option<&str>,
    ) -> Result<Vec<AutoDeploy>, RoadError> {
        let store = &self.parts().store;
        let Some(repository) = store.repository(repository_id).await? else {
            return Ok(Vec::new());
        };
        let url = RepositoryUrl::parse(&repository.url)?;
        {
            let _alone = self.alone_on(&url).await;
            self.sync(repository_id).await?;
        }
        let (Some(branch), Some(after)) = (branch, after) else {
            return Ok(Vec::new());
        };
        let Ok(commit) = CommitId::parse(after) else {
            return Ok(Vec::new());
        };
        let mut wanted = Vec::new();
        for workload in store.workloads_of_repository(repository_id).await? {
            let there = match self
                .parts()
                .mirrors
                .exists(&url, &commit, &workload.config_path)
                .await
            {
                // The branch has moved on already and this commit is not part of it any more.
                Err(SourceError::UnknownRevision { .. }) => false,
                there => there?,
            };
            if there {
                self.ask_for_build(&workload, &url, &commit, PUSH, false)
                    .await?;
                if workload.auto_deploy.as_deref() == Some(branch) {
                    wanted.push(AutoDeploy {
                        workload: workload.name,
                        branch: branch.to_owned(),
                        commit: commit.to_string(),
                    });
                }
            }
        }
        Ok(wanted)
    }

    /// Fetches a repository, and gives the pushes that nobody has followed: of the default branch, and
    /// of those that deploy by themselves. Such a branch has a head with a config file and without a
    /// build; that a mirror is new says nothing.
    pub async fn missed_pushes(&self, repository_id: i64) -> Result<Vec<PushRecord>, RoadError> {
        let (store, mirrors) = (&self.parts().store, &self.parts().mirrors);
        let Some(repository) = store.repository(repository_id).await? else {
            return Ok(Vec::new());
        };
        let url = RepositoryUrl::parse(&repository.url)?;
        self.sync(repository_id).await?;
        let workloads = store.workloads_of_repository(repository_id).await?;
        let default = repository.default_branch.as_deref();
        let mut missed = Vec::new();
        for branch in mirrors.branches(&url).await? {
            let matters = |it: &WorkloadRecord| it.auto_deploy.as_deref() == Some(&branch.name);
            if default != Some(&branch.name) && !workloads.iter().any(matters) {
                continue;
            }
            let head = branch.head.to_string();
            for workload in &workloads {
                let built = store
                    .builds_of_commits(workload.id, std::slice::from_ref(&head))
                    .await?;
                let is_new = built.is_empty()
                    && mirrors
                        .exists(&url, &branch.head, &workload.config_path)
                        .await?;
                if is_new {
                    missed.push(PushRecord {
                        repository_id,
                        branch: branch.name,
                        commit: head,
                    });
                    break;
                }
            }
        }
        Ok(missed)
    }

    /// Asks for a commit's one build.
    pub(crate) async fn ask_for_build(
        &self,
        workload: &WorkloadRecord,
        url: &RepositoryUrl,
        commit: &CommitId,
        by: &str,
        retry: bool,
    ) -> Result<BuildRecord, RoadError> {
        let title = self.parts().mirrors.commit(url, commit).await?.title;
        let new = NewBuild {
            workload_id: workload.id,
            commit: commit.as_str().to_owned(),
            title,
            requested_by: by.to_owned(),
            retry,
        };
        // It belongs to a push, a workload or a hotfix, each with a line of its own in the record.
        let asking = self.parts().store.request_build(&new, Timestamp::now());
        let requested = Box::pin(Together::apart(asking)).await?;
        self.inner.builds.notify_waiters();
        Ok(requested.build)
    }

    /// The workload with this name.
    pub(crate) async fn workload(&self, name: &str) -> Result<WorkloadRecord, RoadError> {
        let missing = || StoreError::NotFound {
            what: "workload",
            key: name.to_owned(),
        };
        Ok(self
            .parts()
            .store
            .workload(name)
            .await?
            .ok_or_else(missing)?)
    }
}
