//! `hermez gates …`: what new versions of a workload must pass.

use clap::Subcommand;
use hermez_api::{Comparison, HealthGates, MetricCheck, WorkloadGates};

use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// What to do with health gates.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what new versions must pass
    Show {
        /// Workload; may be left out where it is clear
        workload: Option<String>,
    },
    /// Set what new versions must pass; what is left out is not asked for
    Set(SetArgs),
    /// Go back to what holds without being set
    Clear {
        /// Workload; may be left out where it is clear
        workload: Option<String>,
    },
}

/// Arguments of `gates set`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Seconds that all pods must stay ready without a break
    #[arg(long, value_name = "N", default_value_t = 0)]
    ready_seconds: u32,
    /// Most restarts of the new version's containers since the deploy began
    #[arg(long, value_name = "N")]
    max_restarts: Option<u32>,
    /// A metric that must be right: "NAME: QUERY < LIMIT for 60s"; with a limit like 120% it is
    /// compared with what the old version had; $pods in the query stands for the pods of the version
    /// that is asked about, such as a canary's ('up{pod=~"$pods"}', in single quotes, which the
    /// shell leaves alone); may be given several times
    #[arg(long = "check", value_name = "CHECK", value_parser = check)]
    checks: Vec<MetricCheck>,
    /// Roll a deploy that fails back by itself
    #[arg(long)]
    auto_rollback: bool,
}

/// `NAME: QUERY < LIMIT for 60s`: the comparison is the last one in the text, because queries hold
/// some themselves.
fn check(text: &str) -> Result<MetricCheck, String> {
    let wrong = || "write a check like \"errors: sum(rate(errors[1m])) < 0.5 for 60s\"".to_owned();
    let (name, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (rest, for_seconds) = match rest.rsplit_once(" for ") {
        Some((rest, time)) => {
            let seconds = time.trim().trim_end_matches('s').parse().ok();
            (rest, seconds.ok_or_else(wrong)?)
        }
        None => (rest, 0),
    };
    let at = rest.rfind(['<', '>']).ok_or_else(wrong)?;
    let (query, rest) = rest.split_at(at);
    let (comparison, limit) = if let Some(limit) = rest.strip_prefix("<=") {
        (Comparison::AtMost, limit)
    } else if let Some(limit) = rest.strip_prefix(">=") {
        (Comparison::AtLeast, limit)
    } else if let Some(limit) = rest.strip_prefix('<') {
        (Comparison::Less, limit)
    } else {
        (Comparison::More, rest.trim_start_matches('>'))
    };
    let limit = limit.trim();
    let percent = limit.strip_suffix('%');
    let value: f64 = percent
        .unwrap_or(limit)
        .trim()
        .parse()
        .map_err(|_| wrong())?;
    Ok(MetricCheck {
        name: name.trim().to_owned(),
        query: query.trim().to_owned(),
        comparison,
        threshold: percent.is_none().then_some(value),
        relative_to_old_percent: percent.map(|_| value),
        for_seconds,
    })
}

/// Runs `gates …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Show { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "gates"];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, views::gates::show)
        }
        Command::Set(args) => {
            let name = choose::workload(app, args.workload).await?;
            let body = HealthGates {
                ready_seconds: args.ready_seconds,
                max_restarts: args.max_restarts,
                checks: args.checks,
                auto_rollback: args.auto_rollback,
            };
            let path = ["workloads", name.as_str(), "gates"];
            let answer = app.client.put(&path, &body).await?;
            let set: WorkloadGates = answer.read()?;
            let text = views::gates::settings(&name, &set.gates);
            app.done(&answer, &print::cell(&text))
        }
        Command::Clear { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "gates"];
            let answer = app.client.delete(&path).await?;
            app.done(&answer, &format!("No gates are set for {name}."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_as_people_write_them() {
        let read = check("errors: sum(rate(e{code=~\"5..\"}[1m])) > 0 <= 0.5 for 60s").unwrap();
        assert_eq!(read.name, "errors");
        assert_eq!(read.query, "sum(rate(e{code=~\"5..\"}[1m])) > 0");
        assert_eq!(read.comparison, Comparison::AtMost);
        assert_eq!((read.threshold, read.for_seconds), (Some(0.5), 60));
        let read = check("latency: p99 < 120%").unwrap();
        assert_eq!(
            (read.threshold, read.relative_to_old_percent),
            (None, Some(120.0))
        );
        for wrong in ["", "x", "x: y", "x: y < z", "x: y < 1 for ever"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
