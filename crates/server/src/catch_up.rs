//! What happened while the server was away: what no webhook could tell of pushes and pull requests.

use std::collections::BTreeMap;

use futures::StreamExt;
use hermez_access::Principal;
use hermez_store::{PageRequest, PushRecord, RepositoryRecord, StoreError, WorkloadFilter};
use jiff::Timestamp;
use serde_json::json;

use crate::routes::follow_push;
use crate::state::AppState;

/// Repositories that are fetched at the same time.
const AT_ONCE: usize = 2;

/// Follows the pushes that were taken and not followed to the end. Fetches every workload's repository
/// once; where a branch that matters has a head that nobody has built, that is a push that was missed.
/// Then asks the forge what became of pull requests.
pub async fn catch_up(state: AppState) {
    if let Err(error) = state.road.forget_abandoned_repositories().await {
        tracing::warn!(%error, "a repository without workloads could not be forgotten");
    }
    let repositories = match repositories(&state).await {
        Ok(repositories) => repositories,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pushes that were missed");
            return;
        }
    };
    let mut left = match state.store.open_pushes().await {
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
        let state = state.clone();
        tokio::spawn(async move {
            for push in mine {
                let detail =
                    json!({ "branch": push.branch, "commit": push.commit, "missed": true });
                follow_push(&state, &Principal::system(), push, detail).await;
            }
            one(&state, repository).await;
        });
    }
    let work = futures::stream::iter(fresh)
        .for_each_concurrent(AT_ONCE, |repository| one(&state, repository));
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
        let detail = json!({ "branch": push.branch, "commit": push.commit, "missed": true });
        if let Err(error) = state.store.keep_push(&push, Timestamp::now()).await {
            tracing::warn!(%error, repository = repository.url, "a missed push is looked for again at the next start");
            return;
        }
        follow_push(state, &Principal::system(), push, detail).await;
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
