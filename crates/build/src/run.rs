//! Runs `buildctl` for one image: starts it, follows it, ends it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use hermez_source::process::{Captured, Group, read_head, read_tail};
use jiff::Timestamp;
use tokio::io::AsyncRead;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead};
use tokio_util::sync::CancellationToken;

use crate::buildkit::{BuildEvent, BuildKit, BuiltImage, ImageBuild};
use crate::diagnose::{Around, diagnose};
use crate::error::BuildError;
use crate::lines::mask;
use crate::progress::{HOLD, Progress};

/// Longest line of BuildKit's account, in bytes; it tells of a few dozen KiB at a time.
const MAX_STATUS_BYTES: usize = 4 * 1024 * 1024;
/// How much of `buildctl`'s other words is kept, in bytes.
const MAX_WORDS_BYTES: usize = 32 * 1024;
/// Largest Dockerfile that is taken, in bytes.
const MAX_DOCKERFILE_BYTES: u64 = 1024 * 1024;
/// Largest result file that is read, in bytes.
const MAX_METADATA_BYTES: usize = 1024 * 1024;
/// How long the last events may wait for a full channel once the build has been stopped.
const LAST_EVENTS: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

impl BuildKit {
    /// Builds an image and pushes it.
    ///
    /// Tells of it through `events` as it happens; a full channel slows the build down, a closed one
    /// is ignored. When `cancel` fires, the time limit is over, or the future is dropped, `buildctl`
    /// is killed with all that belongs to it, and BuildKit stops the build.
    pub async fn build(
        &self,
        request: ImageBuild,
        events: mpsc::Sender<BuildEvent>,
        cancel: CancellationToken,
    ) -> Result<BuiltImage, BuildError> {
        let places = Places::find(&request).await?;
        let metadata = tempfile::NamedTempFile::new().map_err(|e| io("make a file", &e))?;
        let mut group = Group::spawn(&mut self.command(&request, &places, metadata.path()))
            .map_err(|error| self.no_buildctl(&error))?;
        let limit = Duration::from_millis(request.plan.timeout_ms.max(1));
        let mut progress = Progress::new(request.masks.clone());
        let outcome = tokio::select! {
            words = follow(&mut group, &mut progress, &events) => Outcome::Ended(words?),
            () = cancel.cancelled() => Outcome::Canceled,
            () = tokio::time::sleep(limit) => Outcome::TimedOut,
        };
        if !matches!(outcome, Outcome::Ended(_)) {
            group.kill().await;
        }
        let stopped_in = progress.running().unwrap_or("the beginning").to_owned();
        let last = progress.finish(Timestamp::now());
        // Whoever stopped the build may have stopped listening too.
        let _ = tokio::time::timeout(LAST_EVENTS, send(&events, last)).await;
        match outcome {
            Outcome::Canceled => Err(BuildError::Canceled),
            Outcome::TimedOut => Err(BuildError::TimedOut {
                limit,
                step: stopped_in,
            }),
            Outcome::Ended(End { success: true, .. }) => {
                built(&request.push_as, metadata.path()).await
            }
            Outcome::Ended(End { words, .. }) => {
                let around = Around {
                    address: &self.address,
                    registry: &self.registry,
                    dockerfile: &request.plan.dockerfile,
                };
                let words = mask(words, &request.masks);
                Err(diagnose(&words, progress.failed(), around))
            }
        }
    }

    /// Whether BuildKit answers, within 5 s.
    pub async fn ping(&self) -> Result<(), BuildError> {
        let mut command = self.buildctl();
        command.args(["debug", "workers"]);
        let mut group = Group::spawn(&mut command).map_err(|error| self.no_buildctl(&error))?;
        drop(group.stdin());
        let (stdout, stderr) = (group.stdout(), group.stderr());
        let run = async {
            // What it lists is not wanted, but must go somewhere for it to end well.
            let (_, words) = tokio::try_join!(tail(stdout), tail(stderr))
                .map_err(|e| io("read from buildctl", &e))?;
            let status = group
                .wait()
                .await
                .map_err(|e| io("wait for buildctl", &e))?;
            if status.success() {
                return Ok(());
            }
            let around = Around {
                address: &self.address,
                registry: &self.registry,
                dockerfile: "",
            };
            Err(diagnose(
                &String::from_utf8_lossy(&words.bytes),
                None,
                around,
            ))
        };
        tokio::time::timeout(PING_TIMEOUT, run)
            .await
            .unwrap_or_else(|_| {
                Err(BuildError::BuildKitUnavailable {
                    address: self.address.clone(),
                    message: format!("no answer within {} s", PING_TIMEOUT.as_secs()),
                })
            })
    }

