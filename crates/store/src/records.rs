//! Rows as the rest of Hermez sees them, and their way into the API's shape.

use hermez_api::{
    ArtifactImage, ArtifactSummary, BadArtifact, BuildState, BuildSummary, Category, DeployKind,
    DeployPlan, DeployState, DeploySummary, HeldDeploy, MirrorStatus, Pin, PreviewSettings,
    ScaleBounds, WebhookState,
};
use jiff::Timestamp;

/// Somebody or something that may ask for changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRecord {
    /// Number.
    pub id: i64,
    /// Unique name.
    pub name: String,
    /// Role, for example `owner`.
    pub role: String,
}

/// An API token's row, found by the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Number.
    pub id: i64,
    /// Whose token it is.
    pub principal: PrincipalRecord,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; a revoked token opens nothing.
    pub revoked_at: Option<Timestamp>,
}

/// A browser's session, found by the hash of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Number.
    pub id: i64,
    /// Who signed in.
    pub principal: PrincipalRecord,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// After this it opens nothing.
    pub expires_at: Timestamp,
}

/// A Git repository that Hermez mirrors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRecord {
    /// Number; also in the address of its webhook.
    pub id: i64,
    /// Normalised URL by which it is one repository.
    pub identity: String,
    /// URL as it is fetched, without credentials.
    pub url: String,
    /// User name and password, sealed by the server's key.
    pub sealed_credential: Option<Vec<u8>>,
    /// Default branch, once fetched.
    pub default_branch: Option<String>,
    /// When it was last fetched with success.
    pub fetched_at: Option<Timestamp>,
    /// Why the last fetch failed, when it did.
    pub error: Option<String>,
    /// Whether the forge calls on each push.
    pub webhook: WebhookState,
    /// Why there is no webhook, when there is none.
    pub webhook_reason: Option<String>,
}

impl RepositoryRecord {
    /// State of the mirror, as the API shows it.
    pub fn mirror_status(&self) -> MirrorStatus {
        MirrorStatus {
            fetched_at: self.fetched_at,
            error: self.error.clone(),
            webhook: self.webhook,
            webhook_reason: self.webhook_reason.clone(),
        }
    }
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRecord {
    /// Number.
    pub id: i64,
    /// Unique name among those not deleted.
    pub name: String,
    /// One of the six kinds, for example `PinterestService`.
    pub kind: String,
    /// Production or not.
    pub category: Category,
    /// Project.
    pub project: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Its repository.
    pub repository_id: i64,
    /// Path of its config file from the repository's root.
    pub config_path: String,
    /// Rises with every change of the row; the API's `ETag`.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// When it was deleted; a deleted workload's history stays.
    pub deleted_at: Option<Timestamp>,
    /// Branch whose pushes are deployed by themselves.
    pub auto_deploy: Option<String>,
    /// Numbers of pods that people may ask for.
    pub scale_bounds: ScaleBounds,
    /// Why automatic deploys wait, while they do.
    pub pin: Option<Pin>,
    /// How its pull requests are previewed.
    pub previews: PreviewSettings,
}

/// A workload as lists and pages show it, without what only the cluster knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRow {
    /// The workload.
    pub workload: WorkloadRecord,
    /// Its repository.
    pub repository: RepositoryRecord,
    /// The last deploy that succeeded.
    pub current: Option<DeployRecord>,
    /// The newest deploy, whatever its state.
    pub latest: Option<DeployRecord>,
    /// The mark that what the last deploy brought out which succeeded bears.
    pub bad: Option<BadArtifact>,
}

/// A lease on a build or deploy. Give it to every write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Number of the build or deploy.
    pub id: i64,
    /// Rises with every acquisition; a write with an older fence is refused.
    pub fence: i64,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRecord {
    /// Rising number.
    pub id: i64,
    /// Its workload.
    pub workload_id: i64,
    /// The workload's name.
    pub workload: String,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// First line of the commit's message.
    pub title: String,
    /// How far it is.
    pub state: BuildState,
    /// Tries so far, from 1.
    pub attempt: i32,
    /// Who or what asked.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When this try started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What it waits for, in one sentence; empty when for nothing.
    pub message: String,
    /// Somebody wants it stopped.
    pub cancel_requested: bool,
    /// Times that something around it was down in this try.
    pub waits: i32,
}

