//! Following: lines as they come, of the containers that there are and of those that start later.
//!
//! A container is read again from its last line after a restart and after an outage; lines that
//! come twice (the API server counts in whole seconds) are left out by their times.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use super::lines::Line;
use super::sources::Source;
use super::{Position, Positions, Reader, Sender};
use crate::view::ContainerState;
use crate::{ClusterError, WorkloadKey};

/// Pause before a broken stream is opened again.
const PAUSE: Duration = Duration::from_millis(500);
/// Wait for news of a container whose stream has ended, before it is opened again.
const AGAIN: Duration = Duration::from_secs(3);

/// How the reading of one stream came to its end.
enum End {
    /// The container's run is over.
    Over,
    /// The connection broke.
    Broken,
    /// Nobody reads any more.
    ReaderLeft,
}

/// A container's newest run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Whether it goes on.
    pub runs: bool,
    /// Whether there is a log of it: it runs, or has ended.
    pub has_log: bool,
    /// Which run it is.
    pub restarts: i32,
    /// Whether none will come after it.
    pub is_last: bool,
}

/// The API server reads times as whole seconds, and the client would round them up.
pub(super) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl Reader {
    /// Follows until the pod that was asked for is gone, or nobody reads any more.
    pub(super) async fn follow(
        self: &Arc<Self>,
        sender: &Sender,
        positions: Positions,
    ) -> Result<(), ClusterError> {
        let mut changes = self.shared.changes();
        let mut positions = positions;
        let mut tasks: HashMap<Source, AbortOnDropHandle<()>> = HashMap::new();
        loop {
            let sources = self.sources();
            tasks.retain(|source, task| sources.contains(source) || !task.is_finished());
            if self.request.pod.is_some() && sources.is_empty() && tasks.is_empty() {
                return Ok(());
            }
            for source in sources {
                let position = positions.remove(&source);
                tasks.entry(source.clone()).or_insert_with(|| {
                    let task = Arc::clone(self).tail(source, sender.clone(), position);
                    AbortOnDropHandle::new(tokio::spawn(task))
                });
            }
            tokio::select! {
                () = sender.closed() => return Ok(()),
                changed = self.changed(&mut changes) => changed?,
                // The last lines of a pod that is gone may still be on their way.
                () = tokio::time::sleep(PAUSE), if self.request.pod.is_some() => {}
            }
        }
    }

    /// Waits for a change of this workload.
    async fn changed(
        &self,
        changes: &mut broadcast::Receiver<WorkloadKey>,
    ) -> Result<(), ClusterError> {
        loop {
            match changes.recv().await {
                Ok(key) if key != self.key => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return Ok(()),
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(ClusterError::Unreachable("Hermez is ending".into()));
                }
            }
        }
    }

    /// Follows one container until its pod is gone. `position` is there when its old lines were
    /// passed on already.
    async fn tail(self: Arc<Self>, source: Source, sender: Sender, position: Option<Position>) {
        let mut changes = self.shared.changes();
        let mut last = position.and_then(|position| position.last);
        // Old lines were asked for, and none of them was wanted: the first run begins at its end.
        let mut from_end = position.is_some() && self.request.tail_lines == Some(0);
        let mut finished = None;
        while let Some(run) = self.run_of(&source) {
            if finished.is_some_and(|restarts| restarts != run.restarts) {
                from_end = false;
            }
            if !run.has_log || finished == Some(run.restarts) {
                let changed = tokio::time::timeout(AGAIN, self.changed(&mut changes)).await;
                if run.is_last || matches!(changed, Ok(Err(_))) {
                    return;
                }
                if changed.is_err() && run.runs {
                    // The stream ended, and the container has not: the API server may restart.
                    finished = None;
                }
                continue;
            }
            let mut params = self.params(&source);
            params.follow = true;
            params.tail_lines = (from_end && last.is_none()).then_some(0);
            params.since_time = last.or(self.request.since).map(whole_second);
            let end = match self.open(&source, params).await {
                Ok(lines) => self.pass_on(&source, lines, &sender, &mut last).await,
                Err(ClusterError::NotFound(_)) => return,
                Err(_) => End::Broken,
            };
            match end {
                End::ReaderLeft => return,
                End::Over => finished = Some(run.restarts),
                End::Broken => self.pause().await,
            }
        }
    }

    /// What the container does; nothing when its pod is gone.
    pub(super) fn run_of(&self, source: &Source) -> Option<Run> {
        let pod = self.shared.index().pods.named(&self.key, &source.pod)?;
        let container = pod.containers.iter().find(|c| c.name == source.container)?;
        let ended_well = container.end.as_ref().is_some_and(|end| end.exit_code == 0);
        let is_over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
        let init_done = container.init && !container.sidecar && ended_well;
        let ended = container.state == ContainerState::Terminated;
        Some(Run {
            runs: container.state == ContainerState::Running,
            has_log: container.state != ContainerState::Waiting || container.end.is_some(),
            restarts: container.restarts,
            is_last: ended && (is_over || init_done || pod.deleting),
        })
    }

    /// Passes lines on until they end, the connection breaks or the cluster is gone.
    async fn pass_on(
        &self,
        source: &Source,
        lines: impl Stream<Item = Result<Line, ClusterError>>,
        sender: &Sender,
        last: &mut Option<Timestamp>,
    ) -> End {
        let mut lines = std::pin::pin!(lines);
        let mut connected = self.shared.link.connected();
        let before = *last;
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                // A connection that hangs says nothing.
                _ = connected.wait_for(|connected| !connected) => return End::Broken,
            };
            let line = match line {
                Some(Ok(line)) => line,
                Some(Err(_)) => return End::Broken,
                None => return End::Over,
            };
            if (before.is_some() && line.at <= before) || line.is_refusal() {
                continue;
            }
            *last = line.at.or(*last);
            if sender.send(Ok(source.dress(line))).await.is_err() {
                return End::ReaderLeft;
            }
        }
    }

    /// Waits a moment, and for the cluster.
    async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
        let mut connected = self.shared.link.connected();
        // An end of the link ends the watches, and with them this.
        let _ = connected.wait_for(|connected| *connected).await;
    }
}
