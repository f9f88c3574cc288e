//! The way of every change through the gate, and `Idempotency-Key`.
//!
//! A change runs to its end even if the caller hangs up: it is done in a task of its own, so that
//! it is never left half made, and never made without being recorded.

use std::future::Future;
use std::pin::Pin;

use axum::response::{IntoResponse, Response};
use hermez_access::{Action, GateError, Principal, Target};
use hermez_store::{Begun, Store, Together};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tracing::Instrument;

use crate::auth::Caller;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

/// How long an answer is kept for its key.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);
const MAX_KEY_BYTES: usize = 255;

/// Makes a change through the gate: authorize, act, record.
pub fn change<T: Send + 'static>(
    state: &AppState,
    principal: &Principal,
    action: Action,
    target: Target,
    detail: serde_json::Value,
    act: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> impl Future<Output = Result<T, ApiError>> + Send {
    let gate = state.gate.clone();
    let (principal, act) = (principal.clone(), Box::pin(act));
    detached(async move {
        let changed = gate.change(&principal, action, target, detail, act).await;
        changed.map_err(|error| match error {
            GateError::Access(error) => error.into(),
            GateError::Act(error) => error,
        })
    })
}

/// Runs to the end whether or not the caller waits for it.
pub fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> impl Future<Output = Result<T, ApiError>> + Send {
    let work = Box::pin(work).in_current_span();
    let together = Together::current();
    let task = async move {
        match together {
            Some(together) => together.with(work).await,
            None => work.await,
        }
    };
    async move {
        let ended = tokio::spawn(task).await;
        ended.unwrap_or_else(|error| Err(ApiError::internal(error)))
    }
}

/// Does `work` once for an `Idempotency-Key`; without one, each time.
///
/// `operation` and `body` are what the request asks for: the same key with something else is
/// refused. A request that failed may be tried again under its key.
pub async fn once<T: Serialize + Send + 'static>(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    operation: &str,
    body: &impl Serialize,
    work: Work<T>,
) -> Result<Response, ApiError> {
    let Some(key) = key(headers)? else {
        let (status, answer) = work.await?;
        return Ok((status, axum::Json(answer)).into_response());
    };
    let secret = state.gate.key().derive("idempotency");
    let route = fingerprint(secret.expose(), operation, body)?;
    let (store, principal) = (state.store.clone(), caller.principal.id);
    detached(async move { under_key(&store, principal, &key, &route, work).await }).await
}

/// What a request that starts work does: the answer's status and body.
pub type Work<T> = Pin<Box<dyn Future<Output = Result<(StatusCode, T), ApiError>> + Send>>;

async fn under_key<T: Serialize>(
    store: &Store,
    principal: i64,
    key: &str,
    route: &str,
    work: Work<T>,
) -> Result<Response, ApiError> {
    let now = Timestamp::now();
    match store
        .begin_idempotent(principal, key, route, now, now + KEY_LIFE)
        .await?
    {
        Begun::Done { status, body } => Ok(again(status, body)),
        Begun::UnderWay => Err(ApiError::new(
            catalog::IDEMPOTENCY_IN_PROGRESS,
            "A request with this `Idempotency-Key` is being worked on.",
        )
        .hint("Wait for it, or ask again with the same key in a moment.")),
        Begun::Mismatch => Err(ApiError::new(
            catalog::IDEMPOTENCY_KEY_REUSED,
            "This `Idempotency-Key` was used for another request.",
        )
        .hint("Make a new key for each request.")),
        Begun::New => match Together::under_key(principal, key).with(work).await {
            Ok((status, answer)) => {
                let body = serde_json::to_string(&answer).map_err(ApiError::internal)?;
                store
                    .finish_idempotent(principal, key, status.as_u16(), &body)
                    .await?;
                Ok(json(status, body))
            }
            Err(error) => {
                store.abandon_idempotent(principal, key).await?;
                Err(error)
            }
        },
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(HeaderName::from_static("idempotency-key")) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            ApiError::new(
                catalog::BAD_REQUEST,
                format!("`Idempotency-Key` must have 1 to {MAX_KEY_BYTES} ASCII characters."),
            )
        })
}

/// The same for the same request. Keyed, because a body may hold a password that is easy to guess.
fn fingerprint(secret: &str, operation: &str, body: &impl Serialize) -> Result<String, ApiError> {
    let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
    let digest = Sha256::new()
        .chain_update(secret)
        .chain_update(body)
        .finalize();
    Ok(format!("{operation} {}", hex::encode(digest)))
}

fn json(status: StatusCode, body: String) -> Response {
    (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        body,
    )
        .into_response()
}

fn again(status: u16, body: String) -> Response {
    let mut response = json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body);
    response
        .headers_mut()
        .insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_requests_apart_and_hides_their_bodies() {
        let of = |key, operation, body| fingerprint(key, operation, &body).unwrap();
        let one = of("k", "POST /workloads", ["hunter2"]);
        assert_eq!(one, of("k", "POST /workloads", ["hunter2"]));
        assert_ne!(one, of("k", "POST /workloads", ["other"]));
        assert_ne!(one, of("k", "POST /workloads/plan", ["hunter2"]));
        assert_ne!(one, of("other", "POST /workloads", ["hunter2"]));
        assert!(!one.contains("hunter2"));
    }

    #[test]
    fn keys_are_bounded() {
        let with = |key: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_str(key).unwrap());
            super::key(&headers)
        };
        assert_eq!(with("k1").unwrap().as_deref(), Some("k1"));
        assert!(with(&"k".repeat(256)).is_err());
        assert!(with("").is_err());
        assert_eq!(super::key(&HeaderMap::new()).unwrap(), None);
    }
}
