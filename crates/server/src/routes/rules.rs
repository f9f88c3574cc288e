//! The rules that hold deploys back: windows, approvals and locks.

use axum::Json;
use axum::extract::{Path, Query, State};
use hermez_access::{Action, Target};
use hermez_api::{
    ApprovalRule, CreateApproval, CreateLock, CreateRejection, DeploySummary, DeployWindows,
    ProjectRules, ScopeRules, WorkloadLock, WorkloadRules,
};
use hermez_deploy::RulesOf;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads;
use crate::auth::Caller;
use crate::change::change;
use crate::json::JsonBody;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(of_workload))
        .routes(routes!(set_windows, clear_windows))
        .routes(routes!(set_approvals, clear_approvals))
        .routes(routes!(of_project))
        .routes(routes!(set_project_windows, clear_project_windows))
        .routes(routes!(set_project_approvals, clear_project_approvals))
        .routes(routes!(lock, unlock))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// A text for the record of changes.
pub(super) fn recorded(text: &str) -> String {
    text.chars().take(1000).collect()
}

fn target(of: &RulesOf) -> Target {
    match of {
        RulesOf::Workload(name) => Target::Workload(name.clone()),
        RulesOf::Project(name) => Target::Project(name.chars().take(253).collect()),
    }
}

/// Checks that there is such a workload, so that a 404 says so.
async fn workload(state: &AppState, name: String) -> Result<RulesOf, ApiError> {
    workloads::find(state, &name).await?;
    Ok(RulesOf::Workload(name))
}

/// See which rules apply to a workload
///
/// Windows, approvals, freezes and the lock, with what they would say to a deploy that the caller
/// asked for now. Changes nothing.
#[utoipa::path(
    get, path = "/workloads/{name}/rules", operation_id = "getWorkloadRules", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "The rules, and their verdict.", body = WorkloadRules), NotFound),
)]
async fn of_workload(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<WorkloadRules>, ApiError> {
    workloads::find(&state, &name).await?;
    let by = &caller.principal.name;
    Ok(Json(state.road.rules(&name, by).await?))
}

async fn put_windows(
    state: &AppState,
    caller: &Caller,
    of: RulesOf,
    windows: Option<DeployWindows>,
) -> Result<ScopeRules, ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let (detail, target) = (json!({ "windows": windows }), target(&of));
    let act = async move { Ok(road.set_windows(&of, windows.as_ref(), &by).await?) };
    let who = &caller.principal;
    change(state, who, Action::RulesUpdate, target, detail, act).await
}

async fn put_approvals(
    state: &AppState,
    caller: &Caller,
    of: RulesOf,
    rule: Option<ApprovalRule>,
) -> Result<ScopeRules, ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let (detail, target) = (json!({ "approvals": rule }), target(&of));
    let act = async move { Ok(road.set_approvals(&of, rule.as_ref(), &by).await?) };
    let who = &caller.principal;
    change(state, who, Action::RulesUpdate, target, detail, act).await
}

/// Set when deploys of a workload may begin
///
/// Outside of its windows a deploy waits, and goes on by itself when one opens. The windows of its
/// project must be open, too.
#[utoipa::path(
    put, path = "/workloads/{name}/rules/windows", operation_id = "setWorkloadWindows", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = DeployWindows,
    responses((status = 200, description = "What is set for the workload.", body = ScopeRules), NotFound, Invalid),
)]
async fn set_windows(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(windows): JsonBody<DeployWindows>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = workload(&state, name).await?;
    Ok(Json(put_windows(&state, &caller, of, Some(windows)).await?))
}

/// Let deploys of a workload begin at any time
#[utoipa::path(
    delete, path = "/workloads/{name}/rules/windows", operation_id = "clearWorkloadWindows", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "What is set for the workload.", body = ScopeRules), NotFound),
)]
async fn clear_windows(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = workload(&state, name).await?;
    Ok(Json(put_windows(&state, &caller, of, None).await?))
}

