//! What Hermez keeps of a pod.

use hermez_kinds::names::REVISION_LABEL;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState as KubeState, ContainerStatus, Pod, PodStatus};

use super::{cut, instant};

/// A pod.
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own, as the API server tells it
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodView {
    /// Name.
    pub name: String,
    /// The Job that it belongs to, where it is one's.
    pub job: Option<String>,
    /// Which version it is of: the label `pinterest.com/revision`, `pod-template-hash` (of a
    /// Deployment) or `controller-revision-hash` (of a StatefulSet).
    pub hash: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its kubelet accepted it.
    pub started_at: Option<Timestamp>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Why, in a word, for example `Evicted`.
    pub reason: Option<String>,
    /// Why, in words.
    pub message: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it takes traffic.
    pub ready: bool,
    /// Whether the kubelet has reported on its init containers.
    pub has_init_statuses: bool,
    /// Whether its init containers are done.
    pub initialized: bool,
    /// Whether something keeps it from being scheduled on purpose.
    pub gated: bool,
    /// Conditions that its `readinessGates` want to be true and that are not.
    pub unmet_readiness_gates: Vec<String>,
    /// Node that it runs on.
    pub node: Option<String>,
    /// Since when no node takes it, and why.
    pub unschedulable: Option<(Option<Timestamp>, String)>,
    /// Its containers, init containers first.
    pub containers: Vec<ContainerView>,
}

/// What a container does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// It has not started.
    #[default]
    Waiting,
    /// It runs.
    Running,
    /// It ended.
    Terminated,
}

/// How a container's run ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct End {
    /// Exit code.
    pub exit_code: i32,
    /// Signal, when one ended it.
    pub signal: Option<i32>,
    /// For example `OOMKilled`.
    pub reason: Option<String>,
    /// In words.
    pub message: Option<String>,
}

/// A container of a pod.
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own, as the API server tells it
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerView {
    /// Name.
    pub name: String,
    /// Image, as the spec writes it.
    pub image: String,
    /// Whether it is an init container.
    pub init: bool,
    /// Whether it is an init container that goes on running beside the others.
    pub sidecar: bool,
    /// What it does.
    pub state: ContainerState,
    /// Kubernetes' reason for the state.
    pub reason: Option<String>,
    /// Kubernetes' message for the state.
    pub message: Option<String>,
    /// Whether it passes its readiness probe.
    pub ready: bool,
    /// Times it was restarted.
    pub restarts: i32,
    /// Whether it has started (and passed its startup probe).
    pub started: bool,
    /// How its newest run that is over ended.
    pub end: Option<End>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Its limit of memory, as the spec writes it.
    pub memory_limit: Option<String>,
}

impl PodView {
    /// The containers that the pod waits for before it is ready, sidecars among them.
    pub(crate) fn unready(&self) -> impl Iterator<Item = &ContainerView> {
        let lasting = self.containers.iter().filter(|it| !it.init || it.sidecar);
        lasting.filter(|it| !it.ready)
    }
}

impl From<&Pod> for PodView {
    fn from(pod: &Pod) -> PodView {
        let empty = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&empty);
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let condition = |kind: &str| conditions.iter().find(|c| c.type_ == kind);
        let unschedulable = condition("PodScheduled")
            .filter(|c| c.status == "False" && c.reason.as_deref() == Some("Unschedulable"));
        let labels = pod.metadata.labels.as_ref();
        let versions = [
            REVISION_LABEL,
            "pod-template-hash",
            "controller-revision-hash",
        ];
        let label = |key: &str| labels.and_then(|labels| labels.get(key));
        let hash = versions.into_iter().find_map(label);
        PodView {
            name: pod.metadata.name.clone().unwrap_or_default(),
            job: label("batch.kubernetes.io/job-name").cloned(),
            hash: hash.cloned().unwrap_or_default(),
            created_at: instant(pod.metadata.creation_timestamp.as_ref()),
            started_at: instant(status.start_time.as_ref()),
            phase: status.phase.clone().unwrap_or_default(),
            reason: status.reason.clone(),
            message: status.message.as_deref().map(cut),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            ready: condition("Ready").is_some_and(|c| c.status == "True"),
            has_init_statuses: status.init_container_statuses.is_some(),
            initialized: condition("Initialized").is_some_and(|c| c.status == "True"),
            gated: condition("PodScheduled")
                .is_some_and(|c| c.reason.as_deref() == Some("SchedulingGated")),
            unmet_readiness_gates: {
                let wanted = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.readiness_gates.as_ref());
                let kinds = wanted
                    .into_iter()
                    .flatten()
                    .map(|gate| &gate.condition_type);
                let unmet = kinds.filter(|kind| condition(kind).is_none_or(|c| c.status != "True"));
                unmet.map(|kind| cut(kind)).collect()
            },
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            unschedulable: unschedulable.map(|c| {
                let message = cut(c.message.as_deref().unwrap_or_default());
                (instant(c.last_transition_time.as_ref()), message)
            }),
            containers: containers(pod, status),
        }
    }
}

fn containers(pod: &Pod, status: &PodStatus) -> Vec<ContainerView> {
    let Some(spec) = pod.spec.as_ref() else {
        return Vec::new();
    };
    let init = spec
        .init_containers
        .iter()
        .flatten()
        .map(|container| (container, true));
    let all = init.chain(spec.containers.iter().map(|container| (container, false)));
    all.map(|(container, init)| {
        let statuses = if init {
            &status.init_container_statuses
        } else {
            &status.container_statuses
        };
        let status = statuses
            .iter()
            .flatten()
            .find(|status| status.name == container.name);
        let image = container.image.clone().unwrap_or_default();
        let sidecar = init && container.restart_policy.as_deref() == Some("Always");
        let name = container.name.clone();
        let limits = container
            .resources
            .as_ref()
            .and_then(|it| it.limits.as_ref());
        let memory_limit = limits.and_then(|limits| limits.get("memory"));
        let blank = ContainerView {
            name,
            image,
            init,
            sidecar,
            memory_limit: memory_limit.map(|limit| limit.0.clone()),
            ..ContainerView::default()
        };
        status.map_or(blank.clone(), |status| with_status(blank, status))
    })
    .collect()
}

fn with_status(blank: ContainerView, status: &ContainerStatus) -> ContainerView {
    let empty = KubeState::default();
    let now = status.state.as_ref().unwrap_or(&empty);
    let before = status
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let ended = now.terminated.as_ref().or(before);
    let (state, reason, message, started_at) = match (&now.waiting, &now.running, &now.terminated) {
        (Some(waiting), _, _) => (
            ContainerState::Waiting,
            waiting.reason.clone(),
            waiting.message.as_deref(),
            None,
        ),
        (_, Some(running), _) => (
            ContainerState::Running,
            None,
            None,
            instant(running.started_at.as_ref()),
        ),
        (_, _, Some(ended)) => (
            ContainerState::Terminated,
            ended.reason.clone(),
            ended.message.as_deref(),
            instant(ended.started_at.as_ref()),
        ),
        _ => (ContainerState::Waiting, None, None, None),
    };
    ContainerView {
        state,
        reason,
        message: message.map(cut),
        ready: status.ready,
        restarts: status.restart_count,
        started: status.started.unwrap_or(false),
        end: ended.map(|ended| End {
            exit_code: ended.exit_code,
            signal: ended.signal.filter(|signal| *signal != 0),
            reason: ended.reason.clone(),
            message: ended.message.as_deref().map(cut),
        }),
        started_at,
        ..blank
    }
}
