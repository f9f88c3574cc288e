//! Building what a cluster is made of: the components and the base image, once
//! for each machine; the supervisor, the UI and Hermez, at each `up`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context;
use hermez_sandbox::components::{Module, Tools};
use hermez_sandbox::{base_image, command, packages, paths};

use crate::progress::Progress;
use crate::repository;
use crate::test::tools;

/// Installs the Debian packages that are missing.
pub fn install_packages(progress: &Progress) -> anyhow::Result<()> {
    let missing = packages::missing();
    if missing.is_empty() {
        return Ok(());
    }
    progress.during(format!("Installing {}", missing.join(", ")), || {
        Ok(packages::install(&missing)?)
    })
}

/// Builds what is not built yet, and says where everything is. The second is
/// the supervisor.
pub fn all(progress: &Progress, with_hermez: bool) -> anyhow::Result<(Tools, PathBuf)> {
    let cache = paths::cache_dir()?;
    let (built, base_image) = std::thread::scope(|scope| {
        // The image mostly waits for the network: beside the compilers.
        let base_image = scope.spawn(|| base_image(progress, &cache));
        let built = components(progress, &cache);
        (built, base_image.join())
    });
    let base_image = base_image.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let [kubernetes, gitea, buildkit, coredns, pause]: [PathBuf; 5] = built?
        .try_into()
        .map_err(|_| anyhow::anyhow!("a module is missing"))?;
    let target = programs(progress, with_hermez)?;
    let tools = Tools {
        kubectl: kubernetes.join("kubectl"),
        kubernetes: kubernetes.join("kubernetes"),
        coredns: coredns.join("coredns"),
        buildkitd: buildkit.join("buildkitd"),
        buildctl: buildkit.join("buildctl"),
        gitea,
        pause_image: pause.join("pause-image.tar"),
        base_image,
        hermez: with_hermez.then(|| target.join("hermez")),
    };
    Ok((tools, target.join("hermez-sandbox")))
}

/// The Go components, in the order of [`Module::ALL`]. One after the other:
/// each uses every core, and the next finds much of what it needs in Go's own
/// cache.
fn components(progress: &Progress, cache: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let sandbox = repository().join("sandbox");
    let build = |module: &Module| {
        let get = || Ok(module.get_or_build(&sandbox, cache)?);
        if module.key(&sandbox)?.is_cached(cache) {
            return get();
        }
        progress.during(format!("Building {} from source", module.name()), get)
    };
    Module::ALL.iter().map(build).collect()
}

fn base_image(progress: &Progress, cache: &Path) -> anyhow::Result<PathBuf> {
    let get = || Ok(base_image::get_or_build(cache)?);
    if base_image::key()?.is_cached(cache) {
        return get();
    }
    progress.during("Making the Debian base image", get)
}

/// Whether the built UI is as new as all that it is built from.
fn is_built(web: &Path) -> bool {
    let built = std::fs::metadata(web.join("dist/index.html")).and_then(|built| built.modified());
    built.is_ok_and(|built| newest(web).is_some_and(|newest| newest <= built))
}

/// When the newest file below a folder was written, beside what is installed and built there.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let kind = entry.file_type().ok()?;
        let made = ["node_modules", "dist"]
            .iter()
            .any(|made| entry.file_name() == *made);
        match (kind.is_dir(), made) {
            (_, true) => None,
            (true, false) => newest(&entry.path()),
            (false, false) => entry.metadata().and_then(|file| file.modified()).ok(),
        }
    });
    times.max()
}

/// The UI, Hermez and the supervisor; returns the folder of the binaries.
pub fn programs(progress: &Progress, with_hermez: bool) -> anyhow::Result<PathBuf> {
    let web = repository().join("web");
    if with_hermez && web.join("package.json").exists() {
        // Before Hermez, which carries it inside; and only when it changed, since Hermez is then
        // compiled anew.
        if !is_built(&web) {
            progress.during("Building the UI", || {
                tools::install_web_packages()?;
                command::output(&mut tools::npm(&["run", "build"]))?;
                Ok(())
            })?;
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = |package: &str| {
        let mut build = Command::new(&cargo);
        Ok(command::output(build.current_dir(repository()).args([
            "build",
            "--package",
            package,
        ]))?)
    };
    progress.during("Building the supervisor", || build("hermez-sandbox"))?;
    if with_hermez {
        progress.during("Building Hermez", || build("hermez"))?;
    }
    let mut metadata = Command::new(&cargo);
    metadata
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository());
    let metadata: serde_json::Value = serde_json::from_str(&command::output(&mut metadata)?)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(Path::new(target).join("debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ui_is_built_again_only_when_something_of_it_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let web = folder.path();
        let at = |path: &str, seconds: u64| {
            let path = web.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            let file = std::fs::File::create(path).expect("created");
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).expect("set");
        };
        at("src/pages/page.tsx", 10);
        assert!(!is_built(web), "never built");
        at("dist/index.html", 20);
        at("node_modules/react/index.js", 30);
        assert!(is_built(web));
        at("src/pages/page.tsx", 21);
        assert!(!is_built(web));
    }
}
