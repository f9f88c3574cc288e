//! Pull requests and their previews: an instance of a workload of their own, on the same engine.
//!
//! What a person or a visitor wants is written down here, what a forge says in `follow`; `sweep` does
//! it, `decide` says what comes next, and `news` what the forge is told.

pub mod decide;
pub(crate) mod follow;
pub(crate) mod news;
pub(crate) mod sweep;

use hermez_access::{Action, GateError, Principal, Target};
use hermez_api::{
    BadArtifact, CreatePullRequestDeploy, DeployKind, Preview, PreviewState, PullRequest,
    PullRequestState,
};
use hermez_cluster::{ReadyPod, WorkloadKey};
use hermez_kinds::Kind;
use hermez_kinds::preview::{longest_name, sleeps};
use hermez_source::forge::{Gitea, PullRequest as ForgePull, PullState};
use hermez_source::{Commit, CommitId, RepositoryUrl, SourceError};
use hermez_store::{
    DeployRecord, NewDeploy, NewPreview, PreviewRecord, RepositoryRecord, StoreError,
    WorkloadRecord,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;
use url::Url;

use crate::policy::{Origin, Policy, Request, gate};
use crate::requests::{PUSH, bounded, invalid, said};
use crate::{Road, RoadError};

/// Most pods of a preview.
pub const MAX_REPLICAS: i32 = 10;
/// Most previews of a workload that are listed.
const MAX_LISTED: u64 = 500;
/// How often a fetch waits for the forge to move a pull request's reference, and how long.
const HEAD_TRIES: u32 = 8;
const HEAD_PAUSE: Duration = Duration::from_millis(500);

/// Name of a pull request's own instance.
///
/// # Errors
/// Says how long a workload's name may be, where it is too long.
pub fn instance_name(workload: &str, number: i64, kind: Kind) -> Result<String, RoadError> {
    let name = format!("{workload}-pr-{number}");
    let most = longest_name(kind);
    if name.len() <= most {
        return Ok(name);
    }
    Err(RoadError::NotNow {
        message: format!(
            "the preview would be called `{name}`, which has {} characters; a {} may have {most}",
            name.len(),
            kind.name()
        ),
        hint: format!(
            "give the workload a name of at most {} characters",
            most - (name.len() - workload.len())
        ),
    })
}

/// How many pods a preview is to have: as many as were asked for, else as the workload's settings say.
fn checked_replicas(kind: Kind, asked: Option<i32>, set: i32) -> Result<i32, RoadError> {
    if asked.is_some() && !kind.is_scaled() {
        let message = format!("is not for a {}: its file says what runs", kind.name());
        return Err(invalid("replicas", &message, "Leave it out"));
    }
    let replicas = asked.unwrap_or(set);
    if (1..=MAX_REPLICAS).contains(&replicas) {
        return Ok(replicas);
    }
    Err(RoadError::Invalid {
        field: "replicas",
        message: format!("is {replicas}; a preview has 1 to {MAX_REPLICAS} pods"),
        hint: "Leave it out for one pod",
    })
}

/// The kind of a workload.
fn kind_of(workload: &WorkloadRecord) -> Kind {
    Kind::from_spelling(&workload.kind).unwrap_or(Kind::Service)
}

/// Where a workload's pull requests are.
struct Place {
    workload: WorkloadRecord,
    repository: RepositoryRecord,
    url: RepositoryUrl,
    forge: Gitea,
}

/// What is asked for of a pull request's deploy.
struct Asked<'a> {
    by: &'a str,
    /// Pods.
    replicas: i32,
    reason: Option<String>,
    /// Why an artifact that is marked as bad is deployed all the same.
    override_reason: Option<String>,
}

/// A preview, and the mark that the artifact of its commit bears.
type Marked<'a> = (&'a PreviewRecord, Option<BadArtifact>);

