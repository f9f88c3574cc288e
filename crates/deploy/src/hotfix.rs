//! Hotfixes: commits picked onto exactly what runs, pushed as a branch, built and deployed.
//!
//! Nothing is pushed before every commit fits. The commit that comes of it follows from what was asked
//! for alone, so that a request that was cut short after the push is asked again without harm.

use hermez_api::{ChangedCommit, CreateHotfix, DeployKind, DeployState, Hotfix, HotfixPlan};
use hermez_source::pick::{Direction, MAX_PICKS, Pick, PickError, Picked};
use hermez_source::{Commit, CommitId, Credential, RepositoryUrl, SourceError, check_branch};
use hermez_store::{DeployRecord, NewDeploy, RepositoryRecord, WorkloadRecord};
use jiff::Timestamp;

use crate::policy::{Held, Rule, bad_message};
use crate::requests::bounded;
use crate::{Road, RoadError};

/// The commits of a hotfix on what runs.
struct Fix {
    workload: WorkloadRecord,
    repository: RepositoryRecord,
    url: RepositoryUrl,
    base: DeployRecord,
    commits: Vec<Commit>,
    branch: String,
    picked: Picked,
}

impl Road {
    /// Tries a hotfix out; changes nothing.
    pub async fn plan_hotfix(
        &self,
        workload: &str,
        ask: &CreateHotfix,
        by: &str,
    ) -> Result<HotfixPlan, RoadError> {
        let workload = self.workload(workload).await?;
        let fix = self.make_fix(workload, ask, by).await?;
        Ok(HotfixPlan {
            base: fix.base.summary(),
            commits: fix.commits.into_iter().map(changed).collect(),
            branch: fix.branch,
            commit: fix.picked.head.to_string(),
        })
    }

    /// Picks commits onto what runs, pushes them as a branch, and asks for its deploy. Somebody else's
    /// lock refuses it before anything is picked.
    pub async fn request_hotfix(
        &self,
        workload: &str,
        ask: &CreateHotfix,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = bounded("reason", ask.reason.as_deref())?;
        let workload = self.workload(workload).await?;
        self.refuse_if_locked(&workload, by, Timestamp::now())
            .await?;
        let fix = self.make_fix(workload, ask, by).await?;
        let now = Timestamp::now();
        // Rules hold it as they hold any deploy that brings something new.
        let held = self
            .held_from_the_first(&fix.workload, fix.picked.head.as_str(), by, now)
            .await?;
        self.push(&fix.repository, &fix.url, &fix.picked, &fix.branch)
            .await?;
        let (_, commit) = self
            .resolve(&fix.repository, fix.picked.head.as_str())
            .await?;
        let hotfix = Hotfix {
            base_deploy: fix.base.id,
            base_commit: fix.base.commit,
            commits: fix.commits.iter().map(|it| it.id.to_string()).collect(),
            branch: fix.branch,
        };
        let new = NewDeploy {
            workload_id: fix.workload.id,
            instance: fix.workload.name,
            commit: commit.id.to_string(),
            title: commit.title,
            author: commit.author,
            requested_by: by.to_owned(),
            reason,
            kind: DeployKind::Hotfix,
            of: None,
            override_reason: None,
        };
        let store = &self.parts().store;
        Ok(store
            .request_hotfix(&new, &hotfix, held.as_ref(), Timestamp::now())
            .await?)
    }

    async fn make_fix(
        &self,
        workload: WorkloadRecord,
        ask: &CreateHotfix,
        by: &str,
    ) -> Result<Fix, RoadError> {
        let base = self.what_runs(&workload).await?;
        let (repository, url) = self.repository_of(&workload).await?;
        self.require_mirror(&repository).await?;
        let mut commits = Vec::with_capacity(ask.commits.len().min(MAX_PICKS));
        if ask.commits.is_empty() || ask.commits.len() > MAX_PICKS {
            let count = ask.commits.len();
            return Err(PickError::Count { count }.into());
        }
        let wanted = ask.branch.as_deref().map(str::trim);
        let wanted = wanted.filter(|branch| !branch.is_empty());
        if let Some(branch) = wanted {
            check_branch(branch)?;
        }
        for revision in &ask.commits {
            let (_, commit) = self.resolve(&repository, revision.trim()).await?;
            commits.push(commit);
        }
        let ids: Vec<CommitId> = commits.iter().map(|commit| commit.id.clone()).collect();
        // Another server may have pushed it; its branch may be gone since.
        let (_, onto) = self.commit_of_build(&repository, &base.commit).await?;
        let onto = onto.id;
        let pick = Pick {
            base: &onto,
            commits: &ids,
            direction: Direction::Pick,
            by,
        };
        let picked = self.parts().mirrors.pick(&url, pick).await?;
        // The same commits on the same base are the same commit: it may have been rolled back.
        if let Some(bad) = self.mark_of(&workload, picked.head.as_str()).await? {
            return Err(RoadError::Held(Held {
                rule: Rule::BadArtifact,
                message: bad_message(&bad, Timestamp::now()),
                hint: Some(format!(
                    "name other commits, or deploy it all the same: hermez deploy {} --override-bad REASON",
                    picked.head.short()
                )),
            }));
        }
        let branch = match wanted {
            Some(branch) => branch.to_owned(),
            None => format!(
                "hotfix/{}-{}-{}",
                workload.name,
                onto.short(),
                picked.head.short()
            ),
        };
        Ok(Fix {
            workload,
            repository,
            url,
            base,
            commits,
            branch,
            picked,
        })
    }

