//! What a stateful set becomes, and what is refused.

use kube::api::{DynamicObject, ResourceExt};

use crate::RuntimeProfile;
use crate::config::parse;

const FILE: &str = include_str!("../../../../examples/statefulset/statefulset.yaml");

fn translated(file: &str, profile: &RuntimeProfile) -> Vec<DynamicObject> {
    let config = parse("statefulset.yaml", file.as_bytes()).expect("valid");
    config.resource.translate(profile).expect("translated")
}

fn of<'a>(objects: &'a [DynamicObject], kind: &str, name: &str) -> Option<&'a DynamicObject> {
    objects.iter().find(|object| {
        object
            .types
            .as_ref()
            .is_some_and(|types| types.kind == kind)
            && object.name_any() == name
    })
}

/// The example with one line changed.
fn with(line: &str, instead: &str) -> String {
    assert!(FILE.contains(line), "{line}");
    FILE.replace(line, instead)
}

#[test]
fn the_example_translates_as_reviewed() {
    insta::assert_yaml_snapshot!("plain", translated(FILE, &RuntimeProfile::plain()));
    insta::assert_yaml_snapshot!("pinterest", translated(FILE, &RuntimeProfile::pinterest()));
}

#[test]
fn only_what_the_spec_asks_for_is_made() {
    let plain = RuntimeProfile::plain();
    let one = translated(&with("replicas: 3", "replicas: 1"), &plain);
    assert!(of(&one, "PodDisruptionBudget", "notes").is_none());
    let outside = translated(&with("    internal: true\n", ""), &plain);
    let service = of(&outside, "Service", "notes").expect("a Service");
    assert_eq!(service.data["spec"]["type"], "LoadBalancer");
    let named = translated(&with("replicas: 3", "servicename: members"), &plain);
    assert!(of(&named, "Service", "members").is_some());
    let set = of(&named, "StatefulSet", "notes").expect("a set");
    assert_eq!(set.data["spec"]["serviceName"], "members");
}

#[test]
fn pods_may_wait_until_somebody_deletes_them() {
    let file = with("partition: 0", "updatestrategy: OnDelete");
    let objects = translated(&file, &RuntimeProfile::plain());
    let set = of(&objects, "StatefulSet", "notes").expect("a set");
    let strategy = &set.data["spec"]["updateStrategy"];
    assert_eq!(strategy, &serde_json::json!({"type": "OnDelete"}));
}

#[test]
fn a_held_rollout_reaches_no_pod() {
    let partition = |file: &str| {
        let objects = translated(file, &RuntimeProfile::plain());
        let set = of(&objects, "StatefulSet", "notes").expect("a set");
        set.data["spec"]["updateStrategy"]["rollingUpdate"]["partition"].clone()
    };
    let held = with(
        "  name: notes",
        "  name: notes\n  annotations: {hermez.dev/paused: 'true'}",
    );
    assert_eq!(partition(&held), i32::MAX);
    let goes_on = held.replace("'true'", "'false'");
    assert_eq!(partition(&goes_on), 0);
}

#[test]
fn a_port_stands_once_in_the_headless_service() {
    let more = "            - name: http\n              containerPort: 8080\n            - containerPort: 9090\n            - containerPort: 9090\n              protocol: UDP\n";
    let file = with(
        "            - name: http\n              containerPort: 8080\n",
        more,
    );
    let objects = translated(&file, &RuntimeProfile::plain());
    let service = of(&objects, "Service", "notes-headless").expect("a Service");
    let ports = service.data["spec"]["ports"].as_array().expect("ports");
    let names: Vec<&str> = ports
        .iter()
        .filter_map(|port| port["name"].as_str())
        .collect();
    assert_eq!(names, ["http", "port-9090", "udp-9090"]);
}

/// What the config parser says of a file, with places.
fn refused(file: &str) -> Vec<String> {
    let error = parse("statefulset.yaml", file.as_bytes()).expect_err("refused");
    let place = |place: hermez_api::Place| {
        let at = (place.line.unwrap_or(0), place.column.unwrap_or(0));
        let field = place.field.unwrap_or_default();
        format!("{}:{} {field}: {}", at.0, at.1, place.message)
    };
    error.places().into_iter().map(place).collect()
}

#[test]
fn the_config_parser_names_the_place() {
    assert_eq!(
        refused(&with("storage: 1Gi", "storage: plenty")),
        ["14:7 spec.volumeclaims[0].storage: \"plenty\" is not a size"]
    );
    assert_eq!(
        refused(&with(
            "            - name: data\n",
            "            - name: date\n"
        )),
        ["13:7 spec.volumeclaims[0].name: no container mounts the volume \"data\""]
    );
    assert_eq!(
        refused(&with("replicas: 3", "servicename: notes")),
        ["7:3 spec.servicename: \"notes\" is the name of the loadbalancer's Service"]
    );
    assert_eq!(
        refused(&with("replicas: 3", "updatestrategy: OnDelete")),
        ["6:1 spec: partition belongs to updatestrategy RollingUpdate"]
    );
    let long = "n".repeat(53);
    let said = refused(&with(
        "name: notes\n  project",
        &format!("name: {long}\n  project"),
    ));
    assert!(
        said[0].contains("must be at most 52 characters"),
        "{said:?}"
    );
}

#[test]
fn sizes_are_told_from_words() {
    for (text, expected) in [
        ("1Gi", true),
        ("1.5G", true),
        ("1000", true),
        ("0", false),
        ("Gi", false),
        ("1 Gi", false),
        ("1gb", false),
        ("-1Gi", false),
        ("1e3", false),
        ("NaN", false),
        ("inf", false),
        ("1Gié", false),
    ] {
        assert_eq!(super::is_size(text), expected, "{text}");
    }
}
