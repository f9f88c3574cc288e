//! `cargo xtask test`: every check there is, in order, each timed.
//!
//! Parts do not stop each other: what can still run, runs, and the closing table says how each
//! went. The parts that need a cluster share one of their own, which is taken down at the end
//! whatever happened, and nothing of it may be left.

mod closing;
mod cluster;
mod lanes;
mod parts;
mod process;
pub mod tools;
mod workspace;

use std::time::Instant;

use clap::Args;

use closing::{Outcome, Row};
use cluster::TestCluster;
use parts::Part;
use process::Interruption;

/// What `test` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Only these parts, in their usual order [default: all]
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,
    /// Leave the cluster up at the end, to look at what a test did; the next run takes it down
    #[arg(long)]
    keep: bool,
}

/// Runs the parts.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let interruption = Interruption::watch()?;
    let mut rows = Vec::new();
    let chosen = Part::chosen(&arguments.parts);
    let (alone, on_cluster): (Vec<Part>, Vec<Part>) =
        chosen.into_iter().partition(|part| !part.needs_cluster());
    for part in alone {
        rows.push(timed(part.name(), &interruption, || {
            part.run(&interruption, None)
        }));
    }
    if !on_cluster.is_empty() {
        on_a_cluster(&on_cluster, arguments.keep, &interruption, &mut rows);
    }
    print!("{}", closing::table(&rows, started.elapsed()));
    closing::verdict(&rows)
}

/// Brings a cluster up, runs the parts on it, and takes it down.
fn on_a_cluster(parts: &[Part], keep: bool, interruption: &Interruption, rows: &mut Vec<Row>) {
    let mut cluster = None;
    rows.push(timed("sandbox up", interruption, || {
        cluster = Some(TestCluster::prepare()?);
        cluster
            .as_mut()
            .map_or(Ok(()), |cluster| cluster.up(interruption))?;
        Ok(Outcome::Passed)
    }));
    let came_up = rows
        .last()
        .is_some_and(|row| matches!(row.outcome, Outcome::Passed));
    for part in parts {
        rows.push(timed(part.name(), interruption, || {
            anyhow::ensure!(came_up, "not run: the cluster did not come up");
            part.run(interruption, cluster.as_ref())
        }));
    }
    let Some(cluster) = cluster else { return };
    if keep {
        println!("The cluster stays up: {}", cluster.data_dir().display());
        return;
    }
    // Also, and above all, after Ctrl-C.
    rows.push(timed("sandbox down", &Interruption::ignored(), || {
        cluster.down()?;
        Ok(Outcome::Passed)
    }));
}

/// Runs one part under its heading.
fn timed(
    name: &'static str,
    interruption: &Interruption,
    part: impl FnOnce() -> anyhow::Result<Outcome>,
) -> Row {
    let started = Instant::now();
    if interruption.is_raised() {
        return Row {
            name,
            time: started.elapsed(),
            outcome: Outcome::Failed("interrupted".to_owned()),
        };
    }
    println!("\n━━ {name}");
    let outcome = part().unwrap_or_else(|error| {
        eprintln!("error: {name}: {error:#}");
        Outcome::Failed(format!("{error:#}"))
    });
    let time = started.elapsed();
    println!(
        "━━ {name}: {} ({:.1} s)",
        outcome.word(),
        time.as_secs_f32()
    );
    Row {
        name,
        time,
        outcome,
    }
}
