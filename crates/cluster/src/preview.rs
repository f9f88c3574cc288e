//! What previews need of the cluster: pods that take traffic, a way to one of them, and how many
//! there are.

use hermez_kinds::Kind;
use hermez_kinds::names::DEPLOY_MANAGER;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, Portforwarder};
use serde_json::json;

use crate::apply::answer;
use crate::index::Workload;
use crate::view::PodView;
use crate::{ClusterError, WorkloadKey};

/// A pod that takes traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyPod {
    /// Name.
    pub name: String,
    /// When the last of its containers started. Without a readiness probe a pod takes traffic from
    /// then on, whether its program listens yet or not.
    pub started_at: Option<Timestamp>,
}

/// The pods that take traffic; those of the newest version only, where there are any.
pub(crate) fn ready_pods(workload: &Workload) -> Vec<ReadyPod> {
    let newest = workload.newest_version();
    let ready = workload
        .pods
        .iter()
        .filter(|pod| pod.ready && !pod.deleting);
    let ready: Vec<_> = ready.collect();
    let is_new = |hash: &str| newest == Some(hash);
    let any_new = ready.iter().any(|pod| is_new(&pod.hash));
    let chosen = ready.iter().filter(|pod| !any_new || is_new(&pod.hash));
    let ready = |pod: &PodView| ReadyPod {
        name: pod.name.clone(),
        started_at: pod.containers.iter().filter_map(|it| it.started_at).max(),
    };
    chosen.map(|pod| ready(pod)).collect()
}

/// Tells a resource how many pods it has, as the deploy that made it would: the number stays the
/// deploys' own.
pub(crate) async fn set_replicas(
    client: &Client,
    kind: Kind,
    key: &WorkloadKey,
    replicas: i32,
) -> Result<(), ClusterError> {
    let native = kind.api_resource();
    let object = format!("{}/{}", native.kind, key.name);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &native);
    let params = PatchParams {
        field_manager: Some(DEPLOY_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    // A merge, which makes nothing where there is nothing.
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    answer(&object, api.patch(&key.name, &params, &patch))
        .await
        .map(drop)
}

/// Opens a connection to a port of a pod, through the API server.
pub(crate) async fn forward(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<Portforwarder, ClusterError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    answer(&format!("Pod/{pod}"), api.portforward(pod, &[port])).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::view::ContainerView;

    #[test]
    fn only_ready_pods_that_stay_are_chosen() {
        let started = |seconds| ContainerView {
            started_at: Timestamp::from_second(seconds).ok(),
            ..ContainerView::default()
        };
        let mk = |name: &str, ready: bool, deleting: bool| {
            Arc::new(PodView {
                name: name.to_owned(),
                ready,
                deleting,
                containers: vec![started(2), started(5), started(3)],
                ..PodView::default()
            })
        };
        let workload = Workload {
            pods: vec![
                mk("a", true, false),
                mk("b", false, false),
                mk("c", true, true),
            ],
            ..Workload::default()
        };
        let a = ReadyPod {
            name: "a".to_owned(),
            started_at: Timestamp::from_second(5).ok(),
        };
        assert_eq!(ready_pods(&workload), [a]);
        assert!(ready_pods(&Workload::default()).is_empty());
    }
}
