//! `journey [NAME]`: lists the journeys, or runs one and prints its figures as one JSON line.

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

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
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    // What the journey has started ends with it, however it ends.
    let figures = tokio::select! {
        figures = hermez_journeys::run(&name) => figures?,
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    };
    println!("{figures}");
    Ok(())
}
