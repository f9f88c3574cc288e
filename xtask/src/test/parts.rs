//! The parts of `cargo xtask test`.

use std::process::Command;

use anyhow::Context;
use clap::ValueEnum;
use hermez_sandbox::command;

use super::closing::Outcome;
use super::cluster::TestCluster;
use super::process::{self, Interruption};
use super::workspace::{Kind, Tests};
use super::{lanes, tools};
use crate::{codegen, tidy};

/// The test programs that take longest, the longest first: Flink starts, saves and starts again in
/// one, a second cluster goes through its waves in the next, and deploys fail in a dozen ways.
const LONGEST: [&str; 3] = ["streaming", "waves", "failure_receipt"];

/// A part, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting of Rust, Go and TypeScript, and TypeScript's types
    Fmt,
    /// Clippy over all targets, warnings refused
    Lint,
    /// Generated files are what the code says
    Drift,
    /// The rules of the house
    Tidy,
    /// Licences, bans and advisories of dependencies, where cargo-deny is installed
    Deny,
    /// Tests that need nothing but the code
    Unit,
    /// The store on PostgreSQL
    Postgres,
    /// The UI's unit tests
    Web,
    /// Tests on a real cluster, with a real forge, registry and BuildKit
    Cluster,
    /// The UI in a real browser
    Browser,
    /// The journeys that measure or need the cluster for themselves, with their figures
    Journeys,
    /// Hermez has every right in the cluster that it used in all of this, and no other
    Rights,
}

impl Part {
    /// The parts that are asked for, in order; all when none is named.
    pub fn chosen(asked: &[Part]) -> Vec<Part> {
        let all = Part::value_variants().iter().copied();
        all.filter(|part| asked.is_empty() || asked.contains(part))
            .collect()
    }

    /// As people type it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Fmt => "fmt",
            Part::Lint => "lint",
            Part::Drift => "drift",
            Part::Tidy => "tidy",
            Part::Deny => "deny",
            Part::Unit => "unit",
            Part::Postgres => "postgres",
            Part::Web => "web",
            Part::Cluster => "cluster",
            Part::Browser => "browser",
            Part::Journeys => "journeys",
            Part::Rights => "rights",
        }
    }

    /// Whether it runs on a cluster.
    pub fn needs_cluster(self) -> bool {
        matches!(
            self,
            Part::Cluster | Part::Browser | Part::Journeys | Part::Rights
        )
    }

    /// Runs it.
    pub fn run(
        self,
        interruption: &Interruption,
        cluster: Option<&TestCluster>,
    ) -> anyhow::Result<Outcome> {
        let run = |command: &mut Command| process::run(command, interruption);
        match self {
            Part::Fmt => format(&run)?,
            Part::Lint => {
                let mut clippy = Tests::find()?.cargo("clippy");
                run(clippy.args(["--all-targets", "--", "-D", "warnings"]))?;
            }
            Part::Drift => codegen::check_or_write(true)?,
            Part::Tidy => tidy::check()?,
            Part::Deny => return deny(&run),
            Part::Unit => {
                let tests = Tests::find()?;
                run(&mut tests.cargo_test(Kind::Unit))?;
                run(tests.cargo("test").arg("--doc"))?;
            }
            Part::Postgres => {
                tools::postgres()?;
                let tests = Tests::find()?;
                anyhow::ensure!(
                    tests.has(Kind::Postgres),
                    "there is no test target that needs `postgres-tests`"
                );
                run(&mut tests.cargo_test(Kind::Postgres))?;
            }
            Part::Web => {
                tools::install_web_packages()?;
                run(&mut tools::npm(&["test"]))?;
            }
            Part::Cluster => {
                tools::flink_tools()?;
                tools::postgres()?;
                side_by_side(interruption, cluster)?;
            }
            Part::Browser => browser(&run, cluster)?,
            Part::Journeys => run(point(
                cluster,
                &mut Tests::find()?.cargo_test(Kind::Journey),
            )?)?,
            Part::Rights => run(point(
                cluster,
                &mut Tests::find()?.cargo_test(Kind::Rights),
            )?)?,
        }
        Ok(Outcome::Passed)
    }
}

