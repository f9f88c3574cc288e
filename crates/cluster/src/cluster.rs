//! The handle on a cluster.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures::Stream;
use hermez_api::{ContainerLogLine, Run, WorkloadStatus};
use hermez_kinds::{Kind, Resource};
use jiff::Timestamp;
use kube::api::Portforwarder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::apply::{self, DeployMark};
use crate::declared::Declared;
use crate::error::chain;
use crate::index::Index;
use crate::link::{Link, Pace};
use crate::logs::{self, LogRequest};
use crate::preview::{self, ReadyPod};
use crate::rollout::{self, Late, RolloutInput};
use crate::runs::{self, RunRequest};
use crate::scale::{self, Scaled, Scaling};
use crate::{ClusterError, Rollout, WorkloadKey, status};

/// Longest wait for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Changes that a slow receiver may be behind.
const CHANGES: usize = 1024;

/// What the watches know, shared by all handles.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The state of the link to the API server.
    pub link: Link,
    index: RwLock<Index>,
    changes: broadcast::Sender<WorkloadKey>,
    started: AtomicBool,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Shared {
            link: Link::new(crate::watch::names()),
            index: RwLock::default(),
            changes: broadcast::Sender::new(CHANGES),
            started: AtomicBool::new(false),
        })
    }

    /// The index, to read; hold it shortly.
    pub fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, to change; hold it shortly.
    pub fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that these workloads changed.
    pub fn changed(&self, keys: impl IntoIterator<Item = WorkloadKey>) {
        for key in keys {
            // Nobody may be listening.
            let _ = self.changes.send(key);
        }
    }

    /// The workloads that change from now on.
    pub fn changes(&self) -> broadcast::Receiver<WorkloadKey> {
        self.changes.subscribe()
    }

    /// Why the cluster cannot be asked; nothing when it can.
    fn unknown(&self) -> Option<String> {
        (!*self.link.connected().borrow()).then(|| self.link.reason())
    }
}

