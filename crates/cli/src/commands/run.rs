//! `hermez run`, `hermez runs`, `hermez suspend` and `hermez resume`.

use std::collections::BTreeMap;
use std::time::Duration;

use hermez_api::{CreateRun, Page, Run, RunOutcome, ScheduleStatus};
use serde_json::json;

use super::unless_interrupted;
use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::progress::Progress;
use crate::views;

/// Between two looks at a run that goes on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Cron job; may be left out where it is clear
    workload: Option<String>,
    /// Wait for its end, and fail when it fails
    #[arg(long)]
    wait: bool,
    /// Environment variable of the run, NAME=VALUE; may be given several times
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// Arguments of the first container, instead of its own
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Arguments of `runs`.
#[derive(Debug, clap::Args)]
pub struct RunsArgs {
    /// Cron job; may be left out where it is clear
    workload: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// Arguments of `suspend` and `resume`.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    /// Cron job; may be left out where it is clear
    workload: Option<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs `run`.
pub async fn start(app: &App, args: RunArgs) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    let body = CreateRun {
        arguments: (!args.arguments.is_empty()).then_some(args.arguments),
        environment: args.environment.into_iter().collect::<BTreeMap<_, _>>(),
    };
    let path = ["workloads", workload.as_str(), "runs"];
    let answer = app.client.post_work(&path, &body).await?;
    let run: Run = answer.read()?;
    if !args.wait {
        let shown = print::cell(&run.name);
        let name = print::cell(&workload);
        return app.done(
            &answer,
            &format!("The run {shown} has begun. Follow it with `hermez logs {name} -f`."),
        );
    }
    let goes_on = format!("{} goes on. `hermez runs` shows it.", run.name);
    let ended = unless_interrupted(wait(app, &workload, &run.name), &goes_on).await?;
    if app.json() {
        print::json(&json!(ended))?;
    } else {
        print::line(&views::run::sentence(&ended, &app::page()))?;
    }
    match ended.outcome {
        RunOutcome::Succeeded => Ok(()),
        _ => Err(CliError::Failed {
            message: format!("the run {} did not succeed", ended.name),
            hint: Some(format!(
                "Its pods' logs say more: `hermez logs {workload}`."
            )),
        }),
    }
}

/// Waits until the run has ended.
async fn wait(app: &App, workload: &str, name: &str) -> Result<Run, CliError> {
    let progress = Progress::start(!app.json(), &format!("Waiting for the run {name}"));
    loop {
        let path = ["workloads", workload, "runs"];
        let runs: Page<Run> = app.client.get_patiently(&path).await?.read()?;
        let mut runs = runs.items.into_iter();
        let found = runs.find(|run| run.name == name);
        if let Some(ended) = found.filter(|run| run.outcome != RunOutcome::Running) {
            progress.finish();
            return Ok(ended);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs `runs`.
pub async fn list(app: &App, args: RunsArgs) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    let path = ["workloads", workload.as_str(), "runs"];
    let answer = app.client.list(&path, &[], args.limit.get()).await?;
    app.show(&answer, views::run::list)
}

/// Runs `suspend`.
pub async fn suspend(app: &App, args: SuspendArgs) -> Result<(), CliError> {
    set(app, args, "suspend").await
}

/// Runs `resume`.
pub async fn resume(app: &App, args: SuspendArgs) -> Result<(), CliError> {
    set(app, args, "resume").await
}

async fn set(app: &App, args: SuspendArgs, what: &str) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    let path = ["workloads", workload.as_str(), what];
    let answer = app.client.post(&path, &json!({})).await?;
    let schedule: ScheduleStatus = answer.read()?;
    let name = print::cell(&workload);
    let sentence = views::run::schedule(&schedule, &app::page());
    app.done(&answer, &format!("{name}: {sentence}"))
}
