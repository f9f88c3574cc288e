//! Builds and their logs.

use axum::body::Body;
use hermez_api::{BuildStep, LogLine};
use hermez_store::{BuildOutcome, Lease, NewBuild};
use http::header;
use jiff::Timestamp;

use super::{Stream, TestServer};

pub const COMMIT: &str = "95f6178e872a9d279440e579dbcf3600eed5dd7e";
const LEASE_MS: i64 = 60_000;

/// A build that runs and has written `lines` lines.
pub async fn running_build(server: &TestServer, lines: usize) -> (i64, Lease) {
    let workload = server.workload("hello").await;
    let new = NewBuild {
        workload_id: workload.id,
        commit: COMMIT.to_owned(),
        title: "First".to_owned(),
        requested_by: "push".to_owned(),
        retry: false,
    };
    let store = &server.state.store;
    let id = store
        .request_build(&new, Timestamp::now())
        .await
        .unwrap()
        .build
        .id;
    let (lease, _) = store
        .acquire_build("test", Timestamp::now(), LEASE_MS)
        .await
        .unwrap()
        .unwrap();
    write(server, lease, "running", lines).await;
    (id, lease)
}

pub async fn write(server: &TestServer, lease: Lease, step: &str, lines: usize) {
    let step = BuildStep {
        number: 1,
        name: "[1/1] RUN make".to_owned(),
        state: step.to_owned(),
        started_at: Some(Timestamp::now()),
        finished_at: None,
    };
    let line = |n| LogLine {
        seq: 0,
        at: Timestamp::now(),
        step: 1,
        text: format!("line {n}"),
    };
    let lines: Vec<LogLine> = (1..=lines).map(line).collect();
    server
        .state
        .store
        .write_build_progress(lease, &[step], &lines)
        .await
        .unwrap();
}

async fn fail(server: &TestServer, lease: Lease) {
    let outcome = BuildOutcome::Failed {
        error: "`make` ended with 2".to_owned(),
        hint: None,
    };
    server
        .state
        .store
        .finish_build(lease, outcome, Timestamp::now())
        .await
        .unwrap();
}

async fn follow(server: &TestServer, id: i64, after: Option<&str>) -> Stream {
    let mut request = server
        .request("GET", &format!("/api/v1/builds/{id}/log"))
        .header(header::ACCEPT, "text/event-stream");
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    Stream::of(server.raw(request.body(Body::empty()).unwrap()).await)
}

#[tokio::test]
async fn a_log_is_read_in_pages() {
    let server = TestServer::start().await;
    let (id, _) = running_build(&server, 5).await;
    let texts = |page: &serde_json::Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = server
        .get(&format!("/api/v1/builds/{id}/log?limit=2"))
        .await
        .json();
    assert_eq!(texts(&first), ["line 1", "line 2"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = server
        .get(&format!("/api/v1/builds/{id}/log?limit=2&cursor={cursor}"))
        .await
        .json();
    assert_eq!(texts(&next), ["line 3", "line 4"]);
    let rest = server
        .get(&format!("/api/v1/builds/{id}/log?after=4"))
        .await
        .json();
    assert_eq!(texts(&rest), ["line 5"]);
    assert!(rest["next_cursor"].is_null());
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_that_was_seen_and_ends_with_the_build() {
    let server = TestServer::start().await;
    let (id, lease) = running_build(&server, 3).await;
    fail(&server, lease).await;
    let mut stream = follow(&server, id, Some("2")).await;
    assert_eq!(stream.next().await.unwrap().event, "step");
    let line = stream.next().await.unwrap();
    assert_eq!(
        (line.event.as_str(), line.id.as_deref()),
        ("line", Some("3"))
    );
    assert_eq!(line.data["text"], "line 3");
    let build = stream.next().await.unwrap();
    assert_eq!(
        (build.event.as_str(), build.data["state"].as_str()),
        ("build", Some("failed"))
    );
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn lines_come_as_they_are_written() {
    let server = TestServer::start().await;
    let (id, lease) = running_build(&server, 1).await;
    let mut stream = follow(&server, id, None).await;
    assert_eq!(stream.next_named("line").await.data["text"], "line 1");
    write(&server, lease, "succeeded", 1).await;
    assert_eq!(stream.next_named("line").await.id.as_deref(), Some("2"));
    fail(&server, lease).await;
    assert_eq!(
        stream.next_named("build").await.data["error"],
        "`make` ended with 2"
    );
}

#[tokio::test]
async fn streams_are_limited_and_give_their_place_back() {
    let server = TestServer::start().await;
    let (id, _) = running_build(&server, 1).await;
    let first = follow(&server, id, None).await;
    let _second = follow(&server, id, None).await;
    let request = server
        .request("GET", &format!("/api/v1/builds/{id}/log"))
        .header(header::ACCEPT, "text/event-stream")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(request).await.problem(), "too-many-streams");
    drop(first);
    follow(&server, id, None).await;
}

#[tokio::test]
async fn lists_show_builds_of_a_state() {
    let server = TestServer::start().await;
    let (id, _) = running_build(&server, 0).await;
    for (path, count) in [
        ("/api/v1/builds", 1),
        ("/api/v1/builds?workload=hello&state=running", 1),
        ("/api/v1/builds?state=queued", 0),
        ("/api/v1/workloads/hello/builds?state=running", 1),
    ] {
        let page = server.get(path).await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{path}");
    }
    let build = server.get(&format!("/api/v1/builds/{id}")).await.json();
    assert_eq!(build["steps"][0]["name"], "[1/1] RUN make");
    let figures = server.get("/metrics").await;
    assert!(
        figures.text.contains(r#"hermez_builds{state="running"} 1"#),
        "{}",
        figures.text
    );
}
