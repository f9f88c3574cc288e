//! The one-time link that signs a browser in.

use axum::extract::{Path, State};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use hermez_access::AccessError;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth;
use crate::change::detached;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(redeem))
}

/// Sign a browser in
///
/// Works once, and only for a browser that opens it as a page: what merely looks at links (`HEAD`,
/// an image, a prefetch) does not use it up. A browser whose link no longer works is led to the
/// page that says how to get another.
#[utoipa::path(
    get, path = "/login/{code}", operation_id = "redeemLoginLink", tag = "access", security(()),
    params(("code" = String, Path, description = "The code of a sign-in link.")),
    responses((status = 303, description = "Signed in: sets the session's cookie and leads to `/`. Or not, and leads to `/login`.")),
)]
async fn redeem(
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Result<Response, ApiError> {
    if method != Method::GET || !is_page(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let secure = state.public_url.scheme() == "https";
    let redeemed =
        detached(async move { state.gate.redeem_login_link(&code).await.map_err(refused) }).await;
    let session = match redeemed {
        Ok(session) => session,
        Err(error) if error.kind() == catalog::LOGIN_LINK_INVALID && wants_a_page(&headers) => {
            return Ok(Redirect::to("/login?link=used").into_response());
        }
        Err(error) => return Err(error),
    };
    let age = session
        .expires_at
        .duration_since(Timestamp::now())
        .as_secs();
    let cookie = auth::session_cookie(session.secret.expose(), age.max(0) as u64, secure);
    Ok((
        AppendHeaders([(header::SET_COOKIE, cookie)]),
        Redirect::to("/"),
    )
        .into_response())
}

fn refused(error: AccessError) -> ApiError {
    match error {
        AccessError::NotAuthenticated | AccessError::TooLarge { .. } => ApiError::new(
            catalog::LOGIN_LINK_INVALID,
            "A sign-in link works once, for ten minutes.",
        )
        .hint("Make a new one: `hermez login-link`."),
        error => error.into(),
    }
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Whether the browser opens the link as a page. Browsers say what for; programs that say nothing
/// are taken at their word.
fn is_page(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    says("sec-fetch-dest").is_none_or(|dest| dest == "document")
        && says("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
        && !says("sec-purpose").is_some_and(|purpose| purpose.contains("prefetch"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_opening_the_page_counts() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            is_page(
                &pairs
                    .iter()
                    .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
                    .collect(),
            )
        };
        assert!(with(&[
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate")
        ]));
        assert!(with(&[]));
        assert!(!with(&[("sec-fetch-dest", "image")]));
        assert!(!with(&[
            ("sec-fetch-dest", "document"),
            ("sec-purpose", "prefetch;prerender")
        ]));
    }
}
