//! The supervisor of the local cluster. `cargo xtask up` starts it; people have
//! no need to.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use hermez_sandbox::paths::Layout;
use hermez_sandbox::supervisor;
use tracing_subscriber::EnvFilter;

/// Runs the parts of a local cluster. Started by `cargo xtask up`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything, restart what dies, and stop it all on SIGTERM. Needs
    /// PID and mount namespaces of its own.
    Supervise {
        /// The cluster's data folder.
        #[arg(long)]
        data_dir: PathBuf,
    },
    /// Make the forge's account and token. Run by the supervisor.
    InitializeForge {
        /// The cluster's data folder.
        #[arg(long)]
        data_dir: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    // The client of the API reports as an error each time that the API server is not up yet.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,kube_client=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().command {
        Command::Supervise { data_dir } => {
            anyhow::ensure!(
                std::process::id() != 1,
                "the first process of a PID namespace must reap orphans"
            );
            let runtime = tokio::runtime::Runtime::new().context("the asynchronous runtime")?;
            let result = runtime.block_on(supervisor::run(Layout::new(data_dir)));
            if let Err(error) = &result {
                tracing::error!(%error, "the cluster cannot be started");
            }
            // Whatever still runs ends with the namespace, not here.
            runtime.shutdown_background();
            Ok(result?)
        }
        Command::InitializeForge { data_dir } => {
            Ok(supervisor::initialize_forge(&Layout::new(data_dir))?)
        }
    }
}
