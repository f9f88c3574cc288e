//! Nodes and pods that are only played (kwok): the API server, the scheduler and the controllers are
//! real, and nothing runs.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use hermez_sandbox::components::Module;
use hermez_sandbox::paths;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::wait::until;

/// Nodes that are played.
const NODES: usize = 20;
/// Longest time for a namespace to go.
const LIMIT: Duration = Duration::from_mins(20);

/// A config file of a service on played nodes.
pub fn config(name: &str, namespace: &str, version: &str) -> String {
    format!(
        "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  project: played\nspec:\n  replicas: 1\n  configs:\n    VERSION: \"{version}\"\n  template:\n    spec:\n      nodeselector:\n        type: {namespace}\n      tolerations:\n        - key: kwok.x-k8s.io/node\n          operator: Exists\n      containers:\n        - name: played\n"
    )
}

/// Played nodes, and a namespace for what runs on them. Pods choose the nodes by the label `type`,
/// which has the namespace's name.
pub struct Played {
    /// The cluster, as its administrator.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    kwok: tokio::process::Child,
}

impl Played {
    /// Starts kwok and makes the nodes and the namespace.
    ///
    /// # Errors
    /// When kwok cannot be built or the nodes do not become ready.
    pub async fn start(sandbox: &Sandbox, namespace: String) -> Result<Self> {
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let cache = paths::cache_dir()?;
        let build = move || Module::Kwok.get_or_build(&sources, &cache);
        let kwok = tokio::task::spawn_blocking(build).await??;
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("kwok.log"))?;
        let kwok = tokio::process::Command::new(kwok.join("kwok"))
            .arg("--kubeconfig")
            .arg(&sandbox.status.kubeconfig)
            .arg(format!(
                "--manage-nodes-with-label-selector=type={namespace}"
            ))
            .args(["--node-lease-duration-seconds=40", "--v=ERROR"])
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let client = sandbox.kube().await?;
        let played = Self {
            client,
            namespace,
            kwok,
        };
        played.make_nodes().await?;
        let namespaces: Api<Namespace> = Api::all(played.client.clone());
        let namespace = json!({"metadata": {"name": played.namespace}});
        let namespace = serde_json::from_value(namespace)?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
        Ok(played)
    }

    async fn make_nodes(&self) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let room = json!({"cpu": "64", "memory": "256Gi", "pods": "200"});
        for index in 0..NODES {
            let node = json!({
                "metadata": {
                    "name": format!("{}-{index}", self.namespace),
                    "labels": {"type": self.namespace, "kubernetes.io/os": "linux"},
                    "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
                },
                "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
                "status": {"allocatable": room, "capacity": room},
            });
            nodes
                .create(&PostParams::default(), &serde_json::from_value(node)?)
                .await?;
        }
        let ready = || async {
            let ready = nodes
                .list(&self.own_nodes())
                .await?
                .items
                .into_iter()
                .filter(|node| {
                    let conditions = node
                        .status
                        .iter()
                        .flat_map(|status| status.conditions.iter().flatten());
                    let mut conditions = conditions;
                    conditions
                        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
                });
            Ok((ready.count() >= NODES).then_some(()))
        };
        until("the played nodes are ready", Duration::from_mins(2), ready).await
    }

    /// The nodes of this one: others may play theirs at the same time.
    fn own_nodes(&self) -> ListParams {
        ListParams::default().labels(&format!("type={}", self.namespace))
    }

    /// Stops kwok, for a cluster that goes as a whole.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        Ok(self.kwok.kill().await?)
    }

    /// Takes the namespace, the nodes and kwok away.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn clean_up(mut self) -> Result<()> {
        let background = DeleteParams::background();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &background).await?;
        until("the namespace is gone", LIMIT, || async {
            Ok(namespaces
                .get_opt(&self.namespace)
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
        let nodes: Api<Node> = Api::all(self.client.clone());
        for node in nodes.list(&self.own_nodes()).await? {
            nodes.delete(&node.name_any(), &background).await?;
        }
        self.kwok.kill().await?;
        Ok(())
    }
}
