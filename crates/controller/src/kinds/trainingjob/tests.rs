//! Gangs that start, are lost and end.
#![allow(clippy::needless_pass_by_value)] // JSON is written in place

use hermez_kinds::{Kind, Resource, RuntimeProfile};
use kube::api::{ApiResource, DynamicObject};
use std::sync::Arc;

use super::*;

fn mk_training(members: Value, more: Value) -> Resource {
    let mut members = members;
    for member in members.as_array_mut().into_iter().flatten() {
        member["template"] = json!({"spec": {"containers": [{"name": "a"}]}});
    }
    let mut spec = json!({"members": members});
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    let job = json!({"apiVersion": "pinterest.com/v1", "kind": "PinterestTrainingJob", "metadata": {"name": "t"}, "spec": spec});
    Kind::TrainingJob.read(job).expect("a training job")
}

fn two() -> Resource {
    mk_training(
        json!([{"role": "worker", "replicas": 2}]),
        json!({"gangtimeoutseconds": 60}),
    )
}

fn job_of(resource: &Resource) -> &PinterestTrainingJob {
    let Resource::TrainingJob(job) = resource else {
        unreachable!("it is a training job")
    };
    job
}

fn mk_job(resource: &Resource, role: &str, status: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": format!("t-{role}"), "labels": {
            "pinterest.com/revision": revision(job_of(resource)), "pinterest.com/attempt": "1", "pinterest.com/role": role,
        }},
        "status": status,
    }))
    .expect("a job")
}

fn mk_pod(
    resource: &Resource,
    role: &str,
    index: i32,
    spec: Value,
    status: Value,
) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("t-{role}-{index}"), "uid": format!("{role}{index}"),
            "labels": {
                "pinterest.com/revision": revision(job_of(resource)), "pinterest.com/attempt": "1", "pinterest.com/role": role,
            },
            "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
        },
        "spec": spec, "status": status,
    }))
    .expect("a pod")
}

fn held() -> Value {
    json!({"containers": [], "schedulingGates": [{"name": "pinterest.com/gang"}]})
}

fn placed() -> Value {
    json!({"containers": [], "nodeName": "n"})
}

fn running() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

fn look(
    resource: &Resource,
    objects: &[DynamicObject],
    before: &Value,
    second: i64,
) -> (Plan, Value) {
    let natives = [
        ApiResource::erase::<Job>(&()),
        ApiResource::erase::<Pod>(&()),
    ];
    let native = |object: &DynamicObject| {
        let kind = object
            .types
            .as_ref()
            .map(|types| types.kind.clone())
            .unwrap_or_default();
        natives
            .iter()
            .find(|native| native.kind == kind)
            .cloned()
            .expect("known")
    };
    let owned = objects
        .iter()
        .map(|object| (native(object), Arc::new(object.clone())))
        .collect();
    let profile = RuntimeProfile::plain();
    let seen = Seen {
        resource,
        generation: Some(1),
        profile: &profile,
        owned: &owned,
        before,
        now: Timestamp::from_second(second).expect("a time"),
    };
    let plan = plan(&seen, job_of(resource)).expect("translates");
    let before = plan.status.clone().unwrap_or_else(|| before.clone());
    let status = json!(status(&seen.with(&before), job_of(resource), None));
    (plan, status)
}

#[test]
fn nobody_is_let_go_before_all_are_made() {
    let job = two();
    let (plan, begun) = look(&job, &[], &json!({}), 0);
    assert!(plan.gang.is_none());
    assert_eq!(begun["waiting"], "its pods to be made: 0 of 2 are there");
    let mut objects = vec![
        mk_job(&job, "worker", json!({})),
        mk_pod(&job, "worker", 1, held(), json!({"phase": "Pending"})),
    ];
    let (plan, status) = look(&job, &objects, &begun, 1);
    assert!(plan.gang.is_none());
    assert_eq!(
        (&status["phase"], plan.again_after),
        (&json!("Waiting"), Some(Duration::from_secs(59)))
    );
    objects.push(mk_pod(
        &job,
        "worker",
        0,
        held(),
        json!({"phase": "Pending"}),
    ));
    let gang = look(&job, &objects, &status, 2)
        .0
        .gang
        .expect("all are there");
    assert!(gang.check);
    let mut ranks: Vec<(String, i32)> = gang
        .pods
        .iter()
        .map(|(pod, rank)| (pod.name_any(), *rank))
        .collect();
    ranks.sort();
    assert_eq!(
        ranks,
        [("t-worker-0".to_owned(), 0), ("t-worker-1".to_owned(), 1)]
    );
    // Killed in between: the others follow at once.
    objects[1] = mk_pod(&job, "worker", 1, placed(), json!({"phase": "Running"}));
    let gang = look(&job, &objects, &status, 2)
        .0
        .gang
        .expect("one is left");
    assert!(!gang.check);
}

