//! Drives one deploy: holds its lease, looks, asks [`state::next`] and does what it says.

mod apply;

use std::time::{Duration, Instant};

use hermez_api::{DeployKind, DeployState};
use hermez_cluster::{Rollout, WorkloadKey};
use hermez_store::{Applied, DeployRecord, DeployWrite, Lease, Store, StoreError, WorkloadRecord};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use self::apply::NotApplied;
use self::apply::{apply, manifest_reference, write_canary};
use crate::Road;
use crate::gates::{self, Meter};
use crate::state::{self, Next, Seen};
use crate::strategy::place::{Place, canary_key};
use crate::strategy::{canary, waves};
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

/// What stays the same while a deploy is driven.
struct Work {
    lease: Lease,
    /// What it changes in the cluster.
    key: WorkloadKey,
    /// Its workload; of what may change of it (settings, pin, bounds) nothing is asked here.
    workload: Option<WorkloadRecord>,
    /// Nothing is written to the clusters before: the last try has failed.
    try_again_at: Instant,
}

/// How a look ended.
enum Looked {
    /// Something was written: look again.
    Again(Box<DeployRecord>),
    /// Nothing until woken, or until this time is over.
    Wait(Duration),
    /// Something could not be written to a cluster, and is tried again after this time: what wakes
    /// the driver in between is looked at, and makes it no sooner.
    TryAgain(Duration),
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
    let mut witness = Witness::of(store, &deploy).await?;
    let mut meter = Meter::default();
    let workload = store.workload_by_id(deploy.workload_id).await?;
    let namespace = workload.as_ref().map(|workload| workload.namespace.clone());
    let key = WorkloadKey {
        namespace: namespace.unwrap_or_default(),
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
    let mut work = Work {
        lease,
        key,
        workload,
        try_again_at: Instant::now(),
    };
    loop {
        road.inner.drivers.with(|drivers| {
            if let Some(driver) = drivers.get_mut(&id) {
                driver.build = deploy.build_id;
            }
        });
        let wait = match look(road, &mut work, &deploy, &mut witness, &mut meter).await {
            Ok(Looked::Again(record)) => {
                deploy = *record;
                Duration::ZERO
            }
            Ok(Looked::Wait(wait)) => wait,
            Ok(Looked::TryAgain(wait)) => {
                work.try_again_at = Instant::now() + wait;
                wait
            }
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
    work: &mut Work,
    deploy: &DeployRecord,
    witness: &mut Witness,
    meter: &mut Meter,
) -> Result<Looked, StoreError> {
    let (store, lease) = (&road.parts().store, work.lease);
    let seen = see(road, work, deploy, witness, meter).await?;
    let now = Timestamp::now();
    if seen.answering == 0 {
        // The last try failed by this: once a cluster answers again, it is the time for the next.
        work.try_again_at = Instant::now();
    }
    let rest = work.try_again_at.saturating_duration_since(Instant::now());
    match state::next(deploy, &seen, now) {
        Next::Apply | Next::Canary(_) if !rest.is_zero() => Ok(Looked::Wait(rest)),
        Next::Write(write) if write.state.is_some_and(has_ended) => {
            Box::pin(end(road, work, deploy, witness, *write)).await
        }
        Next::Wait
            if matches!(
                deploy.state,
                DeployState::Canary | DeployState::RollingOut | DeployState::Verifying
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
        Next::Apply => apply(road, work, deploy, witness).await,
        Next::Canary(pods) => write_canary(road, work, deploy, witness, pods).await,
    }
}

async fn see(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &mut Witness,
    meter: &mut Meter,
) -> Result<Seen, StoreError> {
    use hermez_api::DeployState::{
        Applying, Building, Canary, Pending, Queued, RollingOut, Verifying,
    };
    let (store, key) = (&road.parts().store, &work.key);
    let workload = work.workload.as_ref();
    let waiting = matches!(deploy.state, Pending | Building | Queued);
    let places = road.places(deploy, key);
    let away = places.iter().find(|place| place.answering().is_none());
    let mut seen = Seen {
        connected: away.is_none(),
        answering: places.iter().filter_map(Place::answering).count(),
        away: away
            .filter(|_| places.len() > 1)
            .map(|place| place.name.clone()),
        ..Seen::default()
    };
    if waiting {
        // The build first: its artifact is there before its state says so.
        if let Some(id) = deploy.build_id {
            seen.build = store.build(id).await?;
        }
        let artifact = store.artifact(deploy.workload_id, &deploy.commit).await?;
        seen.artifact = artifact.is_some();
        // Where what it brings out is there, all that it needs to begin is asked for at once.
        let may_begin = deploy.state == Queued || seen.artifact || deploy.manifest.is_some();
        let waits = async {
            if !may_begin && deploy.held.is_none() {
                return Ok(None);
            }
            let manifest = artifact.as_ref().map(|artifact| artifact.manifest.as_str());
            rules::waits(store, workload, deploy, manifest).await
        };
        let plan = async {
            match workload.filter(|_| may_begin) {
                Some(workload) => road.plan_of(deploy, workload, key).await,
                None => Ok(None),
            }
        };
        let replaced_by = async {
            if deploy.kind != DeployKind::Restart {
                return Ok(None);
            }
            let written = store.applied_deploys(deploy.workload_id, 1).await?.pop();
            let other = written.map(|it| it.id);
            Ok(other.filter(|id| deploy.of_deploy.is_some_and(|of| of != *id)))
        };
        let bad = async {
            match &artifact {
                Some(artifact) => store.bad_artifacts(&artifact.digests()).await,
                None => Ok(Vec::new()),
            }
        };
        // The lane last: what it says of others is then as new as all else.
        let (waits, plan, bad, replaced_by) = tokio::try_join!(waits, plan, bad, replaced_by)?;
        (seen.waits, seen.plan, seen.bad) = (waits, plan, bad.into_iter().next());
        seen.replaced_by = replaced_by;
        seen.lane = store.lane_facts(deploy).await?;
    }
    if deploy.state == Canary {
        let declared = |key: &WorkloadKey| road.cluster().ok()?.declared(key);
        seen.running = declared(key).and_then(|declared| declared.replicas);
        let canary = declared(&canary_key(key));
        seen.canary_there = canary.is_some_and(|it| it.deploy_id == Some(deploy.id));
    }
    if matches!(deploy.state, Canary | RollingOut | Verifying) {
        let there = places.iter().filter_map(|place| {
            let cluster = place.cluster.as_ref()?;
            Some((place, cluster, cluster.rollout(&place.key, deploy.id)))
        });
        let there: Vec<_> = there.collect();
        let rollouts = there.iter().map(|(place, _, rollout)| {
            let rollout = without_secrets(rollout.clone());
            (place.name.clone(), rollout)
        });
        seen.rollout = waves::together(rollouts.collect());
        if matches!(deploy.state, Canary | Verifying) {
            seen.measured = meter.look(road, deploy, key, &places).await;
        } else if state::is_past(deploy, Timestamp::now()) {
            let mut lates = there
                .iter()
                .map(|(place, cluster, _)| cluster.late(&place.key));
            seen.late = lates.find_map(|late| late);
        }
        for (place, cluster, rollout) in &there {
            // Only then are the newest pods this deploy's own.
            if matches!(rollout, Rollout::Progressing { .. }) {
                witness.look(road, (work.lease, deploy), cluster, &place.key);
            }
        }
        let pods = road.pods_reached(deploy, key);
        match seen.rollout {
            Some(Rollout::Waiting { .. }) | None => witness.pods.look_before(&pods),
            _ => witness.pods.look(store, work.lease, deploy, &pods).await?,
        }
    }
    if deploy.state == Applying && !seen.connected {
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

/// Notes of a deploy that ends while it is applied that there is something of it in a cluster: the
/// answer was lost, and whoever restarts or rolls back must know what the cluster was told last.
async fn note_written(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
) -> Result<Option<DeployRecord>, StoreError> {
    let store = &road.parts().store;
    let is_in = |place: &Place| {
        let cluster = place.cluster.as_ref();
        let there = cluster.and_then(|cluster| cluster.declared(&place.key));
        there.is_some_and(|it| it.deploy_id == Some(deploy.id))
    };
    let is_unknown = deploy.state == DeployState::Applying && deploy.applied_at.is_none();
    if !is_unknown || !road.places(deploy, &work.key).iter().any(is_in) {
        return Ok(None);
    }
    let Some(manifest) = manifest_reference(store, deploy).await? else {
        return Ok(None);
    };
    let paused = deploy.paused_by.is_some();
    let knows = DeployWrite {
        applied: Some(Applied { manifest, paused }),
        ..DeployWrite::default()
    };
    store
        .write_deploy(work.lease, &knows, Timestamp::now())
        .await
}

/// Ends a deploy: what it has found when it failed, its canary taken away, and only then its end.
async fn end(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &Witness,
    mut write: DeployWrite,
) -> Result<Looked, StoreError> {
    let (lease, key) = (work.lease, &work.key);
    let noted = note_written(road, work, deploy).await?;
    let deploy = noted.as_ref().unwrap_or(deploy);
    let failed = receipt::is_failure(&write);
    write.forget_containers = witness.has_written();
    if failed {
        let gather = receipt::with_evidence(road, deploy, key, witness, write);
        write = Box::pin(gather).await;
    }
    if canary::has_canary(deploy)
        && let Err(error) = road.remove_canary(key).await
    {
        let answers = road.cluster().is_ok_and(|it| *it.connected().borrow());
        if answers && error.is_transient() {
            tracing::info!(deploy = deploy.id, %error, "a canary cannot be taken away yet; trying again");
            return Ok(Looked::Wait(AFTER_ERROR));
        }
        let message = write.message.unwrap_or_default();
        write.message = Some(format!(
            "{message}; its canary is taken away when the cluster answers"
        ));
    }
    let written = if failed {
        gates::write_failure(road, lease, deploy, write).await?
    } else {
        let store = &road.parts().store;
        store.write_deploy(lease, &write, Timestamp::now()).await?
    };
    Ok(looked(written))
}
