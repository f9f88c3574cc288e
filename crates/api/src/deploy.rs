//! Deploys and their timelines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ArtifactImage, DeployPlan, HeldDeploy, Hotfix, Revert};

/// How far a deploy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployState {
    /// Asked for.
    Pending,
    /// Waits for its commit's build.
    Building,
    /// Waits for its turn.
    Queued,
    /// A canary of the new version is tried beside the old one.
    Canary,
    /// Writes to the cluster.
    Applying,
    /// Pods change.
    RollingOut,
    /// All pods are ready; health gates look at them.
    Verifying,
    /// Finished, and runs.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// A newer one took its place before it began.
    Superseded,
}

/// What a deploy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployKind {
    /// Brings a commit out.
    Regular,
    /// Brings back what ran before, without a build.
    Rollback,
    /// Replaces the pods; the version stays.
    Restart,
    /// Brings out commits that were picked onto what ran.
    Hotfix,
}

/// Asks for a deploy of a commit, building it first where needed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDeploy {
    /// Commit id (4 to 40 hexadecimal digits), branch or tag; absent with `latest`.
    #[serde(default)]
    pub commit: Option<String>,
    /// The newest commit of `branch`, or of the default branch.
    #[serde(default)]
    pub latest: bool,
    /// Branch that `latest` means.
    #[serde(default)]
    pub branch: Option<String>,
    /// Why, in the asker's words (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
    /// Why an artifact that is marked as bad is deployed all the same (at most 1,000 characters);
    /// kept with the deploy.
    #[serde(default)]
    pub override_bad: Option<String>,
}

/// Asks for a rollback: no build, exactly what ran before.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRollback {
    /// Deploy whose version is brought back; the previous good one when absent.
    #[serde(default)]
    pub to: Option<i64>,
    /// Deploy that was seen to be left, as `from` of the plan names it: refused when another was
    /// written to the cluster in the meantime, so that two people do not go back two versions.
    #[serde(default)]
    pub from: Option<i64>,
    /// What is wrong with the version that is left (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
    /// Why a version that is marked as bad is brought back all the same.
    #[serde(default)]
    pub override_bad: Option<String>,
}

/// Asks for a restart: pods are replaced, the version stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRestart {
    /// Why (at most 1,000 characters).
    #[serde(default)]
    pub reason: Option<String>,
}

/// Why automatic deploys of a workload wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// Who pinned it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// The rollback that pinned it.
    pub deploy_id: Option<i64>,
}

/// An artifact that is not to be deployed again, because somebody rolled back from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BadArtifact {
    /// Digest of its manifest or of an image that it runs.
    pub digest: String,
    /// Workload that was rolled back.
    pub workload: String,
    /// The deploy that was left.
    pub deploy_id: i64,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// Why.
    pub reason: String,
    /// Who marked it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What a rollback would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RollbackPlan {
    /// From what the cluster was last told to run to what it would be told.
    #[serde(flatten)]
    pub change: DeployComparison,
    /// Why the version to be brought back is marked as bad, if it is.
    pub bad: Option<BadArtifact>,
    /// The pin that there is already.
    pub pinned: Option<Pin>,
}

/// What lies between two deploys of one workload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeployComparison {
    /// The one to compare with.
    pub from: DeploySummary,
    /// The other.
    pub to: DeploySummary,
    /// Commits of `to` that `from` does not have, newest first, at most 100.
    pub coming: Vec<ChangedCommit>,
    /// Commits of `from` that `to` does not have, newest first, at most 100.
    pub leaving: Vec<ChangedCommit>,
    /// Whether there are more commits than listed.
    pub more_commits: bool,
    /// Images that differ.
    pub images: Vec<ChangedImage>,
    /// Unified diff of the manifests; empty when they are the same, cut at 64 KiB.
    pub manifest_diff: String,
    /// From asking to the end of `from`, in milliseconds.
    pub from_took_ms: Option<i64>,
    /// From asking to the end of `to`, in milliseconds.
    pub to_took_ms: Option<i64>,
    /// What could not be compared, and why.
    pub missing: Vec<String>,
}

/// A commit that comes or leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedCommit {
    /// 40 hexadecimal digits.
    pub id: String,
    /// First line of its message.
    pub title: String,
    /// Author's name.
    pub author: String,
    /// When it was committed.
    #[schema(value_type = String, format = DateTime)]
    pub committed_at: Timestamp,
}

/// An image that differs between two deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedImage {
    /// Name, as the containers write it.
    pub name: String,
    /// Reference by digest before; absent when it was not there.
    pub from: Option<String>,
    /// Reference by digest after; absent when it is no longer there.
    pub to: Option<String>,
}

/// A deploy as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploySummary {
    /// Number of the deploy.
    pub id: i64,
    /// Workload.
    pub workload: String,
    /// What it does.
    pub kind: DeployKind,
    /// How far it is.
    pub state: DeployState,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// The commit's author.
    pub author: String,
    /// Who asked.
    pub requested_by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it began to change the cluster.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What happens now, or why it failed, in one sentence.
    pub message: String,
    /// Pods of the new version that are ready.
    pub pods_ready: i32,
    /// Pods wanted.
    pub pods_desired: i32,
    /// Who holds the rollout, while somebody does.
    #[serde(default)]
    pub paused_by: Option<String>,
    /// Which rule it waits for, while it does.
    #[serde(default)]
    pub held: Option<HeldDeploy>,
    /// The pull request whose preview it changes; absent for the workload itself.
    #[serde(default)]
    pub pull_request: Option<i64>,
}

