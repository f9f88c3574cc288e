//! Outages of the API server: noticed within seconds, told as such, and come over without loss.
//!
//! Needs a cluster: `cargo xtask test`, or `HERMEZ_SANDBOX=DIR cargo test -p hermez-cluster
//! --features cluster-tests` with the data folder of a cluster that `cargo xtask up` made. The cluster
//! itself stays up: a proxy before it is cut, and hangs. Each test works in a namespace of its own.

mod proxy;

use std::net::ToSocketAddrs;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use hermez_api::{Health, WorkloadStatus};
use hermez_cluster::{Cluster, LogRequest, Rollout, WorkloadKey};
use hermez_kinds::Kind;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use proxy::{Line, Proxy};

/// Longest wait for anything that the cluster should do.
const PATIENCE: Duration = Duration::from_secs(90);
/// An outage must be noticed within this time, and its end too.
const NOTICE: Duration = Duration::from_secs(15);

fn sandbox() -> PathBuf {
    let folder = std::env::var_os("HERMEZ_SANDBOX").map(PathBuf::from);
    folder.unwrap_or_else(|| {
        panic!("set HERMEZ_SANDBOX to the data folder of a local cluster (`cargo xtask up --detach` prints it), or run `cargo xtask test`")
    })
}

/// The cluster behind a proxy, a client that goes past it, and a namespace.
struct Rig {
    proxy: Proxy,
    direct: Client,
    cluster: Cluster,
    key: WorkloadKey,
}

async fn within<F: Future<Output = ()>>(test: impl FnOnce(std::sync::Arc<Rig>) -> F) {
    let file = Kubeconfig::read_from(sandbox().join("kubeconfig")).expect("the kubeconfig");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let config = config.expect("a configuration");
    let authority = config.cluster_url.authority().expect("an address").as_str();
    let server = authority.to_socket_addrs().expect("an address").next();
    let proxy = Proxy::to(server.expect("an address")).await;
    let mut past = config.clone();
    past.cluster_url = format!("https://{}", proxy.address).parse().expect("a URL");
    let direct = Client::try_from(config).expect("a client");
    let cluster = Cluster::with_client(Client::try_from(past).expect("a client"));

    let namespaces: Api<Namespace> = Api::all(direct.clone());
    let mut namespace = Namespace::default();
    namespace.metadata.generate_name = Some("hermez-test-".into());
    let made = namespaces.create(&PostParams::default(), &namespace).await;
    let name = made.expect("a namespace").metadata.name.expect("a name");
    let rig = std::sync::Arc::new(Rig {
        proxy,
        direct,
        cluster,
        key: WorkloadKey::new(name.clone(), "hello"),
    });
    let shutdown = CancellationToken::new();
    rig.cluster.start_watches(shutdown.clone());
    let outcome = AssertUnwindSafe(test(rig)).catch_unwind().await;
    shutdown.cancel();
    namespaces
        .delete(&name, &DeleteParams::background())
        .await
        .expect("deleted");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Rig {
    /// Makes a Deployment as the controller would, past the proxy.
    async fn deployment(&self, name: &str, script: &str) {
        let state = std::fs::read(sandbox().join("state.json")).expect("the sandbox's state");
        let state: Value = serde_json::from_slice(&state).expect("JSON");
        let registry = state["registry"].as_str().expect("a registry");
        let labels = json!({
            "app.kubernetes.io/managed-by": "hermez", "pinterest.com/workload": self.key.name,
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "hello",
                            "image": format!("{registry}/library/debian:bookworm-slim"),
                            "command": ["/bin/sh", "-c", script],
                        }],
                    },
                },
            },
        });
        let deployment: Deployment = serde_json::from_value(deployment).expect("a Deployment");
        self.deployments()
            .create(&PostParams::default(), &deployment)
            .await
            .expect("made");
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.direct.clone(), &self.key.namespace)
    }

    async fn connected(&self, wanted: bool) {
        let mut connected = self.cluster.connected();
        let waited = tokio::time::timeout(NOTICE, connected.wait_for(|seen| *seen == wanted)).await;
        let waited = waited.unwrap_or_else(|_| {
            let status = self.cluster.status(&self.key);
            panic!(
                "connected is not {wanted} within {NOTICE:?}: {}",
                status.reason
            )
        });
        waited.expect("the link is there");
    }

    async fn status(&self, what: &str, wanted: impl Fn(&WorkloadStatus) -> bool) -> WorkloadStatus {
        let mut changes = self.cluster.changes();
        let wait = async {
            loop {
                let seen = self.cluster.status(&self.key);
                if wanted(&seen) {
                    return seen;
                }
                let _ = changes.recv().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("not {what}: {:#?}", self.cluster.status(&self.key)))
    }

    /// What must be true while the cluster is away.
    async fn is_told_as_away(&self) {
        let status = self.cluster.status(&self.key);
        assert_eq!(status.health, Health::Unknown);
        assert!(
            status.reason.starts_with("The cluster does not answer"),
            "{}",
            status.reason
        );
        assert_eq!(status.pods.len(), 1, "what was seen last is still shown");
        assert!(matches!(
            self.cluster.rollout(&self.key, 1),
            Rollout::Waiting { .. }
        ));
        let error = self.cluster.delete(Kind::Service, &self.key).await;
        let error = error.expect_err("there is nobody to delete it");
        assert!(error.is_transient(), "{error}");
    }
}

