//! `hermez workload …` and `hermez commits`.

use std::io::{BufRead, Read, Write};

use clap::{ArgGroup, Subcommand, ValueEnum};
use hermez_api::{CreateWorkload, UpdatePreviewSettings, UpdateWorkload, Workload, WorkloadPlan};

use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::progress::Progress;
use crate::views;

/// What to do with workloads.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a workload from a repository and a config file; everything else is read from them
    Create(CreateArgs),
    /// List workloads
    List(ListArgs),
    /// Show one workload
    Show {
        /// Its name; may be left out where it is clear
        workload: Option<String>,
    },
    /// Change a workload's settings
    Set(SetArgs),
    /// Fetch the repository now, without waiting for a webhook
    Sync {
        /// Its name; may be left out where it is clear
        workload: Option<String>,
    },
    /// Delete a workload and what runs of it
    Delete {
        /// Its name
        workload: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Arguments of `workload create`.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// URL of the Git repository (http or https, without credentials)
    #[arg(long, value_name = "URL")]
    repository: String,
    /// Path of the Kubernetes config file from the repository's root
    #[arg(long, value_name = "PATH")]
    config: String,
    /// Branch to read it from [default: the repository's own]
    #[arg(long)]
    branch: Option<String>,
    /// Whether production traffic depends on it [default: production]
    #[arg(long, value_enum)]
    category: Option<Category>,
    /// User name, where the repository asks for one
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the repository's password or access token from standard input
    #[arg(long)]
    password_stdin: bool,
    /// Create it without asking
    #[arg(long)]
    yes: bool,
}

/// Whether production traffic depends on a workload.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Category {
    /// Real users depend on it.
    Production,
    /// Anything else.
    NonProduction,
}

impl From<Category> for hermez_api::Category {
    fn from(category: Category) -> Self {
        match category {
            Category::Production => Self::Production,
            Category::NonProduction => Self::NonProduction,
        }
    }
}

/// Arguments of `workload set`.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("settings")
        .args([
            "auto_deploy",
            "previews",
            "preview_replicas",
            "preview_idle",
            "preview_expiry",
            "category",
        ])
        .required(true)
        .multiple(true)
)]
pub struct SetArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Deploy every push to this branch by itself; `off` stops that
    #[arg(long, value_name = "BRANCH")]
    auto_deploy: Option<String>,
    /// Deploy every pull request to a preview by itself
    #[arg(long, value_enum)]
    previews: Option<Switch>,
    /// Pods of a preview (1 to 10)
    #[arg(long, value_name = "N")]
    preview_replicas: Option<i32>,
    /// Minutes without a visit after which a preview sleeps
    #[arg(long, value_name = "MINUTES")]
    preview_idle: Option<i32>,
    /// Days without a visit after which a preview is removed (1 to 90)
    #[arg(long, value_name = "DAYS")]
    preview_expiry: Option<i32>,
    /// Whether production traffic depends on it
    #[arg(long, value_enum)]
    category: Option<Category>,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// It is
    On,
    /// It is not
    Off,
}

/// Arguments of `workload list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those whose name, project or repository holds this text
    #[arg(long, short, value_name = "TEXT")]
    query: Option<String>,
    /// Only this category
    #[arg(long, value_enum)]
    category: Option<Category>,
    /// Only this type, for example PinterestService
    #[arg(long = "type", value_name = "TYPE")]
    workload_type: Option<String>,
    /// Only this project
    #[arg(long)]
    project: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// Arguments of `commits`.
#[derive(Debug, clap::Args)]
pub struct CommitsArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Branch [default: the repository's own]
    #[arg(long)]
    branch: Option<String>,
    /// Only commits whose id, title or author holds this text
    #[arg(long, short, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// Runs `workload …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Create(args) => create(app, args).await,
        Command::List(args) => {
            let mut query = Vec::new();
            query.extend(args.query.map(|text| ("q", text)));
            query.extend(args.category.map(|category| {
                (
                    "category",
                    views::workload::category(category.into()).to_owned(),
                )
            }));
            query.extend(args.workload_type.map(|kind| ("type", kind)));
            query.extend(args.project.map(|project| ("project", project)));
            let answer = app
                .client
                .list(&["workloads"], &query, args.limit.get())
                .await?;
            app.show(&answer, views::workload::list)
        }
        Command::Show { workload } => {
            let name = choose::workload(app, workload).await?;
            let answer = app.client.get(&["workloads", &name], &[]).await?;
            app.show(&answer, views::workload::show)
        }
        Command::Sync { workload } => {
            let name = choose::workload(app, workload).await?;
            let progress =
                Progress::start(!app.json(), &format!("Fetching the repository of {name}"));
            let answer = app
                .client
                .post(&["workloads", &name, "sync"], &serde_json::json!({}))
                .await?;
            progress.finish();
            app.done(&answer, &format!("The repository of {name} was fetched."))
        }
        Command::Set(args) => set(app, args).await,
        Command::Delete { workload, yes } => delete(app, &workload, yes).await,
    }
}

