//! A namespace for each test, one controller for all, and waiting for what should become true.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use hermez_api::WorkloadStatus;
use hermez_cluster::{Cluster, ClusterError, DeployMark, Rollout, WorkloadKey};
use hermez_controller::Metrics;
use hermez_kinds::{Kind, Resource, RuntimeProfile};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use kube::core::NamespaceResourceScope;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything that the cluster should do.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at what is a matter of time.
const TICK: Duration = Duration::from_millis(500);

/// The sandbox's data folder.
fn sandbox() -> PathBuf {
    let folder = std::env::var_os("HERMEZ_SANDBOX").map(PathBuf::from);
    folder.unwrap_or_else(|| {
        panic!("set HERMEZ_SANDBOX to the data folder of a local cluster (`cargo xtask up --detach` prints it), or run `cargo xtask test`")
    })
}

async fn connect() -> Cluster {
    Cluster::connect(Some(sandbox().join("kubeconfig")))
        .await
        .expect("a usable kubeconfig")
}

/// The registry's host and port.
pub fn registry() -> String {
    let state = std::fs::read(sandbox().join("state.json")).expect("the sandbox's state");
    let state: Value = serde_json::from_slice(&state).expect("JSON");
    state["registry"].as_str().expect("a registry").to_owned()
}

/// Starts the one controller of this process, on a runtime of its own.
fn start_controller() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let (ready, installed) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let client = connect().await.client();
                let outcome = hermez_controller::install_crds(client.clone()).await;
                ready.send(outcome).expect("somebody waits");
                // Plain, as every other Hermez that may run on this cluster.
                let (_profile, profiles) = watch::channel(Arc::new(RuntimeProfile::plain()));
                let never = CancellationToken::new();
                let _ =
                    hermez_controller::run(client, None, profiles, never, Metrics::default()).await;
            });
        });
        installed
            .recv()
            .expect("an outcome")
            .expect("the definitions are installed");
    });
}

/// A cluster, watched, and a namespace of one test.
pub struct Rig {
    pub cluster: Cluster,
    pub key: WorkloadKey,
}

/// Runs a test in a namespace of its own and deletes that at the end, whatever the end.
pub async fn within<F: Future<Output = ()>>(test: impl FnOnce(Arc<Rig>) -> F) {
    start_controller();
    let cluster = connect().await;
    let shutdown = CancellationToken::new();
    cluster.start_watches(shutdown.clone());
    let mut connected = cluster.connected();
    let waited = tokio::time::timeout(PATIENCE, connected.wait_for(|connected| *connected)).await;
    waited.expect("connected in time").expect("watched");
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let mut namespace = Namespace::default();
    namespace.metadata.generate_name = Some("hermez-test-".into());
    let made = namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("a namespace");
    let name = made.metadata.name.expect("a name");
    let rig = Arc::new(Rig {
        cluster,
        key: WorkloadKey::new(name.clone(), "hello"),
    });
    let outcome = AssertUnwindSafe(test(rig)).catch_unwind().await;
    namespaces
        .delete(&name, &DeleteParams::background())
        .await
        .expect("deleted");
    shutdown.cancel();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// The commit that deploy number `id` brings.
pub fn commit(id: i64) -> String {
    format!("{id:040x}")
}

impl Rig {
    /// Objects of one type in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client(), &self.key.namespace)
    }

    /// A service of one container that runs `script`, with other fields in container and spec.
    pub fn service(&self, script: &str, container: &Value, spec: &Value) -> Resource {
        let mut service = json!({
            "apiVersion": "pinterest.com/v1",
            "kind": "PinterestService",
            "metadata": {"name": "hello", "namespace": self.key.namespace},
            "spec": {
                "terminationgraceperiodseconds": 1,
                "template": {"spec": {"containers": [{
                    "name": "hello",
                    "image": format!("{}/library/debian:bookworm-slim", registry()),
                    "command": ["/bin/sh", "-c", script],
                }]}},
            },
        });
        extend(&mut service["spec"], spec);
        extend(
            &mut service["spec"]["template"]["spec"]["containers"][0],
            container,
        );
        Kind::Service.read(service).expect("a service")
    }

    /// A service that goes on running, says `word` and the time, and ends when asked.
    pub fn running(&self, word: &str, spec: &Value) -> Resource {
        let script = format!("trap 'exit 0' TERM; echo {word}; while :; do sleep 0.2; done");
        self.service(&script, &json!({}), spec)
    }

    /// Applies as deploy number `id`.
    pub async fn deploy(&self, id: i64, resource: &Resource) -> Result<(), ClusterError> {
        let repository = "http://git.example/hello".to_owned();
        let mark = DeployMark {
            restarted_at: None,
            paused: false,
            deploy_id: id,
            commit: commit(id),
            repository,
        };
        self.cluster.apply(resource, mark).await
    }

    /// Applies as deploy number `id` and waits until that is over.
    pub async fn deploy_and_wait(&self, id: i64, resource: &Resource) -> Rollout {
        self.deploy(id, resource).await.expect("applied");
        self.rollout(id, "over", Rollout::is_final).await
    }

    /// Waits until the deploy's rollout is as wanted.
    pub async fn rollout(&self, id: i64, what: &str, wanted: impl Fn(&Rollout) -> bool) -> Rollout {
        self.look(what, || self.cluster.rollout(&self.key, id), wanted)
            .await
    }

    /// Waits until the workload's status is as wanted.
    pub async fn status(
        &self,
        what: &str,
        wanted: impl Fn(&WorkloadStatus) -> bool,
    ) -> WorkloadStatus {
        self.look(what, || self.cluster.status(&self.key), wanted)
            .await
    }

    /// Looks on each change and on each tick.
    async fn look<T: std::fmt::Debug>(
        &self,
        what: &str,
        look: impl Fn() -> T,
        wanted: impl Fn(&T) -> bool,
    ) -> T {
        let mut changes = self.cluster.changes();
        let wait = async {
            loop {
                let seen = look();
                if wanted(&seen) {
                    return seen;
                }
                // A change, a lag or a tick: each is a reason to look again.
                let _ = tokio::time::timeout(TICK, changes.recv()).await;
            }
        };
        if let Ok(seen) = tokio::time::timeout(PATIENCE, wait).await {
            return seen;
        }
        panic!("not \"{what}\" within {PATIENCE:?}: {:#?}", look())
    }
}

fn extend(object: &mut Value, more: &Value) {
    let (Value::Object(fields), Value::Object(more)) = (object, more) else {
        panic!("fields are an object")
    };
    fields.extend(more.clone());
}
