//! Installs the CRDs and runs the controllers, for as long as the server runs: the cluster may be
//! away when they start, and come and go later, and another replica may lead.

use std::time::Duration;

use hermez_access::{Action, Gate, Principal, Target};
use hermez_cluster::Cluster;
use hermez_controller::{ControllerError, Drift, Offer, Settings};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// How long reconciles that are under way may take to end after `shutdown`, with the lease given back.
const GRACE: Duration = Duration::from_secs(3);

/// What the controllers are run with.
pub struct Controllers {
    /// The cluster.
    pub cluster: Cluster,
    /// The runtime profile.
    pub offers: watch::Receiver<Offer>,
    /// How they run.
    pub settings: Settings,
    /// What they count.
    pub metrics: hermez_controller::Metrics,
}

impl Controllers {
    /// Runs the controllers until `shutdown`, beginning again with a growing pause when they fail.
    pub async fn keep_running(self, shutdown: CancellationToken) {
        let mut pause = RETRY_FIRST;
        while !shutdown.is_cancelled() {
            match self.once(&shutdown, &mut pause).await {
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
        &self,
        shutdown: &CancellationToken,
        pause: &mut Duration,
    ) -> Result<(), ControllerError> {
        tokio::select! {
            installed = hermez_controller::install_crds(self.cluster.client()) => installed?,
            () = shutdown.cancelled() => return Ok(()),
        }
        tracing::info!("the cluster serves Hermez's resources");
        *pause = RETRY_FIRST;
        let running = hermez_controller::lead(
            self.cluster.client(),
            self.offers.clone(),
            self.settings.clone(),
            shutdown.clone(),
            self.metrics.clone(),
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
}

/// Writes every edit that was put back into the record of changes.
pub async fn record_drift(
    gate: Gate,
    mut drifts: mpsc::Receiver<Drift>,
    shutdown: CancellationToken,
) {
    loop {
        let drift = tokio::select! {
            drift = drifts.recv() => drift,
            () = shutdown.cancelled() => return,
        };
        let Some(drift) = drift else { return };
        let detail = json!({
            "kind": drift.kind,
            "namespace": drift.namespace,
            "object": drift.object,
            "fields": drift.fields,
            "manager": drift.manager,
            "operation": drift.operation,
            "at": drift.at,
        });
        let (principal, target) = (Principal::system(), Target::Workload(drift.name));
        let done = async { Ok::<_, std::convert::Infallible>(()) };
        let action = Action::DriftCorrect;
        if let Err(error) = gate.change(&principal, action, target, detail, done).await {
            tracing::warn!(%error, "an edit that was put back is not in the record");
        }
    }
}
