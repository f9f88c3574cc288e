//! Building the Go components from the modules in `sandbox/`, whose `go.mod`
//! and `go.sum` pin them. Owns how each is built and where its files are.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache::{self, Error, Key, Result, at};
use crate::command;

/// The version that the Kubernetes components report; that of
/// `sandbox/kubernetes/go.mod`.
const KUBERNETES_VERSION: &str = "v1.34.4";

/// The image of the container that holds a pod's namespaces.
pub const PAUSE_IMAGE: &str = "hermez.local/pause:1";

/// Where the tools of a cluster are. Written for the supervisor by whoever
/// starts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Every part of Kubernetes; the first argument picks one.
    pub kubernetes: PathBuf,
    /// The same file under a name that makes it `kubectl`.
    pub kubectl: PathBuf,
    /// Cluster DNS.
    pub coredns: PathBuf,
    /// The image builder's daemon.
    pub buildkitd: PathBuf,
    /// The image builder's client.
    pub buildctl: PathBuf,
    /// A folder with the forge's program, `gitea`, and its `static` files.
    pub gitea: PathBuf,
    /// The archive of [`PAUSE_IMAGE`].
    pub pause_image: PathBuf,
    /// The folder of the Debian root, from [`crate::base_image`].
    pub base_image: PathBuf,
    /// Hermez itself; `None` for a cluster alone.
    pub hermez: Option<PathBuf>,
}

/// One module of `sandbox/`, which becomes one entry of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// etcd, the control plane, the node's agents and kubectl.
    Kubernetes,
    /// Cluster DNS.
    CoreDns,
    /// The image builder.
    BuildKit,
    /// The forge.
    Gitea,
    /// The container that holds a pod's namespaces.
    Pause,
    /// Nodes and pods that are only played, for tests of size; not part of a cluster by itself.
    Kwok,
}

impl Module {
    /// Every module of a cluster, the longest build first.
    pub const ALL: [Self; 5] = [
        Self::Kubernetes,
        Self::Gitea,
        Self::BuildKit,
        Self::CoreDns,
        Self::Pause,
    ];

