//! Removing what a cluster's end can leave on the machine. The kernel has
//! removed processes, mounts, network namespaces and addresses with the
//! cluster's namespaces; cgroups belong to no namespace and are removed here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

const CGROUPS: &str = "/sys/fs/cgroup";

/// A cgroup could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be removed: {source}")]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// Removes the cgroup with this name from every hierarchy. Waits up to
/// `patience` for processes that are still on their way out.
pub fn remove_cgroups(name: &str, patience: Duration) -> Result<(), Error> {
    let deadline = Instant::now() + patience;
    for path in cgroups(name) {
        loop {
            match remove_tree(&path) {
                Ok(()) => break,
                Err(source) if Instant::now() >= deadline => return Err(Error { path, source }),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    Ok(())
}

/// The folders of the cgroup with this name: one in each hierarchy of version
/// 1, or one at the top of version 2.
pub fn cgroups(name: &str) -> Vec<PathBuf> {
    hierarchies(Path::new(CGROUPS))
        .into_iter()
        .map(|root| root.join(name))
        .filter(|path| path.is_dir())
        .collect()
}

/// The roots of the cgroup hierarchies.
pub fn hierarchies(root: &Path) -> Vec<PathBuf> {
    if root.join("cgroup.controllers").exists() {
        return vec![root.to_owned()];
    }
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    let mut roots: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        // `cpu` and the like may be links to `cpu,cpuacct`.
        .filter(|path| path.is_dir() && !path.is_symlink() && path.join("cgroup.procs").exists())
        .collect();
    roots.sort();
    roots
}

fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["memory", "cpu,cpuacct", "not-one"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for name in ["memory", "cpu,cpuacct"] {
            fs::write(dir.path().join(name).join("cgroup.procs"), "").unwrap();
        }
        std::os::unix::fs::symlink("cpu,cpuacct", dir.path().join("cpu")).unwrap();
        assert_eq!(
            hierarchies(dir.path()),
            [dir.path().join("cpu,cpuacct"), dir.path().join("memory")]
        );
        fs::write(dir.path().join("cgroup.controllers"), "").unwrap();
        assert_eq!(hierarchies(dir.path()), [dir.path()]);
    }

    #[test]
    fn a_tree_goes_from_its_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        remove_tree(&top).unwrap();
        assert!(!top.exists());
    }
}
