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

/// A kind that is stalled since that second.
fn mk_stalled(kind: Kind, reason: &str, message: &str, since: i64) -> Arc<Declared> {
    let mut stalled = condition("Stalled", message);
    stalled["reason"] = json!(reason);
    stalled["lastTransitionTime"] = json!(time(since));
    mk_told(kind, 2, json!([stalled]))
}

fn mk_of(declared: Arc<Declared>, pods: Vec<Value>) -> Workload {
    let view = |pod: Value| Arc::new((&read::<Pod>(pod)).into());
    Workload {
        declared: Some(declared),
        pods: pods.into_iter().map(view).collect(),
        ..Workload::default()
    }
}

/// A pod of a job that ended like that.
fn mk_failed(name: &str, end: Value) -> Value {
    let mut pod = mk_pod(name, "new", false, json!({"state": {"terminated": end}}));
    pod["status"]["phase"] = json!("Failed");
    pod
}

/// What a StatefulSet or a Job says of the pods that it makes, at that second.
fn mk_said(kind: &str, name: &str, reason: &str, message: &str, second: i64) -> Arc<EventView> {
    let event: Event = read(json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": kind, "name": name},
        "reason": reason, "message": message,
        "firstTimestamp": time(second), "lastTimestamp": time(second),
    }));
    Arc::new((&event).into())
}

fn assess_told(declared: Arc<Declared>, pods: Vec<Value>) -> Rollout {
    at(&mk_of(declared, pods), 60)
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

#[test]
fn a_rollout_that_stands_still_is_a_failure_with_what_its_pods_are_at() {
    let said = "no step forward for 15 s: 2 of 3 pods are available";
    for (kind, reason) in [
        (Kind::StatefulSet, "ProgressDeadlineExceeded"),
        (Kind::StreamingJob, "RolloutStuck"),
    ] {
        let pod = mk_pod("hello-2", "new", false, json!({"state": {"running": {}}}));
        let mut workload = mk_of(mk_stalled(kind, reason, said, 20), vec![pod]);
        let probe = "Readiness probe failed: dial tcp 10.0.0.1:1: connect: connection refused";
        workload.events = vec![mk_event("hello-2", "Unhealthy", probe, 9)];
        assert_eq!(
            failure(&workload, 21),
            (
                FailureCause::Probe,
                format!(
                    "1 of 3 pods is ready; one does not pass its readiness probe: connection refused; {said}"
                )
            )
        );
        workload.pods.clear();
        let (cause, message) = failure(&workload, 21);
        assert_eq!(cause, FailureCause::Deadline);
        assert_eq!(message, format!("1 of 3 pods is ready; {said}"));
        workload.declared = Some(mk_stalled(kind, reason, said, 0));
        assert!(
            is_progressing(&workload, 60),
            "it is said of the deploy before, and it is not complete"
        );
    }
}

/// A workload of which that object says something, in its kind's words.
fn mk_saying(kind: Kind, reason: &str, why: &str, second: i64) -> Workload {
    let conditions = json!([condition("Reconciling", "")]);
    let mut workload = mk_of(mk_told(kind, 2, conditions), Vec::new());
    workload.events = vec![said_of(kind, reason, why, second)];
    workload
}

fn said_of(kind: Kind, reason: &str, why: &str, second: i64) -> Arc<EventView> {
    let set = kind == Kind::StatefulSet;
    let message = if set {
        format!("create Pod hello-0 in StatefulSet hello failed error: {why}")
    } else {
        format!("Error creating: {why}")
    };
    let (object, name) = if set {
        ("StatefulSet", "hello")
    } else {
        ("Job", "hello-count-0")
    };
    mk_said(object, name, reason, &message, second)
}

const DENIED: &str = "pods \"hello-0\" is forbidden: violates PodSecurity \"restricted:latest\"";
const NO_QUOTA: &str = "pods \"hello-0\" is forbidden: exceeded quota: small, requested: pods=1";

#[test]
fn pods_that_the_cluster_refuses_are_a_failure() {
    let account = "pods \"hello-0\" is forbidden: error looking up service account n/x: serviceaccount \"x\" not found";
    for kind in [Kind::StatefulSet, Kind::JobSet, Kind::TrainingJob] {
        let of = |why: &str| mk_saying(kind, "FailedCreate", why, 2);
        let (cause, message) = failure(&of(DENIED), 2);
        assert_eq!(cause, FailureCause::Admission);
        assert_eq!(
            message,
            format!("1 of 3 pods is ready; the cluster refuses more: {DENIED}")
        );
        assert!(is_progressing(&of(NO_QUOTA), 11), "a pod may have to go");
        assert_eq!(failure(&of(NO_QUOTA), 12).0, FailureCause::Quota);
        assert!(is_progressing(&of(account), 11), "it may be made just now");
        assert_eq!(failure(&of(account), 12).0, FailureCause::ConfigMissing);

        let mut made = of(NO_QUOTA);
        made.events
            .push(said_of(kind, "SuccessfulCreate", "no error", 3));
        assert!(is_progressing(&made, 60), "it was made after all");
        made.events
            .push(said_of(kind, "FailedCreate", NO_QUOTA, 50));
        assert!(is_progressing(&made, 59), "the next one");
        assert_eq!(failure(&made, 60).0, FailureCause::Quota);
    }
}

#[test]
fn a_job_that_is_refused_again_and_again_is_refused_since_the_first_time() {
    let mut workload = mk_saying(Kind::JobSet, "FailedCreate", NO_QUOTA, 2);
    let again = NO_QUOTA.replace("hello-0", "hello-1");
    workload
        .events
        .push(said_of(Kind::JobSet, "FailedCreate", &again, 11));
    assert_eq!(failure(&workload, 12).0, FailureCause::Quota);
}

#[test]
fn a_refusal_of_the_deploy_before_is_not_this_ones() {
    for kind in [Kind::StatefulSet, Kind::JobSet] {
        let before = mk_saying(kind, "FailedCreate", DENIED, -1);
        assert!(is_progressing(&before, 60));
    }
    let same_second = |kind| mk_saying(kind, "FailedCreate", DENIED, 0);
    assert!(is_progressing(&same_second(Kind::JobSet), 60));
    let set = same_second(Kind::StatefulSet);
    assert!(is_progressing(&set, 9));
    assert_eq!(failure(&set, 10).0, FailureCause::Admission);
}

#[test]
fn a_run_that_failed_says_how_its_pod_ended() {
    let why = "the job hello-count-0 failed (BackoffLimitExceeded): it has reached its limit";
    let declared = mk_stalled(Kind::JobSet, "JobFailed", why, 1);
    let three = || json!({"exitCode": 3, "reason": "Error"});
    let mut other = mk_failed("hello-merge-0-b", json!({"exitCode": 1}));
    other["metadata"]["creationTimestamp"] = json!(time(9));
    let mut its = mk_failed("hello-count-0-a", three());
    its["metadata"]["labels"]["batch.kubernetes.io/job-name"] = json!("hello-count-0");
    assert_eq!(
        failure(&mk_of(declared.clone(), vec![its, other]), 60),
        (
            FailureCause::CrashLoop,
            "The job hello-count-0 failed (BackoffLimitExceeded): it has reached its limit; container app ended with exit code 3".into()
        )
    );
    let (cause, message) = failure(&mk_of(declared, Vec::new()), 60);
    assert_eq!(cause, FailureCause::CrashLoop);
    assert!(message.ends_with("it has reached its limit"), "{message}");

    let why = "the member hello-a failed: container app ended with exit code 137 (OOMKilled); it was started again 2 times, the most that it may";
    let mut pod = mk_failed("hello-a", json!({"exitCode": 137, "reason": "OOMKilled"}));
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "32Mi"}});
    let declared = mk_stalled(Kind::TrainingJob, "MaxRestartsExceeded", why, 1);
    let rollout = assess_told(declared, vec![pod]);
    let Rollout::Failed {
        cause,
        message,
        hint,
        ..
    } = rollout
    else {
        panic!("{rollout:?}");
    };
    assert_eq!(cause, FailureCause::CrashLoop);
    assert!(
        message.ends_with("container app ran out of memory (its limit is 32Mi)"),
        "{message}"
    );
    assert!(hint.is_some_and(|hint| hint.contains("resources.limits.memory")));

    let why = "the member hello-a failed: container app ended with exit code 3 (Error)";
    let declared = mk_stalled(Kind::TrainingJob, "JobFailed", why, 1);
    let workload = mk_of(declared, vec![mk_failed("hello-a", three())]);
    let (_, message) = failure(&workload, 60);
    assert!(message.ends_with("with exit code 3 (Error)"), "{message}");
}

