//! `hermez deploy`, `hermez deploys …` and `hermez history`.

use clap::{ArgGroup, Subcommand, ValueEnum};
use hermez_api::{
    CreateDeploy, CreatePullRequestDeploy, Deploy, DeployEvent, DeployState, DeploySummary,
    PromoteDeploy, Workload,
};

use jiff::{SignedDuration, Timestamp};

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
#[command(group = ArgGroup::new("what").args(["commit", "pr", "latest"]).required(true))]
pub struct DeployArgs {
    /// Commit id (4 to 40 digits), branch, tag, or HEAD for the current folder's commit
    commit: Option<String>,
    /// The newest commit of this pull request, as a preview beside what runs
    #[arg(long, value_name = "NUMBER")]
    pr: Option<i64>,
    /// Pods of the preview [default: 1, or what the workload's settings say]
    #[arg(long, value_name = "N", requires = "pr", conflicts_with_all = ["commit", "latest"])]
    replicas: Option<i32>,
    /// The newest commit of the default branch, or of --branch
    #[arg(long)]
    latest: bool,
    /// Branch that --latest means
    #[arg(long, value_name = "BRANCH", requires = "latest")]
    branch: Option<String>,
    /// Workload; may be left out where it is clear
    #[arg(long, short)]
    workload: Option<String>,
    /// Follow it to its end, and fail when it fails
    #[arg(long)]
    watch: bool,
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Deploy an artifact that is marked as bad all the same, and say why
    #[arg(long, value_name = "REASON")]
    override_bad: Option<String>,
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
    /// Approve a deploy that waits for it
    Approve {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
        /// What there is to say
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
    /// Reject a deploy that waits for approvals, which ends it
    Reject {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Hold a rollout where it is
    Pause {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
    },
    /// Let a rollout go on
    Resume {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
    },
    /// Let a deploy go on that waits at a step of its canary
    Promote {
        /// Number of the deploy
        #[arg(value_name = "DEPLOY")]
        id: i64,
        /// Leave all further steps out
        #[arg(long)]
        all: bool,
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
    /// The same, as `deploys list` takes it
    #[arg(
        long = "workload",
        short = 'w',
        value_name = "WORKLOAD",
        conflicts_with = "workload"
    )]
    named: Option<String>,
    /// Only deploys in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only deploys of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only deploys that this person (or `push`) asked for
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only deploys of commits whose id begins like this
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
    /// Only deploys of this pull request
    #[arg(long, value_name = "NUMBER")]
    pr: Option<i64>,
    /// Only those asked for since then: a time (RFC 3339), or how long ago (30m, 12h, 2d)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only those asked for before then, likewise
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    #[command(flatten)]
    limit: Limit,
}

/// Kinds to filter by, as the API writes them.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// Brings a commit out
    Regular,
    /// Brings back what ran before
    Rollback,
    /// Replaces the pods
    Restart,
    /// Brings out commits that were picked onto what ran
    Hotfix,
}

/// A time, or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    moment_at(text, Timestamp::now())
}

fn moment_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong =
        || "write a time like 2026-11-24T10:00:00Z, or how long ago: 30m, 12h, 2d".to_owned();
    let ago = span(text).ok_or_else(wrong)?;
    now.checked_sub(ago).map_err(|_| wrong())
}

/// How long from now.
pub fn moment_ahead(text: &str) -> Result<Timestamp, String> {
    let wrong = || "write how long: 30m, 12h, 2d".to_owned();
    let ahead = span(text).ok_or_else(wrong)?;
    Timestamp::now().checked_add(ahead).map_err(|_| wrong())
}

/// A length of time as people write it.
fn span(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text.trim_end_matches(unit).parse().ok()?;
    let length = count.checked_mul(seconds).filter(|length| *length > 0)?;
    Some(SignedDuration::from_secs(length))
}

/// States to filter by, as the API writes them.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the API documents the states")]
pub enum State {
    Pending,
    Building,
    Queued,
    Canary,
    Applying,
    RollingOut,
    Verifying,
    Succeeded,
    Failed,
    Canceled,
    Superseded,
}

/// Runs `deploy`.
pub async fn start(app: &App, args: DeployArgs) -> Result<(), CliError> {
    let workload = choose::workload(app, args.workload).await?;
    if let Some(number) = args.pr {
        let body = CreatePullRequestDeploy {
            reason: args.reason,
            replicas: args.replicas,
            override_bad: args.override_bad,
        };
        return super::preview::deploy(app, &workload, number, &body, args.watch).await;
    }
    let commit = match &args.commit {
        Some(commit) => Some(choose::commit(commit).await?),
        None => None,
    };
    let body = CreateDeploy {
        commit,
        latest: args.latest,
        branch: args.branch,
        reason: args.reason,
        override_bad: args.override_bad,
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
            "Deploy {0} of {1} to {2} was asked for.{waits} Follow it with `hermez deploys watch {0}`.",
            deploy.id,
            views::short(&deploy.commit),
            print::cell(&deploy.workload),
            waits = waits(&deploy)
        ),
    )
}

