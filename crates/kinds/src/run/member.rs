//! The members of a run: their pods, jobs and host names.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{
    EnvVar, EnvVarSource, ObjectFieldSelector, PodSchedulingGate, PodTemplateSpec, Service,
    ServicePort, ServiceSpec, Volume, VolumeMount,
};
use kube::api::DynamicObject;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Attempt, attempt_labels};
use crate::config::Violation;
use crate::names::{GANG_GATE, KIND_LABEL, TEMPLATE_ANNOTATION};
use crate::template::Template;
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// The members of one job.
pub(crate) struct Member<'a> {
    /// Name of the job; a member's host name is this, `-` and its index.
    pub job: String,
    /// The group that the job belongs to.
    pub group: &'a str,
    /// Template and what the workload says beside it.
    pub pods: Pods<'a>,
    /// Variables that tell a member who it is, before its own.
    pub env: Vec<EnvVar>,
    /// A volume for every container of the template.
    pub volume: Option<(Volume, VolumeMount)>,
    /// Kind of the workload, when its pods are held back and watched.
    pub gated: Option<&'static str>,
    /// The job, without its pods.
    pub spec: JobSpec,
}

/// A variable with a value.
pub(crate) fn literal(name: &str, value: &dyn ToString) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_string()),
        value_from: None,
    }
}

/// A variable with the value of a field of the pod.
pub(crate) fn field(name: &str, path: &str) -> EnvVar {
    let reference = ObjectFieldSelector {
        field_path: path.to_owned(),
        ..ObjectFieldSelector::default()
    };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(reference),
            ..EnvVarSource::default()
        }),
    }
}

/// The job of these members.
pub(crate) fn member_job(
    translation: &Translation<'_>,
    attempt: &Attempt,
    member: Member<'_>,
) -> Result<Job, TranslateError> {
    let pods = pods(translation, attempt, &member)?;
    let mut metadata = translation.workload_object();
    metadata.name = Some(member.job);
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(attempt_labels(attempt));
    labels.insert(crate::names::ROLE_LABEL.to_owned(), member.group.to_owned());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(TEMPLATE_ANNOTATION.to_owned(), hash(&pods, &member.spec));
    Ok(Job {
        metadata,
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".into()),
            suspend: Some(attempt.suspended),
            template: pods,
            ..member.spec
        }),
        status: None,
    })
}

fn pods(
    translation: &Translation<'_>,
    attempt: &Attempt,
    member: &Member<'_>,
) -> Result<PodTemplateSpec, TranslateError> {
    let mut pods = translation.pods(&member.pods)?;
    let labels = pods.metadata.get_or_insert_default();
    let labels = labels.labels.get_or_insert_default();
    labels.extend(attempt_labels(attempt));
    if let Some(kind) = member.gated {
        labels.insert(KIND_LABEL.to_owned(), kind.to_owned());
    }
    let template = &member.pods.template.spec;
    let pod = pods.spec.get_or_insert_default();
    pod.restart_policy = Some("Never".into());
    pod.subdomain = Some(translation.name().to_owned());
    if member.gated.is_some() {
        pod.scheduling_gates = Some(vec![PodSchedulingGate {
            name: GANG_GATE.to_owned(),
        }]);
    }
    // The profile's containers would keep the job from ending: they run beside the members, as
    // init containers that go on, and end with them.
    let own: BTreeSet<&str> = template
        .containers
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    let containers = std::mem::take(&mut pod.containers).into_iter();
    let (members, mut sidecars): (Vec<_>, Vec<_>) =
        containers.partition(|container| own.contains(container.name.as_str()));
    pod.containers = members;
    if !sidecars.is_empty() {
        for sidecar in &mut sidecars {
            sidecar.restart_policy = Some("Always".into());
        }
        let init = pod.init_containers.get_or_insert_default();
        // After those that prepare what they need, before the workload's own.
        let place = translation.injection.initcontainers.len().min(init.len());
        init.splice(place..place, sidecars);
    }
    let own_init: BTreeSet<&str> = (template.initcontainers.iter())
        .map(|c| c.name.as_str())
        .collect();
    let init = pod.init_containers.iter_mut().flatten();
    let init = init.filter(|container| own_init.contains(container.name.as_str()));
    for container in init.chain(&mut pod.containers) {
        let before = container.env.take().unwrap_or_default();
        let ours = |env: &EnvVar| member.env.iter().any(|own| own.name == env.name);
        let rest = before.into_iter().filter(|env| !ours(env));
        container.env = Some(member.env.iter().cloned().chain(rest).collect());
        if let Some((_, mount)) = &member.volume {
            let mounts = container.volume_mounts.get_or_insert_default();
            mounts.push(mount.clone());
        }
    }
    if let Some((volume, _)) = &member.volume {
        pod.volumes.get_or_insert_default().push(volume.clone());
    }
    Ok(pods)
}

/// A short hash of what cannot change in a job.
fn hash(pods: &PodTemplateSpec, spec: &JobSpec) -> String {
    let value = serde_json::to_value(pods).unwrap_or(Value::Null);
    let text = format!("{value}{:?}", spec.completions);
    hex::encode(&Sha256::digest(text)[..8])
}

/// The Service without an address of its own that gives members their host names, before they are
/// ready too: they must find each other to become so.
pub(crate) fn members_service(translation: &Translation<'_>, port: Option<i32>) -> DynamicObject {
    let port = port.map(|port| ServicePort {
        name: Some("rendezvous".into()),
        port,
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    });
    dynamic(&Service {
        metadata: translation.object(translation.name()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: translation.selector().match_labels,
            ports: port.map(|port| vec![port]),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}

/// Variables of a template that Hermez sets itself, each at its place.
pub(crate) fn reserved(template: &Template, place: &str, names: &[&str]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let spec = &template.spec;
    for (list, containers) in [
        ("initcontainers", &spec.initcontainers),
        ("containers", &spec.containers),
    ] {
        for (number, container) in containers.iter().enumerate() {
            for (at, env) in container.env.iter().flatten().enumerate() {
                if names.contains(&env.name.as_str()) {
                    violations.push(Violation {
                        field: format!("{place}.spec.{list}[{number}].env[{at}].name"),
                        message: format!("{} is set by Hermez for every member", env.name),
                        hint: Some("leave it out, or use another name".into()),
                    });
                }
            }
        }
    }
    violations
}

/// Variables of `configs` that Hermez sets itself.
pub(crate) fn reserved_configs(
    configs: &BTreeMap<String, String>,
    names: &[&str],
) -> Vec<Violation> {
    let taken = configs.keys().filter(|name| names.contains(&name.as_str()));
    taken
        .map(|name| Violation {
            field: format!("spec.configs.{name}"),
            message: format!("{name} is set by Hermez for every member"),
            hint: Some("leave it out, or use another name".into()),
        })
        .collect()
}
