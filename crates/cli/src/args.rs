//! The command line: what there is to say, in the words of the person who types it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    access, build, config_file, deploy, dora, gates, generate, hotfix, login, logs, preview,
    profile, receipt, rollouts, rules, run, scale, server, status, strategy, workload,
};
use crate::print::Format;
use crate::settings::Flags;

/// Takes a commit to production on Kubernetes, and shows what it does there.
#[derive(Debug, Parser)]
#[command(
    name = "hermez",
    version,
    propagate_version = false,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 it worked, 1 what was asked failed, 2 it was asked wrongly, 3 not signed in or not allowed, 4 the server cannot be reached."
)]
pub struct Cli {
    /// Said for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Address of the server [env: HERMEZ_SERVER]
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    pub server: Option<String>,
    /// File that holds the API token [env: HERMEZ_TOKEN_FILE; HERMEZ_TOKEN holds the token itself]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// How to print: `table` for people, `json` in the API's own shapes
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub output: Format,
}

impl Global {
    /// What the command line says about the connection.
    pub fn flags(&self) -> Flags {
        Flags {
            server: self.server.clone(),
            token_file: self.token_file.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create, list, show, sync and delete workloads
    #[command(subcommand)]
    Workload(workload::Command),
    /// Show what runs now: pods, containers, rollout, events
    Status(status::Args),
    /// Print or follow the logs of a workload's pods
    Logs(logs::Args),
    /// List a workload's deploys, newest first
    History(deploy::HistoryArgs),
    /// List a workload's commits with the state of their artifacts
    Commits(workload::CommitsArgs),
    /// Start, watch and cancel builds
    #[command(subcommand)]
    Build(build::Command),
    /// Deploy a commit or a pull request, building it first where needed
    Deploy(deploy::DeployArgs),
    /// Bring back what ran before, with one action and no build
    Rollback(rollouts::RollbackArgs),
    /// Propose the revert of what a rollback left, as a pull request in the forge
    Revert(rollouts::RevertArgs),
    /// Pick commits onto exactly what runs, build that and deploy it
    Hotfix(hotfix::Args),
    /// Replace the pods of what runs; the version stays
    Restart(rollouts::RestartArgs),
    /// Take a workload's pin off, so that automatic deploys go on
    Unpin(rollouts::UnpinArgs),
    /// Show or change how many pods a workload has, and who says so
    Scale(scale::ScaleArgs),
    /// Let the number of a workload's pods follow their load
    Autoscale(scale::AutoscaleArgs),
    /// Show and set what holds deploys back: windows and approvals
    #[command(subcommand)]
    Rules(rules::Command),
    /// Show and set what new versions must pass after their pods are ready
    #[command(subcommand)]
    Gates(gates::Command),
    /// Show and set how new versions reach a workload's pods: canaries, waves of clusters
    #[command(subcommand)]
    Strategy(strategy::Command),
    /// Freeze deploys, list and end freezes, grant exceptions
    #[command(subcommand)]
    Freeze(rules::FreezeCommand),
    /// Lock a workload, so that nobody else deploys it
    Lock(rules::LockArgs),
    /// Take a workload's lock off
    Unlock(rules::UnlockArgs),
    /// Compare two deploys: commits, images, manifests, how long they took
    Diff(rollouts::DiffArgs),
    /// Show how well delivery goes: DORA's four figures, and the deploys of each week
    Dora(dora::Args),
    /// Show why a deploy failed: last lines, events, what came with it, what to do
    Receipt(receipt::Args),
    /// List pull requests; show, allow, share, sleep, wake and remove their previews
    #[command(subcommand)]
    Pr(preview::Command),
    /// List, show, watch, approve, reject, pause, resume and cancel deploys
    #[command(subcommand)]
    Deploys(deploy::Command),
    /// Run a cron job now, with other arguments where they are given after --
    Run(run::RunArgs),
    /// List a cron job's runs, newest first
    Runs(run::RunsArgs),
    /// Keep a cron job from running by its schedule
    Suspend(run::SuspendArgs),
    /// Let a cron job run by its schedule again
    Resume(run::SuspendArgs),
    /// Print where a workload answers
    Open(status::OpenArgs),
    /// Check a config file, with no server and no cluster
    Check(config_file::CheckArgs),
    /// Print the Kubernetes objects that a config file becomes, with no server and no cluster
    Render(config_file::RenderArgs),
    /// Show, compare, pause and resume the rollout of the runtime profile
    #[command(subcommand)]
    Profile(profile::Command),
    /// Sign this machine in: check a token and keep it
    Login(login::Args),
    /// Make a link that signs a browser in once
    LoginLink,
    /// Add and list who may sign in; make links and tokens for them
    #[command(subcommand)]
    Principal(access::PrincipalCommand),
    /// Create, list and revoke API tokens
    #[command(subcommand)]
    Token(access::TokenCommand),
    /// Show who you are to the server
    Whoami,
    /// List the record of changes, newest first
    Audit(access::AuditArgs),
    /// Run the server: API, UI, builder, deploy engine and controllers in one process
    Server(Box<server::Args>),
    /// Print a completion script for a shell
    Completion(generate::CompletionArgs),
    /// Write files that are generated from the code (`cargo xtask codegen` calls this)
    #[command(hide = true)]
    Generate(generate::Args),
}

/// How many items a list shows.
#[derive(Debug, Clone, Args)]
pub struct Limit {
    /// Most items to list (1 to 10000)
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

impl Limit {
    /// The number.
    pub fn get(&self) -> usize {
        usize::from(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_tour_are_understood() {
        for line in [
            "hermez workload create --repository http://h/r.git --config deploy/hello.yaml --yes",
            "hermez status",
            "hermez status hello -o json",
            "hermez logs hello -f",
            "hermez history hello",
            "hermez history -w hello",
            "hermez deploy 95f6178 --watch",
            "hermez deploy 95f6178 --workload hello --watch --reason why",
            "hermez deploy --latest --branch main --override-bad why",
            "hermez deploy --pr 12 --watch --replicas 2",
            "hermez deploy --pr 12 --override-bad why",
            "hermez pr list --workload hello",
            "hermez pr show 12",
            "hermez pr allow 12 --commit 95f6178bd34c1a3e4bd0bb7f8fa26c4a95a5ea4f",
            "hermez pr share 12 --stop",
            "hermez pr run 12 -- --day yesterday",
            "hermez history hello --pr 12",
            "hermez workload set hello --previews on --preview-idle 10",
            "hermez rollback hello --to 3 --dry-run",
            "hermez rollback hello --reason why --watch",
            "hermez rollback hello --propose-revert",
            "hermez revert 12",
            "hermez restart hello --watch",
            "hermez unpin hello",
            "hermez diff 3 4",
            "hermez hotfix 95f6178 af31 --workload hello --reason why --watch",
            "hermez hotfix 95f6178 -w hello --dry-run",
            "hermez scale",
            "hermez scale hello 3 --reason launch --for 2h",
            "hermez scale hello -1 --reason why",
            "hermez scale hello 0 --reason night --until 2026-11-28T06:00:00Z",
            "hermez scale hello --file --reason over",
            "hermez scale hello --bounds 2..50",
            "hermez scale hello --ledger",
            "hermez autoscale hello --min 2 --max 8 --cpu 70 --reason load",
            "hermez receipt 12 --output json",
            "hermez dora hello --days 90",
            "hermez dora --project demo",
            "hermez history hello --state failed --by ada --kind rollback --since 2d --commit 95f6",
            "hermez workload set hello --auto-deploy off",
            "hermez rules show hello",
            "hermez rules window clear --project demo",
            "hermez rules approvals set hello --count 2 --from ada,bob --rollbacks",
            "hermez rules approvals set --project demo --role owner",
            "hermez freeze create --project demo --until 2d --reason sale",
            "hermez freeze list --all",
            "hermez freeze end 3",
            "hermez freeze except 3 --deploy 7 --reason fix",
            "hermez gates show hello",
            "hermez gates set hello --ready-seconds 30 --max-restarts 0 --auto-rollback",
            "hermez gates clear hello",
            "hermez lock hello --reason migration --until 2h",
            "hermez unlock hello --break --reason gone",
            "hermez deploys approve 12 --comment fine",
            "hermez deploys reject 12 --reason no",
            "hermez deploys pause 12",
            "hermez deploys resume 12",
            "hermez deploys cancel 12",
            "hermez run report --wait -e A=b -- --day yesterday",
            "hermez runs report",
            "hermez suspend report",
            "hermez resume report",
            "hermez build start main --workload hello --watch --retry",
            "hermez build log 3 -f",
            "hermez login --server http://127.0.0.1:8080 --token-stdin",
            "hermez principal create bob --role owner",
            "hermez principal list",
            "hermez principal login-link bob",
            "hermez principal token bob laptop",
            "hermez server --kubeconfig k --registry 127.0.0.1:5000 --forge gitea=http://127.0.0.1:3000",
            "hermez render deploy/hello.yaml --profile p.yaml",
            "hermez profile status",
            "hermez profile diff --file p.yaml",
            "hermez profile pause",
            "hermez completion bash",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_alternatives() {
        for (line, missing) in [
            ("hermez deploy", "<COMMIT|--pr <NUMBER>|--latest>"),
            ("hermez pr allow 12", "--commit <COMMIT>"),
            (
                "hermez workload set hello",
                "<--auto-deploy <BRANCH>|--previews <PREVIEWS>|--preview-replicas <N>|",
            ),
            (
                "hermez autoscale hello --reason why",
                "<--min <N>|--max <N>|--settings <FILE>>",
            ),
            ("hermez autoscale hello --min 2 --reason why", "--max <N>"),
            (
                "hermez rules approvals set hello",
                "<--from <NAMES>|--role <ROLE>>",
            ),
            (
                "hermez freeze except 3 --reason why",
                "<--workload <WORKLOAD>|--deploy <DEPLOY>>",
            ),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            let error = error.to_string();
            let said = error.lines().any(|it| it.trim().starts_with(missing));
            assert!(said, "{line}: {error}");
        }
    }

    #[test]
    fn alternatives_are_not_given_together() {
        for line in [
            "hermez deploy 95f6178 --latest",
            "hermez deploy 95f6178 --pr 12",
            "hermez deploy --latest --pr 12",
            "hermez deploy --latest --replicas 2",
            "hermez deploy 95f6178 --replicas 2",
            "hermez history hello -w hello",
            "hermez autoscale hello --min 2 --settings x.yaml --reason why",
            "hermez rules approvals set hello --from ada --role owner",
            "hermez freeze except 3 --workload hello --deploy 7 --reason fix",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_password_cannot_be_given_on_the_command_line() {
        let line = "hermez workload create --repository u --config c --password secret";
        assert!(Cli::try_parse_from(line.split(' ')).is_err());
    }
}
