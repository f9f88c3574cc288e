//! Checks a YAML tree against the schema of a kind.
//!
//! The schema is the one that the API server gets, so a file is refused here for what the API
//! server would refuse or silently drop, with the line, and with the nearest name that is known.

use serde_json::{Map, Value};

use crate::config::{Problem, ProblemKind};
use crate::yaml::{Mark, Node, Yaml, shorten};

/// Most problems reported for one file.
const PROBLEM_LIMIT: usize = 20;

/// Everything in `node` that `schema` does not allow, in the order of the file.
pub(crate) fn check(node: &Node, schema: &Value) -> Vec<Problem> {
    let mut checker = Checker {
        problems: Vec::new(),
    };
    checker.value(node, schema, "");
    checker.problems
}

/// The known word that `word` most likely means.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let score = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
            (score, candidate)
        })
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn report(
        &mut self,
        kind: ProblemKind,
        mark: Mark,
        path: &str,
        message: String,
        hint: Option<String>,
    ) {
        if self.problems.len() < PROBLEM_LIMIT {
            let field = (!path.is_empty()).then(|| path.to_owned());
            self.problems.push(Problem {
                kind,
                mark: Some(mark),
                field,
                message,
                hint,
            });
        }
    }

    fn value(&mut self, node: &Node, schema: &Value, path: &str) {
        if flag(schema, "x-kubernetes-int-or-string") {
            if !matches!(node.value, Yaml::Number(_) | Yaml::Text(_) | Yaml::Null) {
                self.wrong_type(node, path, "a number or text");
            }
            return;
        }
        match (schema.get("type").and_then(Value::as_str), &node.value) {
            (Some("object"), Yaml::Map(entries)) => self.map(node, entries, schema, path),
            (Some("array"), Yaml::List(items)) => self.list(node, items, schema, path),
            (Some("string"), Yaml::Text(text)) => self.text(node, text, schema, path),
            (Some("boolean"), Yaml::Bool(_)) | (None, _) => {}
            (Some("integer"), Yaml::Number(number)) if number.is_i64() || number.is_u64() => {
                self.range(node, schema, path);
            }
            (Some("number"), Yaml::Number(_)) => self.range(node, schema, path),
            (Some(expected), _) => self.wrong_type(node, path, expected_words(expected)),
        }
    }

    fn wrong_type(&mut self, node: &Node, path: &str, expected: &str) {
        let hint = match (&node.value, expected) {
            (Yaml::Number(n), "text") => Some(format!("write it in quotes: \"{n}\"")),
            (Yaml::Bool(b), "text") => Some(format!("write it in quotes: \"{b}\"")),
            (Yaml::Text(text), "a whole number") if text.parse::<i64>().is_ok() => {
                Some(format!("write it without quotes: {text}"))
            }
            (Yaml::Text(text), "true or false") if matches!(text.as_str(), "true" | "false") => {
                Some(format!("write it without quotes: {text}"))
            }
            (Yaml::Text(text), "true or false") => match text.to_lowercase().as_str() {
                "yes" | "on" => Some("write true".into()),
                "no" | "off" => Some("write false".into()),
                _ => None,
            },
            (Yaml::Map(_), "a list") => Some("begin each item with \"- \"".into()),
            _ => None,
        };
        let message = format!("found {}, expected {expected}", node.describe());
        self.report(ProblemKind::WrongType, node.mark, path, message, hint);
    }

    fn map(
        &mut self,
        node: &Node,
        entries: &[(crate::yaml::Key, Node)],
        schema: &Value,
        path: &str,
    ) {
        let empty = Map::new();
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        let others = schema.get("additionalProperties");
        let open = flag(schema, "x-kubernetes-preserve-unknown-fields")
            || (properties.is_empty() && others.is_none());
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        for (key, value) in entries {
            let below = join(path, &key.name);
            match properties.get(&key.name).or(others) {
                // A key without a value counts as absent.
                Some(_) if value.value == Yaml::Null && !required.contains(&key.name.as_str()) => {}
                Some(schema) => self.value(value, schema, &below),
                None if open => {}
                None => self.unknown(key, properties, path),
            }
        }
        for name in required {
            if node.get(name).is_none() {
                let what = properties
                    .get(name)
                    .and_then(|schema| schema.get("description"));
                let hint = what
                    .and_then(Value::as_str)
                    .map(|words| format!("{name}: {words}"));
                let message = format!("\"{name}\" is missing");
                self.report(
                    ProblemKind::MissingField,
                    node.mark,
                    &join(path, name),
                    message,
                    hint,
                );
            }
        }
        let limit = schema.get("maxProperties").and_then(Value::as_u64);
        self.count(node, entries.len(), limit, path);
    }

    fn unknown(&mut self, key: &crate::yaml::Key, known: &Map<String, Value>, path: &str) {
        let hint = match nearest(&key.name, known.keys().map(String::as_str)) {
            Some(name) => format!("did you mean \"{name}\"?"),
            None if known.len() <= 15 => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("known here: {}", names.join(", "))
            }
            None => "see `kubectl explain` for the fields that are known here".into(),
        };
        let message = format!("unknown field \"{}\"", shorten(&key.name));
        let path = join(path, &key.name);
        self.report(
            ProblemKind::UnknownField,
            key.mark,
            &path,
            message,
            Some(hint),
        );
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &Value, path: &str) {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            let message = format!("found {} items, expected at least {least}", items.len());
            self.report(ProblemKind::OutOfRange, node.mark, path, message, None);
        }
        self.count(
            node,
            items.len(),
            schema.get("maxItems").and_then(Value::as_u64),
            path,
        );
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.value(item, schema, &format!("{path}[{index}]"));
            }
        }
    }

    fn count(&mut self, node: &Node, found: usize, limit: Option<u64>, path: &str) {
        if let Some(limit) = limit.filter(|limit| found as u64 > *limit) {
            let message = format!("found {found} entries, expected at most {limit}");
            self.report(ProblemKind::OutOfRange, node.mark, path, message, None);
        }
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, path: &str) {
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            if !words.contains(&text) {
                let message = format!(
                    "found \"{}\", expected one of {}",
                    shorten(text),
                    words.join(", ")
                );
                let hint = nearest(text, words).map(|word| format!("did you mean \"{word}\"?"));
                self.report(ProblemKind::OutOfRange, node.mark, path, message, hint);
                return;
            }
        }
        let length = text.chars().count() as u64;
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        if bound("minLength").is_some_and(|least| length < least) {
            self.report(
                ProblemKind::OutOfRange,
                node.mark,
                path,
                "must not be empty".into(),
                None,
            );
        } else if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            let message = format!("has {length} characters, expected at most {most}");
            self.report(ProblemKind::OutOfRange, node.mark, path, message, None);
        }
    }

    fn range(&mut self, node: &Node, schema: &Value, path: &str) {
        let Yaml::Number(number) = &node.value else {
            return;
        };
        let Some(found) = number.as_f64() else { return };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (least, most) = match schema.get("format").and_then(Value::as_str) {
            Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
            _ => (None, None),
        };
        let (least, most) = (bound("minimum").or(least), bound("maximum").or(most));
        let low = least.is_some_and(|least| found < least);
        let high = most.is_some_and(|most| found > most);
        if low || high {
            let expected = match (least, most) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("at least {least}"),
                (None, Some(most)) => format!("at most {most}"),
                (None, None) => return,
            };
            let message = format!("found {number}, expected {expected}");
            self.report(ProblemKind::OutOfRange, node.mark, path, message, None);
        }
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn expected_words(schema_type: &str) -> &'static str {
    match schema_type {
        "object" => "a map",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "something else",
    }
}
