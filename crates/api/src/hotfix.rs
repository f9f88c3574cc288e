//! Hotfixes: commits on top of exactly what runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChangedCommit, DeploySummary};

/// Asks for a hotfix: picks commits onto what runs, builds that, and deploys it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateHotfix {
    /// Commits, in the order in which they are made: ids (4 to 40 hexadecimal digits), branches or
    /// tags; 1 to 50.
    pub commits: Vec<String>,
    /// Branch that they are pushed as; `hotfix/WORKLOAD-…` when absent.
    #[serde(default)]
    pub branch: Option<String>,
    /// Why, in the asker's words (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a hotfix would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HotfixPlan {
    /// The deploy whose version runs, and that the commits are put on.
    pub base: DeploySummary,
    /// The commits, in the order in which they are made.
    pub commits: Vec<ChangedCommit>,
    /// The branch that they would be pushed as.
    pub branch: String,
    /// The commit that would be deployed (40 hexadecimal digits); the same when it is asked for.
    pub commit: String,
}

/// What a deploy of a hotfix was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hotfix {
    /// The deploy that ran before.
    pub base_deploy: i64,
    /// Its commit, which the others were put on (40 hexadecimal digits).
    pub base_commit: String,
    /// The commits that were picked, in the order in which they were made.
    pub commits: Vec<String>,
    /// Branch that they were pushed as.
    pub branch: String,
}
