//! Deploys: ask, list, read, follow, stop.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::Stream;
use hermez_access::{Action, Target};
use hermez_api::{CreateDeploy, Deploy, DeployKind, DeployState, DeploySummary, Page};
use hermez_store::{Change, DeployFilter, DeployRecord};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::builds::shown;
use super::workloads;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::responses::{Conflict, Invalid, NotFound, Unavailable};
use crate::problem::{ApiError, catalog};
use crate::sse;
use crate::state::AppState;
use crate::wake::Wake;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_of_workload, create))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(watch))
}

pub fn not_found(id: i64) -> ApiError {
    ApiError::new(
        catalog::DEPLOY_NOT_FOUND,
        format!("There is no deploy {id}."),
    )
    .hint("`hermez history` shows those that there are.")
}

/// Which deploys are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// State.
    state: Option<DeployState>,
    /// What it does.
    kind: Option<DeployKind>,
    /// Who asked.
    by: Option<String>,
    /// Beginning of the commit's id.
    commit: Option<String>,
    /// Asked for at this time or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Asked for before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Of this pull request.
    pull_request: Option<i64>,
}

/// Which deploys are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WorkloadQuery {
    /// Workload's name.
    workload: Option<String>,
}

/// Most digits that a commit's id has.
const COMMIT_DIGITS: usize = 40;

impl HistoryQuery {
    /// The filter; what no deploy can ever pass is refused, so that it is not taken for a history
    /// in which there is nothing.
    fn filter(self) -> Result<DeployFilter, ApiError> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(ApiError::new(
                catalog::INVALID_PARAMETER,
                format!("`since` is {since}, and `until` is {until}: nothing lies between."),
            )
            .hint("Give a `since` that is earlier than `until`."));
        }
        let commit = self.commit.as_deref().map(str::trim);
        let commit = commit.filter(|commit| !commit.is_empty());
        if let Some(commit) = commit
            && (commit.len() > COMMIT_DIGITS || !commit.bytes().all(|it| it.is_ascii_hexdigit()))
        {
            return Err(ApiError::new(
                catalog::INVALID_PARAMETER,
                format!(
                    "`commit` is `{}`; no commit's id begins like this.",
                    shown(commit)
                ),
            )
            .hint(format!(
                "Give the first digits of its id, 1 to {COMMIT_DIGITS} of 0-9 and a-f."
            )));
        }
        Ok(DeployFilter {
            workload_id: None,
            states: self.state.into_iter().collect(),
            kind: self.kind,
            commit: commit.map(str::to_owned),
            requested_by: self.by.filter(|by| !by.is_empty()),
            since: self.since,
            until: self.until,
            pull_request: self.pull_request,
        })
    }
}

async fn page_of(
    state: &AppState,
    workload: Option<&str>,
    query: HistoryQuery,
    paging: &Paging,
) -> Result<Json<Page<DeploySummary>>, ApiError> {
    let mut filter = query.filter()?;
    if let Some(name) = workload {
        let found = state.store.workload(name).await?;
        filter.workload_id = Some(found.ok_or_else(|| workloads::not_found(name))?.id);
    }
    let page = state.store.deploys(&filter, &paging.request()).await?;
    let items = page.items.iter().map(DeployRecord::summary).collect();
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// List the deploys of a workload
#[utoipa::path(
    get, path = "/workloads/{name}/deploys", operation_id = "listWorkloadDeploys", tag = "deploys",
    params(("name" = String, Path, description = "The workload's name."), HistoryQuery, PageQuery),
    responses((status = 200, description = "Deploys, newest first.", body = Page<DeploySummary>), NotFound),
)]
async fn list_of_workload(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<HistoryQuery>,
    paging: Paging,
) -> Result<Json<Page<DeploySummary>>, ApiError> {
    page_of(&state, Some(&name), query, &paging).await
}

/// List deploys
#[utoipa::path(
    get, path = "/deploys", operation_id = "listDeploys", tag = "deploys", params(WorkloadQuery, HistoryQuery, PageQuery),
    responses((status = 200, description = "Deploys, newest first.", body = Page<DeploySummary>), NotFound),
)]
async fn list(
    State(state): State<AppState>,
    Query(of): Query<WorkloadQuery>,
    Query(query): Query<HistoryQuery>,
    paging: Paging,
) -> Result<Json<Page<DeploySummary>>, ApiError> {
    page_of(&state, of.workload.as_deref(), query, &paging).await
}

