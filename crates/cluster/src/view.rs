//! What Hermez keeps of Kubernetes' objects: compact views, a tenth of the objects' size.
//!
//! With 10^5 pods the objects themselves would fill gigabytes; a view holds what status, rollout
//! and logs read, and texts from the cluster are cut to [`TEXT_LIMIT`].

use std::hash::{DefaultHasher, Hash, Hasher};

use hermez_kinds::Kind;
use hermez_kinds::names::{DEPLOY_ANNOTATION, WORKLOAD_LABEL};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event, PodTemplateSpec, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::WorkloadKey;
use crate::text::clip;

mod pod;

pub use pod::{ContainerState, ContainerView, End, PodView};

/// Longest text kept of a message, in bytes.
pub const TEXT_LIMIT: usize = 1024;

/// A condition of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConditionView {
    /// One word.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Since when it holds.
    pub since: Option<Timestamp>,
}

/// The Deployment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeploymentView {
    /// Generation of its spec.
    pub generation: i64,
    /// Generation that its status speaks of.
    pub observed_generation: i64,
    /// Deploy that it runs.
    pub deploy_id: Option<i64>,
    /// Digest of its pods' template.
    pub template: u64,
    /// Pods wanted.
    pub desired: i32,
    /// Pods that there are, of all versions.
    pub total: i32,
    /// Pods of the newest version.
    pub updated: i32,
    /// Ready pods of all versions.
    pub ready: i32,
    /// Available pods of all versions.
    pub available: i32,
    /// The rollout stood still for longer than its deadline.
    pub deadline_exceeded: bool,
    /// Since when that is said.
    pub deadline_exceeded_at: Option<Timestamp>,
    /// The rollout came to its end.
    pub rolled_out: bool,
    /// Why the newest ReplicaSet cannot be made.
    pub set_failure: Option<ConditionView>,
    /// Seconds that the rollout may stand still.
    pub deadline_seconds: i32,
}

/// A ReplicaSet: one version of the pods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplicaSetView {
    /// Name.
    pub name: String,
    /// Rising number of the version.
    pub revision: i64,
    /// Digest of its pods' template: that of the Deployment whose newest version it is.
    pub template: u64,
    /// Label `pod-template-hash`, which its pods carry.
    pub hash: String,
    /// Why pods cannot be made: the condition `ReplicaFailure`.
    pub replica_failure: Option<ConditionView>,
}

/// A Kubernetes event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    /// When it first happened.
    pub since: Option<Timestamp>,
    /// When it last happened.
    pub at: Option<Timestamp>,
    /// Whether it is a warning.
    pub warning: bool,
    /// For example `FailedScheduling`.
    pub reason: String,
    /// Kind of the object, for example `Pod`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// The message.
    pub message: String,
    /// Times it happened.
    pub count: i32,
}

/// The workload that an object belongs to, from its labels.
pub fn workload_of(metadata: &ObjectMeta) -> Option<WorkloadKey> {
    Some(WorkloadKey {
        namespace: metadata.namespace.clone()?,
        name: metadata.labels.as_ref()?.get(WORKLOAD_LABEL)?.clone(),
    })
}

/// At most [`TEXT_LIMIT`] bytes of a text.
pub(crate) fn cut(text: &str) -> String {
    clip(text.trim(), TEXT_LIMIT)
}

pub(crate) fn instant(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|time| time.0)
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn number(metadata: &ObjectMeta, key: &str) -> Option<i64> {
    annotation(metadata, key)?.parse().ok()
}