/// A cluster; cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects with a kubeconfig, or with the environment's own: `KUBECONFIG`, `~/.kube/config`,
    /// the pod's service account. Does not wait for the cluster to answer.
    ///
    /// # Errors
    /// [`ClusterError::Kubeconfig`] when there is none that can be used.
    pub async fn connect(kubeconfig: Option<PathBuf>) -> Result<Cluster, ClusterError> {
        let mut config = match kubeconfig {
            Some(path) => {
                let broken = |error: &dyn std::error::Error| {
                    ClusterError::Kubeconfig(format!("{}: {}", path.display(), chain(error)))
                };
                let file = Kubeconfig::read_from(&path).map_err(|error| broken(&error))?;
                Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                    .await
                    .map_err(|error| broken(&error))?
            }
            None => Config::infer()
                .await
                .map_err(|error| ClusterError::Kubeconfig(chain(&error)))?,
        };
        config.connect_timeout = Some(CONNECT_WITHIN);
        let client =
            Client::try_from(config).map_err(|error| ClusterError::Kubeconfig(chain(&error)))?;
        Ok(Cluster::with_client(client))
    }

    /// A cluster behind a client that is there already.
    pub fn with_client(client: Client) -> Cluster {
        Cluster {
            client,
            shared: Shared::new(),
        }
    }

    /// The client.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Asks the API server whether it is ready.
    ///
    /// # Errors
    /// A transient [`ClusterError`] when it is not, or does not say so within 15 seconds.
    pub async fn ping(&self) -> Result<(), ClusterError> {
        tokio::time::timeout(apply::ANSWER_WITHIN, ready(&self.client))
            .await
            .unwrap_or_else(|_| Err(ClusterError::timed_out(apply::ANSWER_WITHIN)))
    }

    /// Starts the watches; they end with `shutdown`. Later calls do nothing.
    pub fn start_watches(&self, shutdown: CancellationToken) {
        if self.shared.started.swap(true, Ordering::SeqCst) {
            return;
        }
        crate::watch::start(&self.client, &self.shared, &shutdown);
        let (client, shared) = (self.client.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            let pace = Pace::default();
            shared.link.beat(pace, || ready(&client), shutdown).await;
        });
    }

    /// Whether the API server answers and everything in it was read.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.shared.link.connected()
    }

    /// Fires on any change of a workload's objects, often many times for one cause: receivers
    /// should gather. A receiver that lags must look at all that it cares for.
    pub fn changes(&self) -> broadcast::Receiver<WorkloadKey> {
        self.shared.changes()
    }

    /// A workload's live status, from what the watches have seen.
    pub fn status(&self, key: &WorkloadKey) -> WorkloadStatus {
        let unknown = self.shared.unknown();
        let workload = self.shared.index().workload(key);
        status::assemble(&workload, unknown.as_deref(), Timestamp::now())
    }

    /// How far a deploy is, from what the watches have seen; `Waiting` while the cluster does not
    /// answer. Ask on each change and every second or two: some failures are a matter of time.
    pub fn rollout(&self, key: &WorkloadKey, deploy_id: i64) -> Rollout {
        if self.shared.unknown().is_some() {
            // What was seen last may be over.
            return Rollout::Waiting {
                message: status::sentence(&self.shared.link.reason()),
            };
        }
        let workload = self.shared.index().workload(key);
        rollout::assess(&RolloutInput {
            workload: &workload,
            now: Timestamp::now(),
            deploy_id,
        })
    }

    /// Why a deploy whose deadline has passed is not there yet, as its pods tell; none when they tell
    /// nothing, or when the cluster does not answer.
    pub fn late(&self, key: &WorkloadKey) -> Option<Late> {
        if self.shared.unknown().is_some() {
            return None;
        }
        let workload = self.shared.index().workload(key);
        rollout::late(&workload, Timestamp::now())
    }

    /// Brings a resource to the cluster by server-side apply, with the marks of its deploy; makes
    /// its namespace if need be. Doing it twice is the same as doing it once. The number of
    /// replicas is left alone once a person or an autoscaler has set it.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with the API server's words when the resource is not taken; one
    /// that [`ClusterError::is_transient`] when the same may work later.
    pub async fn apply(&self, resource: &Resource, deploy: DeployMark) -> Result<(), ClusterError> {
        let key = WorkloadKey {
            namespace: resource.namespace().to_owned(),
            name: resource.name().to_owned(),
        };
        let seen = self.shared.index().declared_as(resource.kind(), &key);
        let live = seen.as_deref().map(|declared| &declared.live);
        apply::apply(&self.client, resource, &deploy, live).await
    }

    /// Deletes a workload's resource; Kubernetes deletes what was made for it. Succeeds when there
    /// is none.
    ///
    /// # Errors
    /// [`ClusterError`] when the API server does not do it.
    pub async fn delete(&self, kind: Kind, key: &WorkloadKey) -> Result<(), ClusterError> {
        apply::delete(&self.client, kind, key).await
    }

    /// A workload's pods that take traffic, those of the newest version only where there are any; from
    /// what the watches have seen.
    pub fn ready_pods(&self, key: &WorkloadKey) -> Vec<ReadyPod> {
        preview::ready_pods(&self.shared.index().workload(key))
    }

    /// Tells a resource that is there how many pods it has. The number stays the deploys' own: the
    /// next deploy writes its own again.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when there is no such resource.
    pub async fn set_replicas(
        &self,
        kind: Kind,
        key: &WorkloadKey,
        replicas: i32,
    ) -> Result<(), ClusterError> {
        preview::set_replicas(&self.client, kind, key, replicas).await
    }

    /// Opens a connection to a port of a pod, through the API server: it reaches pods wherever this
    /// process runs.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when there is no such pod.
    pub async fn forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Portforwarder, ClusterError> {
        preview::forward(&self.client, namespace, pod, port).await
    }

    /// The runs of a cron job that are remembered, newest first, from what the watches have seen.
    pub fn runs(&self, key: &WorkloadKey) -> Vec<Run> {
        runs::runs(&self.shared.index().workload(key))
    }

    /// Runs a cron job now, from what is deployed; returns the name of the run.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when it was not deployed; [`ClusterError::Refused`] with the API
    /// server's words when the run is not taken.
    pub async fn run_now(&self, key: &WorkloadKey, ask: RunRequest) -> Result<Run, ClusterError> {
        runs::run_now(&self.client, key, ask).await
    }

    /// Keeps a cron job from running by its schedule, or lets it run again. Deploys leave it as it
    /// is set here.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when it was not deployed.
    pub async fn suspend(&self, key: &WorkloadKey, suspended: bool) -> Result<(), ClusterError> {
        runs::suspend(&self.client, key, suspended).await
    }

    /// What a workload's resource says, from what the watches have seen; none where it is not in the
    /// cluster, or the cluster does not answer.
    pub fn declared(&self, key: &WorkloadKey) -> Option<Arc<Declared>> {
        if self.shared.unknown().is_some() {
            return None;
        }
        self.shared.index().workload(key).declared
    }

    /// Canaries in the cluster, with the number of the deploy that wrote each; from what the watches
    /// have seen.
    pub fn canaries(&self) -> Vec<(WorkloadKey, Option<i64>)> {
        let index = self.shared.index();
        let tables = index.declared.values();
        let all = tables.flat_map(crate::index::Table::all);
        let canaries = all.filter(|(_, declared)| declared.canary_of.is_some());
        let canaries = canaries.map(|(key, declared)| (key.clone(), declared.deploy_id));
        canaries.collect()
    }

    /// Changes how many pods a workload has; idempotent for each number of a change, and an older
    /// change never undoes a newer one. Deploys leave it as it is set here.
    ///
    /// # Errors
    /// [`ClusterError::NotFound`] when it was not deployed; [`ClusterError::Refused`] with the API
    /// server's words; one that [`ClusterError::is_transient`] when the same may work later.
    pub async fn scale(
        &self,
        kind: Kind,
        key: &WorkloadKey,
        change: i64,
        scaling: &Scaling,
    ) -> Result<Scaled, ClusterError> {
        scale::scale(&self.client, kind, key, change, scaling).await
    }

    /// Reads container logs: what there is, in the order of time, and, following, what comes. The
    /// stream ends with the logs, or, following, when it is dropped (or, with a pod named, when
    /// that pod is gone). Needs the watches.
    pub fn logs(
        &self,
        key: &WorkloadKey,
        request: LogRequest,
    ) -> impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Send + use<> {
        logs::stream(
            self.client.clone(),
            Arc::clone(&self.shared),
            key.clone(),
            request,
        )
    }
}

/// Asks the API server whether it is ready.
async fn ready(client: &Client) -> Result<(), ClusterError> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(|error| ClusterError::Api(error.to_string()))?;
    let answer = client.request_text(request).await;
    answer
        .map(drop)
        .map_err(|error| ClusterError::from_kube(&error, "/readyz"))
}
