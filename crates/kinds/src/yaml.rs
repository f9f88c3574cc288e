//! YAML as a tree that knows where each thing stands.
//!
//! Owns the step from bytes to [`Node`]: one document, bounded in depth and size (aliases count
//! every time that they are used), no duplicate keys, the core schema of YAML 1.2.

use serde_json::{Map, Number, Value};

mod read;
#[cfg(test)]
mod tests;

pub(crate) use read::parse;

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where.
    pub mark: Mark,
    /// What.
    pub value: Yaml,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole or broken number.
    Number(Number),
    /// Anything in quotes, and all other plain text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    /// Where.
    pub mark: Mark,
    /// The key.
    pub name: String,
}

/// Why a file is no YAML that we read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct YamlProblem {
    /// Where, if anywhere.
    pub mark: Option<Mark>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Node {
    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key and the value under it.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        match &self.value {
            Yaml::Map(entries) => entries.iter().find(|(k, _)| k.name == key),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Follows a path such as `spec.containers[0].name` as far as it goes; the deepest place
    /// found.
    pub fn locate(&self, path: &str) -> Mark {
        let mut here = self;
        let mut mark = self.mark;
        let mut rest = path;
        while !rest.is_empty() {
            let next = match &here.value {
                // Keys may hold dots themselves: the longest that fits is meant.
                Yaml::Map(entries) => entries
                    .iter()
                    .filter_map(|(key, node)| {
                        let after = rest.strip_prefix(key.name.as_str())?;
                        (after.is_empty() || after.starts_with(['.', '[']))
                            .then_some((key.mark, node, after))
                    })
                    .min_by_key(|(_, _, after)| after.len()),
                Yaml::List(items) => rest
                    .strip_prefix('[')
                    .and_then(|inner| inner.split_once(']'))
                    .and_then(|(index, after)| {
                        Some((items.get(index.parse::<usize>().ok()?)?, after))
                    })
                    .map(|(node, after)| (node.mark, node, after)),
                _ => None,
            };
            let Some((place, node, after)) = next else {
                break;
            };
            mark = place;
            here = node;
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        mark
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        match &self.value {
            Yaml::Null => "nothing".into(),
            Yaml::Bool(value) => format!("{value}"),
            Yaml::Number(value) => format!("the number {value}"),
            Yaml::Text(value) => format!("the text \"{}\"", shorten(value)),
            Yaml::List(_) => "a list".into(),
            Yaml::Map(_) => "a map".into(),
        }
    }

    /// As JSON. Keys without a value are left out, as the API server does.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Number(value) => Value::Number(value.clone()),
            Yaml::Text(value) => Value::String(value.clone()),
            Yaml::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Yaml::Map(entries) => Value::Object(
                entries
                    .iter()
                    .filter(|(_, node)| node.value != Yaml::Null)
                    .map(|(key, node)| (key.name.clone(), node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

/// At most 60 characters of a text from outside, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= 60 {
        return line;
    }
    let mut short: String = line.chars().take(59).collect();
    short.push('…');
    short
}