    /// `buildctl` in clean surroundings: build arguments must not take values from the server's.
    fn buildctl(&self) -> Command {
        let mut command = Command::new(&self.buildctl);
        command.env_clear().current_dir("/");
        // The last two hold the credentials for registries.
        for name in ["PATH", "HOME", "DOCKER_CONFIG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.args(["--addr", &self.address]);
        command
    }

    fn command(&self, request: &ImageBuild, places: &Places, metadata: &Path) -> Command {
        let mut command = self.buildctl();
        let local = |name: &str, path: &Path| {
            let mut value = std::ffi::OsString::from(format!("{name}="));
            value.push(path);
            value
        };
        command
            .args(["build", "--progress=rawjson", "--frontend=dockerfile.v0"])
            .arg("--local")
            .arg(local("context", &places.context))
            .arg("--local")
            .arg(local("dockerfile", &places.dockerfile_folder))
            .arg("--metadata-file")
            .arg(metadata);
        let mut opt = |name: &str, value: &str| {
            command.arg("--opt").arg(format!("{name}={value}"));
        };
        opt("filename", &places.dockerfile_name);
        // Set, even to nothing, it keeps BuildKit from fetching and running another frontend that
        // the Dockerfile names in `# syntax=`.
        opt("cmdline", "");
        if let Some(target) = &request.plan.target {
            opt("target", target);
        }
        for (name, value) in &request.plan.args {
            opt(&format!("build-arg:{name}"), value);
        }
        for (name, value) in &request.labels {
            opt(&format!("label:{name}"), value);
        }
        command.arg("--output").arg(format!(
            "type=image,name={},push=true,registry.insecure={},oci-mediatypes=true",
            request.push_as, self.registry_insecure
        ));
        command
    }

    fn no_buildctl(&self, error: &std::io::Error) -> BuildError {
        BuildError::Io {
            action: "run buildctl",
            message: format!("{}: {error}", self.buildctl.display()),
        }
    }
}

/// How following `buildctl` ended.
enum Outcome {
    Ended(End),
    Canceled,
    TimedOut,
}

/// How `buildctl` ended.
struct End {
    success: bool,
    /// Its words that are no account of progress.
    words: String,
}

/// Where the Dockerfile and the context really lie: inside the commit's tree, links followed.
struct Places {
    context: PathBuf,
    dockerfile_folder: PathBuf,
    dockerfile_name: String,
}

impl Places {
    async fn find(request: &ImageBuild) -> Result<Self, BuildError> {
        let plan = &request.plan;
        if !request
            .push_as
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
        {
            return Err(BuildError::Other {
                message: format!("`{}` cannot be pushed to", request.push_as),
            });
        }
        let root = tokio::fs::canonicalize(&request.context_dir)
            .await
            .map_err(|e| io("open the commit's files", &e))?;
        let inside = |path: &str| {
            let path = root.join(path);
            let root = root.clone();
            async move {
                let path = tokio::fs::canonicalize(path).await.ok()?;
                let data = tokio::fs::metadata(&path).await.ok()?;
                path.starts_with(&root).then_some((path, data))
            }
        };
        let context = match inside(&plan.context).await {
            Some((path, data)) if data.is_dir() => path,
            _ => {
                return Err(BuildError::ContextMissing {
                    path: plan.context.clone(),
                });
            }
        };
        let missing = || BuildError::DockerfileMissing {
            path: plan.dockerfile.clone(),
        };
        let (dockerfile, data) = inside(&plan.dockerfile).await.ok_or_else(missing)?;
        if !data.is_file() {
            return Err(missing());
        }
        if data.len() > MAX_DOCKERFILE_BYTES {
            return Err(BuildError::DockerfileInvalid {
                line: None,
                message: format!("it has {} bytes; at most 1 MiB is read", data.len()),
            });
        }
        let name = dockerfile.file_name().and_then(|name| name.to_str());
        Ok(Self {
            context,
            dockerfile_folder: dockerfile.parent().unwrap_or(&root).to_owned(),
            dockerfile_name: name.ok_or_else(missing)?.to_owned(),
        })
    }
}

/// Follows `buildctl` to its end.
async fn follow(
    group: &mut Group,
    progress: &mut Progress,
    events: &mpsc::Sender<BuildEvent>,
) -> Result<End, BuildError> {
    drop(group.stdin());
    // Nothing comes there; closed, it would be an error to write to.
    let _stdout = group.stdout();
    let words = match group.stderr() {
        Some(stream) => read_account(stream, progress, events).await?,
        None => String::new(),
    };
    let status = group
        .wait()
        .await
        .map_err(|e| io("wait for buildctl", &e))?;
    Ok(End {
        success: status.success(),
        words,
    })
}

/// Reads the account of progress and tells of it; gives back the words between.
async fn read_account(
    stream: impl AsyncRead + Unpin,
    progress: &mut Progress,
    events: &mpsc::Sender<BuildEvent>,
) -> Result<String, BuildError> {
    let codec =
        AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), Vec::new(), MAX_STATUS_BYTES);
    let mut lines = FramedRead::new(stream, codec);
    let mut words: Vec<u8> = Vec::new();
    loop {
        let line = match tokio::time::timeout(HOLD, lines.next()).await {
            Err(_quiet) => {
                send(events, progress.idle(Timestamp::now())).await;
                continue;
            }
            Ok(None) => return Ok(String::from_utf8_lossy(&words).into_owned()),
            // Longer than any account: left out.
            Ok(Some(Err(AnyDelimiterCodecError::MaxChunkLengthExceeded))) => continue,
            Ok(Some(Err(AnyDelimiterCodecError::Io(error)))) => {
                return Err(io("read from buildctl", &error));
            }
            Ok(Some(Ok(line))) => line,
        };
        if let Some(told) = progress.take(&line, Timestamp::now()) {
            send(events, told).await;
        } else {
            words.extend_from_slice(&line);
            words.push(b'\n');
            let over = words.len().saturating_sub(MAX_WORDS_BYTES);
            words.drain(..over);
        }
    }
}

