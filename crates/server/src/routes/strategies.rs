//! Rollout strategies of workloads: canaries and waves of clusters.

use axum::Json;
use axum::extract::{Path, State};
use hermez_access::{Action, Target};
use hermez_api::{
    DeploySummary, PlacementStatus, PromoteDeploy, RolloutStrategy, WorkloadStrategy,
};
use http::StatusCode;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads;
use crate::auth::Caller;
use crate::change::change;
use crate::json::JsonBody;
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get, set, clear))
        .routes(routes!(placements))
        .routes(routes!(promote))
}

/// See how new versions of a workload reach its pods
#[utoipa::path(
    get, path = "/workloads/{name}/strategy", operation_id = "getStrategy", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "The strategy.", body = WorkloadStrategy), NotFound),
)]
async fn get(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<WorkloadStrategy>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.strategy(&name).await?))
}

async fn put(
    state: &AppState,
    caller: &Caller,
    name: String,
    strategy: Option<RolloutStrategy>,
) -> Result<Json<WorkloadStrategy>, ApiError> {
    workloads::find(state, &name).await?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let detail = json!({ "strategy": strategy });
    let target = Target::Workload(name.clone());
    let act = async move { Ok(road.set_strategy(&name, strategy.as_ref(), &by).await?) };
    let who = &caller.principal;
    let set = change(state, who, Action::StrategyUpdate, target, detail, act).await?;
    Ok(Json(set))
}

/// Set how new versions of a workload reach its pods
///
/// A canary beside the old version first, then waves of clusters, each after the one before is
/// healthy and has baked. Deploys that have begun keep their way.
#[utoipa::path(
    put, path = "/workloads/{name}/strategy", operation_id = "setStrategy", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = RolloutStrategy,
    responses((status = 200, description = "The strategy.", body = WorkloadStrategy), NotFound, Conflict, Invalid),
)]
async fn set(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(strategy): JsonBody<RolloutStrategy>,
) -> Result<Json<WorkloadStrategy>, ApiError> {
    put(&state, &caller, name, Some(strategy)).await
}

/// Take a workload's rollout strategy away
///
/// New versions then reach all pods of the server's own cluster, without detours.
#[utoipa::path(
    delete, path = "/workloads/{name}/strategy", operation_id = "clearStrategy", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "What holds now.", body = WorkloadStrategy), NotFound),
)]
async fn clear(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<WorkloadStrategy>, ApiError> {
    put(&state, &caller, name, None).await
}

/// See how a workload does in each of its clusters
#[utoipa::path(
    get, path = "/workloads/{name}/placements", operation_id = "getPlacements", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses(
        (status = 200, description = "Each cluster, the server's own first.", body = Vec<PlacementStatus>),
        NotFound,
    ),
)]
async fn placements(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<Vec<PlacementStatus>>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.placements(&name).await?))
}

/// Promote a canary
///
/// Lets a deploy go on that waits at a step of its canary, or leaves all further steps out. Doing it
/// again changes nothing.
#[utoipa::path(
    post, path = "/deploys/{id}/promote", operation_id = "promoteDeploy", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    request_body = PromoteDeploy,
    responses((status = 202, description = "It goes on.", body = DeploySummary), NotFound, Conflict),
)]
async fn promote(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    JsonBody(body): JsonBody<PromoteDeploy>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let detail = json!({ "all": body.all, "step": body.step });
    let act = async move { Ok(road.promote_deploy(id, &body, &by).await?) };
    let (who, target) = (&caller.principal, Target::Deploy(id));
    let deploy = change(&state, who, Action::DeployPromote, target, detail, act).await?;
    Ok((StatusCode::ACCEPTED, Json(deploy.summary())))
}