impl Road {
    /// The open pull requests of a workload's repository, with their previews; the one that changed
    /// last first, at most 100.
    pub async fn pull_requests(&self, workload: &str) -> Result<Vec<PullRequest>, RoadError> {
        let place = self.place(workload).await?;
        let store = &self.parts().store;
        let open = place.forge.open_pull_requests(&place.url).await?;
        let previews = store.previews_of(place.workload.id, MAX_LISTED).await?;
        let allowances = store.pull_allowances(place.workload.id).await?;
        let commits = previews.iter().map(|it| it.head_commit.clone()).collect();
        let marks = self.marks_of_commits(place.workload.id, commits).await?;
        let mut shown = Vec::with_capacity(open.len());
        for pull in open {
            let by = allowances
                .iter()
                .find(|it| it.pull_request == pull.number && it.commit == pull.head.as_str())
                .map(|it| it.by.clone());
            let preview = previews.iter().find(|it| it.pull_request == pull.number);
            let preview = preview.map(|it| (it, marks.get(&it.head_commit).cloned()));
            shown.push(self.show(&place.workload, pull, by, preview).await?);
        }
        Ok(shown)
    }

    /// One pull request, whatever its state, with its preview.
    pub async fn pull_request(
        &self,
        workload: &str,
        number: i64,
    ) -> Result<PullRequest, RoadError> {
        let place = self.place(workload).await?;
        let pull = place.forge.pull_request(&place.url, number).await?;
        self.show_one(&place, pull).await
    }

    async fn show_one(&self, place: &Place, pull: ForgePull) -> Result<PullRequest, RoadError> {
        let (store, id) = (&self.parts().store, place.workload.id);
        let by = store
            .pull_allowed_by(id, pull.number, pull.head.as_str())
            .await?;
        let preview = store.preview(id, pull.number).await?;
        let preview = match &preview {
            Some(preview) => {
                let bad = self.mark_of(&place.workload, &preview.head_commit).await?;
                Some((preview, bad))
            }
            None => None,
        };
        self.show(&place.workload, pull, by, preview).await
    }

    async fn show(
        &self,
        workload: &WorkloadRecord,
        pull: ForgePull,
        allowed_by: Option<String>,
        preview: Option<Marked<'_>>,
    ) -> Result<PullRequest, RoadError> {
        let preview = match preview {
            Some(preview) => Some(self.shown_preview(workload, preview).await?),
            None => None,
        };
        Ok(PullRequest {
            number: pull.number,
            title: pull.title,
            author: pull.author,
            state: match pull.state {
                PullState::Open => PullRequestState::Open,
                PullState::Closed => PullRequestState::Closed,
                PullState::Merged => PullRequestState::Merged,
            },
            head: pull.head.to_string(),
            head_branch: pull.head_branch,
            base_branch: pull.base_branch,
            from_fork: pull.from_fork,
            html_url: pull.html_url,
            allowed: !pull.from_fork || allowed_by.is_some(),
            allowed_by,
            preview,
        })
    }

    /// A preview as the API shows it.
    async fn shown_preview(
        &self,
        workload: &WorkloadRecord,
        (preview, bad): Marked<'_>,
    ) -> Result<Preview, RoadError> {
        let deploy = self.parts().store.latest_deploy_of(preview).await?;
        let settings = &workload.previews;
        let idle = SignedDuration::from_mins(i64::from(settings.idle_minutes));
        let expiry = SignedDuration::from_hours(24 * i64::from(settings.expiry_days));
        let awake = matches!(preview.state, PreviewState::Active | PreviewState::Waking);
        let can_sleep = sleeps(kind_of(workload)) && awake;
        Ok(Preview {
            instance: preview.instance.clone(),
            pull_request: preview.pull_request,
            state: preview.state,
            commit: preview.head_commit.clone(),
            url: self.preview_url(preview).map(String::from),
            shared: preview.share_hash.is_some(),
            replicas: preview.replicas,
            pods_ready: self.preview_pods(workload, preview).len() as i32,
            created_at: preview.created_at,
            created_by: preview.created_by.clone(),
            last_used_at: preview.last_used_at,
            sleeps_at: can_sleep.then(|| preview.last_used_at + idle),
            expires_at: preview.last_used_at + expiry,
            last_wake_ms: preview.last_wake_ms,
            removed_why: preview.removed_why.clone(),
            deploy: deploy.map(|deploy| deploy.summary()),
            bad,
        })
    }

