//! Asking for builds and deploys, and stopping them. Each is in the database before the call returns.

use hermez_api::{BadArtifact, CreateBuild, CreateDeploy, DeployKind, DeployState};
use hermez_cluster::{Cluster, ClusterError};
use hermez_kinds::Kind;
use hermez_source::{RepositoryUrl, SourceError};
use hermez_store::{
    BuildRecord, DeployRecord, NewBuild, NewDeploy, RequestedBuild, StoreError, WorkloadRecord,
};
use jiff::Timestamp;

use crate::policy::{Origin, Policy, Request, gate};
use crate::{Road, RoadError};

/// Most characters of a reason.
const REASON_LIMIT: usize = 1000;
/// What the whole name of a branch begins with.
const BRANCHES: &str = "refs/heads/";
/// Who asks for the deploys of pushes.
pub(crate) const PUSH: &str = "push";

/// A pushed commit that a workload may want deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoDeploy {
    /// The workload's name.
    pub workload: String,
    /// The branch that was pushed to.
    pub branch: String,
    /// The commit (40 hexadecimal digits).
    pub commit: String,
}

pub(crate) fn invalid(field: &'static str, message: &str, hint: &'static str) -> RoadError {
    let message = message.to_owned();
    RoadError::Invalid {
        field,
        message,
        hint,
    }
}

/// A text of the request, without what surrounds it; nothing where it is empty.
pub(crate) fn bounded(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<String>, RoadError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > REASON_LIMIT) {
        let message = format!("is longer than {REASON_LIMIT} characters");
        return Err(invalid(field, &message, "Say it in fewer words"));
    }
    let is_broken = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.is_some_and(|text| text.contains(is_broken)) {
        let message = "has a control character";
        return Err(invalid(field, message, "Write it as plain text"));
    }
    Ok(text.map(str::to_owned))
}

/// The same where a text that is there must say something.
pub(crate) fn said(field: &'static str, text: Option<&str>) -> Result<Option<String>, RoadError> {
    match (text, bounded(field, text)?) {
        (Some(_), None) => Err(invalid(
            field,
            "is empty",
            "Say why, for those who read the record",
        )),
        (_, said) => Ok(said),
    }
}

/// Of a branch that the repository does not have.
fn no_such_branch(field: &'static str, branch: &str) -> RoadError {
    let shown: String = branch.chars().take(100).collect();
    let message = format!("names `{shown}`, and the repository has no such branch");
    let hint = "Push the branch first, or name one that is there";
    invalid(field, &message, hint)
}

/// The deploy of a commit.
fn regular(
    workload: &WorkloadRecord,
    commit: hermez_source::Commit,
    by: &str,
    reason: Option<String>,
    override_reason: Option<String>,
) -> NewDeploy {
    NewDeploy {
        workload_id: workload.id,
        instance: workload.name.clone(),
        commit: commit.id.as_str().to_owned(),
        title: commit.title,
        author: commit.author,
        requested_by: by.to_owned(),
        reason,
        kind: DeployKind::Regular,
        of: None,
        override_reason,
    }
}

/// Refuses what only pods that stay can do.
fn require_rollout(workload: &WorkloadRecord, what: &str, hint: &str) -> Result<(), RoadError> {
    let kind = Kind::from_spelling(&workload.kind);
    if matches!(kind, Some(Kind::Service | Kind::StatefulSet)) {
        return Ok(());
    }
    Err(RoadError::NotNow {
        message: format!("a {} cannot be {what}", workload.kind),
        hint: hint.to_owned(),
    })
}

impl Road {
    /// Asks for the build of a commit, branch or tag (fetched first when it is not known).
    pub async fn request_build(
        &self,
        workload: &str,
        ask: &CreateBuild,
        by: &str,
    ) -> Result<RequestedBuild, RoadError> {
        let (workload, commit) = self.commit_of(workload, &ask.commit).await?;
        let new = NewBuild {
            workload_id: workload.id,
            commit: commit.id.as_str().to_owned(),
            title: commit.title,
            requested_by: by.to_owned(),
            retry: ask.retry,
        };
        let requested = self
            .parts()
            .store
            .request_build(&new, Timestamp::now())
            .await?;
        self.inner.builds.notify_waiters();
        Ok(requested)
    }

