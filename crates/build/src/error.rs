//! Why a build ended without an image, each with what to do about it.

use std::time::Duration;

/// Why a build ended without an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A step of the Dockerfile failed.
    #[error("`{step}` failed{}: {message}", exit_code.map(|c| format!(" with exit code {c}")).unwrap_or_default())]
    Failed {
        /// The step, such as `[2/3] RUN make`.
        step: String,
        /// Exit code of its command, if it was a command.
        exit_code: Option<i32>,
        /// What went wrong, in a few words.
        message: String,
        /// The last lines that it wrote; at most 20.
        last_lines: Vec<String>,
    },
    /// The base image (or another image that the Dockerfile names) cannot be had.
    #[error("the image `{image}` cannot be pulled: {message}")]
    BaseImage {
        /// The image.
        image: String,
        /// What its registry said.
        message: String,
    },
    /// The Dockerfile cannot be read as one.
    #[error("the Dockerfile is not right{}: {message}", line.map(|l| format!(" in line {l}")).unwrap_or_default())]
    DockerfileInvalid {
        /// Line, from 1, where it is known.
        line: Option<u32>,
        /// What is wrong.
        message: String,
    },
    /// There is no Dockerfile where the plan says.
    #[error("there is no Dockerfile `{path}`")]
    DockerfileMissing {
        /// Its path from the repository's root.
        path: String,
    },
    /// There is no build context where the plan says, or it leaves the repository.
    #[error("there is no folder `{path}` to build from")]
    ContextMissing {
        /// Its path from the repository's root.
        path: String,
    },
    /// It took longer than its limit and was stopped.
    #[error("the build took longer than its limit of {} s and was stopped in `{step}`", limit.as_secs())]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The step that ran then.
        step: String,
    },
    /// Somebody stopped it.
    #[error("the build was canceled")]
    Canceled,
    /// The registry did not take the image.
    #[error("the registry at {registry} does not take the image: {message}")]
    RegistryUnavailable {
        /// The registry.
        registry: String,
        /// What it, or the network, said.
        message: String,
    },
    /// BuildKit does not answer.
    #[error("BuildKit at {address} does not answer: {message}")]
    BuildKitUnavailable {
        /// BuildKit's address.
        address: String,
        /// What the network said.
        message: String,
    },
    /// The server itself failed: `buildctl` missing, disk full.
    #[error("cannot {action}: {message}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        message: String,
    },
    /// BuildKit failed in a way that has no name of its own.
    #[error("the build failed: {message}")]
    Other {
        /// What it said (shortened).
        message: String,
    },
}

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Failed {
                exit_code: Some(137),
                ..
            } => {
                "The command was killed, most often for want of memory: let it use less, or fewer jobs at once"
            }
            Self::Failed {
                exit_code: Some(127),
                ..
            } => {
                "The command was not found: install it in an earlier step of the Dockerfile, or mend its spelling"
            }
            Self::Failed {
                exit_code: Some(_), ..
            } => {
                "Read the step's last lines in the build log; the same step can be run on your machine with `docker build`"
            }
            Self::Failed {
                exit_code: None, ..
            } => {
                "Check that the files which the step names are committed and not left out by .dockerignore; paths count from the build context"
            }
            Self::BaseImage { .. } => {
                "Check the image's name and tag in FROM, and whether the build machine may pull from its registry"
            }
            Self::DockerfileInvalid { .. } => "Mend that line of the Dockerfile and push again",
            Self::DockerfileMissing { .. } => {
                "Commit a Dockerfile next to the config file, or name another in .hermez.yaml under build.images[].dockerfile"
            }
            Self::ContextMissing { .. } => {
                "Name an existing folder inside the repository in .hermez.yaml under build.images[].context"
            }
            Self::TimedOut { .. } => {
                "See in the log what the step waits for; a longer limit goes into .hermez.yaml as build.images[].timeout, such as 40m"
            }
            Self::RegistryUnavailable { .. } => {
                "The registry must be reachable from BuildKit; once it is, build again"
            }
            Self::BuildKitUnavailable { .. } => {
                "Check that buildkitd runs and that the server's --buildkit address is right; then build again"
            }
            Self::Canceled | Self::Io { .. } | Self::Other { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// Whether the same build may well succeed later, with nothing changed by the user.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RegistryUnavailable { .. } | Self::BuildKitUnavailable { .. } | Self::Io { .. }
        )
    }
}