#[test]
fn ranks_go_on_over_the_roles() {
    let members = json!([{"role": "worker", "replicas": 2}, {"role": "master"}]);
    let job = mk_training(members, json!({"framework": "pytorch"}));
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let pod =
        |role: &str, index: i32| mk_pod(&job, role, index, held(), json!({"phase": "Pending"}));
    let objects = [
        mk_job(&job, "worker", json!({})),
        mk_job(&job, "master", json!({})),
        pod("worker", 0),
        pod("worker", 1),
        pod("master", 0),
    ];
    let gang = look(&job, &objects, &begun, 1)
        .0
        .gang
        .expect("all are there");
    let mut ranks: Vec<(String, i32)> = gang
        .pods
        .iter()
        .map(|(pod, rank)| (pod.name_any(), *rank))
        .collect();
    ranks.sort();
    assert_eq!(
        ranks,
        [
            ("t-master-0".to_owned(), 0),
            ("t-worker-0".to_owned(), 1),
            ("t-worker-1".to_owned(), 2)
        ]
    );
}

fn of(job: &Resource, pods: [(Value, Value); 2]) -> Vec<DynamicObject> {
    let mut objects = vec![mk_job(job, "worker", json!({}))];
    let pods = pods
        .into_iter()
        .zip(0..)
        .map(|((spec, status), index)| mk_pod(job, "worker", index, spec, status));
    objects.extend(pods);
    objects
}

#[test]
fn a_gang_starts_runs_and_is_given_up_when_half_of_it_finds_no_place() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let open = json!({"containers": []});
    let half = of(
        &job,
        [(placed(), running()), (open, json!({"phase": "Pending"}))],
    );
    let (plan, status) = look(&job, &half, &begun, 10);
    assert_eq!(
        (&status["phase"], plan.again_after),
        (&json!("Starting"), Some(Duration::from_mins(1)))
    );
    assert_eq!(status["admittedTime"], "1970-01-01T00:00:10Z");
    let (_, late) = look(&job, &half, &status, 70);
    assert_eq!(
        (&late["phase"], &late["requeues"], &late["restarts"]),
        (&json!("Restarting"), &json!(1), &json!(0))
    );
    assert_eq!(
        (&late["notBefore"], &late["admittedTime"]),
        (&json!("1970-01-01T00:01:20Z"), &Value::Null)
    );
    let whole = of(&job, [(placed(), running()), (placed(), running())]);
    let (plan, status) = look(&job, &whole, &status, 20);
    assert_eq!(
        (&status["phase"], &status["readyPods"], plan.again_after),
        (&json!("Running"), &json!(2), None)
    );
    // It ran once: no time-out any more.
    assert_eq!(look(&job, &whole, &status, 9999).1["phase"], "Running");
}

#[test]
fn pods_that_cannot_be_made_are_given_up_in_time() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let objects = [
        mk_job(&job, "worker", json!({})),
        mk_pod(&job, "worker", 0, held(), json!({"phase": "Pending"})),
    ];
    let (_, status) = look(&job, &objects, &begun, 60);
    assert_eq!(
        status["lastFailure"],
        "only 1 of 2 pods could be made within gangtimeoutseconds (60 s)"
    );
    assert_eq!(status["attempt"], 2);
}

#[test]
fn any_lost_member_is_the_gangs_loss_and_says_how() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let whole = of(&job, [(placed(), running()), (placed(), running())]);
    let (_, begun) = look(&job, &whole, &begun, 1);
    let why = |objects: &[DynamicObject]| {
        let (plan, status) = look(&job, objects, &begun, 2);
        assert_eq!(
            (&status["attempt"], &status["restarts"]),
            (&json!(2), &json!(1)),
            "{status}"
        );
        assert!(plan.objects.iter().all(|object| {
            object
                .types
                .as_ref()
                .is_some_and(|types| types.kind != "Job")
        }));
        status["lastFailure"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let end = json!({"phase": "Failed", "containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
    assert_eq!(
        why(&of(&job, [(placed(), running()), (placed(), end)])),
        "the member t-worker-1 failed: container a ended with exit code 137 (OOMKilled)"
    );
    let evicted =
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"});
    assert_eq!(
        why(&of(&job, [(placed(), evicted), (placed(), running())])),
        "the member t-worker-0 failed: Evicted; The node was low on memory"
    );
    let mut deleted = whole.clone();
    deleted[1].metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    assert_eq!(
        why(&deleted),
        "the member t-worker-0 was deleted: somebody deleted the pod"
    );
    let mut failed = whole.clone();
    failed[0] = mk_job(
        &job,
        "worker",
        json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "words"}]}),
    );
    assert_eq!(
        why(&failed),
        "the job t-worker failed (BackoffLimitExceeded): words"
    );
    failed[0] = mk_job(&job, "worker", json!({}));
    failed[0].metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    assert_eq!(why(&failed), "the job t-worker was deleted");
}

