//! How many pods a workload has: who says so, changing it, and the ledger of changes.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{
    Page, ReleaseScale, ScaleBounds, ScaleChange, ScaleStatus, SetAutoscaling, SetScale,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rollouts::recorded;
use super::workloads;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(status, scale, release))
        .routes(routes!(autoscale))
        .routes(routes!(bounds))
        .routes(routes!(changes))
}

/// See how many pods a workload has
///
/// And who says so: the config file, a person, an autoscaler, or something beside Hermez.
#[utoipa::path(
    get, path = "/workloads/{name}/scale", operation_id = "getScale", tag = "scale",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "How many, and who says so.", body = ScaleStatus), NotFound),
)]
async fn status(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<ScaleStatus>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.scale_status(&name).await?))
}

/// Changes the number of pods through the gate, once for an `Idempotency-Key`.
async fn ask<A, F>(
    state: AppState,
    caller: Caller,
    headers: HeaderMap,
    (operation, name): (&'static str, String),
    (asked, detail): (A, Value),
    act: impl FnOnce(hermez_deploy::Road, String, A, String) -> F + Send + 'static,
) -> Result<Response, ApiError>
where
    A: Serialize + Clone + Send + 'static,
    F: Future<Output = Result<ScaleChange, hermez_deploy::RoadError>> + Send + 'static,
{
    let operation = format!("{operation} /workloads/{name}");
    let (at, who, body) = (state.clone(), caller.principal.clone(), asked.clone());
    let work = Box::pin(async move {
        workloads::find(&at, &name).await?;
        let target = Target::Workload(name.clone());
        let (road, by) = (at.road.clone(), who.name.clone());
        let act = async move { Ok(act(road, name, asked, by).await?) };
        let made = change(&at, &who, Action::WorkloadScale, target, detail, act).await?;
        Ok((StatusCode::ACCEPTED, made))
    });
    once(&state, &caller, &headers, &operation, &body, work).await
}

/// Ask for a number of pods
///
/// Deploys leave it as it is. It holds until its end, or until somebody changes it again.
#[utoipa::path(
    post, path = "/workloads/{name}/scale", operation_id = "setScale", tag = "scale",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request is one change."),
    ),
    request_body = SetScale,
    responses((status = 202, description = "The change; `pending` while the cluster does not take it.", body = ScaleChange), NotFound, Conflict, Invalid),
)]
async fn scale(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SetScale>,
) -> Result<Response, ApiError> {
    let detail = json!({
        "replicas": body.replicas, "fixed": body.fixed, "until": body.until,
        "reason": recorded(Some(&body.reason)),
    });
    let act = async |road: hermez_deploy::Road, name: String, body: SetScale, by: String| {
        road.request_scale(&name, &body, &by).await
    };
    let act = move |road, name, body, by| Box::pin(act(road, name, body, by));
    ask(
        state,
        caller,
        headers,
        ("POST scale", name),
        (body, detail),
        act,
    )
    .await
}

/// Let the number of pods follow their load
///
/// In place of what the config file says. Deploys leave it as it is.
#[utoipa::path(
    post, path = "/workloads/{name}/autoscaling", operation_id = "setAutoscaling", tag = "scale",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request is one change."),
    ),
    request_body = SetAutoscaling,
    responses((status = 202, description = "The change; `pending` while the cluster does not take it.", body = ScaleChange), NotFound, Conflict, Invalid),
)]
async fn autoscale(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SetAutoscaling>,
) -> Result<Response, ApiError> {
    let detail = json!({
        "autoscaling": body.settings, "until": body.until, "reason": recorded(Some(&body.reason)),
    });
    let act = async |road: hermez_deploy::Road, name: String, body: SetAutoscaling, by: String| {
        road.request_autoscaling(&name, &body, &by).await
    };
    let act = move |road, name, body, by| Box::pin(act(road, name, body, by));
    ask(
        state,
        caller,
        headers,
        ("POST autoscaling", name),
        (body, detail),
        act,
    )
    .await
}

/// Let the config file say how many pods there are
///
/// Ends what a person has set, and takes the number back from whatever wrote it to the cluster.
#[utoipa::path(
    delete, path = "/workloads/{name}/scale", operation_id = "releaseScale", tag = "scale",
    params(("name" = String, Path, description = "The workload's name."), ReleaseQuery),
    responses((status = 202, description = "The change.", body = ScaleChange), NotFound, Conflict),
)]
async fn release(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    Query(query): Query<ReleaseQuery>,
) -> Result<Response, ApiError> {
    let body = ReleaseScale {
        reason: query.reason,
    };
    let detail = json!({ "file": true, "reason": recorded(body.reason.as_ref()) });
    let act = async |road: hermez_deploy::Road, name: String, body: ReleaseScale, by: String| {
        road.release_scale(&name, &body, &by).await
    };
    let act = move |road, name, body, by| Box::pin(act(road, name, body, by));
    ask(
        state,
        caller,
        headers,
        ("DELETE scale", name),
        (body, detail),
        act,
    )
    .await
}

/// Why.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ReleaseQuery {
    /// Why (at most 1,000 characters).
    reason: Option<String>,
}

/// Set the numbers of pods that people may ask for
///
/// They hold for people, not for the config file. 0 pods may always be asked for.
#[utoipa::path(
    put, path = "/workloads/{name}/scale/bounds", operation_id = "setScaleBounds", tag = "scale",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = ScaleBounds,
    responses((status = 200, description = "The bounds.", body = ScaleBounds), NotFound, Invalid),
)]
async fn bounds(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<ScaleBounds>,
) -> Result<Json<ScaleBounds>, ApiError> {
    workloads::find(&state, &name).await?;
    let (road, target) = (state.road.clone(), Target::Workload(name.clone()));
    let detail = json!({ "scale_bounds": body });
    let act = async move { Ok(road.set_scale_bounds(&name, body).await?) };
    let action = Action::WorkloadScale;
    let workload = change(&state, &caller.principal, action, target, detail, act).await?;
    Ok(Json(workload.scale_bounds))
}

/// Read the ledger of a workload's number of pods
///
/// Every change that was asked for through Hermez, newest first.
#[utoipa::path(
    get, path = "/workloads/{name}/scale/changes", operation_id = "listScaleChanges", tag = "scale",
    params(("name" = String, Path, description = "The workload's name."), PageQuery),
    responses((status = 200, description = "The changes.", body = Page<ScaleChange>), NotFound, Invalid),
)]
async fn changes(
    State(state): State<AppState>,
    Path(name): Path<String>,
    page: Paging,
) -> Result<Json<Page<ScaleChange>>, ApiError> {
    let row = workloads::find(&state, &name).await?;
    let (store, page) = (&state.store, page.request());
    Ok(Json(store.scale_changes(row.workload.id, &page).await?))
}
