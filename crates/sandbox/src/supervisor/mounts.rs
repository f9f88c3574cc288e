//! The cluster's view of the file system and its cgroups. Everything mounted
//! here is private to the supervisor's mount namespace and goes with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::host_pids::HostPids;
use super::{Context, Error, forge};
use crate::cleanup;

/// Holds sockets and what unprivileged components must reach.
pub(crate) const RUN: &str = "/run/hermez";
/// The forge's data, under a path that its user can enter.
pub(crate) const FORGE_DATA: &str = "/run/hermez/forge";
/// The forge's program and static files, likewise.
pub(crate) const FORGE_TOOLS: &str = "/run/hermez/forge-tools";

/// Where Kubernetes' own host-path provisioner makes volumes; it knows no other place.
const VOLUMES: &str = "/tmp/hostpath_pv";

/// Paths of the whole machine that containerd, CNI, kubelet and `ip netns`
/// insist on: empty in here.
const OWN: [&str; 4] = [
    "/run/netns",
    "/run/containerd",
    "/var/lib/cni",
    "/var/log/containers",
];

/// Settings of the kernel that kubelet would change for the whole machine,
/// with the values that it wants to see. It finds them in files of ours.
const SHIELDED: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Mounts everything, and keeps the machine's own view of its processes.
pub(super) fn prepare(context: &Context) -> Result<HostPids, Error> {
    let none: Option<&str> = None;
    let flags = |what: &Path, flags| mount(none, what, none, flags, none).map_err(failed(what));
    tmpfs(Path::new(RUN), "mode=755")?;
    let host_proc = Path::new(RUN).join("host-proc");
    bind(Path::new("/proc"), &host_proc)?;
    let host_pids = HostPids::new(host_proc)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)
        .map_err(failed(Path::new("/proc")))?;
    for path in OWN {
        tmpfs(Path::new(path), "mode=755")?;
    }
    private_dir(&context.layout.var("kubelet"))?;
    bind(
        &context.layout.var("kubelet"),
        Path::new("/var/lib/kubelet"),
    )?;
    private_dir(&context.layout.var("volumes"))?;
    bind(&context.layout.var("volumes"), Path::new(VOLUMES))?;
    private_dir(&context.layout.var("forge"))?;
    bind(&context.layout.var("forge"), Path::new(FORGE_DATA))?;
    nix::unistd::chown(FORGE_DATA, Some(forge::USER_ID), Some(forge::GROUP_ID))
        .map_err(failed(Path::new(FORGE_DATA)))?;
    bind(&context.tools.gitea, Path::new(FORGE_TOOLS))?;
    for (name, value) in SHIELDED {
        shield(name, value)?;
    }
    // Pods may ask for mounts that follow the node's (HostToContainer). Shared
    // from here on: nothing of it goes back to the machine.
    flags(Path::new("/"), MsFlags::MS_REC | MsFlags::MS_SHARED)?;
    Ok(host_pids)
}

fn failed(path: &Path) -> impl FnOnce(nix::Error) -> Error {
    let what = format!("mount {}", path.display());
    move |errno| Error::Io {
        what,
        source: errno.into(),
    }
}

fn tmpfs(path: &Path, options: &str) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io(path.display().to_string()))?;
    mount(
        Some("tmpfs"),
        path,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(failed(path))
}

fn bind(from: &Path, to: &Path) -> Result<(), Error> {
    let none: Option<&str> = None;
    if !to.exists() {
        fs::create_dir_all(to).map_err(Error::io(to.display().to_string()))?;
    }
    mount(Some(from), to, none, MsFlags::MS_BIND, none).map_err(failed(to))
}

fn private_dir(path: &Path) -> Result<(), Error> {
    let what = || Error::io(path.display().to_string());
    fs::create_dir_all(path).map_err(what())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(what())
}

fn shield(name: &str, value: &str) -> Result<(), Error> {
    let setting = Path::new("/proc/sys").join(name);
    if !setting.exists() {
        return Ok(());
    }
    let own = Path::new(RUN).join(name.replace('/', "-"));
    fs::write(&own, format!("{value}\n")).map_err(Error::io(own.display().to_string()))?;
    bind(&own, &setting)
}

/// Makes the cluster's cgroup in every hierarchy, able to hold children with
/// limits of their own.
pub(super) fn make_cgroups(name: &str) -> Result<(), Error> {
    for root in cleanup::hierarchies(Path::new("/sys/fs/cgroup")) {
        let path = root.join(name);
        let what = |path: &Path| Error::io(path.display().to_string());
        fs::create_dir_all(&path).map_err(what(&path))?;
        // Version 1: a new cpuset is empty, and nothing can run in it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = path.join(file);
            if own.exists()
                && root.join(file).exists()
                && root.join("cgroup.controllers").metadata().is_err()
            {
                let value = fs::read_to_string(root.join(file)).map_err(what(&own))?;
                fs::write(&own, value.trim()).map_err(what(&own))?;
            }
        }
        // Version 2: children get the controllers that their parent hands on.
        if let Ok(controllers) = fs::read_to_string(root.join("cgroup.controllers")) {
            let wanted: Vec<String> = controllers
                .split_whitespace()
                .map(|name| format!("+{name}"))
                .collect();
            for dir in [&root, &path] {
                let file = dir.join("cgroup.subtree_control");
                for controller in &wanted {
                    // Not every controller can be handed on; kubelet says which it misses.
                    let _ = fs::write(&file, controller);
                }
            }
        }
    }
    Ok(())
}