#[test]
fn a_run_whose_time_is_over_is_late() {
    for (reason, why) in [
        (
            "DeadlineExceeded",
            "it ran for longer than activedeadlineseconds (60 s)",
        ),
        (
            "JobFailed",
            "the job hello-count-0 failed (DeadlineExceeded): it was active for too long",
        ),
    ] {
        let declared = mk_stalled(Kind::JobSet, reason, why, 1);
        let rollout = assess_told(declared, Vec::new());
        let Rollout::Failed {
            cause,
            message,
            hint,
            ..
        } = rollout
        else {
            panic!("{rollout:?}");
        };
        assert_eq!(cause, FailureCause::Deadline);
        assert!(message.ends_with(&why[1..]), "{message}");
        assert!(hint.is_some_and(|hint| hint.contains("activedeadlineseconds")));
    }
}

#[test]
fn a_job_that_is_tried_again_is_told_and_named_at_the_deadline() {
    let conditions = json!([condition("Reconciling", "0 of 1 pods are ready or done")]);
    let pod = |name: &str| {
        let mut pod = mk_failed(name, json!({"exitCode": 3}));
        pod["spec"]["initContainers"] = json!([{"name": "proxy", "restartPolicy": "Always"}]);
        pod["status"]["initContainerStatuses"] = json!([{
            "name": "proxy", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 143}},
        }]);
        pod
    };
    let declared = mk_told(Kind::JobSet, 2, conditions);
    let workload = mk_of(declared, vec![pod("a"), pod("b"), pod("c")]);
    let Rollout::Progressing { message, .. } = at(&workload, 600) else {
        panic!("how often is the user's to say")
    };
    let crashes = "crash again and again: container app ended with exit code 3";
    assert!(message.ends_with(crashes), "{message}");
    let late = crate::rollout::late(&workload, now(660)).expect("it is told");
    assert_eq!(
        (late.cause, late.message),
        (FailureCause::CrashLoop, message)
    );
}

#[test]
fn a_gang_that_is_late_says_what_it_is_short_of() {
    let waits = "waits for room: 4 of 4 pods find no node; short of 252 cpu";
    let conditions = json!([condition("Reconciling", waits)]);
    let mut pod = mk_pod("a", "new", false, json!({}));
    pod["status"] = json!({
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
    });
    let workload = mk_of(mk_told(Kind::TrainingJob, 2, conditions), vec![pod]);
    assert!(is_progressing(&workload, 660), "it may get room");
    let late = crate::rollout::late(&workload, now(660)).expect("it is told");
    assert_eq!(late.cause, FailureCause::Unschedulable);
    assert_eq!(
        late.message,
        "1 of 3 pods is ready; no room: 4 of 4 pods find no node; short of 252 cpu"
    );
}
