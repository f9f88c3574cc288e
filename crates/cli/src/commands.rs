//! The commands: each asks the API, or does its own work, and prints.

pub mod access;
pub mod build;
pub mod config_file;
pub mod deploy;
pub mod dora;
pub mod gates;
pub mod generate;
pub mod hotfix;
pub mod login;
pub mod logs;
pub mod preview;
pub mod profile;
pub mod receipt;
pub mod rollouts;
pub mod rules;
pub mod run;
pub mod scale;
pub mod server;
pub mod status;
pub mod strategy;
pub mod workload;

use crate::app::App;
use crate::args::{Cli, Command};
use crate::error::CliError;

/// Runs the command.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { global, command } = cli;
    let app = || App::new(&global);
    match command {
        Command::Workload(command) => workload::run(&app()?, command).await,
        Command::Status(args) => status::run(&app()?, args).await,
        Command::Logs(args) => logs::run(&app()?, args).await,
        Command::History(args) => deploy::history(&app()?, args).await,
        Command::Commits(args) => workload::commits(&app()?, args).await,
        Command::Build(command) => build::run(&app()?, command).await,
        Command::Deploy(args) => deploy::start(&app()?, args).await,
        Command::Rollback(args) => rollouts::rollback(&app()?, args).await,
        Command::Revert(args) => rollouts::revert(&app()?, &args).await,
        Command::Hotfix(args) => hotfix::run(&app()?, args).await,
        Command::Restart(args) => rollouts::restart(&app()?, args).await,
        Command::Unpin(args) => rollouts::unpin(&app()?, args).await,
        Command::Scale(args) => scale::scale(&app()?, args).await,
        Command::Autoscale(args) => scale::autoscale(&app()?, args).await,
        Command::Diff(args) => rollouts::diff(&app()?, &args).await,
        Command::Dora(args) => dora::run(&app()?, args).await,
        Command::Rules(command) => rules::run(&app()?, command).await,
        Command::Gates(command) => gates::run(&app()?, command).await,
        Command::Strategy(command) => strategy::run(&app()?, command).await,
        Command::Freeze(command) => rules::freeze(&app()?, command).await,
        Command::Lock(args) => rules::lock(&app()?, args).await,
        Command::Unlock(args) => rules::unlock(&app()?, args).await,
        Command::Receipt(args) => receipt::run(&app()?, &args).await,
        Command::Pr(command) => preview::run(&app()?, command).await,
        Command::Deploys(command) => deploy::run(&app()?, command).await,
        Command::Run(args) => run::start(&app()?, args).await,
        Command::Runs(args) => run::list(&app()?, args).await,
        Command::Suspend(args) => run::suspend(&app()?, args).await,
        Command::Resume(args) => run::resume(&app()?, args).await,
        Command::Open(args) => status::open(&app()?, args).await,
        Command::Check(args) => config_file::check(&args, global.output),
        Command::Render(args) => config_file::render(&args, global.output),
        Command::Profile(command) => profile::run(&app()?, command).await,
        Command::Login(args) => login::run(&global, &args).await,
        Command::LoginLink => access::login_link(&app()?).await,
        Command::Principal(command) => access::principal(&app()?, command).await,
        Command::Token(command) => access::token(&app()?, command).await,
        Command::Whoami => access::whoami(&app()?).await,
        Command::Audit(args) => access::audit(&app()?, &args).await,
        Command::Server(args) => Box::pin(server::run(*args)).await,
        Command::Completion(args) => generate::completion(&args),
        Command::Generate(args) => generate::run(&args),
    }
}

/// Follows something that has no end of its own: Ctrl-C is how it ends, and no failure.
async fn until_interrupted(
    work: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    match unless_interrupted(work, "").await {
        Err(CliError::Interrupted { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Waits for `work`; Ctrl-C ends the waiting, and `goes_on` says what does not end with it.
async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, CliError>>,
    goes_on: &str,
) -> Result<T, CliError> {
    tokio::select! {
        outcome = work => outcome,
        Ok(()) = tokio::signal::ctrl_c() => Err(CliError::Interrupted { message: goes_on.to_owned() }),
    }
}
