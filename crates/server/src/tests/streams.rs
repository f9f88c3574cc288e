//! Live streams of workloads and deploys.

use axum::body::Body;
use hermez_api::{ArtifactImage, Category};
use hermez_store::{BuildOutcome, DeployRecord, NewBuild, NewDeploy};
use jiff::Timestamp;
use serde_json::json;

use super::builds::{COMMIT, running_build};
use super::rollouts::ran;
use super::{Stream, TestServer};

async fn deploy(server: &TestServer, workload_id: i64) -> DeployRecord {
    let new = NewDeploy {
        workload_id,
        instance: "hello".to_owned(),
        commit: COMMIT.to_owned(),
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
        .request_deploy(&new, Timestamp::now())
        .await
        .unwrap()
}

async fn open(server: &TestServer, path: &str) -> Stream {
    Stream::of(
        server
            .raw(server.request("GET", path).body(Body::empty()).unwrap())
            .await,
    )
}

#[tokio::test]
async fn a_workloads_stream_begins_with_what_is_and_goes_on_with_what_changes() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let mut stream = open(&server, "/api/v1/workloads/hello/watch").await;
    assert_eq!(stream.next().await.unwrap().event, "status");
    let asked = deploy(&server, workload.id).await;
    let told = stream.next_named("deploy").await;
    assert_eq!(told.data["id"], asked.id);
    server
        .state
        .store
        .set_category("hello", None, Category::NonProduction)
        .await
        .unwrap();
    stream.next_named("commits").await;
}

#[tokio::test]
async fn a_workloads_stream_tells_of_no_other() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let other = server.workload("other").await;
    let mut stream = open(&server, "/api/v1/workloads/hello/watch").await;
    stream.next_named("status").await;
    deploy(&server, other.id).await;
    server
        .state
        .store
        .set_category("hello", None, Category::NonProduction)
        .await
        .unwrap();
    let told = stream.next().await.unwrap();
    assert_eq!(told.event, "commits", "{told:?}");
}

#[tokio::test]
async fn the_stream_of_everything_begins_with_what_runs() {
    let server = TestServer::start().await;
    let (build, _) = running_build(&server, 0).await;
    let mut stream = open(&server, "/api/v1/watch").await;
    assert_eq!(stream.next_named("build").await.data["id"], build);
    server
        .state
        .store
        .set_category("hello", None, Category::NonProduction)
        .await
        .unwrap();
    let told = stream.next_named("workload").await;
    assert_eq!(told.data["category"], "Non-Production");
}

/// Keeps the artifact of that version, with an image that every workload has alike.
async fn publish(server: &TestServer, workload_id: i64, digit: &str) {
    let (store, now) = (&server.state.store, Timestamp::now());
    let new = NewBuild {
        workload_id,
        commit: digit.repeat(40),
        title: "title".to_owned(),
        requested_by: "push".to_owned(),
        retry: false,
    };
    store.request_build(&new, now).await.unwrap();
    let acquired = store.acquire_build("test", now, 60_000).await.unwrap();
    let image = ArtifactImage {
        name: "app".to_owned(),
        reference: format!("r/app@sha256:app{digit}"),
        built: true,
    };
    let outcome = BuildOutcome::Succeeded {
        manifest: format!("r/m@sha256:{workload_id}{digit}"),
        images: vec![image],
        committed_at: now,
    };
    let (lease, _) = acquired.unwrap();
    store.finish_build(lease, outcome, now).await.unwrap();
}

#[tokio::test]
async fn a_mark_is_told_of_every_workload_that_runs_the_artifact() {
    let server = TestServer::start().await;
    let hello = server.workload("hello").await;
    let other = server.workload("other").await;
    ran(&server, hello.id, "a").await;
    for id in [hello.id, other.id] {
        publish(&server, id, "b").await;
        ran(&server, id, "b").await;
    }
    let before = server.get("/api/v1/workloads/other").await.json();
    assert!(before["bad"].is_null(), "{before}");
    let mut stream = open(&server, "/api/v1/watch").await;
    let path = "/api/v1/workloads/hello/rollback";
    let answer = server.post(path, &json!({ "reason": "it crashes" })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let told = loop {
        let told = stream.next_named("workload").await;
        if told.data["name"] == "other" {
            break told;
        }
    };
    let bad = &told.data["bad"];
    assert_eq!(
        (bad["workload"].as_str(), bad["reason"].as_str()),
        (Some("hello"), Some("it crashes"))
    );
    let listed = server.get("/api/v1/workloads").await.json();
    for row in [0_usize, 1] {
        assert_eq!(listed["items"][row]["bad"]["by"], "owner", "{listed}");
    }
}

#[tokio::test]
async fn a_deploys_stream_resumes_and_ends_with_it() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let asked = deploy(&server, workload.id).await;
    let path = format!("/api/v1/deploys/{}/watch", asked.id);
    let mut stream = open(&server, &path).await;
    let first = stream.next_named("event").await;
    assert_eq!(first.id.as_deref(), Some("1"));
    assert_eq!(stream.next_named("deploy").await.data["state"], "pending");

    end(&server, asked.id).await;
    assert_eq!(stream.next_named("deploy").await.data["state"], "failed");
    let request = server
        .request("GET", &path)
        .header("last-event-id", "1")
        .body(Body::empty())
        .unwrap();
    let mut again = Stream::of(server.raw(request).await);
    let next = again.next().await.unwrap();
    assert_eq!(
        (next.event.as_str(), next.id.as_deref()),
        ("event", Some("2"))
    );
    assert_eq!(again.next().await.unwrap().data["state"], "failed");
    assert_eq!(again.next().await, None);
}

/// Ends a deploy as the engine would.
pub(super) async fn end(server: &TestServer, id: i64) {
    let store = &server.state.store;
    let now = Timestamp::now();
    let (lease, _) = store
        .acquire_deploy(id, "test", now, 60_000)
        .await
        .unwrap()
        .unwrap();
    let write = hermez_store::DeployWrite {
        state: Some(hermez_api::DeployState::Failed),
        message: Some("It failed.".to_owned()),
        ..Default::default()
    };
    store
        .write_deploy(lease, &write, now)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn streams_end_when_the_server_does() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let mut stream = open(&server, "/api/v1/workloads/hello/watch").await;
    stream.next_named("status").await;
    server.state.shutdown.cancel();
    while stream.next().await.is_some() {}
    assert_eq!(server.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let asked = deploy(&server, workload.id).await;
    let request = server
        .request("GET", &format!("/api/v1/deploys/{}/watch", asked.id))
        .header("last-event-id", "seven")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(request).await.problem(), "bad-request");
}
