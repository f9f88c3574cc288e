//! Works on previews: sleep, wake, removal, and what the forge is told. Woken by changes; a slow
//! timer catches what was missed, and timers that are over.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;
use hermez_api::PreviewState;
use hermez_cluster::{ClusterError, WorkloadKey};
use hermez_kinds::Kind;
use hermez_source::{CommitId, RepositoryUrl};
use hermez_store::{Change, Lease, PreviewRecord, PreviewWrite, StoreError, WorkloadRecord};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Facts, Step};
use super::news::{News, Places, news};
use crate::{Road, RoadError};

/// Longest time between two looks at all previews.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The same while one may be awake any moment.
const WHILE_WAKING: Duration = Duration::from_millis(200);
/// How long a look at one preview may take before another server may look.
const LEASE_MS: i64 = 120_000;
/// Previews of one query, and those that are worked on at the same time.
const PAGE: u64 = 200;
const AT_ONCE: usize = 4;
/// Steps of one look.
const MAX_STEPS: usize = 6;
/// Tries to tell the forge that a preview is gone.
const MAX_TRIES: i32 = 10;

/// Works on previews until `shutdown`.
pub(crate) async fn run(road: &Road, shutdown: &CancellationToken) {
    let mut changes = road.parts().store.changes();
    // The next look at all; at the next one at the latest what was missed is found.
    let mut due = Instant::now();
    loop {
        let mut some: HashSet<i64> = HashSet::new();
        let mut all = false;
        tokio::select! {
            change = changes.recv() => match change {
                Ok(Change::Missed) | Err(RecvError::Lagged(_)) => all = true,
                Ok(change) => heard(road, &change, &mut some).await,
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep_until(due) => all = true,
            () = shutdown.cancelled() => return,
        }
        // What was announced meanwhile is looked at with it.
        while let Ok(change) = changes.try_recv() {
            all |= change == Change::Missed;
            heard(road, &change, &mut some).await;
        }
        let waking = if all {
            look_at_all(road, shutdown).await
        } else if some.is_empty() {
            continue;
        } else {
            look_at(road, some.into_iter().collect(), shutdown).await
        };
        if all {
            due = Instant::now() + LOOK_AGAIN;
        }
        if waking {
            due = due.min(Instant::now() + WHILE_WAKING);
        }
    }
}

async fn heard(road: &Road, change: &Change, some: &mut HashSet<i64>) {
    let store = &road.parts().store;
    match change {
        Change::Preview(id) => {
            some.insert(*id);
        }
        Change::Deploy(id) => {
            let found = async {
                let deploy = store.deploy(*id).await.ok()??;
                let number = deploy.pull_request?;
                store.preview(deploy.workload_id, number).await.ok()?
            };
            some.extend(found.await.map(|preview: PreviewRecord| preview.id));
        }
        Change::Build(_)
        | Change::BuildLog(_)
        | Change::Workload(_)
        | Change::Rules
        | Change::Marked(_)
        | Change::Missed => {}
    }
}

/// Looks at every preview that is not settled; whether one of them may be awake any moment.
async fn look_at_all(road: &Road, shutdown: &CancellationToken) -> bool {
    let (mut after, mut waking) = (0, false);
    loop {
        let found = match road.parts().store.unsettled_previews(after, PAGE).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot look for previews");
                return waking;
            }
        };
        let ids: Vec<i64> = found.iter().map(|preview| preview.id).collect();
        let last = ids.last().copied();
        let full = ids.len() as u64 == PAGE;
        waking |= look_at(road, ids, shutdown).await;
        match last {
            Some(last) if full && !shutdown.is_cancelled() => after = last,
            _ => return waking,
        }
    }
}

async fn look_at(road: &Road, ids: Vec<i64>, shutdown: &CancellationToken) -> bool {
    let looks = futures::stream::iter(ids).map(|id| async move {
        if shutdown.is_cancelled() {
            return false;
        }
        match one(road, id).await {
            Ok(waking) => waking,
            Err(error) => {
                tracing::info!(preview = id, %error, "a preview could not be worked on; trying again");
                false
            }
        }
    });
    let waking: Vec<bool> = looks.buffer_unordered(AT_ONCE).collect().await;
    waking.contains(&true)
}

/// Takes one preview as far as it goes now; whether it may be awake any moment.
async fn one(road: &Road, id: i64) -> Result<bool, RoadError> {
    let store = &road.parts().store;
    let Some(preview) = store.preview_by_id(id).await? else {
        return Ok(false);
    };
    let Some(workload) = store.workload_by_id(preview.workload_id).await? else {
        return Ok(false);
    };
    // Most have nothing to be done: they cost no write.
    let now = Timestamp::now();
    let facts = see(road, &preview, &workload).await?;
    if decide::next(&preview, &facts, now) == Step::Wait {
        let (_, digest) = news_of(road, &preview, &workload).await?;
        let told = digest == preview.told && preview.state != PreviewState::Removed;
        if told || now < preview.retry_at {
            return Ok(decide::wakes_soon(&preview, now));
        }
    }
    let (owner, now) = (&road.inner.owner, Timestamp::now());
    let Some((lease, _)) = store.lease_preview(id, owner, now, LEASE_MS).await? else {
        return Ok(false);
    };
    let worked = steps(road, lease).await;
    store.release_preview(lease).await?;
    worked
}

async fn steps(road: &Road, lease: Lease) -> Result<bool, RoadError> {
    let store = &road.parts().store;
    for _ in 0..MAX_STEPS {
        let Some(preview) = store.preview_by_id(lease.id).await? else {
            return Ok(false);
        };
        let Some(workload) = store.workload_by_id(preview.workload_id).await? else {
            return Ok(false);
        };
        let facts = see(road, &preview, &workload).await?;
        let now = Timestamp::now();
        match decide::next(&preview, &facts, now) {
            Step::Wait => {
                tell(road, lease, &preview, &workload).await?;
                return Ok(decide::wakes_soon(&preview, now));
            }
            step => act(road, lease, &preview, &workload, step, now).await?,
        }
    }
    Ok(false)
}

