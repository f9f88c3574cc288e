//! The Debian root that stands in for `debian:bookworm-slim`, made with
//! `mmdebstrap` from the machine's own package sources, of which nothing stays
//! in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{self, Key, Result, at};
use crate::command;

/// Names under which the image is found, as after `FROM`.
pub const NAMES: [&str; 5] = [
    "debian:bookworm-slim",
    "debian:bookworm",
    "debian:12-slim",
    "debian:12",
    "debian:stable-slim",
];

/// What is done inside the root at the end. It is part of the cache's key.
const CUSTOMIZE: &str = r#"set -eu
root="$1"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
    "$root"/var/lib/dpkg/*-old "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/* \
    "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/tmp/* "$root"/run/* \
    "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/auth.conf.d/* \
    "$root"/etc/resolv.conf "$root"/etc/hostname "$root"/etc/machine-id
mkdir -p "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial
cat > "$root"/etc/apt/sources.list <<SOURCES
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
SOURCES
"#;

/// The key of the image's entry in the cache.
pub fn key() -> Result<Key> {
    Key::of(
        "debian-bookworm",
        &format!("3 {CUSTOMIZE} {}", std::env::consts::ARCH),
        None,
    )
}

/// The folder that holds `rootfs.tar` and a `Dockerfile` that makes an image
/// of it; built if it is not there.
pub fn get_or_build(cache: &Path) -> Result<PathBuf> {
    cache::get_or_build(cache, &key()?, |dir| {
        root(dir, &["usr-is-merged", "tzdata"])?;
        let dockerfile = dir.join("Dockerfile");
        fs::write(
            &dockerfile,
            "FROM scratch\nADD rootfs.tar /\nCMD [\"bash\"]\n",
        )
        .map_err(at(&dockerfile))
    })
}

/// Writes `rootfs.tar` into a folder: a Debian root with these packages beside
/// the least that there can be.
pub(crate) fn root(dir: &Path, packages: &[&str]) -> Result<()> {
    let work = dir.join("work");
    fs::create_dir(&work).map_err(at(&work))?;
    let hook = work.join("customize");
    fs::write(&hook, CUSTOMIZE).map_err(at(&hook))?;
    // mmdebstrap does not read the machine's settings (a proxy, say).
    let settings = work.join("apt.conf");
    let dump = command::output(Command::new("apt-config").arg("dump"))?;
    let acquire: String = dump
        .lines()
        .filter(|line| line.starts_with("Acquire::"))
        .fold(String::new(), |text, line| text + line + "\n");
    fs::write(&settings, acquire).map_err(at(&settings))?;
    let mut build = Command::new("mmdebstrap");
    build
        .args(["--variant=minbase", "--mode=root", "--quiet"])
        .arg(format!("--include={}", packages.join(",")))
        // Merged from the start: the package that merges later brings all of Perl.
        .arg("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr")
        .arg(format!("--aptopt={}", settings.display()))
        .arg("--dpkgopt=path-exclude=/usr/share/man/*")
        .arg("--dpkgopt=path-exclude=/usr/share/doc/*")
        // Java's package makes links there, and does not make the folder.
        .arg("--essential-hook=mkdir -p \"$1\"/usr/share/man/man1")
        .arg(format!("--customize-hook=sh {} \"$1\"", hook.display()))
        .arg("bookworm")
        .arg(dir.join("rootfs.tar"))
        .args(sources());
    command::output(&mut build)?;
    fs::remove_dir_all(&work).map_err(at(&work))
}

/// The machine's package sources, if they are Debian 12's; else mmdebstrap's
/// own, which are Debian's mirrors.
fn sources() -> Vec<PathBuf> {
    [
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/sources.list",
    ]
    .into_iter()
    .map(PathBuf::from)
    .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("bookworm")))
    .collect()
}
