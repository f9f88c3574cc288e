//! Workloads: plan, create, list, read, change, delete, sync.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use hermez_access::{Action, Target};
use hermez_api::{
    Category, CreateWorkload, MirrorStatus, Page, UpdatePreviewSettings, UpdateWorkload, Workload,
    WorkloadPlan, WorkloadStatus, WorkloadSummary,
};
use hermez_deploy::preview::MAX_REPLICAS;
use hermez_store::{PreviewChanges, WorkloadFilter, WorkloadRow, WorkloadSettings};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::responses::{
    Conflict, Invalid, NotFound, Preconditions, Unavailable, Upstream,
};
use crate::problem::{ApiError, catalog};
use crate::state::AppState;
use crate::{etag, views};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(plan))
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(sync))
        .routes(routes!(status))
}

/// The workload of this name with its repository and deploys.
pub async fn find(state: &AppState, name: &str) -> Result<WorkloadRow, ApiError> {
    state
        .store
        .workload_row(name)
        .await?
        .ok_or_else(|| not_found(name))
}

/// The answer to a name that no workload has.
pub fn not_found(name: &str) -> ApiError {
    let shown: String = name.chars().take(63).collect();
    ApiError::new(
        catalog::WORKLOAD_NOT_FOUND,
        format!("There is no workload `{shown}`."),
    )
    .hint("`hermez workload list` shows those that there are.")
}

/// Read a repository and a config file without creating anything
#[utoipa::path(
    post, path = "/workloads/plan", operation_id = "planWorkload", tag = "workloads",
    request_body = CreateWorkload,
    responses((status = 200, description = "What creating would do.", body = WorkloadPlan), Invalid),
)]
async fn plan(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(ask): JsonBody<CreateWorkload>,
) -> Result<Json<WorkloadPlan>, ApiError> {
    let target = Target::RepositoryUrl(harmless(&ask.repository));
    let detail = detail(&ask);
    let road = state.road.clone();
    let plan = change(
        &state,
        &caller.principal,
        Action::WorkloadPlan,
        target,
        detail,
        async move { Ok(road.plan(&ask).await?) },
    )
    .await?;
    Ok(Json(plan))
}

/// Create a workload
///
/// Reads the repository and the config file, installs the forge's webhook where the forge is
/// known, and asks for the first build. Leaves nothing behind when it fails.
#[utoipa::path(
    post, path = "/workloads", operation_id = "createWorkload", tag = "workloads",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request creates once.")),
    request_body = CreateWorkload,
    responses(
        (status = 201, description = "It was created.", body = Workload),
        Conflict, Invalid,
    ),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateWorkload>,
) -> Result<Response, ApiError> {
    let (at, who) = (state.clone(), caller.principal.clone());
    let asked = ask.clone();
    once(
        &state,
        &caller,
        &headers,
        "POST /workloads",
        &asked,
        Box::pin(async move {
            let target = Target::RepositoryUrl(harmless(&ask.repository));
            let (road, by) = (at.road.clone(), who.name.clone());
            let detail = detail(&ask);
            let cluster = at.cluster.clone();
            let answer = move |row: &WorkloadRow| views::workload(row, &cluster);
            let created = change(
                &at,
                &who,
                Action::WorkloadCreate,
                target,
                detail,
                async move { Ok(road.create_workload(&ask, &by, answer).await?) },
            )
            .await?;
            let row = find(&at, &created.name).await?;
            Ok((StatusCode::CREATED, views::workload(&row, &at.cluster)))
        }),
    )
    .await
}

/// What is kept of a request in the record of changes: everything but the secrets.
fn detail(ask: &CreateWorkload) -> serde_json::Value {
    json!({
        "repository": harmless(&ask.repository),
        "config": ask.config.chars().take(1024).collect::<String>(),
        "branch": ask.branch.as_ref().map(|branch| branch.chars().take(255).collect::<String>()),
        "category": ask.category,
    })
}

/// A repository's URL without what it must not have but may: a user name and a password.
fn harmless(repository: &str) -> String {
    match hermez_source::RepositoryUrl::parse(repository) {
        Ok(url) => url.to_string(),
        Err(_) => "(not a repository's URL)".to_owned(),
    }
}

/// Which workloads are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WorkloadQuery {
    /// Part of the name, whatever its case.
    q: Option<String>,
    /// Category.
    category: Option<Category>,
    /// Workload type, for example `PinterestService`.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    workload_type: Option<String>,
    /// Project.
    project: Option<String>,
}

/// List workloads
#[utoipa::path(
    get, path = "/workloads", operation_id = "listWorkloads", tag = "workloads",
    params(WorkloadQuery, PageQuery),
    responses((status = 200, description = "Workloads by name.", body = Page<WorkloadSummary>)),
)]
async fn list(
    State(state): State<AppState>,
    Query(query): Query<WorkloadQuery>,
    paging: Paging,
) -> Result<Json<Page<WorkloadSummary>>, ApiError> {
    let filter = WorkloadFilter {
        q: query.q.filter(|q| !q.is_empty()),
        category: query.category,
        workload_type: query.workload_type,
        project: query.project,
    };
    let page = state.store.workloads(&filter, &paging.request()).await?;
    let items = page
        .items
        .iter()
        .map(|row| views::summary_and_status(row, &state.cluster).0)
        .collect();
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// Read a workload
#[utoipa::path(
    get, path = "/workloads/{name}", operation_id = "getWorkload", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses(
        (status = 200, description = "The workload.", body = Workload,
            headers(("ETag" = String, description = "Version of the record, for `If-Match`."))),
        NotFound,
    ),
)]
async fn get(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    Ok(tagged(&find(&state, &name).await?, &state))
}

