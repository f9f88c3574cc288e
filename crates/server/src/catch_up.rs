//! What happened while the server was away: pushes that no webhook could deliver.

use std::collections::BTreeMap;

use futures::StreamExt;
use hermez_access::{Action, Principal, Target};
use hermez_store::{PageRequest, RepositoryRecord, StoreError, WorkloadFilter};
use serde_json::json;

use crate::change::change;
use crate::state::AppState;

/// Repositories that are fetched at the same time.
const AT_ONCE: usize = 2;

/// Fetches every workload's repository once; where new commits came, asks for the build of the
/// default branch's head, as a push would have.
pub async fn catch_up(state: AppState) {
    let repositories = match repositories(&state).await {
        Ok(repositories) => repositories,
        Err(error) => {
            tracing::warn!(%error, "cannot look for pushes that were missed");
            return;
        }
    };
    let work = futures::stream::iter(repositories)
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
    let Some(branch) = repository.default_branch else {
        return;
    };
    let detail = json!({ "branch": branch, "missed": true });
    let road = state.road.clone();
    let hermez = Principal::system();
    let pushed = change(
        state,
        &hermez,
        Action::Push,
        Target::Repository(id),
        detail,
        async move {
            road.pushed(id, Some(&branch), None).await?;
            Ok(())
        },
    );
    if let Err(error) = pushed.await {
        tracing::warn!(%error, repository = repository.url, "a missed push could not be followed");
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
