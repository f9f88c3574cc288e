//! What another profile would change of a workload's objects. Pure.
//!
//! Names of the workload and its namespace are told as `{{name}}` and `{{namespace}}`, so that the
//! same change of a thousand workloads is the same change.

use std::collections::BTreeSet;

use kube::api::{DynamicObject, ResourceExt};
use serde_json::Value;

use crate::Resource;

/// Most changes that are told of one workload.
pub const MOST_CHANGES: usize = 200;
/// Longest text of a value, in characters.
const VALUE_LIMIT: usize = 2_000;

/// One difference between two translations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The object, as `Kind/name`.
    pub object: String,
    /// Where in it; empty for the whole object.
    pub field: String,
    /// What it is, as JSON; none when it is not there.
    pub before: Option<String>,
    /// What it would be, as JSON; none when it would not be there.
    pub after: Option<String>,
}

/// The differences between two translations of `resource`, sorted; at most [`MOST_CHANGES`].
pub fn changes(
    resource: &Resource,
    before: &[DynamicObject],
    after: &[DynamicObject],
) -> Vec<Change> {
    let id = |object: &DynamicObject| {
        let kind = object
            .types
            .as_ref()
            .map_or("", |types| types.kind.as_str());
        format!("{kind}/{}", object.name_any())
    };
    let find = |objects: &[DynamicObject], wanted: &str| {
        let found = objects.iter().find(|object| id(object) == wanted)?;
        serde_json::to_value(found).ok()
    };
    let names: BTreeSet<String> = before.iter().chain(after).map(id).collect();
    let mut look = Look {
        resource,
        object: String::new(),
        changes: Vec::new(),
    };
    for name in names {
        look.object = look.general(&name);
        let (old, new) = (find(before, &name), find(after, &name));
        look.value(old.as_ref(), new.as_ref(), &mut String::new());
    }
    look.changes.sort();
    look.changes
}

/// A text about `resource` without its own names.
pub fn general(resource: &Resource, text: &str) -> String {
    let text = replace_word(text, resource.name(), "{{name}}");
    replace_word(&text, resource.namespace(), "{{namespace}}")
}

struct Look<'a> {
    resource: &'a Resource,
    object: String,
    changes: Vec<Change>,
}

impl Look<'_> {
    fn value(&mut self, old: Option<&Value>, new: Option<&Value>, at: &mut String) {
        if old == new || self.changes.len() >= MOST_CHANGES {
            return;
        }
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
                for key in keys {
                    let dot = if at.is_empty() { "" } else { "." };
                    self.below(old.get(key), new.get(key), at, &format!("{dot}{key}"));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new)))
                if is_list_of_named(old) && is_list_of_named(new) =>
            {
                let find = |list: &'_ [Value], key: &str| {
                    list.iter().find(|item| name_of(item) == Some(key)).cloned()
                };
                let keys = old.iter().chain(new).filter_map(name_of);
                let keys: BTreeSet<String> = keys.map(str::to_owned).collect();
                for key in keys {
                    let (old, new) = (find(old, &key), find(new, &key));
                    self.below(old.as_ref(), new.as_ref(), at, &format!("[{key}]"));
                }
                // The order of containers is a change, too.
                let order = |list: &[Value]| {
                    list.iter()
                        .filter_map(name_of)
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                let (before, after) = (order(old), order(new));
                let same_names = before.iter().collect::<BTreeSet<_>>() == after.iter().collect();
                if same_names && before != after {
                    self.push(
                        Some(&before.into()),
                        Some(&after.into()),
                        &format!("{at} (order)"),
                    );
                }
            }
            _ => self.push(old, new, at),
        }
    }

    fn below(&mut self, old: Option<&Value>, new: Option<&Value>, at: &mut String, step: &str) {
        let length = at.len();
        at.push_str(step);
        self.value(old, new, at);
        at.truncate(length);
    }

    fn push(&mut self, old: Option<&Value>, new: Option<&Value>, at: &str) {
        let text = |value: &Value| {
            let text = self.general(&value.to_string());
            match text.char_indices().nth(VALUE_LIMIT) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        };
        let change = Change {
            object: self.object.clone(),
            field: self.general(at),
            before: old.map(text),
            after: new.map(text),
        };
        self.changes.push(change);
    }

    fn general(&self, text: &str) -> String {
        general(self.resource, text)
    }
}

/// What a named item of a list is known by, as server-side apply knows it.
fn name_of(item: &Value) -> Option<&str> {
    let keys = ["mountPath", "name"];
    keys.iter().find_map(|key| item.get(*key)?.as_str())
}

fn is_list_of_named(list: &[Value]) -> bool {
    let names: BTreeSet<&str> = list.iter().filter_map(name_of).collect();
    names.len() == list.len()
}

/// Replaces a word where it stands by itself: not within a longer word.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    if word.is_empty() {
        return text.to_owned();
    }
    let is_part = |c: char| c.is_ascii_alphanumeric();
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, found) = rest.split_at(at);
        let after = &found[word.len()..];
        replaced.push_str(before);
        let bounded = !replaced.ends_with(is_part) && !after.starts_with(is_part);
        replaced.push_str(if bounded { with } else { word });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Kind, RuntimeProfile};

    fn mk_service(name: &str) -> Resource {
        let service = json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {"name": name, "namespace": "prod"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x"}]}}},
        });
        Kind::Service.read(service).expect("a service")
    }

    fn between(name: &str, before: &RuntimeProfile, after: &RuntimeProfile) -> Vec<Change> {
        let service = mk_service(name);
        let translate = |profile| service.translate(profile).expect("translates");
        changes(&service, &translate(before), &translate(after))
    }

    fn mk_profile(yaml: &str) -> RuntimeProfile {
        let file = format!("name: test\nversion: 1\n{yaml}");
        RuntimeProfile::parse("p.yaml", file.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_change_is_told_by_its_place() {
        let before =
            mk_profile("everywhere: {env: [{name: A, value: '1'}, {name: B, value: '2'}]}");
        let after = mk_profile(
            "everywhere: {env: [{name: A, value: '{{name}}.{{namespace}}'}], sidecars: [{name: log, image: l}]}",
        );
        let told: Vec<String> = between("hello", &before, &after)
            .into_iter()
            .map(|c| format!("{} {}: {:?} -> {:?}", c.object, c.field, c.before, c.after))
            .collect();
        assert_eq!(
            told,
            [
                r#"Deployment/{{name}} spec.template.spec.containers[log]: None -> Some("{\"image\":\"l\",\"name\":\"log\"}")"#,
                r#"Deployment/{{name}} spec.template.spec.containers[web].env[A].value: Some("\"1\"") -> Some("\"{{name}}.{{namespace}}\"")"#,
                r#"Deployment/{{name}} spec.template.spec.containers[web].env[B]: Some("{\"name\":\"B\",\"value\":\"2\"}") -> None"#,
            ]
        );
    }

    #[test]
    fn equal_changes_of_two_workloads_are_equal() {
        let (plain, pinterest) = (RuntimeProfile::plain(), RuntimeProfile::pinterest());
        let one = between("hello", &plain, &pinterest);
        assert!(one.len() > 10, "{one:#?}");
        assert_eq!(one, between("other-name", &plain, &pinterest));
        assert!(between("hello", &plain, &plain).is_empty());
    }

    #[test]
    fn only_whole_words_are_names() {
        assert_eq!(
            replace_word("a-web web webs a.web", "web", "N"),
            "a-N N webs a.N"
        );
    }
}
