//! The door to building and deploying, and what stands behind it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hermez_access::Gate;
use hermez_artifact::Registry;
use hermez_build::BuildKit;
use hermez_cluster::Cluster;
use hermez_source::forge::ForgeConfig;
use hermez_source::{Credential, Mirrors, RepositoryUrl};
use hermez_store::{RepositoryRecord, Store};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::engine::Drivers;
use crate::gates::prometheus::Prometheus;
use crate::manifests::Manifests;
use crate::preview::{follow, sweep};
use crate::{RoadError, builder, engine};

/// What a road is joined to.
#[derive(Clone)]
pub struct RoadConfig {
    /// The database.
    pub store: Store,
    /// The gate, for its key.
    pub gate: Gate,
    /// Mirrors of repositories.
    pub mirrors: Mirrors,
    /// Forges whose webhooks Hermez installs.
    pub forges: Vec<ForgeConfig>,
    /// BuildKit.
    pub buildkit: BuildKit,
    /// The registry.
    pub registry: Registry,
    /// The cluster, once there is a connection.
    pub cluster: watch::Receiver<Option<Cluster>>,
    /// Its name, as rollout strategies write it.
    pub cluster_name: String,
    /// Further clusters, by name, once there is a connection.
    pub clusters: BTreeMap<String, watch::Receiver<Option<Cluster>>>,
    /// Folder for the trees that builds work on; what is in it is deleted at every start.
    pub work_dir: PathBuf,
    /// URL under which forges reach this server.
    pub public_url: Url,
    /// The Prometheus that checks of metrics are asked of.
    pub prometheus: Option<Prometheus>,
    /// URL below whose host each preview has its own; nothing without a preview gateway.
    pub preview_url: Option<Url>,
    /// Builds that run at the same time (1 to 64).
    pub build_concurrency: usize,
}

/// Builds and deploys. Cheap to clone.
#[derive(Clone)]
pub struct Road {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: RoadConfig,
    /// Names this process in leases.
    pub(crate) owner: String,
    pub(crate) drivers: Drivers,
    pub(crate) manifests: Manifests,
    /// Wakes builders.
    pub(crate) builds: Notify,
    /// Wakes the loop that changes how many pods there are.
    pub(crate) scales: Notify,
    /// Pull requests that could not be followed.
    pub(crate) missed: follow::Missed,
    repositories: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// How new the mirrors of repositories (by number) are, as the database has it.
    pub(crate) mirrored: Mutex<HashMap<i64, Timestamp>>,
}

impl std::fmt::Debug for Road {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Road")
            .field("owner", &self.inner.owner)
            .finish_non_exhaustive()
    }
}

/// A repository's credential as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    username: String,
    password: String,
}

/// What a credential is sealed for, so that it opens for no other repository.
fn purpose(url: &RepositoryUrl) -> String {
    format!("repository/{}", url.identity())
}

impl Road {
    /// Puts a road together; nothing happens on it before [`Road::run`].
    pub fn new(parts: RoadConfig) -> Self {
        Self {
            inner: Arc::new(Inner {
                owner: format!("{}/{}", parts.store.replica(), uuid::Uuid::new_v4()),
                parts,
                drivers: Drivers::default(),
                manifests: Manifests::default(),
                builds: Notify::new(),
                scales: Notify::new(),
                missed: follow::Missed::default(),
                repositories: Mutex::default(),
                mirrored: Mutex::default(),
            }),
        }
    }

    /// Builds and deploys what was asked for until `shutdown`; then gives its leases back.
    ///
    /// What a dead predecessor on the same data folder held goes on at once; what another replica
    /// held goes on when its leases end.
    pub async fn run(&self, shutdown: CancellationToken) {
        let store = &self.inner.parts.store;
        match store.end_foreign_leases(&self.inner.owner).await {
            Ok(0) => {}
            Ok(ended) => {
                tracing::info!(ended, "taking over the work of the server that ran before");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take over the work of the server that ran before; it goes on when its leases end");
            }
        }
        tokio::join!(
            builder::run(self, &shutdown),
            engine::run(self, &shutdown),
            self.keep_scales(&shutdown),
            sweep::run(self, &shutdown),
            follow::run(self, &shutdown)
        );
    }

    pub(crate) fn parts(&self) -> &RoadConfig {
        &self.inner.parts
    }

    pub(crate) fn seal(
        &self,
        url: &RepositoryUrl,
        credential: &Credential,
    ) -> Result<Vec<u8>, RoadError> {
        let sealed = Sealed {
            username: credential.username.clone(),
            password: credential.password.expose_secret().to_owned(),
        };
        let plain =
            serde_json::to_vec(&sealed).unwrap_or_else(|error| unreachable!("plain text: {error}"));
        Ok(self.parts().gate.key().seal(&purpose(url), &plain)?)
    }

    /// The stored credential of a repository.
    pub(crate) fn credential(
        &self,
        url: &RepositoryUrl,
        repository: &RepositoryRecord,
    ) -> Result<Option<Credential>, RoadError> {
        let Some(sealed) = &repository.sealed_credential else {
            return Ok(None);
        };
        let plain = self.parts().gate.key().open(&purpose(url), sealed)?;
        let Sealed { username, password } =
            serde_json::from_slice(&plain).map_err(|_| hermez_access::KeyError::CannotOpen)?;
        Ok(Some(Credential::new(username, password)))
    }

    /// Lets one request at a time decide what becomes of a repository that may be new.
    pub(crate) async fn alone_on(&self, url: &RepositoryUrl) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self
                .inner
                .repositories
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            locks.entry(url.identity()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
