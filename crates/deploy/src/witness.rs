//! Watches a rollout for containers that fail, and keeps their last lines: pods may be gone, and
//! their logs with them, when the deploy fails.
//!
//! What is kept is in the database too, bounded and without secrets: a server that takes the deploy
//! over goes on with it. Where nothing fails, nothing is asked and nothing is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use hermez_api::{FailedContainer, ReceiptLine};
use hermez_cluster::{Cluster, LogRequest, WorkloadKey};
use hermez_kinds::Config;
use hermez_store::{DeployRecord, Lease, Store, StoreError};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::Road;
use crate::pods::PodWatch;
use crate::receipt::evidence::{MAX_CONTAINERS, MAX_LINES, clip, failing};
use crate::receipt::{SENTENCE_BYTES, mask::Masks, masked};

/// Most containers of which lines are kept; those that failed first go first.
const MAX_KEPT: usize = 2 * MAX_CONTAINERS;
/// Longest time for the lines of one container.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// Pod and container.
type Name = (String, String);

/// Containers that failed, in the order in which they did.
#[derive(Default)]
struct Kept {
    containers: Vec<FailedContainer>,
    /// Whether the database does not have all of it yet.
    unwritten: bool,
}

impl Kept {
    /// Keeps a container in the place of what it was before; the surplus goes.
    fn keep(&mut self, container: FailedContainer) {
        self.containers.retain(|it| name(it) != name(&container));
        self.containers.push(container);
        let surplus = self.containers.len().saturating_sub(MAX_KEPT);
        self.containers.drain(..surplus);
        self.unwritten = true;
    }

    /// Whether the lines of this very end of the container are kept.
    fn knows(&self, container: &FailedContainer) -> bool {
        let same = |it: &&FailedContainer| name(it) == name(container);
        let known = self.containers.iter().find(same);
        known.is_some_and(|it| it.restarts == container.restarts)
    }
}

/// What was seen of one rollout.
#[derive(Default)]
pub(crate) struct Witness {
    /// What was written to the cluster: it names the secrets that must be masked.
    pub manifest: Option<Value>,
    /// Tells what becomes of the pods.
    pub pods: PodWatch,
    kept: Arc<Mutex<Kept>>,
    /// Whether it began with what another server had kept.
    took_over: bool,
    /// The reading that goes on, at most one.
    reading: Option<AbortOnDropHandle<()>>,
}

impl Witness {
    /// Begins with what the server kept that watched the deploy before, where it had come so far.
    pub async fn of(store: &Store, deploy: &DeployRecord) -> Result<Self, StoreError> {
        let mut witness = Self::default();
        if deploy.started_at.is_some() {
            let containers = store.kept_containers(deploy.id).await?;
            witness.took_over = !containers.is_empty();
            witness.kept = Arc::new(Mutex::new(Kept {
                containers,
                unwritten: false,
            }));
        }
        Ok(witness)
    }

    /// Looks for containers that ended since the last look, and reads their lines in the background.
    pub fn look(
        &mut self,
        road: &Road,
        (lease, deploy): (Lease, &DeployRecord),
        cluster: &Cluster,
        key: &WorkloadKey,
    ) {
        if self
            .reading
            .as_ref()
            .is_some_and(|reading| !reading.is_finished())
        {
            return;
        }
        let mut new = failing(&cluster.status(key));
        let unwritten = {
            let kept = locked(&self.kept);
            new.retain(|it| it.exit_code.is_some() && !kept.knows(it));
            kept.unwritten
        };
        if new.is_empty() && !unwritten {
            return;
        }
        let (road, deploy, manifest) = (road.clone(), deploy.clone(), self.manifest.clone());
        let (cluster, key, kept) = (cluster.clone(), key.clone(), Arc::clone(&self.kept));
        let reading = tokio::spawn(async move {
            for mut container in new {
                // What cannot be read now is tried again at the next look.
                let Ok(lines) = read_lines(&cluster, &key, &container).await else {
                    continue;
                };
                container.lines = lines;
                locked(&kept).keep(container);
            }
            write_down(&road, lease, &deploy, manifest, &kept).await;
        });
        self.reading = Some(AbortOnDropHandle::new(reading));
    }

