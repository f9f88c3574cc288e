//! Installs the CRDs and runs the controllers, for as long as the server runs: the cluster may be
//! away when they start, and come and go later.

use std::sync::Arc;
use std::time::Duration;

use hermez_cluster::Cluster;
use hermez_kinds::RuntimeProfile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// How long reconciles that are under way may take to end after `shutdown`.
const GRACE: Duration = Duration::from_secs(1);

/// Runs the controllers until `shutdown`, beginning again with a growing pause when they fail.
pub async fn keep_running(
    cluster: Cluster,
    profile: watch::Receiver<Arc<RuntimeProfile>>,
    metrics: hermez_controller::Metrics,
    shutdown: CancellationToken,
) {
    let mut pause = RETRY_FIRST;
    while !shutdown.is_cancelled() {
        match once(&cluster, &profile, &metrics, &shutdown, &mut pause).await {
            Ok(()) if shutdown.is_cancelled() => return,
            Ok(()) => tracing::warn!("the controllers ended; starting them again"),
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "the controllers cannot run; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_LAST),
            () = shutdown.cancelled() => return,
        }
    }
}

async fn once(
    cluster: &Cluster,
    profile: &watch::Receiver<Arc<RuntimeProfile>>,
    metrics: &hermez_controller::Metrics,
    shutdown: &CancellationToken,
    pause: &mut Duration,
) -> Result<(), hermez_controller::ControllerError> {
    tokio::select! {
        installed = hermez_controller::install_crds(cluster.client()) => installed?,
        () = shutdown.cancelled() => return Ok(()),
    }
    tracing::info!("the cluster serves Hermez's resources; the controllers run");
    *pause = RETRY_FIRST;
    let running = hermez_controller::run(
        cluster.client(),
        profile.clone(),
        shutdown.clone(),
        metrics.clone(),
    );
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = running => ended,
        // A reconcile that hangs on the cluster is done again at the next start.
        () = overdue => {
            tracing::info!("the controllers did not end in time; what they were at is done again at the next start");
            Ok(())
        }
    }
}
