//! What may stand in the record of changes: no secrets, nothing large. Pure.

use serde_json::{Value, json};

/// Largest detail of a line, in bytes of JSON.
const MAX_DETAIL_BYTES: usize = 8 * 1024;
/// Longest text of a detail, in characters.
const MAX_TEXT: usize = 1000;
/// Parts of field names whose values are never written.
const SECRET_NAMES: [&str; 6] = [
    "password",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
];

/// The same value with every field redacted whose name promises a secret, and texts cut.
pub(crate) fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let lower = name.to_lowercase();
                if SECRET_NAMES.iter().any(|part| lower.contains(part)) && !value.is_null() {
                    (name, json!("[redacted]"))
                } else {
                    (name, without_secrets(value))
                }
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(without_secrets).collect(),
        Value::String(text) if text.chars().count() > MAX_TEXT => {
            Value::String(text.chars().take(MAX_TEXT).chain(['…']).collect())
        }
        other => other,
    }
}

/// The value, or a note in its place when it is too large.
pub(crate) fn bounded(value: Value) -> Value {
    let bytes = value.to_string().len();
    if bytes > MAX_DETAIL_BYTES {
        json!({ "left_out": format!("a detail of {bytes} bytes") })
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_at_any_depth() {
        let detail = json!({
            "repository": "http://forge/a",
            "password": "hunter2",
            "list": [{ "apiToken": "hermez_1", "Authorization": "Bearer x", "name": "n" }],
            "secretless": null,
        });
        let kept = without_secrets(detail).to_string();
        for secret in ["hunter2", "hermez_1", "Bearer"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(
            kept.contains("http://forge/a") && kept.contains(r#""name":"n""#),
            "{kept}"
        );
    }

    #[test]
    fn details_are_bounded() {
        let long = without_secrets(json!({ "reason": "ä".repeat(5000) }));
        assert_eq!(
            long["reason"].as_str().unwrap().chars().count(),
            MAX_TEXT + 1
        );
        let many: Vec<_> = (0..5000).collect();
        assert!(bounded(json!({ "many": many })).to_string().len() < 100);
        assert_eq!(bounded(json!({ "few": 1 })), json!({ "few": 1 }));
    }
}