/// Runs `commits`.
pub async fn commits(app: &App, args: CommitsArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let mut query = Vec::new();
    query.extend(args.branch.map(|branch| ("branch", branch)));
    query.extend(args.query.map(|text| ("q", text)));
    let path = ["workloads", name.as_str(), "commits"];
    let answer = app.client.list(&path, &query, args.limit.get()).await?;
    app.show(&answer, views::workload::commits)
}

async fn create(app: &App, args: CreateArgs) -> Result<(), CliError> {
    if !args.yes && (args.password_stdin || !print::can_ask()) {
        return Err(cannot_ask("create the workload"));
    }
    let password = if args.password_stdin {
        Some(read_password()?)
    } else {
        None
    };
    let wanted = CreateWorkload {
        repository: args.repository,
        config: args.config,
        branch: args.branch,
        username: args.username,
        password,
        category: args.category.map(Into::into),
    };
    if !args.yes || !app.json() {
        let progress = Progress::start(!app.json(), "Reading the repository");
        let answer = app.client.post(&["workloads", "plan"], &wanted).await?;
        progress.finish();
        let plan: WorkloadPlan = answer.read()?;
        // For programs, standard output is the created workload alone.
        let text = views::workload::plan(&plan, &app::page());
        if app.json() {
            print::note(text.trim_end());
        } else {
            print::raw(&text)?;
        }
    }
    if !args.yes && !confirm("Create it?")? {
        print::note("Nothing was created.");
        return Ok(());
    }
    let progress = Progress::start(!app.json(), "Creating the workload");
    let answer = app.client.post_work(&["workloads"], &wanted).await?;
    progress.finish();
    let name = answer.value["name"].as_str().unwrap_or("?").to_owned();
    app.done(
        &answer,
        &format!(
            "Workload {0} was created. Deploy it with `hermez deploy COMMIT --workload {0} --watch`.",
            print::cell(&name)
        ),
    )
}

async fn set(app: &App, args: SetArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let auto_deploy = args.auto_deploy.map(|branch| match branch.as_str() {
        "off" => String::new(),
        _ => branch,
    });
    let body = UpdateWorkload {
        category: args.category.map(Into::into),
        auto_deploy,
        previews: Some(UpdatePreviewSettings {
            auto: args.previews.map(|switch| switch == Switch::On),
            replicas: args.preview_replicas,
            idle_minutes: args.preview_idle,
            expiry_days: args.preview_expiry,
        }),
    };
    let answer = app.client.patch(&["workloads", &name], &body).await?;
    let workload: Workload = answer.read()?;
    app.done(&answer, &print::cell(&views::workload::settings(&workload)))
}

async fn delete(app: &App, name: &str, yes: bool) -> Result<(), CliError> {
    if !yes {
        if !print::can_ask() {
            return Err(cannot_ask("delete the workload"));
        }
        if !confirm(&format!(
            "Delete workload {name} and everything that runs of it?"
        ))? {
            print::note("Nothing was deleted.");
            return Ok(());
        }
    }
    let answer = app.client.delete(&["workloads", name]).await?;
    app.done(&answer, &format!("Workload {name} was deleted."))
}

fn cannot_ask(what: &str) -> CliError {
    CliError::Usage {
        message: format!("there is no terminal to ask whether to {what}"),
        hint: "Add --yes to do it without being asked.".to_owned(),
    }
}

/// Asks on standard error; only a clear yes is one.
fn confirm(question: &str) -> Result<bool, CliError> {
    let failed = |error: std::io::Error| CliError::Failed {
        message: format!("the answer cannot be read: {error}"),
        hint: Some("Add --yes to do it without being asked.".to_owned()),
    };
    let mut out = std::io::stderr();
    write!(out, "{question} [y/N] ")
        .and_then(|()| out.flush())
        .map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .take(100)
        .read_line(&mut answer)
        .map_err(failed)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

/// One line of at most 4 KiB from standard input.
fn read_password() -> Result<String, CliError> {
    const BYTES_MAX: u64 = 4096;
    let mut text = String::new();
    let read = std::io::stdin()
        .lock()
        .take(BYTES_MAX + 1)
        .read_line(&mut text);
    let password = text.trim_end_matches(['\r', '\n']);
    match read {
        Ok(_) if !password.is_empty() && text.len() as u64 <= BYTES_MAX => Ok(password.to_owned()),
        _ => Err(CliError::Usage {
            message: "standard input holds no password".to_owned(),
            hint: "Pipe it in: `hermez workload create … --password-stdin --yes < file`."
                .to_owned(),
        }),
    }
}
