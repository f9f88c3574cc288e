//! The definitions of the kinds, as the API server gets them.
//!
//! The derive makes them from the types; [`finish`] makes them fit: Kubernetes' own descriptions
//! are cut to their first sentence (the full ones would be most of the file), and lists of which
//! rules are asked get a limit, so that the API server can tell that the rules are cheap.

use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation,
};
use serde_json::Value;

use crate::kind::Kind;

/// Longest description kept within a schema, in characters.
const DESCRIPTION_LIMIT: usize = 160;

/// The definition of a kind.
///
/// It is made at each call, which takes a while (a sixth of a second where the program is not
/// optimized) and some megabytes: call it where nothing waits, and let go of it soon.
///
/// # Panics
/// Never: the schemas come from our own types, and a test reads every one.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    finish(kind.raw_crd())
}

/// The definitions of all kinds, in the order of [`Kind::ALL`]; see [`crd`].
pub fn crds() -> impl Iterator<Item = CustomResourceDefinition> {
    Kind::ALL.iter().copied().map(crd)
}

/// The definitions as YAML, each with the name of its file in `deploy/crds`.
///
/// # Panics
/// Never: definitions are plain data.
pub fn crds_yaml() -> Vec<(String, String)> {
    let write = |crd: CustomResourceDefinition| {
        let yaml = serde_saphyr::to_string(&crd)
            .unwrap_or_else(|error| unreachable!("definitions are plain data: {error}"));
        let head = "# Written by `cargo xtask codegen` from crates/kinds; do not edit.\n";
        (
            format!("{}.yaml", crd.spec.names.plural),
            format!("{head}{yaml}"),
        )
    };
    crds().map(write).collect()
}

/// The schema of a kind's resources, as the API server gets it; made when it is first needed.
pub(crate) fn schema(kind: Kind) -> &'static Value {
    static SCHEMAS: [OnceLock<Value>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    SCHEMAS[kind as usize].get_or_init(|| {
        let versions = crd(kind).spec.versions.into_iter();
        let schema = versions.map(|version| version.schema?.open_api_v3_schema);
        schema
            .flatten()
            .next()
            .and_then(|schema| serde_json::to_value(schema).ok())
            .unwrap_or(Value::Null)
    })
}

fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.take())
        else {
            continue;
        };
        let mut value = serde_json::to_value(schema).unwrap_or(Value::Null);
        tidy(&mut value);
        bound_names(&mut value);
        let schema = serde_json::from_value(value)
            .unwrap_or_else(|error| unreachable!("a tidied schema is a schema: {error}"));
        version.schema = Some(CustomResourceValidation {
            open_api_v3_schema: Some(schema),
        });
    }
    crd
}

/// Shortens descriptions everywhere, and lets no field be null.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = first_sentences(text);
            }
            // A key without a value means that it is not there; the API server drops it then.
            fields.remove("nullable");
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// As many whole sentences as fit; the first one cut at a word if it is too long by itself.
fn first_sentences(text: &str) -> String {
    let mut kept = String::new();
    let mut length = 0;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in text.split_inclusive(". ") {
        let more = sentence.trim_end().chars().count();
        if length + more > DESCRIPTION_LIMIT {
            break;
        }
        kept.push_str(sentence);
        length += more + 1;
    }
    if kept.is_empty() {
        for word in text.split_inclusive(' ') {
            length += word.chars().count();
            if length > DESCRIPTION_LIMIT {
                kept = format!("{}…", kept.trim_end());
                break;
            }
            kept.push_str(word);
        }
    }
    kept.trim_end().to_owned()
}

/// Container names are labels of at most 63 characters; saying so keeps the rules about them cheap.
fn bound_names(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for list in ["containers", "initcontainers"] {
            let name = properties
                .get_mut(list)
                .and_then(|list| list.pointer_mut("/items/properties/name"));
            if let Some(Value::Object(name)) = name {
                name.insert("minLength".into(), 1.into());
                name.insert("maxLength".into(), 63.into());
                name.insert("pattern".into(), "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$".into());
            }
        }
    }
    fields.values_mut().for_each(bound_names);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_definitions_are_the_generated_ones() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
        for (name, yaml) in crds_yaml() {
            let file = folder.join(&name);
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            assert!(
                committed == yaml,
                "{} is not what the types say; run `cargo xtask codegen`",
                file.display()
            );
        }
    }

    #[test]
    fn definitions_are_small_enough_for_any_client() {
        for crd in crds() {
            // kubectl keeps a copy as JSON in an annotation of at most 256 KiB.
            let size = serde_json::to_vec(&crd).expect("plain data").len();
            assert!(
                size < 200 * 1024,
                "{:?} has {size} bytes",
                crd.metadata.name
            );
        }
    }

    #[test]
    fn what_is_scaled_has_the_subresource() {
        for (kind, crd) in Kind::ALL.iter().zip(crds()) {
            let subresources = crd.spec.versions[0].subresources.as_ref();
            let scale = subresources.and_then(|it| it.scale.as_ref());
            let path = scale.map(|scale| scale.spec_replicas_path.as_str());
            assert_eq!(path, kind.is_scaled().then_some(".spec.replicas"));
        }
    }

    #[test]
    fn sentences_are_kept_whole() {
        let long = format!("One. {}. Three.", "two ".repeat(100).trim_end());
        assert_eq!(first_sentences(&long), "One.");
        assert_eq!(first_sentences("A\n b."), "A b.");
        assert!(first_sentences(&"word ".repeat(100)).ends_with("word…"));
    }
}
