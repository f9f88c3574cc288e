//! Debian packages that the cluster is made of. Installs only what is missing,
//! and keeps the packages' own services from starting.

use std::path::Path;
use std::process::Command;

use crate::command;

/// A package and a file that shows that it is there.
const PACKAGES: [(&str, &str); 16] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("containernetworking-plugins", "/usr/lib/cni/ptp"),
    ("docker-registry", "docker-registry"),
    ("nftables", "nft"),
    ("conntrack", "conntrack"),
    ("iproute2", "ip"),
    ("socat", "socat"),
    ("mmdebstrap", "mmdebstrap"),
    ("tini", "tini"),
    ("util-linux", "unshare"),
    ("mount", "mount"),
    ("git", "git"),
    ("prometheus", "prometheus"),
    ("gcc", "gcc"),
    ("libc6-dev", "/usr/include/stdio.h"),
];

/// Packages that are missing on this machine.
pub fn missing() -> Vec<&'static str> {
    PACKAGES
        .iter()
        .filter(|(_, file)| !is_there(file))
        .map(|(package, _)| *package)
        .collect()
}

fn is_there(file: &str) -> bool {
    if file.starts_with('/') {
        Path::new(file).exists()
    } else {
        command::exists(file)
    }
}

/// Installs these packages.
pub fn install(packages: &[&str]) -> Result<(), command::Error> {
    command::output(apt_get().args(["update", "-q"]))?;
    command::output(
        apt_get()
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(packages),
    )?;
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // invoke-rc.d starts no service in run level 1.
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}
