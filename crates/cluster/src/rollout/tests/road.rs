//! The road of a deploy: what is waited for, what is complete, and what the cluster refuses.

use serde_json::{Value, json};

use super::*;

#[test]
fn waits_until_every_part_of_the_road_has_seen_the_deploy() {
    let done =
        json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3});
    let mut workload = Workload::default();
    assert!(is_waiting(&workload));
    workload.declared = Some(mk_declared(DEPLOY - 1, json!([])));
    workload.deployment = Some(mk_deployment(3, done.clone()));
    assert!(
        is_waiting(&workload),
        "the resource is still that of the deploy before"
    );
    workload.declared = Some(mk_declared(DEPLOY + 1, json!([])));
    assert!(is_waiting(&workload), "a newer deploy has taken its place");
    workload.declared = Some(mk_declared(DEPLOY, json!([])));
    assert!(matches!(
        at(&workload, 0),
        Rollout::Complete {
            ready: 3,
            desired: 3
        }
    ));

    let mut behind = DeploymentView::clone(workload.deployment.as_ref().expect("one"));
    behind.deploy_id = Some(DEPLOY - 1);
    workload.deployment = Some(Arc::new(behind.clone()));
    assert!(
        is_waiting(&workload),
        "the controller has not translated yet"
    );
    behind.deploy_id = Some(DEPLOY);
    behind.observed_generation -= 1;
    workload.deployment = Some(Arc::new(behind));
    assert!(is_waiting(&workload), "Kubernetes has not taken it up");
    workload.deployment = None;
    assert!(is_waiting(&workload));
}

/// Where the number of pods changes too, the Deployment's controller says that it has seen the new
/// template before it has made anything of it.
#[test]
fn the_version_before_is_not_taken_for_the_one_that_is_not_made_yet() {
    let bad = mk_pod("a", "new", false, crashed(3, json!({"exitCode": 3})));
    let mut workload = mk_workload(vec![bad]);
    let status = json!({"replicas": 3, "updatedReplicas": 3});
    workload.deployment = Some(mk_deployment(3, status));
    assert!(matches!(at(&workload, 0), Rollout::Failed { .. }));
    let mut seen = DeploymentView::clone(workload.deployment.as_ref().expect("one"));
    seen.template += 1;
    seen.updated = 0;
    workload.deployment = Some(Arc::new(seen));
    assert!(
        matches!(at(&workload, 0), Rollout::Progressing { ready: 0, .. }),
        "{:?}",
        at(&workload, 0)
    );
}

#[test]
fn is_complete_only_when_all_are_new_and_available_and_none_is_old() {
    let counts = |all: i32, updated: i32, available: i32| {
        let mut workload = mk_workload(vec![]);
        let status = json!({
            "replicas": all, "updatedReplicas": updated,
            "readyReplicas": available, "availableReplicas": available,
        });
        workload.deployment = Some(mk_deployment(3, status));
        at(&workload, 0).is_final()
    };
    assert!(counts(3, 3, 3));
    assert!(!counts(4, 3, 3), "an old pod is left");
    assert!(!counts(3, 2, 3), "one is not of the new version");
    assert!(!counts(3, 3, 2), "one is not available");
    let mut workload = mk_workload(vec![]);
    workload.deployment = Some(mk_deployment(0, json!({})));
    assert!(matches!(
        at(&workload, 0),
        Rollout::Complete {
            ready: 0,
            desired: 0
        }
    ));
}

