//! What becomes of a workload's pods while a deploy rolls out: what was not told yet (pure), and the
//! watch that tells it.
//!
//! Each change of a pod has a key and is told once within a deploy, also when the server is killed and
//! another one goes on: what was told is read from the timeline first.

use std::collections::{BTreeSet, HashSet};

use hermez_api::{ContainerStatus, PodChange, PodChangeKind, PodStatus, PodVersion};
use hermez_store::{DeployRecord, Lease, MAX_POD_EVENTS, NewPodEvent, Store, StoreError};
use jiff::{SignedDuration, Timestamp};

use crate::receipt::mask::mask;

/// A pod that started this long before the deploy was written was there before: clocks of nodes and
/// of this server may differ a little.
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);
/// Most characters of a reason.
const REASON_CHARS: usize = 300;

/// Version and name.
type Pod = (PodVersion, String);

/// Reasons that every container has while it starts, and one that a crash has told already.
const QUIET: [&str; 3] = ["ContainerCreating", "PodInitializing", "CrashLoopBackOff"];

fn word(version: PodVersion) -> &'static str {
    match version {
        PodVersion::Old => "old",
        PodVersion::New => "new",
    }
}

fn key((version, name): &Pod, stage: &str) -> String {
    format!("{}/{name}/{stage}", word(*version))
}

/// The pod that a key is about.
fn pod_of(key: &str) -> Option<Pod> {
    let mut parts = key.splitn(3, '/');
    let version = match parts.next()? {
        "old" => PodVersion::Old,
        "new" => PodVersion::New,
        _ => return None,
    };
    let name = parts.next()?.to_owned();
    parts.next().map(|_| (version, name))
}

fn pod_id(pod: &PodStatus) -> Pod {
    let version = if pod.updated {
        PodVersion::New
    } else {
        PodVersion::Old
    };
    (version, pod.name.clone())
}

/// What became of a pod: the stage that makes its key, its kind, and what the sentence says of it.
type Stage = (String, PodChangeKind, String);

fn reason(container: &ContainerStatus) -> String {
    let text = match (&container.reason, &container.message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => container.state.clone(),
    };
    mask(&text).chars().take(REASON_CHARS).collect()
}

/// A container that ended with an error; each end has its own stage.
fn crash(container: &ContainerStatus) -> Option<Stage> {
    let code = container.exit_code.filter(|code| *code != 0)?;
    // While it is ended its restart has not been counted yet.
    let ends = container.restarts + i32::from(container.state == "terminated");
    let stage = format!("crashed/{}/{ends}", container.name);
    let name = &container.name;
    let says = match container.reason.as_deref() {
        Some("OOMKilled") => format!("crashed: {name} ran out of memory (exit code {code})"),
        _ => format!("crashed: {name} ended with exit code {code}"),
    };
    Some((stage, PodChangeKind::Crashed, says))
}

fn stages_of_new(pod: &PodStatus, was_ready: bool, now: Timestamp) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut tell = |stage: &str, kind, says: String| stages.push((stage.to_owned(), kind, says));
    match (&pod.node, &pod.message) {
        (Some(node), _) => {
            let says = format!("is scheduled on node {node}");
            tell("scheduled", PodChangeKind::Scheduled, says);
        }
        (None, Some(message)) => {
            let why: String = mask(message).chars().take(REASON_CHARS).collect();
            let says = format!("waits for a node: {why}");
            tell("unscheduled", PodChangeKind::Waiting, says);
        }
        (None, None) => {}
    }
    for container in &pod.containers {
        if let Some((stage, kind, says)) = crash(container) {
            tell(&stage, kind, says);
        }
        let quiet = |reason: &String| QUIET.contains(&reason.as_str());
        if container.state == "waiting"
            && let Some(word) = container.reason.as_ref().filter(|reason| !quiet(reason))
        {
            let stage = format!("waiting/{}/{word}", container.name);
            let says = format!("cannot start: {}", reason(container));
            tell(&stage, PodChangeKind::Waiting, says);
        }
    }
    if pod.ready {
        let after = pod.started_at.map(|start| now.duration_since(start));
        let says = match after.map(|after| after.as_secs()) {
            Some(seconds) if seconds >= 0 => format!("is ready, {seconds} s after its start"),
            _ => "is ready".to_owned(),
        };
        tell("ready", PodChangeKind::Ready, says);
    } else if was_ready && pod.status != "Terminating" {
        let says = "is no longer ready".to_owned();
        tell("unready", PodChangeKind::Unready, says);
    }
    stages
}

