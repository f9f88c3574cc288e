//! What happened while the server was away: what no webhook could tell of pushes and pull requests.
//! And pushes that lie: the server that took them has ended, or was not able to put them down.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use hermez_access::Principal;
use hermez_store::{PageRequest, PushRecord, RepositoryRecord, StoreError, WorkloadFilter};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use crate::following::Followed;
use crate::routes::follow_push;
use crate::state::AppState;

/// Repositories that are fetched at the same time.
const AT_ONCE: usize = 2;
/// How often pushes are looked for that lie.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// After how long a push lies that is not followed here.
const LIES_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Catches up with what was missed, and follows what lies for as long as the server runs.
pub async fn catch_up(state: AppState) {
    tokio::join!(after_start(&state), keep_following(&state));
}

async fn keep_following(state: &AppState) {
    let mut timer = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = state.shutdown.cancelled() => return,
        }
        follow_what_lies(state).await;
    }
}

/// Follows the pushes that were taken some time ago and that this server does not follow. Another
/// server may: what both ask for is asked for once.
async fn follow_what_lies(state: &AppState) {
    let lying = match state.store.open_pushes(Timestamp::now() - LIES_AFTER).await {
        Ok(lying) => lying,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pushes that lie");
            return;
        }
    };
    for push in lying {
        let Some(followed) = state.following.begin(push) else {
            continue;
        };
        // Where there is none, the next look goes on.
        let Ok(place) = state.push_places.clone().try_acquire_owned() else {
            return;
        };
        let state = state.clone();
        tokio::spawn(async move {
            let _place = place;
            follow_missed(&state, &followed).await;
        });
    }
}

async fn follow_missed(state: &AppState, followed: &Followed) {
    let PushRecord { branch, commit, .. } = followed.push();
    let detail = json!({ "branch": branch, "commit": commit, "missed": true });
    follow_push(state, &Principal::system(), followed, detail).await;
}

/// Follows the pushes that were taken and not followed to the end. Fetches every workload's repository
/// once; where a branch that matters has a head that nobody has built, that is a push that was missed.
/// Then asks the forge what became of pull requests.
async fn after_start(state: &AppState) {
    if let Err(error) = state.road.forget_abandoned_repositories().await {
        tracing::warn!(%error, "a repository without workloads could not be forgotten");
    }
    let repositories = match repositories(state).await {
        Ok(repositories) => repositories,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pushes that were missed");
            return;
        }
    };
    let mut left = match state.store.open_pushes(Timestamp::now()).await {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pushes that were not followed");
            Vec::new()
        }
    };
    let mut fresh = Vec::new();
    for repository in repositories {
        let (mine, rest): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|push: &PushRecord| push.repository_id == repository.id);
        left = rest;
        if mine.is_empty() {
            fresh.push(repository);
            continue;
        }
        // In a task of its own, for its forge may be away; and one after the other, so that nothing is
        // asked for twice.
        let begin = |push| state.following.begin(push);
        let mine: Vec<Followed> = mine.into_iter().filter_map(begin).collect();
        let state = state.clone();
        tokio::spawn(async move {
            for followed in mine {
                follow_missed(&state, &followed).await;
            }
            one(&state, repository).await;
        });
    }
    let work = futures::stream::iter(fresh)
        .for_each_concurrent(AT_ONCE, |repository| one(state, repository));
    tokio::select! {
        () = work => {}
        () = state.shutdown.cancelled() => {}
    }
}

async fn one(state: &AppState, repository: RepositoryRecord) {
    let id = repository.id;
    if let Err(error) = state.road.complete_webhook(&repository).await {
        tracing::warn!(%error, repository = repository.url, "the webhook could not be noted");
    }
    let missed = match state.road.missed_pushes(id).await {
        Ok(missed) => missed,
        Err(error) => {
            tracing::info!(%error, repository = repository.url, "a repository could not be fetched");
            return;
        }
    };
    for push in missed {
        if let Err(error) = state.store.keep_push(&push, Timestamp::now()).await {
            tracing::warn!(%error, repository = repository.url, "a missed push is looked for again at the next start");
            return;
        }
        if let Some(followed) = state.following.begin(push) {
            follow_missed(state, &followed).await;
        }
    }
    if let Err(error) = state.road.follow_missed_pulls(id).await {
        tracing::info!(%error, repository = repository.url, "the forge could not be asked about pull requests");
    }
}

/// The repositories of all workloads, each once.
async fn repositories(state: &AppState) -> Result<Vec<RepositoryRecord>, StoreError> {
    let mut found = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = PageRequest::new(cursor, Some(PageRequest::MAX_LIMIT));
        let page = state
            .store
            .workloads(&WorkloadFilter::default(), &page)
            .await?;
        found.extend(
            page.items
                .into_iter()
                .map(|row| (row.repository.id, row.repository)),
        );
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found.into_values().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestServer;

    #[tokio::test]
    async fn a_push_that_lies_is_followed_though_no_server_starts() {
        let server = TestServer::start().await;
        let repository_id = server.workload("hello").await.repository_id;
        let push = |branch: &str| PushRecord {
            repository_id,
            branch: branch.to_owned(),
            commit: "a".repeat(40),
        };
        let (store, now) = (&server.state.store, Timestamp::now());
        let long_ago = now - LIES_AFTER - SignedDuration::from_secs(1);
        store.keep_push(&push("main"), long_ago).await.unwrap();
        store.keep_push(&push("next"), now).await.unwrap();
        follow_what_lies(&server.state).await;
        let is_followed = |branch: &str| server.state.following.begin(push(branch)).is_none();
        assert!(is_followed("main"));
        assert!(!is_followed("next"), "whoever took it follows it");
    }
}