#[test]
fn pods_of_older_versions_do_not_matter() {
    let old = mk_pod("z", "old", false, crashed(9, json!({"exitCode": 1})));
    let workload = mk_workload(vec![mk_ready("a"), old]);
    match at(&workload, 300) {
        Rollout::Progressing {
            ready,
            desired,
            message,
        } => {
            assert_eq!((ready, desired), (1, 3));
            assert_eq!(message, "1 of 3 pods is ready");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pods_on_their_way_out_do_not_matter() {
    let mut pod = mk_pod("a", "new", false, crashed(9, json!({"exitCode": 1})));
    pod["metadata"]["deletionTimestamp"] = json!(time(1));
    assert!(is_progressing(&mk_workload(vec![pod]), 300));
}

#[test]
fn says_which_old_pods_are_left() {
    let mut workload = mk_workload(vec![mk_ready("a"), mk_ready("b"), mk_ready("c")]);
    let status = json!({"replicas": 4, "updatedReplicas": 3, "availableReplicas": 4});
    workload.deployment = Some(mk_deployment(3, status));
    let Rollout::Progressing { message, .. } = at(&workload, 3) else {
        panic!("it goes on")
    };
    assert_eq!(message, "3 of 3 pods are ready; 1 old pod runs still");
}

#[test]
fn pods_that_the_cluster_refuses() {
    let refused = |message: &str| {
        let condition = json!([{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": message, "lastTransitionTime": time(0),
        }]);
        let mut workload = mk_workload(vec![]);
        workload.replica_sets[1] = mk_set("new", 2, condition);
        workload
    };
    let quota = refused("pods \"a\" is forbidden: exceeded quota: small");
    assert!(is_progressing(&quota, 9), "an old pod may have to go first");
    assert_eq!(failure(&quota, 10).0, FailureCause::Quota);
    let admission = refused("pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"");
    let (cause, message) = failure(&admission, 0);
    assert_eq!(cause, FailureCause::Admission);
    assert!(
        message.contains("the cluster refuses more: pods \"a\" is forbidden"),
        "{message}"
    );
    let account = refused(
        "pods \"a\" is forbidden: error looking up service account n/x: serviceaccount \"x\" not found",
    );
    assert!(
        is_progressing(&account, 9),
        "new namespaces have none for a moment"
    );
    assert_eq!(failure(&account, 10).0, FailureCause::ConfigMissing);
}

#[test]
fn an_old_versions_refusal_does_not_matter() {
    let condition = json!([{
        "type": "ReplicaFailure", "status": "True", "message": "no", "lastTransitionTime": time(0),
    }]);
    let mut workload = mk_workload(vec![]);
    workload.replica_sets[0] = mk_set("old", 1, condition);
    assert!(is_progressing(&workload, 60));
}

pub(super) fn late() -> Value {
    json!({
        "replicas": 3, "updatedReplicas": 3, "availableReplicas": 0,
        "conditions": [{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        }],
    })
}

#[test]
fn a_deadline_that_nothing_explains() {
    let mut workload = mk_workload(vec![]);
    workload.deployment = Some(mk_deployment(3, late()));
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Deadline);
    assert_eq!(
        message,
        "0 of 3 pods are ready; Kubernetes has made none of the new version; nothing has changed for 60 s"
    );
}

#[test]
fn the_deadline_of_the_rollout_before_says_nothing_of_this_one() {
    let mut workload = mk_workload(vec![mk_ready("a")]);
    let mut told = |second: i64| {
        let mut status = late();
        status["conditions"][0]["lastUpdateTime"] = json!(time(second));
        workload.deployment = Some(mk_deployment(3, status));
        is_progressing(&workload, 90)
    };
    assert!(told(-5), "before the deploy came");
    assert!(told(0), "in the second in which it came");
    assert!(!told(60), "of this one");
}

#[test]
fn what_the_controller_cannot_translate_fails() {
    let stalled = |reason: &str, message: &str, since: i64| {
        let mut workload = mk_workload(vec![mk_ready("a")]);
        workload.declared = Some(mk_declared(
            DEPLOY,
            json!([{
                "type": "Stalled", "status": "True", "reason": reason, "message": message,
                "observedGeneration": 2, "lastTransitionTime": time(since),
            }]),
        ));
        workload
    };
    let fresh = stalled("TranslationFailed", "there is no sidecar \"loger\"", 1);
    let (cause, message) = failure(&fresh, 1);
    assert_eq!(cause, FailureCause::Admission);
    assert!(
        message.ends_with("there is no sidecar \"loger\""),
        "{message}"
    );
    let quota = stalled(
        "Refused",
        "the cluster refused Service/hello: exceeded quota: small",
        1,
    );
    assert_eq!(failure(&quota, 1).0, FailureCause::Quota);

    let before = stalled("Refused", "no", -60);
    assert!(
        is_progressing(&before, 9),
        "it may speak of the deploy before"
    );
    assert_eq!(failure(&before, 10).0, FailureCause::Admission);
    let late = stalled("ProgressDeadlineExceeded", "", 1);
    assert!(is_progressing(&late, 60), "the Deployment says more");
}
