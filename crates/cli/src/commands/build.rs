//! `hermez build …`.

use clap::{Subcommand, ValueEnum};
use hermez_api::{Build, BuildState, BuildSummary, CreateBuild, LogLine, Page};

use super::unless_interrupted;
use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::client::Ends;
use crate::error::CliError;
use crate::print;
use crate::progress::Progress;
use crate::views;

/// What to do with builds.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a commit; a commit has one build, however often it is asked for
    Start(StartArgs),
    /// List builds, newest first
    List(ListArgs),
    /// Show a build and its steps
    Show {
        /// Number of the build
        #[arg(value_name = "BUILD")]
        id: i64,
    },
    /// Print or follow a build's log
    Log {
        /// Number of the build
        #[arg(value_name = "BUILD")]
        id: i64,
        /// Keep printing lines until the build ends
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop a build
    Cancel {
        /// Number of the build
        #[arg(value_name = "BUILD")]
        id: i64,
    },
}

/// Arguments of `build start`.
#[derive(Debug, clap::Args)]
pub struct StartArgs {
    /// Commit id (4 to 40 digits), branch, tag, or HEAD for the current folder's commit
    commit: String,
    /// Workload to build for; may be left out where it is clear
    #[arg(long, short)]
    workload: Option<String>,
    /// Print the log until the build ends, and fail when it fails
    #[arg(long)]
    watch: bool,
    /// Build again when the earlier try failed or was canceled
    #[arg(long)]
    retry: bool,
}

/// Arguments of `build list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only builds for this workload
    #[arg(long, short)]
    workload: Option<String>,
    /// Only builds in this state
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
    Queued,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// Runs `build …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Start(args) => start(app, args).await,
        Command::List(args) => {
            let mut query = Vec::new();
            query.extend(args.workload.map(|workload| ("workload", workload)));
            query.extend(word(args.state).map(|state| ("state", state)));
            let answer = app
                .client
                .list(&["builds"], &query, args.limit.get())
                .await?;
            app.show(&answer, views::build::list)
        }
        Command::Show { id } => {
            let answer = app.client.get(&["builds", &id.to_string()], &[]).await?;
            app.show(&answer, views::build::show)
        }
        Command::Log { id, follow: true } => follow_to_the_end(app, id, false).await,
        Command::Log { id, follow: false } => log(app, id).await,
        Command::Cancel { id } => {
            let path = ["builds", &id.to_string(), "cancel"];
            let answer = app.client.post(&path, &serde_json::json!({})).await?;
            app.done(&answer, &format!("Build {id} is being stopped."))
        }
    }
}

/// A state as the API writes it.
pub(super) fn word(state: Option<impl ValueEnum>) -> Option<String> {
    Some(state?.to_possible_value()?.get_name().to_owned())
}

async fn start(app: &App, args: StartArgs) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    let commit = choose::commit(&args.commit).await?;
    let body = CreateBuild {
        commit,
        retry: args.retry,
    };
    let answer = app
        .client
        .post_work(&["workloads", &workload, "builds"], &body)
        .await?;
    let build: BuildSummary = answer.read()?;
    if args.watch {
        return follow_to_the_end(app, build.id, true).await;
    }
    app.done(
        &answer,
        &format!(
            "Build {0} of {1} is {2}. Follow it with `hermez build log {0} -f`.",
            build.id,
            views::short(&build.commit),
            views::build::state(build.state)
        ),
    )
}

/// Prints the log so far, page by page.
async fn log(app: &App, id: i64) -> Result<(), CliError> {
    const LINES: usize = 200;
    let id = id.to_string();
    let mut after = 0;
    loop {
        let query = [("after", after.to_string()), ("limit", LINES.to_string())];
        let page: Page<LogLine> = app
            .client
            .get(&["builds", &id, "log"], &query)
            .await?
            .read()?;
        for line in &page.items {
            show_line(app, line)?;
        }
        // A server that repeats itself must not make this endless.
        let Some(last) = page.items.last().filter(|line| line.seq > after) else {
            return Ok(());
        };
        after = last.seq;
    }
}

fn show_line(app: &App, line: &LogLine) -> Result<(), CliError> {
    if app.json() {
        print::json_line(line)
    } else {
        print::line(&views::build::log_line(line))
    }
}

async fn follow_to_the_end(app: &App, id: i64, is_known: bool) -> Result<(), CliError> {
    let goes_on = format!("build {id} goes on; `hermez build cancel {id}` stops it");
    unless_interrupted(follow(app, id, is_known), &goes_on).await?;
    let answer = app
        .client
        .get_patiently(&["builds", &id.to_string()])
        .await?;
    let build: Build = answer.read()?;
    let summary = &build.summary;
    if summary.state == BuildState::Succeeded {
        if app.json() {
            return Ok(());
        }
        return print::line(&views::build::success(&build, &app::page()));
    }
    Err(CliError::Failed {
        message: match &summary.error {
            Some(error) => format!("build {id} {}: {error}", views::build::state(summary.state)),
            None => format!("build {id} was {}", views::build::state(summary.state)),
        },
        hint: summary.hint.clone(),
    })
}

/// Prints the log until the build is over.
async fn follow(app: &App, id: i64, is_known: bool) -> Result<(), CliError> {
    let progress = Progress::start(!app.json(), &format!("Build {id}"));
    let path = ["builds", &id.to_string(), "log"];
    let mut stream = app.client.stream(&path, &[], Ends::WhenToldByEvent);
    if is_known {
        stream = stream.of_known_server();
    }
    let mut printed = 0;
    while let Some(event) = stream.next().await? {
        match event.name.as_str() {
            "line" => {
                let Ok(line) = serde_json::from_str::<LogLine>(&event.data) else {
                    continue;
                };
                if line.seq <= printed {
                    continue;
                }
                printed = line.seq;
                if app.json() {
                    print::json_line(&line)?;
                } else {
                    progress.line(&views::build::log_line(&line))?;
                }
            }
            "step" => {
                if let Ok(step) = serde_json::from_str::<hermez_api::BuildStep>(&event.data) {
                    progress.message(&format!("Build {id}: {} ({})", step.name, step.state));
                }
            }
            "build" => {
                let build: Result<BuildSummary, _> = serde_json::from_str(&event.data);
                if build.is_ok_and(|build| views::build::is_over(build.state)) {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}
