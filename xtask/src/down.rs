//! `cargo xtask down`.

use std::time::Instant;

use anyhow::Context;
use clap::Args;
use hermez_sandbox::launch::{self, Stopped};
use hermez_sandbox::paths::Layout;

use crate::{Cluster, progress};

/// What `down` can be told.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: Cluster,
    /// Also delete the cluster's data folder: etcd, images, repositories, credentials
    #[arg(long)]
    delete: bool,
}

/// Stops the cluster, if it runs, and removes what it left, if it was killed.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let data_dir = arguments.cluster.data_dir()?;
    let (dir, found) = (data_dir.display(), launch::stop(&data_dir)?);
    match found {
        Stopped::Now => println!(
            "Stopped the cluster in {dir} ({}).",
            progress::elapsed(started)
        ),
        Stopped::CleanedUp => {
            println!("The supervisor in {dir} had been killed; removed what it left.");
        }
        Stopped::Before => println!("No cluster runs in {dir}."),
    }
    if arguments.delete && data_dir.exists() {
        // Only a folder that is ours: one that was named by mistake stays.
        anyhow::ensure!(
            Layout::new(&data_dir).settings().exists(),
            "{} is not the data folder of a cluster; not deleted",
            data_dir.display()
        );
        std::fs::remove_dir_all(&data_dir)
            .with_context(|| format!("cannot delete {}", data_dir.display()))?;
        println!("Deleted {}.", data_dir.display());
    }
    Ok(())
}