    /// Whether the database may hold something of the deploy.
    pub fn has_written(&self) -> bool {
        self.took_over || self.reading.is_some()
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
        locked(&self.kept).containers.clone()
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what was read. What cannot be written now is written with a later look.
async fn write_down(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    manifest: Option<Value>,
    kept: &Mutex<Kept>,
) {
    if !locked(kept).unwritten {
        return;
    }
    let manifest = match manifest {
        Some(manifest) => Some(manifest),
        None => manifest_of(road, deploy).await,
    };
    // Better no lines than secrets.
    let Some(manifest) = manifest else { return };
    let containers = locked(kept).containers.clone();
    let containers = written(containers, &Masks::of([&manifest]));
    match road.parts().store.keep_containers(lease, &containers).await {
        // Whoever holds the deploy now has what was written before, or the deploy has ended.
        Ok(()) | Err(StoreError::LeaseLost { .. }) => locked(kept).unwritten = false,
        Err(error) => {
            tracing::warn!(deploy = deploy.id, %error, "the last lines of a container that failed are not written down yet");
        }
    }
}

/// What another server has written to the cluster.
async fn manifest_of(road: &Road, deploy: &DeployRecord) -> Option<Value> {
    let mut missing = Vec::new();
    let found = Box::pin(road.version(deploy, &mut missing)).await;
    let (_, text) = found.ok()?;
    let config = Config::from_manifest(text?.as_bytes()).ok()?;
    Some(config.resource.to_json())
}

/// Containers as they are written down: without secrets, and within the bounds of a receipt.
fn written(containers: Vec<FailedContainer>, masks: &Masks) -> Vec<FailedContainer> {
    let masked = masked(containers, masks).into_iter();
    let bounded = masked.map(|it| FailedContainer {
        message: it.message.map(|message| clip(&message, SENTENCE_BYTES)),
        ..it
    });
    bounded.collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_container(pod: &str, restarts: i32, lines: &[&str]) -> FailedContainer {
        let lines = lines.iter().map(|text| ReceiptLine {
            at: None,
            text: (*text).to_owned(),
        });
        FailedContainer {
            pod: pod.to_owned(),
            container: "app".to_owned(),
            gone: false,
            state: "Error".to_owned(),
            message: None,
            exit_code: Some(1),
            restarts,
            lines: lines.collect(),
        }
    }

    #[test]
    fn the_newest_end_of_each_container_is_kept_and_no_more_than_the_bound() {
        let mut kept = Kept::default();
        kept.keep(mk_container("a", 0, &["first"]));
        assert!(kept.unwritten && kept.knows(&mk_container("a", 0, &[])));
        assert!(!kept.knows(&mk_container("a", 1, &[])), "it ended again");
        kept.keep(mk_container("a", 1, &["second"]));
        assert_eq!(kept.containers, [mk_container("a", 1, &["second"])]);
        for pod in 0..MAX_KEPT {
            kept.keep(mk_container(&format!("b{pod}"), 0, &[]));
        }
        assert_eq!(kept.containers.len(), MAX_KEPT);
        assert!(
            !kept.knows(&mk_container("a", 1, &[])),
            "what failed first goes"
        );
    }

    #[test]
    fn what_is_written_down_has_no_secrets_and_an_end() {
        let manifest = json!({"env": [{"name": "DB_PASSWORD", "value": "correct horse"}]});
        let masks = Masks::of([&manifest]);
        let long = "x".repeat(1 << 16);
        let early: Vec<String> = (0..1000).map(|line| format!("line {line}")).collect();
        let mut lines: Vec<&str> = early.iter().map(String::as_str).collect();
        lines.extend(["I am correct horse", &long]);
        let mut container = mk_container("a", 0, &lines);
        container.message = Some(format!("correct horse {long}"));
        let written = written(vec![container], &masks);
        let text = serde_json::to_string(&written).unwrap();
        assert!(!text.contains("horse"), "{text}");
        assert!(text.len() < 32 * 1024, "{} bytes", text.len());
        let lines = &written[0].lines;
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[MAX_LINES - 2].text, "I am ***");
        assert!(lines[MAX_LINES - 1].text.starts_with("xxx"));
    }
}
