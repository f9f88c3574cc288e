//! What happened while the server was away: pushes that no webhook could deliver.

use std::collections::BTreeMap;

use futures::StreamExt;
use hermez_access::{Action, Principal, Target};
use hermez_source::RepositoryUrl;
use hermez_store::{PageRequest, PushRecord, RepositoryRecord, StoreError, WorkloadFilter};
use serde_json::json;

use crate::change::change;
use crate::routes::{deploy_pushed, follow_push};
use crate::state::AppState;

/// Repositories that are fetched at the same time.
const AT_ONCE: usize = 2;

/// Follows the pushes that were taken and not followed to the end. Fetches every workload's repository
/// once; where new commits came, asks for the build of the
/// default branch's head, as a push would have.
pub async fn catch_up(state: AppState) {
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
    match state.road.sync(id).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::info!(%error, repository = repository.url, "a repository could not be fetched");
            return;
        }
    }
    let mut branches: Vec<String> = repository.default_branch.clone().into_iter().collect();
    match state.store.workloads_of_repository(id).await {
        Ok(workloads) => {
            branches.extend(workloads.into_iter().filter_map(|it| it.auto_deploy));
        }
        Err(error) => tracing::warn!(%error, "cannot look for branches that deploy by themselves"),
    }
    branches.sort();
    branches.dedup();
    for branch in branches {
        follow(state, &repository, branch).await;
    }
}

/// Does what the push of a branch's newest commit would have done.
async fn follow(state: &AppState, repository: &RepositoryRecord, branch: String) {
    let id = repository.id;
    let head = match RepositoryUrl::parse(&repository.url) {
        Ok(url) => state.mirrors.resolve(&url, &branch).await.ok(),
        Err(_) => None,
    };
    let Some(head) = head else { return };
    let detail = json!({ "branch": branch, "commit": head.as_str(), "missed": true });
    let road = state.road.clone();
    let act = async move { Ok(road.pushed(id, Some(&branch), Some(head.as_str())).await?) };
    let target = Target::Repository(id);
    match change(
        state,
        &Principal::system(),
        Action::Push,
        target,
        detail,
        act,
    )
    .await
    {
        Ok(wanted) => deploy_pushed(state, wanted).await,
        Err(error) => {
            tracing::warn!(%error, repository = repository.url, "a missed push could not be followed");
        }
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
