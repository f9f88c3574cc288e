//! Pull requests and previews, as far as they need no forge and no cluster; and the gateway's door.

use hermez_api::DeployKind;
use hermez_store::{NewDeploy, NewPreview};
use http::header;
use jiff::Timestamp;
use serde_json::json;

use super::TestServer;

/// The preview of pull request 12 of a workload.
async fn preview(server: &TestServer, workload_id: i64) {
    let deploy = NewDeploy {
        workload_id,
        instance: "hello-pr-12".to_owned(),
        commit: "a".repeat(40),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "owner".to_owned(),
        reason: None,
        kind: DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let preview = NewPreview {
        pull_request: 12,
        title: "Say hello".to_owned(),
        author: "ada".to_owned(),
        head_branch: "topic".to_owned(),
        from_fork: false,
        forge_url: "http://forge/pulls/12".to_owned(),
        replicas: 1,
    };
    let store = &server.state.store;
    let asked = store.request_preview(&deploy, &preview, Timestamp::now());
    asked.await.unwrap();
}

#[tokio::test]
async fn without_a_forge_there_are_no_pull_requests() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let path = "/api/v1/workloads/hello/pull-requests";
    let none = server.get(path).await;
    assert_eq!(none.problem(), "conflict");
    assert!(none.text.contains("--forge"), "{}", none.text);
    let deploy = server.post(&format!("{path}/12/deploys"), &json!({})).await;
    assert_eq!(deploy.problem(), "conflict");
    let whole = json!({ "commit": "a".repeat(40) });
    for (body, problem) in [
        (whole, "conflict"),
        (json!({ "commit": "aaaaaaa" }), "invalid-body"),
        (json!({}), "invalid-body"),
    ] {
        let allow = server.post(&format!("{path}/12/allow"), &body).await;
        assert_eq!(allow.problem(), problem, "{body}");
    }
    let nobody = server
        .post(
            "/api/v1/workloads/nobody/pull-requests/12/deploys",
            &json!({}),
        )
        .await;
    assert_eq!(nobody.problem(), "workload-not-found");
}

#[tokio::test]
async fn a_preview_is_put_to_sleep_woken_and_removed() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let path = "/api/v1/workloads/hello/pull-requests/12";
    let verb = |verb: &str| format!("{path}/{verb}");
    let none = server.post(&verb("sleep"), &json!({})).await;
    assert_eq!(none.problem(), "preview-not-found");

    preview(&server, workload.id).await;
    let busy = server.post(&verb("sleep"), &json!({})).await;
    assert_eq!(busy.problem(), "conflict");
    let store = &server.state.store;
    let made = store.preview(workload.id, 12).await.unwrap().unwrap();
    let deploy = store.latest_deploy_of(&made).await.unwrap().unwrap();
    super::streams::end(&server, deploy.id).await;
    let nothing = server.post(&verb("sleep"), &json!({})).await;
    assert_eq!(nothing.problem(), "conflict");
    let said = nothing.text.contains("othing of this preview runs");
    assert!(said, "{}", nothing.text);
    assert!(store.sleep_preview(made.id).await.unwrap());
    let woken = server.post(&verb("wake"), &json!({})).await;
    assert_eq!(woken.json()["state"], "waking");
    let share = server.post(&verb("share"), &json!({})).await;
    assert_eq!(share.problem(), "conflict", "there is no gateway");
    for _ in 0..2 {
        let gone = server.send(
            server
                .request("DELETE", path)
                .body(axum::body::Body::empty())
                .unwrap(),
        );
        assert_eq!(gone.await.status, 202);
    }
    let audit = server.get("/api/v1/audit?action=preview.remove").await;
    let items = audit.json()["items"].as_array().unwrap().len();
    assert_eq!(items, 2, "{}", audit.text);
}

#[tokio::test]
async fn settings_of_previews_are_bounded() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let set = async |body: serde_json::Value| {
        let request = server
            .request("PATCH", "/api/v1/workloads/hello")
            .header(header::IF_MATCH, "*")
            .header(header::CONTENT_TYPE, "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        server.send(request).await
    };
    let set_to = set(json!({ "previews": { "idle_minutes": 5 } })).await;
    assert_eq!(
        set_to.json()["previews"]["idle_minutes"],
        5,
        "{}",
        set_to.text
    );
    for (field, number) in [
        ("replicas", 0),
        ("replicas", 11),
        ("expiry_days", 91),
        ("idle_minutes", -1),
    ] {
        let wrong = set(json!({ "previews": { field: number } })).await;
        assert_eq!(wrong.problem(), "invalid-body", "{field} {number}");
    }
}

#[tokio::test]
async fn the_door_asks_for_a_session_and_leads_nowhere_else() {
    let server = TestServer::start().await;
    let open = async |path: &str| {
        let request = http::Request::get(path).body(axum::body::Body::empty());
        server.send(request.unwrap()).await
    };
    let first = open("/previews/open?instance=hello-pr-12&to=//evil.org").await;
    assert_eq!(first.status, 200);
    assert!(
        first.text.contains("to=%2F&amp;again=true"),
        "{}",
        first.text
    );
    let hostile = open("/previews/open?instance=%22%3E%3Cscript%3E&to=/").await;
    assert!(!hostile.text.contains("<script"), "{}", hostile.text);
    let again = open("/previews/open?instance=hello-pr-12&to=/cart?a=1%262&again=true").await;
    let back = "/login?from=%2Fpreviews%2Fopen%3Finstance%3Dhello-pr-12%26to%3D%252Fcart%253Fa%253D1%25262";
    assert_eq!(
        (again.status.as_u16(), &again.headers["location"]),
        (303, &http::HeaderValue::from_static(back))
    );
}
