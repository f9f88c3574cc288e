//! `hermez deploy`, `hermez deploys …` and `hermez history`.

use clap::{Subcommand, ValueEnum};
use hermez_api::{CreateDeploy, Deploy, DeployEvent, DeployState, DeploySummary, Workload};

use super::build::word;
use super::unless_interrupted;
use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::client::Ends;
use crate::error::CliError;
use crate::print;
use crate::progress::Progress;
use crate::views;

/// Arguments of `deploy`.
#[derive(Debug, clap::Args)]
pub struct DeployArgs {
    /// Commit id (4 to 40 digits), branch, tag, or HEAD for the current folder's commit
    commit: String,
    /// Workload; may be left out where it is clear
    #[arg(long, short)]
    workload: Option<String>,
    /// Follow it to its end, and fail when it fails
    #[arg(long)]
    watch: bool,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What to do with deploys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List deploys, newest first
    List(ListArgs),
    /// Show a deploy and its timeline
    Show {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
    },
    /// Follow a deploy to its end, and fail when it fails
    Watch {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
    },
    /// Stop a deploy
    Cancel {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
    },
}

/// Arguments of `deploys list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only deploys of this workload
    #[arg(long, short)]
    workload: Option<String>,
    /// Only deploys in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    #[command(flatten)]
    limit: Limit,
}

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Only deploys in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    #[command(flatten)]
    limit: Limit,
}

/// States to filter by, as the API writes them.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the API documents the states")]
pub enum State {
    Pending,
    Building,
    Queued,
    Applying,
    RollingOut,
    Succeeded,
    Failed,
    Canceled,
    Superseded,
}

/// Runs `deploy`.
pub async fn start(app: &App, args: DeployArgs) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    let commit = choose::commit(&args.commit).await?;
    let body = CreateDeploy {
        commit,
        reason: args.reason,
    };
    let answer = app
        .client
        .post_work(&["workloads", &workload, "deploys"], &body)
        .await?;
    let deploy: DeploySummary = answer.read()?;
    if args.watch {
        return watch_to_the_end(app, deploy.id, true).await;
    }
    app.done(
        &answer,
        &format!(
            "Deploy {0} of {1} to {2} was asked for. Follow it with `hermez deploys watch {0}`.",
            deploy.id,
            views::short(&deploy.commit),
            print::cell(&deploy.workload)
        ),
    )
}

/// Runs `deploys …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(args) => {
            let mut query = Vec::new();
            query.extend(args.workload.map(|workload| ("workload", workload)));
            query.extend(word(args.state).map(|state| ("state", state)));
            let answer = app
                .client
                .list(&["deploys"], &query, args.limit.get())
                .await?;
            app.show(&answer, views::deploy::list)
        }
        Command::Show { id } => {
            let answer = app.client.get(&["deploys", &id.to_string()], &[]).await?;
            app.show(&answer, views::deploy::show)
        }
        Command::Watch { id } => watch_to_the_end(app, id, false).await,
        Command::Cancel { id } => {
            let path = ["deploys", &id.to_string(), "cancel"];
            let answer = app.client.post(&path, &serde_json::json!({})).await?;
            app.done(&answer, &format!("Deploy {id} is being stopped."))
        }
    }
}

/// Runs `history`.
pub async fn history(app: &App, args: HistoryArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let query: Vec<_> = word(args.state)
        .map(|state| ("state", state))
        .into_iter()
        .collect();
    let path = ["workloads", name.as_str(), "deploys"];
    let answer = app.client.list(&path, &query, args.limit.get()).await?;
    app.show(&answer, views::deploy::list)
}

async fn watch_to_the_end(app: &App, id: i64, is_known: bool) -> Result<(), CliError> {
    let goes_on = format!("deploy {id} goes on; `hermez deploys cancel {id}` stops it");
    unless_interrupted(watch(app, id, is_known), &goes_on).await?;
    let answer = app
        .client
        .get_patiently(&["deploys", &id.to_string()])
        .await?;
    let deploy: Deploy = answer.read()?;
    let summary = &deploy.summary;
    if summary.state != DeployState::Succeeded {
        return Err(ended_badly(&deploy));
    }
    if app.json() {
        return Ok(());
    }
    let workload = app
        .client
        .get_patiently(&["workloads", &summary.workload])
        .await;
    let workload = workload.and_then(|answer| answer.read::<Workload>()).ok();
    let url = workload.and_then(|workload| workload.url);
    print::line(&views::deploy::success(
        &deploy,
        url.as_deref(),
        &app::page(),
    ))
}

fn ended_badly(deploy: &Deploy) -> CliError {
    let summary = &deploy.summary;
    let mut hint = deploy.hint.clone();
    if let (None, Some("build"), Some(build)) =
        (&hint, deploy.failure_cause.as_deref(), deploy.build_id)
    {
        hint = Some(format!("Read its log: `hermez build log {build}`."));
    }
    let cause = deploy
        .failure_cause
        .as_ref()
        .map(|cause| format!(" ({cause})"));
    CliError::Failed {
        message: format!(
            "deploy {} {}{}: {}",
            summary.id,
            views::deploy::state(summary.state),
            cause.unwrap_or_default(),
            summary.message
        ),
        hint: hint.or_else(|| {
            Some(format!(
                "`hermez deploys show {}` has the whole story.",
                summary.id
            ))
        }),
    }
}

/// Prints the timeline until the deploy is over. For programs, each line is one event of the
/// stream: `{"event": name, "data": …}`.
async fn watch(app: &App, id: i64, is_known: bool) -> Result<(), CliError> {
    let progress = Progress::start(!app.json(), &format!("Deploy {id}"));
    let path = ["deploys", &id.to_string(), "watch"];
    let mut stream = app.client.stream(&path, &[], Ends::WhenToldByEvent);
    if is_known {
        stream = stream.of_known_server();
    }
    let mut printed = 0;
    while let Some(event) = stream.next().await? {
        match event.name.as_str() {
            "event" => {
                let Ok(entry) = serde_json::from_str::<DeployEvent>(&event.data) else {
                    continue;
                };
                if entry.seq <= printed {
                    continue;
                }
                printed = entry.seq;
                if app.json() {
                    print::json_line(&serde_json::json!({ "event": "event", "data": entry }))?;
                } else {
                    progress.line(&views::deploy::event_line(&entry, &app::page()))?;
                }
            }
            "deploy" => {
                let Ok(deploy) = serde_json::from_str::<DeploySummary>(&event.data) else {
                    continue;
                };
                if app.json() {
                    print::json_line(&serde_json::json!({ "event": "deploy", "data": deploy }))?;
                }
                if views::deploy::is_over(deploy.state) {
                    return Ok(());
                }
                show_progress(&progress, &deploy);
            }
            _ => {}
        }
    }
    Ok(())
}

fn show_progress(progress: &Progress, deploy: &DeploySummary) {
    let message = format!("{}: {}", views::deploy::state(deploy.state), deploy.message);
    if deploy.state == DeployState::RollingOut && deploy.pods_desired > 0 {
        progress.counted(deploy.pods_ready, deploy.pods_desired, &message);
    } else {
        progress.message(&message);
    }
}
