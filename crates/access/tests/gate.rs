//! The gate over a real database: who gets in, what is done, what is recorded.
#![allow(missing_docs)]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hermez_access::{
    AccessError, Action, Gate, GateError, Presented, Principal, Role, SecretKey, Target, Via,
};
use hermez_api::AuditEntry;
use hermez_store::{AuditFilter, NewRepository, PageRequest, Store};
use jiff::Timestamp;
use serde_json::json;

/// A gate with a clock that stands until it is moved.
struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
    gate: Gate,
    seconds: Arc<AtomicI64>,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("hermez.db").display());
        let store = Store::open(&url).await.unwrap();
        let key = SecretKey::load_or_create(&folder.path().join("key")).unwrap();
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let clock = Arc::clone(&seconds);
        let clock = move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap();
        let gate = Gate::with_clock(store.clone(), key, Arc::new(clock));
        Self {
            folder,
            store,
            gate,
            seconds,
        }
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.folder.path().join("token")
    }

    async fn owner(&self) -> Principal {
        self.gate.bootstrap(&self.token_file()).await.unwrap();
        self.bearer(self.token().trim()).await.unwrap()
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.token_file()).unwrap()
    }

    async fn bearer(&self, token: &str) -> Result<Principal, AccessError> {
        self.gate.authenticate(Presented::Bearer(token)).await
    }

    async fn session(&self, secret: &str) -> Result<Principal, AccessError> {
        self.gate.authenticate(Presented::Session(secret)).await
    }

    async fn record(&self) -> Vec<AuditEntry> {
        let all = AuditFilter::default();
        self.store
            .audit(&all, &PageRequest::first(200))
            .await
            .unwrap()
            .items
    }
}

fn refused<T: std::fmt::Debug>(result: &Result<T, AccessError>) -> bool {
    matches!(result, Err(AccessError::NotAuthenticated))
}

#[tokio::test]
async fn a_token_opens_until_it_is_revoked_and_stands_nowhere_in_clear() {
    let fixture = Fixture::new().await;
    let owner = fixture.owner().await;
    let made = fixture.gate.create_token(&owner, "laptop").await.unwrap();
    assert!(
        made.secret.starts_with("hermez_") && made.secret.len() == 71,
        "{}",
        made.secret.len()
    );
    let who = fixture.bearer(&made.secret).await.unwrap();
    assert_eq!((who.name.as_str(), who.role), ("owner", Role::Owner));
    for wrong in [
        "",
        "hermez_",
        &made.secret[..70],
        &made.secret.to_uppercase(),
    ] {
        assert!(refused(&fixture.bearer(wrong).await), "{wrong}");
    }
    let long = "x".repeat(257);
    assert!(matches!(
        fixture.bearer(&long).await,
        Err(AccessError::TooLarge { .. })
    ));
    // A token is no session.
    assert!(refused(&fixture.session(&made.secret).await));

    fixture
        .gate
        .revoke_token(&owner, &made.token.id)
        .await
        .unwrap();
    assert!(refused(&fixture.bearer(&made.secret).await));
    for id in ["999", "x", ""] {
        let error = fixture.gate.revoke_token(&owner, id).await.unwrap_err();
        assert!(matches!(error, AccessError::NotFound { .. }), "{error}");
    }
    let actions: Vec<_> = fixture
        .record()
        .await
        .into_iter()
        .map(|e| (e.action, e.outcome))
        .collect();
    assert!(actions.contains(&("token.revoke".to_owned(), "failed".to_owned())));
    for file in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let clear = bytes
            .windows(made.secret.len())
            .any(|part| part == made.secret.as_bytes());
        assert!(!clear, "{} holds the secret", path.display());
    }
}

#[tokio::test]
async fn uses_are_noted_at_most_once_a_minute() {
    let fixture = Fixture::new().await;
    let owner = fixture.owner().await;
    let made = fixture.gate.create_token(&owner, "laptop").await.unwrap();
    let id = made.token.id.parse().unwrap();
    let mut noted = Vec::new();
    for _ in 0..3 {
        fixture.bearer(&made.secret).await.unwrap();
        noted.push(
            fixture
                .store
                .token(id)
                .await
                .unwrap()
                .unwrap()
                .last_used_at
                .unwrap(),
        );
        fixture.pass(40);
    }
    assert_eq!(noted[0], noted[1]);
    assert_eq!(noted[2].duration_since(noted[0]).as_secs(), 80);
}

