//! A real Git server for tests: `git http-backend` behind a small HTTP server on loopback.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use hermez_source::{Limits, Mirrors, RepositoryUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Serves the bare repositories of a folder over smart HTTP.
pub struct GitServer {
    pub address: String,
    pub shared: Arc<Shared>,
    root: tempfile::TempDir,
}

#[derive(Default)]
pub struct Shared {
    root: PathBuf,
    /// `Authorization` header that repositories ask for, by the first part of the path.
    locked: Mutex<HashMap<String, String>>,
    /// Bytes sent since the last look.
    sent: AtomicU64,
    /// Requests seen since the start.
    pub requests: AtomicU64,
}

impl GitServer {
    pub async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared {
            root: root.path().to_owned(),
            ..Shared::default()
        });
        let app = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            shared,
            root,
        }
    }

    pub fn url(&self, name: &str) -> RepositoryUrl {
        RepositoryUrl::parse(&format!("{}/{name}", self.address)).unwrap()
    }

    /// Makes an empty repository and tells its folder.
    pub fn create(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        git(
            Path::new("/"),
            &[
                "init",
                "-q",
                "--bare",
                "-b",
                "main",
                folder.to_str().unwrap(),
            ],
        );
        folder
    }

    /// Locks a repository behind a user name and a password.
    pub fn lock(&self, name: &str, basic: &str) {
        let mut locked = self.shared.locked.lock().unwrap();
        locked.insert(name.to_owned(), basic.to_owned());
    }

    /// Bytes sent since the last call.
    pub fn sent(&self) -> u64 {
        self.shared.sent.swap(0, Ordering::SeqCst)
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let answer = |status: StatusCode| Response::builder().status(status);
    let name = uri.path().split('/').nth(1).unwrap_or_default().to_owned();
    let given = headers
        .get(header::AUTHORIZATION)
        .map(|v| v.to_str().unwrap().to_owned());
    let wanted = shared.locked.lock().unwrap().get(&name).cloned();
    if wanted.is_some() && wanted != given {
        return answer(StatusCode::UNAUTHORIZED)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")
            .body(Body::empty())
            .unwrap();
    }
    match name.as_str() {
        "moved" => {
            return answer(StatusCode::MOVED_PERMANENTLY)
                .header(header::LOCATION, "http://127.0.0.1:1/elsewhere")
                .body(Body::empty())
                .unwrap();
        }
        "page" => {
            return answer(StatusCode::OK)
                .body(Body::from(
                    "<!DOCTYPE html>\n<html>\n<body>A page</body>\n</html>\n",
                ))
                .unwrap();
        }
        "silent" => std::future::pending::<()>().await,
        _ => {}
    }
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = tokio::spawn(async move {
        let _ = stdin.write_all(&body).await;
    });
    let mut out = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut out)
        .await
        .unwrap();
    feed.await.unwrap();
    shared.sent.fetch_add(out.len() as u64, Ordering::SeqCst);
    let at = out.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&out[..at]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            response = response.status(value[..3].parse::<u16>().unwrap());
        } else {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(out.split_off(at + 4))).unwrap()
}

/// Runs Git for a test and tells what it printed.
pub fn git(folder: &Path, args: &[&str]) -> String {
    git_with(folder, args, b"")
}

/// Runs Git for a test with some input.
pub fn git_with(folder: &Path, args: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("git")
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "Ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "Ada"),
            ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// One commit for `git fast-import`.
#[derive(Default)]
pub struct Push {
    stream: Vec<u8>,
    time: u64,
}

impl Push {
    pub fn new() -> Self {
        Self {
            stream: b"feature done\n".to_vec(),
            time: 1_573_840_000,
        }
    }

    /// Adds a commit to a branch; files are `mode path content` (mode 120000: a link).
    pub fn commit(mut self, branch: &str, message: &[u8], files: &[(&str, &str, &[u8])]) -> Self {
        self.time += 1;
        self.author(branch, b"Ada <ada@example.com>", message, files);
        self
    }

    /// Adds a commit with any bytes as its author.
    pub fn by(mut self, author: &[u8], branch: &str, message: &[u8]) -> Self {
        self.time += 1;
        self.author(branch, author, message, &[]);
        self
    }

    fn author(
        &mut self,
        branch: &str,
        author: &[u8],
        message: &[u8],
        files: &[(&str, &str, &[u8])],
    ) {
        let who = [author, format!(" {} +0000\n", self.time).as_bytes()].concat();
        self.put(format!("commit refs/heads/{branch}\n").as_bytes());
        self.put(&[b"author ", &who[..]].concat());
        self.put(&[b"committer ", &who[..]].concat());
        self.data(message);
        for (mode, path, content) in files {
            if *mode == "160000" {
                let id = String::from_utf8_lossy(content);
                self.put(format!("M 160000 {id} {path}\n").as_bytes());
            } else {
                self.put(format!("M {mode} inline {path}\n").as_bytes());
                self.data(content);
            }
        }
        self.put(b"\n");
    }

    fn data(&mut self, bytes: &[u8]) {
        self.put(format!("data {}\n", bytes.len()).as_bytes());
        self.put(bytes);
        self.put(b"\n");
    }

    fn put(&mut self, bytes: &[u8]) {
        self.stream.extend_from_slice(bytes);
    }

    /// Writes it into a repository, on top of what its branches hold when `onto` says so.
    pub fn into(mut self, repository: &Path) {
        self.put(b"done\n");
        git_with(
            repository,
            &[
                "-c",
                "core.compression=0",
                "fast-import",
                "--quiet",
                "--force",
            ],
            &self.stream,
        );
    }

    /// Makes the next commit of `branch` follow the branch as it is in the repository.
    pub fn onto(mut self, repository: &Path, branch: &str) -> Self {
        let head = git(repository, &["rev-parse", branch]);
        self.put(format!("reset refs/heads/{branch}\nfrom {head}\n\n").as_bytes());
        self.time = git(repository, &["log", "-1", "--format=%ct", branch])
            .parse()
            .unwrap();
        self
    }
}

/// Mirrors in a folder that goes with the test.
pub fn mirrors(limits: Limits) -> (Mirrors, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    (Mirrors::new(root.path().join("mirrors"), limits), root)
}

/// Paths of all files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries.flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
