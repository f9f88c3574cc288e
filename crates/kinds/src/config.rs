//! The config file that users keep in their repository: parsed, checked, pinned, written again.
//!
//! Guarantees: a [`Config`] has a legal name and namespace, no field that its kind does not know,
//! and passes the rules of its kind's definition. What is wrong is reported with its place, all of
//! it at once where that makes sense.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::kind::{Kind, Resource};
use crate::names::{API_VERSION, MANAGED_BY, MANAGED_BY_LABEL, PROJECT_LABEL, WORKLOAD_LABEL};
use crate::schema::{check, nearest};
use crate::yaml::{self, Node, Yaml, shorten};

mod container_names;
mod problem;
mod rules;
#[cfg(test)]
mod tests;

pub use problem::{ConfigError, Problem, ProblemKind, Violation};

/// Largest config file, in bytes.
pub const SIZE_LIMIT: usize = 1024 * 1024;

/// A config file that was read and found right.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The workload's name, from `metadata.name`: a DNS label of at most 63 characters.
    pub name: String,
    /// The project, from `metadata.project`, or `default`.
    pub project: String,
    /// The Kubernetes namespace, from `metadata.namespace`, or `default`.
    pub namespace: String,
    /// The resource, with Hermez' labels.
    pub resource: Resource,
}

/// A container that the config file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRef {
    /// Name within the resource, as [`Resource::containers`] gives it.
    pub name: String,
    /// Image as written, if any.
    pub image: Option<String>,
    /// Whether it is an init container.
    pub init: bool,
}

/// Reads a config file; `file_name` stands in messages and places.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong, at most 20 problems.
pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Config, ConfigError> {
    let refuse =
        |source: &str, problems: Vec<Problem>| ConfigError::new(file_name, source, problems);
    let source = text(bytes).map_err(|problem| refuse("", vec![problem]))?;
    let root = yaml::parse(source).map_err(|problem| refuse(source, vec![problem.into()]))?;
    read(&root).map_err(|problems| refuse(source, problems))
}

impl Config {
    /// As `kind:` writes it.
    pub fn kind(&self) -> &'static str {
        self.resource.kind().name()
    }

    /// Its containers, init containers first.
    pub fn containers(&self) -> Vec<ContainerRef> {
        let containers = self.resource.containers().into_iter();
        let container = containers.map(|(name, container, init)| ContainerRef {
            name,
            image: container.image.clone(),
            init,
        });
        container.collect()
    }

    /// Port that its pods listen on, when it says.
    pub fn port(&self) -> Option<u16> {
        self.resource.port()
    }

    /// Replicas asked for, where the kind has them.
    pub fn replicas(&self) -> Option<i32> {
        self.resource.replicas()
    }

    /// Sets the image of each container that `images` names (container's name → reference by
    /// digest).
    pub fn pin(&mut self, images: &BTreeMap<String, String>) {
        self.resource.pin(images);
    }

    /// The manifest: the resource as YAML, as the API server takes it.
    ///
    /// # Panics
    /// Never: resources are plain data.
    pub fn to_manifest_yaml(&self) -> String {
        let mut value = self.resource.to_json();
        if let Value::Object(fields) = &mut value {
            fields.remove("status");
        }
        serde_saphyr::to_string(&value)
            .unwrap_or_else(|error| unreachable!("resources are plain data: {error}"))
    }

    /// Reads what [`Config::to_manifest_yaml`] wrote.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn from_manifest(bytes: &[u8]) -> Result<Config, ConfigError> {
        parse("manifest.yaml", bytes)
    }
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > SIZE_LIMIT {
        return Err(Problem {
            kind: ProblemKind::TooLarge,
            mark: None,
            field: None,
            message: format!(
                "the file has {} bytes; a config file has at most {SIZE_LIMIT}",
                bytes.len()
            ),
            hint: Some("a config file is about 25 lines; is this the right file?".into()),
        });
    }
    std::str::from_utf8(bytes).map_err(|error| Problem {
        kind: ProblemKind::NotText,
        mark: None,
        field: None,
        message: format!("the file is not UTF-8 text (byte {})", error.valid_up_to()),
        hint: Some("is this the right file?".into()),
    })
}

fn read(root: &Node) -> Result<Config, Vec<Problem>> {
    let kind = header(root).map_err(|problem| vec![problem])?;
    let schema = crate::crd::schema(kind);
    let mut problems = check(root, file_schema(kind));
    if problems.is_empty() {
        problems = names(root);
        problems.extend(container_names::check(root));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = build(kind, root).map_err(|problem| vec![problem])?;
    // A violation knows its place better than the rule about the same field.
    let violations = config.resource.violations().into_iter();
    let mut problems: Vec<Problem> = violations.map(|violation| violation.at(root)).collect();
    for rule in rules::check(root, schema, &config.resource) {
        if !problems.iter().any(|known| known.field == rule.field) {
            problems.push(rule);
        }
    }
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(problems)
    }
}

