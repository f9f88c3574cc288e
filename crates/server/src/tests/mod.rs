//! The server over a real SQLite database, without a network: requests go straight into the
//! router. The cluster is one that does not answer.

mod access;
mod builds;
mod changes;
mod delivery;
mod openapi;
mod previews;
mod problems;
mod receipts;
mod rollouts;
mod rules;
mod streams;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::StreamExt;
use hermez_access::{Gate, SecretKey};
use hermez_api::Category;
use hermez_artifact::Registry;
use hermez_build::BuildKit;
use hermez_deploy::{Road, RoadConfig};
use hermez_source::Mirrors;
use hermez_store::{NewRepository, NewWorkload, Store, WorkloadRecord};
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;

use crate::cluster_link::ClusterLink;
use crate::config::Limits;
use crate::following::Following;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refresh::Refresher;
use crate::routes;
use crate::state::{AppState, Shared};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of a test's own.
pub struct TestServer {
    pub state: AppState,
    pub token: String,
    app: Router,
    _shutdown: tokio_util::sync::DropGuard,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The last part of the problem's type, after checking that it is a whole problem.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "{}",
            self.text
        );
        let problem: hermez_api::Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(problem.request_id.is_some());
        problem
            .kind
            .strip_prefix("urn:hermez:problem:")
            .unwrap()
            .to_owned()
    }
}

impl TestServer {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = Store::open(&format!("sqlite://{}", at("hermez.db").display()))
            .await
            .unwrap();
        let gate = Gate::new(
            store.clone(),
            SecretKey::load_or_create(&at("key")).unwrap(),
        );
        gate.bootstrap(&at("token")).await.unwrap();
        let token = std::fs::read_to_string(at("token"))
            .unwrap()
            .trim()
            .to_owned();
        let shutdown = CancellationToken::new();
        let cluster = ClusterLink::absent("this is a test");
        let mirrors = Mirrors::new(at("mirrors"), hermez_source::Limits::default());
        let public_url = Url::parse("http://hermez.test/").unwrap();
        let road = Road::new(RoadConfig {
            store: store.clone(),
            gate: gate.clone(),
            mirrors: mirrors.clone(),
            forges: Vec::new(),
            buildkit: BuildKit {
                buildctl: at("no-buildctl"),
                address: "unix:///no/such.sock".to_owned(),
                registry: "127.0.0.1:1".to_owned(),
                registry_insecure: true,
            },
            registry: Registry::new("127.0.0.1:1", true, None),
            cluster: cluster.receiver(),
            cluster_name: "local".to_owned(),
            clusters: std::collections::BTreeMap::new(),
            work_dir: at("builds"),
            public_url: public_url.clone(),
            prometheus: None,
            preview_url: None,
            build_concurrency: 1,
        });
        let live = Live::start(store.clone(), cluster.clone(), shutdown.clone());
        let limits = Limits {
            streams: 2,
            ..Limits::default()
        };
        let state = AppState::new(Shared {
            own_namespace: "hermez-system".to_owned(),
            store,
            gate,
            mirrors,
            road,
            cluster,
            refresher: Refresher::default(),
            live,
            public_url,
            preview_url: None,
            stream_places: Arc::new(Semaphore::new(limits.streams)),
            push_places: Arc::new(Semaphore::new(1)),
            following: Following::default(),
            limits,
            metrics: Metrics::new(),
            shutdown: shutdown.clone(),
        });
        Self {
            app: routes::app(state.clone()),
            state,
            token,
            _shutdown: shutdown.drop_guard(),
            _folder: folder,
        }
    }

    /// Sends a request as it is.
    pub async fn raw(&self, request: Request) -> Response {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request as it is, and reads the answer to its end.
    pub async fn send(&self, request: Request) -> Answer {
        let (parts, body) = self.raw(request).await.into_parts();
        let read = axum::body::to_bytes(body, 16 * 1024 * 1024);
        let bytes = tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the answer ends")
            .unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    /// A request with the owner's token.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        http::Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path).body(Body::empty()).unwrap())
            .await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request(self.request("POST", path), body))
            .await
    }

    /// A workload in the database, without a mirror.
    pub async fn workload(&self, name: &str) -> WorkloadRecord {
        let now = Timestamp::now();
        let url = format!("https://git.test/team/{name}");
        let repository = NewRepository {
            identity: url.clone(),
            url,
            sealed_credential: None,
            default_branch: Some("main".to_owned()),
        };
        let repository = self
            .state
            .store
            .upsert_repository(&repository, now)
            .await
            .unwrap();
        let workload = NewWorkload {
            name: name.to_owned(),
            kind: "PinterestService".to_owned(),
            category: Category::Production,
            project: "demo".to_owned(),
            namespace: "default".to_owned(),
            repository_id: repository.id,
            config_path: "service.yaml".to_owned(),
            created_by: "owner".to_owned(),
        };
        self.state
            .store
            .create_workload(&workload, now)
            .await
            .unwrap()
    }
}

/// The request with a JSON body.
pub fn json_request(request: http::request::Builder, body: &Value) -> Request {
    request
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// An event of a stream: its name, its id and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub event: String,
    pub id: Option<String>,
    pub data: Value,
}

/// Reads a stream an event at a time.
pub struct Stream {
    body: axum::body::BodyDataStream,
    rest: String,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        Self {
            body: response.into_body().into_data_stream(),
            rest: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((text, rest)) = self.rest.split_once("\n\n") {
                let told = parse(text);
                self.rest = rest.to_owned();
                if told.is_some() {
                    return told;
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next())
                .await
                .expect("an event comes");
            self.rest
                .push_str(std::str::from_utf8(&chunk?.unwrap()).unwrap());
        }
    }

    /// The next event of this name.
    pub async fn next_named(&mut self, name: &str) -> Told {
        loop {
            let told = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream ended without `{name}`"));
            if told.event == name {
                return told;
            }
        }
    }
}

fn parse(text: &str) -> Option<Told> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim_start)
    };
    Some(Told {
        event: field("event")?.to_owned(),
        id: field("id").map(str::to_owned),
        data: serde_json::from_str(field("data")?).unwrap(),
    })
}
