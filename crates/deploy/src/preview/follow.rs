//! Follows what becomes of pull requests in the forge. What could not be done (the forge was away, its
//! reference was not there yet) is tried again; what a server that ended was told of, the next one asks
//! for when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hermez_access::{Action, GateError, Principal, Target};
use hermez_kinds::preview::runs_once;
use hermez_source::RepositoryUrl;
use hermez_source::forge::{ForgeError, PullRequest as ForgePull};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::decide::{Pull, Wish, was_ended, wish};
use super::{Asked, MAX_LISTED, Place, kind_of};
use crate::requests::PUSH;
use crate::{Road, RoadError};

/// How often what was missed is tried again.
const AGAIN: Duration = Duration::from_secs(15);
/// Looks at what was missed between two tries, at most: they double from one to the next.
const LONGEST_PAUSE: u32 = 40;
/// Looks after which the forge is asked for pull requests that nobody told of: ten minutes.
const LOOK_FOR_ALL: u32 = 40;
/// Most pull requests that are tried again.
const MAX_MISSED: usize = 10_000;

/// A pull request, by its repository and number.
type Number = (i64, i64);

/// Pull requests that could not be followed.
#[derive(Default)]
pub(crate) struct Missed(Mutex<BTreeMap<Number, Pause>>);

/// When one is tried again, in looks from now, and how many that were.
#[derive(Clone, Copy)]
struct Pause {
    left: u32,
    whole: u32,
}

impl Missed {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Number, Pause>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes whether a pull request is to be tried again.
    fn note(&self, number: Number, again: bool) {
        self.with(|missed| {
            if !again {
                missed.remove(&number);
            } else if let Some(pause) = missed.get_mut(&number) {
                pause.whole = (2 * pause.whole).min(LONGEST_PAUSE);
                pause.left = pause.whole;
            } else if missed.len() < MAX_MISSED {
                missed.insert(number, Pause { left: 1, whole: 1 });
            }
        });
    }

    /// Those whose time has come, at a look.
    fn due(&self) -> Vec<Number> {
        self.with(|missed| {
            let mut due = Vec::new();
            for (number, pause) in missed.iter_mut() {
                pause.left = pause.left.saturating_sub(1);
                if pause.left == 0 {
                    due.push(*number);
                }
            }
            due
        })
    }
}

/// Tries again what was missed, until `shutdown`.
pub(crate) async fn run(road: &Road, shutdown: &CancellationToken) {
    let again = async {
        for look in 1_u32.. {
            tokio::time::sleep(AGAIN).await;
            for (repository, number) in road.inner.missed.due() {
                if let Err(error) = road.follow_pull(repository, number).await {
                    tracing::info!(%error, repository, number, "a pull request cannot be followed yet");
                }
            }
            if look.is_multiple_of(LOOK_FOR_ALL) {
                look_for_untold(road).await;
            }
        }
    };
    tokio::select! {
        () = again => {}
        () = shutdown.cancelled() => {}
    }
}

/// Asks for the open pull requests where they are deployed by themselves: an event may be lost.
async fn look_for_untold(road: &Road) {
    let store = &road.parts().store;
    let repositories = match store.auto_previewed_repositories().await {
        Ok(repositories) => repositories,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pull requests that nobody told of");
            return;
        }
    };
    for repository in repositories {
        if let Err(error) = road.follow_missed_pulls(repository).await {
            tracing::info!(%error, repository, "the forge could not be asked about pull requests");
        }
    }
}

impl Road {
    /// Asks the forge what became of a pull request, and does what follows for every workload of
    /// the repository. The same however often it is called, and whatever an event said. What cannot
    /// be done yet (the forge or the database is away) is tried again by itself.
    pub async fn follow_pull(&self, repository_id: i64, number: i64) -> Result<(), RoadError> {
        let followed = self.follow_now(repository_id, number).await;
        let again = followed.as_ref().is_err_and(RoadError::is_transient);
        self.inner.missed.note((repository_id, number), again);
        followed
    }

