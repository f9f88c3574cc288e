//! Works on builds: a commit's tree is exported, its images are built and pushed, its manifest is
//! pinned and published, and the artifact's row ends the build.
//!
//! A build that its process lost starts again from the beginning, which does no harm: BuildKit has
//! its steps cached, images and manifests have the digests of their content, and the artifact's
//! row is written once, by the holder of the lease.

use std::time::Duration;

use hermez_build::BuildError;
use hermez_store::{BuildOutcome, BuildRecord, Lease, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::{TryError, attempt};
use crate::{Road, progress};

/// How long a build may be without a sign of life from its builder.
const LEASE_MS: i64 = 30_000;
/// How often a builder gives one, and looks whether somebody wants the build stopped.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Longest time between two looks for work that nobody announced.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Times that a build waits for something that is down before it fails: about five minutes.
const MOST_WAITS: i32 = 8;
/// Longest wait between two tries.
const LONGEST_WAIT_S: i64 = 60;

/// Builds what is queued until `shutdown`.
pub(crate) async fn run(road: &Road, shutdown: &CancellationToken) {
    if let Err(error) = tokio::fs::remove_dir_all(&road.parts().work_dir).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "what an earlier server left of its builds could not be removed");
    }
    let concurrency = road.parts().build_concurrency.clamp(1, 64);
    let builders = TaskTracker::new();
    for _ in 0..concurrency {
        builders.spawn(work(road.clone(), shutdown.clone()));
    }
    builders.close();
    builders.wait().await;
}

/// One builder.
async fn work(road: Road, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let woken = road.inner.builds.notified();
        tokio::pin!(woken);
        // Registered before looking, so that nothing asked for in between is missed.
        woken.as_mut().enable();
        match road
            .parts()
            .store
            .acquire_build(&road.inner.owner, Timestamp::now(), LEASE_MS)
            .await
        {
            Ok(Some((lease, build))) => {
                let id = build.id;
                match Box::pin(attend(&road, lease, build, &shutdown)).await {
                    Ok(()) => {}
                    Err(StoreError::LeaseLost { .. }) => {
                        tracing::info!(build = id, "another builder has this build now");
                    }
                    Err(error) => {
                        tracing::error!(build = id, %error, "how a build ended could not be written; it starts again when its lease ends");
                    }
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot look for builds"),
        }
        let wait = until_next(&road).await;
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// How long until a build becomes due by time alone.
async fn until_next(road: &Road) -> Duration {
    let due = road.parts().store.next_build_due().await.ok().flatten();
    let wait = due.map(|due| {
        Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
    });
    wait.unwrap_or(LOOK_AGAIN)
        .clamp(Duration::from_millis(100), LOOK_AGAIN)
}

/// Says how a build goes on. How it ends matters more than a line that could not be kept.
async fn say(store: &Store, lease: Lease, text: &str) -> Result<(), StoreError> {
    match progress::say(store, lease, text).await {
        Err(error) if error.is_transient() => {
            tracing::warn!(build = lease.id, %error, "a line of a build's log could not be kept");
            Ok(())
        }
        said => said,
    }
}

/// How the watch over a try ends.
#[derive(Debug)]
enum End<T> {
    /// The try itself ended.
    Tried(T),
    /// Another builder has the build now.
    LeaseLost(StoreError),
    /// The server stops.
    Shutdown,
}

/// Works on one leased build and writes how it ended.
async fn attend(
    road: &Road,
    lease: Lease,
    build: BuildRecord,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    let store = &road.parts().store;
    let cancel = CancellationToken::new();
    let folder = road.parts().work_dir.join(build.id.to_string());
    let trying = Box::pin(attempt(road, lease, &build, folder.clone(), cancel.clone()));
    let renew = || store.renew_build(lease, Timestamp::now(), LEASE_MS);
    let end = watch(trying, renew, &cancel, shutdown).await;
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "a build's files could not be removed");
    }
    let result = match end {
        End::Tried(result) => result,
        End::LeaseLost(error) => return Err(error),
        End::Shutdown => {
            say(
                store,
                lease,
                "the server stops; the build starts again with the next one",
            )
            .await?;
            return store.release_build(lease).await;
        }
    };
    let now = Timestamp::now();
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(TryError::Build(BuildError::Canceled)) => BuildOutcome::Canceled,
        Err(_) if cancel.is_cancelled() => BuildOutcome::Canceled,
        Err(error) => failed(&error, build.waits, now),
    };
    let word = match &outcome {
        BuildOutcome::Succeeded { manifest, .. } => format!("published {manifest}"),
        BuildOutcome::Failed { error, .. } => error.clone(),
        BuildOutcome::Canceled => "canceled".to_owned(),
        BuildOutcome::Waiting { message, .. } => format!("{message}; trying again"),
    };
    say(store, lease, &word).await?;
    store.finish_build(lease, outcome, now).await?;
    Ok(())
}