/// The end of what a stream holds.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Captured> {
    match stream {
        Some(stream) => read_tail(stream, MAX_WORDS_BYTES).await,
        None => Ok(Captured::default()),
    }
}

async fn send(events: &mpsc::Sender<BuildEvent>, told: Vec<BuildEvent>) {
    for event in told {
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// Reads the digest that `buildctl` wrote down.
async fn built(push_as: &str, metadata: &Path) -> Result<BuiltImage, BuildError> {
    let file = tokio::fs::File::open(metadata)
        .await
        .map_err(|e| io("read the build's result", &e))?;
    let text = read_head(file, MAX_METADATA_BYTES)
        .await
        .map_err(|e| io("read the build's result", &e))?;
    digest_of(&text.bytes)
        .map(|digest| BuiltImage {
            reference_by_digest: format!("{}@{digest}", without_tag(push_as)),
            digest,
        })
        .ok_or_else(|| BuildError::Other {
            message: "BuildKit named no digest for the image".to_owned(),
        })
}

/// The image's digest in the file that `buildctl` writes.
fn digest_of(metadata: &[u8]) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_slice(metadata).ok()?;
    let digest = metadata.get("containerimage.digest")?.as_str()?;
    let digits = digest.strip_prefix("sha256:")?;
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| digest.to_owned())
}

fn without_tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    }
}

fn io(action: &'static str, error: &std::io::Error) -> BuildError {
    BuildError::Io {
        action,
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_read_or_there_is_none() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let text = format!(r#"{{"containerimage.digest":"{digest}","image.name":"x"}}"#);
        assert_eq!(digest_of(text.as_bytes()), Some(digest));
        for bad in ["", "{}", r#"{"containerimage.digest":"sha256:zz"}"#, "[]"] {
            assert_eq!(digest_of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(
            without_tag("127.0.0.1:5000/hermez/web/web:95f6"),
            "127.0.0.1:5000/hermez/web/web"
        );
        assert_eq!(without_tag("127.0.0.1:5000/web"), "127.0.0.1:5000/web");
    }
}
