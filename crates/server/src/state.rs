//! What every handler can reach.

use std::sync::Arc;

use hermez_access::Gate;
use hermez_deploy::Road;
use hermez_source::Mirrors;
use hermez_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::cluster_link::ClusterLink;
use crate::config::Limits;
use crate::following::Following;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refresh::Refresher;

/// What every handler can reach; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`].
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The one gate of every change.
    pub gate: Gate,
    /// Mirrors of Git repositories.
    pub mirrors: Mirrors,
    /// Builds and deploys.
    pub road: Road,
    /// The cluster, if it is there.
    pub cluster: ClusterLink,
    /// Fetches repositories that no forge calls about.
    pub refresher: Refresher,
    /// What changes, as streams tell it.
    pub live: Live,
    /// URL under which people and forges reach the server.
    pub public_url: Url,
    /// URL below whose host each preview has its own; nothing without a preview gateway.
    pub preview_url: Option<Url>,
    /// Hermez' own namespace in the cluster.
    pub own_namespace: String,
    /// Bounds of what comes from outside.
    pub limits: Limits,
    /// What the server counts.
    pub metrics: Metrics,
    /// Places for open streams.
    pub stream_places: Arc<Semaphore>,
    /// Places for pushes that are being followed.
    pub push_places: Arc<Semaphore>,
    /// The pushes that are being followed.
    pub following: Following,
    /// Ends streams and background work.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// Puts the parts together.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
