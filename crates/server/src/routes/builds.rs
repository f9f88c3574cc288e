//! Builds: ask, list, read, stop. Their logs are in `build_log`.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{Build, BuildState, BuildSummary, CreateBuild, Page};
use hermez_store::{BuildFilter, BuildRecord};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::responses::{Invalid, NotFound};
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_of_workload, create))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(cancel))
}

/// The answer to a number that no build has.
pub fn not_found(id: i64) -> ApiError {
    ApiError::new(catalog::BUILD_NOT_FOUND, format!("There is no build {id}."))
        .hint("`hermez build list` shows those that there are.")
}

/// Which builds are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StateQuery {
    /// State.
    state: Option<BuildState>,
}

/// Which builds are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct BuildQuery {
    /// Workload's name.
    workload: Option<String>,
    /// State.
    state: Option<BuildState>,
}

async fn page_of(
    state: &AppState,
    workload: Option<&str>,
    build_state: Option<BuildState>,
    paging: &Paging,
) -> Result<Json<Page<BuildSummary>>, ApiError> {
    let workload_id = match workload {
        Some(name) => {
            let found = state.store.workload(name).await?;
            Some(found.ok_or_else(|| workloads::not_found(name))?.id)
        }
        None => None,
    };
    let filter = BuildFilter {
        workload_id,
        states: build_state.into_iter().collect(),
    };
    let page = state.store.builds(&filter, &paging.request()).await?;
    let items = page.items.iter().map(BuildRecord::summary).collect();
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// List the builds of a workload
#[utoipa::path(
    get, path = "/workloads/{name}/builds", operation_id = "listWorkloadBuilds", tag = "builds",
    params(("name" = String, Path, description = "The workload's name."), StateQuery, PageQuery),
    responses((status = 200, description = "Builds, newest first.", body = Page<BuildSummary>), NotFound),
)]
async fn list_of_workload(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<StateQuery>,
    paging: Paging,
) -> Result<Json<Page<BuildSummary>>, ApiError> {
    page_of(&state, Some(&name), query.state, &paging).await
}

/// List builds
#[utoipa::path(
    get, path = "/builds", operation_id = "listBuilds", tag = "builds", params(BuildQuery, PageQuery),
    responses((status = 200, description = "Builds, newest first.", body = Page<BuildSummary>), NotFound),
)]
async fn list(
    State(state): State<AppState>,
    Query(query): Query<BuildQuery>,
    paging: Paging,
) -> Result<Json<Page<BuildSummary>>, ApiError> {
    page_of(&state, query.workload.as_deref(), query.state, &paging).await
}

/// Ask for the build of a commit
///
/// A commit has one build for a workload, however often it is asked for: 202 when this request
/// queued it, 200 when it was there already.
#[utoipa::path(
    post, path = "/workloads/{name}/builds", operation_id = "createBuild", tag = "builds",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request asks once."),
    ),
    request_body = CreateBuild,
    responses(
        (status = 200, description = "The commit's build, which was there already.", body = BuildSummary),
        (status = 202, description = "The commit's build, queued by this request.", body = BuildSummary),
        NotFound, Invalid,
    ),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateBuild>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/builds");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    once(
        &state,
        &caller,
        &headers,
        &operation,
        &asked,
        Box::pin(async move {
            let detail = json!({ "commit": shown(&ask.commit), "retry": ask.retry });
            let (road, by, target) = (
                at.road.clone(),
                who.name.clone(),
                Target::Workload(name.clone()),
            );
            let requested = change(&at, &who, Action::BuildCreate, target, detail, async move {
                Ok(road.request_build(&name, &ask, &by).await?)
            })
            .await?;
            let status = if requested.queued {
                StatusCode::ACCEPTED
            } else {
                StatusCode::OK
            };
            Ok((status, requested.build.summary()))
        }),
    )
    .await
}

/// A revision as the record of changes keeps it.
pub fn shown(revision: &str) -> String {
    revision.chars().take(255).collect()
}

/// Read a build
#[utoipa::path(
    get, path = "/builds/{id}", operation_id = "getBuild", tag = "builds",
    params(("id" = i64, Path, description = "The build's number.")),
    responses((status = 200, description = "The build with its steps and artifact.", body = Build), NotFound),
)]
async fn get(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Build>, ApiError> {
    Ok(Json(
        state
            .store
            .build_in_full(id)
            .await?
            .ok_or_else(|| not_found(id))?,
    ))
}

/// Stop a build
///
/// One that has ended stays as it is.
#[utoipa::path(
    post, path = "/builds/{id}/cancel", operation_id = "cancelBuild", tag = "builds",
    params(("id" = i64, Path, description = "The build's number.")),
    responses((status = 202, description = "It ends as soon as its builder hears of it.", body = BuildSummary), NotFound),
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<BuildSummary>), ApiError> {
    let road = state.road.clone();
    let build = change(
        &state,
        &caller.principal,
        Action::BuildCancel,
        Target::Build(id),
        json!({}),
        async move { Ok(road.cancel_build(id).await?) },
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(build.summary())))
}