#[test]
fn an_attempt_waits_for_pods_whose_job_is_gone_already() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let whole = of(
        &job,
        [
            (placed(), running()),
            (placed(), json!({"phase": "Failed"})),
        ],
    );
    let (_, status) = look(&job, &whole, &begun, 1);
    assert_eq!(status["attempt"], 2);
    let jobs = |plan: &Plan| {
        let kinds = plan
            .objects
            .iter()
            .filter_map(|object| object.types.as_ref());
        kinds.filter(|types| types.kind == "Job").count()
    };
    let (plan, status) = look(&job, &whole[1..], &status, 2);
    assert_eq!(jobs(&plan), 0);
    assert_eq!(status["waiting"], "1 pods of an earlier attempt to end");
    assert_eq!(jobs(&look(&job, &whole[2..], &status, 3).0), 1);
}

#[test]
fn members_that_are_done_early_are_not_lost() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let done = json!({"phase": "Succeeded"});
    let (_, status) = look(
        &job,
        &of(&job, [(placed(), done), (placed(), running())]),
        &begun,
        1,
    );
    assert_eq!(
        (&status["phase"], &status["readyPods"], &status["attempt"]),
        (&json!("Running"), &json!(2), &json!(1))
    );
}

#[test]
fn those_who_lead_decide_the_success() {
    let members = json!([{"role": "chief"}, {"role": "ps"}]);
    let job = mk_training(members, json!({"framework": "tensorflow"}));
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let objects = [
        mk_job(&job, "chief", complete),
        mk_job(&job, "ps", json!({})),
        mk_pod(&job, "chief", 0, placed(), json!({"phase": "Succeeded"})),
        mk_pod(&job, "ps", 0, placed(), running()),
    ];
    let (plan, status) = look(&job, &objects, &begun, 1);
    assert_eq!(
        (&status["phase"], &status["reason"]),
        (&json!("Completed"), &json!("Succeeded"))
    );
    assert_eq!(plan.keep, [("Job".to_owned(), "t-chief".to_owned())]);
}

#[test]
fn what_a_failed_member_said_stays_to_be_read() {
    let job = mk_training(
        json!([{"role": "worker", "replicas": 2}]),
        json!({"gangtimeoutseconds": 60, "maxrestarts": 0}),
    );
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let failed = json!({"phase": "Failed"});
    let whole = of(&job, [(placed(), running()), (placed(), failed)]);
    let (plan, status) = look(&job, &whole, &begun, 1);
    assert_eq!(status["phase"], "Failed");
    assert_eq!(plan.keep, [("Job".to_owned(), "t-worker".to_owned())]);
}

#[test]
fn a_suspended_gang_has_no_jobs_and_its_next_attempt_is_not_a_restart() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let paused = mk_training(
        json!([{"role": "worker", "replicas": 2}]),
        json!({"gangtimeoutseconds": 60, "suspend": true}),
    );
    let whole = of(&paused, [(placed(), running()), (placed(), running())]);
    let (plan, status) = look(&paused, &whole, &begun, 5);
    assert_eq!(
        (&status["phase"], &status["attempt"], &status["desiredPods"]),
        (&json!("Suspended"), &json!(2), &json!(0))
    );
    assert!(plan.keep.is_empty());
    let (plan, status) = look(&job, &[], &status, 50);
    assert_eq!(
        (&status["phase"], &status["restarts"]),
        (&json!("Waiting"), &json!(0))
    );
    let labels = plan
        .objects
        .iter()
        .filter_map(|object| object.labels().get("pinterest.com/attempt"));
    assert_eq!(labels.collect::<Vec<_>>(), ["2"]);
}

#[test]
fn a_second_look_at_the_same_changes_nothing() {
    let job = two();
    let (_, begun) = look(&job, &[], &json!({}), 0);
    let whole = of(&job, [(placed(), running()), (placed(), running())]);
    let (_, first) = look(&job, &whole, &begun, 1);
    let (plan, second) = look(&job, &whole, &first, 30);
    assert_eq!((plan.status, second), (None, first));
}
