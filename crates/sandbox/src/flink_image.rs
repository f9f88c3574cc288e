//! An image with a whole Apache Flink in it, which stands in for `flink:1.20`.
//!
//! Made on demand, never by `up`: the distribution comes out of Python packages and
//! its example jobs out of a Maven artifact, which `sandbox/flink` pins by their
//! hashes; Java is Debian's. Made once per machine, published once per registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::base_image;
use crate::cache::{self, Key, Result, at};
use crate::command;
use crate::http::Request;
use crate::status::Status;

/// Names under which the image is found, as after `FROM`.
pub const NAMES: [&str; 2] = ["flink:1.20", "flink:1.20.3"];

/// The archive of Flink's own example jobs, in `/opt/flink/examples/streaming`.
pub const EXAMPLES: &str = "flink-examples-streaming.jar";

/// Debian packages that are in it beside the least that there can be.
const PACKAGES: [&str; 5] = [
    "usr-is-merged",
    "tzdata",
    "ca-certificates",
    "openjdk-17-jre-headless",
    "procps",
];

/// The newest layout of the entry. Raise it when the steps below change.
const RECIPE: u32 = 2;

/// Programs that the image is made with, and the Debian packages that bring them.
pub const TOOLS: [(&str, &str); 2] = [("pip3", "python3-pip"), ("mvn", "maven")];

/// The key of the image's entry in the cache, from the pins in `sandbox/flink`.
///
/// # Errors
/// When the pins cannot be read.
pub fn key(sandbox: &Path) -> Result<Key> {
    Key::of(
        "flink",
        &format!("{RECIPE} {} {PACKAGES:?}", base_image::key()?.name()),
        Some(&sandbox.join("flink")),
    )
}

/// The folder that an image is built from: `Dockerfile`, `rootfs.tar` and
/// `flink`; made if it is not there (a minute or two).
///
/// # Errors
/// When a package cannot be fetched or unpacked.
pub fn get_or_build(sandbox: &Path, cache: &Path) -> Result<PathBuf> {
    let pins = sandbox.join("flink");
    cache::get_or_build(cache, &key(sandbox)?, |dir| {
        base_image::root(dir, &PACKAGES)?;
        distribution(&pins, dir)?;
        examples(&pins.join("examples.txt"), dir)?;
        let dockerfile = dir.join("Dockerfile");
        fs::copy(pins.join("Dockerfile"), &dockerfile).map_err(at(&dockerfile))?;
        Ok(())
    })
}

/// Puts Flink's distribution into `dir/flink`.
fn distribution(pins: &Path, dir: &Path) -> Result<()> {
    let work = dir.join("work");
    let (source, wheel) = (work.join("libraries"), work.join("scripts"));
    let flink = dir.join("flink");
    for folder in [&source, &wheel, &flink] {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    command::output(pip(&pins.join("libraries.txt"), &work).arg("--no-binary=:all:"))?;
    command::output(pip(&pins.join("scripts.txt"), &work).args([
        "--only-binary=:all:",
        "--python-version=3.10",
        "--implementation=cp",
        "--abi=cp310",
        "--platform=manylinux1_x86_64",
    ]))?;
    // Both archives are known by their hashes: what is in them is as it was when they were pinned.
    let fetched = |ending: &str| -> Result<PathBuf> {
        let entries = fs::read_dir(&work).map_err(at(&work))?.flatten();
        let mut names = entries.map(|entry| entry.path());
        let found = names.find(|path| path.to_string_lossy().ends_with(ending));
        found.ok_or_else(|| at(&work)(std::io::Error::other(format!("pip fetched no {ending}"))))
    };
    command::output(
        Command::new("tar")
            .args(["--no-same-owner", "--strip-components=2", "-xzf"])
            .arg(fetched(".tar.gz")?)
            .arg("-C")
            .arg(&flink)
            .args(["--wildcards", "*/deps/*"]),
    )?;
    command::output(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(fetched(".whl")?)
            .arg(&wheel),
    )?;
    let script = "set -eu; cp -r \"$0\"/pyflink/bin \"$0\"/pyflink/conf \"$1\"; mkdir -p \"$1\"/log \"$1\"/usrlib; \
                  chmod -R u=rwX,go=rX \"$1\"; chmod +x \"$1\"/bin/*; rm -rf \"$2\"";
    let mut arrange = Command::new("sh");
    arrange.args(["-c", script]).arg(&wheel).arg(&flink);
    command::output(arrange.arg(&work))?;
    Ok(())
}

/// Puts Flink's own example jobs into `dir/flink/examples`, where the distribution has them.
fn examples(pins: &Path, dir: &Path) -> Result<()> {
    let folder = dir.join("flink/examples/streaming");
    let text = fs::read_to_string(pins).map_err(at(pins))?;
    let wrong = |why: String| at(pins)(std::io::Error::other(why));
    let pinned = text
        .lines()
        .find_map(|line| line.split_once(" --hash=sha256:"));
    let (artifact, hash) =
        pinned.ok_or_else(|| wrong("it pins no artifact by its hash".to_owned()))?;
    command::output(
        Command::new("mvn")
            .args(["--batch-mode", "--quiet", "dependency:copy"])
            .arg(format!("-Dartifact={artifact}"))
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .args(["-Dmdep.stripVersion=true", "-Dmdep.useBaseVersion=true"]),
    )?;
    let jar = folder.join(EXAMPLES);
    let bytes = fs::read(&jar).map_err(at(&jar))?;
    if hex::encode(Sha256::digest(bytes)) == hash {
        Ok(())
    } else {
        Err(wrong(format!(
            "{artifact} has another hash than the pinned one"
        )))
    }
}

fn pip(pins: &Path, into: &Path) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--require-hashes", "--dest"])
        .arg(into)
        .arg("--requirement")
        .arg(pins);
    pip
}