/// `apiVersion` and `kind`.
fn header(root: &Node) -> Result<Kind, Problem> {
    if !matches!(root.value, Yaml::Map(_)) {
        return Err(Problem {
            kind: ProblemKind::WrongType,
            mark: Some(root.mark),
            field: None,
            message: format!(
                "found {}, expected a map with apiVersion, kind, metadata and spec",
                root.describe()
            ),
            hint: None,
        });
    }
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let missing = |field: &str, hint: String| Problem {
        kind: ProblemKind::MissingField,
        mark: Some(root.mark),
        field: Some(field.to_owned()),
        message: format!("\"{field}\" is missing"),
        hint: Some(hint),
    };
    let version = root
        .get("apiVersion")
        .ok_or_else(|| missing("apiVersion", format!("write apiVersion: {API_VERSION}")))?;
    let name = root.get("kind").ok_or_else(|| {
        missing(
            "kind",
            format!("write kind: and one of {}", known.join(", ")),
        )
    })?;
    if version.text() != Some(API_VERSION) {
        return Err(Problem {
            kind: ProblemKind::UnknownKind,
            mark: Some(version.mark),
            field: Some("apiVersion".into()),
            message: format!("found {}, expected {API_VERSION}", version.describe()),
            hint: Some(format!(
                "write apiVersion: {API_VERSION} and one of {}",
                known.join(", ")
            )),
        });
    }
    name.text()
        .and_then(Kind::from_spelling)
        .ok_or_else(|| Problem {
            kind: ProblemKind::UnknownKind,
            mark: Some(name.mark),
            field: Some("kind".into()),
            message: format!(
                "found {}, expected one of {}",
                name.describe(),
                known.join(", ")
            ),
            hint: name
                .text()
                .and_then(|word| nearest(word, known.iter().copied()))
                .map(|kind| format!("did you mean \"{kind}\"?")),
        })
}

/// What a config file may say: the spec as the kind knows it, and less metadata than Kubernetes has.
/// Made when it is first needed.
fn file_schema(kind: Kind) -> &'static Value {
    static SCHEMAS: [OnceLock<Value>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    SCHEMAS[kind as usize].get_or_init(|| with_less_metadata(crate::crd::schema(kind)))
}

fn with_less_metadata(schema: &Value) -> Value {
    let spec = schema
        .pointer("/properties/spec")
        .cloned()
        .unwrap_or_default();
    json!({
        "type": "object",
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": metadata_schema(),
            "spec": spec,
        }
    })
}

fn metadata_schema() -> Value {
    let words =
        json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 100});
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "the workload's name, for example my-service"},
            "project": {"type": "string"},
            "namespace": {"type": "string"},
            "labels": words,
            "annotations": words,
        }
    })
}

/// Names that Kubernetes would not take.
fn names(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut look = |field: &str, legal: fn(&str) -> bool, rule: &str| {
        let node = root
            .get("metadata")
            .and_then(|metadata| metadata.get(field));
        if let Some((node, text)) = node.and_then(|node| node.text().map(|text| (node, text)))
            && !legal(text)
        {
            problems.push(Problem {
                kind: ProblemKind::IllegalName,
                mark: Some(node.mark),
                field: Some(format!("metadata.{field}")),
                message: format!("\"{}\" is not a legal {field}: {rule}", shorten(text)),
                hint: suggestion(text)
                    .filter(|s| legal(s))
                    .map(|s| format!("write {field}: {s}")),
            });
        }
    };
    let label = "at most 63 characters of a-z, 0-9 and '-', with a letter or digit at both ends";
    look(
        "name",
        |text| is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()),
        "at most 63 characters of a-z, 0-9 and '-', a letter first, a letter or digit last",
    );
    look("namespace", is_label, label);
    look("project", is_label, label);
    problems
}

fn is_label(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= 63
        && text.starts_with(word)
        && text.ends_with(word)
        && text.chars().all(|c| word(c) || c == '-')
}

/// The legal name nearest to an illegal one.
fn suggestion(text: &str) -> Option<String> {
    let lower = text.chars().take(63).map(|c| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            c
        } else {
            '-'
        }
    });
    let name = lower.collect::<String>();
    let name = name.trim_matches('-').to_owned();
    (!name.is_empty()).then_some(name)
}

fn build(kind: Kind, root: &Node) -> Result<Config, Problem> {
    let field = |name: &str| {
        let node = root.get("metadata").and_then(|metadata| metadata.get(name));
        node.and_then(Node::text).map(str::to_owned)
    };
    let mut value = root.to_json();
    value["kind"] = kind.name().into();
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.remove("project");
    }
    let mut resource = kind.read(value).map_err(|error| Problem {
        kind: ProblemKind::WrongType,
        mark: None,
        field: None,
        message: format!("the file has the wrong shape: {error}"),
        hint: None,
    })?;
    let name = resource.name().to_owned();
    let namespace = resource.namespace().to_owned();
    let metadata = resource.metadata_mut();
    metadata.namespace = Some(namespace.clone());
    let labels = metadata.labels.get_or_insert_default();
    let project = field("project")
        .or_else(|| labels.get(PROJECT_LABEL).cloned())
        .unwrap_or_else(|| "default".to_owned());
    labels.insert(PROJECT_LABEL.into(), project.clone());
    labels.insert(MANAGED_BY_LABEL.into(), MANAGED_BY.into());
    labels.insert(WORKLOAD_LABEL.into(), name.clone());
    Ok(Config {
        name,
        project,
        namespace,
        resource,
    })
}
