//! Hotfixes: tried out, and deployed.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{CreateHotfix, DeploySummary, HotfixPlan};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rollouts::recorded;
use super::workloads;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(plan))
        .routes(routes!(create))
}

/// Try a hotfix out
///
/// Picks the commits onto what runs and says what would be deployed, or where they do not fit.
/// Changes nothing.
#[utoipa::path(
    post, path = "/workloads/{name}/hotfix-plan", operation_id = "planHotfix", tag = "deploys",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = CreateHotfix,
    responses((status = 200, description = "What would be deployed.", body = HotfixPlan), NotFound, Conflict, Invalid),
)]
async fn plan(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(ask): JsonBody<CreateHotfix>,
) -> Result<Json<HotfixPlan>, ApiError> {
    workloads::find(&state, &name).await?;
    let by = &caller.principal.name;
    Ok(Json(state.road.plan_hotfix(&name, &ask, by).await?))
}

/// Deploy a hotfix
///
/// Picks commits onto exactly what runs, pushes them as a branch, builds that and deploys it. Nothing
/// is pushed where a commit does not fit; the problem names the files and places.
#[utoipa::path(
    post, path = "/workloads/{name}/hotfixes", operation_id = "createHotfix", tag = "deploys",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request is one hotfix."),
    ),
    request_body = CreateHotfix,
    responses((status = 202, description = "The deploy, which begins now.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateHotfix>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/hotfixes");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    let work = Box::pin(async move {
        workloads::find(&at, &name).await?;
        let commits: Vec<String> = ask
            .commits
            .iter()
            .take(50)
            .map(|commit| commit.chars().take(100).collect())
            .collect();
        let detail = json!({
            "commits": commits,
            "branch": recorded(ask.branch.as_ref()),
            "reason": recorded(ask.reason.as_ref()),
        });
        let (road, by) = (at.road.clone(), who.name.clone());
        let target = Target::Workload(name.clone());
        let act = async move { Ok(road.request_hotfix(&name, &ask, &by).await?) };
        let deploy = change(&at, &who, Action::DeployHotfix, target, detail, act).await?;
        Ok((StatusCode::ACCEPTED, deploy.summary()))
    });
    once(&state, &caller, &headers, &operation, &asked, work).await
}
