//! A server that answers as it is told, and the `hermez` program run against it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The token that the program is given.
pub const TOKEN: &str = "hermez_0123456789abcdef";

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and path with its query.
    pub line: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its JSON body, or null.
    pub body: Value,
}

impl Request {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// A server that answers as it is told, and remembers what it was asked.
pub struct Server {
    /// Its address.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts one; `answer` is given each request and the number of equal ones before it.
    pub async fn start(
        answer: impl Fn(&Request, usize) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::<Request>::new()));
        let seen = Arc::clone(&requests);
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let line = format!(
                "{method} {}",
                uri.path_and_query().map_or("/", |path| path.as_str())
            );
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let request = Request {
                line,
                headers,
                body,
            };
            let mut seen = seen.lock().unwrap();
            let before = seen
                .iter()
                .filter(|earlier| earlier.line == request.line)
                .count();
            seen.push(request.clone());
            let response = answer(&request, before);
            async move { response }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Self { url, requests }
    }

    /// Everything that it was asked, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Methods and paths, in order.
    pub fn lines(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .map(|request| request.line)
            .collect()
    }
}

/// A JSON answer.
pub fn ok(value: &Value) -> Response<Body> {
    answer(StatusCode::OK, "application/json", value.to_string())
}

/// A problem.
pub fn problem(status: u16, detail: &str) -> Response<Body> {
    let value = json!({
        "type": "urn:hermez:problem:x", "title": "It does not go", "status": status, "detail": detail,
        "hint": "Do this instead.", "request_id": "req-1",
        "places": [{"file": "deploy/hello.yaml", "line": 7, "column": 3, "message": "unknown field"}],
    });
    answer(
        StatusCode::from_u16(status).unwrap(),
        "application/problem+json",
        value.to_string(),
    )
}

/// A stream of events that ends in order.
pub fn stream(events: &str) -> Response<Body> {
    answer(StatusCode::OK, "text/event-stream", events.to_owned())
}

/// A stream of events that breaks off.
pub fn broken_stream(events: &str) -> Response<Body> {
    let first = Bytes::from(events.to_owned());
    let pieces = futures::stream::iter([Ok(first)]).chain(futures::stream::once(async {
        // What was written before goes out when there is nothing to write.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the line is cut"))
    }));
    let body = Body::from_stream(pieces);
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap()
}

/// An answer that breaks off.
pub fn lost() -> Response<Body> {
    let pieces = [
        Ok(Bytes::from("{")),
        Err(std::io::Error::other("the line is cut")),
    ];
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from_stream(futures::stream::iter(pieces)))
        .unwrap()
}

fn answer(status: StatusCode, kind: &str, body: String) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Body::from(body))
        .unwrap()
}

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// The program with a home of its own and nothing else in its environment.
pub fn program(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hermez"));
    command
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("TZ", "UTC")
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub async fn finish(mut command: Command, input: &str) -> Ended {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output())
        .await
        .expect("the program ends")
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program against a server, signed in.
pub async fn hermez(server: &Server, words: &[&str]) -> Ended {
    hermez_with_input(server, words, "").await
}

/// The same with something to read.
pub async fn hermez_with_input(server: &Server, words: &[&str], input: &str) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path(), words);
    command
        .env("HERMEZ_SERVER", &server.url)
        .env("HERMEZ_TOKEN", TOKEN);
    finish(command, input).await
}

/// A deploy in a state.
pub fn deploy(state: &str, message: &str) -> Value {
    json!({
        "id": 12, "workload": "hello", "kind": "regular", "state": state,
        "commit": "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "title": "Greet", "author": "Jane",
        "requested_by": "owner", "reason": null, "created_at": "2026-11-23T11:57:00Z",
        "started_at": null, "finished_at": "2026-11-23T11:57:14.2Z", "message": message,
        "pods_ready": 1, "pods_desired": 1,
    })
}

/// The same in full.
pub fn full_deploy(state: &str, message: &str) -> Value {
    let mut value = deploy(state, message);
    value["build_id"] = json!(4);
    value["images"] = json!([]);
    value["timeline"] = json!([]);
    value["failure_cause"] = if state == "failed" {
        json!("image_pull")
    } else {
        Value::Null
    };
    value["hint"] = if state == "failed" {
        json!("Look at the registry.")
    } else {
        Value::Null
    };
    value
}

/// A workload as lists show it.
pub fn workload(name: &str, repository: &str) -> Value {
    json!({
        "name": name, "workload_type": "PinterestService", "category": "Production", "project": "demo",
        "namespace": "default", "repository": repository, "config": "deploy/hello.yaml",
        "health": "healthy", "health_reason": "1 of 1 pods is ready", "pods_ready": 1, "pods_desired": 1,
        "current": null, "latest_deploy": null,
    })
}

/// The same in full.
pub fn full_workload(name: &str) -> Value {
    let mut value = workload(name, "http://forge/demo/hello");
    value["default_branch"] = json!("main");
    value["created_at"] = json!("2026-11-23T11:57:00Z");
    value["created_by"] = json!("owner");
    value["url"] = json!("http://127.0.0.1:31000/");
    value["mirror"] =
        json!({"fetched_at": null, "error": null, "webhook": "installed", "webhook_reason": null});
    value["version"] = json!(1);
    value
}
