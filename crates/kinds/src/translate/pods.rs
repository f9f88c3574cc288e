//! The pods of any kind: the user's template, the workload's configuration, and the profile's part.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapEnvSource, Container, EnvFromSource, PodSpec, PodTemplateSpec,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{TranslateError, Translation};
use crate::names::{CONFIGS_ANNOTATION, IAMROLE_ANNOTATION, RESTARTED_ANNOTATION, ROLE_LABEL};
use crate::template::{Template, TemplateMetadata, TemplateSpec};

/// What a kind's pods are made of.
pub(crate) struct Pods<'a> {
    /// The user's template.
    pub template: &'a Template,
    /// Where the template is in the resource, for messages: `spec.template`.
    pub place: &'a str,
    /// Which of the kind's groups of pods it is; empty where all are alike.
    pub role: &'a str,
    /// Role that the pods take.
    pub iamrole: Option<&'a str>,
    /// Variables of every container.
    pub configs: &'a BTreeMap<String, String>,
    /// Configuration of sidecars.
    pub sidecarconfig: &'a BTreeMap<String, Value>,
    /// Seconds that a pod gets to end by itself.
    pub terminationgraceperiodseconds: Option<i64>,
}

impl Translation<'_> {
    /// The ConfigMap of the workload's `configs`, when it or the profile asks for one.
    pub fn config_map(&self, configs: &BTreeMap<String, String>) -> Option<ConfigMap> {
        let asked = !configs.is_empty() || self.profile_reads_configs();
        asked.then(|| ConfigMap {
            metadata: self.object(&self.configs_name()),
            data: (!configs.is_empty()).then(|| configs.clone()),
            ..ConfigMap::default()
        })
    }

    /// The pods, with all that the profile puts into them.
    pub fn pods(&self, pods: &Pods<'_>) -> Result<PodTemplateSpec, TranslateError> {
        let empty = TemplateMetadata::default();
        let own = pods.template.metadata.as_ref().unwrap_or(&empty);
        let mut annotations = BTreeMap::new();
        if let Some(role) = pods.iamrole {
            annotations.insert(IAMROLE_ANNOTATION.to_owned(), role.to_owned());
        }
        if let Some(at) = self.annotation(RESTARTED_ANNOTATION) {
            annotations.insert(RESTARTED_ANNOTATION.to_owned(), at.to_owned());
        }
        if !pods.configs.is_empty() {
            annotations.insert(CONFIGS_ANNOTATION.to_owned(), hash(pods.configs));
        }
        let metadata = self.pod_metadata(pods.place, pods.role, own, annotations)?;
        let mut pod = pod_spec(self, &pods.template.spec, pods.role);
        pod.termination_grace_period_seconds = pods.terminationgraceperiodseconds;
        if !pods.configs.is_empty() {
            let init = pod.init_containers.iter_mut().flatten();
            let containers = init.chain(&mut pod.containers);
            containers.for_each(|container| read_configs(container, &self.configs_name()));
        }
        self.inject(&mut pod, pods.place, pods.sidecarconfig)?;
        Ok(PodTemplateSpec {
            metadata: Some(metadata),
            spec: Some(pod),
        })
    }

    /// The label that tells the pods of one group from the others.
    pub(super) fn role_label(role: &str) -> Option<(String, String)> {
        (!role.is_empty()).then(|| (ROLE_LABEL.to_owned(), role.to_owned()))
    }
}

fn pod_spec(translation: &Translation<'_>, template: &TemplateSpec, role: &str) -> PodSpec {
    fn list<T: Clone>(items: &[T]) -> Option<Vec<T>> {
        (!items.is_empty()).then(|| items.to_vec())
    }
    let mut spread = template.topologyspreadconstraints.clone();
    for constraint in &mut spread {
        let selector = || translation.selector_of(role);
        constraint.label_selector.get_or_insert_with(selector);
    }
    PodSpec {
        init_containers: list(&template.initcontainers),
        containers: template.containers.clone(),
        volumes: list(&template.volumes),
        node_selector: (!template.nodeselector.is_empty()).then(|| template.nodeselector.clone()),
        tolerations: list(&template.tolerations),
        affinity: template.affinity.clone(),
        topology_spread_constraints: list(&spread),
        service_account_name: template.serviceaccountname.clone(),
        // The old name of the same field, which the API server fills in and goes on reading: left to
        // itself it would stay when the account is taken out of the config file.
        service_account: template.serviceaccountname.clone(),
        priority_class_name: template.priorityclassname.clone(),
        image_pull_secrets: list(&template.imagepullsecrets),
        security_context: template.securitycontext.clone(),
        ..PodSpec::default()
    }
}

/// Lets the containers beside the workload's own end with them, for pods that come to an end: they
/// become sidecars in Kubernetes' sense, which start after the init containers and keep no pod
/// from being done.
pub(crate) fn end_with_own(pod: &mut PodSpec, template: &Template) {
    let is_own = |container: &Container| {
        let mut own = template.spec.containers.iter();
        own.any(|own| own.name == container.name)
    };
    let (own, beside): (Vec<Container>, Vec<Container>) =
        pod.containers.drain(..).partition(is_own);
    pod.containers = own;
    if beside.is_empty() {
        return;
    }
    let sidecars = beside.into_iter().map(|mut container| {
        container.restart_policy = Some("Always".to_owned());
        container
    });
    pod.init_containers.get_or_insert_default().extend(sidecars);
}

/// Lets a container read the workload's ConfigMap as variables, before its own sources.
fn read_configs(container: &mut Container, name: &str) {
    let reference = ConfigMapEnvSource {
        name: name.to_owned(),
        optional: None,
    };
    let source = EnvFromSource {
        config_map_ref: Some(reference),
        ..EnvFromSource::default()
    };
    let sources = container.env_from.get_or_insert_default();
    if !sources.contains(&source) {
        sources.insert(0, source);
    }
}

/// A short hash of the configuration: variables are read when a container starts, so pods must be
/// replaced when it changes.
fn hash(configs: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (key, value) in configs {
        hasher.update((key.len() as u64).to_le_bytes());
        hasher.update(key);
        hasher.update((value.len() as u64).to_le_bytes());
        hasher.update(value);
    }
    hex::encode(&hasher.finalize()[..8])
}
