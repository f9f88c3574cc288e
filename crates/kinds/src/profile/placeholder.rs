//! `{{name}}` and the like in a profile's texts.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The words that a profile's texts may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// The workload's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its project.
    pub project: &'a str,
}

impl Names<'_> {
    /// The placeholders that there are.
    pub const KNOWN: [&'static str; 3] = ["name", "namespace", "project"];

    fn get(&self, placeholder: &str) -> Option<&str> {
        match placeholder {
            "name" => Some(self.name),
            "namespace" => Some(self.namespace),
            "project" => Some(self.project),
            _ => None,
        }
    }
}

/// A copy of plain data with all placeholders filled in.
pub(super) fn fill<T: Serialize + DeserializeOwned>(data: &T, names: &Names<'_>) -> T {
    let filled = serde_json::to_value(data).map(|mut value| {
        walk(&mut value, &mut |text| {
            if text.contains("{{") {
                *text = replace(text, names);
            }
        });
        value
    });
    filled
        .and_then(serde_json::from_value)
        .unwrap_or_else(|error| unreachable!("profiles are plain data: {error}"))
}

/// The placeholders that there are not, each with its path.
pub(super) fn unknown(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    look(value, "", &mut found);
    found
}

fn look(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => {
            for (_, name) in parts(text).filter_map(|(plain, name)| Some((plain, name?))) {
                if !Names::KNOWN.contains(&name) {
                    found.push((path.to_owned(), name.to_owned()));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                look(item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                look(field, &format!("{path}{dot}{name}"), found);
            }
        }
        _ => {}
    }
}

fn walk(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|field| walk(field, change)),
        _ => {}
    }
}

fn replace(text: &str, names: &Names<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    for (plain, name) in parts(text) {
        filled.push_str(plain);
        if let Some(name) = name {
            filled.push_str(names.get(name).unwrap_or_default());
        }
    }
    filled
}

/// A text as plain pieces, each followed by a placeholder or the end.
fn parts(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let here = rest.take()?;
        let found = here.split_once("{{").and_then(|(plain, more)| {
            more.split_once("}}")
                .map(|(name, after)| (plain, name, after))
        });
        match found {
            Some((plain, name, after)) => {
                rest = Some(after);
                Some((plain, Some(name.trim())))
            }
            None => Some((here, None)),
        }
    })
}
