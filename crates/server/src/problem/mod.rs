//! Errors as RFC 9457 problem details: the one place where an error becomes an answer.
//!
//! Handlers return [`ApiError`]. It carries a [`ProblemType`] of the catalog, what happened this
//! time, and for trouble inside the server the cause, which goes to the log and never to the
//! client. [`finish`] (a middleware around everything) adds the request's id and writes the body;
//! it also turns the plain answers of the framework (404, 405, 413, 415, …) into problems.

pub mod catalog;
mod mapping;
pub mod responses;

pub use mapping::sentence;

use std::fmt::Display;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use catalog::ProblemType;
use hermez_api::{Place, Problem};
use http::{HeaderValue, StatusCode, header};

use crate::request_id::RequestId;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer that says what went wrong.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    of: ProblemType,
    detail: Option<String>,
    hint: Option<String>,
    places: Vec<Place>,
    cause: Option<String>,
}

impl ApiError {
    /// A problem of the type, with what happened this time.
    pub fn new(of: ProblemType, detail: impl Into<String>) -> Self {
        Self::bare(of).detail(detail)
    }

    /// A problem of the type that needs no more words.
    pub fn bare(of: ProblemType) -> Self {
        Self(Box::new(Inner {
            of,
            detail: None,
            hint: None,
            places: Vec::new(),
            cause: None,
        }))
    }

    /// Trouble inside the server: the cause goes to the log, the client gets the request's id.
    pub fn internal(cause: impl Display) -> Self {
        Self::new(
            catalog::INTERNAL,
            "The server's log says more; quote the request id when you ask for help.",
        )
        .cause(cause)
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says what to do next, where that is known.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        if let Some(hint) = hint {
            self.0.hint = Some(hint.into());
        }
        self
    }

    /// Says where in the user's files the trouble is.
    #[must_use]
    pub fn places(mut self, places: Vec<Place>) -> Self {
        self.0.places = places;
        self
    }

    /// Keeps the cause for the server's log.
    #[must_use]
    pub fn cause(mut self, cause: impl Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The type of the problem.
    pub fn kind(&self) -> ProblemType {
        self.0.of
    }
}

impl Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.of.title)?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.of.status.into_response();
        response.extensions_mut().insert(*self.0);
        response
    }
}

impl Inner {
    fn into_problem(self, request_id: &RequestId) -> Problem {
        Problem {
            kind: format!("urn:hermez:problem:{}", self.of.slug),
            title: self.of.title.to_owned(),
            status: self.of.status.as_u16(),
            detail: self.detail,
            hint: self.hint,
            request_id: Some(request_id.to_string()),
            places: self.places,
        }
    }
}

/// Writes the body of every problem, with the request's id; turns the framework's own refusals
/// into problems; logs what went wrong inside.
pub async fn finish(request: Request, next: Next) -> Response {
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .cloned()
        .unwrap_or_default();
    let mut response = next.run(request).await;
    let inner = match response.extensions_mut().remove::<Inner>() {
        Some(inner) => inner,
        None if is_plain_error(&response) => match plain(response).await {
            Ok(inner) => inner,
            Err(response) => return response,
        },
        None => return response,
    };
    if let Some(cause) = &inner.cause {
        tracing::error!(%request_id, problem = inner.of.slug, cause, "a request failed");
    }
    let status = inner.of.status;
    let mut response = axum::Json(inner.into_problem(&request_id)).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The framework refuses in plain text or with nothing; our own answers have a type.
fn is_plain_error(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_none_or(|kind| {
                kind.to_str()
                    .is_ok_and(|kind| kind.starts_with("text/plain"))
            })
}

/// The framework's refusal as a problem; its words become the detail.
async fn plain(response: Response) -> Result<Inner, Response> {
    let of = match response.status() {
        StatusCode::BAD_REQUEST => catalog::BAD_REQUEST,
        StatusCode::NOT_FOUND => catalog::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => catalog::METHOD_NOT_ALLOWED,
        StatusCode::REQUEST_TIMEOUT => catalog::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE => catalog::BODY_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => catalog::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY => catalog::INVALID_BODY,
        StatusCode::INTERNAL_SERVER_ERROR => catalog::INTERNAL,
        _ => return Err(response),
    };
    let words = axum::body::to_bytes(response.into_body(), 4096)
        .await
        .unwrap_or_default();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    let error = if of == catalog::INTERNAL {
        ApiError::internal(words)
    } else if of == catalog::METHOD_NOT_ALLOWED {
        ApiError::new(of, "This path does not take this method.")
            .hint("`/api/v1/openapi.json` says which it takes.")
    } else if words.is_empty() {
        ApiError::bare(of)
    } else {
        ApiError::new(of, words)
    };
    Ok(*error.0)
}
