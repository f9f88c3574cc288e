//! Everything a server is told at its start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use hermez_source::forge::ForgeConfig;
use url::Url;

/// Everything a server is told at its start. Nothing in it changes while it runs.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the server listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder of the server's own files: database, secret key, mirrors, build contexts.
    pub data_dir: PathBuf,
    /// Database URL (`sqlite://…` or `postgres://…`); `hermez.db` in the data folder when absent.
    pub database_url: Option<String>,
    /// Kubeconfig file; the usual places (`KUBECONFIG`, `~/.kube/config`, in-cluster) when absent.
    pub kubeconfig: Option<PathBuf>,
    /// Name of that cluster, as rollout strategies write it.
    pub cluster_name: String,
    /// Kubeconfig files of further clusters, by name.
    pub clusters: BTreeMap<String, PathBuf>,
    /// Registry for images and manifests, as `host:port`.
    pub registry: String,
    /// Whether the registry speaks plain HTTP.
    pub registry_insecure: bool,
    /// BuildKit's address, for example `unix:///run/buildkit/buildkitd.sock`.
    pub buildkit_address: String,
    /// The `buildctl` program.
    pub buildctl: PathBuf,
    /// URL under which people and forges reach the server; `http://<listen>` when absent.
    pub public_url: Option<Url>,
    /// Prometheus that checks of metrics are asked of.
    pub prometheus_url: Option<Url>,
    /// Where the preview gateway listens; there is none when absent. Port 0 takes a free one.
    pub preview_listen: Option<SocketAddr>,
    /// URL below whose host each preview has its own; `http://preview.localhost:<port>` when absent.
    pub preview_url: Option<Url>,
    /// File that the first owner's token is written to (mode 0600); `owner-token` in the data
    /// folder when absent.
    pub bootstrap_token_file: Option<PathBuf>,
    /// Forges whose webhooks Hermez installs, matched to a repository by URL prefix.
    pub forges: Vec<ForgeConfig>,
    /// Builds that run at the same time (1 to 64).
    pub build_concurrency: usize,
    /// Bounds of what comes from outside.
    pub limits: Limits,
    /// Runtime profile of the six kinds (YAML); the built-in `plain` when absent.
    pub profile: Option<PathBuf>,
    /// Hermez' own namespace in the cluster: the controllers' lease and the profiles' versions.
    pub own_namespace: String,
    /// Share of all workloads that a new profile may disturb at the same time, in percent.
    pub profile_wave_percent: u32,
    /// Seconds that a workload may take to be well again after it was moved to a new profile.
    pub profile_patience_seconds: u32,
}

/// Bounds of what comes from outside.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bounds of Git repositories.
    pub source: hermez_source::Limits,
    /// Largest body of a webhook, in bytes.
    pub webhook_bytes: usize,
    /// Largest body of any other request, in bytes.
    pub body_bytes: usize,
    /// Streams (status, logs) open at the same time over the whole server.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: hermez_source::Limits::default(),
            webhook_bytes: 5 * 1024 * 1024,
            body_bytes: 64 * 1024,
            streams: 1_000,
        }
    }
}
