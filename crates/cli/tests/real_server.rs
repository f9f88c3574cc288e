//! `hermez server` and the client commands together: a real server with its database, and neither
//! cluster nor registry nor forge, which it must bear.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::{Ended, finish, program};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// A kubeconfig of a cluster that is down.
const KUBECONFIG: &str = "apiVersion: v1
kind: Config
current-context: down
clusters: [{name: down, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: down, context: {cluster: down, user: nobody}}]
";

struct Running {
    home: TempDir,
    child: Child,
    url: String,
}

impl Running {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self::start_in(home).await
    }

    async fn start_in(home: TempDir) -> Self {
        let kubeconfig = home.path().join("kubeconfig");
        std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
        let data_dir = home.path().join("data");
        let mut command = program(
            home.path(),
            &[
                "server",
                "--listen",
                "127.0.0.1:0",
                "--registry",
                "127.0.0.1:1",
                "--log-format",
                "json",
            ],
        );
        command
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .arg("--data-dir")
            .arg(&data_dir);
        command
            .arg("--bootstrap-token-file")
            .arg(home.path().join("token"));
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let found = tokio::time::timeout(Duration::from_mins(1), async {
            let mut said = String::new();
            while let Some(line) = log.next_line().await.unwrap() {
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(address) = entry["fields"]["address"].as_str() {
                    return format!("http://{address}");
                }
                said = said + &line + "\n";
            }
            panic!("the server did not start:\n{said}");
        });
        let url = found.await.expect("the server starts");
        // A full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { home, child, url }
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.home.path().join("token")
    }

    async fn owner(&self, words: &[&str]) -> Ended {
        let mut command = program(self.home.path(), words);
        command
            .env("HERMEZ_SERVER", &self.url)
            .env("HERMEZ_TOKEN_FILE", self.token_file());
        finish(command, "").await
    }

    async fn with_token(&self, token: &str, words: &[&str]) -> Ended {
        let mut command = program(self.home.path(), words);
        command
            .env("HERMEZ_SERVER", &self.url)
            .env("HERMEZ_TOKEN", token);
        finish(command, "").await
    }

    /// Asks it to stop, and returns how it ended.
    async fn stop(mut self) -> (Option<i32>, TempDir) {
        let pid = self.child.id().unwrap().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(killed.unwrap().success());
        let status = tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await;
        (
            status.expect("it ends when asked to").unwrap().code(),
            self.home,
        )
    }
}

fn contains(path: &Path, secret: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

#[tokio::test]
async fn the_owner_signs_in_and_tokens_come_and_go() {
    let server = Running::start().await;
    let mode = server.token_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let ended = server.owner(&["whoami"]).await;
    assert!(ended.code == 0 && ended.out.contains("owner"), "{ended:?}");
    let ended = server.owner(&["token", "create", "for ci"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let token = ended.out.trim().to_owned();
    assert!(token.starts_with("hermez_"), "{ended:?}");
    assert_eq!(
        server.with_token(&token, &["workload", "list"]).await.code,
        0
    );

    let ended = server.owner(&["token", "list", "-o", "json"]).await;
    let tokens: Value = serde_json::from_str(&ended.out).unwrap();
    let ours = tokens["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "for ci")
        .unwrap();
    let ended = server
        .owner(&["token", "revoke", ours["id"].as_str().unwrap()])
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let ended = server.with_token(&token, &["workload", "list"]).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("hint:"), "{ended:?}");

    let ended = server.owner(&["audit"]).await;
    assert!(
        ended.out.contains("token.create") && ended.out.contains("token.revoke"),
        "{ended:?}"
    );
    assert!(!ended.out.contains(&token));

    let (code, home) = server.stop().await;
    assert_eq!(code, Some(0));
    for file in ["data/hermez.db", "data/hermez.db-wal"] {
        assert!(
            !contains(&home.path().join(file), &token),
            "{file} holds a token in clear"
        );
    }
}

#[tokio::test]
async fn a_started_again_server_knows_its_people() {
    let server = Running::start().await;
    let ended = server.owner(&["token", "create", "lasting"]).await;
    let token = ended.out.trim().to_owned();
    let (code, home) = server.stop().await;
    assert_eq!(code, Some(0));
    let server = Running::start_in(home).await;
    assert_eq!(server.with_token(&token, &["whoami"]).await.code, 0);
    assert_eq!(server.owner(&["whoami"]).await.code, 0);
}

#[tokio::test]
async fn what_is_down_or_wrong_is_told_and_changes_nothing() {
    let server = Running::start().await;
    let create = [
        "workload",
        "create",
        "--yes",
        "--config",
        "a.yaml",
        "--repository",
    ];
    let ended = server
        .owner(&[&create[..], &["http://127.0.0.1:1/no/repo"]].concat())
        .await;
    assert!(
        ended.code == 2 && ended.err.contains("hint:") && ended.err.contains("request id:"),
        "{ended:?}"
    );
    let ended = server
        .owner(&[&create[..], &["file:///etc"]].concat())
        .await;
    assert_eq!(ended.code, 2, "{ended:?}");
    let ended = server
        .owner(&["workload", "list", "--output", "json"])
        .await;
    let page: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(page["items"], serde_json::json!([]));
    for words in [
        &["status", "nothing"][..],
        &["history", "nothing"],
        &["logs", "nothing"],
        &["logs", "nothing", "-f"],
    ] {
        let ended = server.owner(words).await;
        assert!(
            ended.code == 1 && ended.err.contains("nothing"),
            "{words:?}: {ended:?}"
        );
    }
    let ended = server.owner(&["deploy", "main"]).await;
    assert!(
        ended.code == 2 && ended.err.contains("workload create"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_login_link_opens_once() {
    let server = Running::start().await;
    let ended = server.owner(&["login-link"]).await;
    let link = ended.out.trim();
    assert!(
        ended.code == 0 && link.starts_with(&server.url),
        "{ended:?}"
    );
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = browser
            .get(link)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .send()
            .await
            .unwrap();
        answers.push(answer.headers().contains_key("set-cookie"));
    }
    assert_eq!(answers, [true, false]);
}
