//! A pod's status in a word, as `kubectl get pods` prints it: after `printPod` in Kubernetes'
//! `pkg/printers/internalversion/printers.go`.

use crate::view::{ContainerState, ContainerView, PodView};

/// The word.
pub(super) fn word(pod: &PodView) -> String {
    if pod.deleting && pod.reason.as_deref() == Some("NodeLost") {
        return "Unknown".to_owned();
    }
    let is_over = matches!(pod.phase.as_str(), "Succeeded" | "Failed");
    if pod.deleting && !is_over {
        return "Terminating".to_owned();
    }
    let mut word = pod.reason.clone().unwrap_or_else(|| pod.phase.clone());
    if pod.gated {
        "SchedulingGated".clone_into(&mut word);
    }
    let initializing = initializing(pod);
    if let Some(initializing) = &initializing {
        word.clone_from(initializing);
    }
    if initializing.is_none() || pod.initialized {
        let mut runs = false;
        for container in pod
            .containers
            .iter()
            .rev()
            .filter(|container| !container.init)
        {
            match reason(container) {
                Some(reason) => word = reason,
                None => runs |= container.ready && container.state == ContainerState::Running,
            }
        }
        if word == "Completed" && runs {
            if pod.ready { "Running" } else { "NotReady" }.clone_into(&mut word);
        }
    }
    if word.is_empty() {
        "Unknown".to_owned()
    } else {
        word
    }
}

/// Why a container does not run; nothing when it does, or when it waits and nobody says why.
fn reason(container: &ContainerView) -> Option<String> {
    match container.state {
        ContainerState::Running => None,
        ContainerState::Waiting => container.reason.clone().filter(|reason| !reason.is_empty()),
        ContainerState::Terminated => Some(ended(container)),
    }
}

fn ended(container: &ContainerView) -> String {
    if let Some(reason) = container
        .reason
        .as_ref()
        .filter(|reason| !reason.is_empty())
    {
        return reason.clone();
    }
    let end = container.end.clone().unwrap_or_default();
    match end.signal {
        Some(signal) => format!("Signal:{signal}"),
        None => format!("ExitCode:{}", end.exit_code),
    }
}

/// How far the init containers are; nothing when they are done or have not begun to report.
fn initializing(pod: &PodView) -> Option<String> {
    let inits = || pod.containers.iter().filter(|container| container.init);
    for (index, container) in inits().enumerate() {
        let ended_well = container.end.as_ref().is_some_and(|end| end.exit_code == 0);
        if container.state == ContainerState::Terminated && ended_well {
            continue;
        }
        if container.sidecar && container.started {
            continue;
        }
        // Without a status from the kubelet, kubectl does not count it either.
        if !pod.has_init_statuses {
            return None;
        }
        let named = match container.state {
            ContainerState::Terminated => Some(ended(container)),
            ContainerState::Waiting => {
                reason(container).filter(|reason| reason != "PodInitializing")
            }
            ContainerState::Running => None,
        };
        return Some(match named {
            Some(named) => format!("Init:{named}"),
            None => format!("Init:{index}/{}", inits().count()),
        });
    }
    None
}
