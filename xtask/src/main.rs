//! The project's own tasks: `cargo xtask TASK`.

mod build;
mod closing;
mod codegen;
mod down;
mod image;
mod journey;
mod progress;
mod sample;
mod status;
mod test;
mod tidy;
mod up;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hermez_sandbox::paths;

/// Hermez's own tasks.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start a real Kubernetes, a registry, BuildKit and a Git forge on this machine, with Hermez on top
    Up(up::Arguments),
    /// Stop the local cluster
    Down(down::Arguments),
    /// Say what the local cluster is doing and where to reach it
    Status(status::Arguments),
    /// Run every check: formatting, lints, drift, unit, cluster and browser tests, journeys
    Test(test::Arguments),
    /// List or run a journey through the whole system on the local cluster
    Journey(journey::Arguments),
    /// Make an image that only some workloads need, and publish it in the local cluster's registry
    Image(image::Arguments),
    /// Write the generated files: CRDs, OpenAPI, CLI reference, TypeScript types
    Codegen(codegen::Arguments),
    /// Check the rules of the house over all files
    Tidy(tidy::Arguments),
}

/// Which cluster a task is about.
#[derive(Args)]
struct Cluster {
    /// A name of its own, for clusters side by side
    #[arg(long, conflicts_with = "data_dir")]
    name: Option<String>,
    /// The folder of the cluster's data [default: $HERMEZ_SANDBOX, or ~/.local/share/hermez/NAME]
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Cluster {
    fn data_dir(&self) -> anyhow::Result<PathBuf> {
        let dir = match (&self.data_dir, &self.name) {
            (Some(dir), _) => dir.clone(),
            (None, Some(name)) => {
                let legal =
                    |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
                anyhow::ensure!(
                    !name.is_empty() && name.chars().all(legal),
                    "a name is made of letters, digits, - and _; `{name}` is not"
                );
                paths::data_dir_of(name)?
            }
            (None, None) => paths::default_data_dir()?,
        };
        Ok(std::path::absolute(dir)?)
    }
}

/// The repository that this task was built from.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Up(arguments) => up::run(&arguments),
        Task::Down(arguments) => down::run(&arguments),
        Task::Status(arguments) => status::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Journey(arguments) => journey::run(&arguments),
        Task::Image(arguments) => image::run(&arguments),
        Task::Codegen(arguments) => codegen::run(&arguments),
        Task::Tidy(arguments) => tidy::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_of_every_task_fit_together() {
        Arguments::command().debug_assert();
    }
}