/// Watches over a try: gives the signs of life by `renew`, and hears from it that the try shall stop.
///
/// The try goes on while a sign of life is written. Both need the database, which on SQLite has one
/// connection for writing: if either stood still in the middle of its write while the other waits for
/// the connection, both would wait until that times out.
async fn watch<T, R>(
    trying: impl Future<Output = T>,
    renew: impl Fn() -> R,
    cancel: &CancellationToken,
    shutdown: &CancellationToken,
) -> End<T>
where
    R: Future<Output = Result<bool, StoreError>>,
{
    let living = async {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            heartbeat.tick().await;
            match renew().await {
                Ok(true) => cancel.cancel(),
                Ok(false) => {}
                Err(error @ StoreError::LeaseLost { .. }) => return error,
                Err(error) => tracing::warn!(%error, "a build's lease could not be prolonged"),
            }
        }
    };
    tokio::select! {
        result = trying => End::Tried(result),
        error = living => End::LeaseLost(error),
        () = shutdown.cancelled() => End::Shutdown,
    }
}

/// How a try that went wrong ends: for good, or with another try later.
fn failed(error: &TryError, waits: i32, now: Timestamp) -> BuildOutcome {
    let message = error.message();
    if error.is_transient() && waits < MOST_WAITS {
        let seconds = (2_i64 << waits.clamp(0, 10)).min(LONGEST_WAIT_S);
        return BuildOutcome::Waiting {
            message,
            not_before: now + SignedDuration::from_secs(seconds),
        };
    }
    BuildOutcome::Failed {
        error: message,
        hint: error.hint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_down() -> TryError {
        TryError::Build(BuildError::RegistryUnavailable {
            registry: "r".into(),
            message: "refused".into(),
        })
    }

    #[tokio::test]
    async fn a_try_goes_on_while_a_sign_of_life_waits_for_it() {
        // The database's one connection for writing.
        let connection = tokio::sync::Mutex::new(());
        let signs = std::sync::atomic::AtomicU32::new(0);
        let trying = async {
            let held = connection.lock().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(held);
            // The sign of life was waiting meanwhile, and has its turn.
            let _again = connection.lock().await;
        };
        let renew = async || {
            let _held = connection.lock().await;
            signs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(false)
        };
        let (cancel, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let end = watch(trying, renew, &cancel, &shutdown);
        let end = tokio::time::timeout(Duration::from_secs(10), end).await;
        assert!(matches!(end, Ok(End::Tried(()))), "{end:?}");
        assert_eq!(signs.into_inner(), 1);
    }

    #[tokio::test]
    async fn a_sign_of_life_brings_the_wish_to_stop_or_the_loss_of_the_lease() {
        let (cancel, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let end = watch(cancel.cancelled(), async || Ok(true), &cancel, &shutdown).await;
        assert!(
            matches!(end, End::Tried(())) && cancel.is_cancelled(),
            "{end:?}"
        );
        let lost = async || {
            Err(StoreError::LeaseLost {
                what: "build",
                id: 1,
            })
        };
        let end = watch(std::future::pending::<()>(), lost, &cancel, &shutdown).await;
        assert!(matches!(end, End::LeaseLost(_)), "{end:?}");
    }

    #[test]
    fn what_is_down_is_waited_for_longer_and_longer_and_then_it_fails() {
        let now = Timestamp::UNIX_EPOCH;
        let wait = |waits| match failed(&mk_down(), waits, now) {
            BuildOutcome::Waiting { not_before, .. } => {
                Some(not_before.duration_since(now).as_secs())
            }
            _ => None,
        };
        let waits: Vec<Option<i64>> = (0..=MOST_WAITS).map(wait).collect();
        let expected = [2, 4, 8, 16, 32, 60, 60, 60]
            .map(Some)
            .into_iter()
            .chain([None]);
        assert_eq!(waits, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_the_user_must_mend_fails_at_once() {
        let error = TryError::Build(BuildError::DockerfileMissing {
            path: "Dockerfile".into(),
        });
        assert!(matches!(
            failed(&error, 0, Timestamp::UNIX_EPOCH),
            BuildOutcome::Failed { hint: Some(_), .. }
        ));
    }
}
