//! What changes, told to every open stream: changes of the database and of the cluster are
//! gathered for a moment, read once, and passed on to all who listen.
//!
//! Nobody listening costs nothing. Where something was missed, by a listener that is too slow or by
//! the server itself, the stream ends; the client comes back and begins with a fresh picture. An event
//! may come twice, never too old.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hermez_api::{BuildSummary, DeploySummary, WorkloadStatus, WorkloadSummary};
use hermez_store::{Change, Store};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster_link::{ClusterChange, ClusterLink};
use crate::views;

/// How long changes are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// Events that a listener may be behind.
const BEHIND: usize = 2048;

/// Something that changed, in the API's shapes.
#[derive(Debug, Clone)]
pub enum LiveEvent {
    /// A workload as the table shows it, and its live status.
    Workload(Box<WorkloadSummary>, Box<WorkloadStatus>),
    /// The repository of a workload was fetched, or the workload's record changed.
    Commits(String),
    /// A workload was deleted.
    Deleted(String),
    /// A build.
    Build(Box<BuildSummary>),
    /// A deploy.
    Deploy(Box<DeploySummary>),
    /// What changed for a time is not known.
    Missed,
}

impl LiveEvent {
    /// The workload that it is about; `None` where it is about all.
    pub fn workload(&self) -> Option<&str> {
        match self {
            Self::Workload(summary, _) => Some(&summary.name),
            Self::Commits(name) | Self::Deleted(name) => Some(name),
            Self::Build(build) => Some(&build.workload),
            Self::Deploy(deploy) => Some(&deploy.workload),
            Self::Missed => None,
        }
    }
}

/// Where listeners come for events; cheap to clone.
#[derive(Clone)]
pub struct Live(broadcast::Sender<Arc<LiveEvent>>);

impl Live {
    /// Starts telling.
    pub fn start(store: Store, cluster: ClusterLink, shutdown: CancellationToken) -> Self {
        let (sender, _) = broadcast::channel(BEHIND);
        let live = Self(sender);
        let teller = Teller {
            live: live.clone(),
            store,
            cluster,
        };
        tokio::spawn(teller.run(shutdown));
        live
    }

    /// Events from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.0.subscribe()
    }
}

/// What is to be read and told next.
#[derive(Debug, Default)]
struct Gathered {
    workloads: HashSet<String>,
    records: HashSet<String>,
    builds: HashSet<i64>,
    deploys: HashSet<i64>,
    marked: HashSet<i64>,
    /// The cluster may be another.
    everything: bool,
    /// The database may be another.
    missed: bool,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.workloads.is_empty()
            && self.records.is_empty()
            && self.builds.is_empty()
            && self.deploys.is_empty()
            && self.marked.is_empty()
            && !self.everything
            && !self.missed
    }

    fn store(&mut self, change: Result<Change, RecvError>) -> bool {
        match change {
            Ok(Change::Build(id)) => self.builds.insert(id),
            Ok(Change::Deploy(id)) => self.deploys.insert(id),
            Ok(Change::Workload(name)) => self.records.insert(name),
            Ok(Change::Marked(id)) => self.marked.insert(id),
            // What it means for a deploy is told by the deploy's own change.
            // A preview's deploys and pods tell the rest; a log has a stream of its own.
            Ok(Change::Rules | Change::Preview(_) | Change::BuildLog(_)) => true,
            Ok(Change::Missed) | Err(RecvError::Lagged(_)) => {
                self.missed = true;
                true
            }
            Err(RecvError::Closed) => return false,
        };
        true
    }

    fn cluster(&mut self, change: Result<ClusterChange, RecvError>) {
        match change {
            Ok(ClusterChange::Workload(key)) => {
                self.workloads.insert(key.name);
            }
            Ok(ClusterChange::Everything) | Err(RecvError::Lagged(_)) => self.everything = true,
            Err(RecvError::Closed) => {}
        }
    }
}

struct Teller {
    live: Live,
    store: Store,
    cluster: ClusterLink,
}

impl Teller {
    async fn run(self, shutdown: CancellationToken) {
        let mut from_store = self.store.changes();
        let mut from_cluster = self.cluster.changes();
        let mut cluster_open = true;
        let mut gathered = Gathered::default();
        let mut due = None;
        loop {
            tokio::select! {
                change = from_store.recv() => if !gathered.store(change) { return },
                change = from_cluster.recv(), if cluster_open => {
                    cluster_open = !matches!(change, Err(RecvError::Closed));
                    gathered.cluster(change);
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = None;
                    self.tell(std::mem::take(&mut gathered)).await;
                },
                () = shutdown.cancelled() => return,
            }
            if due.is_none() && !gathered.is_empty() {
                due = Some(Instant::now() + GATHER);
            }
        }
    }

    fn say(&self, event: LiveEvent) {
        let _ = self.live.0.send(Arc::new(event));
    }

    async fn tell(&self, mut gathered: Gathered) {
        if self.live.0.receiver_count() == 0 {
            // Whoever comes next begins with a fresh picture.
            return;
        }
        if gathered.missed {
            self.say(LiveEvent::Missed);
            return;
        }
        for id in gathered.builds.drain() {
            if let Ok(Some(build)) = self.store.build(id).await {
                self.say(LiveEvent::Build(Box::new(build.summary())));
            }
        }
        for id in gathered.deploys.drain() {
            if let Ok(Some(deploy)) = self.store.deploy(id).await {
                gathered.workloads.insert(deploy.workload.clone());
                self.say(LiveEvent::Deploy(Box::new(deploy.summary())));
            }
        }
        for id in gathered.marked.drain() {
            // Whoever runs the same artifact shows its mark, too.
            match self.store.workloads_with_artifact_of(id).await {
                Ok(names) => gathered.workloads.extend(names),
                Err(error) => tracing::debug!(%error, "who runs a marked artifact cannot be read"),
            }
        }
        for name in gathered.records.drain() {
            self.say(LiveEvent::Commits(name.clone()));
            gathered.workloads.insert(name);
        }
        if gathered.everything {
            self.tell_all().await;
            return;
        }
        for name in gathered.workloads {
            match self.store.workload_row(&name).await {
                Ok(Some(row)) => {
                    let (summary, status) = views::summary_and_status(&row, &self.cluster);
                    self.say(LiveEvent::Workload(Box::new(summary), Box::new(status)));
                }
                Ok(None) => self.say(LiveEvent::Deleted(name)),
                Err(error) => tracing::debug!(%error, "a changed workload cannot be read"),
            }
        }
    }

    /// Tells every workload anew, a page at a time.
    async fn tell_all(&self) {
        let filter = hermez_store::WorkloadFilter::default();
        let mut cursor = None;
        loop {
            let page =
                hermez_store::PageRequest::new(cursor, Some(hermez_store::PageRequest::MAX_LIMIT));
            let Ok(page) = self.store.workloads(&filter, &page).await else {
                return;
            };
            for row in &page.items {
                let (summary, status) = views::summary_and_status(row, &self.cluster);
                self.say(LiveEvent::Workload(Box::new(summary), Box::new(status)));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return;
            }
        }
    }
}
