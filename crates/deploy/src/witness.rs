//! Watches a rollout for containers that fail, and keeps their last lines: pods may be gone, and
//! their logs with them, when the deploy fails.
//!
//! What is kept lives in this process alone; a server that takes a deploy over begins to watch anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use hermez_api::{FailedContainer, ReceiptLine};
use hermez_cluster::{Cluster, LogRequest, WorkloadKey};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::pods::PodWatch;
use crate::receipt::evidence::{MAX_CONTAINERS, MAX_LINES, failing};

/// Most containers of which lines are kept; those that failed first go first.
const MAX_KEPT: usize = 2 * MAX_CONTAINERS;
/// Longest time for the lines of one container.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// Pod and container.
type Name = (String, String);

/// What was seen of one rollout.
#[derive(Default)]
pub(crate) struct Witness {
    /// What was written to the cluster: it names the secrets that must be masked.
    pub manifest: Option<Value>,
    /// Tells what becomes of the pods.
    pub pods: PodWatch,
    kept: Arc<Mutex<Vec<FailedContainer>>>,
    /// The reading that goes on, at most one.
    reading: Option<AbortOnDropHandle<()>>,
}

impl Witness {
    /// Looks for containers that ended since the last look, and reads their lines in the background.
    pub fn look(&mut self, cluster: &Cluster, key: &WorkloadKey) {
        if self
            .reading
            .as_ref()
            .is_some_and(|reading| !reading.is_finished())
        {
            return;
        }
        let mut new = failing(&cluster.status(key));
        new.retain(|it| it.exit_code.is_some() && !self.knows(it));
        if new.is_empty() {
            return;
        }
        let (cluster, key, kept) = (cluster.clone(), key.clone(), Arc::clone(&self.kept));
        let reading = tokio::spawn(async move {
            for mut container in new {
                // What cannot be read now is tried again at the next look.
                let Ok(lines) = read_lines(&cluster, &key, &container).await else {
                    continue;
                };
                container.lines = lines;
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.retain(|it| name(it) != name(&container));
                kept.push(container);
                let surplus = kept.len().saturating_sub(MAX_KEPT);
                kept.drain(..surplus);
            }
        });
        self.reading = Some(AbortOnDropHandle::new(reading));
    }

    /// What was kept of pods other than these, which are still there.
    pub fn kept(&self, there: &[&str]) -> Vec<FailedContainer> {
        let gone = self.all().into_iter();
        let gone = gone.filter(|it| !there.contains(&it.pod.as_str()));
        let gone = gone.map(|it| FailedContainer { gone: true, ..it });
        gone.rev().take(MAX_CONTAINERS).collect()
    }

    /// The lines that were kept.
    pub fn lines(&self) -> BTreeMap<Name, Vec<ReceiptLine>> {
        let all = self.all().into_iter();
        all.map(|it| ((it.pod, it.container), it.lines)).collect()
    }

    fn all(&self) -> Vec<FailedContainer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    fn knows(&self, container: &FailedContainer) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |it: &&FailedContainer| name(it) == name(container);
        kept.iter()
            .find(same)
            .is_some_and(|it| it.restarts == container.restarts)
    }
}

fn name(container: &FailedContainer) -> (&str, &str) {
    (&container.pod, &container.container)
}

/// The last lines of a container that failed: of its run that ended, or of the one that goes on
/// where none has ended. None when it never ran.
pub(crate) async fn read_lines(
    cluster: &Cluster,
    key: &WorkloadKey,
    container: &FailedContainer,
) -> Result<Vec<ReceiptLine>, String> {
    if container.exit_code.is_none() && container.state != "running" {
        return Ok(Vec::new());
    }
    let read = async |previous: bool| {
        let request = LogRequest {
            pod: Some(container.pod.clone()),
            container: Some(container.container.clone()),
            tail_lines: Some(MAX_LINES as i64),
            previous,
            ..LogRequest::default()
        };
        let lines = cluster.logs(key, request).map_ok(|line| ReceiptLine {
            at: line.at,
            text: line.text,
        });
        lines.take(MAX_LINES).try_collect::<Vec<_>>().await
    };
    let read = async {
        // The kubelet may have removed the run that ended; the one that goes on says something.
        if container.exit_code.is_some()
            && let Ok(lines) = read(true).await
            && !lines.is_empty()
        {
            return Ok(lines);
        }
        read(false).await
    };
    match tokio::time::timeout(READ_WITHIN, read).await {
        Ok(lines) => lines.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", READ_WITHIN.as_secs())),
    }
}
