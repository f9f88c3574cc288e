//! `cargo xtask journey`: lists or runs one journey through the whole system on the local cluster.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use hermez_sandbox::paths::DATA_DIR_VARIABLE;
use hermez_sandbox::status::{self, Phase};

use crate::test::tools;
use crate::{Cluster, repository};

/// What `journey` can be told.
#[derive(Args)]
pub struct Arguments {
    /// The journey; without it, they are listed
    #[arg(value_name = "NAME")]
    journey: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Builds the journeys and runs one: what it does on standard error, its figures as one JSON line.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut journey = Command::new(build()?);
    if let Some(name) = &arguments.journey {
        let data_dir = arguments.cluster.data_dir()?;
        let status = status::read(&data_dir)?;
        anyhow::ensure!(
            status.phase == Phase::Ready,
            "the cluster in {} is not ready; `cargo xtask status` says how it is, `cargo xtask up --detach` starts it",
            data_dir.display()
        );
        match name.as_str() {
            "streaming" => tools::flink_tools()?,
            "crash-matrix" => tools::postgres()?,
            _ => {}
        }
        journey.arg(name).env(DATA_DIR_VARIABLE, data_dir);
    }
    let status = journey.current_dir(repository()).status()?;
    anyhow::ensure!(status.success(), "the journey failed ({status})");
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    tools::cargo_loudly(&[
        "build",
        "--quiet",
        "--package",
        "hermez-journeys",
        "--bin",
        "journey",
    ])?;
    Ok(tools::target_folder()?.join("debug/journey"))
}
