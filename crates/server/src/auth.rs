//! Who is asking: a bearer token, or the session cookie of a browser.
//!
//! [`require`] stands in front of every route but the anonymous ones, so that a new route is
//! closed until somebody opens it; handlers take the [`Caller`] that it found.

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hermez_access::{Action, MAX_PRESENTED_BYTES, Presented, Principal, Target};
use http::request::Parts;
use http::{HeaderMap, Method, header};

use crate::origin;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "hermez_session";

/// The authenticated caller of a request.
#[derive(Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    credential: Credential,
}

/// What the caller showed. Not `Debug`: it is a secret.
#[derive(Clone, PartialEq, Eq)]
enum Credential {
    Bearer(String),
    Session(String),
}

impl Credential {
    fn presented(&self) -> Presented<'_> {
        match self {
            Self::Bearer(token) => Presented::Bearer(token),
            Self::Session(secret) => Presented::Session(secret),
        }
    }
}

impl Caller {
    /// The caller who has this token.
    #[cfg(test)]
    pub async fn of_token(state: &AppState, token: &str) -> Result<Self, ApiError> {
        authenticate(state, Ok(Credential::Bearer(token.to_owned())), true).await
    }

    /// Whether the credentials that opened the request open nothing any more. A database that
    /// does not answer is no proof of that.
    pub async fn is_revoked(&self, state: &AppState) -> bool {
        match state.gate.authenticate(self.credential.presented()).await {
            Ok(_) => false,
            Err(error) => ApiError::from(error).kind() == catalog::UNAUTHENTICATED,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            ApiError::internal("a route that needs a caller is not behind `auth::require`")
        })
    }
}

/// Lets only authenticated callers through.
pub async fn require(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    // A body cannot be shared between threads: what is needed of the request is taken first.
    let safe = request.method().is_safe();
    let credential = allowed_credential(&state, request.method(), request.headers());
    match authenticate(&state, credential, safe).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// The credentials of a request; a cookie only where it may do what is asked.
fn allowed_credential(
    state: &AppState,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Credential, ApiError> {
    let credential = credential(headers)?;
    if matches!(credential, Credential::Session(_))
        && !origin::allows(method, headers, &state.public_url)
    {
        return Err(ApiError::new(
            catalog::CROSS_SITE,
            "A browser's session may change things only from Hermez's own pages.",
        )
        .hint("Programs use an API token: `Authorization: Bearer …`."));
    }
    Ok(credential)
}

async fn authenticate(
    state: &AppState,
    credential: Result<Credential, ApiError>,
    safe: bool,
) -> Result<Caller, ApiError> {
    let credential = credential?;
    let principal = state.gate.authenticate(credential.presented()).await?;
    if safe {
        state
            .gate
            .look(&principal, Action::Read, &Target::Server)
            .await?;
    }
    Ok(Caller {
        principal,
        credential,
    })
}

/// Whose browser asks, by the session cookie alone.
pub async fn browser(state: &AppState, headers: &HeaderMap) -> Result<Principal, ApiError> {
    match credential(headers)? {
        Credential::Session(secret) => {
            Ok(state.gate.authenticate(Presented::Session(&secret)).await?)
        }
        Credential::Bearer(_) => Err(unauthenticated("A browser's session is needed.")),
    }
}

/// Finds the credentials of a request. A token wins over a cookie.
fn credential(headers: &HeaderMap) -> Result<Credential, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer")
                    && (1..=MAX_PRESENTED_BYTES).contains(&token.trim().len())
            })
            .map(|(_, token)| Credential::Bearer(token.trim().to_owned()))
            .ok_or_else(|| unauthenticated("`Authorization` must be `Bearer` and an API token."));
    }
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, secret)| {
            *name == SESSION_COOKIE && (1..=MAX_PRESENTED_BYTES).contains(&secret.len())
        })
        .map(|(_, secret)| Credential::Session(secret.to_owned()))
        .ok_or_else(|| unauthenticated("The request carries neither an API token nor a session."))
}

/// The answer to a request without credentials that open anything.
pub fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(catalog::UNAUTHENTICATED, detail).hint(
        "In a browser, open a sign-in link (`hermez login-link` prints one); \
         programs send `Authorization: Bearer` and an API token.",
    )
}

/// The cookie that holds a session.
pub fn session_cookie(secret: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!(
        "{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}"
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(headers: &[(http::HeaderName, &'static str)]) -> Option<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        match credential(&headers) {
            Ok(Credential::Bearer(token)) => Some(format!("bearer {token}")),
            Ok(Credential::Session(secret)) => Some(format!("session {secret}")),
            Err(_) => None,
        }
    }

    #[test]
    fn a_token_wins_over_a_cookie() {
        let cookie = (header::COOKIE, "a=b; hermez_session=s3; c=d");
        assert_eq!(
            found(std::slice::from_ref(&cookie)).as_deref(),
            Some("session s3")
        );
        assert_eq!(
            found(&[cookie.clone(), (header::AUTHORIZATION, "bearer t1")]).as_deref(),
            Some("bearer t1")
        );
        assert_eq!(
            found(&[cookie, (header::AUTHORIZATION, "Basic dTpw")]),
            None
        );
    }

    #[test]
    fn nothing_empty_or_foreign_is_a_credential() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[(header::AUTHORIZATION, "Bearer ")]), None);
        assert_eq!(found(&[(header::COOKIE, "hermez_session=")]), None);
        assert_eq!(found(&[(header::COOKIE, "xhermez_session=1")]), None);
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let cookie = session_cookie("x", 60, true);
        for word in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        assert!(!session_cookie("x", 60, false).contains("Secure"));
    }
}
