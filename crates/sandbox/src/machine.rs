//! Whether this machine can run the cluster, and what to do where it cannot.

use std::path::Path;
use std::process::Command;

use crate::{command, packages};

/// One thing that is missing, in a sentence that says what would mend it.
pub type Problem = String;

/// What to do on a machine that cannot run the cluster.
pub const ALTERNATIVE: &str = "To use a cluster that you have instead:\n    \
    cargo run --release --package hermez -- server --kubeconfig PATH --registry HOST[:PORT]\n\
    It needs permission to create CustomResourceDefinitions, and a registry that the cluster can pull from.";

/// What keeps this machine from running the cluster; empty when nothing does.
pub fn problems(needs_node: bool) -> Vec<Problem> {
    if !cfg!(target_os = "linux") {
        return vec![
            "The local cluster needs Linux: it runs containers with the kernel's namespaces."
                .to_owned(),
        ];
    }
    if !nix::unistd::geteuid().is_root() {
        return vec![
            "The local cluster needs root: run it with sudo, or in a virtual machine.".to_owned(),
        ];
    }
    let mut problems = Vec::new();
    if !has_cgroups(Path::new("/sys/fs/cgroup")) {
        problems.push(
            "No cgroup hierarchy with a memory controller is mounted on /sys/fs/cgroup; \
             in a container, run it privileged."
                .to_owned(),
        );
    }
    let missing = packages::missing();
    if !missing.is_empty() && !command::exists("apt-get") {
        problems.push(format!(
            "Install these (by their Debian names), there is no apt-get here: {}.",
            missing.join(", ")
        ));
    }
    if command::exists("unshare") {
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--pid",
            "--mount",
            "--net",
            "--fork",
            "--propagation",
            "private",
            "true",
        ]);
        if let Err(error) = command::output(&mut unshare) {
            problems.push(format!(
                "The kernel does not let this process make namespaces: {error}"
            ));
        }
    }
    if !overlay_is_there() {
        problems.push("The kernel has no overlay file system (`modprobe overlay`).".to_owned());
    }
    if !command::exists("go") {
        problems.push(
            "Go 1.26 or later is needed to build Kubernetes and the forge: https://go.dev/dl/"
                .to_owned(),
        );
    }
    if needs_node && !command::exists("npm") {
        problems.push(
            "Node.js 20 or later (with npm) is needed to build the UI: https://nodejs.org/"
                .to_owned(),
        );
    }
    problems
}

fn has_cgroups(root: &Path) -> bool {
    let unified = std::fs::read_to_string(root.join("cgroup.controllers"));
    unified.is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "memory"))
        || root.join("memory").is_dir()
}

fn overlay_is_there() -> bool {
    let known = || {
        std::fs::read_to_string("/proc/filesystems")
            .is_ok_and(|list| list.lines().any(|line| line.ends_with("overlay")))
    };
    known() || (command::output(Command::new("modprobe").arg("overlay")).is_ok() && known())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn both_kinds_of_cgroups_will_do() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!has_cgroups(dir.path()));
        fs::write(dir.path().join("cgroup.controllers"), "cpu io\n").unwrap();
        assert!(!has_cgroups(dir.path()));
        fs::write(dir.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        assert!(has_cgroups(dir.path()));
        fs::remove_file(dir.path().join("cgroup.controllers")).unwrap();
        fs::create_dir(dir.path().join("memory")).unwrap();
        assert!(has_cgroups(dir.path()));
    }
}
