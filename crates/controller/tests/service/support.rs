//! A namespace for each test, one controller for all, and waiting for what should become true.

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use hermez_controller::Metrics;
use hermez_kinds::names::{CLASS_LABEL, DEPLOY_MANAGER};
use hermez_kinds::{PinterestService, RuntimeProfile};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::{Client, Config, Resource};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that the cluster should do.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The sandbox's data folder.
fn sandbox() -> PathBuf {
    let folder = std::env::var_os("HERMEZ_SANDBOX").map(PathBuf::from);
    folder.unwrap_or_else(|| {
        panic!("set HERMEZ_SANDBOX to the data folder of a local cluster (`cargo xtask up --detach` prints it), or run `cargo xtask test`")
    })
}

/// A client of the sandbox's cluster. Belongs to the runtime that it is made in.
pub async fn client() -> Client {
    let file = Kubeconfig::read_from(sandbox().join("kubeconfig")).expect("the kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

/// A client that may do what Hermez may do and no more, and that the API server's record knows by
/// `agent`.
pub async fn client_as_hermez(agent: &str) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(client().await, "default");
    let mut request = TokenRequest::default();
    request.spec.expiration_seconds = Some(86_400);
    let parameters = PostParams::default();
    let made = accounts
        .create_token_request("hermez", &parameters, &request)
        .await;
    let token = made.expect("a token").status.expect("a token").token;
    let file = Kubeconfig::read_from(sandbox().join("kubeconfig")).expect("the kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a configuration");
    config.auth_info = AuthInfo {
        token: Some(token.into()),
        ..AuthInfo::default()
    };
    let agent = http::HeaderValue::from_str(agent).expect("a header");
    config.headers.push((http::header::USER_AGENT, agent));
    Client::try_from(config).expect("a client")
}

/// What the API server wrote down of requests by clients of this name: verb, resource, time.
pub fn recorded(agent: &str) -> Vec<(String, String, String)> {
    let log = sandbox().join("var/kube-apiserver/audit.log");
    let log = std::fs::read_to_string(log).expect("the API server's record");
    let lines = log.lines().filter(|line| line.contains(agent));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let requests = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let requests = requests.filter(|request| request["userAgent"] == agent);
    requests
        .map(|request| {
            let of = &request["objectRef"];
            let resource = match of["subresource"].as_str() {
                Some(sub) => format!("{}/{sub}", text(&of["resource"])),
                None => text(&of["resource"]),
            };
            (
                text(&request["verb"]),
                resource,
                text(&request["requestReceivedTimestamp"]),
            )
        })
        .collect()
}

/// Whether a verb changes anything.
pub fn changes(verb: &str) -> bool {
    matches!(
        verb,
        "create" | "update" | "patch" | "delete" | "deletecollection"
    )
}

/// An image that the cluster can pull, with a shell in it.
pub fn image() -> String {
    let state = std::fs::read(sandbox().join("state.json")).expect("the sandbox's state");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    format!(
        "{}/library/debian:bookworm-slim",
        state["registry"].as_str().expect("a registry")
    )
}

/// The one controller of this process, on a runtime of its own.
pub struct Controller {
    registry: Mutex<Registry>,
}

impl Controller {
    /// Starts it with the first test that asks.
    pub fn get() -> &'static Controller {
        static CONTROLLER: OnceLock<Controller> = OnceLock::new();
        CONTROLLER.get_or_init(|| {
            let mut registry = Registry::default();
            let metrics = Metrics::register(&mut registry);
            let (ready, installed) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async move {
                    // Plain, as every other Hermez that may run on this cluster.
                    let plain = Arc::new(RuntimeProfile::plain());
                    let (_profile, profiles) = watch::channel(plain);
                    let client = client_as_hermez("hermez-test").await;
                    let outcome = hermez_controller::install_crds(client.clone()).await;
                    ready.send(outcome).expect("somebody waits");
                    let never = CancellationToken::new();
                    let _ = hermez_controller::run(
                        client,
                        Some(crate::CLASS),
                        profiles,
                        never,
                        metrics,
                    )
                    .await;
                });
            });
            installed
                .recv()
                .expect("an outcome")
                .expect("the definitions are installed");
            Controller {
                registry: Mutex::new(registry),
            }
        })
    }

    /// A figure that it counts: all lines that begin with `name`, added up.
    pub fn figure(&self, name: &str) -> f64 {
        figure_of(&self.registry.lock().expect("not poisoned"), name)
    }
}

/// A figure of a registry: all lines that begin with `name`, added up.
pub fn figure_of(registry: &Registry, name: &str) -> f64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("text");
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// A namespace of one test.
pub struct Sandbox {
    pub client: Client,
    pub namespace: String,
}

