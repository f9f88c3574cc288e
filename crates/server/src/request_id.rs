//! An id for each request, in its log lines, in its answer (`X-Request-Id`) and in problems.

use std::fmt::Display;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries the id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: made here, or taken from a caller who sends a harmless one.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl Default for RequestId {
    fn default() -> Self {
        Self(Uuid::now_v7().simple().to_string())
    }
}

impl Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestId {
    /// Takes the caller's id if it is 1 to 64 letters, digits, `-` or `_`; else makes one.
    fn of(request: &Request) -> Self {
        request
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|id| {
                (1..=64).contains(&id.len())
                    && id
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
            .map_or_else(Self::default, |id| Self(id.to_owned()))
    }
}

/// Gives each request its id and sends it back.
pub async fn assign(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn of(id: &str) -> String {
        let request = Request::builder()
            .header(X_REQUEST_ID, id)
            .body(Body::empty())
            .unwrap();
        RequestId::of(&request).to_string()
    }

    #[test]
    fn keeps_a_harmless_id_and_replaces_any_other() {
        assert_eq!(of("abc-1_2"), "abc-1_2");
        assert_ne!(of("a b"), "a b");
        assert_ne!(of(&"a".repeat(65)), "a".repeat(65));
        assert_eq!(of("").len(), 32);
    }
}
