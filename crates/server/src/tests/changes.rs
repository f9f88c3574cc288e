//! Changes: once for a key, to their end, and recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::response::Response;
use hermez_access::{Action, Principal, Target};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::TestServer;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::problem::{ApiError, catalog};

fn key(key: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        "idempotency-key".parse().unwrap(),
        HeaderValue::from_static(key),
    )])
}

struct Work {
    server: TestServer,
    caller: Caller,
    done: Arc<AtomicUsize>,
}

impl Work {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let caller = Caller::of_token(&server.state, &server.token)
            .await
            .unwrap();
        Self {
            server,
            caller,
            done: Arc::default(),
        }
    }

    /// Does the work, which counts how often it is done; the count, or the problem.
    async fn run(&self, headers: &HeaderMap, body: &Value, fails: bool) -> Result<Value, ApiError> {
        let done = self.done.clone();
        let response = once(
            &self.server.state,
            &self.caller,
            headers,
            "POST /x",
            body,
            Box::pin(async move {
                let count = done.fetch_add(1, Ordering::SeqCst) + 1;
                if fails {
                    Err(ApiError::bare(catalog::CONFLICT))
                } else {
                    Ok((StatusCode::ACCEPTED, json!(count)))
                }
            }),
        )
        .await?;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        Ok(read(response).await)
    }
}

async fn read(response: Response) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), 1024)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn the_same_key_and_request_get_the_same_answer() {
    let work = Work::new().await;
    let (one, two) = (key("one"), key("two"));
    let body = json!({ "commit": "95f6178" });
    assert_eq!(work.run(&one, &body, false).await.unwrap(), 1);
    assert_eq!(work.run(&one, &body, false).await.unwrap(), 1);
    assert_eq!(work.run(&two, &body, false).await.unwrap(), 2);
    assert_eq!(work.run(&HeaderMap::new(), &body, false).await.unwrap(), 3);
    let other = work
        .run(&one, &json!({ "commit": "8b360be" }), false)
        .await
        .unwrap_err();
    assert_eq!(other.kind(), catalog::IDEMPOTENCY_KEY_REUSED);
}

#[tokio::test]
async fn a_request_that_failed_may_be_tried_again_under_its_key() {
    let work = Work::new().await;
    let headers = key("one");
    let body = json!({});
    assert_eq!(
        work.run(&headers, &body, true).await.unwrap_err().kind(),
        catalog::CONFLICT
    );
    assert_eq!(work.run(&headers, &body, false).await.unwrap(), 2);
    assert_eq!(work.run(&headers, &body, false).await.unwrap(), 2);
}

#[tokio::test]
async fn a_key_whose_request_is_under_way_waits() {
    let work = Work::new().await;
    let headers = key("one");
    let (begun, has_begun) = oneshot::channel();
    let (go, wait) = oneshot::channel::<()>();
    let (state, body) = (work.server.state.clone(), json!({}));
    let first = once(
        &state,
        &work.caller,
        &headers,
        "POST /x",
        &body,
        Box::pin(async move {
            begun.send(()).unwrap();
            wait.await.unwrap();
            Ok((StatusCode::OK, json!("first")))
        }),
    );
    let second = async {
        has_begun.await.unwrap();
        let error = work.run(&headers, &body, false).await.unwrap_err();
        go.send(()).unwrap();
        error
    };
    let (first, error) = tokio::join!(first, second);
    assert_eq!(error.kind(), catalog::IDEMPOTENCY_IN_PROGRESS);
    assert_eq!(read(first.unwrap()).await, "first");
}

#[tokio::test]
async fn a_change_is_made_and_recorded_even_if_the_caller_hangs_up() {
    let server = TestServer::start().await;
    let (begun, has_begun) = oneshot::channel();
    let (go, wait) = oneshot::channel::<()>();
    let (ended, has_ended) = oneshot::channel();
    let state = server.state.clone();
    let caller = tokio::spawn(async move {
        let target = Target::Workload("hello".to_owned());
        change(
            &state,
            &Principal::system(),
            Action::WorkloadSync,
            target,
            json!({}),
            async move {
                begun.send(()).unwrap();
                wait.await.unwrap();
                ended.send(()).unwrap();
                Ok::<_, ApiError>(())
            },
        )
        .await
    });
    has_begun.await.unwrap();
    caller.abort();
    go.send(()).unwrap();
    has_ended.await.unwrap();
    let entry = loop {
        let audit = server
            .get("/api/v1/audit?action=workload.sync")
            .await
            .json();
        if let Some(entry) = audit["items"].get(0) {
            break entry.clone();
        }
    };
    assert_eq!(
        (entry["outcome"].as_str(), entry["principal"].as_str()),
        (Some("allowed"), Some("hermez"))
    );
}
