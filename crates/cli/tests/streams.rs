//! The commands that follow something, over connections that are lost.

mod support;

use std::fmt::Write as _;

use serde_json::{Value, json};
use support::*;
use tokio::io::{AsyncBufReadExt, BufReader};

fn event(name: &str, id: Option<i64>, data: &Value) -> String {
    let mut text = format!("event: {name}\n");
    if let Some(id) = id {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = write!(text, "data: {data}\n\n");
    text
}

fn entry(seq: i64, state: &str, message: &str) -> String {
    let data =
        json!({"seq": seq, "at": "2026-11-23T11:57:00Z", "state": state, "message": message});
    event("event", Some(seq), &data)
}

/// A deploy whose stream breaks off after two entries, and goes on where it was asked to.
async fn deploy_server(end: &'static str, message: &'static str) -> Server {
    Server::start(move |request, before| match request.line.as_str() {
        "POST /api/v1/workloads/hello/deploys" => ok(&deploy("pending", "Asked for")),
        "GET /api/v1/deploys/12/watch" if before == 0 => {
            let first = entry(1, "pending", "Asked for") + &entry(2, "building", "Build 4 runs");
            broken_stream(&(first + &event("deploy", None, &deploy("building", "Build 4 runs"))))
        }
        "GET /api/v1/deploys/12/watch" => {
            assert_eq!(request.header("last-event-id"), "2");
            // A server may say again what it has said.
            let rest = entry(2, "building", "Build 4 runs") + &entry(3, end, message);
            stream(&(rest + &event("deploy", None, &deploy(end, message))))
        }
        "GET /api/v1/deploys/12" => ok(&full_deploy(end, message)),
        "GET /api/v1/workloads/hello" => ok(&full_workload("hello")),
        other => problem(404, other),
    })
    .await
}

#[tokio::test]
async fn a_watched_deploy_survives_a_lost_connection() {
    let server = deploy_server("succeeded", "1 of 1 pods is ready").await;
    let ended = hermez(
        &server,
        &["deploy", "95f6178", "--workload", "hello", "--watch"],
    )
    .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    insta::assert_snapshot!(ended.out, @r"
    11:57:00 UTC  pending      Asked for
    11:57:00 UTC  building     Build 4 runs  (pending took 0.0 s)
    11:57:00 UTC  succeeded    1 of 1 pods is ready  (building took 0.0 s)
    hello runs 95f6178 (deploy 12, 14.2 s)
    It answers at http://127.0.0.1:31000/
    ");
}

#[tokio::test]
async fn a_deploy_that_fails_fails_the_command_and_says_why() {
    let server = deploy_server("failed", "the image cannot be pulled").await;
    let ended = hermez(&server, &["deploys", "watch", "12", "--output", "json"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), &line["data"]["state"]))
        .collect();
    assert_eq!(seen.len(), 5, "{}", ended.out);
    assert_eq!(seen.last().unwrap(), &("deploy", &json!("failed")));
    let problem: hermez_api::Problem =
        serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    assert!(
        problem.title.contains("image_pull") && problem.hint.unwrap() == "Look at the registry."
    );
}

#[tokio::test]
async fn a_build_is_followed_line_by_line_to_its_end() {
    let line = |seq: i64, text: &str| {
        event(
            "line",
            Some(seq),
            &json!({"seq": seq, "at": "2026-11-23T11:57:00Z", "step": 2, "text": text}),
        )
    };
    let build = |state: &str| {
        json!({
            "id": 4, "workload": "hello", "commit": "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "title": "Greet",
            "state": state, "attempt": 1, "requested_by": "push", "created_at": "2026-11-23T11:57:00Z",
            "started_at": "2026-11-23T11:57:00Z", "finished_at": "2026-11-23T11:57:03Z",
            "error": "RUN make ended with 2", "hint": "Read the log.", "steps": [], "artifact": null,
        })
    };
    let server = Server::start(move |request, _| match request.line.as_str() {
        "GET /api/v1/builds/4/log" => stream(
            &(line(1, "cc\x1b[2J main.c")
                + &line(2, "make: error 2")
                + &event("build", None, &build("failed"))),
        ),
        "GET /api/v1/builds/4" => ok(&build("failed")),
        other => problem(404, other),
    })
    .await;
    let ended = hermez(&server, &["build", "log", "4", "-f"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(ended.out, " 2 | cc\u{fffd}[2J main.c\n 2 | make: error 2\n");
    assert!(
        ended.err.contains("build 4 failed: RUN make ended with 2"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn followed_logs_say_each_line_once_and_end_with_their_reader() {
    let line = |second: i64, text: &str| {
        let at = format!("2026-11-23T11:57:{second:02}Z");
        event(
            "line",
            None,
            &json!({"pod": "hello-a", "container": "hello", "at": at, "text": text}),
        )
    };
    let server = Server::start(move |_, before| {
        let old = line(1, "one") + &line(2, "two");
        if before == 0 {
            broken_stream(&old)
        } else {
            stream(&(old + &line(3 + before as i64, &format!("more {before}"))))
        }
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path(), &["logs", "hello", "-f"]);
    command
        .env("HERMEZ_SERVER", &server.url)
        .env("HERMEZ_TOKEN", TOKEN);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for expect in [
        "[hello-a] one",
        "[hello-a] two",
        "[hello-a] more 1",
        "[hello-a] more 2",
    ] {
        assert_eq!(lines.next_line().await.unwrap().unwrap(), expect);
    }
    // `hermez logs -f | head -4`
    drop(lines);
    let status = tokio::time::timeout(std::time::Duration::from_mins(1), child.wait()).await;
    assert_eq!(
        status.expect("it ends with its reader").unwrap().code(),
        Some(0)
    );
    assert!(
        server.lines()[0].contains("follow=true"),
        "{:?}",
        server.lines()
    );
}

#[tokio::test]
async fn a_stream_that_is_refused_is_an_error_at_once() {
    let server = Server::start(|_, _| problem(403, "this is not yours to see")).await;
    let ended = hermez(&server, &["logs", "hello", "-f"]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("not yours"), "{ended:?}");
}
