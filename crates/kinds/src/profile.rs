//! Runtime profiles: what platform engineers put into every workload, as data.
//!
//! A profile is YAML with the fields of [`RuntimeProfile`]. Its texts may hold `{{name}}`,
//! `{{namespace}}` and `{{project}}` of the workload. It is checked when it is read: unknown
//! fields, unknown placeholders, names that stand twice, mounts of volumes that it does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, Volume, VolumeMount};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ConfigError, Problem, ProblemKind};
use crate::kind::Kind;
use crate::{schema, yaml};

pub mod diff;
mod placeholder;
mod takes;
#[cfg(test)]
mod tests;

pub use placeholder::Names;
pub use takes::{Takes, ValueType};

/// What platform engineers put into every workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeProfile {
    /// Name, for example `plain`.
    pub name: String,
    /// Version, from 1; a workload's status says which one it was translated through.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Put into workloads of every kind.
    #[serde(default)]
    pub everywhere: Injection,
    /// Put into workloads of one kind, by its name, after what goes everywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Injection>,
    /// Sidecars that a workload may ask for in `sidecarconfig`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sidecars: BTreeMap<String, Sidecar>,
    /// Names of variables, annotations, volumes, containers and paths of mounts that a workload
    /// may say differently; everywhere else a difference is an error that names both sides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overridable: BTreeSet<String>,
}

/// What is put into a workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Injection {
    /// Labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the object that makes the pods, for example the Deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objectannotations: BTreeMap<String, String>,
    /// Variables of every container of the workload, before its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Sources of variables of every container of the workload, before its own. `{{name}}-configs`
    /// is the workload's own ConfigMap, which is then always made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub envfrom: Vec<EnvFromSource>,
    /// Mounts of every container of the workload, before its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<VolumeMount>,
    /// Volumes of the pods, before the workload's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Containers beside the workload's own, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<Container>,
    /// Init containers before the workload's own, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initcontainers: Vec<Container>,
}

/// A sidecar that a workload may ask for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sidecar {
    /// The container.
    pub container: Container,
    /// Volumes that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Keys that its configuration may have, each with what it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub takes: BTreeMap<String, Takes>,
    /// Variable of the container that gets its configuration, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configenv: Option<String>,
}

impl RuntimeProfile {
    /// The built-in profile: it puts nothing into a workload that a bare cluster lacks.
    pub fn plain() -> RuntimeProfile {
        RuntimeProfile {
            name: "plain".into(),
            version: 1,
            ..RuntimeProfile::default()
        }
    }

    /// The shipped profile that does what the talk's platform does.
    ///
    /// # Panics
    /// Never: a test reads the file that it is made of.
    pub fn pinterest() -> RuntimeProfile {
        let file = include_bytes!("../profiles/pinterest.yaml");
        RuntimeProfile::parse("pinterest.yaml", file)
            .unwrap_or_else(|error| unreachable!("the shipped profile is valid: {error}"))
    }

    /// The built-in profile of that name: `plain` or `pinterest`.
    pub fn named(name: &str) -> Option<RuntimeProfile> {
        match name {
            "plain" => Some(RuntimeProfile::plain()),
            "pinterest" => Some(RuntimeProfile::pinterest()),
            _ => None,
        }
    }

    /// Reads a profile; `file_name` stands in messages.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<RuntimeProfile, ConfigError> {
        let refuse = |source: &str, problems| Err(ConfigError::new(file_name, source, problems));
        let source = match crate::config::text(bytes) {
            Ok(source) => source,
            Err(problem) => return refuse("", vec![problem]),
        };
        let root = match yaml::parse(source) {
            Ok(root) => root,
            Err(problem) => return refuse(source, vec![problem.into()]),
        };
        let problems = schema::check(&root, &SCHEMA);
        if !problems.is_empty() {
            return refuse(source, problems);
        }
        let profile: RuntimeProfile = match serde_json::from_value(root.to_json()) {
            Ok(profile) => profile,
            Err(error) => {
                let message = format!("the profile has the wrong shape: {error}");
                return refuse(source, vec![problem(None, message, None)]);
            }
        };
        let problems: Vec<Problem> = profile
            .faults()
            .into_iter()
            .map(|(path, message, hint)| {
                let mark = Some(root.locate(&path));
                Problem {
                    mark,
                    ..problem(Some(path), message, hint)
                }
            })
            .collect();
        if problems.is_empty() {
            Ok(profile)
        } else {
            refuse(source, problems)
        }
    }

    /// As a status names it: `name@version`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What goes into a workload of a kind, with its names filled in.
    pub(crate) fn injection(&self, kind: Kind, names: &Names<'_>) -> Injection {
        let mut all = self.everywhere.clone();
        if let Some(more) = self.kinds.get(kind.name()).cloned() {
            all.labels.extend(more.labels);
            all.annotations.extend(more.annotations);
            all.objectannotations.extend(more.objectannotations);
            all.env.extend(more.env);
            all.envfrom.extend(more.envfrom);
            all.mounts.extend(more.mounts);
            all.volumes.extend(more.volumes);
            all.sidecars.extend(more.sidecars);
            all.initcontainers.extend(more.initcontainers);
        }
        placeholder::fill(&all, names)
    }

    /// A sidecar of the catalogue, with the workload's names filled in.
    pub(crate) fn sidecar(&self, name: &str, names: &Names<'_>) -> Option<Sidecar> {
        self.sidecars
            .get(name)
            .map(|sidecar| placeholder::fill(sidecar, names))
    }

    /// What the schema cannot tell: (path, message, hint).
    fn faults(&self) -> Vec<(String, String, Option<String>)> {
        let mut faults = Vec::new();
        for name in self.kinds.keys() {
            if !Kind::ALL.iter().any(|kind| kind.name() == name) {
                let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
                let hint = schema::nearest(name, known.iter().copied())
                    .map(|kind| format!("did you mean \"{kind}\"?"));
                let message = format!("no such kind, expected one of {}", known.join(", "));
                faults.push((format!("kinds.{name}"), message, hint));
            }
        }
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        for (path, unknown) in placeholder::unknown(&value) {
            let message = format!("no such placeholder \"{{{{{unknown}}}}}\"");
            let hint = format!(
                "known: {}",
                Names::KNOWN.map(|n| format!("{{{{{n}}}}}")).join(", ")
            );
            faults.push((path, message, Some(hint)));
        }
        faults.extend(self.name_faults());
        faults.extend(self.sidecar_faults());
        let places = Kind::ALL.iter().filter_map(|kind| {
            let own = self.kinds.get(kind.name())?;
            Some((
                format!("kinds.{}", kind.name()),
                vec![&self.everywhere, own],
            ))
        });
        let places =
            std::iter::once(("everywhere".to_owned(), vec![&self.everywhere])).chain(places);
        for (path, injections) in places {
            faults.extend(twice(&path, &injections));
            faults.extend(homeless(&path, &injections));
        }
        faults
    }
}