fn key_of(preview: &PreviewRecord, workload: &WorkloadRecord) -> WorkloadKey {
    WorkloadKey {
        namespace: workload.namespace.clone(),
        name: preview.instance.clone(),
    }
}

async fn see(
    road: &Road,
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
) -> Result<Facts, StoreError> {
    let cluster = road.parts().cluster.borrow().clone();
    let cluster = cluster.filter(|cluster| *cluster.connected().borrow());
    let settings = &workload.previews;
    Ok(Facts {
        workload_lives: workload.deleted_at.is_none(),
        can_sleep: Kind::from_spelling(&workload.kind).is_some_and(hermez_kinds::preview::sleeps),
        deploying: road.parts().store.is_deploying(preview).await?,
        ready: cluster.map(|cluster| cluster.ready_pods(&key_of(preview, workload)).len()),
        idle: SignedDuration::from_mins(i64::from(settings.idle_minutes)),
        expiry: SignedDuration::from_hours(24 * i64::from(settings.expiry_days)),
    })
}

async fn act(
    road: &Road,
    lease: Lease,
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
    step: Step,
    now: Timestamp,
) -> Result<(), RoadError> {
    let store = &road.parts().store;
    let key = key_of(preview, workload);
    let mut write = PreviewWrite::default();
    match step {
        Step::Wait => return Ok(()),
        Step::Remove(why) => {
            road.remove_by_itself(preview, workload, &why).await?;
            return Ok(());
        }
        Step::Delete => {
            if let Some(kind) = Kind::from_spelling(&workload.kind)
                && preview.applied_replicas.is_some()
            {
                road.cluster()?.delete(kind, &key).await?;
            }
            write.state = Some(PreviewState::Removed);
        }
        Step::Sleep => write.state = Some(PreviewState::Sleeping),
        Step::Scale(replicas) => {
            let kind = Kind::from_spelling(&workload.kind).unwrap_or(Kind::Service);
            match road.cluster()?.set_replicas(kind, &key, replicas).await {
                // Somebody deleted it; the next deploy makes it again.
                Ok(()) | Err(ClusterError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
            write.applied_replicas = Some(replicas);
        }
        Step::Awake(took) => {
            write.state = Some(PreviewState::Active);
            write.last_wake_ms = Some(took);
        }
        Step::Check => {
            if let Err(error) = road
                .follow_pull(workload.repository_id, preview.pull_request)
                .await
            {
                tracing::info!(%error, preview = preview.instance, "the forge could not be asked about a pull request");
            }
            write.checked_at = Some(now);
        }
    }
    let scaled = write.applied_replicas.is_some();
    let written = store
        .write_preview(lease, preview.state, &write, now)
        .await?;
    if scaled && !written {
        // Somebody woke it, or let it sleep, at the same moment: what the cluster was told last is
        // anybody's guess.
        store.forget_applied(lease).await?;
    }
    Ok(())
}

/// What the forge is to be told, and its digest.
async fn news_of(
    road: &Road,
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
) -> Result<(News, String), StoreError> {
    let deploy = road.parts().store.latest_deploy_of(preview).await?;
    let places = Places {
        preview: road.preview_url(preview),
        hermez: road.parts().public_url.clone(),
    };
    let news = news(preview, workload, deploy.as_ref(), &places);
    let digest = news.digest(&preview.head_commit);
    Ok((news, digest))
}

/// Tells the forge what is new; what cannot be told is told later.
async fn tell(
    road: &Road,
    lease: Lease,
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
) -> Result<(), RoadError> {
    let store = &road.parts().store;
    let now = Timestamp::now();
    let removed = preview.state == PreviewState::Removed;
    let (news, digest) = news_of(road, preview, workload).await?;
    let mut write = PreviewWrite::default();
    if digest == preview.told {
        write.settled = removed;
    } else if now < preview.retry_at {
        return Ok(());
    } else {
        let repository = store.repository(workload.repository_id).await?;
        let url = match &repository {
            Some(repository) => RepositoryUrl::parse(&repository.url).ok(),
            None => None,
        };
        let forge = url.as_ref().and_then(|url| road.forge_of(url));
        if let (Some(Ok(forge)), Some(url)) = (forge, url) {
            let told = async {
                let (number, known) = (preview.pull_request, preview.comment_id);
                let comment = forge
                    .set_comment(&url, number, known, &news.marker, &news.comment)
                    .await?;
                if let Ok(commit) = CommitId::parse(&preview.head_commit) {
                    forge.set_status(&url, &commit, &news.status).await?;
                }
                Ok::<_, hermez_source::forge::ForgeError>(comment)
            };
            match told.await {
                Ok(comment) => {
                    write.comment_id = Some(comment);
                    write.told = Some(digest);
                    write.tries = Some((0, now));
                    write.settled = removed;
                }
                Err(error) => {
                    tracing::info!(%error, preview = preview.instance, "the forge could not be told of a preview");
                    let tries = preview.tries.saturating_add(1);
                    let wait = SignedDuration::from_secs(2 << tries.clamp(0, 8));
                    write.tries = Some((tries, now + wait));
                    write.settled = removed && tries >= MAX_TRIES;
                }
            }
        } else {
            // There is no forge to be told.
            write.told = Some(digest);
            write.settled = removed;
        }
    }
    store
        .write_preview(lease, preview.state, &write, now)
        .await?;
    Ok(())
}
