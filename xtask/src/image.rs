//! `cargo xtask image`: images that `up` does not make, because only some workloads need them.

use clap::{Args, ValueEnum};
use hermez_sandbox::status::{self, Phase};
use hermez_sandbox::{flink_image, paths};

use crate::progress::Progress;
use crate::test::tools;
use crate::{Cluster, repository};

/// What `image` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Which image
    #[arg(value_enum)]
    image: Image,
    #[command(flatten)]
    cluster: Cluster,
}

/// An image that can be made.
#[derive(Clone, Copy, ValueEnum)]
enum Image {
    /// Apache Flink 1.20 on Java 17, as flink:1.20
    Flink,
}

/// Makes the image if this machine has not made it yet, publishes it, and prints its name.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let data_dir = arguments.cluster.data_dir()?;
    let status = status::read(&data_dir)?;
    anyhow::ensure!(
        status.phase == Phase::Ready,
        "the cluster in {} is not ready; `cargo xtask status` says how it is, `cargo xtask up --detach` starts it",
        data_dir.display()
    );
    let sandbox = repository().join("sandbox");
    let cache = paths::cache_dir()?;
    let name = match arguments.image {
        Image::Flink => {
            tools::flink_tools()?;
            let progress = Progress::new();
            progress.during("Making and publishing flink:1.20".to_owned(), || {
                Ok(flink_image::publish(&status, &sandbox, &cache)?)
            })?
        }
    };
    println!("{name}");
    Ok(())
}
