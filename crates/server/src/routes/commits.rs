//! Branches and commits of a workload's repository, from its mirror.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use hermez_api::{Branch, Commit, Page};
use hermez_source::{CommitId, RepositoryUrl};
use hermez_store::WorkloadRow;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads::find;
use crate::paging::{Cursor, PageQuery, Paging, bad_cursor};
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;
use crate::views;

/// Commits that one request with a filter looks through.
const LOOKED_THROUGH_MAX: usize = 2_000;
const BATCH: usize = 200;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(branches))
        .routes(routes!(commits))
}

/// The repository's URL; it was checked when the workload was created.
pub fn url_of(row: &WorkloadRow) -> Result<RepositoryUrl, ApiError> {
    RepositoryUrl::parse(&row.repository.url).map_err(ApiError::internal)
}

/// List the branches of a workload's repository
#[utoipa::path(
    get, path = "/workloads/{name}/branches", operation_id = "listBranches", tag = "commits",
    params(("name" = String, Path, description = "The workload's name."), PageQuery),
    responses((status = 200, description = "Branches, the newest first.", body = Page<Branch>), NotFound, Conflict),
)]
async fn branches(
    State(state): State<AppState>,
    Path(name): Path<String>,
    paging: Paging,
) -> Result<Json<Page<Branch>>, ApiError> {
    let row = find(&state, &name).await?;
    state.road.require_mirror(&row.repository).await?;
    let mut branches = state.mirrors.branches(&url_of(&row)?).await?;
    branches.sort_by(|a, b| {
        b.committed_at
            .cmp(&a.committed_at)
            .then_with(|| a.name.cmp(&b.name))
    });
    let after = paging.after("branches")?;
    let start = after.map_or(0, |last| {
        branches
            .iter()
            .position(|branch| branch.name == last)
            .map_or(branches.len(), |at| at + 1)
    });
    let rest = &branches[start..];
    let items: Vec<Branch> = rest
        .iter()
        .take(paging.limit())
        .map(|branch| Branch {
            name: branch.name.clone(),
            head: branch.head.to_string(),
            committed_at: branch.committed_at,
        })
        .collect();
    let next_cursor = items
        .last()
        .filter(|_| rest.len() > items.len())
        .map(|last| Cursor::encode("branches", &last.name));
    Ok(Json(Page { items, next_cursor }))
}

/// Which commits are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CommitQuery {
    /// Branch; the repository's default branch when absent.
    branch: Option<String>,
    /// Part of the id, the message's first line or the author's name, whatever its case. One
    /// request looks through 2,000 commits; the cursor goes on from there.
    q: Option<String>,
}

/// List the commits of a branch, with what became of each
#[utoipa::path(
    get, path = "/workloads/{name}/commits", operation_id = "listCommits", tag = "commits",
    params(("name" = String, Path, description = "The workload's name."), CommitQuery, PageQuery),
    responses(
        (status = 200, description = "Commits, newest first.", body = Page<Commit>),
        NotFound, Conflict, Invalid,
    ),
)]
async fn commits(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<CommitQuery>,
    paging: Paging,
) -> Result<Json<Page<Commit>>, ApiError> {
    let row = find(&state, &name).await?;
    let after = paging
        .after("commits")?
        .map(|id| CommitId::parse(&id).map_err(|_| bad_cursor()))
        .transpose()?;
    if after.is_none() {
        state.refresher.looked_at(&row.repository, &state.road);
    }
    state.road.require_mirror(&row.repository).await?;
    let url = url_of(&row)?;
    let branch = match query.branch.filter(|branch| !branch.is_empty()) {
        Some(branch) => branch,
        None => match &row.repository.default_branch {
            Some(branch) => branch.clone(),
            None => state.mirrors.default_branch(&url).await?,
        },
    };
    let (found, next) = search(
        &state,
        &url,
        &branch,
        query.q.as_deref(),
        after,
        paging.limit(),
    )
    .await?;
    let items = with_results(&state, &row, &branch, found).await?;
    let next_cursor = next.map(|id| Cursor::encode("commits", id.as_str()));
    Ok(Json(Page { items, next_cursor }))
}

/// Up to `limit` commits that match, and the last one looked at where there are more.
async fn search(
    state: &AppState,
    url: &RepositoryUrl,
    branch: &str,
    q: Option<&str>,
    mut after: Option<CommitId>,
    limit: usize,
) -> Result<(Vec<hermez_source::Commit>, Option<CommitId>), ApiError> {
    let wanted = q
        .map(str::trim)
        .filter(|q| !q.is_empty())
        .map(str::to_lowercase);
    let batch = if wanted.is_some() { BATCH } else { limit };
    let mut found = Vec::new();
    let mut looked = 0;
    loop {
        // One more than needed tells whether there are more.
        let mut commits = state
            .mirrors
            .commits(url, branch, after.as_ref(), batch + 1)
            .await?;
        let more = commits.len() > batch;
        commits.truncate(batch);
        for commit in commits {
            let id = commit.id.clone();
            if wanted.as_deref().is_none_or(|q| matches(&commit, q)) {
                if found.len() == limit {
                    return Ok((found, after));
                }
                found.push(commit);
            }
            after = Some(id);
            looked += 1;
        }
        if !more {
            return Ok((found, None));
        }
        if found.len() >= limit || looked >= LOOKED_THROUGH_MAX {
            return Ok((found, after));
        }
    }
}

fn matches(commit: &hermez_source::Commit, q: &str) -> bool {
    commit.id.as_str().starts_with(q)
        || commit.title.to_lowercase().contains(q)
        || commit.author.to_lowercase().contains(q)
}

/// Adds builds and artifacts: two queries, whatever the length.
async fn with_results(
    state: &AppState,
    row: &WorkloadRow,
    branch: &str,
    commits: Vec<hermez_source::Commit>,
) -> Result<Vec<Commit>, ApiError> {
    let ids: Vec<String> = commits.iter().map(|commit| commit.id.to_string()).collect();
    // Builds first: an artifact that appears between the two reads is then seen.
    let builds: HashMap<_, _> = state
        .store
        .builds_of_commits(row.workload.id, &ids)
        .await?
        .into_iter()
        .map(|build| (build.commit.clone(), build))
        .collect();
    let artifacts: HashMap<_, _> = state
        .store
        .artifacts_of_commits(row.workload.id, &ids)
        .await?
        .into_iter()
        .map(|artifact| (artifact.commit.clone(), artifact))
        .collect();
    let current = row.current.as_ref().map(|deploy| deploy.commit.as_str());
    Ok(commits
        .into_iter()
        .map(|commit| {
            let build = builds.get(commit.id.as_str());
            let artifact = artifacts.get(commit.id.as_str());
            views::commit(commit, branch, build, artifact, current)
        })
        .collect())
}