    /// The same once. One workload's trouble does not keep the others from going on.
    async fn follow_now(&self, repository_id: i64, number: i64) -> Result<(), RoadError> {
        let mut trouble = Ok(());
        let store = &self.parts().store;
        let Some(repository) = store.repository(repository_id).await? else {
            return Ok(());
        };
        let url = RepositoryUrl::parse(&repository.url)?;
        let forge = self.forge_for(&url)?;
        let pull = match forge.pull_request(&url, number).await {
            Ok(pull) => pull,
            Err(ForgeError::NoPullRequest { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for workload in store.workloads_of_repository(repository_id).await? {
            let preview = store.preview(workload.id, number).await?;
            let allowed = !pull.from_fork
                || store
                    .pull_allowed_by(workload.id, number, pull.head.as_str())
                    .await?
                    .is_some();
            let given_up = match &preview {
                None => store.removed_preview(workload.id, number).await?,
                Some(_) => None,
            };
            let given_up = given_up.filter(|it| !it.removed_why.as_deref().is_some_and(was_ended));
            let wish = wish(&Pull {
                state: pull.state,
                head: pull.head.as_str(),
                allowed,
                auto: workload.previews.auto,
                runs_once: runs_once(kind_of(&workload)),
                previewed: preview.as_ref().map(|preview| preview.head_commit.as_str()),
                given_up: given_up.as_ref().map(|it| it.head_commit.as_str()),
            });
            let place = Place {
                workload,
                repository: repository.clone(),
                url: url.clone(),
                forge: forge.clone(),
            };
            let done = match (wish, preview) {
                (Wish::Remove(why), Some(preview)) => {
                    self.remove_by_itself(&preview, &place.workload, &why).await
                }
                (Wish::Build, _) => self.build_of_fork(&place, &pull, PUSH).await,
                (Wish::Deploy, preview) => {
                    let settings = place.workload.previews.replicas;
                    let replicas = preview.map_or(settings, |it| it.replicas);
                    self.deploy_by_itself(&place, pull.clone(), replicas).await
                }
                _ => Ok(()),
            };
            // What will be the same in an hour stands in the record.
            if let Err(error) = done
                && error.is_transient()
            {
                trouble = Err(error);
            }
        }
        trouble
    }

    /// Asks the forge what became of the pull requests of a repository while nobody could be told: of
    /// those that are open, where they are deployed by themselves, and of those that have a preview.
    pub async fn follow_missed_pulls(&self, repository_id: i64) -> Result<(), RoadError> {
        let store = &self.parts().store;
        let Some(repository) = store.repository(repository_id).await? else {
            return Ok(());
        };
        let mut numbers = BTreeSet::new();
        let mut auto = false;
        for workload in store.workloads_of_repository(repository_id).await? {
            auto |= workload.previews.auto;
            let previews = store.previews_of(workload.id, MAX_LISTED).await?;
            numbers.extend(previews.into_iter().map(|preview| preview.pull_request));
        }
        if auto {
            let url = RepositoryUrl::parse(&repository.url)?;
            let open = self.forge_for(&url)?.open_pull_requests(&url).await?;
            numbers.extend(open.into_iter().map(|pull| pull.number));
        }
        for number in numbers {
            self.follow_pull(repository_id, number).await?;
        }
        Ok(())
    }

    /// Deploys a pull request that moved; what keeps it from being deployed is in the record.
    async fn deploy_by_itself(
        &self,
        place: &Place,
        pull: ForgePull,
        replicas: i32,
    ) -> Result<(), RoadError> {
        let target = Target::Workload(place.workload.name.clone());
        let detail = json!({ "pull_request": pull.number, "commit": pull.head.as_str() });
        let asked = Asked {
            by: PUSH,
            replicas,
            reason: Some(format!("pull request {} has a new commit", pull.number)),
            override_reason: None,
        };
        let act = self.deploy_pull(place, pull, asked);
        let gate = &self.parts().gate;
        let hermez = Principal::system();
        let asked = gate.change(&hermez, Action::PreviewDeploy, target, detail, act);
        let Err(error) = Box::pin(asked).await else {
            return Ok(());
        };
        tracing::info!(%error, "a pull request is not deployed by itself");
        match error {
            GateError::Act(error) => Err(error),
            GateError::Access(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_tried_again_less_and_less_often() {
        let missed = Missed::default();
        missed.note((1, 12), true);
        let mut tries = Vec::new();
        for look in 1..=200 {
            for number in missed.due() {
                assert_eq!(number, (1, 12));
                tries.push(look);
                missed.note(number, true);
            }
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 63, 103, 143, 183]);
        missed.note((1, 12), false);
        assert!((0..100).all(|_| missed.due().is_empty()));
    }

    #[test]
    fn no_more_than_the_bound_is_kept() {
        let missed = Missed::default();
        for number in 0..12_000 {
            missed.note((1, number), true);
        }
        assert_eq!(missed.due().len(), MAX_MISSED);
    }
}