impl RuntimeProfile {
    /// The name becomes part of a ConfigMap's.
    fn name_faults(&self) -> Option<(String, String, Option<String>)> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let name = self.name.as_str();
        let right = (1..=40).contains(&name.len())
            && name.chars().all(|c| is_word(c) || c == '-')
            && name.starts_with(is_word)
            && name.ends_with(is_word);
        let message =
            "a name has 1 to 40 of a-z, 0-9 and \"-\", and begins and ends with a letter or digit";
        (!right).then(|| ("name".to_owned(), message.to_owned(), None))
    }

    /// Sidecars of the catalogue: their volumes are there, and what they take makes sense.
    fn sidecar_faults(&self) -> Vec<(String, String, Option<String>)> {
        let mut faults = Vec::new();
        for (name, sidecar) in &self.sidecars {
            let path = format!("sidecars.{name}");
            let own = sidecar.volumes.iter();
            let everywhere = self.everywhere.volumes.iter();
            let volumes: BTreeSet<&str> = own.chain(everywhere).map(|v| v.name.as_str()).collect();
            for mount in sidecar.container.volume_mounts.iter().flatten() {
                if !volumes.contains(mount.name.as_str()) {
                    let message = format!(
                        "the mount {} has no volume \"{}\"",
                        mount.mount_path, mount.name
                    );
                    let hint =
                        format!("add the volume \"{}\" to the sidecar's volumes", mount.name);
                    faults.push((
                        format!("{path}.container.volumeMounts"),
                        message,
                        Some(hint),
                    ));
                }
            }
            if sidecar.configenv.is_none() && !sidecar.takes.is_empty() {
                let message = "it takes configuration, and no variable gets it".to_owned();
                let hint = Some("name the variable in configenv".to_owned());
                faults.push((format!("{path}.takes"), message, hint));
            }
            for (key, takes) in &sidecar.takes {
                if let Some(message) = takes.fault() {
                    faults.push((format!("{path}.takes.{key}"), message, None));
                }
            }
        }
        faults
    }
}

/// Names that stand twice.
fn twice(path: &str, injections: &[&Injection]) -> Vec<(String, String, Option<String>)> {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let mut look = |list: &'static str, name: &str| {
        if !seen.insert((list, name.to_owned())) {
            let message = format!("\"{name}\" stands twice");
            faults.push((
                format!("{path}.{list}"),
                message,
                Some("keep one of the two".to_owned()),
            ));
        }
    };
    for injection in injections {
        injection.env.iter().for_each(|env| look("env", &env.name));
        injection
            .mounts
            .iter()
            .for_each(|mount| look("mounts", &mount.mount_path));
        injection
            .volumes
            .iter()
            .for_each(|volume| look("volumes", &volume.name));
        let containers = injection.sidecars.iter().chain(&injection.initcontainers);
        containers.for_each(|container| look("sidecars", &container.name));
    }
    faults
}

/// Mounts of the last injection whose volume is in none.
fn homeless(path: &str, injections: &[&Injection]) -> Vec<(String, String, Option<String>)> {
    let mut faults = Vec::new();
    for mount in injections
        .last()
        .into_iter()
        .flat_map(|injection| &injection.mounts)
    {
        let mut volumes = injections.iter().flat_map(|injection| &injection.volumes);
        if !volumes.any(|volume| volume.name == mount.name) {
            let message = format!(
                "the mount {} has no volume \"{}\"",
                mount.mount_path, mount.name
            );
            let hint = format!("add the volume \"{}\" to volumes", mount.name);
            faults.push((format!("{path}.mounts"), message, Some(hint)));
        }
    }
    faults
}

fn problem(field: Option<String>, message: String, hint: Option<String>) -> Problem {
    Problem {
        kind: ProblemKind::Rule,
        mark: None,
        field,
        message,
        hint,
    }
}

/// The schema of a profile, with everything in its place (no references).
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::openapi3()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(kube::core::schema::StructuralSchemaRewriter);
    settings
        .into_generator()
        .into_root_schema_for::<RuntimeProfile>()
        .to_value()
});
