//! Groups, policies and the status of job sets.
#![allow(clippy::needless_pass_by_value)] // JSON is written in place

use hermez_kinds::{Kind, Resource, RuntimeProfile};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject};
use std::sync::Arc;

use super::*;

fn mk_set(groups: Value, more: Value) -> Resource {
    let mut groups = groups;
    for group in groups.as_array_mut().into_iter().flatten() {
        group["template"] = json!({"spec": {"containers": [{"name": "a"}]}});
    }
    let mut spec = json!({"replicatedjobs": groups});
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    let set = json!({"apiVersion": "pinterest.com/v1", "kind": "PinterestJobSet", "metadata": {"name": "s"}, "spec": spec});
    Kind::JobSet.read(set).expect("a job set")
}

fn set_of(resource: &Resource) -> &PinterestJobSet {
    let Resource::JobSet(set) = resource else {
        unreachable!("it is a job set")
    };
    set
}

/// A job of the first attempt with that status.
fn mk_job(resource: &Resource, name: &str, group: &str, status: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": {
            "pinterest.com/revision": revision(set_of(resource)), "pinterest.com/attempt": "1", "pinterest.com/role": group,
        }},
        "status": status,
    }))
    .expect("a job")
}

fn done() -> Value {
    json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]})
}

fn failed(reason: &str, second: i64) -> Value {
    let time = Timestamp::from_second(second).expect("a time").to_string();
    json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "words", "lastTransitionTime": time}]})
}

/// The plan, and the status that it leads to when nothing changes meanwhile.
fn look(resource: &Resource, jobs: &[DynamicObject], before: &Value) -> (Plan, Value) {
    let native = ApiResource::erase::<Job>(&());
    let owned = jobs
        .iter()
        .map(|job| (native.clone(), Arc::new(job.clone())))
        .collect();
    let profile = RuntimeProfile::plain();
    let seen = Seen {
        resource,
        generation: Some(1),
        profile: &profile,
        owned: &owned,
        before,
        now: Timestamp::from_second(1000).expect("a time"),
    };
    let plan = plan(&seen, set_of(resource)).expect("translates");
    let before = plan.status.clone().unwrap_or_else(|| before.clone());
    let status = json!(status(&seen.with(&before), set_of(resource), None));
    (plan, status)
}

fn made(plan: &Plan) -> Vec<String> {
    let jobs = plan.objects.iter().filter(|object| {
        object
            .types
            .as_ref()
            .is_some_and(|types| types.kind == "Job")
    });
    let kept = plan.keep.iter().map(|(_, name)| name.clone());
    let mut all: Vec<String> = jobs.map(ResourceExt::name_any).chain(kept).collect();
    all.sort();
    all
}

fn truth<'a>(status: &'a Value, kind: &str) -> Option<&'a str> {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == kind)?["status"].as_str()
}

#[test]
fn groups_start_when_what_they_wait_for_is_as_it_should_be() {
    let set = mk_set(
        json!([
            {"name": "a", "parallelism": 2},
            {"name": "b", "dependson": [{"name": "a", "status": "Ready"}]},
            {"name": "c", "dependson": [{"name": "a"}, {"name": "b"}]},
        ]),
        json!({}),
    );
    let (plan, status) = look(&set, &[], &json!({}));
    assert_eq!(made(&plan), ["s-a-0"]);
    assert_eq!(
        (&status["desiredPods"], truth(&status, "Reconciling")),
        (&json!(2), Some("True"))
    );
    assert_eq!(status["groups"][2]["waitingFor"], json!(["a", "b"]));
    let half = mk_job(&set, "s-a-0", "a", json!({"ready": 1, "active": 2}));
    assert_eq!(made(&look(&set, &[half], &status).0), ["s-a-0"]);
    let ready = mk_job(
        &set,
        "s-a-0",
        "a",
        json!({"ready": 1, "succeeded": 1, "active": 1}),
    );
    let (plan, after) = look(&set, std::slice::from_ref(&ready), &status);
    assert_eq!(made(&plan), ["s-a-0", "s-b-0"]);
    assert_eq!(after["phase"], "Running");
    // What was started stays, whatever becomes of what it waited for.
    let slow = mk_job(&set, "s-a-0", "a", json!({"ready": 0, "active": 2}));
    let begun = mk_job(&set, "s-b-0", "b", json!({"ready": 1}));
    assert_eq!(
        made(&look(&set, &[slow, begun], &after).0),
        ["s-a-0", "s-b-0"]
    );
    let jobs = [
        mk_job(&set, "s-a-0", "a", done()),
        mk_job(&set, "s-b-0", "b", done()),
    ];
    assert_eq!(
        made(&look(&set, &jobs, &after).0),
        ["s-a-0", "s-b-0", "s-c-0"]
    );
}

