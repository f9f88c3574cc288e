//! `cargo xtask codegen`: the files that are generated from the code and committed.
//!
//! The `hermez` binary generates them (`hermez generate …`), so that `cargo xtask` itself stays
//! quick to build. They are made in a folder of their own and then compared or moved into place:
//! a failed run leaves the repository as it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use clap::Args;
use hermez_sandbox::command;

use crate::repository;
use crate::test::tools;

/// What `codegen` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Write nothing; fail when a committed file is not what the code says
    #[arg(long)]
    check: bool,
}

/// A generated file or folder of files: where it is made, and where it belongs.
struct Generated {
    made: PathBuf,
    /// From the repository's root.
    belongs: &'static str,
}

/// Writes the files, or checks them.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    check_or_write(arguments.check)
}

/// The same for `cargo xtask test`.
pub fn check_or_write(check: bool) -> anyhow::Result<()> {
    let scratch = scratch_folder()?;
    let outcome = generate(&scratch).and_then(|generated| {
        if check {
            compare(&generated)
        } else {
            generated.iter().try_for_each(write)
        }
    });
    let _ = std::fs::remove_dir_all(&scratch);
    outcome
}

fn scratch_folder() -> anyhow::Result<PathBuf> {
    let folder = tools::target_folder()?.join(format!("codegen-{}", std::process::id()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

fn generate(scratch: &Path) -> anyhow::Result<Vec<Generated>> {
    let hermez = tools::build_hermez()?;
    for what in ["crds", "openapi", "rbac", "cli"] {
        command::output(
            Command::new(&hermez)
                .args(["generate", what])
                .arg(scratch.join(what)),
        )?;
    }
    let mut generated = vec![
        Generated {
            made: scratch.join("crds"),
            belongs: "deploy/crds",
        },
        Generated {
            made: scratch.join("openapi/openapi.json"),
            belongs: "deploy/openapi.json",
        },
        Generated {
            made: scratch.join("rbac/rbac.yaml"),
            belongs: "deploy/rbac.yaml",
        },
        Generated {
            made: scratch.join("cli/cli.md"),
            belongs: "docs/cli.md",
        },
    ];
    let web = repository().join("web");
    if web.join("package.json").exists() {
        tools::install_web_packages()?;
        let types = scratch.join("schema.d.ts");
        // What `npm run codegen` does, with the document and the types elsewhere.
        let mut typescript = Command::new("npx");
        typescript
            .args(["--no-install", "openapi-typescript"])
            .arg(scratch.join("openapi/openapi.json"));
        command::output(typescript.arg("-o").arg(&types).current_dir(&web))?;
        generated.push(Generated {
            made: types,
            belongs: "web/src/api/schema.d.ts",
        });
    }
    Ok(generated)
}

fn write(generated: &Generated) -> anyhow::Result<()> {
    let Generated { made, belongs } = generated;
    for drift in differences(made, &repository().join(belongs))? {
        let to = repository().join(belongs).join(&drift.name);
        // Joining with the empty name of a single file adds a slash.
        let to = if drift.name.is_empty() {
            repository().join(belongs)
        } else {
            to
        };
        if let Some(text) = drift.made {
            std::fs::create_dir_all(to.parent().unwrap_or(repository()))?;
            std::fs::write(&to, text)?;
            println!("wrote {}", shown(belongs, &drift.name));
        } else {
            std::fs::remove_file(&to)?;
            println!("removed {}", shown(belongs, &drift.name));
        }
    }
    Ok(())
}

fn compare(generated: &[Generated]) -> anyhow::Result<()> {
    let mut drifted = Vec::new();
    for Generated { made, belongs } in generated {
        for drift in differences(made, &repository().join(belongs))? {
            let what = if drift.made.is_some() {
                "is not what the code says"
            } else {
                "is generated no longer"
            };
            drifted.push(format!("{} {what}", shown(belongs, &drift.name)));
        }
    }
    println!(
        "codegen: {} places checked, {} files drifted",
        generated.len(),
        drifted.len()
    );
    anyhow::ensure!(
        drifted.is_empty(),
        "generated files have drifted; `cargo xtask codegen` mends them:\n  {}",
        drifted.join("\n  ")
    );
    Ok(())
}

fn shown(belongs: &str, name: &str) -> String {
    if name.is_empty() {
        belongs.to_owned()
    } else {
        format!("{belongs}/{name}")
    }
}

/// A file that is not as it was made.
struct Drift {
    /// Its name in the folder; empty when what is compared is one file.
    name: String,
    /// What it should hold; none when it should not be there.
    made: Option<Vec<u8>>,
}

/// Compares a file with a file, or a folder of files with a folder of files.
fn differences(made: &Path, belongs: &Path) -> anyhow::Result<Vec<Drift>> {
    let read = |path: &Path| std::fs::read(path).ok();
    if made.is_file() {
        let new = read(made);
        let differs = new != read(belongs);
        return Ok(if differs {
            vec![Drift {
                name: String::new(),
                made: new,
            }]
        } else {
            Vec::new()
        });
    }
    let mut names = names_in(made)?;
    if belongs.is_dir() {
        names.extend(names_in(belongs)?);
    }
    let differs = |name: &String| read(&made.join(name)) != read(&belongs.join(name));
    Ok(names
        .into_iter()
        .filter(differs)
        .map(|name| Drift {
            made: read(&made.join(&name)),
            name,
        })
        .collect())
}

fn names_in(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    Ok(entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_new_and_stale_files_differ() {
        let folder = tempfile::tempdir().unwrap();
        let (made, belongs) = (folder.path().join("made"), folder.path().join("belongs"));
        for (path, text) in [
            ("made/same", "1"),
            ("made/new", "2"),
            ("made/changed", "3"),
            ("belongs/same", "1"),
            ("belongs/changed", "x"),
            ("belongs/stale", "4"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let drifts: Vec<(String, bool)> = differences(&made, &belongs)
            .unwrap()
            .into_iter()
            .map(|drift| (drift.name, drift.made.is_some()))
            .collect();
        assert_eq!(
            drifts,
            [
                ("changed".to_owned(), true),
                ("new".to_owned(), true),
                ("stale".to_owned(), false)
            ]
        );
        assert!(
            differences(&made.join("same"), &belongs.join("same"))
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            differences(&made.join("same"), &belongs.join("nowhere"))
                .unwrap()
                .len(),
            1
        );
    }
}
