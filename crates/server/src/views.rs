//! Rows of the database and the cluster's state, put together in the API's shapes. Pure, but for
//! the reading of the cluster's index.

use hermez_api::{
    ArtifactStatus, BuildState, Commit, Health, Workload, WorkloadStatus, WorkloadSummary,
};
use hermez_store::{ArtifactRecord, BuildRecord, WorkloadRow};

use crate::cluster_link::ClusterLink;

/// A workload as lists show it, and its live status.
pub fn summary_and_status(
    row: &WorkloadRow,
    cluster: &ClusterLink,
) -> (WorkloadSummary, WorkloadStatus) {
    let status = cluster.status(&row.workload.namespace, &row.workload.name);
    let status = status_of(row, status);
    (summary(row, &status), status)
}

/// A workload in full.
pub fn workload(row: &WorkloadRow, cluster: &ClusterLink) -> Workload {
    let (summary, status) = summary_and_status(row, cluster);
    Workload {
        summary,
        default_branch: row.repository.default_branch.clone().unwrap_or_default(),
        created_at: row.workload.created_at,
        created_by: row.workload.created_by.clone(),
        url: status.url,
        mirror: row.repository.mirror_status(),
        auto_deploy: row.workload.auto_deploy.clone(),
        previews: row.workload.previews,
        version: row.workload.version,
    }
}

/// What nobody deployed is not deployed, whether or not the cluster answers.
fn status_of(row: &WorkloadRow, mut status: WorkloadStatus) -> WorkloadStatus {
    if status.health == Health::Unknown && row.latest.is_none() {
        status.health = Health::NotDeployed;
        "Nothing was deployed yet".clone_into(&mut status.reason);
    }
    status
}

fn summary(row: &WorkloadRow, status: &WorkloadStatus) -> WorkloadSummary {
    let workload = &row.workload;
    WorkloadSummary {
        name: workload.name.clone(),
        workload_type: workload.kind.clone(),
        category: workload.category,
        project: workload.project.clone(),
        namespace: workload.namespace.clone(),
        repository: row.repository.url.clone(),
        config: workload.config_path.clone(),
        health: status.health,
        health_reason: status.reason.clone(),
        pods_ready: status.pods_ready,
        pods_desired: status.pods_desired,
        current: row
            .current
            .as_ref()
            .map(hermez_store::DeployRecord::summary),
        latest_deploy: row.latest.as_ref().map(hermez_store::DeployRecord::summary),
        bad: row.bad.clone(),
        pin: workload.pin.clone(),
    }
}

/// A commit with what Hermez made of it. `current` is the commit that runs.
pub fn commit(
    commit: hermez_source::Commit,
    branch: &str,
    build: Option<&BuildRecord>,
    artifact: Option<&ArtifactRecord>,
    current: Option<&str>,
) -> Commit {
    let id = commit.id.to_string();
    Commit {
        deployed: current == Some(id.as_str()),
        id,
        title: commit.title,
        body: commit.body,
        author: commit.author,
        author_email: commit.author_email,
        committed_at: commit.committed_at,
        branch: branch.to_owned(),
        artifact_status: artifact_status(build.map(|build| build.state), artifact.is_some()),
        build: build.map(BuildRecord::summary),
        artifact: artifact.map(ArtifactRecord::summary),
    }
}

/// An artifact that is there can be deployed, whatever became of later tries.
fn artifact_status(build: Option<BuildState>, artifact: bool) -> ArtifactStatus {
    if artifact {
        return ArtifactStatus::Available;
    }
    match build {
        None => ArtifactStatus::None,
        Some(BuildState::Queued) => ArtifactStatus::Queued,
        // A build that succeeded has its artifact in the same transaction; these two reads were
        // made just before and just after it.
        Some(BuildState::Running | BuildState::Succeeded) => ArtifactStatus::Building,
        Some(BuildState::Failed) => ArtifactStatus::Failed,
        Some(BuildState::Canceled) => ArtifactStatus::Canceled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_outlives_a_failed_rebuild() {
        assert_eq!(
            artifact_status(Some(BuildState::Failed), true),
            ArtifactStatus::Available
        );
        assert_eq!(
            artifact_status(Some(BuildState::Failed), false),
            ArtifactStatus::Failed
        );
        assert_eq!(
            artifact_status(Some(BuildState::Succeeded), false),
            ArtifactStatus::Building
        );
        assert_eq!(artifact_status(None, false), ArtifactStatus::None);
    }
}