#[test]
fn a_deploy_is_done_when_all_that_may_start_has_started() {
    let set = mk_set(
        json!([{"name": "a"}, {"name": "b", "dependson": [{"name": "a"}]}]),
        json!({}),
    );
    let (_, begun) = look(&set, &[], &json!({}));
    assert_eq!(truth(&begun, "Reconciling"), Some("True"));
    let running = mk_job(&set, "s-a-0", "a", json!({"ready": 1, "active": 1}));
    let (_, status) = look(&set, &[running], &begun);
    assert_eq!(
        (truth(&status, "Reconciling"), truth(&status, "Stalled")),
        (None, None)
    );
    assert_eq!(truth(&status, "Available"), Some("True"));
}

#[test]
fn the_first_failed_job_and_the_first_rule_that_fits_decide() {
    let policy = json!({"maxrestarts": 1, "rules": [
        {"action": "Fail", "groups": ["a"], "reasons": ["DeadlineExceeded"]},
        {"action": "RestartAllUncounted", "groups": ["b"]},
    ]});
    let set = mk_set(
        json!([{"name": "a"}, {"name": "b"}]),
        json!({"failurepolicy": policy}),
    );
    let (_, begun) = look(&set, &[], &json!({}));
    let ends = |a: Value, b: Value| {
        let jobs = [mk_job(&set, "s-a-0", "a", a), mk_job(&set, "s-b-0", "b", b)];
        let (_, status) = look(&set, &jobs, &begun);
        (
            status["phase"].clone(),
            status["restarts"].clone(),
            status["requeues"].clone(),
        )
    };
    let calm = json!({"ready": 1});
    assert_eq!(
        ends(failed("BackoffLimitExceeded", 5), calm.clone()),
        (json!("Restarting"), json!(1), Value::Null)
    );
    assert_eq!(
        ends(failed("DeadlineExceeded", 5), calm.clone()),
        (json!("Failed"), json!(0), Value::Null)
    );
    assert_eq!(
        ends(calm, failed("DeadlineExceeded", 5)),
        (json!("Restarting"), json!(0), json!(1))
    );
    assert_eq!(
        ends(failed("DeadlineExceeded", 9), failed("x", 5)),
        (json!("Restarting"), json!(0), json!(1))
    );
    assert_eq!(
        ends(failed("DeadlineExceeded", 5), failed("x", 9)),
        (json!("Failed"), json!(0), Value::Null)
    );
}

#[test]
fn a_failure_says_which_job_and_stops_the_deploy() {
    let set = mk_set(json!([{"name": "a"}]), json!({}));
    let (_, begun) = look(&set, &[], &json!({}));
    let (plan, status) = look(
        &set,
        &[mk_job(
            &set,
            "s-a-0",
            "a",
            failed("BackoffLimitExceeded", 5),
        )],
        &begun,
    );
    assert_eq!(
        status["lastFailure"],
        "the job s-a-0 failed (BackoffLimitExceeded): words"
    );
    assert_eq!(
        (truth(&status, "Failed"), truth(&status, "Stalled")),
        (Some("True"), Some("True"))
    );
    assert_eq!(made(&plan), ["s-a-0"], "it stays for its logs");
}

#[test]
fn the_success_policy_counts_the_groups_it_names() {
    let groups = json!([{"name": "a", "replicas": 2}, {"name": "b"}]);
    let phase = |policy: Value, a: usize, b: bool| {
        let set = mk_set(groups.clone(), json!({"successpolicy": policy}));
        let (_, begun) = look(&set, &[], &json!({}));
        let of = |is: bool| if is { done() } else { json!({"ready": 1}) };
        let jobs = [
            mk_job(&set, "s-a-0", "a", of(a > 0)),
            mk_job(&set, "s-a-1", "a", of(a > 1)),
            mk_job(&set, "s-b-0", "b", of(b)),
        ];
        look(&set, &jobs, &begun).1["phase"].clone()
    };
    assert_eq!(phase(json!({}), 2, false), "Running");
    assert_eq!(phase(json!({}), 2, true), "Completed");
    assert_eq!(phase(json!({"groups": ["a"]}), 2, false), "Completed");
    assert_eq!(phase(json!({"groups": ["a"]}), 1, true), "Running");
    assert_eq!(phase(json!({"operator": "Any"}), 1, false), "Running");
    assert_eq!(phase(json!({"operator": "Any"}), 0, true), "Completed");
}

#[test]
fn a_second_look_at_the_same_changes_nothing() {
    let set = mk_set(json!([{"name": "a"}]), json!({}));
    let (_, begun) = look(&set, &[], &json!({}));
    let running = [mk_job(&set, "s-a-0", "a", json!({"ready": 1}))];
    let (_, first) = look(&set, &running, &begun);
    let (plan, second) = look(&set, &running, &first);
    assert_eq!((plan.status, second), (None, first));
}