/// Publishes the image in the registry of a running cluster, unless it is there
/// already; returns the name by which its pods and builds find it.
///
/// # Errors
/// When the image cannot be made, or BuildKit or the registry do not answer.
pub fn publish(status: &Status, sandbox: &Path, cache: &Path) -> Result<String> {
    let key = key(sandbox)?;
    let registry = &status.registry;
    let (repository, _) = NAMES[0].split_once(':').unwrap_or((NAMES[0], ""));
    // Under its key as well, so that it is known whether the registry has this very one.
    let own = format!("library/{repository}:{}", key.name());
    let name = format!("{registry}/library/{}", NAMES[0]);
    if is_published(registry, repository, key.name()) {
        return Ok(name);
    }
    let folder = get_or_build(sandbox, cache)?;
    let usual = NAMES
        .iter()
        .map(|name| format!("{registry}/library/{name}"));
    let names: Vec<String> = usual.chain([format!("{registry}/{own}")]).collect();
    command::output(
        Command::new(&status.buildctl)
            .args(["--addr", &status.buildkit, "build"])
            .args(["--frontend=dockerfile.v0", "--progress=plain"])
            .arg(format!("--local=context={}", folder.display()))
            .arg(format!("--local=dockerfile={}", folder.display()))
            .arg(format!(
                // Half a gigabyte goes from one folder of this machine to another: packing it takes longer.
                "--output=type=image,\"name={}\",push=true,registry.insecure=true,compression=uncompressed",
                names.join(",")
            )),
    )?;
    Ok(name)
}

fn is_published(registry: &str, repository: &str, tag: &str) -> bool {
    let path = format!("/v2/library/{repository}/manifests/{tag}");
    let accept = "application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.oci.image.index.v1+json, \
                  application/vnd.docker.distribution.manifest.v2+json";
    let request = Request {
        path: &path,
        headers: &[("Accept", accept)],
        ..Request::default()
    };
    let address = registry.parse();
    address.is_ok_and(|address| {
        request
            .send(address)
            .is_ok_and(|answer| answer.status == 200)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_pins() {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox");
        let real = key(&sandbox).unwrap();
        let other = tempfile::tempdir().unwrap();
        fs::create_dir(other.path().join("flink")).unwrap();
        fs::write(other.path().join("flink/libraries.txt"), "another").unwrap();
        assert_ne!(real, key(other.path()).unwrap());
        assert!(real.name().starts_with("flink-"));
    }

    #[test]
    fn the_names_are_of_the_pinned_version() {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sandbox/flink");
        let (_, version) = NAMES[1].split_once(':').unwrap();
        for file in ["libraries.txt", "scripts.txt"] {
            let pins = fs::read_to_string(sandbox.join(file)).unwrap();
            assert!(
                pins.contains(&format!("=={version} --hash=sha256:")),
                "{file}"
            );
        }
        assert!(version.starts_with(NAMES[0].split_once(':').unwrap().1));
    }
}