/// What these pods say that was not told yet. `before` holds those that the look before saw, `since`
/// is when the deploy was written to the cluster.
pub(crate) fn news(
    told: &HashSet<String>,
    before: &BTreeSet<(PodVersion, String)>,
    pods: &[PodStatus],
    since: Timestamp,
    now: Timestamp,
) -> Vec<NewPodEvent> {
    let mut news = Vec::new();
    let mut tell = |pod: &Pod, (stage, change, says): Stage| {
        let key = key(pod, &stage);
        if told.contains(&key) {
            return;
        }
        let (version, name) = pod.clone();
        news.push(NewPodEvent {
            key,
            message: format!("pod {name} ({}) {says}", word(version)),
            change: PodChange {
                name,
                version,
                change,
            },
        });
    };
    // The oldest first.
    for status in pods.iter().rev() {
        let pod = pod_id(status);
        let started = status.started_at;
        let was_there = started.is_some_and(|start| start + CLOCKS < since);
        if pod.0 == PodVersion::New && !was_there {
            let was_ready = told.contains(&key(&pod, "ready"));
            for stage in stages_of_new(status, was_ready, now) {
                tell(&pod, stage);
            }
        }
        if status.status == "Terminating" {
            let stage = (
                "stopping".to_owned(),
                PodChangeKind::Stopping,
                "is told to end".to_owned(),
            );
            tell(&pod, stage);
        }
    }
    let there: HashSet<Pod> = pods.iter().map(pod_id).collect();
    let known = told.iter().filter_map(|key| pod_of(key));
    let known: BTreeSet<Pod> = known.chain(before.iter().cloned()).collect();
    for pod in known.into_iter().filter(|pod| !there.contains(pod)) {
        let stage = ("gone".to_owned(), PodChangeKind::Gone, "is gone".to_owned());
        tell(&pod, stage);
    }
    news
}

/// Tells what becomes of the pods of one rollout.
#[derive(Default)]
pub(crate) struct PodWatch {
    /// Keys of what was told; none before the first look.
    told: Option<HashSet<String>>,
    before: BTreeSet<Pod>,
    /// Names of pods that were there before the cluster began with the deploy.
    at_first: BTreeSet<String>,
}

/// Pods that were there at first and are not any more: the old ones that went before the first look.
fn gone_early(at_first: BTreeSet<String>, pods: &[PodStatus]) -> impl Iterator<Item = Pod> {
    let there: HashSet<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    let gone: Vec<Pod> = at_first
        .into_iter()
        .filter(|name| !there.contains(name.as_str()))
        .map(|name| (PodVersion::Old, name))
        .collect();
    gone.into_iter()
}

impl PodWatch {
    /// Looks who is there while the cluster has not begun with the deploy: which version they are of
    /// is not certain yet.
    pub fn look_before(&mut self, pods: &[PodStatus]) {
        self.at_first = pods.iter().map(|pod| pod.name.clone()).collect();
    }

    /// Looks at the pods, and writes down what is new. Only while the newest pods are the deploy's
    /// own.
    pub async fn look(
        &mut self,
        store: &Store,
        lease: Lease,
        deploy: &DeployRecord,
        pods: &[PodStatus],
    ) -> Result<(), StoreError> {
        let told = match &mut self.told {
            Some(told) => told,
            told => told.insert(store.told_of_pods(deploy.id).await?),
        };
        if told.len() > MAX_POD_EVENTS {
            return Ok(());
        }
        let at_first = std::mem::take(&mut self.at_first);
        self.before.extend(gone_early(at_first, pods));
        let now = Timestamp::now();
        let since = deploy.applied_at.unwrap_or(deploy.created_at);
        let mut news = news(told, &self.before, pods, since, now);
        // One more than there is room for: it stands for the rest.
        news.truncate(MAX_POD_EVENTS + 1 - told.len());
        if !news.is_empty() {
            store.tell_of_pods(lease, &news, now).await?;
            told.extend(news.into_iter().map(|event| event.key));
        }
        self.before = pods.iter().map(pod_id).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
