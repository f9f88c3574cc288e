//! `cargo xtask tidy`: the rules of the house that no other tool checks, over every file that Git
//! tracks or would track. A rule is a pure function of a file's path and text.

mod links;
mod rules;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::repository;

/// What `tidy` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Also name the files that are longer than they should be, and not yet too long
    #[arg(long)]
    long: bool,
}

/// A rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    path: String,
    /// From 1; 0 when the whole file is meant.
    line: usize,
    message: String,
}

/// All files, by their paths from the repository's root.
struct Tree {
    paths: BTreeSet<String>,
}

impl Tree {
    /// Whether there is such a file, or a folder with files in it.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty()
            || self.paths.contains(path)
            || self
                .paths
                .range(folder.clone()..)
                .next()
                .is_some_and(|next| next.starts_with(&folder))
    }
}

/// Checks every rule and prints what breaks one.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    check_all(arguments.long)
}

/// The same for `cargo xtask test`.
pub fn check() -> anyhow::Result<()> {
    check_all(false)
}

fn check_all(name_long_files: bool) -> anyhow::Result<()> {
    let tree = Tree {
        paths: files(repository())?,
    };
    let mut violations = rules::tree(&tree);
    let mut long = Vec::new();
    for path in &tree.paths {
        // A link's text is its target; what is no text has no rules.
        let file = repository().join(path);
        if file.is_symlink() {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        violations.extend(rules::file(path, &text));
        if Path::new(path)
            .extension()
            .is_some_and(|extension| extension == "md")
        {
            violations.extend(links::check(path, &text, &tree, |path| {
                std::fs::read_to_string(repository().join(path)).ok()
            }));
        }
        long.extend(rules::is_long(path, &text).map(|lines| format!("{path}: {lines} lines")));
    }
    for Violation {
        path,
        line,
        message,
    } in &violations
    {
        match line {
            0 => println!("{path}: {message}"),
            _ => println!("{path}:{line}: {message}"),
        }
    }
    if name_long_files {
        for line in &long {
            println!("note: {line}");
        }
    } else if !long.is_empty() {
        println!(
            "note: {} files are longer than {} lines (--long names them)",
            long.len(),
            rules::LINES_GOOD
        );
    }
    println!(
        "tidy: {} files, {} violations",
        tree.paths.len(),
        violations.len()
    );
    anyhow::ensure!(
        violations.is_empty(),
        "{} rules of the house are broken",
        violations.len()
    );
    Ok(())
}

/// Files that Git tracks, and those that it would: a new file is checked before it is added.
fn files(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("git cannot be run")?;
    anyhow::ensure!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    let there = names
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).symlink_metadata().is_ok());
    Ok(there.map(ToOwned::to_owned).collect())
}