    /// Asks for the deploy of a commit, branch or tag, which builds it first where needed.
    pub async fn request_deploy(
        &self,
        workload: &str,
        ask: &CreateDeploy,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = bounded("reason", ask.reason.as_deref())?;
        let override_reason = said("override_bad", ask.override_bad.as_deref())?;
        let revision = match (&ask.commit, ask.latest) {
            (Some(commit), false) => commit.clone(),
            (None, true) => self.latest_branch(workload, ask.branch.as_deref()).await?,
            (Some(_), true) => {
                return Err(invalid(
                    "commit",
                    "does not go with `latest`",
                    "Name a commit, or ask for the newest",
                ));
            }
            (None, false) => {
                return Err(invalid(
                    "commit",
                    "is missing",
                    "Name a commit, or ask for `latest`",
                ));
            }
        };
        if ask.branch.is_some() && !ask.latest {
            return Err(invalid(
                "branch",
                "goes with `latest` only",
                "Name the branch as the commit",
            ));
        }
        let found = self.commit_of(workload, &revision).await;
        let (workload, commit) = found.map_err(|error| match error {
            RoadError::Source(
                SourceError::UnknownRevision { .. } | SourceError::InvalidRevision { .. },
            ) if ask.latest => {
                let branch = revision.strip_prefix(BRANCHES).unwrap_or(&revision);
                no_such_branch("branch", branch)
            }
            error => error,
        })?;
        let request = Request {
            origin: Origin::Person,
            commit: commit.id.as_str(),
            override_bad: override_reason.as_deref(),
        };
        let now = Timestamp::now();
        let (bad, held) = tokio::join!(
            self.mark_of(&workload, commit.id.as_str()),
            self.held_from_the_first(&workload, commit.id.as_str(), by, now)
        );
        let bad = bad?;
        let policy = Policy {
            bad: bad.as_ref(),
            ..Policy::default()
        };
        gate(&request, &policy, now).map_err(RoadError::Held)?;
        let new = regular(&workload, commit, by, reason, override_reason);
        let store = &self.parts().store;
        Ok(match held? {
            Some(held) => store.request_held_deploy(&new, &held, now).await?,
            None => store.request_deploy(&new, now).await?,
        })
    }

    /// Asks for the deploy of a pushed commit, if the workload's rules let it through
    /// ([`RoadError::Held`] when they do not).
    pub async fn request_auto_deploy(
        &self,
        wanted: &AutoDeploy,
    ) -> Result<DeployRecord, RoadError> {
        let store = &self.parts().store;
        let AutoDeploy {
            workload,
            branch,
            commit,
        } = wanted;
        let (workload, commit) = self.commit_of(workload, commit).await?;
        let head = self.head_of(&workload, branch).await?;
        let newest = store.newest_wanted_commit(workload.id).await?;
        let bad = self.mark_of(&workload, commit.id.as_str()).await?;
        let request = Request {
            origin: Origin::Push { branch },
            commit: commit.id.as_str(),
            override_bad: None,
        };
        let mut policy = Policy {
            auto_deploy: workload.auto_deploy.as_deref(),
            pin: workload.pin.as_ref(),
            bad: bad.as_ref(),
            head: head.as_deref(),
            newest: newest.as_deref(),
        };
        let now = Timestamp::now();
        gate(&request, &policy, now).map_err(RoadError::Held)?;
        let reason = Some(format!("pushed to {branch}"));
        let new = regular(&workload, commit.clone(), PUSH, reason, None);
        let held = self
            .held_from_the_first(&workload, &new.commit, PUSH, now)
            .await?;
        // One push may be told of twice, by the forge and after a start, to this server and to
        // another: the second finds the deploy of the first, here at the latest. So it is with the
        // pin of a rollback that came in between.
        let asked = store
            .request_pushed_deploy(&new, held.as_ref(), now)
            .await?;
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let workload_now = self.workload(&workload.name).await?;
        policy.pin = workload_now.pin.as_ref();
        policy.newest = Some(&new.commit);
        gate(&request, &policy, now).map_err(RoadError::Held)?;
        Err(RoadError::NotNow {
            message: format!("{} is deployed already", new.commit),
            hint: format!("see its deploys: hermez history {}", workload.name),
        })
    }

    /// Asks for a restart: the pods are replaced, the version stays.
    pub async fn request_restart(
        &self,
        workload: &str,
        reason: Option<&str>,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = bounded("reason", reason)?;
        let store = &self.parts().store;
        let workload = self.workload(workload).await?;
        let now = Timestamp::now();
        self.refuse_if_locked(&workload, by, now).await?;
        require_rollout(
            &workload,
            "restarted",
            "deploy it again to make its pods anew",
        )?;
        let Some(last) = store.applied_deploys(workload.id, 1).await?.pop() else {
            return Err(RoadError::NotNow {
                message: format!("nothing of {} runs that could be restarted", workload.name),
                hint: "deploy a commit: hermez deploy COMMIT".to_owned(),
            });
        };
        let manifest = last.manifest.clone().unwrap_or_default();
        let new = NewDeploy {
            workload_id: workload.id,
            instance: workload.name,
            commit: last.commit,
            title: last.title,
            author: last.author,
            requested_by: by.to_owned(),
            reason,
            kind: DeployKind::Restart,
            of: Some((last.id, manifest)),
            override_reason: None,
        };
        Ok(store.request_deploy(&new, now).await?)
    }

