//! Receipts: what a failed deploy leaves for the person who must mend it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChangedCommit, ChangedImage, DeploySummary, KubernetesEvent, Revert};

/// Why a deploy failed, with the evidence; kept with the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The deploy that failed.
    pub deploy: DeploySummary,
    /// Whether the cluster was told nothing newer since: a rollback leaves this very deploy.
    pub is_current: bool,
    /// The newest rollback that left it.
    #[serde(default)]
    pub rolled_back_by: Option<i64>,
    /// The pull request that takes back what it brought, once it was proposed.
    #[serde(default)]
    pub revert: Option<Revert>,
    /// What was found when it failed.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// What was found when a deploy failed. Secrets are masked as `***`; as JSON it is at most 256 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// When it was gathered.
    #[schema(value_type = String, format = DateTime)]
    pub gathered_at: Timestamp,
    /// How long that took, in milliseconds.
    pub took_ms: i64,
    /// Why it failed, as a stable word (`failure_cause` of the deploy).
    pub cause: String,
    /// Why it failed, in one sentence.
    pub sentence: String,
    /// What to do about it.
    pub next_step: String,
    /// The failing containers with their last lines, at most 6.
    pub containers: Vec<FailedContainer>,
    /// The last lines of the build's log, where the build failed, at most 50.
    pub build_lines: Vec<ReceiptLine>,
    /// Kubernetes events since the deploy was asked for, newest first, at most 50.
    pub events: Vec<KubernetesEvent>,
    /// The last deploy before it that succeeded: what it is compared with.
    pub compared_with: Option<i64>,
    /// Unified diff of the manifests; empty when they are the same or one of them is missing.
    pub manifest_diff: String,
    /// Images that differ.
    pub images: Vec<ChangedImage>,
    /// Commits that came with it, newest first, at most 100.
    pub coming: Vec<ChangedCommit>,
    /// Commits that left with it, newest first, at most 100.
    pub leaving: Vec<ChangedCommit>,
    /// Whether there are more commits than listed.
    pub more_commits: bool,
    /// What a rollback would bring back; absent where there is nothing to roll back to.
    pub rollback: Option<RollbackTarget>,
    /// What could not be had or was left out, and why.
    pub missing: Vec<String>,
}

/// A container that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedContainer {
    /// Its pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// Whether the pod was gone already; its lines were kept while the rollout was watched.
    pub gone: bool,
    /// As Kubernetes says it, for example `CrashLoopBackOff`.
    pub state: String,
    /// In Kubernetes' words.
    pub message: Option<String>,
    /// Exit code of its last end.
    pub exit_code: Option<i32>,
    /// Times it was restarted.
    pub restarts: i32,
    /// Its last lines, oldest first, at most 50; none when it never ran.
    pub lines: Vec<ReceiptLine>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptLine {
    /// When it was written.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// The text, at most 1 KiB.
    pub text: String,
}

/// What a rollback would bring back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RollbackTarget {
    /// The deploy whose version it is.
    pub deploy_id: i64,
    /// Its commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
}
