//! `hermez scale` and `hermez autoscale`.

use std::path::PathBuf;

use clap::ArgGroup;
use hermez_api::{
    AutoscalingSettings, ScaleBounds, ScaleChange, ScaleChangeKind, ScaleChangeState,
    SetAutoscaling, SetScale,
};
use jiff::Timestamp;

use super::deploy::moment_ahead;
use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::client::Answer;
use crate::error::CliError;
use crate::print;
use crate::views;

/// Arguments of `scale`.
#[derive(Debug, clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Without a number it shows how many pods there are, and who says so."
)]
pub struct ScaleArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Pods wanted; 0 stops all of them
    replicas: Option<i64>,
    /// Why, for those who read the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    end: End,
    /// Turn an autoscaler off until the config file, or `hermez autoscale`, says how many again
    #[arg(long)]
    fixed: bool,
    /// Let the config file say how many again
    #[arg(long, conflicts_with_all = ["replicas", "until", "duration", "fixed"])]
    file: bool,
    /// Set the numbers that people may ask for
    #[arg(long, value_name = "MIN..MAX", value_parser = bounds, conflicts_with_all = ["replicas", "until", "duration", "fixed", "file", "reason"])]
    bounds: Option<ScaleBounds>,
    /// List the changes that were asked for, newest first
    #[arg(long, conflicts_with_all = ["replicas", "until", "duration", "fixed", "file", "reason", "bounds"])]
    ledger: bool,
    #[command(flatten)]
    limit: Limit,
}

/// When a change ends.
#[derive(Debug, clap::Args)]
struct End {
    /// When the config file's number comes back: a time (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    until: Option<Timestamp>,
    /// The same, from now on (30m, 12h, 2d)
    #[arg(long = "for", id = "duration", value_name = "DURATION", value_parser = moment_ahead)]
    duration: Option<Timestamp>,
}

impl End {
    fn get(&self) -> Option<Timestamp> {
        self.until.or(self.duration)
    }
}

/// Arguments of `autoscale`.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("bounds")
        .args(["min", "max", "settings"])
        .required(true)
        .multiple(true)
)]
pub struct AutoscaleArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Fewest pods
    #[arg(long, value_name = "N", requires = "max")]
    min: Option<i32>,
    /// Most pods
    #[arg(long, value_name = "N", requires = "min")]
    max: Option<i32>,
    /// Average CPU use to aim at, in percent of what the containers request
    #[arg(long, value_name = "PERCENT")]
    cpu: Option<i32>,
    /// Average memory use to aim at, in percent of what the containers request
    #[arg(long, value_name = "PERCENT")]
    memory: Option<i32>,
    /// All settings from a YAML file, with `metrics` and `behavior` as a HorizontalPodAutoscaler has them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["min", "max", "cpu", "memory"])]
    settings: Option<PathBuf>,
    /// Why, for those who read the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    end: End,
}

fn bounds(text: &str) -> Result<ScaleBounds, String> {
    let wrong = || "write it as MIN..MAX, for example 2..50".to_owned();
    let (min, max) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<i32>().map_err(|_| wrong());
    Ok(ScaleBounds {
        min: number(min)?,
        max: number(max)?,
    })
}

/// Fields of a file of settings.
const SETTINGS: [&str; 6] = ["min", "max", "cpu", "memory", "metrics", "behavior"];