fn point<'a>(
    cluster: Option<&TestCluster>,
    command: &'a mut Command,
) -> anyhow::Result<&'a mut Command> {
    cluster.context("this part needs a cluster")?.point(command)
}

/// Every formatter looks, also when an earlier one has found something.
fn format(run: &impl Fn(&mut Command) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let rust = run(tools::cargo().args(["fmt", "--all", "--check"]));
    let go = command::output(tools::program("gofmt").args(["-l", "sandbox"]))
        .map_err(anyhow::Error::from);
    let go = go.and_then(|files| {
        anyhow::ensure!(files.trim().is_empty(), "gofmt would change:\n{files}");
        Ok(())
    });
    let web = tools::install_web_packages().and_then(|()| run(&mut tools::npm(&["run", "check"])));
    rust.context("cargo fmt")?;
    go.context("gofmt")?;
    web.context("biome and tsc")
}

fn deny(run: &impl Fn(&mut Command) -> anyhow::Result<()>) -> anyhow::Result<Outcome> {
    let installed = command::output(tools::cargo().args(["deny", "--version"])).is_ok();
    if !installed {
        println!("cargo-deny is not installed; `cargo install --locked cargo-deny` brings it.");
        return Ok(Outcome::Skipped("cargo-deny is not installed".to_owned()));
    }
    run(tools::cargo().args(["deny", "--all-features", "check"]))?;
    Ok(Outcome::Passed)
}

/// The tests on a cluster, more than one program at a time; those that take longest begin.
fn side_by_side(interruption: &Interruption, cluster: Option<&TestCluster>) -> anyhow::Result<()> {
    let mut programs = lanes::build(&mut Tests::find()?.cargo_test(Kind::Cluster))?;
    let rank = |name: &str| LONGEST.iter().position(|it| *it == name);
    programs.sort_by_key(|program| {
        let rank = rank(&program.name).unwrap_or(LONGEST.len());
        (rank, program.name.clone())
    });
    let pointed = programs.into_iter().map(|program| {
        let mut command = program.command();
        point(cluster, &mut command)?;
        Ok((program.name, command))
    });
    lanes::run(pointed.collect::<anyhow::Result<_>>()?, interruption)
}

fn browser(
    run: &impl Fn(&mut Command) -> anyhow::Result<()>,
    cluster: Option<&TestCluster>,
) -> anyhow::Result<()> {
    let status = cluster.context("this part needs a cluster")?.status()?;
    let chromium = tools::chromium()?;
    tools::install_web_packages()?;
    let mut tests = tools::npm(&["run", "browser-test"]);
    tests
        .env("HERMEZ_URL", &status.server)
        .env("HERMEZ_TOKEN_FILE", &status.token_file)
        .env("HERMEZ_BIN", &status.hermez)
        .env("HERMEZ_FORGE_URL", &status.forge)
        .env("HERMEZ_FORGE_USER", &status.forge_user)
        .env("HERMEZ_FORGE_PASSWORD_FILE", &status.forge_password_file)
        .env("HERMEZ_FORGE_TOKEN_FILE", &status.forge_token_file)
        .env(
            "HERMEZ_SCREENSHOTS",
            tools::target_folder()?.join("screenshots"),
        )
        .env("CHROMIUM", chromium);
    run(point(cluster, &mut tests)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_run_in_their_order_however_they_are_asked_for() {
        assert_eq!(
            Part::chosen(&[Part::Unit, Part::Fmt]),
            [Part::Fmt, Part::Unit]
        );
        assert_eq!(Part::chosen(&[]).len(), Part::value_variants().len());
    }

    #[test]
    fn names_are_what_people_type() {
        for part in Part::value_variants() {
            assert_eq!(part.to_possible_value().unwrap().get_name(), part.name());
        }
    }
}
