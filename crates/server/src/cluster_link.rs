//! The server's view of its cluster, which may not be there yet, and may come and go. Whoever asks
//! gets an answer at once: what is known, or `Unknown` and why.

use std::path::PathBuf;
use std::time::Duration;

use hermez_api::{Health, WorkloadStatus};
use hermez_cluster::{Cluster, WorkloadKey};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::problem::{ApiError, catalog};

/// Changes that a listener may be behind.
const BEHIND: usize = 1024;
/// Pause between tries to use a kubeconfig that cannot be used (it may not be written yet).
const RETRY: Duration = Duration::from_secs(3);

/// What changed in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterChange {
    /// An object of this workload.
    Workload(WorkloadKey),
    /// The cluster answers again, or no longer; or more changed than can be told.
    Everything,
}

/// Where the view comes from.
struct Source {
    cluster: watch::Sender<Option<Cluster>>,
    reason: watch::Sender<String>,
    changes: broadcast::Sender<ClusterChange>,
}

/// The view; cheap to clone.
#[derive(Clone)]
pub struct ClusterLink {
    cluster: watch::Receiver<Option<Cluster>>,
    /// Why there is no cluster yet.
    reason: watch::Receiver<String>,
    changes: broadcast::Sender<ClusterChange>,
}

impl ClusterLink {
    fn new(reason: &str) -> (Self, Source) {
        let (to_cluster, cluster) = watch::channel(None);
        let (to_reason, reason) = watch::channel(reason.to_owned());
        let (changes, _) = broadcast::channel(BEHIND);
        let source = Source {
            cluster: to_cluster,
            reason: to_reason,
            changes: changes.clone(),
        };
        (
            Self {
                cluster,
                reason,
                changes,
            },
            source,
        )
    }

    /// A view on a cluster that never comes.
    #[cfg(test)]
    pub fn absent(reason: &str) -> Self {
        Self::new(reason).0
    }

    /// Connects in the background, starts the cluster's watches and calls `connected` once; then
    /// passes the cluster's changes on until `shutdown`.
    pub fn connect(
        kubeconfig: Option<PathBuf>,
        shutdown: CancellationToken,
        connected: impl FnOnce(&Cluster) + Send + 'static,
    ) -> Self {
        let (link, source) = Self::new("the server has just started");
        tokio::spawn(async move {
            let Some(cluster) = try_to_connect(kubeconfig, &source.reason, &shutdown).await else {
                return;
            };
            cluster.start_watches(shutdown.clone());
            connected(&cluster);
            source.cluster.send_replace(Some(cluster.clone()));
            pass_on(&cluster, &source.changes, &shutdown).await;
        });
        link
    }

    /// The cluster once there is one, for those who wait for it.
    pub fn receiver(&self) -> watch::Receiver<Option<Cluster>> {
        self.cluster.clone()
    }

    /// The cluster, or the problem that it does not answer.
    pub fn get(&self) -> Result<Cluster, ApiError> {
        let reason = match self.cluster.borrow().as_ref() {
            Some(cluster) if is_connected(cluster) => return Ok(cluster.clone()),
            Some(_) => "The cluster does not answer.".to_owned(),
            None => format!(
                "There is no connection to the cluster: {}.",
                *self.reason.borrow()
            ),
        };
        Err(ApiError::new(catalog::CLUSTER_UNAVAILABLE, reason)
            .hint("What runs in it is not affected. Ask again when it answers."))
    }

    /// What changes in the cluster from now on.
    pub fn changes(&self) -> broadcast::Receiver<ClusterChange> {
        self.changes.subscribe()
    }

    /// A workload's live status; `Unknown` while the cluster does not answer.
    pub fn status(&self, namespace: &str, name: &str) -> WorkloadStatus {
        let borrowed = self.cluster.borrow();
        let Some(cluster) = borrowed.as_ref() else {
            return unknown(format!(
                "There is no connection to the cluster: {}",
                *self.reason.borrow()
            ));
        };
        let mut status = cluster.status(&key(namespace, name));
        if !is_connected(cluster) {
            status.health = Health::Unknown;
            "The cluster does not answer; this is what was known last"
                .clone_into(&mut status.reason);
        }
        status
    }
}

fn is_connected(cluster: &Cluster) -> bool {
    *cluster.connected().borrow()
}

fn unknown(reason: String) -> WorkloadStatus {
    WorkloadStatus {
        health: Health::Unknown,
        reason,
        pods_desired: 0,
        pods_running: 0,
        pods_ready: 0,
        pods_updated_ready: 0,
        pods_updated: 0,
        commit: None,
        url: None,
        pods: Vec::new(),
        events: Vec::new(),
        schedule: None,
    }
}

/// The key under which a workload's objects are known.
pub fn key(namespace: &str, name: &str) -> WorkloadKey {
    WorkloadKey {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// Tries until the kubeconfig can be used, or the server stops.
async fn try_to_connect(
    kubeconfig: Option<PathBuf>,
    reason: &watch::Sender<String>,
    shutdown: &CancellationToken,
) -> Option<Cluster> {
    loop {
        let error = match Cluster::connect(kubeconfig.clone()).await {
            Ok(cluster) => return Some(cluster),
            Err(error) => error.to_string(),
        };
        if *reason.borrow() != error {
            tracing::warn!(error, "the cluster cannot be used yet; trying again");
            reason.send_replace(error);
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = shutdown.cancelled() => return None,
        }
    }
}

/// Passes the cluster's changes on, with the coming and going of the connection.
async fn pass_on(
    cluster: &Cluster,
    to: &broadcast::Sender<ClusterChange>,
    shutdown: &CancellationToken,
) {
    let mut changes = cluster.changes();
    let mut contact = cluster.connected();
    let mut change = ClusterChange::Everything;
    loop {
        // Nobody listening is fine.
        let _ = to.send(change);
        change = tokio::select! {
            change = changes.recv() => match change {
                Ok(key) => ClusterChange::Workload(key),
                Err(RecvError::Lagged(_)) => ClusterChange::Everything,
                Err(RecvError::Closed) => return,
            },
            moved = contact.changed() => match moved {
                Ok(()) => ClusterChange::Everything,
                Err(_) => return,
            },
            () = shutdown.cancelled() => return,
        };
    }
}
