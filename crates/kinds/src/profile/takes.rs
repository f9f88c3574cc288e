//! What a sidecar's configuration takes, by key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one key of a sidecar's configuration takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Takes {
    /// The type of its value.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// The only values that it may have (`string` and `strings`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oneof: Vec<String>,
    /// Whether it must be given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text.
    #[default]
    String,
    /// A list of texts.
    Strings,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Fields of any kind.
    Object,
}

impl Takes {
    /// Whether it takes this value.
    pub fn accepts(&self, value: &Value) -> bool {
        let known = |value: &Value| {
            let text = value.as_str();
            text.is_some_and(|text| {
                self.oneof.is_empty() || self.oneof.iter().any(|one| one == text)
            })
        };
        match self.value_type {
            ValueType::String => known(value),
            ValueType::Strings => value.as_array().is_some_and(|list| list.iter().all(known)),
            ValueType::Integer => value.is_i64() || value.is_u64(),
            ValueType::Number => value.is_number(),
            ValueType::Boolean => value.is_boolean(),
            ValueType::Object => value.is_object(),
        }
    }

    /// In words: `text, one of debug, info`.
    pub fn words(&self) -> String {
        let what = match self.value_type {
            ValueType::String => "text",
            ValueType::Strings => "a list of texts",
            ValueType::Integer => "a whole number",
            ValueType::Number => "a number",
            ValueType::Boolean => "true or false",
            ValueType::Object => "fields",
        };
        let mut words = what.to_owned();
        if !self.oneof.is_empty() {
            words.extend([", one of ", &self.oneof.join(", ")]);
        }
        if let Some(description) = &self.description {
            words.extend([" (", description, ")"]);
        }
        words
    }

    /// What makes no sense about it.
    pub(super) fn fault(&self) -> Option<String> {
        let of_text = matches!(self.value_type, ValueType::String | ValueType::Strings);
        let wrong = !self.oneof.is_empty() && !of_text;
        wrong.then(|| "oneof is for the types string and strings".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_of_their_type() {
        let takes = |value_type, oneof: &[&str]| Takes {
            value_type,
            oneof: oneof.iter().map(|one| (*one).to_owned()).collect(),
            ..Takes::default()
        };
        for (takes, good, bad) in [
            (takes(ValueType::String, &[]), json!("a"), json!(1)),
            (takes(ValueType::String, &["a"]), json!("a"), json!("b")),
            (
                takes(ValueType::Strings, &["a"]),
                json!(["a", "a"]),
                json!(["a", "b"]),
            ),
            (takes(ValueType::Strings, &[]), json!([]), json!("a")),
            (takes(ValueType::Integer, &[]), json!(3), json!(3.5)),
            (takes(ValueType::Number, &[]), json!(3.5), json!("3")),
            (takes(ValueType::Boolean, &[]), json!(false), json!("false")),
            (takes(ValueType::Object, &[]), json!({}), json!([])),
        ] {
            assert!(takes.accepts(&good), "{takes:?} {good}");
            assert!(!takes.accepts(&bad), "{takes:?} {bad}");
        }
        assert_eq!(
            takes(ValueType::String, &["a", "b"]).words(),
            "text, one of a, b"
        );
        assert!(takes(ValueType::Integer, &["a"]).fault().is_some());
    }
}
