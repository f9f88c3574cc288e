//! Reverts: what a rollback left, taken back in the repository as well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ChangedCommit;

/// A pull request in the forge that takes back what a rollback left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revert {
    /// Number of the pull request.
    pub pull_request: i64,
    /// Its page in the forge.
    pub url: String,
    /// The branch that it comes from.
    pub branch: String,
    /// The branch that it goes to.
    pub base_branch: String,
    /// Its newest commit when it was opened (40 hexadecimal digits).
    pub commit: String,
    /// The commits that it takes back, newest first, without merges; at most 50.
    pub commits: Vec<ChangedCommit>,
    /// The deploy that brought them out, and that the rollback left.
    pub left_deploy: i64,
    /// Who asked for it.
    pub by: String,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