    /// Pods of a preview that take traffic.
    pub fn preview_pods(
        &self,
        workload: &WorkloadRecord,
        preview: &PreviewRecord,
    ) -> Vec<ReadyPod> {
        let cluster = self.parts().cluster.borrow().clone();
        let key = WorkloadKey {
            namespace: workload.namespace.clone(),
            name: preview.instance.clone(),
        };
        cluster.map_or_else(Vec::new, |cluster| cluster.ready_pods(&key))
    }

    /// Where a preview answers; nothing without a gateway, or when it is known to have no port.
    pub fn preview_url(&self, preview: &PreviewRecord) -> Option<Url> {
        if preview.port.is_none() && preview.applied_replicas.is_some() {
            return None;
        }
        let base = self.parts().preview_url.as_ref()?;
        let mut url = base.clone();
        let host = format!("{}.{}", preview.instance, base.host_str()?);
        url.set_host(Some(&host)).ok()?;
        Some(url)
    }

    /// Asks for a deploy of a pull request's newest commit as an instance of its own.
    pub async fn request_pull_deploy(
        &self,
        workload: &str,
        number: i64,
        ask: &CreatePullRequestDeploy,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = bounded("reason", ask.reason.as_deref())?;
        let override_reason = said("override_bad", ask.override_bad.as_deref())?;
        let place = self.place(workload).await?;
        let (kind, set) = (kind_of(&place.workload), place.workload.previews.replicas);
        let asked = Asked {
            by,
            replicas: checked_replicas(kind, ask.replicas, set)?,
            reason,
            override_reason,
        };
        let pull = place.forge.pull_request(&place.url, number).await?;
        self.deploy_pull(&place, pull, asked).await
    }

    /// Refuses what is marked as bad, unless it was said why it is right. What nobody asked for is kept
    /// all the same: its end says on the pull request that it is marked, and by whom.
    async fn refuse_if_bad(
        &self,
        workload: &WorkloadRecord,
        commit: &str,
        asked: &Asked<'_>,
    ) -> Result<(), RoadError> {
        if asked.by == PUSH {
            return Ok(());
        }
        let bad = self.mark_of(workload, commit).await?;
        let request = Request {
            origin: Origin::Person,
            commit,
            override_bad: asked.override_reason.as_deref(),
        };
        let policy = Policy {
            bad: bad.as_ref(),
            ..Policy::default()
        };
        gate(&request, &policy, Timestamp::now()).map_err(RoadError::Held)
    }

