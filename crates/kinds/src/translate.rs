//! What all translations share: the labels of everything made, what the runtime profile puts into
//! a pod, and the errors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use crate::kind::Kind;
use crate::names::{
    API_VERSION, APP_LABEL, CANARY_OF_LABEL, COMMIT_ANNOTATION, DEPLOY_ANNOTATION, MANAGED_BY,
    MANAGED_BY_LABEL, NAME_LABEL, PAUSED_ANNOTATION, PROJECT_LABEL, REPOSITORY_ANNOTATION,
    WORKLOAD_LABEL,
};
use crate::profile::{Injection, Names, RuntimeProfile, Sidecar};
use crate::template::TemplateMetadata;

mod error;
mod merge;
mod pods;

pub use error::TranslateError;
use merge::{Side, merge_list, merge_map};
pub(crate) use pods::{Pods, end_with_own};

/// A resource on its way through a profile.
pub(crate) struct Translation<'a> {
    kind: Kind,
    metadata: &'a ObjectMeta,
    profile: &'a RuntimeProfile,
    names: Names<'a>,
    /// The workload whose Service the pods stand behind: its own name, but for a canary.
    serves: &'a str,
    /// What the profile puts into it.
    pub injection: Injection,
}

/// Whether a person holds the rollout of a resource.
pub fn is_paused(metadata: &ObjectMeta) -> bool {
    let annotations = metadata.annotations.as_ref();
    annotations.is_some_and(|it| it.get(PAUSED_ANNOTATION).is_some_and(|word| word == "true"))
}

impl<'a> Translation<'a> {
    /// Begins the translation of a resource with that metadata.
    pub fn new(kind: Kind, metadata: &'a ObjectMeta, profile: &'a RuntimeProfile) -> Self {
        let labels = metadata.labels.as_ref();
        let names = Names {
            name: metadata.name.as_deref().unwrap_or_default(),
            namespace: metadata.namespace.as_deref().unwrap_or("default"),
            project: labels
                .and_then(|labels| labels.get(PROJECT_LABEL))
                .map_or("default", String::as_str),
        };
        let injection = profile.injection(kind, &names);
        let canary_of = labels.and_then(|labels| labels.get(CANARY_OF_LABEL));
        Translation {
            kind,
            metadata,
            profile,
            serves: canary_of.map_or(names.name, String::as_str),
            names,
            injection,
        }
    }

    /// An annotation of the resource, where it stands there and is not empty.
    pub(crate) fn annotation(&self, name: &str) -> Option<&'a str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether its rollout is held.
    pub(crate) fn is_paused(&self) -> bool {
        is_paused(self.metadata)
    }