    /// Its folder in `sandbox/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::CoreDns => "coredns",
            Self::BuildKit => "buildkit",
            Self::Gitea => "gitea",
            Self::Pause => "pause",
            Self::Kwok => "kwok",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Kubernetes | Self::Pause => &["."],
            Self::CoreDns => &["github.com/coredns/coredns"],
            Self::BuildKit => &[
                "github.com/moby/buildkit/cmd/buildkitd",
                "github.com/moby/buildkit/cmd/buildctl",
            ],
            Self::Gitea => &["code.gitea.io/gitea"],
            Self::Kwok => &["sigs.k8s.io/kwok/cmd/kwok"],
        }
    }

    fn linker_flags(self) -> String {
        match self {
            Self::Kubernetes => {
                let package = "k8s.io/component-base/version";
                let mut numbers = KUBERNETES_VERSION.trim_start_matches('v').split('.');
                let (major, minor) = (
                    numbers.next().unwrap_or_default(),
                    numbers.next().unwrap_or_default(),
                );
                format!(
                    "-s -w -X {package}.gitVersion={KUBERNETES_VERSION} \
                     -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
                )
            }
            _ => "-s -w".to_owned(),
        }
    }

    fn tags(self) -> &'static str {
        match self {
            Self::Gitea => "sqlite sqlite_unlock_notify",
            _ => "",
        }
    }

    /// Gitea's SQLite is C; everything else is static.
    fn uses_c(self) -> bool {
        self == Self::Gitea
    }

    /// The key of its entry in the cache, from the sources in `sandbox`.
    pub fn key(self, sandbox: &Path) -> Result<Key> {
        // Raise the number when the steps after `go build` change.
        let recipe = format!(
            "4 {:?} {} {} {}",
            self.packages(),
            self.linker_flags(),
            self.tags(),
            std::env::consts::ARCH
        );
        Key::of(self.name(), &recipe, Some(&sandbox.join(self.name())))
    }

    /// Its entry in the cache, built if it is not there.
    pub fn get_or_build(self, sandbox: &Path, cache: &Path) -> Result<PathBuf> {
        let sources = sandbox.join(self.name());
        cache::get_or_build(cache, &self.key(sandbox)?, |dir| {
            self.go(&sources)
                .args([
                    "build",
                    "-trimpath",
                    "-tags",
                    self.tags(),
                    "-ldflags",
                    &self.linker_flags(),
                    "-o",
                ])
                .arg(dir.join("")) // with a slash at its end, it is a folder to `go build`
                .args(self.packages())
                .run()?;
            match self {
                Self::Kubernetes => symlink("kubernetes", &dir.join("kubectl")),
                Self::Gitea => self.copy_static_files(&sources, dir),
                Self::Pause => write_image_archive(dir),
                Self::CoreDns | Self::BuildKit | Self::Kwok => Ok(()),
            }
        })
    }

    fn go(self, sources: &Path) -> Go {
        let mut command = Command::new("go");
        command
            .current_dir(sources)
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", if self.uses_c() { "1" } else { "0" });
        Go(command)
    }

    /// Gitea's templates, translations and public files, which are in its module.
    fn copy_static_files(self, sources: &Path, dir: &Path) -> Result<()> {
        let module = self
            .go(sources)
            .args(["list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"])
            .run()?;
        let to = dir.join("static");
        fs::create_dir(&to).map_err(at(&to))?;
        for name in ["templates", "options", "public"] {
            // The module cache is read-only and so would be the copy, for `rm` too.
            let from = Path::new(module.trim()).join(name);
            command::output(
                Command::new("cp")
                    .args(["-r", "--no-preserve=mode"])
                    .arg(from)
                    .arg(&to),
            )?;
        }
        // What Gitea's own build would have put there: its style, for which we
        // have a plain one, and a list of its scripts, of which there are none.
        let assets = to.join("public/assets");
        let style = assets.join("css/index.css");
        for dir in [assets.join("css"), assets.join(".vite")] {
            fs::create_dir_all(&dir).map_err(at(&dir))?;
        }
        fs::copy(sources.join("index.css"), &style).map_err(at(&style))?;
        let scripts = assets.join(".vite/manifest.json");
        fs::write(&scripts, "{}").map_err(at(&scripts))
    }
}

struct Go(Command);

impl Go {
    fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }

    fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    fn run(mut self) -> Result<String> {
        Ok(command::output(&mut self.0)?)
    }
}

fn symlink(target: &str, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, link).map_err(at(link))
}

/// Packs `pause` as an image archive that `ctr images import` reads.
fn write_image_archive(dir: &Path) -> Result<()> {
    let tar = |archive: &str, files: &[&str]| {
        let mut command = Command::new("tar");
        command.args([
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "-cf",
        ]);
        command::output(
            command
                .arg(dir.join(archive))
                .arg("-C")
                .arg(dir)
                .args(files),
        )
        .map_err(Error::from)
    };
    tar("layer.tar", &["pause"])?;
    let layer = dir.join("layer.tar");
    let digest = hex::encode(Sha256::digest(fs::read(&layer).map_err(at(&layer))?));
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let config = serde_json::json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": ["/pause"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"] }]);
    for (name, json) in [("config.json", config), ("manifest.json", manifest)] {
        fs::write(dir.join(name), json.to_string()).map_err(at(&dir.join(name)))?;
    }
    tar(
        "pause-image.tar",
        &["config.json", "layer.tar", "manifest.json"],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reported_version_is_the_pinned_one() {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let pins = fs::read_to_string(sandbox.join("kubernetes/go.mod")).unwrap();
        assert!(pins.contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION}")));
    }

    #[test]
    fn every_module_has_its_sums() {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        for module in Module::ALL
            .into_iter()
            .chain([Module::Kwok])
            .filter(|module| *module != Module::Pause)
        {
            assert!(
                sandbox.join(module.name()).join("go.sum").is_file(),
                "{module:?}"
            );
            module.key(&sandbox).unwrap();
        }
    }
}
