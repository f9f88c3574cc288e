//! Health gates of workloads.

use axum::Json;
use axum::extract::{Path, State};
use hermez_access::{Action, Target};
use hermez_api::{HealthGates, WorkloadGates};
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
    OpenApiRouter::new().routes(routes!(get, set, clear))
}

/// See what new versions of a workload must pass
#[utoipa::path(
    get, path = "/workloads/{name}/gates", operation_id = "getGates", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "The gates.", body = WorkloadGates), NotFound),
)]
async fn get(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<WorkloadGates>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.gates(&name).await?))
}

async fn put(
    state: &AppState,
    caller: &Caller,
    name: String,
    gates: Option<HealthGates>,
) -> Result<Json<WorkloadGates>, ApiError> {
    workloads::find(state, &name).await?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let detail = json!({ "gates": gates });
    let target = Target::Workload(name.clone());
    let act = async move { Ok(road.set_gates(&name, gates.as_ref(), &by).await?) };
    let who = &caller.principal;
    let set = change(state, who, Action::GatesUpdate, target, detail, act).await?;
    Ok(Json(set))
}

/// Set what new versions of a workload must pass
///
/// After all pods are ready: staying so, few restarts, and metrics that are right. Deploys that have
/// begun keep their gates.
#[utoipa::path(
    put, path = "/workloads/{name}/gates", operation_id = "setGates", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = HealthGates,
    responses((status = 200, description = "The gates.", body = WorkloadGates), NotFound, Conflict, Invalid),
)]
async fn set(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(gates): JsonBody<HealthGates>,
) -> Result<Json<WorkloadGates>, ApiError> {
    put(&state, &caller, name, Some(gates)).await
}

/// Take a workload's gates away
///
/// What holds without being set holds again.
#[utoipa::path(
    delete, path = "/workloads/{name}/gates", operation_id = "clearGates", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "What holds now.", body = WorkloadGates), NotFound),
)]
async fn clear(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<WorkloadGates>, ApiError> {
    put(&state, &caller, name, None).await
}
