//! Who gets in, how, and what browsers may do.

use axum::body::Body;
use axum::extract::Request;
use http::{StatusCode, header};
use serde_json::json;

use super::openapi::{self, operations};
use super::{Answer, TestServer, json_request};

/// Anonymous on purpose.
const OPEN: [(&str, &str); 2] = [("GET", "/healthz"), ("GET", "/readyz")];

fn anonymous(method: &str, path: &str) -> Request {
    http::Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn nothing_but_health_is_anonymous() {
    let server = TestServer::start().await;
    for (method, path, operation) in operations(&openapi::document()) {
        let real = path
            .replace("{name}", "hello")
            .replace("{id}", "1")
            .replace("{repository_id}", "1")
            .replace("{code}", "0123456789abcdef");
        let answer = server.send(anonymous(&method, &real)).await;
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            assert_eq!(answer.status, StatusCode::OK, "{method} {path}");
        } else {
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{method} {path}: {}",
                answer.text
            );
            answer.problem();
        }
        let documented_as_open = operation["security"].is_array();
        let open = !path.starts_with("/api/") && path != "/metrics" || path.contains("/webhooks/");
        assert_eq!(documented_as_open, open, "{method} {path}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_told_to_strangers() {
    let server = TestServer::start().await;
    for (method, path) in [
        ("GET", "/api/v1/nothing"),
        ("GET", "/api/v2"),
        ("PUT", "/api/v1/me"),
    ] {
        assert_eq!(
            server.send(anonymous(method, path)).await.status,
            401,
            "{method} {path}"
        );
    }
    assert_eq!(server.get("/api/v1/nothing").await.problem(), "not-found");
    let put = server
        .request("PUT", "/api/v1/me")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(put).await.problem(), "method-not-allowed");
}

