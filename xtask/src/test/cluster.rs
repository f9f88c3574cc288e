//! The cluster that tests share: one for each checkout, with a data folder of its own, so that it
//! meets neither the developer's cluster nor that of another checkout.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use hermez_sandbox::paths::{self, DATA_DIR_VARIABLE};
use hermez_sandbox::status::{self, Status};
use hermez_sandbox::{cleanup, command};

use super::process::{self, Interruption};
use super::tools;
use crate::repository;

/// The cluster that tests share.
pub struct TestCluster {
    data_dir: PathBuf,
    /// Held until the end: two runs in one checkout do not take each other's cluster down.
    _lock: File,
}

impl TestCluster {
    /// Takes the cluster's name, and away what an earlier run has left under it.
    pub fn prepare() -> anyhow::Result<Self> {
        let data_dir = paths::data_dir_of(&name(repository()))?;
        let lock_path = data_dir.with_extension("lock");
        std::fs::create_dir_all(data_dir.parent().unwrap_or(Path::new("/")))?;
        let lock = File::create(&lock_path).with_context(|| format!("{}", lock_path.display()))?;
        lock.try_lock().with_context(|| {
            format!(
                "another `cargo xtask test` of this checkout runs ({} is locked)",
                lock_path.display()
            )
        })?;
        let cluster = Self {
            data_dir,
            _lock: lock,
        };
        if cluster.data_dir.exists() {
            println!("An earlier run left its cluster; taking it down.");
            cluster.down()?;
        }
        Ok(cluster)
    }

    /// Brings it up, with Hermez and the sample, by the code that `cargo xtask up` is.
    pub fn up(&mut self, interruption: &Interruption) -> anyhow::Result<()> {
        let mut up = self.xtask("up")?;
        process::run(up.arg("--detach"), interruption)
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where its parts are.
    pub fn status(&self) -> anyhow::Result<Status> {
        Ok(status::read(&self.data_dir)?)
    }

    /// Tells a command which cluster its tests use.
    pub fn point<'a>(&self, command: &'a mut Command) -> anyhow::Result<&'a mut Command> {
        Ok(command
            .env(DATA_DIR_VARIABLE, &self.data_dir)
            .env("XDG_CONFIG_HOME", config_home()?))
    }

    /// Takes it down, and checks that nothing of it is left.
    pub fn down(&self) -> anyhow::Result<()> {
        let left = self.stop_and_delete()?;
        anyhow::ensure!(
            left.is_empty(),
            "the cluster has left behind:\n  {}",
            left.join("\n  ")
        );
        println!("Nothing of the cluster is left.");
        Ok(())
    }

    /// Stops it, and deletes its folder unless something still uses it; returns what is left.
    fn stop_and_delete(&self) -> anyhow::Result<Vec<String>> {
        let cgroup = self.status().ok().map(|status| status.cgroup);
        let mut down = self.xtask("down")?;
        // Without an eye on interruptions: one may be why this runs.
        print!("{}", command::output(&mut down)?);
        let mut left = leftovers(Path::new("/proc"), &self.data_dir);
        let cgroups = cgroup
            .map(|name| cleanup::cgroups(&name))
            .unwrap_or_default();
        left.extend(
            cgroups
                .iter()
                .map(|path| format!("cgroup {}", path.display())),
        );
        if left.is_empty() && self.data_dir.exists() {
            std::fs::remove_dir_all(&self.data_dir)
                .with_context(|| format!("{} cannot be deleted", self.data_dir.display()))?;
        }
        Ok(left)
    }

    /// This program with another task, for this cluster.
    fn xtask(&self, task: &str) -> anyhow::Result<Command> {
        let mut command = tools::program(std::env::current_exe()?);
        command
            .arg(task)
            .arg("--data-dir")
            .arg(&self.data_dir)
            .env("XDG_CONFIG_HOME", config_home()?);
        Ok(command)
    }
}

/// The CLI's config file of tests: not the developer's.
fn config_home() -> anyhow::Result<PathBuf> {
    Ok(tools::target_folder()?.join("test-config"))
}

/// A name that every run in this checkout has, and no other checkout on this machine.
fn name(repository: &Path) -> String {
    // FNV-1a: the same in every version of Rust, and enough to tell folders apart.
    let hash = repository
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    format!("test-{hash:08x}")
}

/// Processes and mounts that have to do with a folder.
fn leftovers(proc: &Path, folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) || name == std::process::id().to_string()
        {
            continue;
        }
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let place = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        if command.contains(&*folder) || place.starts_with(&*folder) {
            let shown: String = command.chars().take(200).collect();
            found.push(format!("process {name}: {shown}"));
        }
    }
    let mounts = std::fs::read_to_string(proc.join("self/mountinfo")).unwrap_or_default();
    found.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&*folder))
            .map(|line| format!("mount {line}")),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_have_names_of_their_own() {
        assert_eq!(name(Path::new("/a")), name(Path::new("/a")));
        assert_ne!(name(Path::new("/a")), name(Path::new("/b")));
        assert!(name(Path::new("/a")).len() < 20, "socket paths are short");
    }

    #[test]
    fn processes_and_mounts_of_the_folder_are_found() {
        let proc = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = proc.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("4000001/cmdline", "etcd\0--data-dir\0/data/test-1/etcd\0");
        write("4000002/cmdline", "bash\0");
        write(
            "self/mountinfo",
            "1 2 0:1 / /data/test-1/var rw\n3 4 0:1 / /proc rw\n",
        );
        let found = leftovers(proc.path(), Path::new("/data/test-1"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("process 4000001: etcd") && found[1].starts_with("mount "),
            "{found:?}"
        );
        assert!(leftovers(proc.path(), Path::new("/data/test-2")).is_empty());
    }
}
