//! Why a request cannot be met.

use hermez_access::KeyError;
use hermez_api::Place;
use hermez_build::{ConfigProblem, PlanError};
use hermez_cluster::ClusterError;
use hermez_kinds::ConfigError;
use hermez_source::forge::ForgeError;
use hermez_source::pick::{ConflictFile, PickError};
use hermez_source::{CommitId, RepositoryUrlError, SourceError};
use hermez_store::StoreError;

use crate::policy::Held;
use crate::policy::window::WindowError;
use crate::rollback::CannotRollBack;

/// An error of [`crate::Road`].
#[derive(Debug, thiserror::Error)]
pub enum RoadError {
    /// There is no such workload, build or deploy, or it exists already.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository's password cannot be sealed or opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The text is not the address of a repository.
    #[error(transparent)]
    Url(#[from] RepositoryUrlError),
    /// The repository, the revision or a file cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The config file is not right.
    #[error("the config file is not right: {0}")]
    Config(Box<ConfigError>),
    /// The `.hermez.yaml` is not right.
    #[error("{file} is not right: {problem}")]
    HermezYaml {
        /// Its path from the repository's root.
        file: String,
        /// What is wrong.
        problem: ConfigProblem,
    },
    /// Config file, Dockerfile and `.hermez.yaml` do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The cluster cannot be asked, or refused.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The config file at a commit is of another workload.
    #[error(
        "the config file at this commit says {field} `{found}`; this workload's is `{expected}`"
    )]
    AnotherWorkload {
        /// `metadata.name`, `metadata.namespace` or `kind`.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What the workload was created with.
        expected: String,
    },
    /// A rule holds the deploy back.
    #[error("{0}")]
    Held(Held),
    /// Commits cannot be put on what runs.
    #[error(transparent)]
    Pick(#[from] PickError),
    /// Commits cannot be taken back.
    #[error("they cannot be taken back by themselves: {0}")]
    Revert(PickError),
    /// Deploy windows are not right.
    #[error("the deploy window {0}")]
    Window(WindowError),
    /// There is nothing to roll back to.
    #[error(transparent)]
    CannotRollBack(#[from] CannotRollBack),
    /// The forge does not know it, or did not answer.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The pull request comes from a fork, and nobody allowed its newest commit.
    #[error(
        "pull request {number} comes from a fork; its commit {} is deployed when a maintainer has allowed it",
        .commit.short()
    )]
    ForkNotAllowed {
        /// The pull request's number.
        number: i64,
        /// Its newest commit.
        commit: CommitId,
    },
    /// It cannot be done to this workload as it is now.
    #[error("{message}")]
    NotNow {
        /// Why not.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// It cannot be done yet; in a moment it can, without anybody changing anything.
    #[error("{message}")]
    NotYet {
        /// Why not.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A field of the request is out of its range.
    #[error("{field} {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
        /// What to send instead.
        hint: &'static str,
    },
}

impl From<ConfigError> for RoadError {
    fn from(error: ConfigError) -> Self {
        RoadError::Config(Box::new(error))
    }
}

impl RoadError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            RoadError::Url(error) => error.hint(),
            RoadError::Source(error) => error.hint(),
            RoadError::Plan(error) => error.hint(),
            RoadError::Cluster(error) => error.hint(),
            RoadError::HermezYaml { problem, .. } => problem.hint.clone(),
            RoadError::AnotherWorkload { field, .. } => Some(format!(
                "Take {field} back to what it was, or create another workload from the changed file"
            )),
            RoadError::Store(StoreError::AlreadyExists { .. }) => Some(
                "Change metadata.name in the config file, or delete the other workload".to_owned(),
            ),
            RoadError::Invalid { hint, .. } => Some((*hint).to_owned()),
            RoadError::Held(held) => held.hint.clone(),
            RoadError::Revert(PickError::Conflict { .. }) => Some(
                "Revert them by hand on a branch, and open its pull request; nothing was pushed"
                    .to_owned(),
            ),
            RoadError::Pick(error) | RoadError::Revert(error) => error.hint(),
            RoadError::Window(error) => Some(error.hint()),
            RoadError::CannotRollBack(error) => Some(error.hint()),
            RoadError::Forge(error) => error.hint(),
            RoadError::ForkNotAllowed { number, commit } => Some(format!(
                "read what it changes, then allow this commit: hermez pr allow {number} --commit {commit}"
            )),
            RoadError::NotNow { hint, .. } | RoadError::NotYet { hint, .. } => Some(hint.clone()),
            RoadError::Store(_) | RoadError::Key(_) | RoadError::Config(_) => None,
        }
    }

    /// Where in the user's files the trouble is.
    pub fn places(&self) -> Vec<Place> {
        match self {
            RoadError::Config(error) => error.places(),
            RoadError::HermezYaml { file, problem } => vec![Place {
                file: file.clone(),
                line: problem.line,
                column: problem.column,
                field: problem.field.clone(),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
            }],
            RoadError::Pick(PickError::Conflict { files, .. })
            | RoadError::Revert(PickError::Conflict { files, .. }) => {
                files.iter().flat_map(conflicts).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            RoadError::Store(error) => error.is_transient(),
            RoadError::Source(error) | RoadError::Pick(PickError::Source(error)) => {
                error.is_transient()
            }
            RoadError::Cluster(error) => error.is_transient(),
            RoadError::Forge(ForgeError::Unreachable { .. }) | RoadError::NotYet { .. } => true,
            _ => false,
        }
    }
}

/// The places of a file that is in conflict, each with both sides.
fn conflicts(file: &ConflictFile) -> Vec<Place> {
    let place = |line, message: &str| Place {
        file: file.path.clone(),
        line,
        column: None,
        field: None,
        message: message.to_owned(),
        hint: None,
    };
    if file.hunks.is_empty() {
        return vec![place(None, &file.message)];
    }
    let hunks = file.hunks.iter();
    hunks
        .map(|hunk| place(Some(hunk.line), &hunk.text))
        .collect()
}