/// Runs a test in a namespace of its own and deletes that at the end, whatever the end.
pub async fn within<F: Future<Output = ()>>(test: impl FnOnce(Arc<Sandbox>) -> F) {
    Controller::get();
    let client = client().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.generate_name = Some("hermez-test-".into());
    let made = namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("a namespace");
    let name = made.metadata.name.expect("a name");
    let sandbox = Arc::new(Sandbox {
        client,
        namespace: name.clone(),
    });
    let outcome = AssertUnwindSafe(Box::pin(test(sandbox)))
        .catch_unwind()
        .await;
    namespaces
        .delete(&name, &DeleteParams::background())
        .await
        .expect("deleted");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Sandbox {
    /// Objects of one type in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies a service named `hello` as a deploy would, with more fields in its spec.
    pub async fn apply(&self, more: Value) -> Result<PinterestService, kube::Error> {
        let body = service(&self.namespace, more);
        let params = PatchParams::apply(DEPLOY_MANAGER).force();
        self.api()
            .patch("hello", &params, &Patch::Apply(&body))
            .await
    }

    /// Merges a change into an object, as a person with another tool would.
    pub async fn edit<K>(&self, name: &str, change: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let params = PatchParams {
            field_manager: Some("a-person".into()),
            ..PatchParams::default()
        };
        self.api::<K>()
            .patch(name, &params, &Patch::Merge(&change))
            .await
            .expect("edited")
    }

    /// Waits until an object is as wanted, and returns it.
    pub async fn until<K>(&self, name: &str, what: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let api = self.api::<K>();
        let condition = |object: Option<&K>| object.is_some_and(&wanted);
        let wait = kube::runtime::wait::await_condition(api.clone(), name, condition);
        if let Ok(found) = tokio::time::timeout(PATIENCE, wait).await {
            return found.expect("watched").expect("present");
        }
        let last = api.get_opt(name).await;
        panic!("{name} did not become \"{what}\" within {PATIENCE:?}: {last:#?}")
    }

    /// Every version of the object `hello` after a version of the cluster, up to the one wanted.
    pub async fn changes<K>(&self, after: &str, last: impl Fn(&K) -> bool) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        let params = WatchParams::default().fields("metadata.name=hello");
        let api = self.api::<K>();
        let events = api.watch(&params, after).await.expect("a watch");
        futures::pin_mut!(events);
        let mut seen = Vec::new();
        let collect = async {
            while let Some(event) = events.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) =
                    event.expect("seen")
                {
                    let done = last(&object);
                    seen.push(object);
                    if done {
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, collect)
            .await
            .expect("the last one comes");
        seen
    }

    /// Waits until the controller has reconciled something once more.
    pub async fn idle(&self) {
        let count = || Controller::get().figure("hermez_controller_reconcile_seconds_count");
        let before = count();
        let more = async {
            while count() <= before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, more)
            .await
            .expect("a reconcile");
    }

    /// Waits for an event of this reason in the namespace, and returns what it says.
    pub async fn event(&self, reason: &str) -> String {
        let api: Api<k8s_openapi::api::events::v1::Event> = self.api();
        let look = async {
            loop {
                let events = api.list(&kube::api::ListParams::default()).await;
                let events = events.expect("events").items;
                let mut found = events
                    .into_iter()
                    .filter(|e| e.reason.as_deref() == Some(reason));
                if let Some(found) = found.next() {
                    return found.note.unwrap_or_default();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, look).await;
        found.unwrap_or_else(|_| panic!("no event tells of {reason}"))
    }

    /// Waits until there is no such object.
    pub async fn gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Debug
            + Send
            + 'static,
    {
        let condition = |object: Option<&K>| object.is_none();
        let wait = kube::runtime::wait::await_condition(self.api::<K>(), name, condition);
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited
            .unwrap_or_else(|_| panic!("{name} is still there"))
            .expect("watched");
    }

    /// Waits until the service's condition holds, and returns it.
    pub async fn condition(&self, kind: &str, status: &str) -> PinterestService {
        let what = format!("{kind}={status}");
        self.until("hello", &what, |service: &PinterestService| {
            condition(service, kind).is_some_and(|found| found.0 == status)
        })
        .await
    }
}

/// Status, reason and message of a service's condition.
pub fn condition(service: &PinterestService, kind: &str) -> Option<(String, String, String)> {
    let conditions = &service.status.as_ref()?.conditions;
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some((
        found.status.clone(),
        found.reason.clone(),
        found.message.clone(),
    ))
}

/// Labels of what this program's controller looks after. A second one, whose watches are late, would
/// write what it sees over what this one has written.
pub fn labels() -> Value {
    json!({CLASS_LABEL: crate::CLASS})
}

/// A service of one quick container, with more fields in its spec.
pub fn service(namespace: &str, more: Value) -> Value {
    let mut service = json!({
        "apiVersion": "pinterest.com/v1",
        "kind": "PinterestService",
        "metadata": {"name": "hello", "namespace": namespace, "labels": labels()},
        "spec": {
            "terminationgraceperiodseconds": 1,
            "template": {"spec": {"containers": [{
                "name": "hello",
                "image": image(),
                "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; echo started; while :; do sleep 0.2; done"],
                "resources": {"requests": {"cpu": "0.010", "memory": "1024Ki"}},
            }]}},
        },
    });
    let (Some(spec), Value::Object(more)) = (service["spec"].as_object_mut(), more) else {
        panic!("fields are an object")
    };
    spec.extend(more);
    service
}