/// Set who must approve deploys of a workload
///
/// Never the one who asked. What its project asks for must be met, too.
#[utoipa::path(
    put, path = "/workloads/{name}/rules/approvals", operation_id = "setWorkloadApprovals", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = ApprovalRule,
    responses((status = 200, description = "What is set for the workload.", body = ScopeRules), NotFound, Invalid),
)]
async fn set_approvals(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(rule): JsonBody<ApprovalRule>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = workload(&state, name).await?;
    Ok(Json(put_approvals(&state, &caller, of, Some(rule)).await?))
}

/// Let deploys of a workload begin without approvals
#[utoipa::path(
    delete, path = "/workloads/{name}/rules/approvals", operation_id = "clearWorkloadApprovals", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "What is set for the workload.", body = ScopeRules), NotFound),
)]
async fn clear_approvals(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = workload(&state, name).await?;
    Ok(Json(put_approvals(&state, &caller, of, None).await?))
}

/// See which rules are set for a project
#[utoipa::path(
    get, path = "/projects/{project}/rules", operation_id = "getProjectRules", tag = "rules",
    params(("project" = String, Path, description = "The project's name.")),
    responses((status = 200, description = "The rules.", body = ProjectRules), Invalid),
)]
async fn of_project(
    State(state): State<AppState>,
    Path(project): Path<String>,
) -> Result<Json<ProjectRules>, ApiError> {
    let rules = state.road.project_rules(&project).await?;
    Ok(Json(ProjectRules { project, rules }))
}

/// Set when deploys of a project's workloads may begin
#[utoipa::path(
    put, path = "/projects/{project}/rules/windows", operation_id = "setProjectWindows", tag = "rules",
    params(("project" = String, Path, description = "The project's name.")),
    request_body = DeployWindows,
    responses((status = 200, description = "What is set for the project.", body = ScopeRules), Invalid),
)]
async fn set_project_windows(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    JsonBody(windows): JsonBody<DeployWindows>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = RulesOf::Project(project);
    Ok(Json(put_windows(&state, &caller, of, Some(windows)).await?))
}

/// Let deploys of a project's workloads begin at any time
#[utoipa::path(
    delete, path = "/projects/{project}/rules/windows", operation_id = "clearProjectWindows", tag = "rules",
    params(("project" = String, Path, description = "The project's name.")),
    responses((status = 200, description = "What is set for the project.", body = ScopeRules), Invalid),
)]
async fn clear_project_windows(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = RulesOf::Project(project);
    Ok(Json(put_windows(&state, &caller, of, None).await?))
}

/// Set who must approve deploys of a project's workloads
#[utoipa::path(
    put, path = "/projects/{project}/rules/approvals", operation_id = "setProjectApprovals", tag = "rules",
    params(("project" = String, Path, description = "The project's name.")),
    request_body = ApprovalRule,
    responses((status = 200, description = "What is set for the project.", body = ScopeRules), Invalid),
)]
async fn set_project_approvals(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    JsonBody(rule): JsonBody<ApprovalRule>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = RulesOf::Project(project);
    Ok(Json(put_approvals(&state, &caller, of, Some(rule)).await?))
}

/// Let deploys of a project's workloads begin without approvals
#[utoipa::path(
    delete, path = "/projects/{project}/rules/approvals", operation_id = "clearProjectApprovals", tag = "rules",
    params(("project" = String, Path, description = "The project's name.")),
    responses((status = 200, description = "What is set for the project.", body = ScopeRules), Invalid),
)]
async fn clear_project_approvals(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
) -> Result<Json<ScopeRules>, ApiError> {
    let of = RulesOf::Project(project);
    Ok(Json(put_approvals(&state, &caller, of, None).await?))
}

/// Lock a workload
///
/// Nobody else deploys it until the lock comes off. One's own lock gets the new reason and end.
#[utoipa::path(
    put, path = "/workloads/{name}/lock", operation_id = "lockWorkload", tag = "rules",
    params(("name" = String, Path, description = "The workload's name.")),
    request_body = CreateLock,
    responses((status = 200, description = "The lock.", body = WorkloadLock), NotFound, Conflict, Invalid),
)]
async fn lock(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(ask): JsonBody<CreateLock>,
) -> Result<Json<WorkloadLock>, ApiError> {
    workloads::find(&state, &name).await?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let detail = json!({ "reason": recorded(&ask.reason), "until": ask.until });
    let target = Target::Workload(name.clone());
    let act = async move { Ok(road.lock_workload(&name, &ask, &by).await?) };
    let who = &caller.principal;
    let done = change(&state, who, Action::WorkloadLock, target, detail, act).await?;
    Ok(Json(done))
}