    /// The workload's name.
    pub fn name(&self) -> &'a str {
        self.names.name
    }

    /// Whether this is a canary, which stands behind another's Service.
    pub fn is_canary(&self) -> bool {
        self.serves != self.names.name
    }

    /// The workload's namespace.
    pub fn namespace(&self) -> &'a str {
        self.names.namespace
    }

    /// Name of the ConfigMap with the workload's `configs`.
    pub fn configs_name(&self) -> String {
        format!("{}-configs", self.names.name)
    }

    /// Whether the profile's variables come from the workload's own ConfigMap.
    pub fn profile_reads_configs(&self) -> bool {
        let own = self.configs_name();
        self.injection.envfrom.iter().any(|source| {
            source
                .config_map_ref
                .as_ref()
                .is_some_and(|reference| reference.name == own)
        })
    }

    /// Labels of everything made for the workload.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [
            (APP_LABEL, self.serves),
            (NAME_LABEL, self.serves),
            (MANAGED_BY_LABEL, MANAGED_BY),
            (WORKLOAD_LABEL, self.names.name),
            (PROJECT_LABEL, self.names.project),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// What selects all of the workload's pods.
    pub fn selector(&self) -> LabelSelector {
        self.selector_of("")
    }

    /// What selects one group of the workload's pods, or all where `role` is empty.
    pub fn selector_of(&self, role: &str) -> LabelSelector {
        // A canary bears the name of another, so that the other's Service finds its pods.
        let label = if self.is_canary() {
            WORKLOAD_LABEL
        } else {
            NAME_LABEL
        };
        let name = (label.to_owned(), self.names.name.to_owned());
        let labels = std::iter::once(name).chain(Self::role_label(role));
        LabelSelector {
            match_labels: Some(labels.collect()),
            ..LabelSelector::default()
        }
    }

    /// Metadata of an object made for the workload, owned by its resource once that has a `uid`.
    pub fn object(&self, name: &str) -> ObjectMeta {
        let owner = self.metadata.uid.as_ref().map(|uid| OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: self.kind.name().to_owned(),
            name: self.names.name.to_owned(),
            uid: uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        });
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.names.namespace.to_owned()),
            labels: Some(self.labels()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// Metadata of the object that makes the pods: also says which deploy it runs.
    pub fn workload_object(&self) -> ObjectMeta {
        let mut annotations = self.injection.objectannotations.clone();
        let own = self.metadata.annotations.iter().flatten();
        let marks = [COMMIT_ANNOTATION, DEPLOY_ANNOTATION, REPOSITORY_ANNOTATION];
        annotations.extend(
            own.filter(|(key, _)| marks.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        ObjectMeta {
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..self.object(self.names.name)
        }
    }

    /// Metadata of the pods: the workload's own words, the profile's and Hermez'.
    pub fn pod_metadata(
        &self,
        place: &str,
        role: &str,
        own: &TemplateMetadata,
        hermez: BTreeMap<String, String>,
    ) -> Result<ObjectMeta, TranslateError> {
        let side = Side {
            profile: self.profile,
        };
        let place = format!("{place}.metadata");
        let mut labels = merge_map(
            side,
            &format!("{place}.labels"),
            &self.injection.labels,
            &own.labels,
        )?;
        for (key, value) in self.labels().into_iter().chain(Self::role_label(role)) {
            match labels.insert(key.clone(), value.clone()) {
                Some(other) if other != value => {
                    return Err(TranslateError::Reserved {
                        place: format!("{place}.labels.{key}"),
                        value,
                    });
                }
                _ => {}
            }
        }
        let annotations = &self.injection.annotations;
        let mut annotations = merge_map(
            side,
            &format!("{place}.annotations"),
            annotations,
            &own.annotations,
        )?;
        annotations.extend(hermez);
        Ok(ObjectMeta {
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        })
    }

    /// Puts the profile's part into a pod: variables, mounts, volumes, sidecars, init containers.
    pub fn inject(
        &self,
        pod: &mut PodSpec,
        place: &str,
        sidecars: &BTreeMap<String, Value>,
    ) -> Result<(), TranslateError> {
        let side = Side {
            profile: self.profile,
        };
        let injection = &self.injection;
        for (list, containers) in [
            (
                "initcontainers",
                pod.init_containers.iter_mut().flatten().collect::<Vec<_>>(),
            ),
            ("containers", pod.containers.iter_mut().collect()),
        ] {
            for container in containers {
                let place = format!("{place}.spec.{list}.{}", container.name);
                self.inject_container(side, &place, container)?;
            }
        }
        let mut volumes = injection.volumes.clone();
        let mut added = injection.sidecars.clone();
        for (name, config) in sidecars {
            let (container, more) = self.asked_sidecar(name, config)?;
            added.push(container);
            volumes.extend(more);
        }
        let place = format!("{place}.spec");
        let own = pod.volumes.take().unwrap_or_default();
        let key = |volume: &Volume| volume.name.clone();
        pod.volumes = some(merge_list(
            side,
            &format!("{place}.volumes"),
            &volumes,
            own,
            key,
        )?);
        let key = |container: &Container| container.name.clone();
        let own = std::mem::take(&mut pod.containers);
        // The workload's own containers come first: the first is the one that tools show.
        pod.containers = merge::append(side, &format!("{place}.containers"), own, added, key)?;
        let own = pod.init_containers.take().unwrap_or_default();
        let place = format!("{place}.initcontainers");
        pod.init_containers = some(merge_list(
            side,
            &place,
            &injection.initcontainers,
            own,
            key,
        )?);
        Ok(())
    }

    fn inject_container(
        &self,
        side: Side<'_>,
        place: &str,
        container: &mut Container,
    ) -> Result<(), TranslateError> {
        let injection = &self.injection;
        let own = container.env.take().unwrap_or_default();
        let key = |env: &EnvVar| env.name.clone();
        container.env = some(merge_list(
            side,
            &format!("{place}.env"),
            &injection.env,
            own,
            key,
        )?);
        let own = container.volume_mounts.take().unwrap_or_default();
        let key = |mount: &VolumeMount| mount.mount_path.clone();
        let place = format!("{place}.volumeMounts");
        container.volume_mounts = some(merge_list(side, &place, &injection.mounts, own, key)?);
        let own = container.env_from.take().unwrap_or_default();
        let mut sources = injection.envfrom.clone();
        sources.extend(
            own.into_iter()
                .filter(|source| !injection.envfrom.contains(source)),
        );
        container.env_from = some(sources);
        Ok(())
    }

    /// A sidecar of the catalogue, with the workload's configuration for it.
    fn asked_sidecar(
        &self,
        name: &str,
        config: &Value,
    ) -> Result<(Container, Vec<Volume>), TranslateError> {
        let list = |words: Vec<&str>, none: &str| match words.as_slice() {
            [] => none.to_owned(),
            words => format!("it knows {}", words.join(", ")),
        };
        let Some(sidecar) = self.profile.sidecar(name, &self.names) else {
            let known = self.profile.sidecars.keys().map(String::as_str).collect();
            return Err(TranslateError::UnknownSidecar {
                name: name.to_owned(),
                profile: self.profile.name.clone(),
                known: list(known, "it has none at all; leave sidecarconfig out"),
            });
        };
        check_sidecar_config(name, &sidecar, config, list)?;
        let mut container = sidecar.container;
        if let Some(variable) = sidecar.configenv {
            let value = Some(config.to_string());
            let env = EnvVar {
                name: variable,
                value,
                value_from: None,
            };
            container.env.get_or_insert_default().push(env);
        }
        Ok((container, sidecar.volumes))
    }
}

/// Whether the configuration is what the sidecar takes.
fn check_sidecar_config(
    name: &str,
    sidecar: &Sidecar,
    config: &Value,
    list: impl Fn(Vec<&str>, &str) -> String,
) -> Result<(), TranslateError> {
    for (key, value) in config.as_object().into_iter().flatten() {
        let Some(takes) = sidecar.takes.get(key) else {
            let known = sidecar.takes.keys().map(String::as_str).collect();
            return Err(TranslateError::UnknownSidecarKey {
                sidecar: name.to_owned(),
                key: key.clone(),
                known: list(known, "it takes none"),
            });
        };
        if !takes.accepts(value) {
            return Err(TranslateError::SidecarValue {
                sidecar: name.to_owned(),
                key: key.clone(),
                found: value.to_string(),
                takes: takes.words(),
            });
        }
    }
    let needed = sidecar.takes.iter().filter(|(_, takes)| takes.required);
    let mut missing = needed.filter(|(key, _)| config.get(key).is_none());
    match missing.next() {
        None => Ok(()),
        Some((key, takes)) => Err(TranslateError::SidecarNeeds {
            sidecar: name.to_owned(),
            key: key.clone(),
            takes: takes.words(),
        }),
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// One of Kubernetes' own objects as an object of any kind.
///
/// # Panics
/// Never: Kubernetes' objects are plain data.
pub(crate) fn dynamic<T: Serialize>(object: &T) -> DynamicObject {
    serde_json::to_value(object)
        .and_then(serde_json::from_value)
        .unwrap_or_else(|error| unreachable!("Kubernetes' objects are plain data: {error}"))
}
