//! A Deployment that stands for the deploy in question: how far is it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::pod::{self, Look, Trouble};
use super::stuck::stuck;
use super::words::{self, counts};
use super::{FailureCause, GRACE, Rollout};
use crate::index::Workload;
use crate::text::clip;
use crate::view::{DeploymentView, PodView, ReplicaSetView};

/// How far a Deployment is that Kubernetes has taken up.
pub(super) fn judge(workload: &Workload, deployment: &DeploymentView, now: Timestamp) -> Rollout {
    let desired = deployment.desired;
    let done = deployment.updated == desired
        && deployment.total == desired
        && deployment.available == desired;
    if done {
        // All pods are of the new version.
        let ready = deployment.ready;
        return Rollout::Complete { ready, desired };
    }
    let newest = workload.newest();
    let pods = new_pods(workload, newest);
    let ready = pods.iter().filter(|pod| pod.ready).count() as i32;
    let failed = |cause, message, hint| Rollout::Failed {
        cause,
        ready,
        desired,
        message,
        hint,
    };
    if let Some(message) = refused(deployment, newest, now) {
        return refusal(&message, ready, desired);
    }
    let troubles: Vec<Trouble> = pods
        .iter()
        .filter_map(|pod| pod::trouble(look(pod, workload, now)))
        .collect();
    if let Some((trouble, count)) = most_common(troubles.iter().filter(|t| t.certain)) {
        let message = say(trouble, count, ready, desired);
        return failed(trouble.cause, message, trouble.hint.clone());
    }
    let common = most_common(troubles.iter());
    if is_late(workload, deployment) {
        return match common {
            Some((trouble, count)) => {
                let message = say(trouble, count, ready, desired);
                failed(trouble.cause, message, trouble.hint.clone())
            }
            None => too_late(workload, deployment, &pods, now),
        };
    }
    let message = match common {
        Some((trouble, count)) => say(trouble, count, ready, desired),
        None => progress(deployment, ready),
    };
    Rollout::Progressing {
        ready,
        desired,
        message,
    }
}

/// Whether the rollout has stood still for too long. Kubernetes leaves the word of the rollout before
/// until pods change; a rollback comes just then.
fn is_late(workload: &Workload, deployment: &DeploymentView) -> bool {
    let declared = workload.declared.as_ref();
    let came = declared.and_then(|declared| declared.applied_at);
    let is_of_before = match (deployment.deadline_exceeded_at, came) {
        (Some(told), Some(came)) => told <= came,
        _ => false,
    };
    deployment.deadline_exceeded && !is_of_before
}

/// How a pod is looked at, among the others of its workload.
pub(super) fn look<'a>(pod: &'a PodView, workload: &'a Workload, now: Timestamp) -> Look<'a> {
    Look {
        pod,
        events: &workload.events,
        now,
        others_end: workload.pods.iter().any(|pod| pod.deleting),
    }
}

/// The pods of the newest version that are not on their way out.
pub(super) fn new_pods<'a>(
    workload: &'a Workload,
    newest: Option<&ReplicaSetView>,
) -> Vec<&'a PodView> {
    let is_new = |pod: &&PodView| !pod.deleting && newest.is_some_and(|set| set.hash == pod.hash);
    let pods = workload.pods.iter().map(AsRef::as_ref);
    pods.filter(is_new).collect()
}

/// Why Kubernetes cannot make the new version's pods.
fn refused(
    deployment: &DeploymentView,
    newest: Option<&ReplicaSetView>,
    now: Timestamp,
) -> Option<String> {
    let failure = newest.and_then(|set| set.replica_failure.as_ref());
    let failure = failure.or(deployment.set_failure.as_ref())?;
    let since = failure.since;
    let waited = since.is_some_and(|since| now.duration_since(since) >= GRACE);
    let certain = waited || !words::refusal_may_mend(&failure.message);
    certain.then(|| clip(&failure.message, 600))
}

