//! `hermez status` and `hermez open`.

use hermez_api::{Workload, WorkloadRules, WorkloadStatus};

use super::until_interrupted;
use crate::app::{self, App};
use crate::choose;
use crate::client::Ends;
use crate::error::CliError;
use crate::print;
use crate::views;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Keep printing a line for each change
    #[arg(long)]
    watch: bool,
    /// Newest Kubernetes events to show
    #[arg(long, default_value_t = 10, value_name = "N")]
    events: usize,
}

/// Arguments of `open`.
#[derive(Debug, clap::Args)]
pub struct OpenArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Print the address of its page in Hermez's UI instead
    #[arg(long)]
    ui: bool,
}

/// Runs `status`.
pub async fn run(app: &App, args: Args) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let status = app.client.get(&["workloads", &name, "status"], &[]).await?;
    if app.json() {
        if !args.watch {
            return print::json(&status.value);
        }
    } else {
        let workload: Workload = app.client.get(&["workloads", &name], &[]).await?.read()?;
        let rules = app.client.get(&["workloads", &name, "rules"], &[]).await?;
        let (status, rules): (WorkloadStatus, WorkloadRules) = (status.read()?, rules.read()?);
        print::raw(&views::status::show(
            &workload,
            &status,
            rules.lock.as_ref(),
            args.events,
            &app::page(),
        ))?;
    }
    if args.watch {
        until_interrupted(watch(app, &name)).await?;
    }
    Ok(())
}

/// Follows a workload until somebody presses Ctrl-C.
async fn watch(app: &App, name: &str) -> Result<(), CliError> {
    let mut stream = app
        .client
        .stream(&["workloads", name, "watch"], &[], Ends::WhenToldByEvent)
        .of_known_server();
    let mut last = String::new();
    while let Some(event) = stream.next().await? {
        if event.name != "status" {
            continue;
        }
        if app.json() {
            print::line(&event.data)?;
            continue;
        }
        let Ok(status) = serde_json::from_str::<WorkloadStatus>(&event.data) else {
            continue;
        };
        // A change that does not show (an event's count) is no line.
        let shown = format!(
            "{:?} {} {}",
            status.health, status.pods_ready, status.reason
        );
        if shown != last {
            print::line(&views::status::watch_line(&status, &app::page()))?;
            last = shown;
        }
    }
    Ok(())
}

/// Runs `open`.
pub async fn open(app: &App, args: OpenArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let answer = app.client.get(&["workloads", &name], &[]).await?;
    let url = if args.ui {
        let mut url = app.client.server().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["workloads", &name]);
        }
        Some(url.to_string())
    } else {
        answer.read::<Workload>()?.url
    };
    let Some(url) = url else {
        return Err(CliError::Failed {
            message: format!("{name} has no address yet"),
            hint: Some(
                "It gets one when its config file has `spec.loadbalancer.port` and a deploy has succeeded."
                    .to_owned(),
            ),
        });
    };
    if app.json() {
        return print::json(&serde_json::json!({ "url": url }));
    }
    print::line(&print::cell(&url))
}
