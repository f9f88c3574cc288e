//! What fits, and what is said when it does not.
#![allow(clippy::needless_pass_by_value)] // JSON is written in place

use serde_json::{Value, json};

use super::*;

fn mk_node(name: &str, allocatable: Value, spec: Value) -> Node {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": spec,
        "status": {"allocatable": allocatable},
    }))
    .expect("a node")
}

fn node(name: &str, cpu: &str) -> Node {
    mk_node(
        name,
        json!({"cpu": cpu, "memory": "8Gi", "pods": "110", "nvidia.com/gpu": "4"}),
        json!({}),
    )
}

fn mk_pod(uid: &str, requests: Value, more: Value) -> Pod {
    let mut spec = json!({"containers": [{"name": "a", "resources": {"requests": requests}}]});
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    serde_json::from_value(json!({"metadata": {"name": uid, "uid": uid}, "spec": spec}))
        .expect("a pod")
}

fn gang(count: usize, requests: &Value, more: &Value) -> Vec<Pod> {
    let mut more = more.clone();
    more["schedulingGates"] = json!([{"name": GANG_GATE}]);
    (0..count)
        .map(|n| mk_pod(&format!("m{n}"), requests.clone(), more.clone()))
        .collect()
}

fn ask(nodes: &[Node], others: &[Pod], gang: &[Pod]) -> Result<(), String> {
    let mut pods = others.to_vec();
    pods.extend(gang.iter().cloned());
    fits(nodes, &pods, &gang.iter().collect::<Vec<_>>())
}

#[test]
fn all_or_nothing() {
    let nodes = [node("a", "2"), node("b", "2")];
    let four = gang(4, &json!({"cpu": "1"}), &json!({}));
    assert_eq!(ask(&nodes, &[], &four), Ok(()));
    let five = gang(5, &json!({"cpu": "1"}), &json!({}));
    assert_eq!(
        ask(&nodes, &[], &five),
        Err("room: 1 of 5 pods find no node; short of 1 cpu".into())
    );
}

#[test]
fn what_runs_and_what_waits_already_comes_first() {
    let nodes = [node("a", "2")];
    let two = gang(2, &json!({"cpu": "750m"}), &json!({}));
    let runs = mk_pod("runs", json!({"cpu": "600m"}), json!({"nodeName": "a"}));
    assert_eq!(
        ask(&nodes, &[runs], &two),
        Err("room: 1 of 2 pods find no node; short of 100m cpu".into())
    );
    let waits = mk_pod("waits", json!({"cpu": "600m"}), json!({}));
    assert!(ask(&nodes, std::slice::from_ref(&waits), &two).is_err());
    // Another gang's pods that are held back hold nothing.
    let held = mk_pod(
        "held",
        json!({"cpu": "2"}),
        json!({"schedulingGates": [{"name": GANG_GATE}]}),
    );
    assert_eq!(ask(&nodes, &[held], &two), Ok(()));
}

#[test]
fn a_gang_that_was_let_go_by_now_is_not_asked_about() {
    let members = gang(9, &json!({"cpu": "9"}), &json!({}));
    let mut live = members.clone();
    live[0].spec.as_mut().expect("a spec").scheduling_gates = None;
    let members: Vec<&Pod> = members.iter().collect();
    assert_eq!(fits(&[node("a", "1")], &live, &members), Ok(()));
}

#[test]
fn enough_in_all_and_not_in_one_place_is_said() {
    let nodes = [node("a", "1500m"), node("b", "1500m")];
    let one = gang(1, &json!({"cpu": "2", "nvidia.com/gpu": "1"}), &json!({}));
    assert_eq!(
        ask(&nodes, &[], &one),
        Err("room: 1 of 1 pods find no node; a pod needs on one node 2 cpu (the most that one node has free is 1500m), 1 nvidia.com/gpu (the most that one node has free is 4)".into())
    );
}

#[test]
fn labels_taints_and_cordons_count() {
    let fine = json!({"nodeSelector": {"disk": "a"}});
    let requests = json!({"cpu": "1"});
    assert_eq!(
        ask(&[node("a", "2")], &[], &gang(1, &requests, &fine)),
        Ok(())
    );
    let error = ask(&[node("b", "2")], &[], &gang(1, &requests, &fine)).expect_err("no such node");
    assert!(
        error.contains("no node has the labels that m0 selects"),
        "{error}"
    );
    let allocatable = json!({"cpu": "2", "pods": "9"});
    let cordoned = mk_node("a", allocatable.clone(), json!({"unschedulable": true}));
    assert!(ask(&[cordoned], &[], &gang(1, &requests, &json!({}))).is_err());
    let tainted = mk_node(
        "a",
        allocatable,
        json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}),
    );
    let nodes = std::slice::from_ref(&tainted);
    assert!(ask(nodes, &[], &gang(1, &requests, &json!({}))).is_err());
    for toleration in [
        json!({"operator": "Exists"}),
        json!({"key": "gpu", "operator": "Exists"}),
        json!({"key": "gpu", "value": "yes"}),
        json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"}),
    ] {
        let more = json!({"tolerations": [toleration]});
        assert_eq!(
            ask(nodes, &[], &gang(1, &requests, &more)),
            Ok(()),
            "{more}"
        );
    }
    let other = json!({"tolerations": [{"key": "gpu", "value": "no"}]});
    assert!(ask(nodes, &[], &gang(1, &requests, &other)).is_err());
}

#[test]
fn init_containers_and_sidecars_are_counted_as_the_scheduler_does() {
    let of = |init: Value, main: &str| {
        let pod = mk_pod(
            "p",
            json!({"cpu": main}),
            json!({"initContainers": init, "overhead": {"cpu": "10m"}}),
        );
        shown("cpu", requests(&pod)["cpu"])
    };
    let plain = |cpu: &str| json!({"name": "i", "resources": {"requests": {"cpu": cpu}}});
    let sidecar = |cpu: &str| json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
    assert_eq!(of(json!([]), "1"), "1010m");
    assert_eq!(of(json!([plain("3")]), "1"), "3010m");
    assert_eq!(of(json!([sidecar("500m")]), "1"), "1510m");
    assert_eq!(of(json!([sidecar("500m"), plain("3")]), "1"), "3510m");
    assert_eq!(of(json!([plain("3"), sidecar("500m")]), "1"), "3010m");
}

#[test]
fn a_node_takes_no_more_pods_than_it_may() {
    let nodes = [mk_node("a", json!({"cpu": "9", "pods": "2"}), json!({}))];
    let three = gang(3, &json!({"cpu": "1m"}), &json!({}));
    assert_eq!(
        ask(&nodes, &[], &three),
        Err("room: 1 of 3 pods find no node; short of 1 pods".into())
    );
}