impl BuildRecord {
    /// As the API's lists show it.
    pub fn summary(&self) -> BuildSummary {
        BuildSummary {
            id: self.id,
            workload: self.workload.clone(),
            commit: self.commit.clone(),
            title: self.title.clone(),
            state: self.state,
            attempt: self.attempt,
            requested_by: self.requested_by.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            error: self
                .error
                .clone()
                .or_else(|| Some(self.message.clone()).filter(|message| !message.is_empty())),
            hint: self.hint.clone(),
        }
    }
}

/// What a commit of a workload became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRecord {
    /// Number.
    pub id: i64,
    /// Its workload.
    pub workload_id: i64,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// The manifest's reference by digest.
    pub manifest: String,
    /// Images by digest.
    pub images: Vec<ArtifactImage>,
    /// When it was published.
    pub created_at: Timestamp,
}

impl ArtifactRecord {
    /// Digests by which it is known again: its manifest's, and those of the images that were built
    /// for it (what others publish is not this artifact's).
    pub fn digests(&self) -> Vec<String> {
        let built = self.images.iter().filter(|image| image.built);
        let references = built.map(|image| image.reference.as_str());
        std::iter::once(self.manifest.as_str())
            .chain(references)
            .filter_map(|reference| Some(reference.split_once('@')?.1.to_owned()))
            .collect()
    }

    /// As the API shows it.
    pub fn summary(&self) -> ArtifactSummary {
        ArtifactSummary {
            manifest: self.manifest.clone(),
            images: self.images.clone(),
            created_at: self.created_at,
        }
    }
}

/// A deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployRecord {
    /// Rising number.
    pub id: i64,
    /// Its workload.
    pub workload_id: i64,
    /// The workload's name.
    pub workload: String,
    /// Name of the Kubernetes object that it changes: the workload's, or a preview's own.
    pub instance: String,
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
    pub created_at: Timestamp,
    /// When it began to change the cluster.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What happens now, or why it failed.
    pub message: String,
    /// Pods of the new version that are ready.
    pub pods_ready: i32,
    /// Pods wanted.
    pub pods_desired: i32,
    /// Its build, when it needed one.
    pub build_id: Option<i64>,
    /// A stable word for why it failed.
    pub failure_cause: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Somebody wants it stopped.
    pub cancel_requested: bool,
    /// When the present state ends in failure, whatever happens.
    pub deadline_at: Option<Timestamp>,
    /// Tries of what failed last for a reason around it (cluster or registry down); of a canary, how
    /// often its pods ceased to be ready in this step.
    pub retries: i32,
    /// The manifest's reference by digest, once it is known what is to be applied.
    pub manifest: Option<String>,
    /// When it was first written to the cluster.
    pub applied_at: Option<Timestamp>,
    /// The deploy whose version a rollback or restart brings out.
    pub of_deploy: Option<i64>,
    /// Why an artifact that is marked as bad is deployed all the same.
    pub override_reason: Option<String>,
    /// Who holds the rollout, while somebody does.
    pub paused_by: Option<String>,
    /// Whether what was written to the cluster last holds the rollout.
    pub applied_paused: bool,
    /// Which rule it waits for, while it does.
    pub held: Option<HeldDeploy>,
    /// Who rejected it and why, in one sentence.
    pub rejection: Option<String>,
    /// The health gates that it began with, as JSON; none before it changed the cluster, and where
    /// there is nothing to look at.
    pub gate: Option<String>,
    /// When its health gates are passed, if nothing happens until then.
    pub verify_until: Option<Timestamp>,
    /// The pull request whose preview it changes; nothing for the workload itself.
    pub pull_request: Option<i64>,
    /// Its canary and its waves, and where it is; nothing where it has neither.
    pub plan: Option<DeployPlan>,
    /// The last step of its canary, from 0, that somebody has promoted.
    pub promoted: Option<i64>,
    /// The deploy that a rollback leaves, or that a hotfix is made on.
    pub mends: Option<i64>,
}

impl DeployRecord {
    /// As the API's lists show it.
    pub fn summary(&self) -> DeploySummary {
        DeploySummary {
            id: self.id,
            workload: self.workload.clone(),
            kind: self.kind,
            state: self.state,
            commit: self.commit.clone(),
            title: self.title.clone(),
            author: self.author.clone(),
            requested_by: self.requested_by.clone(),
            reason: self.reason.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            message: self.message.clone(),
            pods_ready: self.pods_ready,
            pods_desired: self.pods_desired,
            paused_by: self.paused_by.clone(),
            held: self.held.clone(),
            pull_request: self.pull_request,
        }
    }
}
