//! Kinds whose controller tells how far they are.

use super::*;

fn mk_told(kind: Kind, observed: i64, conditions: Value) -> Arc<Declared> {
    let object: DynamicObject = read(json!({
        "apiVersion": "pinterest.com/v1", "kind": kind.name(),
        "metadata": {
            "name": "hello", "generation": 2,
            "annotations": {"hermez.dev/deploy": DEPLOY.to_string()},
            "managedFields": [{"manager": "hermez", "operation": "Apply", "time": time(0)}],
        },
        "spec": {},
        "status": {
            "observedGeneration": observed, "conditions": conditions,
            "revision": "new", "desiredPods": 3, "readyPods": 1,
        },
    }));
    Arc::new(Declared::read(kind, &object))
}

fn condition(kind: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": "True", "reason": "R", "message": message,
        "observedGeneration": 2, "lastTransitionTime": time(1),
    })
}

fn assess_told(declared: Arc<Declared>, pods: Vec<Value>) -> Rollout {
    let view = |pod: Value| Arc::new((&read::<Pod>(pod)).into());
    let workload = Workload {
        declared: Some(declared),
        pods: pods.into_iter().map(view).collect(),
        ..Workload::default()
    };
    assess(&RolloutInput {
        workload: &workload,
        now: now(60),
        deploy_id: DEPLOY,
    })
}

#[test]
fn a_status_of_an_older_spec_says_nothing() {
    let rollout = assess_told(mk_told(Kind::JobSet, 1, json!([])), Vec::new());
    assert!(matches!(rollout, Rollout::Waiting { .. }), "{rollout:?}");
}

#[test]
fn a_stateful_sets_version_is_waited_for() {
    let mut declared = mk_told(Kind::StatefulSet, 2, json!([]));
    Arc::make_mut(&mut declared).progress.revision = None;
    let conditions = json!([condition("Reconciling", "")]);
    let crashed = mk_pod("hello-0", "old", false, crashed(5, json!({"exitCode": 3})));
    let rollout = assess_told(declared, vec![crashed.clone()]);
    assert!(matches!(rollout, Rollout::Waiting { .. }), "{rollout:?}");
    let declared = mk_told(Kind::StatefulSet, 2, conditions);
    let rollout = assess_told(declared, vec![crashed]);
    assert!(
        matches!(rollout, Rollout::Progressing { .. }),
        "{rollout:?}"
    );
}

#[test]
fn it_is_complete_when_nothing_goes_on_any_more() {
    let rollout = assess_told(mk_told(Kind::CronJob, 2, json!([])), Vec::new());
    let complete = Rollout::Complete {
        ready: 1,
        desired: 3,
    };
    assert_eq!(rollout, complete);
}

#[test]
fn what_the_controller_is_at_is_the_progress() {
    let conditions = json!([condition("Reconciling", "takes a savepoint")]);
    let rollout = assess_told(mk_told(Kind::StreamingJob, 2, conditions), Vec::new());
    let progress = Rollout::Progressing {
        ready: 1,
        desired: 3,
        message: "takes a savepoint".into(),
    };
    assert_eq!(rollout, progress);
}

#[test]
fn what_it_cannot_do_is_the_failure() {
    let conditions = json!([condition("Stalled", "the schedule never fires")]);
    let rollout = assess_told(mk_told(Kind::CronJob, 2, conditions), Vec::new());
    let Rollout::Failed { message, .. } = rollout else {
        panic!("{rollout:?}");
    };
    assert!(message.contains("the schedule never fires"), "{message}");
}

#[test]
fn a_pod_of_the_newest_version_that_cannot_start_is_a_failure() {
    let conditions = json!([condition("Reconciling", "")]);
    let pod = |hash| {
        let image = waiting("ImagePullBackOff", "manifest unknown: not found");
        let mut pod = mk_pod("hello-0", hash, false, image);
        pod["status"]["phase"] = json!("Pending");
        pod
    };
    let declared = mk_told(Kind::JobSet, 2, conditions);
    let rollout = assess_told(declared.clone(), vec![pod("new")]);
    let failed = matches!(
        &rollout,
        Rollout::Failed {
            cause: FailureCause::ImagePull,
            ..
        }
    );
    assert!(failed, "{rollout:?}");
    let rollout = assess_told(declared, vec![pod("old")]);
    assert!(
        matches!(rollout, Rollout::Progressing { .. }),
        "{rollout:?}"
    );
}

#[test]
fn a_pod_that_failed_is_the_job_controllers_business() {
    let conditions = json!([condition("Reconciling", "")]);
    let crash = || crashed(5, json!({"exitCode": 3}));
    let pod = || mk_pod("hello-0", "new", false, crash());
    let rollout = assess_told(mk_told(Kind::JobSet, 2, conditions.clone()), vec![pod()]);
    assert!(
        matches!(rollout, Rollout::Progressing { .. }),
        "{rollout:?}"
    );
    let rollout = assess_told(mk_told(Kind::StatefulSet, 2, conditions), vec![pod()]);
    let failed = matches!(
        &rollout,
        Rollout::Failed {
            cause: FailureCause::CrashLoop,
            ..
        }
    );
    assert!(failed, "{rollout:?}");
}
