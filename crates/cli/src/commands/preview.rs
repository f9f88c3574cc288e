//! `hermez pr …`, and `hermez deploy --pr`.

use clap::Subcommand;
use hermez_api::{
    AllowPullRequest, CreatePullRequestDeploy, CreateRun, DeploySummary, Preview, PullRequest, Run,
    SharedPreview,
};

use super::deploy::watch_to_the_end;
use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// What to do with pull requests and their previews.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List open pull requests with their previews, at most 100
    List {
        /// Workload; may be left out where it is clear
        #[arg(long, short)]
        workload: Option<String>,
    },
    /// Show a pull request and its preview
    Show(One),
    /// Allow the newest commit of a pull request from a fork to be deployed
    Allow {
        /// Which one.
        #[command(flatten)]
        one: One,
        /// The commit that was read, with all its 40 digits; refused once a newer one was pushed
        #[arg(long)]
        commit: String,
    },
    /// Remove a pull request's preview
    Remove(One),
    /// Make a link by which anybody who has it may open the preview
    Share {
        /// Which one.
        #[command(flatten)]
        one: One,
        /// Stop sharing it instead: its link opens nothing any more
        #[arg(long)]
        stop: bool,
    },
    /// Let a preview sleep until the next visit
    Sleep(One),
    /// Wake a preview
    Wake(One),
    /// Run a pull request's cron job now, with other arguments where they are given after --
    Run {
        /// Which one.
        #[command(flatten)]
        one: One,
        /// Arguments of the first container, instead of its own
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

/// One pull request.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Number of the pull request
    #[arg(value_name = "NUMBER")]
    number: i64,
    /// Workload; may be left out where it is clear
    #[arg(long, short)]
    workload: Option<String>,
}

/// Runs `deploy --pr`.
pub(super) async fn deploy(
    app: &App,
    workload: &str,
    number: i64,
    body: &CreatePullRequestDeploy,
    watch: bool,
) -> Result<(), CliError> {
    let id = number.to_string();
    let path = [
        "workloads",
        workload,
        "pull-requests",
        id.as_str(),
        "deploys",
    ];
    let answer = app.client.post_work(&path, body).await?;
    let deploy: DeploySummary = answer.read()?;
    if watch {
        watch_to_the_end(app, deploy.id, true).await?;
        if app.json() {
            return Ok(());
        }
        let path = ["workloads", workload, "pull-requests", id.as_str()];
        let pull: PullRequest = app.client.get_patiently(&path).await?.read()?;
        let url = pull.preview.and_then(|preview| preview.url);
        return match url {
            Some(url) => print::line(&format!("The preview answers at {url}")),
            None => Ok(()),
        };
    }
    app.done(
        &answer,
        &format!(
            "Deploy {0} of pull request {number} ({1}) to a preview of {2} was asked for. Follow it with `hermez deploys watch {0}`.",
            deploy.id,
            views::short(&deploy.commit),
            print::cell(&deploy.workload)
        ),
    )
}

/// Runs `pr …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::List { workload } => {
            let name = choose::workload(app, workload).await?;
            let path = ["workloads", name.as_str(), "pull-requests"];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, views::preview::list)
        }
        Command::Show(one) => {
            let (name, number) = of(app, one).await?;
            let path = ["workloads", name.as_str(), "pull-requests", &number];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, views::preview::show)
        }
        Command::Allow { one, commit } => {
            let (name, number) = of(app, one).await?;
            let path = [
                "workloads",
                name.as_str(),
                "pull-requests",
                &number,
                "allow",
            ];
            let body = AllowPullRequest { commit };
            let answer = app.client.post(&path, &body).await?;
            let pull: PullRequest = answer.read()?;
            let sentence = format!(
                "Commit {} of pull request {number} may be deployed: `hermez deploy --pr {number}`. A new push needs a new word.",
                views::short(&pull.head)
            );
            app.done(&answer, &sentence)
        }
        Command::Remove(one) => {
            let (name, number) = of(app, one).await?;
            let path = ["workloads", name.as_str(), "pull-requests", &number];
            let answer = app.client.delete(&path).await?;
            let sentence = format!("The preview of pull request {number} is being removed.");
            app.done(&answer, &sentence)
        }
        Command::Share { one, stop } => {
            let (name, number) = of(app, one).await?;
            if stop {
                let path = [
                    "workloads",
                    name.as_str(),
                    "pull-requests",
                    &number,
                    "share",
                ];
                let answer = app.client.delete(&path).await?;
                return app.done(&answer, "It is not shared any more.");
            }
            let answer = post(app, &name, &number, "share").await?;
            let shared: SharedPreview = answer.read()?;
            print::note("Anybody who has this link may open the preview; it is shown this once.");
            app.done(&answer, &shared.url)
        }
        Command::Sleep(one) => hold(app, one, "sleep").await,
        Command::Wake(one) => hold(app, one, "wake").await,
        Command::Run { one, arguments } => {
            let (name, number) = of(app, one).await?;
            let body = CreateRun {
                arguments: (!arguments.is_empty()).then_some(arguments),
                environment: std::collections::BTreeMap::new(),
            };
            let path = ["workloads", name.as_str(), "pull-requests", &number, "runs"];
            let answer = app.client.post_work(&path, &body).await?;
            let run: Run = answer.read()?;
            app.done(&answer, &format!("Run {} begins.", print::cell(&run.name)))
        }
    }
}

async fn of(app: &App, one: One) -> Result<(String, String), CliError> {
    let name = choose::workload(app, one.workload).await?;
    Ok((name, one.number.to_string()))
}

async fn post(
    app: &App,
    name: &str,
    number: &str,
    verb: &str,
) -> Result<crate::client::Answer, CliError> {
    let path = ["workloads", name, "pull-requests", number, verb];
    app.client.post(&path, &serde_json::json!({})).await
}

async fn hold(app: &App, one: One, verb: &str) -> Result<(), CliError> {
    let (name, number) = of(app, one).await?;
    let answer = post(app, &name, &number, verb).await?;
    let preview: Preview = answer.read()?;
    let sentence = format!(
        "The preview of pull request {number} is {}.",
        views::preview::state(preview.state)
    );
    app.done(&answer, &sentence)
}
