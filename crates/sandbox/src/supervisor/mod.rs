//! What happens inside the cluster's namespaces: everything from the first
//! mount to the last component's end.
//!
//! The supervisor itself stays in the machine's network namespace. Kubernetes
//! gets one of its own ([`network`]), and a port that both sides need to reach
//! has the same number on both: `127.0.0.1:PORT` means the same everywhere.

mod board;
mod bootstrap;
mod certificates;
mod component;
mod egress;
mod forge;
mod forward;
mod host_pids;
mod kubeconfig;
mod load_balancer;
mod log;
mod mounts;
mod network;
mod plan;
mod probe;
mod render;
mod run;

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::components::Tools;
use crate::launch;
use crate::paths::Layout;
use crate::settings::{self, Settings};
use crate::{cleanup, command, status};

pub use forge::initialize as initialize_forge;

/// Why the supervisor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, folder or mount.
    #[error("{what}: {source}")]
    Io {
        /// The file, or what was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another supervisor holds the data folder.
    #[error("another supervisor runs on {0}")]
    Locked(PathBuf),
    /// A certificate could not be made.
    #[error("certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A file that must be JSON is not.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A program that sets something up.
    #[error(transparent)]
    Command(#[from] command::Error),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// The status file.
    #[error(transparent)]
    Status(#[from] status::Error),
    /// What an earlier supervisor left.
    #[error(transparent)]
    Cleanup(#[from] cleanup::Error),
    /// The client of the cluster's API.
    #[error("Kubernetes: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// The kubeconfig that was just written cannot be used.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The forge answered with something else than was asked for.
    #[error("the forge: {0}")]
    Forge(String),
}

impl Error {
    /// An IO error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// What every part of the supervisor knows.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) layout: Layout,
    pub(crate) settings: Settings,
    pub(crate) tools: Tools,
}

/// Sets the cluster up in this data folder and runs it until SIGTERM or SIGINT.
/// Must be called in PID and mount namespaces made for it ([`launch::start`]).
pub async fn run(layout: Layout) -> Result<(), Error> {
    let _lock = lock(&layout)?;
    let path = launch::tools_file(&layout);
    let json = fs::read(&path).map_err(Error::io(path.display().to_string()))?;
    let tools: Tools =
        serde_json::from_slice(&json).map_err(|source| Error::Json { path, source })?;
    let settings = Settings::load_or_choose(&layout)?;
    cleanup::remove_cgroups(&settings.cgroup(), std::time::Duration::from_secs(5))?;
    let context = Context {
        layout,
        settings,
        tools,
    };

    let host_pids = mounts::prepare(&context)?;
    let namespace = network::Namespace::create()?;
    certificates::ensure(&context)?;
    kubeconfig::write_all(&context)?;
    render::write_all(&context)?;
    forge::prepare(&context)?;
    mounts::make_cgroups(&context.settings.cgroup())?;

    let components = plan::components(&context);
    let board = Arc::new(board::Board::new(&context, host_pids, &components));
    let stop = CancellationToken::new();
    forward::start(&context, &namespace, &stop).await?;
    tokio::spawn(load_balancer::run(
        context.clone(),
        namespace.clone(),
        Arc::clone(&board),
        stop.clone(),
    ));

    let running = run::start(components, &board, &namespace, &stop);
    let writer = tokio::spawn(Arc::clone(&board).write_changes());
    wait_for_signal().await?;
    tracing::info!("stopping");
    board.stopping();
    stop.cancel();
    running.join_all().await;
    writer.abort();
    board.stopped()?;
    Ok(())
}

fn lock(layout: &Layout) -> Result<Flock<File>, Error> {
    let path = layout.lock();
    let file = File::create(&path).map_err(Error::io(path.display().to_string()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| Error::Locked(layout.root().to_owned()))
}

async fn wait_for_signal() -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::io("SIGINT"))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
