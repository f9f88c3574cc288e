//! `hermez rollback`, `revert`, `restart`, `unpin` and `diff`.

use hermez_api::{
    CreateRestart, CreateRollback, DeployComparison, DeploySummary, Revert, RollbackPlan,
};
use serde::Serialize;

use super::deploy::{waits, watch_to_the_end};
use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Deploy whose version to bring back [default: the previous good one]
    #[arg(long, value_name = "DEPLOY")]
    to: Option<i64>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// What is wrong with the version that runs; it is marked as bad with this reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Bring back a version that is marked as bad all the same, and say why
    #[arg(long, value_name = "REASON")]
    override_bad: Option<String>,
    /// Also propose the revert of what is left, as a pull request in the forge
    #[arg(long, conflicts_with = "dry_run")]
    propose_revert: bool,
    /// Follow it to its end, and fail when it fails
    #[arg(long)]
    watch: bool,
}

/// Arguments of `revert`.
#[derive(Debug, clap::Args)]
pub struct RevertArgs {
    /// Number of the rollback
    #[arg(value_name = "DEPLOY")]
    id: i64,
}

/// Arguments of `restart`.
#[derive(Debug, clap::Args)]
pub struct RestartArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Follow it to its end, and fail when it fails
    #[arg(long)]
    watch: bool,
}

/// Arguments of `unpin`.
#[derive(Debug, clap::Args)]
pub struct UnpinArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
}

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// Number of the deploy to compare with
    #[arg(value_name = "DEPLOY")]
    from: i64,
    /// Number of the other deploy
    #[arg(value_name = "DEPLOY")]
    to: i64,
}

/// Runs `rollback`.
pub async fn rollback(app: &App, args: RollbackArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let path = ["workloads", name.as_str(), "rollback"];
    let to = args.to.map(|to| ("to", to.to_string()));
    let query: Vec<_> = to.into_iter().collect();
    let answer = app.client.get(&path, &query).await?;
    if args.dry_run {
        return app.show(&answer, views::rollouts::plan);
    }
    let plan: RollbackPlan = answer.read()?;
    if !app.json() {
        app.show(&answer, views::rollouts::plan)?;
    }
    let body = CreateRollback {
        to: args.to,
        from: Some(plan.change.from.id),
        reason: args.reason,
        override_bad: args.override_bad,
    };
    let offers = !args.propose_revert;
    let deploy = begin(app, &path, &body, args.watch, |deploy| {
        let mut text = format!(
            "Deploy {0} brings {1} back to {2}.{waits} {1} is pinned: automatic deploys wait until `hermez unpin {1}`. Follow it with `hermez deploys watch {0}`.",
            deploy.id,
            print::cell(&deploy.workload),
            views::short(&deploy.commit),
            waits = waits(deploy),
        );
        if offers {
            text.push('\n');
            text.push_str(&offer(deploy.id));
        }
        text
    })
    .await?;
    if args.propose_revert {
        return propose(app, deploy.id).await;
    }
    if args.watch && !app.json() {
        print::line(&offer(deploy.id))?;
    }
    Ok(())
}

/// What there is to do in the repository after a rollback.
fn offer(id: i64) -> String {
    format!(
        "The repository still has what was left: `hermez revert {id}` proposes its revert as a pull request."
    )
}

/// Runs `revert`.
pub async fn revert(app: &App, args: &RevertArgs) -> Result<(), CliError> {
    propose(app, args.id).await
}

async fn propose(app: &App, id: i64) -> Result<(), CliError> {
    let path = ["deploys", &id.to_string(), "revert"];
    let answer = app.client.post(&path, &serde_json::json!({})).await?;
    app.show(&answer, |revert: &Revert, _| {
        views::rollouts::revert(revert)
    })
}

/// Runs `restart`.
pub async fn restart(app: &App, args: RestartArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let path = ["workloads", name.as_str(), "restart"];
    let body = CreateRestart {
        reason: args.reason,
    };
    begin(app, &path, &body, args.watch, |deploy| {
        format!(
            "Deploy {0} replaces the pods of {1}. Follow it with `hermez deploys watch {0}`.",
            deploy.id,
            print::cell(&deploy.workload),
        )
    })
    .await
    .map(drop)
}

/// Asks for a deploy, and follows it where that is wanted.
async fn begin(
    app: &App,
    path: &[&str],
    body: &impl Serialize,
    watch: bool,
    sentence: impl FnOnce(&DeploySummary) -> String,
) -> Result<DeploySummary, CliError> {
    let answer = app.client.post_work(path, body).await?;
    let deploy: DeploySummary = answer.read()?;
    if watch {
        watch_to_the_end(app, deploy.id, true).await?;
    } else {
        app.done(&answer, &sentence(&deploy))?;
    }
    Ok(deploy)
}

/// Runs `unpin`.
pub async fn unpin(app: &App, args: UnpinArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let answer = app.client.delete(&["workloads", &name, "pin"]).await?;
    app.done(
        &answer,
        &format!("{name} has no pin: automatic deploys go on with the next push."),
    )
}

/// Runs `diff`.
pub async fn diff(app: &App, args: &DiffArgs) -> Result<(), CliError> {
    let (from, to) = (args.from.to_string(), args.to.to_string());
    let path = ["deploys", from.as_str(), "compare", to.as_str()];
    let answer = app.client.get(&path, &[]).await?;
    app.show(&answer, |comparison: &DeployComparison, page| {
        views::rollouts::comparison(comparison, page)
    })
}
