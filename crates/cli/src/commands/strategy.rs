//! `hermez strategy …`: how new versions of a workload reach its pods.

use clap::Subcommand;
use hermez_api::{CanaryStep, PlacementStatus, RolloutStrategy, Wave, WorkloadStrategy};

use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// What to do with rollout strategies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how new versions reach a workload's pods
    Show {
        /// Workload; may be left out where it is clear
        workload: Option<String>,
    },
    /// Set how new versions reach a workload's pods; what is left out is taken away
    Set(SetArgs),
    /// Have new versions reach all pods of the server's own cluster, without detours
    Clear {
        /// Workload; may be left out where it is clear
        workload: Option<String>,
    },
    /// Show how a workload does in each of its clusters
    Placements {
        /// Workload; may be left out where it is clear
        workload: Option<String>,
    },
}

/// Arguments of `strategy set`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// A step of a canary: PERCENT of the pods, for how long it must do well, and whether somebody
    /// must promote it, for example 10%:5m, 50%:1h:wait or 25%:wait; may be given several times
    #[arg(long = "canary", value_name = "STEP", value_parser = step)]
    canary: Vec<CanaryStep>,
    /// Clusters that are reached together, and how long they bake before the next wave, for example
    /// local:10m or east,west:1h; may be given several times, in their order
    #[arg(long = "wave", value_name = "CLUSTERS", value_parser = wave)]
    waves: Vec<Wave>,
}

/// Seconds of a length of time: `90`, `90s`, `5m`, `1h`, `1d`.
fn seconds(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u32>().ok()?.checked_mul(unit)
}

/// `PERCENT[:TIME][:wait]`.
fn step(text: &str) -> Result<CanaryStep, String> {
    let wrong = || "write a step like 10%:5m, 50%:1h:wait or 25%:wait".to_owned();
    let mut parts = text.split(':').map(str::trim);
    let percent = parts.next().unwrap_or_default().trim_end_matches('%');
    let mut step = CanaryStep {
        percent: percent.trim().parse().map_err(|_| wrong())?,
        seconds: 0,
        wait: false,
    };
    for part in parts {
        match part {
            "wait" => step.wait = true,
            time => step.seconds = seconds(time).ok_or_else(wrong)?,
        }
    }
    Ok(step)
}

/// `CLUSTER[,CLUSTER…][:TIME]`.
fn wave(text: &str) -> Result<Wave, String> {
    let wrong = || "write a wave like local:10m or east,west:1h".to_owned();
    let (clusters, bake_seconds) = match text.split_once(':') {
        Some((clusters, time)) => (clusters, seconds(time.trim()).ok_or_else(wrong)?),
        None => (text, 0),
    };
    let clusters: Vec<String> = clusters
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    if clusters.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok(Wave {
        clusters,
        bake_seconds,
    })
}

/// Runs `strategy …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Show { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "strategy"];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, views::strategy::show)
        }
        Command::Set(args) => {
            let name = choose::workload(app, args.workload).await?;
            if args.canary.is_empty() && args.waves.is_empty() {
                return Err(CliError::Usage {
                    message: "neither --canary nor --wave says what to set".to_owned(),
                    hint: format!("To take the strategy away: hermez strategy clear {name}"),
                });
            }
            let body = RolloutStrategy {
                canary: args.canary,
                waves: args.waves,
            };
            let path = ["workloads", name.as_str(), "strategy"];
            let answer = app.client.put(&path, &body).await?;
            let set: WorkloadStrategy = answer.read()?;
            let what = views::strategy::sentence(&set.strategy);
            let sentence = format!("A new version of {name} reaches {what}.");
            app.done(&answer, &print::cell(&sentence))
        }
        Command::Clear { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "strategy"];
            let answer = app.client.delete(&path).await?;
            let sentence =
                format!("A new version of {name} reaches all its pods, without detours.");
            app.done(&answer, &sentence)
        }
        Command::Placements { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "placements"];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, |placements: &Vec<PlacementStatus>, page| {
                views::strategy::placements(placements, page)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_waves_are_read_as_people_write_them() {
        let read = |text: &str| step(text).map(|it| (it.percent, it.seconds, it.wait));
        assert_eq!(read("10%:5m"), Ok((10, 300, false)));
        assert_eq!(read("50:1h:wait"), Ok((50, 3600, true)));
        assert_eq!(read("25%:wait"), Ok((25, 0, true)));
        for wrong in [
            "",
            "%",
            "x",
            "10%:soon",
            "10%:5 minutes",
            "-1%",
            "10%:99999999d",
        ] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
        let read = |text: &str| wave(text).map(|it| (it.clusters.join("+"), it.bake_seconds));
        assert_eq!(read("local:10m"), Ok(("local".to_owned(), 600)));
        assert_eq!(read("east, west"), Ok(("east+west".to_owned(), 0)));
        for wrong in ["", ":5m", "east,,west", "east:later"] {
            assert!(wave(wrong).is_err(), "{wrong}");
        }
    }
}
