//! A real Gitea: private repositories, wrong passwords, and webhooks that really arrive
//! (feature `cluster-tests`).

mod support;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use hermez_source::forge::{
    ForgeConfig, ForgeError, ForgeKind, Gitea, parse_push, verify_signature,
};
use hermez_source::{Credential, Limits, RepositoryUrl, SecretString, SourceError};
use serde_json::json;
use support::{git, mirrors};
use tokio::sync::mpsc;

/// The sandbox's forge.
struct Forge {
    address: String,
    user: String,
    password: String,
    token: String,
    http: reqwest::Client,
}

impl Forge {
    fn find() -> Self {
        let folder =
            std::env::var("HERMEZ_SANDBOX").expect("HERMEZ_SANDBOX names a running sandbox");
        let status =
            hermez_sandbox::status::read(Path::new(&folder)).expect("the sandbox's status");
        let read = |path| std::fs::read_to_string(path).unwrap().trim().to_owned();
        Self {
            address: status.forge.trim_end_matches('/').to_owned(),
            user: status.forge_user,
            password: read(status.forge_password_file),
            token: read(status.forge_token_file),
            http: reqwest::Client::new(),
        }
    }

    /// Makes an empty repository with a name of its own.
    async fn create(&self, private: bool) -> RepositoryUrl {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let time = jiff::Timestamp::now().as_microsecond();
        let name = format!(
            "source-test-{time}-{}",
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let answer = self
            .http
            .post(format!("{}/api/v1/user/repos", self.address))
            .header("authorization", format!("token {}", self.token))
            .json(&json!({"name": name, "private": private, "default_branch": "main"}))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 201);
        RepositoryUrl::parse(&format!("{}/{}/{name}.git", self.address, self.user)).unwrap()
    }

    async fn delete(&self, url: &RepositoryUrl) {
        let path = url.as_url().path().to_owned();
        let answer = self
            .http
            .delete(format!("{}/api/v1/repos{path}", self.address))
            .header("authorization", format!("token {}", self.token))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 204);
    }

    fn credential(&self) -> Credential {
        Credential::new(&self.user, &self.password)
    }

    fn gitea(&self) -> Gitea {
        Gitea::new(ForgeConfig {
            kind: ForgeKind::Gitea,
            base_url: self.address.parse().unwrap(),
            token: Some(SecretString::from(self.token.clone())),
        })
        .unwrap()
    }

    /// Pushes one more commit to `main` and tells its id.
    fn push(&self, work: &Path, url: &RepositoryUrl, message: &str) -> String {
        if !work.join(".git").exists() {
            git(work, &["init", "-q", "-b", "main"]);
        }
        std::fs::write(work.join("service.yaml"), message).unwrap();
        git(work, &["add", "."]);
        git(work, &["commit", "-q", "-m", message]);
        let with_password = url
            .to_string()
            .replace("://", &format!("://{}:{}@", self.user, self.password));
        git(work, &["push", "-q", &with_password, "main"]);
        git(work, &["rev-parse", "HEAD"])
    }
}

