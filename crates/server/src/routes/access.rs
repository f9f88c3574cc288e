//! Who I am, API tokens, sign-in links, and the record of changes.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use hermez_access::{Action, Target};
use hermez_api::{ApiToken, AuditEntry, CreateToken, CreatedToken, LoginLink, Me, Page};
use hermez_store::AuditFilter;
use http::{StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principals;
use crate::auth::{self, Caller};
use crate::change::detached;
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::ApiError;
use crate::problem::responses::{Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(logout))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(create_login_link))
        .routes(routes!(list_audit))
}

/// Who is asking
#[utoipa::path(
    get, path = "/me", operation_id = "getMe", tag = "access",
    responses((status = 200, description = "The caller.", body = Me)),
)]
async fn me(caller: Caller) -> Json<Me> {
    Json(Me {
        name: caller.principal.name.clone(),
        role: caller.principal.role.as_str().to_owned(),
        via: caller.principal.via.as_str().to_owned(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// End this browser's session
///
/// Does nothing for a caller with a token; revoke the token instead.
#[utoipa::path(
    post, path = "/logout", operation_id = "logout", tag = "access",
    responses((status = 204, description = "The session is over; its cookie is gone.")),
)]
async fn logout(State(state): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let secure = state.public_url.scheme() == "https";
    detached(async move { Ok(state.gate.logout(&caller.principal).await?) }).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, auth::session_cookie("", 0, secure))]);
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

/// List API tokens
///
/// Everybody's for an owner, else one's own; newest first, revoked ones too.
#[utoipa::path(
    get, path = "/tokens", operation_id = "listTokens", tag = "access", params(PageQuery),
    responses((status = 200, description = "Tokens, without their secrets.", body = Page<ApiToken>)),
)]
async fn list_tokens(
    State(state): State<AppState>,
    caller: Caller,
    paging: Paging,
) -> Result<Json<Page<ApiToken>>, ApiError> {
    Ok(Json(
        state
            .gate
            .tokens(&caller.principal, &paging.request())
            .await?,
    ))
}

/// Make an API token
#[utoipa::path(
    post, path = "/tokens", operation_id = "createToken", tag = "access", request_body = CreateToken,
    responses((status = 201, description = "The token with its secret, shown this once.", body = CreatedToken), Invalid),
)]
async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(create): JsonBody<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let created = detached(async move {
        Ok(state
            .gate
            .create_token(&caller.principal, &create.name)
            .await?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke an API token
#[utoipa::path(
    delete, path = "/tokens/{id}", operation_id = "revokeToken", tag = "access",
    params(("id" = String, Path, description = "The token's id.")),
    responses((status = 200, description = "It opens nothing any more.", body = ApiToken), NotFound),
)]
async fn revoke_token(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApiToken>, ApiError> {
    let token =
        detached(async move { Ok(state.gate.revoke_token(&caller.principal, &id).await?) }).await?;
    Ok(Json(token))
}

/// Make a link that signs a browser in once, as the caller
#[utoipa::path(
    post, path = "/login-links", operation_id = "createLoginLink", tag = "access",
    responses((status = 201, description = "Open it in a browser within 10 minutes.", body = LoginLink)),
)]
async fn create_login_link(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<(StatusCode, Json<LoginLink>), ApiError> {
    let made = detached(async move {
        let made = state.gate.create_login_link(&caller.principal).await?;
        principals::link(&state, &made)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Who did it.
    principal: Option<String>,
    /// What they did, for example `workload.create`.
    action: Option<String>,
    /// What they did it to, for example `workload/hello`.
    target: Option<String>,
}

/// Read the record of changes
#[utoipa::path(
    get, path = "/audit", operation_id = "listAudit", tag = "access", params(AuditQuery, PageQuery),
    responses((status = 200, description = "Entries, newest first.", body = Page<AuditEntry>)),
)]
async fn list_audit(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
    paging: Paging,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    state
        .gate
        .look(&caller.principal, Action::AuditRead, &Target::Server)
        .await?;
    let filter = AuditFilter {
        principal: query.principal,
        action: query.action,
        target: query.target,
    };
    Ok(Json(state.store.audit(&filter, &paging.request()).await?))
}