    /// The deploy whose version runs, and nothing else does.
    async fn what_runs(&self, workload: &WorkloadRecord) -> Result<DeployRecord, RoadError> {
        let store = &self.parts().store;
        let changes = |id: i64| {
            not_now(
                format!("deploy {id} changes what runs"),
                &format!("wait for its end: hermez deploys watch {id}"),
            )
        };
        if let Some(tried) = store.unwritten_deploy(workload.id).await? {
            return Err(changes(tried.id));
        }
        let Some(last) = store.applied_deploys(workload.id, 1).await?.pop() else {
            return Err(not_now(
                format!("nothing of {} runs that could be fixed", workload.name),
                "deploy a commit: hermez deploy COMMIT",
            ));
        };
        match last.state {
            DeployState::Succeeded => Ok(last),
            DeployState::Failed | DeployState::Canceled => Err(not_now(
                format!(
                    "deploy {} did not end well, so that what runs is no one version",
                    last.id
                ),
                "roll back first: hermez rollback",
            )),
            _ => Err(changes(last.id)),
        }
    }

    /// Pushes commits as a branch, and fetches it.
    pub(crate) async fn push(
        &self,
        repository: &RepositoryRecord,
        url: &RepositoryUrl,
        picked: &Picked,
        branch: &str,
    ) -> Result<(), RoadError> {
        let own = self.credential(url, repository)?;
        let forge = self.forge_credential(url);
        let mirrors = &self.parts().mirrors;
        let first = own.as_ref().or(forge.as_ref());
        let mut tried = mirrors.push_branch(url, picked, branch, first).await;
        // What is there to read with need not be allowed to push.
        if own.is_some() && forge.is_some() && is_not_allowed(&tried) {
            tried = mirrors
                .push_branch(url, picked, branch, forge.as_ref())
                .await;
        }
        tried?;
        self.sync(repository.id).await?;
        Ok(())
    }

    /// The token of the repository's forge, as Git takes it.
    fn forge_credential(&self, url: &RepositoryUrl) -> Option<Credential> {
        let forges = &self.parts().forges;
        let forge = forges.iter().find(|forge| forge.matches(url))?;
        forge.git_credential()
    }

    pub(crate) async fn repository_of(
        &self,
        workload: &WorkloadRecord,
    ) -> Result<(RepositoryRecord, RepositoryUrl), RoadError> {
        let key = workload.repository_id.to_string();
        let missing = hermez_store::StoreError::NotFound {
            what: "repository",
            key,
        };
        let found = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?;
        let repository = found.ok_or(missing)?;
        let url = RepositoryUrl::parse(&repository.url)?;
        Ok((repository, url))
    }
}

/// Whether a push was refused for who it came from.
fn is_not_allowed(tried: &Result<(), PickError>) -> bool {
    use SourceError::{AuthenticationFailed, AuthenticationRequired};
    matches!(
        tried,
        Err(PickError::Source(
            AuthenticationFailed { .. } | AuthenticationRequired { .. }
        ))
    )
}

pub(crate) fn parse(commit: &str) -> Result<CommitId, RoadError> {
    CommitId::parse(commit).map_err(|_| {
        SourceError::UnknownRevision {
            revision: commit.to_owned(),
        }
        .into()
    })
}

pub(crate) fn not_now(message: String, hint: &str) -> RoadError {
    RoadError::NotNow {
        message,
        hint: hint.to_owned(),
    }
}

pub(crate) fn changed(commit: Commit) -> ChangedCommit {
    ChangedCommit {
        id: commit.id.to_string(),
        title: commit.title,
        author: commit.author,
        committed_at: commit.committed_at,
    }
}