/// Digest of a template without the label that a ReplicaSet adds, by which Kubernetes itself tells a
/// Deployment's newest ReplicaSet (`FindNewReplicaSet` in `pkg/controller/deployment/util`). Its
/// revision does not tell: where the number of pods changes with the template, the Deployment's
/// controller has seen the change before it makes the new ReplicaSet.
fn digest(template: Option<&PodTemplateSpec>) -> u64 {
    let mut template = template.cloned().unwrap_or_default();
    if let Some(metadata) = &mut template.metadata {
        if let Some(labels) = &mut metadata.labels {
            labels.remove(HASH_LABEL);
        }
        metadata.labels.take_if(|labels| labels.is_empty());
    }
    let metadata = template.metadata.take().unwrap_or_default();
    template.metadata = Some(metadata);
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(&template)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

/// The label by which a ReplicaSet tells its pods from those of others.
const HASH_LABEL: &str = "pod-template-hash";

const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

impl From<&Deployment> for DeploymentView {
    fn from(deployment: &Deployment) -> DeploymentView {
        let metadata = &deployment.metadata;
        let spec = deployment.spec.as_ref();
        let status = deployment.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let find = |kind: &str, value: &str| {
            conditions
                .iter()
                .find(|c| c.type_ == kind && c.status == value)
        };
        let reason = |kind: &str, value: &str, reason: &str| {
            find(kind, value).is_some_and(|c| c.reason.as_deref() == Some(reason))
        };
        DeploymentView {
            generation: metadata.generation.unwrap_or(0),
            observed_generation: status.observed_generation.unwrap_or(0),
            deploy_id: number(metadata, DEPLOY_ANNOTATION),
            template: digest(spec.map(|spec| &spec.template)),
            desired: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            total: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
            deadline_exceeded: reason("Progressing", "False", "ProgressDeadlineExceeded"),
            deadline_exceeded_at: find("Progressing", "False").and_then(|c| {
                let told = c.last_update_time.as_ref();
                instant(told.or(c.last_transition_time.as_ref()))
            }),
            rolled_out: reason("Progressing", "True", "NewReplicaSetAvailable"),
            set_failure: find("Progressing", "False")
                .filter(|c| c.reason.as_deref() == Some("ReplicaSetCreateError"))
                .map(|c| ConditionView {
                    reason: c.reason.clone().unwrap_or_default(),
                    message: cut(c.message.as_deref().unwrap_or_default()),
                    since: instant(c.last_transition_time.as_ref()),
                }),
            deadline_seconds: spec
                .and_then(|spec| spec.progress_deadline_seconds)
                .unwrap_or(600),
        }
    }
}

impl From<&ReplicaSet> for ReplicaSetView {
    fn from(set: &ReplicaSet) -> ReplicaSetView {
        let metadata = &set.metadata;
        let status = set.status.clone().unwrap_or_default();
        let hash = metadata.labels.as_ref().and_then(|l| l.get(HASH_LABEL));
        let failure = status.conditions.unwrap_or_default();
        let failure = failure
            .into_iter()
            .find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
        ReplicaSetView {
            name: metadata.name.clone().unwrap_or_default(),
            revision: number(metadata, REVISION_ANNOTATION).unwrap_or(0),
            template: digest(set.spec.as_ref().and_then(|spec| spec.template.as_ref())),
            hash: hash.cloned().unwrap_or_default(),
            replica_failure: failure.map(|c| ConditionView {
                reason: c.reason.unwrap_or_default(),
                message: cut(c.message.as_deref().unwrap_or_default()),
                since: instant(c.last_transition_time.as_ref()),
            }),
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> EventView {
        let series = event.series.as_ref();
        let since = instant(event.first_timestamp.as_ref())
            .or_else(|| event.event_time.as_ref().map(|time| time.0))
            .or_else(|| instant(event.metadata.creation_timestamp.as_ref()));
        let at = series
            .and_then(|series| series.last_observed_time.as_ref().map(|time| time.0))
            .or_else(|| instant(event.last_timestamp.as_ref()))
            .or_else(|| event.event_time.as_ref().map(|time| time.0))
            .or(since);
        let count = series.and_then(|series| series.count).or(event.count);
        EventView {
            since,
            at,
            warning: event.type_.as_deref() == Some("Warning"),
            reason: event.reason.clone().unwrap_or_default(),
            kind: event.involved_object.kind.clone().unwrap_or_default(),
            name: event.involved_object.name.clone().unwrap_or_default(),
            message: cut(event.message.as_deref().unwrap_or_default()),
            count: count.unwrap_or(1).max(1),
        }
    }
}

/// Where a Service answers from outside: its load balancer's address, once it has one.
fn service_url(service: &Service) -> Option<String> {
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = balancer.ingress.as_ref()?.first()?;
    let port = service.spec.as_ref()?.ports.as_ref()?.first()?.port;
    let host = match (&ingress.ip, &ingress.hostname) {
        (Some(ip), _) if ip.contains(':') => format!("[{ip}]"),
        (Some(ip), _) => ip.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => return None,
    };
    Some(match port {
        443 => format!("https://{host}"),
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    })
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServiceView {
    /// Where it answers from outside.
    pub url: Option<String>,
}

impl From<&Service> for ServiceView {
    fn from(service: &Service) -> ServiceView {
        ServiceView {
            url: service_url(service),
        }
    }
}

/// What stands before the last dash.
fn head(text: &str) -> Option<&str> {
    text.rsplit_once('-').map(|(head, _)| head)
}

impl EventView {
    /// Whether it is about that object.
    pub fn is_about(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }

    /// Name that the workload of its object must have. Objects carry the workload's name with what
    /// Kubernetes appends: `hello-6d4b75cb6d-hfzq2` is of `hello`.
    pub(crate) fn workload_name(&self) -> Option<&str> {
        let name = self.name.as_str();
        match self.kind.as_str() {
            "Pod" => head(name).and_then(head),
            "ReplicaSet" => head(name),
            "ConfigMap" => name.strip_suffix("-configs"),
            "Deployment" | "Service" | "HorizontalPodAutoscaler" | "PodDisruptionBudget" => {
                Some(name)
            }
            kind if Kind::ALL.iter().any(|known| known.name() == kind) => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_event(kind: &str, name: &str) -> EventView {
        let event: Event = serde_json::from_value(json!({
            "metadata": {"name": "e"}, "involvedObject": {"kind": kind, "name": name},
            "type": "Warning", "reason": "Unhealthy", "message": "no\n", "count": 1,
            "firstTimestamp": "2025-12-31T23:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
            "series": {"count": 9, "lastObservedTime": "2026-01-01T00:10:00.000000Z"},
        }))
        .expect("an event");
        EventView::from(&event)
    }

    #[test]
    fn an_object_gives_its_workload_away_by_its_name() {
        for (kind, name, expected) in [
            ("Pod", "hello-world-6d4b75cb6d-hfzq2", Some("hello-world")),
            ("ReplicaSet", "hello-6d4b75cb6d", Some("hello")),
            ("Deployment", "hello", Some("hello")),
            ("PinterestService", "hello", Some("hello")),
            ("ConfigMap", "hello-configs", Some("hello")),
            ("ConfigMap", "other", None),
            ("Pod", "static", None),
            ("Node", "hello", None),
        ] {
            let event = mk_event(kind, name);
            assert_eq!(event.workload_name(), expected, "{kind}/{name}");
        }
    }

    #[test]
    fn a_series_wins_over_the_first_time() {
        let event = mk_event("Pod", "p");
        assert_eq!(event.count, 9);
        assert_eq!(event.message, "no");
        assert_eq!(event.at, "2026-01-01T00:10:00Z".parse().ok());
        assert_eq!(event.since, "2025-12-31T23:00:00Z".parse().ok());
        assert!(event.is_about("Pod", "p") && !event.is_about("Pod", "q"));
    }

    #[test]
    fn a_load_balancer_has_a_url_once_it_has_an_address() {
        let mk = |port: i32, ingress: serde_json::Value| -> Service {
            serde_json::from_value(json!({
                "metadata": {"name": "s"}, "spec": {"ports": [{"port": port}]},
                "status": {"loadBalancer": {"ingress": ingress}},
            }))
            .expect("a Service")
        };
        for (port, ingress, expected) in [
            (80, json!([{"ip": "10.0.0.1"}]), Some("http://10.0.0.1")),
            (
                8080,
                json!([{"hostname": "lb.example"}]),
                Some("http://lb.example:8080"),
            ),
            (443, json!([{"ip": "::1"}]), Some("https://[::1]")),
            (80, json!([]), None),
        ] {
            assert_eq!(service_url(&mk(port, ingress)).as_deref(), expected);
        }
    }
}
