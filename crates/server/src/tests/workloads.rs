//! Workloads: pages, filters, versions, status.

use http::{StatusCode, header};
use serde_json::{Value, json};

use super::{Answer, TestServer, json_request};

fn names(page: &Value) -> Vec<&str> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_is_read_a_page_at_a_time() {
    let server = TestServer::start().await;
    for name in ["e", "a", "d", "b", "c"] {
        server.workload(name).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/workloads?limit=2".to_owned();
    loop {
        let page = server.get(&path).await.json();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/workloads?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    for path in ["?limit=0", "?limit=201", "?limit=x", "?cursor=nonsense"] {
        let answer = server.get(&format!("/api/v1/workloads{path}")).await;
        assert_eq!(answer.problem(), "bad-request", "{path}");
    }
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let server = TestServer::start().await;
    server.workload("hermez-ui").await;
    server.workload("kubecon-demo").await;
    for (query, expect) in [
        ("q=UI", vec!["hermez-ui"]),
        ("category=Production", vec!["hermez-ui", "kubecon-demo"]),
        ("category=Non-Production", vec![]),
        (
            "type=PinterestService&project=demo",
            vec!["hermez-ui", "kubecon-demo"],
        ),
        ("type=PinterestCronJob", vec![]),
    ] {
        let page = server
            .get(&format!("/api/v1/workloads?{query}"))
            .await
            .json();
        assert_eq!(names(&page), expect, "{query}");
    }
}

async fn patch(server: &TestServer, version: Option<&str>, body: &Value) -> Answer {
    let mut request = server.request("PATCH", "/api/v1/workloads/hello");
    if let Some(version) = version {
        request = request.header(header::IF_MATCH, version);
    }
    server.send(json_request(request, body)).await
}

#[tokio::test]
async fn an_edit_needs_the_version_that_was_read() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let read = server.get("/api/v1/workloads/hello").await;
    let etag = read.headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", read.json()["version"]));
    let change = json!({ "category": "Non-Production" });

    assert_eq!(
        patch(&server, None, &change).await.problem(),
        "precondition-required"
    );
    assert_eq!(
        patch(&server, Some("\"77\""), &change).await.problem(),
        "precondition-failed"
    );
    assert_eq!(
        patch(&server, Some("\"77\""), &json!({})).await.problem(),
        "precondition-failed"
    );
    let changed = patch(&server, Some(&etag), &change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json()["category"], "Non-Production");
    assert_ne!(changed.headers[header::ETAG], etag.as_str());
    assert_eq!(
        patch(&server, Some(&etag), &change).await.problem(),
        "precondition-failed"
    );
    assert_eq!(patch(&server, Some("*"), &json!({})).await.status, 200);
    assert_eq!(
        patch(&server, Some("*"), &json!({ "nmae": "x" }))
            .await
            .problem(),
        "invalid-body"
    );

    let audit = server
        .get("/api/v1/audit?target=workload/hello")
        .await
        .json();
    let outcomes: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        ["allowed", "failed", "allowed", "failed", "failed"]
    );
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_said_to() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let status = server.get("/api/v1/workloads/hello/status").await.json();
    assert_eq!(status["health"], "not_deployed");

    let deploy = hermez_store::NewDeploy {
        workload_id: workload.id,
        instance: "hello".to_owned(),
        commit: "95f6178e872a9d279440e579dbcf3600eed5dd7e".to_owned(),
        title: "First".to_owned(),
        author: "ada".to_owned(),
        requested_by: "owner".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    server
        .state
        .store
        .request_deploy(&deploy, jiff::Timestamp::now())
        .await
        .unwrap();
    let status = server.get("/api/v1/workloads/hello/status").await.json();
    assert_eq!(status["health"], "unknown");
    assert!(
        status["reason"].as_str().unwrap().contains("cluster"),
        "{status}"
    );
    let log = server.get("/api/v1/workloads/hello/log").await;
    assert_eq!(log.problem(), "cluster-unavailable");
}

#[tokio::test]
async fn figures_are_for_those_who_may_know() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    server.get("/api/v1/workloads/hello").await;
    let figures = server.get("/metrics").await;
    assert!(
        figures.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let expect = r#"hermez_http_requests_total{method="GET",route="/api/v1/workloads/{name}",status="200"} 1"#;
    assert!(figures.text.contains(expect), "{}", figures.text);
}