/// The settings in a file's text; a field that there is not would mean nothing to the server.
fn settings_in(text: &str) -> Result<AutoscalingSettings, String> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let unknown: Vec<_> = fields
        .keys()
        .filter(|name| !SETTINGS.contains(&name.as_str()))
        .map(|name| format!("`{name}`"))
        .collect();
    if !unknown.is_empty() {
        return Err(format!(
            "there is no {}; the fields are {}",
            unknown.join(" and no "),
            SETTINGS.join(", ")
        ));
    }
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// Runs `scale`.
pub async fn scale(app: &App, mut args: ScaleArgs) -> Result<(), CliError> {
    // `hermez scale 3` means the workload that is clear.
    if args.replicas.is_none()
        && let Some(count) = args.workload.as_deref().and_then(|text| text.parse().ok())
    {
        (args.workload, args.replicas) = (None, Some(count));
    }
    let name = choose::workload(app, args.workload.clone()).await?;
    let path = ["workloads", name.as_str(), "scale"];
    if let Some(wanted) = args.bounds {
        let path = ["workloads", name.as_str(), "scale", "bounds"];
        let answer = app.client.put(&path, &wanted).await?;
        let shown = print::cell(&name);
        let sentence = format!(
            "People may ask for {} to {} pods of {shown}, or 0.",
            wanted.min, wanted.max
        );
        return app.done(&answer, &sentence);
    }
    if args.ledger {
        let path = ["workloads", name.as_str(), "scale", "changes"];
        let answer = app.client.list(&path, &[], args.limit.get()).await?;
        return app.show(&answer, views::scale::ledger);
    }
    if args.file {
        let reason = args.reason.map(|reason| ("reason", reason));
        let query: Vec<_> = reason.into_iter().collect();
        let answer = app.client.delete_with(&path, &query).await?;
        return changed(app, &answer);
    }
    let Some(replicas) = args.replicas else {
        if args.reason.is_some() || args.fixed || args.end.get().is_some() {
            return Err(CliError::Usage {
                message: "how many pods there should be is missing".to_owned(),
                hint: format!("Say it: `hermez scale {name} 3 --reason TEXT`."),
            });
        }
        let answer = app.client.get(&path, &[]).await?;
        return app.show(&answer, views::scale::status);
    };
    let Some(reason) = args.reason else {
        return Err(CliError::Usage {
            message: "the reason is missing".to_owned(),
            hint: "Say why, for those who read the ledger: --reason TEXT".to_owned(),
        });
    };
    let body = SetScale {
        replicas,
        reason,
        until: args.end.get(),
        fixed: args.fixed,
    };
    let answer = app.client.post_work(&path, &body).await?;
    changed(app, &answer)
}

/// Runs `autoscale`.
pub async fn autoscale(app: &App, args: AutoscaleArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload.clone()).await?;
    let settings = match &args.settings {
        Some(file) => {
            let wrong = |message: String| CliError::Usage {
                message: format!("{}: {message}", file.display()),
                hint: "Write min, max, and cpu, memory or metrics.".to_owned(),
            };
            let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
            settings_in(&text).map_err(wrong)?
        }
        None => AutoscalingSettings {
            min: args.min.unwrap_or(1),
            max: args.max.unwrap_or(1),
            cpu: args.cpu,
            memory: args.memory,
            metrics: Vec::new(),
            behavior: None,
        },
    };
    let body = SetAutoscaling {
        settings,
        reason: args.reason,
        until: args.end.get(),
    };
    let path = ["workloads", name.as_str(), "autoscaling"];
    let answer = app.client.post_work(&path, &body).await?;
    changed(app, &answer)
}

/// Says what became of a change.
fn changed(app: &App, answer: &Answer) -> Result<(), CliError> {
    let change: ScaleChange = answer.read()?;
    let name = print::cell(&change.workload);
    let what = match (change.kind, change.replicas, &change.autoscaling) {
        (ScaleChangeKind::Replicas, Some(0), _) => format!("{name} is stopped: 0 pods"),
        (ScaleChangeKind::Replicas, Some(1), _) => format!("{name} gets 1 pod"),
        (ScaleChangeKind::Replicas, Some(count), _) => format!("{name} gets {count} pods"),
        (ScaleChangeKind::Autoscaling, _, Some(settings)) => format!(
            "{name} follows its load, between {} and {} pods",
            settings.min, settings.max
        ),
        _ => format!("The config file says how many pods {name} has"),
    };
    let until = match change.until {
        Some(until) => format!(", until {}", app::page().date(until)),
        None => String::new(),
    };
    let rest = match change.state {
        ScaleChangeState::Pending => " It waits for the cluster, which does not take it yet.",
        _ if change.kind == ScaleChangeKind::File => "",
        _ => " Deploys leave it so.",
    };
    app.done(answer, &format!("{what}{until}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_there_is_not_is_named() {
        let right = "min: 2\nmax: 8\ncpu: 70\nbehavior: {scaleDown: {selectPolicy: Min}}\n";
        let settings = settings_in(right).expect("settings");
        assert_eq!((settings.min, settings.max, settings.cpu), (2, 8, Some(70)));
        assert!(settings.behavior.is_some());
        for wrong in ["behaviour: {}", "target_cpu: 50"] {
            let message = settings_in(&format!("{right}{wrong}\n")).expect_err("refused");
            let name = wrong.split(':').next().unwrap_or_default();
            let words = format!("there is no `{name}`; the fields are min, max, cpu");
            assert!(message.contains(&words), "{message}");
        }
        assert!(settings_in("- min\n").is_err());
    }
}
