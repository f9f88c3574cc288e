//! BuildKit as the rest of Hermez sees it: a request goes in, events and a digest come out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hermez_source::SecretString;
use jiff::Timestamp;

use crate::ImagePlan;

/// Where BuildKit is, and where images go.
#[derive(Debug, Clone)]
pub struct BuildKit {
    /// The program `buildctl`.
    pub buildctl: PathBuf,
    /// BuildKit's address, such as `unix:///run/buildkit/buildkitd.sock`.
    pub address: String,
    /// The registry, `host:port`.
    pub registry: String,
    /// Whether the registry speaks plain HTTP.
    pub registry_insecure: bool,
}

/// One image to build.
#[derive(Debug, Clone)]
pub struct ImageBuild {
    /// Folder that holds the commit's whole tree; the plan's paths count from it.
    pub context_dir: PathBuf,
    /// What to build.
    pub plan: ImagePlan,
    /// Where to push: `registry/repository:tag`.
    pub push_as: String,
    /// Labels of the image, such as `org.opencontainers.image.revision`.
    pub labels: BTreeMap<String, String>,
    /// Texts that the log must not show.
    pub masks: Vec<SecretString>,
}

/// What a build made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// `registry/repository@sha256:…`.
    pub reference_by_digest: String,
    /// `sha256:…`.
    pub digest: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It did its work.
    Succeeded,
    /// Its result was there already.
    Cached,
    /// It failed.
    Failed,
    /// The build ended before it did.
    Canceled,
}

/// What happens in a build. Steps count from 1 in the order they begin; each starts once. A step
/// that BuildKit takes up again after its end tells a second end: the later one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step begins.
    StepStarted {
        /// Number of the step.
        step: i32,
        /// What it does, such as `[2/4] RUN make`; at most 500 characters.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// A step has ended.
    StepFinished {
        /// Number of the step.
        step: i32,
        /// How it ended.
        state: StepState,
        /// When.
        at: Timestamp,
        /// Why it failed; at most 1,000 characters.
        error: Option<String>,
    },
    /// A step wrote a line.
    Line {
        /// Number of the step; 0 for Hermez's own words.
        step: i32,
        /// When.
        at: Timestamp,
        /// The line without its end; at most 8 KiB, without control characters other than tabs.
        text: String,
    },
}
