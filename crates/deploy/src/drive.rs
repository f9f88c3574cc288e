//! Drives one deploy: holds its lease, looks, asks [`state::next`] and does what it says.

use std::time::{Duration, Instant};

use hermez_api::{DeployKind, DeployState};
use hermez_artifact::ArtifactError;
use hermez_cluster::{Cluster, ClusterError, DeployMark, Rollout, WorkloadKey};
use hermez_kinds::Config;
use hermez_kinds::preview::PreviewOf;
use hermez_store::{Applied, DeployRecord, DeployWrite, Lease, Store, StoreError};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Road;
use crate::gates::{self, Meter};
use crate::state::{self, Next, Seen};
use crate::witness::Witness;
use crate::{receipt, receipt::mask::mask, rules};

/// How long a deploy may be without a sign of life from its driver.
const LEASE_MS: i64 = 30_000;
/// How often a driver gives one.
const RENEW_AFTER: Duration = Duration::from_secs(10);
/// Longest time between two looks at the same deploy.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The same while it rolls out: some failures show by time alone (a pod that no node takes).
const LOOK_AT_ROLLOUT: Duration = Duration::from_secs(1);
/// Wait after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// How a look ended.
enum Looked {
    /// Something was written: look again.
    Again(Box<DeployRecord>),
    /// Nothing until woken, or until this time is over.
    Wait(Duration),
    /// The deploy has ended.
    Ended,
}