/// Whether somebody else's lock is meant, too.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UnlockQuery {
    /// Take the lock off also if it is somebody else's; that is on record as `lock.break`.
    #[serde(default, rename = "break")]
    #[param(rename = "break")]
    break_it: bool,
    /// Why, for the record of changes.
    reason: Option<String>,
}

/// Take a workload's lock off
///
/// One that is not locked stays as it is.
#[utoipa::path(
    delete, path = "/workloads/{name}/lock", operation_id = "unlockWorkload", tag = "rules",
    params(("name" = String, Path, description = "The workload's name."), UnlockQuery),
    responses((status = 204, description = "It has no lock."), NotFound, Conflict),
)]
async fn unlock(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<UnlockQuery>,
) -> Result<StatusCode, ApiError> {
    if query
        .reason
        .as_deref()
        .is_some_and(|it| it.trim().is_empty())
    {
        return Err(
            ApiError::new(catalog::INVALID_PARAMETER, "`reason` is empty.")
                .hint("Say why, for those who read the record, or leave it out."),
        );
    }
    workloads::find(&state, &name).await?;
    let owner = state.road.lock_owner(&name).await?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let of_others = owner.as_ref().is_some_and(|owner| *owner != by);
    let action = if of_others && query.break_it {
        Action::LockBreak
    } else {
        Action::WorkloadUnlock
    };
    let detail = json!({ "of": owner, "reason": query.reason.as_deref().map(recorded) });
    let target = Target::Workload(name.clone());
    // A lock that somebody else took since then is not broken under one's own name.
    let may_break = action == Action::LockBreak;
    let act = async move { Ok(road.unlock_workload(&name, &by, may_break).await?) };
    change(&state, &caller.principal, action, target, detail, act).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approve a deploy
///
/// Counts once for each person, for exactly this deploy, and never for the one who asked for it.
#[utoipa::path(
    post, path = "/deploys/{id}/approve", operation_id = "approveDeploy", tag = "rules",
    params(("id" = i64, Path, description = "The deploy's number.")),
    request_body = CreateApproval,
    responses((status = 202, description = "It goes on when nothing else holds it.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    JsonBody(ask): JsonBody<CreateApproval>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    let (road, who) = (state.road.clone(), caller.principal.clone());
    let comment = ask.comment.as_deref().map(recorded);
    let act = async move {
        let (comment, role) = (ask.comment.as_deref(), who.role.as_str());
        Ok(road.approve_deploy(id, comment, &who.name, role).await?)
    };
    let deploy = change(
        &state,
        &caller.principal,
        Action::DeployApprove,
        Target::Deploy(id),
        json!({ "comment": comment }),
        act,
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(deploy.summary())))
}

/// Reject a deploy
///
/// It ends as canceled, with the reason. One that was rejected already stays as it is.
#[utoipa::path(
    post, path = "/deploys/{id}/reject", operation_id = "rejectDeploy", tag = "rules",
    params(("id" = i64, Path, description = "The deploy's number.")),
    request_body = CreateRejection,
    responses((status = 202, description = "It ends at its next step.", body = DeploySummary), NotFound, Conflict, Invalid),
)]
async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    JsonBody(ask): JsonBody<CreateRejection>,
) -> Result<(StatusCode, Json<DeploySummary>), ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let reason = recorded(&ask.reason);
    let act = async move { Ok(road.reject_deploy(id, &ask.reason, &by).await?) };
    let deploy = change(
        &state,
        &caller.principal,
        Action::DeployReject,
        Target::Deploy(id),
        json!({ "reason": reason }),
        act,
    )
    .await?;
    Ok((StatusCode::ACCEPTED, Json(deploy.summary())))
}