#[tokio::test]
async fn private_repositories_are_read_with_the_right_credential_only() {
    let forge = Forge::find();
    let url = forge.create(true).await;
    let (mirrors, _root) = mirrors(Limits::default());
    let work = tempfile::tempdir().unwrap();
    let right = forge.credential();
    let empty = mirrors.sync(&url, Some(&right)).await.unwrap_err();
    assert!(matches!(empty, SourceError::Empty { .. }), "{empty:?}");
    let first = forge.push(work.path(), &url, "first");

    let anonymous = mirrors.sync(&url, None).await.unwrap_err();
    assert!(
        matches!(anonymous, SourceError::AuthenticationRequired { .. }),
        "{anonymous:?}"
    );
    let wrong = Credential::new(&forge.user, "wrong");
    let refused = mirrors.sync(&url, Some(&wrong)).await.unwrap_err();
    assert!(
        matches!(refused, SourceError::AuthenticationFailed { .. }),
        "{refused:?}"
    );
    mirrors.sync(&url, Some(&right)).await.unwrap();
    assert_eq!(mirrors.resolve(&url, "main").await.unwrap().as_str(), first);
    // A token in place of the password does as well.
    let token = Credential::new(&forge.user, &forge.token);
    let second = forge.push(work.path(), &url, "second");
    let report = mirrors.sync(&url, Some(&token)).await.unwrap();
    assert_eq!(report.changed_branches, ["main"]);
    assert_eq!(
        mirrors.resolve(&url, "main").await.unwrap().as_str(),
        second
    );

    let none = RepositoryUrl::parse(&format!("{}/{}/none", forge.address, forge.user)).unwrap();
    let missing = mirrors.sync(&none, Some(&right)).await.unwrap_err();
    assert!(
        matches!(missing, SourceError::NotFound { .. }),
        "{missing:?}"
    );
    forge.delete(&url).await;
    let gone = mirrors.sync(&url, Some(&right)).await.unwrap_err();
    assert!(matches!(gone, SourceError::NotFound { .. }), "{gone:?}");
    assert_eq!(
        mirrors.resolve(&url, "main").await.unwrap().as_str(),
        second,
        "the mirror stays"
    );
}

/// A server that shows each webhook it gets.
async fn listener() -> (String, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let app = Router::new().route(
        "/hook",
        post(move |headers: HeaderMap, body: Bytes| {
            let _ = sender.send((headers, body));
            async {}
        }),
    );
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, app).await });
    (address, receiver)
}

#[tokio::test]
async fn a_push_arrives_signed_and_is_understood() {
    let forge = Forge::find();
    let gitea = forge.gitea();
    let url = forge.create(false).await;
    let (address, mut hooks) = listener().await;
    let target = address.parse().unwrap();
    gitea
        .ensure_webhook(&url, &target, "old-secret")
        .await
        .unwrap();
    // Again, with another secret: still one webhook, and the new secret counts.
    gitea
        .ensure_webhook(&url, &target, "new-secret")
        .await
        .unwrap();
    let work = tempfile::tempdir().unwrap();
    let commit = forge.push(work.path(), &url, "first");

    let (headers, body) = tokio::time::timeout(Duration::from_secs(20), hooks.recv())
        .await
        .expect("the webhook comes")
        .unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    for name in ["x-gitea-signature", "x-hub-signature-256"] {
        assert!(
            verify_signature(b"new-secret", &body, &header(name)),
            "{name}"
        );
        assert!(
            !verify_signature(b"old-secret", &body, &header(name)),
            "{name}"
        );
    }
    let push = parse_push(&header("x-gitea-event"), &body)
        .unwrap()
        .unwrap();
    assert_eq!(push.branch.as_deref(), Some("main"));
    assert_eq!(push.after.unwrap().as_str(), commit);
    assert_eq!(
        (push.deleted, push.pusher.as_str()),
        (false, forge.user.as_str())
    );

    gitea.remove_webhook(&url, &target).await.unwrap();
    gitea.remove_webhook(&url, &target).await.unwrap();
    forge.delete(&url).await;
    gitea.remove_webhook(&url, &target).await.unwrap();
    let gone = gitea.ensure_webhook(&url, &target, "x").await.unwrap_err();
    assert!(matches!(gone, ForgeError::NotFound { .. }), "{gone:?}");
    hooks.close();
    assert!(hooks.recv().await.is_none(), "one push, one call");
}

#[tokio::test]
async fn a_token_that_is_refused_is_told() {
    let forge = Forge::find();
    let url = forge.create(false).await;
    let gitea = Gitea::new(ForgeConfig {
        kind: ForgeKind::Gitea,
        base_url: forge.address.parse().unwrap(),
        token: Some(SecretString::from("0000")),
    })
    .unwrap();
    let target = "http://127.0.0.1:1/hook".parse().unwrap();
    let error = gitea.ensure_webhook(&url, &target, "x").await.unwrap_err();
    assert!(matches!(error, ForgeError::Forbidden { .. }), "{error:?}");
    forge.delete(&url).await;
}