fn tagged(row: &WorkloadRow, state: &AppState) -> Response {
    let etag = AppendHeaders([(header::ETAG, etag::of(row.workload.version))]);
    (etag, Json(views::workload(row, &state.cluster))).into_response()
}

/// Change a workload's settings
#[utoipa::path(
    patch, path = "/workloads/{name}", operation_id = "updateWorkload", tag = "workloads",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("If-Match" = String, Header, description = "The `ETag` that was read, or `*`."),
    ),
    request_body = UpdateWorkload,
    responses(
        (status = 200, description = "The workload as it is now.", body = Workload,
            headers(("ETag" = String, description = "New version of the record."))),
        NotFound, Preconditions, Invalid,
    ),
)]
async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(update): JsonBody<UpdateWorkload>,
) -> Result<Response, ApiError> {
    let expected = etag::required(&headers)?;
    let branch = update.auto_deploy.as_deref().map(str::trim);
    let shown = branch.map(|branch| branch.chars().take(255).collect::<String>());
    let previews = preview_changes(update.previews.unwrap_or_default())?;
    let detail = json!({
        "category": update.category, "auto_deploy": shown, "previews": update.previews,
    });
    let settings = WorkloadSettings {
        previews,
        category: update.category,
        auto_deploy: branch.map(|branch| (!branch.is_empty()).then(|| branch.to_owned())),
    };
    let (store, road, workload) = (state.store.clone(), state.road.clone(), name.clone());
    change(
        &state,
        &caller.principal,
        Action::WorkloadUpdate,
        Target::Workload(name.clone()),
        detail,
        async move {
            if let Some(Some(branch)) = &settings.auto_deploy {
                road.require_branch(&workload, branch).await?;
            }
            if settings.previews.auto == Some(true) {
                road.expect_pull_requests(&workload).await?;
            }
            let changes = settings.category.is_some()
                || settings.auto_deploy.is_some()
                || !settings.previews.is_empty();
            if changes {
                store.set_workload(&workload, expected, &settings).await?;
                return Ok(());
            }
            let found = store.workload(&workload).await?;
            let found = found.ok_or_else(|| not_found(&workload))?;
            if expected.is_some_and(|version| version != found.version) {
                return Err(etag::changed());
            }
            Ok(())
        },
    )
    .await?;
    Ok(tagged(&find(&state, &name).await?, &state))
}

/// Delete a workload
///
/// Takes it and all that belongs to it out of the cluster; its history is kept, and its name is
/// free again.
#[utoipa::path(
    delete, path = "/workloads/{name}", operation_id = "deleteWorkload", tag = "workloads",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("If-Match" = Option<String>, Header, description = "Delete only the version that was read."),
    ),
    responses((status = 204, description = "It is gone."), NotFound, Preconditions, Upstream, Unavailable),
)]
async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let expected = etag::optional(&headers)?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let target = Target::Workload(name.clone());
    change(
        &state,
        &caller.principal,
        Action::WorkloadDelete,
        target,
        json!({}),
        async move {
            road.delete_workload(&name, expected, &by).await?;
            Ok(())
        },
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What becomes of a workload's previews, within its bounds.
fn preview_changes(ask: UpdatePreviewSettings) -> Result<PreviewChanges, ApiError> {
    let fields = [
        ("replicas", ask.replicas, MAX_REPLICAS),
        ("idle_minutes", ask.idle_minutes, 7 * 24 * 60),
        ("expiry_days", ask.expiry_days, 90),
    ];
    for (field, number, most) in fields {
        if let Some(number) = number.filter(|number| !(1..=most).contains(number)) {
            let message = format!("`previews.{field}` is {number}; it may be 1 to {most}.");
            return Err(ApiError::new(catalog::INVALID_BODY, message));
        }
    }
    Ok(PreviewChanges {
        auto: ask.auto,
        replicas: ask.replicas,
        idle_minutes: ask.idle_minutes,
        expiry_days: ask.expiry_days,
    })
}

/// Fetch a workload's repository now
#[utoipa::path(
    post, path = "/workloads/{name}/sync", operation_id = "syncWorkload", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "State of the mirror after it.", body = MirrorStatus), NotFound, Invalid),
)]
async fn sync(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<MirrorStatus>, ApiError> {
    let found = find(&state, &name).await?;
    let (road, repository) = (state.road.clone(), found.repository.id);
    let target = Target::Workload(name.clone());
    change(
        &state,
        &caller.principal,
        Action::WorkloadSync,
        target,
        json!({}),
        async move { Ok(road.sync(repository).await?) },
    )
    .await?;
    Ok(Json(find(&state, &name).await?.repository.mirror_status()))
}

/// Read a workload's live status
#[utoipa::path(
    get, path = "/workloads/{name}/status", operation_id = "getWorkloadStatus", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "What runs now, from the cluster's watches.", body = WorkloadStatus), NotFound),
)]
async fn status(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<WorkloadStatus>, ApiError> {
    let row = find(&state, &name).await?;
    Ok(Json(views::summary_and_status(&row, &state.cluster).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_of_a_request_has_no_secret() {
        let ask = CreateWorkload {
            repository: "https://ada:hunter2@git.example/app".to_owned(),
            config: "service.yaml".to_owned(),
            branch: None,
            username: Some("ada".to_owned()),
            password: Some("hunter2".to_owned()),
            category: None,
        };
        assert!(!detail(&ask).to_string().contains("hunter2"));
    }
}