    async fn deploy_pull(
        &self,
        place: &Place,
        pull: ForgePull,
        asked: Asked<'_>,
    ) -> Result<DeployRecord, RoadError> {
        let (store, workload) = (&self.parts().store, &place.workload);
        let number = pull.number;
        if pull.state != PullState::Open {
            let how = if pull.state == PullState::Merged {
                "merged"
            } else {
                "closed"
            };
            return Err(RoadError::NotNow {
                message: format!("pull request {number} is {how}"),
                hint: "reopen it, or deploy the branch that it went to".to_owned(),
            });
        }
        let head = pull.head.as_str();
        if pull.from_fork
            && store
                .pull_allowed_by(workload.id, number, head)
                .await?
                .is_none()
        {
            // That it waits for a maintainer is what matters; why it is not built stands in the log.
            let _ = self.build_of_fork(place, &pull, asked.by).await;
            return Err(RoadError::ForkNotAllowed {
                number,
                commit: pull.head,
            });
        }
        let instance = instance_name(&workload.name, number, kind_of(workload))?;
        if store.workload(&instance).await?.is_some() {
            return Err(RoadError::NotNow {
                message: format!("a workload is called `{instance}`, as the preview would be"),
                hint: "give that workload another name".to_owned(),
            });
        }
        self.refuse_if_bad(workload, head, &asked).await?;
        let commit = self.fetch_head(place, &pull).await?;
        let new = NewDeploy {
            workload_id: workload.id,
            instance,
            commit: commit.id.to_string(),
            title: commit.title,
            author: commit.author,
            requested_by: asked.by.to_owned(),
            reason: asked.reason,
            kind: DeployKind::Regular,
            of: None,
            override_reason: asked.override_reason,
        };
        let preview = NewPreview {
            pull_request: number,
            title: pull.title,
            author: pull.author,
            head_branch: pull.head_branch,
            from_fork: pull.from_fork,
            forge_url: pull.html_url,
            replicas: asked.replicas,
        };
        let kept = store
            .request_preview(&new, &preview, Timestamp::now())
            .await;
        let deploy = kept.map_err(|error| match error {
            StoreError::AlreadyExists {
                what: "preview", ..
            } => RoadError::NotYet {
                message: format!("the preview of pull request {number} is being removed"),
                hint: "ask again in a moment".to_owned(),
            },
            error => error.into(),
        })?;
        self.require_pull_webhook(place).await;
        Ok(deploy)
    }