/// Deploy a commit
///
/// Builds it first where it has no artifact yet.
#[utoipa::path(
    post, path = "/workloads/{name}/deploys", operation_id = "createDeploy", tag = "deploys",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request deploys once."),
    ),
    request_body = CreateDeploy,
    responses((status = 202, description = "The deploy, which begins now.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateDeploy>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/deploys");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    once(
        &state,
        &caller,
        &headers,
        &operation,
        &asked,
        Box::pin(async move {
            let reason = ask
                .reason
                .as_ref()
                .map(|reason| reason.chars().take(1000).collect::<String>());
            let override_bad = ask
                .override_bad
                .as_ref()
                .map(|reason| reason.chars().take(1000).collect::<String>());
            let detail = json!({
                "commit": ask.commit.as_deref().map(shown),
                "latest": ask.latest,
                "branch": ask.branch.as_deref().map(shown),
                "reason": reason,
                "override_bad": override_bad,
            });
            let (road, by, target) = (
                at.road.clone(),
                who.name.clone(),
                Target::Workload(name.clone()),
            );
            let deploy = change(
                &at,
                &who,
                Action::DeployCreate,
                target,
                detail,
                async move { Ok(road.request_deploy(&name, &ask, &by).await?) },
            )
            .await?;
            Ok((StatusCode::ACCEPTED, deploy.summary()))
        }),
    )
    .await
}

/// Read a deploy
#[utoipa::path(
    get, path = "/deploys/{id}", operation_id = "getDeploy", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    responses((status = 200, description = "The deploy with its images and timeline.", body = Deploy), NotFound),
)]
async fn get(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Deploy>, ApiError> {
    Ok(Json(
        state
            .store
            .deploy_in_full(id)
            .await?
            .ok_or_else(|| not_found(id))?,
    ))
}

/// Stop a deploy
///
/// One that has ended stays as it is, and so does what was applied already.
#[utoipa::path(
    post, path = "/deploys/{id}/cancel", operation_id = "cancelDeploy", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    responses((status = 202, description = "It ends at its next step.", body = DeploySummary), NotFound),
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let deploy = change(
        &state,
        &caller.principal,
        Action::DeployCancel,
        Target::Deploy(id),
        json!({}),
        async move { Ok(road.cancel_deploy(id, &by).await?) },
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(deploy.summary())))
}

/// Follow a deploy
///
/// A stream: `event` (a `DeployEvent`, whose `seq` is the event's id) for all that happened and
/// happens, `deploy` (a `DeploySummary`) when it changes; ends with the deploy. Resumes after
/// `Last-Event-ID`.
#[utoipa::path(
    get, path = "/deploys/{id}/watch", operation_id = "watchDeploy", tag = "deploys",
    params(
        ("id" = i64, Path, description = "The deploy's number."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event seen."),
    ),
    responses(
        (status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"),
        NotFound, Unavailable,
    ),
)]
async fn watch(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = sse::last_event_id(&headers)?.unwrap_or(0);
    state.store.deploy(id).await?.ok_or_else(|| not_found(id))?;
    sse::respond(&state, &caller, follow(state.clone(), id, after))
}

fn follow(
    state: AppState,
    id: i64,
    mut seq: i64,
) -> impl Stream<Item = axum::response::sse::Event> {
    async_stream::stream! {
        let mut wake = Wake::new(&state.store, vec![Change::Deploy(id)]);
        let mut told = None;
        loop {
            // The row is read before its timeline, so that an ended row has its whole timeline.
            let Ok(Some(deploy)) = state.store.deploy(id).await else { return };
            let Ok(events) = state.store.deploy_events(id, seq).await else { return };
            let more = !events.is_empty();
            for event in events {
                seq = event.seq;
                yield sse::numbered("event", seq, &event);
            }
            let summary = deploy.summary();
            let words = serde_json::to_string(&summary).ok();
            if told != words {
                yield sse::event("deploy", &summary);
                told = words;
            }
            if deploy.state.is_over() && !more {
                return;
            }
            if !deploy.state.is_over() {
                wake.wait().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_query(since: &str, until: &str, commit: &str) -> HistoryQuery {
        HistoryQuery {
            state: None,
            kind: None,
            by: None,
            commit: Some(commit.to_owned()),
            since: since.parse().ok(),
            until: until.parse().ok(),
            pull_request: None,
        }
    }

    #[test]
    fn what_no_deploy_can_pass_is_refused() {
        let (early, late) = ("2026-11-24T10:00:00Z", "2026-11-24T10:00:01Z");
        for (since, until) in [(early, late), ("", early), (late, ""), ("", "")] {
            let taken = mk_query(since, until, "").filter();
            assert!(taken.is_ok(), "{since} {until}");
        }
        for (since, until) in [(late, early), (early, early)] {
            let refused = mk_query(since, until, "").filter().unwrap_err();
            assert_eq!(refused.kind(), catalog::INVALID_PARAMETER);
            assert!(refused.to_string().contains("`since`"), "{refused}");
        }
        let id = "95F6178e872a9d279440e579dbcf3600eed5dd7e";
        for (given, wanted) in [("", None), (" 9", Some("9")), (id, Some(id))] {
            let taken = mk_query("", "", given).filter().unwrap();
            assert_eq!(taken.commit.as_deref(), wanted);
        }
        for wrong in ["zzz", "main", "95f6178%", "é", &"a".repeat(41)] {
            let refused = mk_query("", "", wrong).filter().unwrap_err();
            assert_eq!(refused.kind(), catalog::INVALID_PARAMETER);
            assert!(refused.to_string().contains("`commit`"), "{refused}");
        }
    }
}