/// The failure of a version whose pods the cluster does not take.
pub(super) fn refusal(message: &str, ready: i32, desired: i32) -> Rollout {
    let cause = words::refusal_cause(message);
    let counts = counts(ready, desired);
    Rollout::Failed {
        cause,
        ready,
        desired,
        message: format!("{counts}; the cluster refuses more: {message}"),
        hint: Some(words::refusal_hint(cause, message).to_owned()),
    }
}

/// The trouble that most pods share, and how many they are.
pub(super) fn most_common<'a>(
    troubles: impl Iterator<Item = &'a Trouble>,
) -> Option<(&'a Trouble, i32)> {
    let mut groups: BTreeMap<(&str, &str), (&Trouble, i32)> = BTreeMap::new();
    for trouble in troubles {
        let key = (trouble.cause.as_str(), trouble.singular.as_str());
        groups.entry(key).or_insert((trouble, 0)).1 += 1;
    }
    groups.into_values().max_by_key(|(_, count)| *count)
}

pub(super) fn say(trouble: &Trouble, count: i32, ready: i32, desired: i32) -> String {
    words::sentence(ready, desired, count, &trouble.singular, &trouble.plural)
}

/// What happens while nothing is wrong.
fn progress(deployment: &DeploymentView, ready: i32) -> String {
    let counts = counts(ready, deployment.desired);
    let old = deployment.total - deployment.updated;
    if old <= 0 || ready < deployment.desired {
        return counts;
    }
    let pods = if old == 1 { "pod runs" } else { "pods run" };
    format!("{counts}; {old} old {pods} still")
}

/// The deadline has passed, and no pod is in trouble: says what the pods are at.
fn too_late(
    workload: &Workload,
    deployment: &DeploymentView,
    pods: &[&PodView],
    now: Timestamp,
) -> Rollout {
    let (desired, deadline) = (deployment.desired, deployment.deadline_seconds);
    let ready = pods.iter().filter(|pod| pod.ready).count() as i32;
    let looks = pods.iter().map(|pod| look(pod, workload, now));
    let stuck: Vec<Trouble> = looks.filter_map(stuck).collect();
    let (cause, message, hint) = match most_common(stuck.iter()) {
        Some((trouble, count)) => (
            trouble.cause,
            say(trouble, count, ready, desired),
            trouble.hint.clone().unwrap_or_default(),
        ),
        None => nothing_is_wrong(deployment, pods.len() as i32, ready),
    };
    Rollout::Failed {
        cause,
        ready,
        desired,
        message: format!("{message}; nothing has changed for {deadline} s"),
        hint: Some(hint),
    }
}

/// Why a rollout stands still whose pods are well, or are not there.
fn nothing_is_wrong(
    deployment: &DeploymentView,
    pods: i32,
    ready: i32,
) -> (FailureCause, String, String) {
    let desired = deployment.desired;
    let counts = counts(ready, desired);
    let old = deployment.total - deployment.updated;
    let (what, hint) = if ready >= desired && old > 0 {
        let pods = if old == 1 {
            "old pod does"
        } else {
            "old pods do"
        };
        (
            format!("{old} {pods} not end"),
            "Look why the old pods do not end: finalizers, long grace periods, nodes that are away.",
        )
    } else if ready >= desired {
        (
            "they do not stay ready for as long as minReadySeconds wants".to_owned(),
            "Look at the pods' logs and at the readiness probe.",
        )
    } else if pods == ready {
        (
            if pods == 0 {
                "Kubernetes has made none of the new version".to_owned()
            } else {
                "Kubernetes does not make the others".to_owned()
            },
            "Look at the events of the Deployment and its ReplicaSets, and whether the controller manager runs.",
        )
    } else {
        (
            "the others do not start".to_owned(),
            "Look at the pods' events and logs.",
        )
    };
    (
        FailureCause::Deadline,
        format!("{counts}; {what}"),
        hint.to_owned(),
    )
}
