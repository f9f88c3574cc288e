//! Whether an object in the cluster already is what we want it to be. Pure.
//!
//! An object is up to date when it carries the hash of what we want (so that a field we no longer
//! want is noticed) and everything we want is in it (so that a field somebody edited is noticed).
//! What the API server or others added stays out of the comparison.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The hash of what we want, as the annotation holds it.
pub(crate) fn hash(desired: &Value) -> String {
    // serde_json keeps objects sorted by key, so that equal values have equal text.
    hex::encode(&Sha256::digest(desired.to_string().as_bytes())[..16])
}

/// Whether everything in `desired` is in `live`.
pub(crate) fn contains(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            desired.iter().all(|(key, wanted)| match live.get(key) {
                Some(found) => contains(found, wanted),
                None => is_empty(wanted),
            })
        }
        // Lists of named things (containers, volumes, ports) may have had others added to them.
        (Value::Array(live), Value::Array(desired))
            if !desired.is_empty() && desired.iter().all(is_named) =>
        {
            desired.iter().all(|wanted| {
                let mut same_name = live.iter().filter(|found| found["name"] == wanted["name"]);
                same_name
                    .next()
                    .is_some_and(|found| contains(found, wanted))
            })
        }
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live
                    .iter()
                    .zip(desired)
                    .all(|(found, wanted)| contains(found, wanted))
        }
        (Value::String(live), Value::String(desired)) => {
            live == desired
                || matches!((quantity(live), quantity(desired)), (Some(a), Some(b)) if a == b)
        }
        // A quantity may be written as a number.
        (Value::String(live), Value::Number(desired)) => {
            matches!((quantity(live), quantity(&desired.to_string())), (Some(a), Some(b)) if a == b)
        }
        (live, desired) => live == desired,
    }
}

/// Most differing places that are told.
const TOLD: usize = 20;

/// One step of a way into an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A field of an object.
    Field(String),
    /// An item of a list, by its name.
    Named(String),
}

/// A place in an object, for people: `spec.template.spec.containers[web].image`.
pub(crate) fn told(place: &[Step]) -> String {
    place.iter().fold(String::new(), |mut text, step| {
        match step {
            Step::Field(field) if text.is_empty() => text.push_str(field),
            Step::Field(field) => text.extend([".", field]),
            Step::Named(name) => text.extend(["[", name, "]"]),
        }
        text
    })
}

/// The places at which `live` is not what `desired` wants; at most [`TOLD`].
pub(crate) fn places(live: &Value, desired: &Value) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    look(live, desired, &mut Vec::new(), &mut found);
    found
}

fn look(live: &Value, desired: &Value, at: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    if found.len() >= TOLD || contains(live, desired) {
        return;
    }
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            for (key, wanted) in desired {
                at.push(Step::Field(key.clone()));
                look(live.get(key).unwrap_or(&Value::Null), wanted, at, found);
                at.pop();
            }
        }
        (Value::Array(live), Value::Array(desired))
            if !desired.is_empty() && desired.iter().all(is_named) =>
        {
            for wanted in desired {
                let name = wanted["name"].as_str().unwrap_or_default();
                let same = live.iter().find(|found| found["name"] == wanted["name"]);
                at.push(Step::Named(name.to_owned()));
                look(same.unwrap_or(&Value::Null), wanted, at, found);
                at.pop();
            }
        }
        (Value::Null, wanted) if is_empty(wanted) => {}
        _ => found.push(at.clone()),
    }
}

fn is_named(item: &Value) -> bool {
    item.get("name").is_some_and(Value::is_string)
}

/// What the API server drops: null, and objects and lists without content.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_i64() == Some(0),
    }
}

/// A Kubernetes quantity in billionths, after apimachinery's `resource.Quantity`.
fn quantity(text: &str) -> Option<i128> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let scale: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        "M" => 1_000_000_000_000_000,
        "G" => 1_000_000_000_000_000_000,
        "T" => 1_000_000_000_000_000_000_000,
        "Ki" => 1_000_000_000 << 10,
        "Mi" => 1_000_000_000 << 20,
        "Gi" => 1_000_000_000 << 30,
        "Ti" => 1_000_000_000 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.is_empty() || whole.len() > 15 || fraction.len() > 9 {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = whole.checked_mul(scale)?;
    if !fraction.is_empty() {
        let parts: i128 = fraction.parse().ok()?;
        total += parts.checked_mul(scale)? / 10_i128.pow(fraction.len() as u32);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_added_does_not_matter() {
        let desired = json!({"spec": {"replicas": 3, "list": [{"name": "a"}]}});
        let live = json!({"spec": {"replicas": 3, "list": [{"name": "a", "default": true}], "x": 1}, "status": {}});
        assert!(contains(&live, &desired));
    }

    #[test]
    fn an_edit_of_ours_matters() {
        let desired = json!({"spec": {"replicas": 3}});
        assert!(!contains(&json!({"spec": {"replicas": 4}}), &desired));
        assert!(!contains(&json!({"spec": {}}), &desired));
        assert!(!contains(&json!({"l": [1, 2]}), &json!({"l": [1]})));
    }

    #[test]
    fn an_injected_container_is_not_ours() {
        let desired = json!({"containers": [{"name": "web", "image": "a"}]});
        let injected = json!({"containers": [{"name": "mesh"}, {"name": "web", "image": "a"}]});
        assert!(contains(&injected, &desired));
        let edited = json!({"containers": [{"name": "mesh"}, {"name": "web", "image": "b"}]});
        assert!(!contains(&edited, &desired));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        for (live, desired) in [
            ("500m", "0.5"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("1k", "1000"),
        ] {
            assert!(contains(&json!(live), &json!(desired)), "{live} {desired}");
        }
        assert!(contains(&json!("2"), &json!(2)));
        assert!(!contains(&json!("500m"), &json!("0.4")));
        assert!(!contains(&json!("abc"), &json!("abd")));
        assert!(!contains(
            &json!("99999999999999999999"),
            &json!("9999999999999999999")
        ));
    }

    #[test]
    fn the_places_that_differ_are_named() {
        let desired = json!({"spec": {"replicas": 3, "on": true, "list": [{"name": "a", "image": "x"}], "none": {}}});
        let live = json!({"spec": {"replicas": 4, "on": true, "list": [{"name": "b"}, {"name": "a", "image": "y"}]}});
        let told: Vec<String> = places(&live, &desired)
            .iter()
            .map(|place| told(place))
            .collect();
        assert_eq!(told, ["spec.list[a].image", "spec.replicas"]);
        assert!(places(&desired, &desired).is_empty());
    }

    #[test]
    fn the_hash_tells_one_wish_from_another() {
        assert_eq!(
            hash(&json!({"a": 1, "b": 2})),
            hash(&json!({"b": 2, "a": 1}))
        );
        assert_ne!(hash(&json!({"a": 1})), hash(&json!({"a": 2})));
    }
}
