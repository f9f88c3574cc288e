//! `hermez hotfix`.

use hermez_api::{CreateHotfix, DeploySummary};

use super::deploy::{waits, watch_to_the_end};
use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// Arguments of `hotfix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Commits, in the order in which they are made: ids, branches or tags
    #[arg(required = true, value_name = "COMMIT")]
    commits: Vec<String>,
    /// Workload; may be left out where it is clear
    #[arg(long, short)]
    workload: Option<String>,
    /// Branch that they are pushed as [default: hotfix/WORKLOAD-…]
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only try whether they fit; nothing is pushed
    #[arg(long)]
    dry_run: bool,
    /// Follow it to its end, and fail when it fails
    #[arg(long)]
    watch: bool,
}

/// Runs `hotfix`.
pub async fn run(app: &App, args: Args) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let body = CreateHotfix {
        commits: args.commits,
        branch: args.branch,
        reason: args.reason,
    };
    if args.dry_run {
        let path = ["workloads", name.as_str(), "hotfix-plan"];
        let answer = app.client.post(&path, &body).await?;
        return app.show(&answer, views::rollouts::hotfix_plan);
    }
    let path = ["workloads", name.as_str(), "hotfixes"];
    let answer = app.client.post_work(&path, &body).await?;
    let deploy: DeploySummary = answer.read()?;
    if args.watch {
        return watch_to_the_end(app, deploy.id, true).await;
    }
    let sentence = format!(
        "Deploy {0} builds and brings out {2} on what {1} ran.{waits} Follow it with `hermez deploys watch {0}`; merge its branch, or the next deploy leaves it out.",
        deploy.id,
        print::cell(&deploy.workload),
        views::short(&deploy.commit),
        waits = waits(&deploy),
    );
    app.done(&answer, &sentence)
}
