//! Freezes, and the exceptions from them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{CreateFreeze, CreateFreezeException, Freeze, Page};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::rules::recorded;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(end))
        .routes(routes!(except))
}

/// Which freezes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FreezeQuery {
    /// Also those that are over.
    #[serde(default)]
    all: bool,
}

/// List freezes
#[utoipa::path(
    get, path = "/freezes", operation_id = "listFreezes", tag = "rules", params(FreezeQuery, PageQuery),
    responses((status = 200, description = "Freezes, newest first.", body = Page<Freeze>)),
)]
async fn list(
    State(state): State<AppState>,
    Query(query): Query<FreezeQuery>,
    paging: Paging,
) -> Result<Json<Page<Freeze>>, ApiError> {
    let open = (!query.all).then(Timestamp::now);
    Ok(Json(state.store.freezes(open, &paging.request()).await?))
}

/// Freeze deploys
///
/// Of a project or of everything. What is asked for meanwhile waits until the freeze is over.
#[utoipa::path(
    post, path = "/freezes", operation_id = "createFreeze", tag = "rules",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request freezes once.")),
    request_body = CreateFreeze,
    responses((status = 201, description = "The freeze.", body = Freeze), Conflict, Invalid),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateFreeze>,
) -> Result<Response, ApiError> {
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    let work = Box::pin(async move {
        let target = match &ask.project {
            Some(project) => Target::Project(project.chars().take(253).collect()),
            None => Target::Server,
        };
        let detail = json!({
            "from": ask.from,
            "until": ask.until,
            "reason": recorded(&ask.reason),
        });
        let (road, by) = (at.road.clone(), who.name.clone());
        let act = async move { Ok(road.create_freeze(&ask, &by).await?) };
        let freeze = change(&at, &who, Action::FreezeCreate, target, detail, act).await?;
        Ok((StatusCode::CREATED, freeze))
    });
    once(&state, &caller, &headers, "POST /freezes", &asked, work).await
}

/// End a freeze
///
/// What it held goes on. One that is over stays as it is.
#[utoipa::path(
    post, path = "/freezes/{id}/end", operation_id = "endFreeze", tag = "rules",
    params(("id" = i64, Path, description = "The freeze's number.")),
    responses((status = 200, description = "The freeze.", body = Freeze), NotFound),
)]
async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Freeze>, ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let act = async move { Ok(road.end_freeze(id, &by).await?) };
    let (who, target) = (&caller.principal, Target::Freeze(id));
    let ended = change(&state, who, Action::FreezeEnd, target, json!({}), act).await?;
    Ok(Json(ended))
}

/// Grant an exception from a freeze
///
/// For a workload as long as the freeze lasts, or for one deploy.
#[utoipa::path(
    post, path = "/freezes/{id}/exceptions", operation_id = "exceptFromFreeze", tag = "rules",
    params(("id" = i64, Path, description = "The freeze's number.")),
    request_body = CreateFreezeException,
    responses((status = 200, description = "The freeze with its exceptions.", body = Freeze), NotFound, Conflict, Invalid),
)]
async fn except(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    JsonBody(ask): JsonBody<CreateFreezeException>,
) -> Result<Json<Freeze>, ApiError> {
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let detail = json!({
        "workload": ask.workload.as_ref().map(|name| name.chars().take(63).collect::<String>()),
        "deploy_id": ask.deploy_id,
        "reason": recorded(&ask.reason),
    });
    let act = async move { Ok(road.except_from_freeze(id, &ask, &by).await?) };
    let (who, target) = (&caller.principal, Target::Freeze(id));
    let granted = change(&state, who, Action::FreezeExcept, target, detail, act).await?;
    Ok(Json(granted))
}