#[tokio::test]
async fn a_link_opens_one_session_that_slides() {
    let fixture = Fixture::new().await;
    let owner = fixture.owner().await;
    let link = fixture.gate.create_login_link(&owner).await.unwrap();
    let old = fixture.gate.create_login_link(&owner).await.unwrap();
    let session = fixture
        .gate
        .redeem_login_link(link.code.expose())
        .await
        .unwrap();
    assert!(
        refused(&fixture.gate.redeem_login_link(link.code.expose()).await),
        "once"
    );
    assert!(refused(&fixture.gate.redeem_login_link("nonsense").await));
    assert!(refused(
        &fixture.gate.redeem_login_link(&"x".repeat(9999)).await
    ));
    fixture.pass(601);
    assert!(
        refused(&fixture.gate.redeem_login_link(old.code.expose()).await),
        "too old"
    );

    let secret = session.secret.expose();
    for _ in 0..3 {
        fixture.pass(11 * 3600);
        let who = fixture.session(secret).await.unwrap();
        assert!(matches!(who.via, Via::Session { .. }));
    }
    fixture.pass(12 * 3600);
    assert!(
        refused(&fixture.session(secret).await),
        "unused for 12 hours"
    );

    let link = fixture.gate.create_login_link(&owner).await.unwrap();
    let session = fixture
        .gate
        .redeem_login_link(link.code.expose())
        .await
        .unwrap();
    let who = fixture.session(session.secret.expose()).await.unwrap();
    fixture.gate.logout(&who).await.unwrap();
    assert!(refused(&fixture.session(session.secret.expose()).await));
    fixture.gate.logout(&owner).await.unwrap();
    assert!(
        fixture.bearer(fixture.token().trim()).await.is_ok(),
        "a token is not logged out"
    );
}

#[tokio::test]
async fn a_webhook_speaks_for_its_own_repository() {
    let fixture = Fixture::new().await;
    let new = NewRepository {
        identity: "http://forge/a".to_owned(),
        url: "http://forge/a".to_owned(),
        sealed_credential: None,
        default_branch: None,
    };
    let id = fixture
        .store
        .upsert_repository(&new, Timestamp::UNIX_EPOCH)
        .await
        .unwrap()
        .id;
    let sign = |id: i64, body: &[u8]| {
        let secret = fixture.gate.key().webhook_secret(id);
        let key =
            aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.expose().as_bytes());
        hex::encode(aws_lc_rs::hmac::sign(&key, body))
    };
    let present = async |repository_id, body: &[u8], signature: &str| {
        let presented = Presented::Webhook {
            repository_id,
            body,
            signature,
        };
        fixture.gate.authenticate(presented).await
    };
    let good = sign(id, b"{}");
    let who = present(id, b"{}", &good).await.unwrap();
    assert_eq!(
        (who.role, who.via),
        (Role::Forge, Via::Webhook { repository_id: id })
    );
    assert!(present(id, b"{}", &format!("sha256={good}")).await.is_ok());
    assert!(refused(&present(id, b"{ }", &good).await), "another body");
    assert!(
        refused(&present(id + 1, b"{}", &good).await),
        "another repository"
    );
    assert!(
        refused(&present(99, b"{}", &sign(99, b"{}")).await),
        "no repository"
    );
    assert!(refused(&present(id, b"{}", "").await), "no signature");
}

