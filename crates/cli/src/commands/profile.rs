//! `hermez profile …`: versions of the runtime profile and their rollout.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hermez_api::{AskProfileDiff, ProfileDiff, ProfileStatus};

use crate::app::App;
use crate::error::CliError;
use crate::views;

/// Largest profile that is sent.
const FILE_BYTES_MAX: u64 = 1024 * 1024 + 1;

/// What to do with runtime profiles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the versions that are in use, and how the rollout of the newest does
    Status,
    /// Show what a version would change for which workloads; changes nothing
    Diff(DiffArgs),
    /// Pause the rollout: what is on its way arrives, nothing more is moved
    Pause,
    /// Let the rollout go on
    Resume,
}

/// Arguments of `profile diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The profile, `-` for standard input [default: the newest version that is in use]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs `profile …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Status => {
            let answer = app.client.get(&["profiles"], &[]).await?;
            app.show(&answer, |status: &ProfileStatus, page| {
                views::profile::status(status, page)
            })
        }
        Command::Diff(args) => {
            let profile = args.file.as_deref().map(read).transpose()?;
            let ask = AskProfileDiff { profile };
            let answer = app.client.post(&["profiles", "diff"], &ask).await?;
            app.show(&answer, |diff: &ProfileDiff, _| views::profile::diff(diff))
        }
        Command::Pause => {
            let nothing = serde_json::json!({});
            let answer = app.client.post(&["profiles", "pause"], &nothing).await?;
            app.done(
                &answer,
                "The rollout is paused. `hermez profile resume` lets it go on.",
            )
        }
        Command::Resume => {
            let nothing = serde_json::json!({});
            let answer = app.client.post(&["profiles", "resume"], &nothing).await?;
            app.done(
                &answer,
                "The rollout goes on. `hermez profile status` shows how it does.",
            )
        }
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map(|_| text).map_err(|error| CliError::File {
        path: path.to_owned(),
        reason: format!("cannot be read: {error}"),
        hint: None,
    })
}