const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 0.2; done";

async fn comes_over(rig: &Rig, line: Line) {
    rig.connected(true).await;
    rig.deployment("one", WAIT).await;
    rig.status("a ready pod", |status| status.pods_ready == 1)
        .await;

    rig.proxy.set(line);
    rig.connected(false).await;
    rig.is_told_as_away().await;
    // What happens now is seen only afterwards.
    rig.deployments()
        .delete("one", &DeleteParams::foreground())
        .await
        .expect("deleted");
    let is_gone = kube::runtime::conditions::is_deleted;
    let deployments = rig.deployments();
    let uid = deployments
        .get("one")
        .await
        .map(|d| d.metadata.uid.unwrap_or_default());
    if let Ok(uid) = uid {
        let wait = kube::runtime::wait::await_condition(deployments, "one", is_gone(&uid));
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.expect("gone in time").expect("watched");
    }
    rig.proxy.set(Line::Up);
    rig.connected(true).await;
    let status = rig.status("no pods", |status| status.pods.is_empty()).await;
    assert_eq!(status.health, Health::NotDeployed);
}

#[tokio::test]
async fn a_line_that_is_cut() {
    within(async |rig| comes_over(&rig, Line::Cut).await).await;
}

#[tokio::test]
async fn a_line_that_hangs() {
    within(async |rig| comes_over(&rig, Line::Hanging).await).await;
}

#[tokio::test]
async fn a_followed_log_goes_on_without_a_gap() {
    within(async |rig| {
        rig.connected(true).await;
        let script = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done";
        rig.deployment("one", script).await;
        rig.status("a ready pod", |status| status.pods_ready == 1)
            .await;
        let request = LogRequest {
            follow: true,
            ..LogRequest::default()
        };
        let mut lines = Box::pin(rig.cluster.logs(&rig.key, request));
        let mut next = async || {
            let line = tokio::time::timeout(PATIENCE, lines.next()).await;
            let line = line
                .expect("in time")
                .expect("not the end")
                .expect("a line");
            line.text.parse::<u32>().expect("a number")
        };
        let mut expected = next().await;
        for line in [Line::Up, Line::Hanging, Line::Cut, Line::Up] {
            if line != Line::Up {
                rig.proxy.set(line);
                rig.connected(false).await;
                rig.proxy.set(Line::Up);
                rig.connected(true).await;
            }
            for _ in 0..30 {
                expected += 1;
                assert_eq!(next().await, expected, "after {line:?}");
            }
        }
    })
    .await;
}