#[tokio::test]
async fn every_outcome_is_recorded_without_secrets() {
    let fixture = Fixture::new().await;
    let owner = fixture.owner().await;
    let viewer = Principal {
        name: "eve".to_owned(),
        role: Role::Viewer,
        ..owner.clone()
    };
    let before = fixture.record().await.len();
    let target = || Target::Workload("hello".to_owned());
    let detail = || json!({ "repository": "http://forge/a", "password": "hunter2" });
    let create = Action::WorkloadCreate;

    let done = fixture
        .gate
        .change(&owner, create, target(), detail(), async {
            Ok::<_, String>(7)
        })
        .await;
    assert_eq!(done.unwrap(), 7);
    let failed = fixture
        .gate
        .change(&owner, create, target(), detail(), async {
            Err::<(), _>("no such file")
        })
        .await;
    assert!(matches!(failed, Err(GateError::Act("no such file"))));
    let never = async { unreachable!("a denied change was made") };
    let denied: Result<(), GateError<String>> = fixture
        .gate
        .change(&viewer, create, target(), detail(), never)
        .await;
    assert!(matches!(
        denied,
        Err(GateError::Access(AccessError::Denied { .. }))
    ));
    let looked = fixture
        .gate
        .look(&viewer, Action::AuditRead, &Target::Server)
        .await;
    assert!(matches!(looked, Err(AccessError::Denied { .. })));
    fixture
        .gate
        .look(&viewer, Action::Read, &target())
        .await
        .unwrap();

    let record = fixture.record().await;
    let new: Vec<_> = record[..record.len() - before]
        .iter()
        .rev()
        .map(|e| (e.principal.as_str(), e.action.as_str(), e.outcome.as_str()))
        .collect();
    let wanted = [
        ("owner", "workload.create", "allowed"),
        ("owner", "workload.create", "failed"),
        ("eve", "workload.create", "denied"),
        ("eve", "audit.read", "denied"),
    ];
    assert_eq!(new, wanted);
    let all = serde_json::to_string(&record).unwrap();
    assert!(
        !all.contains("hunter2") && !all.contains(fixture.token().trim()),
        "{all}"
    );
    assert!(
        all.contains("no such file") && all.contains("http://forge/a"),
        "{all}"
    );
}

#[tokio::test]
async fn bootstrap_keeps_a_token_that_works_and_replaces_one_that_does_not() {
    let fixture = Fixture::new().await;
    let first = fixture.gate.bootstrap(&fixture.token_file()).await.unwrap();
    assert!(first.token_written);
    let mode = std::fs::metadata(fixture.token_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fixture.token();
    assert!(
        !fixture
            .gate
            .bootstrap(&fixture.token_file())
            .await
            .unwrap()
            .token_written
    );
    assert_eq!(fixture.token(), token);

    let breakages: [&dyn Fn(); 3] = [
        &|| std::fs::remove_file(fixture.token_file()).unwrap(),
        &|| std::fs::write(fixture.token_file(), "hermez_nonsense").unwrap(),
        &|| {
            let open = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(fixture.token_file(), open).unwrap();
        },
    ];
    for breakage in breakages {
        let old = fixture.token();
        breakage();
        assert!(
            fixture
                .gate
                .bootstrap(&fixture.token_file())
                .await
                .unwrap()
                .token_written
        );
        let who = fixture.bearer(fixture.token().trim()).await.unwrap();
        assert_eq!(who.id, first.owner.id, "the same owner");
        assert!(
            refused(&fixture.bearer(old.trim()).await),
            "the lost token opens nothing"
        );
    }
    let owner = fixture.bearer(fixture.token().trim()).await.unwrap();
    let Via::Token { id } = owner.via else {
        panic!("{owner:?}")
    };
    fixture
        .gate
        .revoke_token(&owner, &id.to_string())
        .await
        .unwrap();
    assert!(
        fixture
            .gate
            .bootstrap(&fixture.token_file())
            .await
            .unwrap()
            .token_written
    );
}

#[tokio::test]
async fn names_of_tokens_are_checked() {
    let fixture = Fixture::new().await;
    let owner = fixture.owner().await;
    for name in ["", "  ", "a\nb", &"x".repeat(101)] {
        let error = fixture.gate.create_token(&owner, name).await.unwrap_err();
        assert!(
            matches!(error, AccessError::Invalid { .. }),
            "{name:?}: {error}"
        );
    }
    let page = fixture
        .gate
        .tokens(&owner, &PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1, "only the token of the file");
}
