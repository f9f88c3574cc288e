//! Files that are generated from the code: completion scripts for people, and the CRDs, the OpenAPI
//! document and the CLI's reference for the repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::args::Cli;
use crate::error::CliError;
use crate::print;

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
pub struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The custom resource definitions, a file each
    Crds {
        /// Folder to write to
        folder: PathBuf,
    },
    /// The OpenAPI document
    Openapi {
        /// Folder to write to
        folder: PathBuf,
    },
    /// The role that Hermez has in a cluster
    Rbac {
        /// Folder to write to
        folder: PathBuf,
    },
    /// The command line's reference
    Cli {
        /// Folder to write to
        folder: PathBuf,
    },
}

/// Runs `completion`.
pub fn completion(args: &CompletionArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hermez", &mut script);
    print::raw(&String::from_utf8_lossy(&script))
}

/// Runs `generate`.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.what {
        What::Crds { folder } => {
            for (name, yaml) in hermez_kinds::crds_yaml() {
                write(folder, &name, &yaml)?;
            }
            Ok(())
        }
        What::Openapi { folder } => write(folder, "openapi.json", &hermez_server::openapi_json()),
        What::Rbac { folder } => write(folder, "rbac.yaml", &hermez_server::role_yaml()),
        What::Cli { folder } => write(folder, "cli.md", &reference(Cli::command())),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), CliError> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|error| CliError::File {
            path,
            reason: format!("cannot be written: {error}"),
            hint: None,
        })
}

/// The reference of all commands, in Markdown.
fn reference(mut root: Command) -> String {
    root.build();
    let mut text = "# The `hermez` command\n\n<!-- Generated from the code by `cargo xtask codegen`; do not edit. -->\n\n".to_owned();
    if let Some(about) = root.get_about() {
        let _ = writeln!(text, "{about}\n");
    }
    if let Some(after) = root.get_after_help() {
        let _ = writeln!(text, "{after}\n");
    }
    let _ = writeln!(text, "Every command takes these options:\n");
    options(
        &mut text,
        root.get_arguments().filter(|arg| arg.is_global_set()),
    );
    for command in root.get_subcommands() {
        describe(&mut text, command, "hermez");
    }
    text
}

fn describe(text: &mut String, command: &Command, parent: &str) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let _ = writeln!(text, "\n## `{name}`\n");
    if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
        let _ = writeln!(text, "{}\n", sentence(&about.to_string()));
    }
    if command.has_subcommands() {
        for sub in command.get_subcommands() {
            describe(text, sub, &name);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let usage = usage.strip_prefix("hermez").map_or(usage, str::trim_start);
    let usage = usage
        .strip_prefix(name.trim_start_matches("hermez "))
        .unwrap_or(usage);
    let _ = writeln!(text, "```text\n{name}{usage}\n```\n");
    let own = command.get_arguments().filter(|arg| {
        !arg.is_global_set()
            && !arg.is_hide_set()
            && arg.get_id() != "help"
            && arg.get_id() != "version"
    });
    options(text, own);
}

fn options<'a>(text: &mut String, arguments: impl Iterator<Item = &'a clap::Arg>) {
    for argument in arguments {
        let mut names = Vec::new();
        names.extend(argument.get_short().map(|short| format!("-{short}")));
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        let takes_value = argument.get_action().takes_values();
        let value = argument.get_value_names().map(|names| {
            names
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        });
        let value = value.unwrap_or_else(|| argument.get_id().to_string().to_uppercase());
        let mut name = names.join(", ");
        if name.is_empty() {
            name = value;
        } else if takes_value {
            let _ = write!(name, " {value}");
        }
        let help = argument
            .get_help()
            .map(|help| sentence(&help.to_string()))
            .unwrap_or_default();
        let _ = write!(text, "- `{name}`: {help}");
        let possible: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if takes_value && !possible.is_empty() {
            let _ = write!(text, " One of {}.", possible.join(", "));
        }
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        if takes_value && !defaults.is_empty() {
            let _ = write!(text, " Default: {}.", defaults.join(", "));
        }
        if let Some(variable) = argument.get_env() {
            let _ = write!(text, " Variable: `{}`.", variable.to_string_lossy());
        }
        text.push('\n');
    }
}

/// Help texts have no full stop at their end; sentences do.
fn sentence(help: &str) -> String {
    if help.ends_with(['.', ']']) {
        help.to_owned()
    } else {
        format!("{help}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_every_command_and_its_options() {
        let text = reference(Cli::command());
        for expected in [
            "## `hermez deploy`",
            "```text\nhermez deploy [OPTIONS] <COMMIT|--pr <NUMBER>|--latest>\n```",
            "## `hermez build log`",
            "- `--watch`: Follow it to its end, and fail when it fails.",
            "- `--listen ADDRESS`:",
            "Default: `127.0.0.1:8080`. Variable: `HERMEZ_LISTEN`.",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
        assert!(!text.contains("hermez generate"));
    }

    #[test]
    fn every_shell_gets_a_script() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hermez", &mut script);
            assert!(String::from_utf8_lossy(&script).contains("deploys"));
        }
    }
}
