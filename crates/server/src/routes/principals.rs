//! Who may sign in: adding people and programs, and letting them in.

use axum::Json;
use axum::extract::{Path, State};
use hermez_access::NewLoginLink;
use hermez_api::{CreatePrincipal, CreateToken, CreatedToken, LoginLink, Page, Principal};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::change::detached;
use crate::json::JsonBody;
use crate::paging::{PageQuery, Paging};
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, Invalid, NotFound};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(create_login_link))
        .routes(routes!(create_token))
}

/// The link under which a code signs a browser in.
pub(super) fn link(state: &AppState, link: &NewLoginLink) -> Result<LoginLink, ApiError> {
    let path = format!("login/{}", link.code.expose());
    let url = state.public_url.join(&path).map_err(ApiError::internal)?;
    Ok(LoginLink {
        url: url.into(),
        expires_at: link.expires_at,
    })
}

/// List who may sign in
///
/// For owners; in the order in which they were added.
#[utoipa::path(
    get, path = "/principals", operation_id = "listPrincipals", tag = "access", params(PageQuery),
    responses((status = 200, description = "People and programs.", body = Page<Principal>)),
)]
async fn list(
    State(state): State<AppState>,
    caller: Caller,
    paging: Paging,
) -> Result<Json<Page<Principal>>, ApiError> {
    let page = paging.request();
    Ok(Json(state.gate.principals(&caller.principal, &page).await?))
}

/// Add a person or program
///
/// For owners. They sign in with a link or a token that is made for them.
#[utoipa::path(
    post, path = "/principals", operation_id = "createPrincipal", tag = "access", request_body = CreatePrincipal,
    responses((status = 201, description = "They may sign in.", body = Principal), Conflict, Invalid),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(new): JsonBody<CreatePrincipal>,
) -> Result<(StatusCode, Json<Principal>), ApiError> {
    let made = detached(async move {
        let made = state
            .gate
            .create_principal(&caller.principal, &new.name, &new.role)
            .await?;
        Ok(made)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Make a link that signs somebody else's browser in once
///
/// For owners. Whoever opens it is signed in as that person.
#[utoipa::path(
    post, path = "/principals/{name}/login-links", operation_id = "createLoginLinkFor", tag = "access",
    params(("name" = String, Path, description = "Whom it signs in.")),
    responses((status = 201, description = "To be opened within 10 minutes.", body = LoginLink), NotFound),
)]
async fn create_login_link(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<LoginLink>), ApiError> {
    let made = detached(async move {
        let made = state
            .gate
            .create_login_link_for(&caller.principal, &name)
            .await?;
        link(&state, &made)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Make an API token for somebody else
///
/// For owners.
#[utoipa::path(
    post, path = "/principals/{name}/tokens", operation_id = "createTokenFor", tag = "access", request_body = CreateToken,
    params(("name" = String, Path, description = "Whose token it is.")),
    responses((status = 201, description = "The token with its secret, shown this once.", body = CreatedToken), NotFound, Invalid),
)]
async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(create): JsonBody<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let made = detached(async move {
        let made = state
            .gate
            .create_token_for(&caller.principal, &name, &create.name)
            .await?;
        Ok(made)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}
