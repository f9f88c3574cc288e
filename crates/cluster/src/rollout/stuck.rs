//! What a pod is at that is late and in no trouble of its own: so that a deadline is never told as a
//! bare time-out. Asked only once a deadline has passed, when waiting is the failure.

use jiff::Timestamp;

use super::judge::{self, most_common, say};
use super::pod::{self, Look, Trouble, quote};
use super::words::counts;
use super::{FailureCause, told};
use crate::index::Workload;
use crate::view::{ContainerState, EventView, PodView};

/// Why a rollout is late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// As a stable word.
    pub cause: FailureCause,
    /// In one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Why what the cluster was last told to run is not there yet, as its pods tell; none when they
/// tell nothing.
pub fn late(workload: &Workload, now: Timestamp) -> Option<Late> {
    let declared = workload.declared.as_ref()?;
    let (pods, ready, desired): (Vec<&PodView>, _, _) =
        if let Some(deployment) = &workload.deployment {
            let pods = judge::new_pods(workload, workload.newest());
            let ready = pods.iter().filter(|pod| pod.ready).count() as i32;
            (pods, ready, deployment.desired)
        } else {
            let pods = told::newest_pods(workload, declared).collect();
            (pods, declared.progress.ready, declared.progress.desired)
        };
    // Its pods are held back by a gate of the controller's own, which knows what they wait for.
    let doing = declared.progress.reconciling.as_deref();
    if let Some((_, why)) = doing.and_then(|doing| doing.split_once("waits for room: ")) {
        return Some(Late {
            cause: FailureCause::Unschedulable,
            message: format!("{}; no room: {why}", counts(ready, desired)),
            hint: Some("Ask for less CPU or memory, or add nodes.".to_owned()),
        });
    }
    let looks = || {
        let pods = pods.iter();
        pods.map(move |pod| judge::look(pod, workload, now))
    };
    let mut troubles: Vec<Trouble> = looks().filter_map(pod::trouble).collect();
    if troubles.is_empty() {
        troubles = looks().filter_map(stuck).collect();
    }
    let (trouble, count) = most_common(troubles.iter())?;
    Some(Late {
        cause: trouble.cause,
        message: say(trouble, count, ready, desired),
        hint: trouble.hint.clone(),
    })
}

/// What a pod that is not ready is at.
pub(super) fn stuck(look: Look<'_>) -> Option<Trouble> {
    let pod = look.pod;
    if pod.ready || pod.deleting {
        return None;
    }
    if pod.phase == "Failed" {
        let reason = pod.reason.as_deref().unwrap_or("it did not say why");
        let message = pod.message.as_deref().unwrap_or_default();
        let why = quote(&format!("{reason}: {message}"));
        let text = format!("was ended by its node: {}", why.trim_end_matches(':'));
        return Some(mk(
            FailureCause::Deadline,
            &text,
            "Look at the node and at what the pod asks for.",
        ));
    }
    if pod.gated {
        let hint = "Have whoever set the pod's scheduling gate take it off.";
        return Some(mk(
            FailureCause::Unschedulable,
            "is held back by a scheduling gate",
            hint,
        ));
    }
    if pod.node.is_none() {
        return Some(mk(
            FailureCause::Unschedulable,
            "was given no node, and the scheduler does not say why",
            "Look whether the cluster's scheduler runs.",
        ));
    }
    waits_for_its_node(look).or_else(|| runs_and_is_not_ready(pod))
}

/// A pod none of whose own containers has started.
fn waits_for_its_node(look: Look<'_>) -> Option<Trouble> {
    let own = look.pod.containers.iter().filter(|it| !it.init);
    if own.clone().any(|it| it.state != ContainerState::Waiting) {
        return None;
    }
    let mut before = look.pod.containers.iter().filter(|it| it.init);
    let running = |it: &&crate::view::ContainerView| {
        it.state == ContainerState::Running && !(it.sidecar && it.started)
    };
    if let Some(init) = before.find(running) {
        let text = format!(
            "waits for its init container {}, which still runs",
            init.name
        );
        let hint = "Look at the init container's log for what it waits for.";
        return Some(mk(FailureCause::Deadline, &text, hint));
    }
    let told = |reason| {
        look.events(reason)
            .max_by_key(|event: &&EventView| event.at)
    };
    if let Some(event) = told("FailedCreatePodSandBox") {
        let text = format!("cannot be set up on its node: {}", quote(&event.message));
        let hint = "Look at the node's container runtime and network plugin.";
        return Some(mk(FailureCause::Deadline, &text, hint));
    }
    let node = look.pod.node.as_deref().unwrap_or_default();
    let pulls = told("Pulling").is_some() && told("Pulled").is_none();
    let what = if pulls {
        "is still pulling its image"
    } else {
        "was not started by its kubelet"
    };
    let hint = "Look whether the node is ready, and at the pod's events.";
    Some(mk(
        FailureCause::Deadline,
        &format!("{what} on node {node}"),
        hint,
    ))
}

/// A pod whose containers run.
fn runs_and_is_not_ready(pod: &PodView) -> Option<Trouble> {
    let mut unready = pod.unready();
    let Some(container) = unready.find(|it| it.state == ContainerState::Running) else {
        return waits_for_a_readiness_gate(pod);
    };
    let (text, hint) = if container.started {
        (
            format!(
                "runs, and its container {} has not passed its readiness probe",
                container.name
            ),
            "Look at the probe's path, port and delays, and at the container's log.",
        )
    } else {
        (
            format!(
                "runs, and its container {} has not passed its startup probe",
                container.name
            ),
            "Look at the container's log; a slow start needs more failures allowed.",
        )
    };
    Some(mk(FailureCause::Probe, &text, hint))
}

/// A pod whose containers are all ready, and which is not: somebody else has a say in it.
fn waits_for_a_readiness_gate(pod: &PodView) -> Option<Trouble> {
    let mut own = pod.containers.iter().filter(|it| !it.init);
    let gate = pod.unmet_readiness_gates.first()?;
    if !own.all(|it| it.ready) {
        return None;
    }
    let text = format!("runs, and its readiness gate {gate} is not true");
    let hint = "Look at what sets this condition of pods: a load balancer's controller, mostly.";
    Some(mk(FailureCause::Deadline, &text, hint))
}

fn mk(cause: FailureCause, predicate: &str, hint: &str) -> Trouble {
    // "was", "is", "waits" and "runs" are of one pod.
    let plural = [
        ("was ", "were "),
        ("is ", "are "),
        ("waits ", "wait "),
        ("runs,", "run,"),
    ]
    .into_iter()
    .find_map(|(one, many)| Some(format!("{many}{}", predicate.strip_prefix(one)?)))
    .unwrap_or_else(|| predicate.to_owned());
    let plural = plural
        .replace(" its ", " their ")
        .replace(" has ", " have ");
    Trouble {
        cause,
        singular: predicate.to_owned(),
        plural,
        hint: Some(hint.to_owned()),
        certain: false,
    }
}
