//! `journey [NAME]`: lists the journeys, or runs one and prints its figures as one JSON line.

use clap::Parser;

/// Runs one journey through the whole system on the local cluster.
#[derive(Parser)]
struct Arguments {
    /// The journey; without it, they are listed.
    name: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Some(name) = Arguments::parse().name else {
        for (name, about) in hermez_journeys::JOURNEYS {
            println!("{name:<15} {about}");
        }
        return Ok(());
    };
    let figures = hermez_journeys::run(&name).await?;
    println!("{figures}");
    Ok(())
}
