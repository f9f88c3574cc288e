//! Asking for builds and deploys, and stopping them. Each is in the database before the call returns.

use hermez_api::{CreateBuild, CreateDeploy};
use hermez_cluster::{Cluster, ClusterError};
use hermez_store::{
    BuildRecord, DeployRecord, NewBuild, NewDeploy, RequestedBuild, StoreError, WorkloadRecord,
};
use jiff::Timestamp;

use crate::{Road, RoadError};

/// Most characters of a reason.
const REASON_LIMIT: usize = 1000;

impl Road {
    /// Asks for the build of a commit, branch or tag (fetched first when it is not known).
    pub async fn request_build(
        &self,
        workload: &str,
        ask: &CreateBuild,
        by: &str,
    ) -> Result<RequestedBuild, RoadError> {
        let (workload, commit) = self.commit_of(workload, &ask.commit).await?;
        let new = NewBuild {
            workload_id: workload.id,
            commit: commit.id.as_str().to_owned(),
            title: commit.title,
            requested_by: by.to_owned(),
            retry: ask.retry,
        };
        let requested = self
            .parts()
            .store
            .request_build(&new, Timestamp::now())
            .await?;
        self.inner.builds.notify_waiters();
        Ok(requested)
    }

    /// Asks for the deploy of a commit, branch or tag, which builds it first where needed.
    pub async fn request_deploy(
        &self,
        workload: &str,
        ask: &CreateDeploy,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = ask
            .reason
            .as_deref()
            .map(str::trim)
            .filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| reason.chars().count() > REASON_LIMIT) {
            let message = format!("is longer than {REASON_LIMIT} characters");
            return Err(RoadError::Invalid {
                field: "reason",
                message,
                hint: "Say it in fewer words",
            });
        }
        let (workload, commit) = self.commit_of(workload, &ask.commit).await?;
        let new = NewDeploy {
            workload_id: workload.id,
            instance: workload.name,
            commit: commit.id.as_str().to_owned(),
            title: commit.title,
            author: commit.author,
            requested_by: by.to_owned(),
            reason: reason.map(str::to_owned),
        };
        Ok(self
            .parts()
            .store
            .request_deploy(&new, Timestamp::now())
            .await?)
    }

    async fn commit_of(
        &self,
        workload: &str,
        revision: &str,
    ) -> Result<(WorkloadRecord, hermez_source::Commit), RoadError> {
        let workload = self.workload(workload).await?;
        let key = workload.repository_id.to_string();
        let missing = StoreError::NotFound {
            what: "repository",
            key,
        };
        let repository = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?
            .ok_or(missing)?;
        let (_, commit) = self.resolve(&repository, revision.trim()).await?;
        Ok((workload, commit))
    }

    /// Stops a build.
    pub async fn cancel_build(&self, id: i64) -> Result<BuildRecord, RoadError> {
        Ok(self
            .parts()
            .store
            .cancel_build(id, Timestamp::now())
            .await?)
    }

    /// Stops a deploy; what it has applied already stays.
    pub async fn cancel_deploy(&self, id: i64, by: &str) -> Result<DeployRecord, RoadError> {
        Ok(self
            .parts()
            .store
            .cancel_deploy(id, by, Timestamp::now())
            .await?)
    }

    /// The cluster, when there is a connection.
    pub(crate) fn cluster(&self) -> Result<Cluster, ClusterError> {
        let cluster = self.parts().cluster.borrow().clone();
        cluster.ok_or_else(|| ClusterError::Unreachable("there is no connection yet".to_owned()))
    }
}