    /// Holds a rollout, or lets it go on. One that has not begun is held before it begins; one that
    /// has ended stays as it is.
    pub async fn pause_deploy(
        &self,
        id: i64,
        pause: bool,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let deploy = self.deploy(id).await?;
        let changing = matches!(
            deploy.state,
            DeployState::Canary
                | DeployState::Applying
                | DeployState::RollingOut
                | DeployState::Verifying
        );
        if let Some(workload) = self
            .parts()
            .store
            .workload_by_id(deploy.workload_id)
            .await?
            && pause
            && changing
        {
            require_rollout(
                &workload,
                "held in a rollout",
                "stop it: hermez deploys cancel",
            )?;
        }
        let store = &self.parts().store;
        Ok(store.pause_deploy(id, pause, by, Timestamp::now()).await?)
    }

    /// Checks that the workload's repository has this branch.
    pub async fn require_branch(&self, workload: &str, branch: &str) -> Result<(), RoadError> {
        let workload = self.workload(workload).await?;
        if self.head_of(&workload, branch).await?.is_none() {
            return Err(no_such_branch("auto_deploy", branch));
        }
        Ok(())
    }

    /// The whole name of a branch, or of the default branch: a tag may have its name, too.
    async fn latest_branch(
        &self,
        workload: &str,
        branch: Option<&str>,
    ) -> Result<String, RoadError> {
        let whole = |branch: &str| {
            let name = branch.strip_prefix(BRANCHES).unwrap_or(branch);
            format!("{BRANCHES}{name}")
        };
        if let Some(branch) = branch.map(str::trim).filter(|branch| !branch.is_empty()) {
            return Ok(whole(branch));
        }
        let workload = self.workload(workload).await?;
        let repository = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?;
        repository
            .and_then(|repository| repository.default_branch)
            .map(|branch| whole(&branch))
            .ok_or_else(|| RoadError::NotNow {
                message: "the repository's default branch is not known yet".to_owned(),
                hint: "fetch it: hermez workload sync".to_owned(),
            })
    }

    /// The newest commit of a branch as the mirror has it.
    async fn head_of(
        &self,
        workload: &WorkloadRecord,
        branch: &str,
    ) -> Result<Option<String>, RoadError> {
        let repository = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?;
        let Some(repository) = repository else {
            return Ok(None);
        };
        let url = RepositoryUrl::parse(&repository.url)?;
        self.require_mirror(&repository).await?;
        let branches = self.parts().mirrors.branches(&url).await?;
        let found = branches.into_iter().find(|found| found.name == branch);
        Ok(found.map(|found| found.head.to_string()))
    }

    /// The mark that the artifact of a commit bears.
    pub(crate) async fn mark_of(
        &self,
        workload: &WorkloadRecord,
        commit: &str,
    ) -> Result<Option<BadArtifact>, RoadError> {
        let store = &self.parts().store;
        let Some(artifact) = store.artifact(workload.id, commit).await? else {
            return Ok(None);
        };
        Ok(store
            .bad_artifacts(&artifact.digests())
            .await?
            .into_iter()
            .next())
    }

    async fn commit_of(
        &self,
        workload: &str,
        revision: &str,
    ) -> Result<(WorkloadRecord, hermez_source::Commit), RoadError> {
        let workload = self.workload(workload).await?;
        let key = workload.repository_id.to_string();
        let missing = StoreError::NotFound {
            what: "repository",
            key,
        };
        let repository = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?
            .ok_or(missing)?;
        let (_, commit) = self.resolve(&repository, revision.trim()).await?;
        Ok((workload, commit))
    }

    /// Stops a build.
    pub async fn cancel_build(&self, id: i64) -> Result<BuildRecord, RoadError> {
        Ok(self
            .parts()
            .store
            .cancel_build(id, Timestamp::now())
            .await?)
    }

    /// Stops a deploy; what it has applied already stays.
    pub async fn cancel_deploy(&self, id: i64, by: &str) -> Result<DeployRecord, RoadError> {
        Ok(self
            .parts()
            .store
            .cancel_deploy(id, by, Timestamp::now())
            .await?)
    }

    /// The cluster, when there is a connection.
    pub(crate) fn cluster(&self) -> Result<Cluster, ClusterError> {
        let cluster = self.parts().cluster.borrow().clone();
        cluster.ok_or_else(|| ClusterError::Unreachable("there is no connection yet".to_owned()))
    }
}
