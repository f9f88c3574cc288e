//! Every refusal is a problem with a stable type.

use axum::body::Body;
use http::header;
use serde_json::json;

use super::{TestServer, json_request};

#[tokio::test]
async fn bodies_that_are_not_what_is_wanted() {
    let server = TestServer::start().await;
    let path = "/api/v1/workloads/plan";
    let with = |kind: &str, body: String| {
        server
            .request("POST", path)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body))
            .unwrap()
    };
    let json = "application/json";
    let cases = [
        (
            with("text/plain", "{}".to_owned()),
            "unsupported-media-type",
        ),
        (with(json, "{".to_owned()), "bad-request"),
        (with(json, "{}".to_owned()), "invalid-body"),
        (with(json, "x".repeat(100_000)), "body-too-large"),
        (
            with(
                json,
                json!({ "repository": "r", "config": "c", "extra": 1 }).to_string(),
            ),
            "invalid-body",
        ),
        (
            with(
                json,
                json!({ "repository": "nonsense", "config": "c" }).to_string(),
            ),
            "repository-url-invalid",
        ),
    ];
    for (request, expect) in cases {
        assert_eq!(server.send(request).await.problem(), expect);
    }
}

#[tokio::test]
async fn what_is_not_there_says_what_it_is() {
    let server = TestServer::start().await;
    for (path, expect) in [
        ("/api/v1/workloads/nope", "workload-not-found"),
        ("/api/v1/workloads/nope/status", "workload-not-found"),
        ("/api/v1/workloads/nope/commits", "workload-not-found"),
        ("/api/v1/workloads/nope/log", "workload-not-found"),
        ("/api/v1/workloads/nope/watch", "workload-not-found"),
        ("/api/v1/builds?workload=nope", "workload-not-found"),
        ("/api/v1/builds/7", "build-not-found"),
        ("/api/v1/builds/7/log", "build-not-found"),
        ("/api/v1/deploys/7", "deploy-not-found"),
        ("/api/v1/deploys/7/watch", "deploy-not-found"),
        ("/api/v1/builds/seven", "bad-request"),
        ("/api/v1/builds?state=exploded", "bad-request"),
        ("/assets/gone.js", "not-found"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(), expect, "{path}");
    }
}

#[tokio::test]
async fn a_caller_can_give_the_request_its_id() {
    let server = TestServer::start().await;
    let request = server
        .request("GET", "/api/v1/builds/7")
        .header("x-request-id", "mine-1");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.json()["request_id"], "mine-1");
    assert_eq!(answer.headers["x-request-id"], "mine-1");
}

#[tokio::test]
async fn a_webhook_without_the_right_signature_learns_nothing() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let known = workload.repository_id.to_string();
    let mut answers = Vec::new();
    for id in [
        known.as_str(),
        "999999",
        "nonsense",
        "99999999999999999999999",
    ] {
        let request = http::Request::builder()
            .method("POST")
            .uri(format!("/api/v1/webhooks/{id}"))
            .header("x-gitea-event", "push")
            .header("x-gitea-signature", "00".repeat(32))
            .header("x-request-id", "same");
        let answer = server.send(json_request(request, &json!({}))).await;
        assert_eq!(answer.problem(), "unauthenticated", "{id}");
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_signed_webhook_that_is_no_push_is_taken_and_ignored() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let secret = server
        .state
        .gate
        .key()
        .webhook_secret(workload.repository_id);
    let send = |event: &'static str, body: &'static str| {
        let mac = hmac_sha256(secret.expose(), body);
        http::Request::builder()
            .method("POST")
            .uri(format!("/api/v1/webhooks/{}", workload.repository_id))
            .header("x-gitea-event", event)
            .header("x-gitea-signature", mac)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap()
    };
    let ping = server.send(send("ping", "{}")).await;
    assert_eq!(
        (ping.status.as_u16(), ping.json()["accepted"].as_bool()),
        (202, Some(false))
    );
    assert_eq!(
        server.send(send("push", "{}")).await.problem(),
        "invalid-body"
    );
    let push = r#"{"ref":"refs/heads/main","after":"95f6178e872a9d279440e579dbcf3600eed5dd7e"}"#;
    let taken = server.send(send("push", push)).await;
    assert_eq!(
        (taken.status.as_u16(), taken.json()["accepted"].as_bool()),
        (202, Some(true))
    );
}

#[tokio::test]
async fn webhooks_may_be_larger_than_other_requests_and_are_bounded() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let secret = server
        .state
        .gate
        .key()
        .webhook_secret(workload.repository_id);
    let send = |bytes: usize| {
        let body = "x".repeat(bytes);
        http::Request::builder()
            .method("POST")
            .uri(format!("/api/v1/webhooks/{}", workload.repository_id))
            .header("x-gitea-event", "issues")
            .header("x-gitea-signature", hmac_sha256(secret.expose(), &body))
            .body(Body::from(body))
            .unwrap()
    };
    assert_eq!(server.send(send(1024 * 1024)).await.status, 202);
    let limit = server.state.limits.webhook_bytes;
    assert_eq!(
        server.send(send(limit + 1)).await.problem(),
        "body-too-large"
    );
}

/// HMAC-SHA256 in hexadecimal, by the definition (RFC 2104).
fn hmac_sha256(secret: &str, body: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut key = [0_u8; 64];
    if secret.len() > 64 {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret.as_bytes());
    }
    let inner = Sha256::new()
        .chain_update(key.map(|b| b ^ 0x36))
        .chain_update(body)
        .finalize();
    let outer = Sha256::new()
        .chain_update(key.map(|b| b ^ 0x5c))
        .chain_update(inner)
        .finalize();
    hex::encode(outer)
}

#[tokio::test]
async fn a_misspelt_parameter_is_refused_with_those_that_there_are() {
    let server = TestServer::start().await;
    for path in [
        "/api/v1/deploys?stat=failed",
        "/api/v1/deploys?limit=5&stat=failed",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(), "bad-request");
        let said = answer.json();
        let (detail, hint) = (&said["detail"], said["hint"].as_str().unwrap_or_default());
        assert_eq!(detail, "There is no parameter `stat` here.");
        assert!(hint.contains("state") && hint.contains("limit"), "{hint}");
    }
    let fine = server.get("/api/v1/deploys?state=failed&limit=5").await;
    assert_eq!(fine.status.as_u16(), 200);
    let answer = server.get("/api/v1/me?x=1").await;
    assert_eq!(answer.problem(), "bad-request");
}