/// Drives one deploy to its end, or until `shutdown`.
pub(crate) async fn drive(
    road: &Road,
    id: i64,
    wake: &Notify,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    let store = &road.parts().store;
    let acquired = store
        .acquire_deploy(id, &road.inner.owner, Timestamp::now(), LEASE_MS)
        .await?;
    let Some((lease, mut deploy)) = acquired else {
        return Ok(());
    };
    let mut renewed = Instant::now();
    let mut witness = Witness::default();
    let mut meter = Meter::default();
    let workload = store.workload_by_id(deploy.workload_id).await?;
    let namespace = workload
        .map(|workload| workload.namespace)
        .unwrap_or_default();
    let key = WorkloadKey {
        namespace,
        name: deploy.instance.clone(),
    };
    road.inner.drivers.with(|drivers| {
        if let Some(driver) = drivers.get_mut(&id) {
            driver.key = Some(key.clone());
        }
    });
    // Older ones that wait may be superseded by this one.
    road.inner
        .drivers
        .wake(|other, driver| other != id && driver.key.as_ref() == Some(&key));
    loop {
        road.inner.drivers.with(|drivers| {
            if let Some(driver) = drivers.get_mut(&id) {
                driver.build = deploy.build_id;
            }
        });
        let wait = match look(road, lease, &deploy, &key, &mut witness, &mut meter).await {
            Ok(Looked::Again(record)) => {
                deploy = *record;
                Duration::ZERO
            }
            Ok(Looked::Wait(wait)) => wait,
            Ok(Looked::Ended) => return Ok(()),
            Err(error @ StoreError::LeaseLost { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(deploy = id, %error, "the database did not answer a deploy's driver");
                AFTER_ERROR
            }
        };
        if !wait.is_zero() {
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
            if renewed.elapsed() < RENEW_AFTER
                && let Ok(Some(record)) = store.deploy(id).await
            {
                deploy = record;
            }
        }
        if shutdown.is_cancelled() {
            return store.release_deploy(lease).await;
        }
        if renewed.elapsed() >= RENEW_AFTER {
            deploy = store
                .renew_deploy(lease, Timestamp::now(), LEASE_MS)
                .await?;
            renewed = Instant::now();
        }
    }
}

/// Looks at a deploy's surroundings and does what follows from them.
async fn look(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    key: &WorkloadKey,
    witness: &mut Witness,
    meter: &mut Meter,
) -> Result<Looked, StoreError> {
    let store = &road.parts().store;
    let seen = see(road, lease, deploy, key, witness, meter).await?;
    let now = Timestamp::now();
    match state::next(deploy, &seen, now) {
        Next::Write(write) if receipt::is_failure(&write) => {
            let gather = receipt::with_evidence(road, deploy, key, witness, *write);
            let write = Box::pin(gather).await;
            let ended = Box::pin(gates::write_failure(road, lease, deploy, write));
            Ok(looked(ended.await?))
        }
        Next::Wait
            if matches!(
                deploy.state,
                DeployState::RollingOut | DeployState::Verifying
            ) =>
        {
            Ok(Looked::Wait(LOOK_AT_ROLLOUT))
        }
        Next::Wait => {
            let wait = rules::wait_until(seen.waits.as_ref(), now, LOOK_AGAIN);
            Ok(Looked::Wait(wait))
        }
        Next::Write(write) => write_down(store, lease, &write, now).await,
        Next::RequestBuild => request_build(road, lease, deploy, now).await,
        Next::Apply => apply(road, lease, deploy, key, witness, now).await,
    }
}

async fn see(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    key: &WorkloadKey,
    witness: &mut Witness,
    meter: &mut Meter,
) -> Result<Seen, StoreError> {
    use hermez_api::DeployState::{Applying, Building, Pending, Queued, RollingOut, Verifying};
    let store = &road.parts().store;
    let waiting = matches!(deploy.state, Pending | Building | Queued);
    let cluster: Option<Cluster> = road.parts().cluster.borrow().clone();
    let connected = cluster
        .as_ref()
        .is_some_and(|cluster| *cluster.connected().borrow());
    let mut seen = Seen {
        connected,
        ..Seen::default()
    };
    if waiting {
        // The build first: its artifact is there before its state says so.
        if let Some(id) = deploy.build_id {
            seen.build = store.build(id).await?;
        }
        let artifact = store.artifact(deploy.workload_id, &deploy.commit).await?;
        seen.artifact = artifact.is_some();
        if deploy.state == Queued || deploy.held.is_some() {
            let manifest = artifact.as_ref().map(|artifact| artifact.manifest.as_str());
            seen.waits = rules::waits(store, deploy, manifest, Timestamp::now()).await?;
        }
        if let (Queued, Some(artifact)) = (deploy.state, artifact) {
            let marks = store.bad_artifacts(&artifact.digests()).await?;
            seen.bad = marks.into_iter().next();
        }
        seen.lane = store.lane_facts(deploy).await?;
    }
    if let (RollingOut | Verifying, Some(cluster)) = (deploy.state, cluster) {
        seen.rollout = Some(without_secrets(cluster.rollout(key, deploy.id)));
        if deploy.state == Verifying {
            seen.measured = meter.look(road, &cluster, deploy, key).await;
        } else if state::is_past(deploy, Timestamp::now()) {
            seen.late = cluster.late(key);
        }
        // Only then are the newest pods this deploy's own.
        if matches!(seen.rollout, Some(Rollout::Progressing { .. })) {
            witness.look(&cluster, key);
        }
        let status = cluster.status(key);
        match seen.rollout {
            Some(Rollout::Waiting { .. }) => witness.pods.look_before(&status),
            _ => witness.pods.look(store, lease, deploy, &status).await?,
        }
    }
    if deploy.state == Applying && !connected {
        tracing::debug!(deploy = deploy.id, "the cluster does not answer");
    }
    Ok(seen)
}

/// The same without what looks like a secret: a probe's answer may hold anything.
fn without_secrets(mut rollout: Rollout) -> Rollout {
    match &mut rollout {
        Rollout::Waiting { message }
        | Rollout::Progressing { message, .. }
        | Rollout::Failed { message, .. } => *message = mask(message),
        Rollout::Complete { .. } => {}
    }
    rollout
}

async fn write_down(
    store: &Store,
    lease: Lease,
    write: &DeployWrite,
    now: Timestamp,
) -> Result<Looked, StoreError> {
    Ok(looked(store.write_deploy(lease, write, now).await?))
}

/// How a look ended that wrote this.
fn looked(written: Option<DeployRecord>) -> Looked {
    match written {
        Some(record) if has_ended(record.state) => Looked::Ended,
        Some(record) => Looked::Again(Box::new(record)),
        // Another deploy of the same workload was faster; its end wakes this one.
        None => Looked::Wait(LOOK_AGAIN),
    }
}

fn has_ended(state: hermez_api::DeployState) -> bool {
    use hermez_api::DeployState::{Canceled, Failed, Succeeded, Superseded};
    matches!(state, Succeeded | Failed | Canceled | Superseded)
}

async fn request_build(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    now: Timestamp,
) -> Result<Looked, StoreError> {
    let new = hermez_store::NewBuild {
        workload_id: deploy.workload_id,
        commit: deploy.commit.clone(),
        title: deploy.title.clone(),
        requested_by: deploy.requested_by.clone(),
        // Whoever deploys a commit whose build failed wants it tried again.
        retry: true,
    };
    let build = road.parts().store.request_build(&new, now).await?.build;
    road.inner.builds.notify_waiters();
    let write = DeployWrite {
        state: Some(hermez_api::DeployState::Building),
        message: Some(format!("waits for build {}", build.id)),
        build_id: Some(build.id),
        ..DeployWrite::default()
    };
    write_down(&road.parts().store, lease, &write, now).await
}

/// Why a manifest was not written to the cluster.
struct NotApplied {
    cause: &'static str,
    message: String,
    hint: Option<String>,
    transient: bool,
}

impl From<ArtifactError> for NotApplied {
    fn from(error: ArtifactError) -> Self {
        let (hint, transient) = (error.hint(), error.is_transient());
        NotApplied {
            cause: "registry",
            message: error.to_string(),
            hint,
            transient,
        }
    }
}

impl From<ClusterError> for NotApplied {
    fn from(error: ClusterError) -> Self {
        let cause = match &error {
            ClusterError::Refused { message, .. } if message.contains("exceeded quota") => "quota",
            ClusterError::Refused { .. } => "admission",
            _ => "cluster",
        };
        let (hint, transient) = (error.hint(), error.is_transient());
        NotApplied {
            cause,
            message: error.to_string(),
            hint,
            transient,
        }
    }
}

impl From<StoreError> for NotApplied {
    fn from(error: StoreError) -> Self {
        NotApplied {
            cause: "database",
            transient: error.is_transient(),
            message: error.to_string(),
            hint: None,
        }
    }
}

impl Road {
    /// What a deploy brings out: the config as it is, or a pull request's own instance of it.
    async fn shaped(&self, deploy: &DeployRecord, config: Config) -> Result<Config, NotApplied> {
        let Some(number) = deploy.pull_request else {
            return Ok(config);
        };
        let store = &self.parts().store;
        let preview = store.preview(deploy.workload_id, number).await?;
        let gone = || NotApplied {
            cause: "preview",
            message: format!("the preview of pull request {number} was removed"),
            hint: Some(format!("deploy it again: hermez deploy --pr {number}")),
            transient: false,
        };
        let preview = preview.ok_or_else(gone)?;
        let of = PreviewOf {
            instance: &deploy.instance,
            pull_request: number,
            replicas: preview.replicas,
            deploy_id: deploy.id,
        };
        // The load balancer says which port is meant, and goes.
        let port = config.port();
        let config = hermez_kinds::preview::preview(&config, of).map_err(|error| NotApplied {
            cause: "manifest",
            message: format!("the config file cannot become a preview: {error}"),
            hint: None,
            transient: false,
        })?;
        // Before it is written: whoever removes the preview knows that there may be something.
        store
            .preview_applied(deploy.workload_id, number, preview.replicas, port)
            .await?;
        Ok(config)
    }
}

/// Writes the commit's manifest to the cluster. Doing it twice changes nothing more.
async fn apply(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    key: &WorkloadKey,
    witness: &mut Witness,
    now: Timestamp,
) -> Result<Looked, StoreError> {
    let store = &road.parts().store;
    let artifact = store.artifact(deploy.workload_id, &deploy.commit).await?;
    let repository = match store.workload_by_id(deploy.workload_id).await? {
        Some(workload) => store.repository(workload.repository_id).await?,
        None => None,
    };
    let written = async {
        let gone = |what: &str| NotApplied {
            cause: "registry",
            message: format!("the {what} of this commit is gone"),
            hint: Some("build the commit again, then deploy it".to_owned()),
            transient: false,
        };
        // What ran before is written to the byte; a commit's artifact never changes either.
        let known = deploy.manifest.clone();
        let manifest = known
            .or_else(|| artifact.map(|artifact| artifact.manifest))
            .ok_or_else(|| gone("artifact"))?;
        let bytes = road.parts().registry.fetch(&manifest).await?;
        let config = Config::from_manifest(&bytes).map_err(|error| NotApplied {
            cause: "manifest",
            message: format!("the published manifest cannot be read: {error}"),
            hint: Some("build the commit again, then deploy it".to_owned()),
            transient: false,
        })?;
        let config = road.shaped(deploy, config).await?;
        witness.manifest = Some(config.resource.to_json());
        gates::prepare(road, lease, deploy, key, &config).await?;
        let mark = DeployMark {
            deploy_id: deploy.id,
            commit: deploy.commit.clone(),
            repository: repository
                .map(|repository| repository.url)
                .unwrap_or_default(),
            restarted_at: (deploy.kind == DeployKind::Restart).then_some(deploy.created_at),
            paused: deploy.paused_by.is_some(),
        };
        let applied = Applied {
            manifest,
            paused: mark.paused,
        };
        road.cluster()?.apply(&config.resource, mark).await?;
        Ok::<_, NotApplied>((applied, config.resource.progress_deadline_seconds()))
    };
    match written.await {
        Ok((applied, progress_deadline_seconds)) => {
            let now = Timestamp::now();
            let write = state::applied(applied, progress_deadline_seconds, now);
            write_down(store, lease, &write, now).await
        }
        Err(NotApplied {
            cause,
            message,
            hint,
            transient,
        }) => {
            let message = mask(&message);
            let (mut write, wait) =
                state::apply_failed(deploy, cause, &message, hint, transient, now);
            if receipt::is_failure(&write) {
                let gather = receipt::with_evidence(road, deploy, key, witness, write);
                write = Box::pin(gather).await;
            }
            let looked = write_down(store, lease, &write, Timestamp::now()).await?;
            Ok(match wait {
                // The record is read again after the wait.
                Some(wait) => Looked::Wait(Duration::try_from(wait).unwrap_or(AFTER_ERROR)),
                None => looked,
            })
        }
    }
}