/// What a deploy waits for that a rule holds from the first, as a sentence behind another one.
pub(super) fn waits(deploy: &DeploySummary) -> String {
    let Some(held) = &deploy.held else {
        return String::new();
    };
    let message = print::cell(&held.message);
    match message.strip_prefix("waits ") {
        Some(rest) => format!(" It waits {rest}."),
        None => format!(" It waits: {message}."),
    }
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
        Command::Approve { id, comment } => super::rules::approve(app, id, comment).await,
        Command::Reject { id, reason } => super::rules::reject(app, id, reason).await,
        Command::Promote { id, all } => promote(app, id, all).await,
        Command::Pause { id } => hold(app, id, true).await,
        Command::Resume { id } => hold(app, id, false).await,
        Command::Cancel { id } => {
            let path = ["deploys", &id.to_string(), "cancel"];
            let answer = app.client.post(&path, &serde_json::json!({})).await?;
            let deploy: DeploySummary = answer.read()?;
            let sentence = if deploy.state.is_over() {
                over(&deploy)
            } else {
                format!("Deploy {id} is being stopped.")
            };
            app.done(&answer, &sentence)
        }
    }
}

fn over(deploy: &DeploySummary) -> String {
    let state = views::deploy::state(deploy.state);
    format!("Deploy {} is over: {state}.", deploy.id)
}

async fn promote(app: &App, id: i64, all: bool) -> Result<(), CliError> {
    let number = id.to_string();
    // The step is told, so that a request that is sent again does not promote the next one, too.
    let seen: Deploy = app.client.get(&["deploys", &number], &[]).await?.read()?;
    let step = seen.plan.map(|plan| plan.step);
    let path = ["deploys", number.as_str(), "promote"];
    let answer = app.client.post(&path, &PromoteDeploy { all, step }).await?;
    let deploy: DeploySummary = answer.read()?;
    app.done(&answer, &promoted(&deploy))
}

/// What is true of a deploy whose canary was promoted.
fn promoted(deploy: &DeploySummary) -> String {
    let id = deploy.id;
    if deploy.state.is_over() {
        return over(deploy);
    }
    if deploy.paused_by.is_some() {
        return format!(
            "The step of deploy {id} is promoted. It is held: let it go on with `hermez deploys resume {id}`."
        );
    }
    if deploy.state != DeployState::Canary {
        let state = views::deploy::state(deploy.state);
        return format!(
            "The canary of deploy {id} is over: {state}. Follow it with `hermez deploys watch {id}`."
        );
    }
    format!("Deploy {id} goes on. Follow it with `hermez deploys watch {id}`.")
}

async fn hold(app: &App, id: i64, pause: bool) -> Result<(), CliError> {
    let verb = if pause { "pause" } else { "resume" };
    let path = ["deploys", &id.to_string(), verb];
    let answer = app.client.post(&path, &serde_json::json!({})).await?;
    let deploy: DeploySummary = answer.read()?;
    let sentence = match (deploy.state.is_over(), pause) {
        (true, _) => over(&deploy),
        (false, true) => {
            format!("Deploy {id} is held. Let it go on with `hermez deploys resume {id}`.")
        }
        (false, false) => format!("Deploy {id} goes on."),
    };
    app.done(&answer, &sentence)
}

/// Runs `history`.
pub async fn history(app: &App, args: HistoryArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload.or(args.named)).await?;
    let mut query: Vec<_> = word(args.state)
        .map(|state| ("state", state))
        .into_iter()
        .collect();
    query.extend(word(args.kind).map(|kind| ("kind", kind)));
    query.extend(args.by.map(|by| ("by", by)));
    query.extend(args.commit.map(|commit| ("commit", commit)));
    query.extend(args.pr.map(|number| ("pull_request", number.to_string())));
    query.extend(args.since.map(|since| ("since", since.to_string())));
    query.extend(args.until.map(|until| ("until", until.to_string())));
    let path = ["workloads", name.as_str(), "deploys"];
    let answer = app.client.list(&path, &query, args.limit.get()).await?;
    if query.is_empty() {
        app.show(&answer, views::deploy::list)
    } else {
        app.show(&answer, views::deploy::found)
    }
}