#[tokio::test]
async fn the_ui_is_open_and_every_answer_is_secured() {
    let server = TestServer::start().await;
    for path in ["/", "/workloads/hello", "/login", "/healthz", "/api/v1/me"] {
        let answer = server.send(anonymous("GET", path)).await;
        let csp = answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(csp.contains("frame-ancestors 'none'"), "{path}");
        assert!(
            !csp.split("style-src").next().unwrap().contains("unsafe"),
            "{path}: {csp}"
        );
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(answer.headers.contains_key("x-request-id"));
        assert!(answer.headers.contains_key(header::CACHE_CONTROL));
    }
    let page = server.send(anonymous("GET", "/workloads/hello")).await;
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn a_revoked_token_opens_nothing() {
    let server = TestServer::start().await;
    let created = server
        .post("/api/v1/tokens", &json!({ "name": "ci" }))
        .await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.headers[header::CACHE_CONTROL], "no-store");
    let secret = created.json()["secret"].as_str().unwrap().to_owned();
    let id = created.json()["token"]["id"].as_str().unwrap().to_owned();
    let with_it = || {
        http::Request::builder()
            .uri("/api/v1/me")
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(server.send(with_it()).await.json()["via"], "token");
    let revoke = server
        .request("DELETE", &format!("/api/v1/tokens/{id}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(revoke).await.status, 200);
    assert_eq!(server.send(with_it()).await.problem(), "unauthenticated");
    let list = server.get("/api/v1/tokens").await;
    assert!(!list.text.contains(&secret));
    let unknown = server
        .request("DELETE", "/api/v1/tokens/9999")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(unknown).await.problem(), "token-not-found");
}

/// Signs a browser in; its cookie.
async fn sign_in(server: &TestServer) -> String {
    let link = server.post("/api/v1/login-links", &json!(null)).await;
    assert_eq!(link.status, 201, "{}", link.text);
    let url = link.json()["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("http://hermez.test").unwrap().to_owned();

    let looked = server.send(anonymous("HEAD", &path)).await;
    assert!(
        !looked.headers.contains_key(header::SET_COOKIE),
        "HEAD must not use the link up"
    );
    let redeemed = server.send(anonymous("GET", &path)).await;
    assert_eq!(redeemed.status, 303, "{}", redeemed.text);
    assert_eq!(redeemed.headers[header::LOCATION], "/");
    let cookie = redeemed.headers[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(
        server.send(anonymous("GET", &path)).await.problem(),
        "login-link-invalid"
    );
    let mut again = anonymous("GET", &path);
    let html = http::HeaderValue::from_static("text/html");
    again.headers_mut().insert(header::ACCEPT, html);
    let again = server.send(again).await;
    assert_eq!(
        (again.status.as_u16(), &again.headers[header::LOCATION]),
        (303, &"/login?link=used".parse().unwrap())
    );
    assert!(!again.headers.contains_key(header::SET_COOKIE));
    cookie.split(';').next().unwrap().to_owned()
}

async fn browser(
    server: &TestServer,
    method: &str,
    path: &str,
    cookie: &str,
    from: &str,
) -> Answer {
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .header(header::COOKIE, cookie);
    if !from.is_empty() {
        request = request.header("sec-fetch-site", from);
    }
    server
        .send(json_request(request, &json!({ "name": "x" })))
        .await
}

#[tokio::test]
async fn a_browser_signs_in_once_and_acts_from_our_own_pages_only() {
    let server = TestServer::start().await;
    let cookie = sign_in(&server).await;
    let me = browser(&server, "GET", "/api/v1/me", &cookie, "none").await;
    assert_eq!(me.json()["via"], "session");
    for from in ["cross-site", "same-site", "none", ""] {
        let refused = browser(&server, "POST", "/api/v1/tokens", &cookie, from).await;
        assert_eq!(refused.problem(), "cross-site", "{from}");
    }
    let made = browser(&server, "POST", "/api/v1/tokens", &cookie, "same-origin").await;
    assert_eq!(made.status, 201);

    let out = browser(&server, "POST", "/api/v1/logout", &cookie, "same-origin").await;
    assert_eq!(out.status, 204);
    assert!(
        out.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        browser(&server, "GET", "/api/v1/me", &cookie, "none")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let now = jiff::Timestamp::now();
    let viewer = server
        .state
        .store
        .ensure_principal("vera", "viewer", now)
        .await
        .unwrap();
    let secret = "hermez_viewer";
    server
        .state
        .store
        .create_token(viewer.id, "v", &sha256(secret), now)
        .await
        .unwrap();
    let as_viewer = |method: &str, path: &str| {
        http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(
        server
            .send(as_viewer("GET", "/api/v1/workloads"))
            .await
            .status,
        200
    );
    let refused = server
        .send(as_viewer("DELETE", "/api/v1/workloads/hello"))
        .await;
    assert_eq!(refused.problem(), "forbidden");
    assert_eq!(
        server
            .send(as_viewer("GET", "/api/v1/audit"))
            .await
            .problem(),
        "forbidden"
    );
    let audit = server
        .get("/api/v1/audit?action=workload.delete")
        .await
        .json();
    assert_eq!(audit["items"][0]["outcome"], "denied");
    assert_eq!(audit["items"][0]["principal"], "vera");
}

fn sha256(text: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(text).into()
}

#[tokio::test]
async fn owners_add_people_and_let_them_in() {
    let server = TestServer::start().await;
    let path = "/api/v1/principals";
    let bob = json!({ "name": "bob", "role": "owner" });
    let made = server.post(path, &bob).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(server.post(path, &bob).await.problem(), "conflict");
    for (name, role) in [("Bob", "owner"), ("push", "owner"), ("eve", "wizard")] {
        let refused = server
            .post(path, &json!({ "name": name, "role": role }))
            .await;
        assert_eq!(refused.problem(), "invalid-body", "{name} {role}");
        assert!(refused.json()["hint"].is_string(), "{}", refused.text);
    }
    let listed = server.get(path).await.json();
    let names = listed["items"].as_array().unwrap().iter();
    let names: Vec<_> = names.filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["owner", "bob"]);

    let token = json!({ "name": "laptop" });
    let token = server
        .post(&format!("{path}/bob/tokens"), &token)
        .await
        .json();
    assert_eq!(token["token"]["owner"], "bob");
    let secret = token["secret"].as_str().unwrap();
    let as_bob = http::Request::builder()
        .uri("/api/v1/me")
        .header(header::AUTHORIZATION, format!("Bearer {secret}"))
        .body(Body::empty())
        .unwrap();
    let me = server.send(as_bob).await.json();
    assert_eq!((&me["name"], &me["role"]), (&json!("bob"), &json!("owner")));
    let link = server
        .post(&format!("{path}/bob/login-links"), &json!({}))
        .await;
    assert_eq!(link.status, 201, "{}", link.text);
    let url = link.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://hermez.test/login/"), "{url}");
    for what in ["tokens", "login-links"] {
        let nobody = format!("{path}/nobody/{what}");
        let nobody = server.post(&nobody, &json!({ "name": "x" })).await;
        assert_eq!(nobody.problem(), "not-found", "{what}");
    }
    let record = server.get("/api/v1/audit?target=principal/bob").await;
    assert!(!record.text.contains(secret), "{}", record.text);
    let record = record.json();
    let did = record["items"].as_array().unwrap().iter();
    let did: Vec<_> = did.filter_map(|one| one["action"].as_str()).collect();
    let wanted = [
        "login_link.create",
        "token.create",
        "principal.create",
        "principal.create",
    ];
    assert_eq!(did, wanted, "the second was refused");
}
