//! What parts and other tasks share: Cargo, the `hermez` binary, web packages, Debian packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use hermez_sandbox::{command, flink_image, packages, paths};
use serde_json::Value;

use crate::repository;

/// Variables that would send tests to the developer's own server or cluster.
const FOREIGN_VARIABLES: [&str; 4] = [
    "HERMEZ_SERVER",
    "HERMEZ_TOKEN",
    "HERMEZ_TOKEN_FILE",
    "HERMEZ_SANDBOX",
];

/// A program in the repository, without the developer's own servers in its environment.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(repository());
    for variable in FOREIGN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Cargo, in the repository.
pub fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// npm, in the UI's folder.
pub fn npm(words: &[&str]) -> Command {
    let mut command = program("npm");
    command.args(words).current_dir(repository().join("web"));
    command
}

/// Runs Cargo with its output on standard error; an error unless it ends well.
pub fn cargo_loudly(words: &[&str]) -> anyhow::Result<()> {
    let status = cargo()
        .args(words)
        .stdout(Stdio::null())
        .status()
        .context("cargo cannot be run")?;
    anyhow::ensure!(
        status.success(),
        "cargo {} ended with {status}",
        words.join(" ")
    );
    Ok(())
}

/// What Cargo knows of the workspace's own packages.
pub fn metadata() -> anyhow::Result<Value> {
    let mut cargo = cargo();
    cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    Ok(serde_json::from_str(&command::output(&mut cargo)?)?)
}

/// Cargo's target folder.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(Path::new(folder).to_owned())
}

/// Builds the `hermez` binary, and says where it is.
pub fn build_hermez() -> anyhow::Result<PathBuf> {
    cargo_loudly(&["build", "--package", "hermez"])?;
    Ok(target_folder()?.join("debug/hermez"))
}

/// Installs the UI's packages, unless those of the lock file are installed.
pub fn install_web_packages() -> anyhow::Result<()> {
    let web = repository().join("web");
    let changed = |path: &str| {
        web.join(path)
            .metadata()
            .and_then(|meta| meta.modified())
            .ok()
    };
    let (wanted, installed) = (
        changed("package-lock.json"),
        changed("node_modules/.package-lock.json"),
    );
    if installed.is_some() && installed >= wanted {
        return Ok(());
    }
    println!("Installing the UI's packages");
    command::output(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    Ok(())
}

/// Installs a Debian package unless `is_there`.
pub fn need_package(package: &str, is_there: impl Fn() -> bool) -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    println!("Installing {package}");
    packages::install(&[package])
        .with_context(|| format!("{package} cannot be installed (it needs root)"))?;
    anyhow::ensure!(
        is_there(),
        "{package} was installed, and is still not found"
    );
    Ok(())
}

/// The browser of the browser tests.
pub fn chromium() -> anyhow::Result<PathBuf> {
    need_package("chromium", || command::exists("chromium"))?;
    Ok(PathBuf::from("/usr/bin/chromium"))
}

/// PostgreSQL's own programs, which the store's tests start a server with.
pub fn postgres() -> anyhow::Result<()> {
    need_package("postgresql", || {
        let versions = std::fs::read_dir("/usr/lib/postgresql");
        versions
            .into_iter()
            .flatten()
            .flatten()
            .any(|version| version.path().join("bin/initdb").exists())
    })
}

/// What the image of Flink is made with, unless this machine has made it already.
pub fn flink_tools() -> anyhow::Result<()> {
    let made = flink_image::key(&repository().join("sandbox"))?.path(&paths::cache_dir()?);
    if !made.exists() {
        for (program, package) in flink_image::TOOLS {
            need_package(package, || command::exists(program))?;
        }
    }
    Ok(())
}