pub(super) async fn watch_to_the_end(app: &App, id: i64, is_known: bool) -> Result<(), CliError> {
    let goes_on = format!("deploy {id} goes on; `hermez deploys cancel {id}` stops it");
    unless_interrupted(watch(app, id, is_known), &goes_on).await?;
    let answer = app
        .client
        .get_patiently(&["deploys", &id.to_string()])
        .await?;
    let deploy: Deploy = answer.read()?;
    let summary = &deploy.summary;
    if summary.state != DeployState::Succeeded {
        let next = super::receipt::print_short(app, &deploy).await?;
        return Err(ended_badly(&deploy, next));
    }
    if app.json() {
        return Ok(());
    }
    let workload = app
        .client
        .get_patiently(&["workloads", &summary.workload])
        .await;
    let workload = workload.and_then(|answer| answer.read::<Workload>()).ok();
    // A preview has an address of its own.
    let url = workload
        .filter(|_| summary.pull_request.is_none())
        .and_then(|workload| workload.url);
    print::line(&views::deploy::success(
        &deploy,
        url.as_deref(),
        &app::page(),
    ))
}

fn ended_badly(deploy: &Deploy, next: Option<String>) -> CliError {
    let summary = &deploy.summary;
    let mut hint = next.or_else(|| deploy.hint.clone());
    if let (None, Some("build"), Some(build)) =
        (&hint, deploy.failure_cause.as_deref(), deploy.build_id)
    {
        hint = Some(format!("Read its log: `hermez build log {build}`."));
    }
    let told = match &deploy.failure_cause {
        Some(cause) => {
            let state = views::deploy::state(summary.state);
            format!("{state} ({cause}): {}", summary.message)
        }
        None => views::deploy::told(summary),
    };
    CliError::Failed {
        message: format!("deploy {} {told}", summary.id),
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
    let mut timeline = views::deploy::Timeline::default();
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
                    progress.line(&timeline.line(&entry, &app::page()))?;
                }
            }
            "deploy" => {
                let Ok(deploy) = serde_json::from_str::<DeploySummary>(&event.data) else {
                    continue;
                };
                if app.json() {
                    print::json_line(&serde_json::json!({ "event": "deploy", "data": deploy }))?;
                }
                if deploy.state.is_over() {
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
    let message = views::deploy::told(deploy);
    if deploy.state == DeployState::RollingOut && deploy.pods_desired > 0 {
        progress.counted(deploy.pods_ready, deploy.pods_desired, &message);
    } else {
        progress.message(&message);
    }
}

#[cfg(test)]
mod tests {
    use hermez_api::{HeldDeploy, HoldingRule};

    use super::*;

    #[test]
    fn a_promoted_deploy_goes_on_only_where_it_does() {
        let mut deploy = views::deploy::tests::deploy(57);
        deploy.state = DeployState::Canary;
        assert!(promoted(&deploy).starts_with("Deploy 57 goes on."));
        deploy.paused_by = Some("ada".to_owned());
        let text = promoted(&deploy);
        assert!(text.contains("hermez deploys resume 57"), "{text}");
        (deploy.state, deploy.paused_by) = (DeployState::RollingOut, None);
        let text = promoted(&deploy);
        assert!(text.contains("is over: rolling out"), "{text}");
        deploy.state = DeployState::Failed;
        assert_eq!(promoted(&deploy), "Deploy 57 is over: failed.");
    }

    #[test]
    fn what_is_held_says_what_it_waits_for() {
        let mut deploy = views::deploy::tests::deploy(57);
        assert_eq!(waits(&deploy), "");
        for (message, sentence) in [
            ("frozen by ada", " It waits: frozen by ada."),
            ("waits for 1 approval", " It waits for 1 approval."),
        ] {
            deploy.held = Some(HeldDeploy {
                rule: HoldingRule::Freeze,
                message: message.to_owned(),
                hint: None,
                until: None,
                approvals: None,
            });
            assert_eq!(waits(&deploy), sentence);
        }
    }

    #[test]
    fn moments_are_times_or_ages() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let moment = |text| moment_at(text, now).map(|at| at.to_string());
        assert_eq!(
            moment("2026-11-24T09:00:00Z").unwrap(),
            "2026-11-24T09:00:00Z"
        );
        assert_eq!(moment("2h").unwrap(), "2026-11-24T08:00:00Z");
        assert_eq!(moment("2d").unwrap(), "2026-11-22T10:00:00Z");
        for wrong in ["", "2", "-2h", "2w", "h", "99999999999999999999d", "0h"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
