//! A workload's live status, as the API shows it. Pure.
//!
//! [`assemble`] puts it together from what the watches saw; counts are of all pods, and lists are
//! bounded.

use std::cmp::Reverse;

use hermez_api::{ContainerStatus, Health, KubernetesEvent, PodStatus, WorkloadStatus};
use hermez_kinds::Kind;
use jiff::{SignedDuration, Timestamp};

use crate::declared::Declared;
use crate::index::Workload;
use crate::rollout::{self, Rollout};
use crate::runs;
use crate::view::{ContainerState, ContainerView, EventView, PodView};

mod printed;
#[cfg(test)]
mod tests;

/// Most pods that a status lists.
pub const MAX_PODS: usize = 1000;
/// Most events that a status lists.
pub const MAX_EVENTS: usize = 100;
/// How long a pod may take to start before it counts as a loss.
const START: SignedDuration = SignedDuration::from_secs(60);

/// A workload's live status. `unknown` says why the cluster cannot be asked, when it cannot: what
/// was seen last is shown all the same.
pub fn assemble(workload: &Workload, unknown: Option<&str>, now: Timestamp) -> WorkloadStatus {
    let (health, reason) = match unknown {
        Some(reason) => (Health::Unknown, sentence(reason)),
        None => health(workload, now),
    };
    let newest = workload.newest_version();
    let has_no_versions = |declared: &Declared| declared.kind == Kind::CronJob;
    let all = workload.declared.as_deref().is_some_and(has_no_versions);
    let updated = |pod: &PodView| all || newest == Some(pod.hash.as_str());
    let count = |wanted: &dyn Fn(&PodView) -> bool| {
        // The pods of runs that are over stay to be looked at.
        let is_over = |pod: &PodView| all && matches!(pod.phase.as_str(), "Succeeded" | "Failed");
        let alive = workload.pods.iter().filter(|pod| !pod.deleting);
        let alive = alive.filter(|pod| !is_over(pod));
        alive.filter(|pod| wanted(pod)).count() as i32
    };
    let mut pods: Vec<&PodView> = workload.pods.iter().map(AsRef::as_ref).collect();
    pods.sort_by_key(|pod| (Reverse(pod.created_at), &pod.name));
    let declared = workload.declared.as_ref();
    let told = declared.filter(|declared| declared.kind != Kind::Service);
    let desired = match told {
        Some(declared) => Some(declared.progress.desired),
        None => workload.deployment.as_ref().map(|found| found.desired),
    };
    WorkloadStatus {
        health,
        reason,
        pods_desired: desired.or_else(|| declared?.replicas).unwrap_or(0),
        pods_running: count(&is_running),
        pods_ready: count(&|pod| pod.ready),
        pods_updated_ready: count(&|pod| pod.ready && updated(pod)),
        pods_updated: count(&updated),
        commit: declared.and_then(|declared| declared.commit.clone()),
        url: workload
            .services
            .iter()
            .find_map(|service| service.url.clone()),
        pods: pods
            .into_iter()
            .take(MAX_PODS)
            .map(|pod| pod_status(pod, updated(pod), workload, now))
            .collect(),
        events: events(workload),
        schedule: declared.and_then(|declared| runs::schedule(declared, workload)),
    }
}

fn health(workload: &Workload, now: Timestamp) -> (Health, String) {
    let Some(declared) = &workload.declared else {
        return (Health::NotDeployed, "Nothing was deployed yet".into());
    };
    if declared.deleting {
        return (Health::Progressing, "It is being deleted".into());
    }
    match rollout::current(workload, now) {
        Rollout::Complete { ready, desired } => {
            let counts = || rollout::counts(ready, desired);
            match &declared.progress.available {
                Some((false, message)) if declared.kind != Kind::Service => {
                    (Health::Degraded, sentence(message))
                }
                Some((true, message)) if declared.kind != Kind::Service && !message.is_empty() => {
                    (Health::Healthy, sentence(message))
                }
                _ => (Health::Healthy, counts()),
            }
        }
        Rollout::Progressing { message, .. } if has_lost_pods(workload, now) => {
            (Health::Degraded, message)
        }
        Rollout::Waiting { message } | Rollout::Progressing { message, .. } => {
            (Health::Progressing, message)
        }
        Rollout::Failed { message, .. } => (Health::Degraded, message),
    }
}

/// Whether the newest version had been rolled out, and a pod of it is not ready and not just
/// starting either.
fn has_lost_pods(workload: &Workload, now: Timestamp) -> bool {
    let rolled_out = workload
        .deployment
        .as_ref()
        .is_some_and(|found| found.rolled_out);
    let starts = |pod: &PodView| {
        let restarted = pod
            .containers
            .iter()
            .any(|container| container.restarts > 0);
        let made = pod.created_at;
        !restarted && made.is_some_and(|made| now.duration_since(made) < START)
    };
    let mut missing = workload
        .pods
        .iter()
        .filter(|pod| !pod.ready && !pod.deleting);
    rolled_out && missing.any(|pod| !starts(pod))
}

fn is_running(pod: &PodView) -> bool {
    let mut own = pod
        .containers
        .iter()
        .filter(|container| !container.init)
        .peekable();
    pod.phase == "Running"
        && own.peek().is_some()
        && own.all(|container| container.state == ContainerState::Running)
}

fn pod_status(pod: &PodView, updated: bool, workload: &Workload, now: Timestamp) -> PodStatus {
    PodStatus {
        name: pod.name.clone(),
        started_at: pod.started_at,
        status: printed::word(pod),
        message: rollout::pod_message(pod, workload, now).or_else(|| pod.message.clone()),
        ready: pod.ready && !pod.deleting,
        updated,
        restarts: pod
            .containers
            .iter()
            .map(|container| container.restarts)
            .sum(),
        node: pod.node.clone(),
        containers: pod.containers.iter().map(container_status).collect(),
    }
}

fn container_status(container: &ContainerView) -> ContainerStatus {
    let state = match container.state {
        ContainerState::Waiting => "waiting",
        ContainerState::Running => "running",
        ContainerState::Terminated => "terminated",
    };
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        init: container.init,
        state: state.to_owned(),
        reason: container.reason.clone(),
        message: container.message.clone(),
        ready: container.ready,
        restarts: container.restarts,
        exit_code: container.end.as_ref().map(|end| end.exit_code),
        started_at: container.started_at,
    }
}

fn events(workload: &Workload) -> Vec<KubernetesEvent> {
    let mut events: Vec<&EventView> = workload.events.iter().map(AsRef::as_ref).collect();
    events.sort_by_key(|event| Reverse(event.at));
    let event = |event: &EventView| KubernetesEvent {
        at: event.at,
        kind: if event.warning { "Warning" } else { "Normal" }.to_owned(),
        reason: event.reason.clone(),
        object: format!("{}/{}", event.kind, event.name),
        message: event.message.clone(),
        count: event.count,
    };
    events.into_iter().take(MAX_EVENTS).map(event).collect()
}

/// A clause as a sentence: with a capital.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + chars.as_str()
    })
}
