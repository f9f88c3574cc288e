//! Sees to it that each open deploy has one driver, and wakes drivers when the store or the cluster
//! says that something changed; a slow timer catches what was missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hermez_cluster::{Cluster, WorkloadKey};
use hermez_store::{Change, StoreError};
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Road;
use crate::drive::drive;
use crate::strategy::place::canary_key;

/// Longest time between two looks for deploys that nobody drives.
const SCAN: Duration = Duration::from_secs(5);
/// Deploys found by one query of a scan.
const SCAN_PAGE: u64 = 200;

/// The drivers of this process, by deploy.
#[derive(Default)]
pub(crate) struct Drivers(Mutex<HashMap<i64, Driver>>);

pub(crate) struct Driver {
    wake: Arc<Notify>,
    /// Namespace and name of what it changes; known once the deploy was read.
    pub(crate) key: Option<WorkloadKey>,
    pub(crate) build: Option<i64>,
}

impl Drivers {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut HashMap<i64, Driver>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the place of a deploy's driver; `None` when there is one.
    fn enter(&self, deploy: i64) -> Option<Arc<Notify>> {
        self.with(|drivers| {
            if drivers.contains_key(&deploy) {
                return None;
            }
            let wake = Arc::new(Notify::new());
            drivers.insert(
                deploy,
                Driver {
                    wake: wake.clone(),
                    key: None,
                    build: None,
                },
            );
            Some(wake)
        })
    }

    fn leave(&self, deploy: i64) {
        self.with(|drivers| drivers.remove(&deploy));
    }

    /// Wakes the drivers that `matters` picks; says whether there was one.
    pub(crate) fn wake(&self, matters: impl Fn(i64, &Driver) -> bool) -> bool {
        self.with(|drivers| {
            let mut any = false;
            for (_, driver) in drivers.iter().filter(|(id, driver)| matters(**id, driver)) {
                driver.wake.notify_one();
                any = true;
            }
            any
        })
    }
}

/// Drives what is open until `shutdown`, then lets every driver give its lease back.
pub(crate) async fn run(road: &Road, shutdown: &CancellationToken) {
    let tasks = TaskTracker::new();
    let mut changes = road.parts().store.changes();
    let mut connection = road.parts().cluster.clone();
    let mut scan = tokio::time::interval(SCAN);
    for cluster in std::iter::once(&road.parts().cluster).chain(road.parts().clusters.values()) {
        let listen = listen_to_cluster(road.clone(), cluster.clone(), shutdown.clone());
        tasks.spawn(listen);
    }
    tasks.spawn(sweep_canaries(road.clone(), shutdown.clone()));
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(Change::Missed) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    road.inner.builds.notify_waiters();
                    road.inner.drivers.wake(|_, _| true);
                    scan.reset_immediately();
                }
                Ok(change) => heard(road, &change, &tasks, shutdown),
                Err(broadcast::error::RecvError::Closed) => break,
            },
            _ = scan.tick() => look_for_open(road, &tasks, shutdown).await,
            changed = connection.changed() => if changed.is_ok() {
                road.inner.drivers.wake(|_, _| true);
            } else {
                break;
            },
            () = shutdown.cancelled() => break,
        }
    }
    // Without a connection's sender the rest still works until the end.
    shutdown.cancelled().await;
    tasks.close();
    tasks.wait().await;
}

fn heard(road: &Road, change: &Change, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let drivers = &road.inner.drivers;
    match *change {
        Change::Deploy(id) => {
            if !drivers.wake(|deploy, _| deploy == id) {
                start(road, id, tasks, shutdown);
            }
        }
        Change::Build(id) => {
            drivers.wake(|_, driver| driver.build == Some(id));
            road.inner.builds.notify_waiters();
        }
        Change::BuildLog(_)
        | Change::Workload(_)
        | Change::Preview(_)
        | Change::Marked(_)
        | Change::Missed => {}
        Change::Rules => {
            drivers.wake(|_, _| true);
        }
    }
}

async fn look_for_open(road: &Road, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let mut after = 0;
    loop {
        match road
            .parts()
            .store
            .open_deploys(after, Timestamp::now(), SCAN_PAGE)
            .await
        {
            Ok(found) => {
                for id in &found {
                    start(road, *id, tasks, shutdown);
                }
                match found.last() {
                    Some(last) if found.len() as u64 == SCAN_PAGE => after = *last,
                    _ => return,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for deploys");
                return;
            }
        }
    }
}

/// Passes the cluster's changes on to those that wait for them.
async fn listen_to_cluster(
    road: Road,
    mut clusters: watch::Receiver<Option<Cluster>>,
    shutdown: CancellationToken,
) {
    let cluster = tokio::select! {
        found = clusters.wait_for(Option::is_some) => match found {
            Ok(found) => found.clone(),
            Err(_) => return,
        },
        () = shutdown.cancelled() => return,
    };
    let Some(cluster) = cluster else { return };
    let (mut changes, mut connected) = (cluster.changes(), cluster.connected());
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(key) => {
                    let matters = |own: &WorkloadKey| *own == key || canary_key(own) == key;
                    road.inner.drivers.wake(|_, driver| driver.key.as_ref().is_some_and(matters));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => { road.inner.drivers.wake(|_, _| true); }
                Err(broadcast::error::RecvError::Closed) => return,
            },
            changed = connected.changed() => {
                if changed.is_err() { return; }
                road.inner.drivers.wake(|_, _| true);
            }
            () = shutdown.cancelled() => return,
        }
    }
}

/// Takes leftover canaries away whenever the cluster begins to answer, until `shutdown`.
async fn sweep_canaries(road: Road, shutdown: CancellationToken) {
    let mut clusters = road.parts().cluster.clone();
    let sweep = async {
        let Ok(Some(cluster)) = clusters
            .wait_for(Option::is_some)
            .await
            .map(|it| it.clone())
        else {
            return;
        };
        let mut connected = cluster.connected();
        loop {
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            road.sweep_canaries().await;
            if connected.wait_for(|connected| !*connected).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = sweep => {}
        () = shutdown.cancelled() => {}
    }
}

fn start(road: &Road, id: i64, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let Some(wake) = road.inner.drivers.enter(id) else {
        return;
    };
    let (road, shutdown) = (road.clone(), shutdown.clone());
    tasks.spawn(async move {
        match Box::pin(drive(&road, id, &wake, &shutdown)).await {
            Ok(()) => {}
            Err(StoreError::LeaseLost { .. }) => {
                tracing::info!(deploy = id, "another server drives this deploy now");
            }
            Err(error) => {
                tracing::warn!(deploy = id, %error, "a deploy cannot be driven; trying again");
            }
        }
        let key = road
            .inner
            .drivers
            .with(|drivers| drivers.get(&id).and_then(|driver| driver.key.clone()));
        road.inner.drivers.leave(id);
        // Those that wait for their turn.
        road.inner
            .drivers
            .wake(|_, driver| key.is_some() && driver.key == key);
    });
}
