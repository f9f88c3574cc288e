//! The role that Hermez is given, against what the API server saw it do.
//!
//! Runs after all other tests on the cluster: what none of them has needed is not needed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Verbs by API group and resource.
type Verbs = BTreeMap<(String, String), BTreeSet<String>>;

/// Rights that are never seen to be used, each with the reason.
const UNSEEN: &[(&str, &str, &str)] = &[
    // Asked by an admission plugin that the local cluster does not run.
    (
        "*/finalizers",
        "update",
        "OwnerReferencesPermissionEnforcement",
    ),
    // Nobody may give a right that they do not have: Flink's own role has it, for its leader.
    ("configmaps", "update", "escalation"),
    // Server-side apply of an object that is not there is authorized as `create`, and recorded as
    // `patch`.
    ("*", "create", "server-side apply"),
];

fn is_unseen(resource: &str, verb: &str, seen: Option<&BTreeSet<String>>) -> bool {
    UNSEEN.iter().any(|(pattern, unseen, why)| {
        let suffix = pattern.trim_start_matches('*');
        let applies =
            *why != "server-side apply" || seen.is_some_and(|seen| seen.contains("patch"));
        *unseen == verb && resource.ends_with(suffix) && applies
    })
}

fn given() -> Verbs {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rbac.yaml");
    let text = std::fs::read_to_string(file).expect("the role");
    let role = text.split("---").next().expect("a document");
    let mut given = Verbs::new();
    let mut rule: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in role
        .lines()
        .map(|line| line.trim().trim_start_matches("- "))
    {
        let Some((key, list)) = line.split_once(": [") else {
            continue;
        };
        let items = list.trim_end_matches(']').split(", ");
        let items = items
            .map(|item| item.trim_matches('"').to_owned())
            .collect();
        rule.insert(key, items);
        if key == "verbs" {
            for group in &rule["apiGroups"] {
                for resource in &rule["resources"] {
                    let place = given.entry((group.clone(), resource.clone())).or_default();
                    place.extend(rule["verbs"].iter().cloned());
                }
            }
        }
    }
    given
}

/// What was asked for, and what of it was refused for lack of a right.
fn seen() -> (Verbs, BTreeSet<String>) {
    let data_dir = hermez_sandbox::paths::default_data_dir().expect("a folder");
    let folder = data_dir.join("var/kube-apiserver");
    let (mut seen, mut refused) = (Verbs::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder).expect("the API server's folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.starts_with("audit") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the record");
        for request in text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            let of = &request["objectRef"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let mut resource = text(&of["resource"]);
            if let Some(sub) = of["subresource"].as_str() {
                resource = format!("{resource}/{sub}");
            }
            let (group, verb) = (text(&of["apiGroup"]), text(&request["verb"]));
            let decision = &request["annotations"]["authorization.k8s.io/decision"];
            if decision == "forbid" {
                refused.insert(format!("{verb} {resource} of {group:?}"));
            } else {
                seen.entry((group, resource)).or_default().insert(verb);
            }
        }
    }
    (seen, refused)
}

#[test]
fn hermez_has_every_right_that_it_uses_and_no_other() {
    let (given, (seen, refused)) = (given(), seen());
    assert!(seen.len() > 5, "the record has next to nothing: {seen:?}");
    assert!(refused.is_empty(), "Hermez was refused: {refused:#?}");
    let mut unused = Vec::new();
    for ((group, resource), verbs) in &given {
        let seen = seen.get(&(group.clone(), resource.clone()));
        for verb in verbs {
            let used = seen.is_some_and(|seen| seen.contains(verb));
            if !used && !is_unseen(resource, verb, seen) {
                unused.push(format!("{verb} {resource} of {group:?}"));
            }
        }
    }
    assert!(
        unused.is_empty(),
        "rights that no test needed (take them out of crates/controller/src/rights.rs, or run the cluster's other tests first): {unused:#?}"
    );
}
