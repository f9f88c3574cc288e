//! The first stretch of a commit's road: repositories, their mirrors, commits, files and forges.
//!
//! Git's own command line does all of Git; [`Mirrors`] is the only door to it. What comes out of a
//! repository (names, messages, files, sizes) was written by strangers: it is bounded, cleaned and
//! checked here, so that the crates ahead may take it as data. Nothing that a repository brings
//! along is ever run: no hooks, no configuration, no filters, no submodules.

pub mod commit;
pub mod credential;
pub mod error;
pub mod forge;
pub mod mirrors;
pub mod pick;
pub mod process;
pub mod url;

mod batch;
mod disk;
mod export;
mod git;
mod known;
mod object;
mod path;
mod pull;
mod read;
mod remote;
mod revision;
mod stderr;
mod sync;

pub use commit::{Branch, Commit, CommitId, CommitIdError};
pub use credential::Credential;
pub use error::SourceError;
pub use export::{ExportReport, LeftOut};
pub use mirrors::{Limits, Mirrors};
pub use revision::check_branch;
pub use sync::SyncReport;
pub use url::{RepositoryUrl, RepositoryUrlError};

pub use secrecy::{ExposeSecret, SecretString};