/// A deploy in full.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Deploy {
    /// What lists show.
    #[serde(flatten)]
    pub summary: DeploySummary,
    /// Its build, when it needed one.
    pub build_id: Option<i64>,
    /// Images it brings out, by digest.
    pub images: Vec<ArtifactImage>,
    /// Everything that happened, oldest first.
    pub timeline: Vec<DeployEvent>,
    /// How long each state took, in the order in which they came.
    #[serde(default)]
    pub stretches: Vec<DeployStretch>,
    /// Why it failed: a stable word such as `image_pull`, `crash_loop`, `unschedulable`, `probe`,
    /// `quota`, `admission`, `build`, `health_gate`, `deadline`.
    pub failure_cause: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The deploy whose version a rollback or restart brings out.
    #[serde(default)]
    pub of_deploy: Option<i64>,
    /// The deploy that a rollback leaves.
    #[serde(default)]
    pub left_deploy: Option<i64>,
    /// The pull request that takes back what a rollback left, once it was proposed.
    #[serde(default)]
    pub revert: Option<Revert>,
    /// The manifest's reference by digest, once it is known what is written to the cluster.
    #[serde(default)]
    pub manifest: Option<String>,
    /// Why an artifact that is marked as bad was deployed all the same.
    #[serde(default)]
    pub override_reason: Option<String>,
    /// What a hotfix was made of.
    #[serde(default)]
    pub hotfix: Option<Hotfix>,
    /// Where it is on its way through its canary and its clusters, where it has such.
    #[serde(default)]
    pub plan: Option<DeployPlan>,
    /// Why its artifact is not to be deployed again, if somebody rolled back from it.
    #[serde(default)]
    pub bad: Option<BadArtifact>,
}

/// One entry of a deploy's timeline. In the stream, `seq` is the event's id.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeployEvent {
    /// Rising number within the deploy, from 1.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// State after it.
    pub state: DeployState,
    /// What happened, in one sentence.
    pub message: String,
    /// The pod to which it happened. At most 200 entries of a deploy are about pods; then one says
    /// that the rest is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodChange>,
}

/// Which version a pod is of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PodVersion {
    /// What ran before.
    Old,
    /// What the deploy brings out.
    New,
}

/// What becomes of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PodChangeKind {
    /// It has a node.
    Scheduled,
    /// Something keeps it from running.
    Waiting,
    /// A container of it ended with an error.
    Crashed,
    /// It takes traffic.
    Ready,
    /// It takes traffic no more.
    Unready,
    /// It was told to end.
    Stopping,
    /// It is no longer there.
    Gone,
}

/// What became of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PodChange {
    /// The pod's name; ` in ` and the cluster's name follow where it is not in the server's own.
    pub name: String,
    /// Which version it is of.
    pub version: PodVersion,
    /// What became of it.
    pub change: PodChangeKind,
}

/// One state of a deploy, from its first entry to the next state's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployStretch {
    /// The state.
    pub state: DeployState,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// How long it took, in milliseconds; absent while it goes on.
    pub took_ms: Option<i64>,
}

impl DeployState {
    /// Whether nothing more happens to a deploy in this state.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Canceled | Self::Superseded
        )
    }
}

/// How long each state of this timeline took. The one in which a deploy ends is none of them.
pub fn stretches(timeline: &[DeployEvent]) -> Vec<DeployStretch> {
    let mut stretches: Vec<DeployStretch> = Vec::new();
    let mut state = None;
    for event in timeline {
        if state == Some(event.state) {
            continue;
        }
        state = Some(event.state);
        if let Some(before) = stretches.last_mut().filter(|it| it.took_ms.is_none()) {
            let took = event.at.duration_since(before.began_at).as_millis();
            before.took_ms = i64::try_from(took.max(0)).ok();
        }
        if !event.state.is_over() {
            stretches.push(DeployStretch {
                state: event.state,
                began_at: event.at,
                took_ms: None,
            });
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeployState::{Applying, Building, Pending, RollingOut, Succeeded};

    #[test]
    fn a_stretch_goes_from_one_state_to_the_next() {
        let event = |seq: i64, second: i64, state| DeployEvent {
            seq,
            at: Timestamp::from_second(second).unwrap(),
            state,
            message: String::new(),
            pod: None,
        };
        let mut timeline = vec![
            event(1, 0, Pending),
            event(2, 1, Building),
            event(3, 4, Building),
            event(4, 9, Applying),
            event(5, 9, RollingOut),
        ];
        let told = |timeline: &[DeployEvent]| -> Vec<_> {
            let all = stretches(timeline).into_iter();
            all.map(|it| (it.state, it.took_ms)).collect()
        };
        let wanted = [
            (Pending, Some(1_000)),
            (Building, Some(8_000)),
            (Applying, Some(0)),
            (RollingOut, None),
        ];
        assert_eq!(told(&timeline), wanted);
        timeline.push(event(6, 12, Succeeded));
        assert_eq!(told(&timeline)[3..], [(RollingOut, Some(3_000))]);
        assert_eq!(told(&[]), []);
    }
}
