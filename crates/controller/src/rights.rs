//! What Hermez may do in a cluster, each with the reason: the role of `deploy/rbac.yaml` is made of
//! this, and a test compares it with what the API server saw Hermez do.
//!
//! What resources become comes from the table of kinds; anything else that a kind needs stands in
//! [`BESIDE`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hermez_kinds::Kind;
use hermez_kinds::names::GROUP;

use crate::owned::native_kinds;

/// A right: API group, resource, verbs.
type Right = (&'static str, &'static str, &'static [&'static str]);

/// Rights beside those that the table of kinds gives, by what they are for.
const BESIDE: &[(&str, &[Right])] = &[
    (
        "Definitions of its kinds, installed at start.",
        &[(
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            &["list", "watch", "create", "patch"],
        )],
    ),
    (
        "What workloads do, for people to see and for deploys to judge.",
        &[
            ("apps", "deployments", &["list", "watch"]),
            ("apps", "replicasets", &["list", "watch"]),
            ("", "pods", &["list", "watch"]),
            ("", "pods/log", &["get"]),
            ("", "services", &["list", "watch"]),
            ("", "events", &["list", "watch"]),
        ],
    ),
    (
        "The way of the preview gateway to pods.",
        &[("", "pods/portforward", &["get"])],
    ),
    (
        "Events that tell people what the controllers did.",
        &[("events.k8s.io", "events", &["create", "patch"])],
    ),
    (
        "A workload's namespace, and Hermez' own, are made when they are not there.",
        &[("", "namespaces", &["get", "create"])],
    ),
    (
        "Versions of runtime profiles, and what their rollout remembers.",
        &[(
            "",
            "configmaps",
            &["get", "list", "watch", "create", "patch", "delete"],
        )],
    ),
    (
        "Gangs: their pods are let go when the nodes have room for all of them.",
        &[("", "pods", &["patch"]), ("", "nodes", &["list"])],
    ),
    (
        "Stateful sets: a pod of an older version that does not start would block the newest.",
        &[("", "pods", &["delete"])],
    ),
    (
        "A run by hand is owned by its CronJob.",
        &[("batch", "cronjobs/finalizers", &["update"])],
    ),
    (
        "Flink keeps its leader in ConfigMaps; nobody may give a right that they do not have.",
        &[("", "configmaps", &["update"])],
    ),
    (
        "Flink's REST API: how a job does, savepoints, and its end.",
        &[("", "services/proxy", &["get", "create", "patch"])],
    ),
    (
        "One leader among the replicas.",
        &[(
            "coordination.k8s.io",
            "leases",
            &["get", "create", "update"],
        )],
    ),
];

/// What the controllers do with objects that resources become. Applying one that is not there is
/// asked for as `patch` and as `create`.
const OF_OWNED: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
/// Objects that a resource becomes as long as it is there: Kubernetes deletes them with it.
const NEVER_PRUNED: &[&str] = &["cronjobs", "statefulsets"];
/// What deploys and controllers do with resources themselves.
const OF_KINDS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// The file's end: who has the role.
const BINDING: &str = "\
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: hermez
  namespace: default
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: hermez
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: hermez
subjects:
  - kind: ServiceAccount
    name: hermez
    namespace: default
  # The local cluster's server signs in by a certificate of this name.
  - kind: User
    name: hermez
";

/// Verbs by API group and resource.
type Verbs = BTreeMap<(String, String), BTreeSet<&'static str>>;

/// `deploy/rbac.yaml`.
pub fn role_yaml() -> String {
    let mut text = "# What Hermez may do in the cluster: exactly what it uses.\n\
        # Written by `cargo xtask codegen` from crates/controller/src/rights.rs; do not edit.\n\
        apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: hermez\nrules:\n"
        .to_owned();
    let plurals: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| kind.api_resource().plural)
        .collect();
    let of = |suffix: &'static str, verbs: &'static [&'static str]| {
        let resources = plurals
            .iter()
            .map(move |plural| (GROUP.to_owned(), format!("{plural}{suffix}")));
        resources
            .map(move |resource| (resource, verbs.iter().copied().collect()))
            .collect()
    };
    section(
        &mut text,
        "Its own kinds: deploys write them, the controllers read them and write their status.",
        of("", OF_KINDS),
    );
    section(&mut text, "", of("/status", &["patch"]));
    section(
        &mut text,
        "Owner references that block deletion need this where the admission plugin is on.",
        of("/finalizers", &["update"]),
    );
    let owned = native_kinds().into_iter().map(|native| {
        let is_pruned = !NEVER_PRUNED.contains(&&*native.plural);
        let verbs = OF_OWNED.iter().copied();
        let verbs = verbs
            .filter(|verb| is_pruned || *verb != "delete")
            .collect();
        ((native.group, native.plural), verbs)
    });
    let owned: Verbs = owned.collect();
    let whose = Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>();
    let mut given = owned.clone();
    section(
        &mut text,
        &format!("What {} become.", whose.join(", ")),
        owned,
    );
    for (why, rights) in BESIDE {
        let mut verbs = Verbs::new();
        for (group, resource, asked) in *rights {
            let key = ((*group).to_owned(), (*resource).to_owned());
            let given = given.entry(key.clone()).or_default();
            // What is given already is not given twice.
            let new: BTreeSet<_> = asked
                .iter()
                .copied()
                .filter(|verb| given.insert(verb))
                .collect();
            if !new.is_empty() {
                verbs.insert(key, new);
            }
        }
        section(&mut text, why, verbs);
    }
    text.push_str(BINDING);
    text
}

/// Writes rules, those of one group and the same verbs as one.
fn section(text: &mut String, why: &str, verbs: Verbs) {
    let mut rules: BTreeMap<(String, BTreeSet<&str>), Vec<String>> = BTreeMap::new();
    for ((group, resource), verbs) in verbs {
        rules.entry((group, verbs)).or_default().push(resource);
    }
    if !rules.is_empty() && !why.is_empty() {
        let _ = writeln!(text, "  # {why}");
    }
    for ((group, verbs), resources) in rules {
        let group = if group.is_empty() {
            "\"\"".to_owned()
        } else {
            group
        };
        let order = [
            "get", "list", "watch", "create", "update", "patch", "delete",
        ];
        let verbs: Vec<&str> = order
            .into_iter()
            .filter(|verb| verbs.contains(verb))
            .collect();
        let _ = writeln!(
            text,
            "  - apiGroups: [{group}]\n    resources: [{}]\n    verbs: [{}]",
            resources.join(", "),
            verbs.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_role_is_the_generated_one() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac.yaml");
        let committed = std::fs::read_to_string(file).expect("the role");
        assert!(
            committed == role_yaml(),
            "deploy/rbac.yaml is not what the rights say; run `cargo xtask codegen`"
        );
    }

    #[test]
    fn every_verb_has_its_place_in_the_order() {
        let yaml = role_yaml();
        for (_, rights) in BESIDE {
            for verb in rights.iter().flat_map(|(_, _, verbs)| verbs.iter()) {
                assert!(yaml.contains(verb), "{verb}");
            }
        }
        assert!(
            yaml.contains("resources: [pinterestservices, ") || yaml.contains("pinterestservices")
        );
    }
}
