//! What is done to a workload that runs: roll back, restart, hold, compare, unpin.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{CreateRestart, CreateRollback, DeployComparison, DeploySummary, RollbackPlan};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{deploys, workloads};
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(plan_rollback, rollback))
        .routes(routes!(restart))
        .routes(routes!(unpin))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(compare))
}

/// A text for the record of changes.
pub fn recorded(text: Option<&String>) -> Option<String> {
    text.map(|text| text.chars().take(1000).collect())
}

/// Which version is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RollbackQuery {
    /// Deploy whose version would be brought back; the previous good one when absent.
    to: Option<i64>,
}

/// See what a rollback would do
///
/// Changes nothing.
#[utoipa::path(
    get, path = "/workloads/{name}/rollback", operation_id = "planRollback", tag = "deploys",
    params(("name" = String, Path, description = "The workload's name."), RollbackQuery),
    responses((status = 200, description = "What would change.", body = RollbackPlan), NotFound, Conflict),
)]
async fn plan_rollback(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<RollbackQuery>,
) -> Result<Json<RollbackPlan>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.plan_rollback(&name, query.to).await?))
}

/// Roll back
///
/// Brings back what ran before, to the byte and without a build; pins the workload, so that no
/// automatic deploy brings the bad version out again; and marks that version's artifact as bad.
#[utoipa::path(
    post, path = "/workloads/{name}/rollback", operation_id = "rollback", tag = "deploys",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request rolls back once."),
    ),
    request_body = CreateRollback,
    responses((status = 202, description = "The deploy, which begins now.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn rollback(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateRollback>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/rollback");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    let work = Box::pin(async move {
        workloads::find(&at, &name).await?;
        let detail = json!({
            "to": ask.to,
            "reason": recorded(ask.reason.as_ref()),
            "override_bad": recorded(ask.override_bad.as_ref()),
        });
        let (road, by, target) = (
            at.road.clone(),
            who.name.clone(),
            Target::Workload(name.clone()),
        );
        let act = async move { Ok(road.request_rollback(&name, &ask, &by).await?) };
        let deploy = change(&at, &who, Action::DeployRollback, target, detail, act).await?;
        Ok((StatusCode::ACCEPTED, deploy.summary()))
    });
    once(&state, &caller, &headers, &operation, &asked, work).await
}

/// Restart a workload
///
/// Its pods are replaced, as gently as in a rollout; the version stays.
#[utoipa::path(
    post, path = "/workloads/{name}/restart", operation_id = "restart", tag = "deploys",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request restarts once."),
    ),
    request_body = CreateRestart,
    responses((status = 202, description = "The deploy, which begins now.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn restart(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateRestart>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/restart");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    let work = Box::pin(async move {
        workloads::find(&at, &name).await?;
        let detail = json!({ "reason": recorded(ask.reason.as_ref()) });
        let (road, by, target) = (
            at.road.clone(),
            who.name.clone(),
            Target::Workload(name.clone()),
        );
        let act = async move {
            Ok(road
                .request_restart(&name, ask.reason.as_deref(), &by)
                .await?)
        };
        let deploy = change(&at, &who, Action::DeployRestart, target, detail, act).await?;
        Ok((StatusCode::ACCEPTED, deploy.summary()))
    });
    once(&state, &caller, &headers, &operation, &asked, work).await
}

/// Take a workload's pin off
///
/// Automatic deploys go on with the next push. Taking it off again changes nothing.
#[utoipa::path(
    delete, path = "/workloads/{name}/pin", operation_id = "unpinWorkload", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 204, description = "It has no pin."), NotFound),
)]
async fn unpin(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let row = workloads::find(&state, &name).await?;
    let (store, target) = (state.store.clone(), Target::Workload(name.clone()));
    let detail = json!({ "was": row.workload.pin });
    let act = async move { Ok(store.unpin(&name).await?) };
    change(
        &state,
        &caller.principal,
        Action::WorkloadUnpin,
        target,
        detail,
        act,
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn hold(
    state: &AppState,
    caller: &Caller,
    id: i64,
    pause: bool,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    state
        .store
        .deploy(id)
        .await?
        .ok_or_else(|| deploys::not_found(id))?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let action = if pause {
        Action::DeployPause
    } else {
        Action::DeployResume
    };
    let act = async move { Ok(road.pause_deploy(id, pause, &by).await?) };
    let deploy = change(
        state,
        &caller.principal,
        action,
        Target::Deploy(id),
        json!({}),
        act,
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(deploy.summary())))
}

/// Hold a deploy
///
/// No more pods are changed until it goes on; one that waits does not begin. Holding it again
/// changes nothing, and one that has ended stays as it is.
#[utoipa::path(
    post, path = "/deploys/{id}/pause", operation_id = "pauseDeploy", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    responses((status = 202, description = "It is held.", body = DeploySummary), NotFound, Conflict),
)]
async fn pause(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    hold(&state, &caller, id, true).await
}

/// Let a deploy go on
///
/// The end of a hold; one that is not held stays as it is.
#[utoipa::path(
    post, path = "/deploys/{id}/resume", operation_id = "resumeDeploy", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    responses((status = 202, description = "It goes on.", body = DeploySummary), NotFound),
)]
async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    hold(&state, &caller, id, false).await
}

/// Compare two deploys
///
/// Of one workload: commits, images, manifests and how long each took.
#[utoipa::path(
    get, path = "/deploys/{id}/compare/{other}", operation_id = "compareDeploys", tag = "deploys",
    params(
        ("id" = i64, Path, description = "The deploy to compare with."),
        ("other" = i64, Path, description = "The other deploy."),
    ),
    responses((status = 200, description = "What lies between them.", body = DeployComparison), NotFound, Invalid),
)]
async fn compare(
    State(state): State<AppState>,
    Path((id, other)): Path<(i64, i64)>,
) -> Result<Json<DeployComparison>, ApiError> {
    for id in [id, other] {
        state
            .store
            .deploy(id)
            .await?
            .ok_or_else(|| deploys::not_found(id))?;
    }
    Ok(Json(state.road.compare(id, other).await?))
}