    /// Fetches the head of a pull request, as the forge says that it is. A forge moves its reference
    /// a moment after it says so.
    async fn fetch_head(&self, place: &Place, pull: &ForgePull) -> Result<Commit, RoadError> {
        let credential = self.credential(&place.url, &place.repository)?;
        let mirrors = &self.parts().mirrors;
        for attempt in 1..=HEAD_TRIES {
            let fetched = mirrors
                .fetch_pull(&place.url, credential.as_ref(), pull.number)
                .await;
            match fetched {
                Ok(head) if head == pull.head => {
                    return Ok(mirrors.commit(&place.url, &head).await?);
                }
                Ok(_) | Err(SourceError::UnknownRevision { .. }) if attempt < HEAD_TRIES => {
                    tokio::time::sleep(HEAD_PAUSE).await;
                }
                Ok(_) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Err(RoadError::NotYet {
            message: format!(
                "the forge says that pull request {} is at {}, and its reference says something else",
                pull.number,
                pull.head.short()
            ),
            hint: "ask again in a moment".to_owned(),
        })
    }

    /// Builds what is not allowed to run yet: a build has no secrets, and its artifact is there when
    /// somebody has read the change.
    async fn build_of_fork(
        &self,
        place: &Place,
        pull: &ForgePull,
        by: &str,
    ) -> Result<(), RoadError> {
        let Place { workload, url, .. } = place;
        let asked = async {
            let head = self.fetch_head(place, pull).await?;
            self.ask_for_build(workload, url, &head.id, by, false).await
        };
        let asked = Box::pin(asked).await.map(drop);
        if let Err(error) = &asked {
            let (number, workload) = (pull.number, workload.name.as_str());
            tracing::info!(workload, number, %error, "a fork's pull request is not built");
        }
        asked
    }

    /// Allows the newest commit of a pull request that comes from a fork, if it is the one that was
    /// read: what is pushed meanwhile was read by nobody. Whole ids are compared, as the beginning of
    /// one can be made to fit.
    pub async fn allow_pull(
        &self,
        workload: &str,
        number: i64,
        read: &str,
        by: &str,
    ) -> Result<PullRequest, RoadError> {
        let read = CommitId::parse(read).map_err(|_| {
            invalid(
                "commit",
                "is not a whole commit id",
                "Send the 40 digits of the commit that was read",
            )
        })?;
        let place = self.place(workload).await?;
        let pull = place.forge.pull_request(&place.url, number).await?;
        if !pull.from_fork {
            return Err(RoadError::NotNow {
                message: format!("pull request {number} comes from the repository itself"),
                hint: format!("deploy it: hermez deploy --pr {number}"),
            });
        }
        if pull.head != read {
            return Err(RoadError::NotNow {
                message: format!(
                    "pull request {number} is at {} by now, not at {read}",
                    pull.head
                ),
                hint: "read the new commit, then allow that one".to_owned(),
            });
        }
        let (store, id) = (&self.parts().store, place.workload.id);
        store
            .allow_pull(id, number, pull.head.as_str(), by, Timestamp::now())
            .await?;
        self.show_one(&place, pull).await
    }

    /// Lets a preview sleep now.
    pub async fn sleep_preview(&self, workload: &str, number: i64) -> Result<Preview, RoadError> {
        let (workload, preview) = self.preview_of(workload, number).await?;
        let store = &self.parts().store;
        if !sleeps(kind_of(&workload)) {
            return Err(RoadError::NotNow {
                message: format!("a {} does not sleep", workload.kind),
                hint: format!("remove it: hermez pr remove {number}"),
            });
        }
        if store.is_deploying(&preview).await? {
            return Err(RoadError::NotNow {
                message: "a deploy of this preview is under way".to_owned(),
                hint: "wait for it, or cancel it: hermez deploys cancel".to_owned(),
            });
        }
        if preview.applied_replicas.is_none() {
            return Err(RoadError::NotNow {
                message: "nothing of this preview runs: no deploy of it has come to the cluster"
                    .to_owned(),
                hint: format!("push another commit, or remove it: hermez pr remove {number}"),
            });
        }
        store.sleep_preview(preview.id).await?;
        self.preview_now(&workload, number).await
    }

    /// Wakes a preview; one that is awake stays awake for another while.
    pub async fn wake_preview(&self, workload: &str, number: i64) -> Result<Preview, RoadError> {
        let (workload, preview) = self.preview_of(workload, number).await?;
        let (store, now) = (&self.parts().store, Timestamp::now());
        if !store.wake_preview(preview.id, now).await? {
            store.touch_preview(preview.id, now).await?;
        }
        self.preview_now(&workload, number).await
    }

    /// Begins to remove a preview. One that is being removed is removed all the same.
    pub async fn remove_preview(
        &self,
        workload: &str,
        number: i64,
        by: &str,
    ) -> Result<(), RoadError> {
        let (_, preview) = self.preview_of(workload, number).await?;
        let why = format!("{by} removed it");
        let store = &self.parts().store;
        Ok(store
            .remove_preview(preview.id, &why, Timestamp::now())
            .await?)
    }

    /// The workload, and the living preview of one of its pull requests.
    pub async fn preview_of(
        &self,
        workload: &str,
        number: i64,
    ) -> Result<(WorkloadRecord, PreviewRecord), RoadError> {
        let workload = self.workload(workload).await?;
        let missing = || StoreError::NotFound {
            what: "preview",
            key: format!("of pull request {number} of {}", workload.name),
        };
        let found = self.parts().store.preview(workload.id, number).await?;
        let preview = found.ok_or_else(missing)?;
        Ok((workload, preview))
    }

    async fn preview_now(
        &self,
        workload: &WorkloadRecord,
        number: i64,
    ) -> Result<Preview, RoadError> {
        let (workload, preview) = self.preview_of(&workload.name, number).await?;
        let bad = self.mark_of(&workload, &preview.head_commit).await?;
        self.shown_preview(&workload, (&preview, bad)).await
    }

    /// Begins to remove a preview for a reason that is nobody's wish.
    pub(crate) async fn remove_by_itself(
        &self,
        preview: &PreviewRecord,
        workload: &WorkloadRecord,
        why: &str,
    ) -> Result<(), RoadError> {
        let principal = Principal::system();
        let target = Target::Workload(workload.name.clone());
        let detail = json!({ "pull_request": preview.pull_request, "reason": why });
        let (store, now) = (&self.parts().store, Timestamp::now());
        let act = store.remove_preview(preview.id, why, now);
        let gate = &self.parts().gate;
        let removed = gate.change(&principal, Action::PreviewRemove, target, detail, act);
        Box::pin(removed).await.map_err(|error| match error {
            GateError::Act(error) => error.into(),
            // Hermez may do everything; what is left is the database that holds the record.
            GateError::Access(error) => RoadError::NotYet {
                message: error.to_string(),
                hint: "it is tried again".to_owned(),
            },
        })
    }

    /// Sees to it that the forge tells of pull requests: a webhook of an earlier Hermez does not.
    async fn require_pull_webhook(&self, place: &Place) {
        let target = self.webhook_target(place.repository.id);
        let tells = place
            .forge
            .tells_of_pull_requests(&place.url, &target)
            .await;
        let done = match tells {
            Ok(true) => Ok(()),
            Ok(false) => self.install_webhook(&place.repository, &place.url).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            tracing::info!(%error, repository = %place.url, "the forge may not tell of pull requests; it is asked now and then");
        }
    }

    /// The same by a workload's name, for when its pull requests are to be deployed by themselves.
    pub async fn expect_pull_requests(&self, workload: &str) -> Result<(), RoadError> {
        let place = self.place(workload).await?;
        self.require_pull_webhook(&place).await;
        Ok(())
    }

    async fn place(&self, workload: &str) -> Result<Place, RoadError> {
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
        let url = RepositoryUrl::parse(&repository.url)?;
        let forge = self.forge_for(&url)?;
        Ok(Place {
            workload,
            repository,
            url,
            forge,
        })
    }

    pub(crate) fn forge_for(&self, url: &RepositoryUrl) -> Result<Gitea, RoadError> {
        match self.forge_of(url) {
            Some(Ok(forge)) => Ok(forge),
            Some(Err(message)) => Err(RoadError::NotNow {
                message,
                hint: "look at the server's settings".to_owned(),
            }),
            None => Err(RoadError::NotNow {
                message: format!("no forge is configured for {url}"),
                hint: "start the server with --forge and --forge-token-file".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_says_how_long_it_may_be() {
        let name = instance_name("hello", 12, Kind::Service).unwrap();
        assert_eq!(name, "hello-pr-12");
        let long = "x".repeat(60);
        let error = instance_name(&long, 12, Kind::Service).unwrap_err();
        assert!(error.to_string().contains("66 characters"), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("at most 57 characters"), "{hint}");
        assert!(instance_name(&"x".repeat(47), 1, Kind::CronJob).is_ok());
        assert!(instance_name(&"x".repeat(48), 1, Kind::CronJob).is_err());
        assert!(instance_name(&"x".repeat(45), 1, Kind::StreamingJob).is_ok());
        let long = "x".repeat(46);
        let error = instance_name(&long, 1, Kind::StreamingJob).unwrap_err();
        assert!(error.to_string().contains("51 characters"), "{error}");
    }

    #[test]
    fn the_number_of_pods_is_bounded() {
        let checked = |asked| checked_replicas(Kind::Service, asked, 2);
        for bad in [-1, 0, 11, 10_000_000] {
            assert!(checked(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(checked(Some(10)).unwrap(), 10);
        assert_eq!(checked(None).unwrap(), 2);
    }

    #[test]
    fn pods_are_counted_where_the_kind_counts_them() {
        let checked = |kind, asked| checked_replicas(kind, asked, 1);
        assert_eq!(checked(Kind::StreamingJob, Some(3)).unwrap(), 3);
        assert_eq!(checked(Kind::CronJob, None).unwrap(), 1);
        let error = checked(Kind::CronJob, Some(3)).unwrap_err();
        assert!(error.to_string().contains("PinterestCronJob"), "{error}");
    }
}
