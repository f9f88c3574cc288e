//! The `hermez` command: the server, and the client of its API.
//!
//! A client command reads its [`settings`], asks the API through [`client`], and prints the answer
//! either as the API's own JSON or through one of the pure [`views`]. The exit code says what
//! happened: 0 it worked, 1 what was asked failed, 2 it was asked wrongly, 3 not signed in or not
//! allowed, 4 the server cannot be reached.

pub mod app;
pub mod args;
pub mod choose;
pub mod client;
pub mod commands;
pub mod error;
pub mod print;
pub mod progress;
pub mod settings;
pub mod views;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::error::CliError;

/// Parses the command line, runs the command and reports how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = cli.global.output;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the program's threads cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(commands::run(cli));
    // Reading standard input blocks a thread for good; do not wait for it.
    runtime.shutdown_background();
    match outcome {
        Ok(()) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            error::report(&error, output);
            ExitCode::from(error.exit_code())
        }
    }
}
