//! What is wrong with pods, and when that is certain.

use serde_json::{Value, json};

use super::road::late;
use super::*;

const NOT_FOUND: &str = "Back-off pulling image \"registry/app@sha256:1\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image: registry/app@sha256:1: not found";

#[test]
fn an_image_that_cannot_be_pulled_is_said_at_once() {
    let bad = mk_pod("c", "new", false, waiting("ImagePullBackOff", NOT_FOUND));
    let workload = mk_workload(vec![mk_ready("a"), mk_ready("b"), bad]);
    assert_eq!(
        failure(&workload, 3),
        (
            FailureCause::ImagePull,
            "2 of 3 pods are ready; the third cannot pull its image: manifest unknown".into()
        )
    );
}

#[test]
fn one_failed_pull_is_not_yet_a_failure() {
    let pod = mk_pod(
        "c",
        "new",
        false,
        waiting("ErrImagePull", "unexpected status: 401 Unauthorized"),
    );
    let mut workload = mk_workload(vec![pod]);
    assert!(is_progressing(&workload, 3));
    workload.events = vec![mk_event(
        "c",
        "Failed",
        "Failed to pull image \"i\": 401 Unauthorized",
        2,
    )];
    assert_eq!(failure(&workload, 3).0, FailureCause::ImagePull);
}

#[test]
fn a_registry_that_does_not_answer_is_waited_for() {
    let message = "dial tcp 127.0.0.1:5000: connect: connection refused";
    let pod = mk_pod("c", "new", false, waiting("ImagePullBackOff", message));
    let workload = mk_workload(vec![pod]);
    assert!(is_progressing(&workload, 29));
    let (cause, message) = failure(&workload, 30);
    assert_eq!(cause, FailureCause::ImagePull);
    assert!(
        message.ends_with("the registry does not answer"),
        "{message}"
    );
}

#[test]
fn the_event_tells_why_when_the_back_off_does_not() {
    let pod = mk_pod(
        "c",
        "new",
        false,
        waiting("ImagePullBackOff", "Back-off pulling image \"i\""),
    );
    let mut workload = mk_workload(vec![pod]);
    workload.events = vec![mk_event(
        "c",
        "Failed",
        "Failed to pull image \"i\": rpc error: code = NotFound desc = i: not found",
        1,
    )];
    let (_, message) = failure(&workload, 3);
    assert!(message.ends_with("manifest unknown"), "{message}");
}

#[test]
fn a_container_that_crashes_again_and_again() {
    let crash = |end: Value| {
        let pod = |name: &str| mk_pod(name, "new", false, crashed(2, end.clone()));
        failure(&mk_workload(vec![pod("a"), pod("b"), pod("c")]), 3)
    };
    let (cause, message) = crash(json!({"exitCode": 3, "reason": "Error"}));
    assert_eq!(cause, FailureCause::CrashLoop);
    assert_eq!(
        message,
        "0 of 3 pods are ready; they crash again and again: container app ended with exit code 3"
    );
    let (_, message) = crash(json!({"exitCode": 137, "reason": "OOMKilled"}));
    assert!(
        message.contains("container app ran out of memory (it has no limit"),
        "{message}"
    );
    let (_, message) = crash(json!({
        "exitCode": 128, "reason": "StartError",
        "message": "failed to create task: exec: \"nope\": executable file not found in $PATH",
    }));
    assert!(
        message.ends_with(
            "container app cannot be started: \"nope\": executable file not found in $PATH"
        ),
        "{message}"
    );
}

#[test]
fn a_first_crash_may_be_come_over_and_an_old_one_is_forgotten() {
    let ended = json!({"state": {"terminated": {"exitCode": 1}}, "restartCount": 0});
    let pod = mk_pod("a", "new", false, ended);
    assert!(is_progressing(&mk_workload(vec![pod]), 3));
    let recovered = json!({
        "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 9,
    });
    let pod = mk_pod("a", "new", true, recovered);
    assert!(is_progressing(&mk_workload(vec![pod]), 3));
}

/// A pod of which the scheduler says this from the first second on.
fn mk_unplaced(message: &str) -> Value {
    let mut pod = mk_pod("a", "new", false, json!({}));
    pod["status"] = json!({
        "phase": "Pending",
        "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": time(0),
        }],
    });
    pod
}

/// An old pod that is about to go.
fn mk_ending() -> Value {
    let mut ending = mk_pod("z", "old", true, json!({}));
    ending["metadata"]["deletionTimestamp"] = json!(time(1));
    ending
}

#[test]
fn a_pod_that_fits_on_no_node_is_given_ten_seconds() {
    let pod = mk_unplaced(
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes.",
    );
    let mut workload = mk_workload(vec![pod]);
    assert!(is_progressing(&workload, 9));
    let (cause, message) = failure(&workload, 10);
    assert_eq!(cause, FailureCause::Unschedulable);
    assert_eq!(
        message,
        "0 of 3 pods are ready; one fits on no node: 0/1 nodes are available: 1 Insufficient cpu"
    );
    workload.events = vec![mk_event("a", "TriggeredScaleUp", "1->2", 1)];
    assert!(is_progressing(&workload, 60), "a node is on its way");
    workload.events.clear();
    workload
        .pods
        .push(Arc::new((&read::<Pod>(mk_ending())).into()));
    assert!(
        is_progressing(&workload, 60),
        "an old pod is about to make room"
    );
}

#[test]
fn a_missing_config_map_is_named() {
    let message = "configmap \"hello-configs\" not found";
    let pod = mk_pod(
        "a",
        "new",
        false,
        waiting("CreateContainerConfigError", message),
    );
    let workload = mk_workload(vec![pod]);
    assert!(is_progressing(&workload, 4), "it may come a moment later");
    let (cause, message) = failure(&workload, 5);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(
        message.ends_with("one cannot start: configmap \"hello-configs\" not found"),
        "{message}"
    );

    let pod = mk_pod("a", "new", false, waiting("ContainerCreating", ""));
    let mut workload = mk_workload(vec![pod]);
    let event = "MountVolume.SetUp failed for volume \"v\" : secret \"key\" not found";
    workload.events = vec![mk_event("a", "FailedMount", event, 5)];
    let (cause, message) = failure(&workload, 10);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(
        message.ends_with("one cannot mount a volume: secret \"key\" not found"),
        "{message}"
    );
}

#[test]
fn a_key_that_a_volume_lacks_is_named() {
    let pod = mk_pod("a", "new", false, waiting("ContainerCreating", ""));
    let mut workload = mk_workload(vec![pod]);
    let event =
        "MountVolume.SetUp failed for volume \"v\" : references non-existent config key: nokey";
    workload.events = vec![mk_event("a", "FailedMount", event, 5)];
    assert!(is_progressing(&workload, 9), "it may come a moment later");
    let (cause, message) = failure(&workload, 10);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(
        message.ends_with("cannot mount a volume: references non-existent config key: nokey"),
        "{message}"
    );
}

#[test]
fn a_volume_that_may_still_come_is_told_and_not_a_failure() {
    let pod = mk_pod("a", "new", false, waiting("ContainerCreating", ""));
    let mut workload = mk_workload(vec![pod]);
    let event = "Multi-Attach error for volume \"v\" Volume is already used by pod(s) b";
    workload.events = vec![mk_event("a", "FailedAttachVolume", event, 9)];
    let told = |workload: &Workload| match at(workload, 300) {
        Rollout::Progressing { message, .. } => message,
        other => panic!("it may still come: {other:?}"),
    };
    let message = told(&workload);
    assert!(
        message.contains("one waits for a volume: Multi-Attach error"),
        "{message}"
    );
    let pulling = mk_event("a", "Pulling", "Pulling image", 1);
    workload.events.push(pulling);
    assert_eq!(told(&workload), "0 of 3 pods are ready", "it has come");
    workload.events.pop();
    workload.deployment = Some(mk_deployment(3, late()));
    let (cause, message) = failure(&workload, 300);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(message.contains("Multi-Attach error"), "{message}");
}

#[test]
fn what_the_kubelet_does_not_allow_is_not_called_missing() {
    let message = "container's runAsUser breaks non-root policy (pod: \"a\", container: app)";
    let state = waiting("CreateContainerConfigError", message);
    let workload = mk_workload(vec![mk_pod("a", "new", false, state)]);
    let Rollout::Failed {
        cause,
        message,
        hint,
        ..
    } = at(&workload, 5)
    else {
        panic!("it stays so")
    };
    assert_eq!(cause, FailureCause::CrashLoop);
    assert!(
        message.contains("one cannot start: container's runAsUser"),
        "{message}"
    );
    assert!(hint.is_some_and(|hint| hint.contains("runAsUser")));
}

#[test]
fn a_hook_that_fails_is_named_and_not_the_end_that_it_caused() {
    let said = "Exec lifecycle hook ([sh]) for Container \"app\" in Pod \"a\" failed - error: command 'sh' exited with 9: , message: \"no\\n\"";
    let mut state = waiting("PostStartHookError", said);
    state["restartCount"] = json!(2);
    let workload = mk_workload(vec![mk_pod("a", "new", false, state)]);
    let (cause, message) = failure(&workload, 3);
    assert_eq!(cause, FailureCause::CrashLoop);
    assert!(
        message.contains("its postStart hook failed: command 'sh' exited with 9"),
        "{message}"
    );

    let ended = |code: i32, events| {
        let pod = mk_pod("a", "new", false, crashed(2, json!({"exitCode": code})));
        let mut workload = mk_workload(vec![pod]);
        workload.events = events;
        failure(&workload, 3).1
    };
    let hook = || {
        vec![mk_event(
            "a",
            "FailedPostStartHook",
            "PostStartHook failed",
            2,
        )]
    };
    let message = ended(0, hook());
    assert!(
        message.ends_with("app was ended because its postStart hook failed"),
        "{message}"
    );
    let message = ended(3, hook());
    assert!(message.ends_with("app ended with exit code 3"), "{message}");
    let message = ended(0, Vec::new());
    assert!(message.ends_with("app ended with exit code 0"), "{message}");
}

#[test]
fn two_crashes_are_enough_before_the_kubelet_backs_off() {
    let at_restart = |restarts: i32, state: Value| {
        let fields = json!({
            "state": state, "restartCount": restarts,
            "lastState": {"terminated": {"exitCode": 7}},
        });
        mk_workload(vec![mk_pod("a", "new", false, fields)])
    };
    let ended = || json!({"terminated": {"exitCode": 7}});
    assert!(
        is_progressing(&at_restart(0, ended()), 3),
        "it is tried again"
    );
    assert_eq!(
        failure(&at_restart(1, ended()), 3).0,
        FailureCause::CrashLoop
    );
    let runs = json!({"running": {}});
    assert!(
        is_progressing(&at_restart(1, runs), 3),
        "it may get ready now"
    );
}

#[test]
fn a_probe_that_does_not_pass_fails_at_the_deadline() {
    let running = json!({"state": {"running": {}}, "started": true});
    let pod = mk_pod("a", "new", false, running);
    let mut workload = mk_workload(vec![pod]);
    workload.events = vec![mk_event(
        "a",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        9,
    )];
    let Rollout::Progressing { message, .. } = at(&workload, 30) else {
        panic!("it may still pass")
    };
    assert!(
        message.ends_with("one does not pass its readiness probe: HTTP status 503"),
        "{message}"
    );
    workload.deployment = Some(mk_deployment(3, late()));
    assert_eq!(failure(&workload, 60).0, FailureCause::Probe);
    workload.events.clear();
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Probe);
    assert!(
        message.contains("one runs, and its container app has not passed its readiness probe"),
        "{message}"
    );
}

#[test]
fn a_sidecar_that_does_not_get_ready_is_named() {
    let runs = |name: &str, ready: bool| {
        json!({
            "name": name, "image": "i", "imageID": "", "ready": ready, "restartCount": 0,
            "started": true, "state": {"running": {}},
        })
    };
    let mut pod = mk_pod("a", "new", false, json!({}));
    pod["spec"]["initContainers"] = json!([{"name": "proxy", "restartPolicy": "Always"}]);
    pod["status"]["initContainerStatuses"] = json!([runs("proxy", false)]);
    pod["status"]["containerStatuses"] = json!([runs("app", true)]);
    let mut workload = mk_workload(vec![pod]);
    workload.deployment = Some(mk_deployment(3, late()));
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Probe);
    assert!(
        message.contains("its container proxy has not passed its readiness probe"),
        "{message}"
    );
    let said = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    workload.events = vec![mk_event("a", "Unhealthy", said, 9)];
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Probe);
    assert!(
        message.contains("one does not pass its readiness probe: HTTP status 503"),
        "{message}"
    );
}

#[test]
fn a_readiness_gate_that_nobody_opens_is_named() {
    let mut pod = mk_pod("a", "new", false, json!({"state": {"running": {}}}));
    pod["status"]["containerStatuses"][0]["ready"] = json!(true);
    pod["spec"]["readinessGates"] = json!([{"conditionType": "example.com/in-service"}]);
    let mut workload = mk_workload(vec![pod.clone()]);
    workload.deployment = Some(mk_deployment(3, late()));
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Deadline);
    assert!(
        message.contains("one runs, and its readiness gate example.com/in-service is not true"),
        "{message}"
    );
    let met = json!({"type": "example.com/in-service", "status": "True"});
    let conditions = pod["status"]["conditions"].as_array_mut();
    conditions.expect("conditions").push(met);
    let mut workload = mk_workload(vec![pod]);
    workload.deployment = Some(mk_deployment(3, late()));
    let (_, message) = failure(&workload, 60);
    assert!(!message.contains("readiness gate"), "{message}");
}

#[test]
fn a_signal_and_a_memory_limit_are_named() {
    let say = |end: Value, limits: Value| {
        let mut pod = mk_pod("a", "new", false, crashed(2, end));
        pod["spec"]["containers"][0]["resources"] = limits;
        failure(&mk_workload(vec![pod]), 3).1
    };
    let message = say(json!({"exitCode": 139, "reason": "Error"}), json!({}));
    assert!(message.ends_with("exit code 139 (SIGSEGV)"), "{message}");
    let message = say(json!({"exitCode": 200, "reason": "Error"}), json!({}));
    assert!(message.ends_with("exit code 200"), "{message}");
    let message = say(json!({"exitCode": 0, "signal": 15}), json!({}));
    assert!(message.ends_with("by signal 15 (SIGTERM)"), "{message}");
    let killed = json!({"exitCode": 137, "reason": "OOMKilled"});
    let message = say(killed, json!({"limits": {"memory": "32Mi"}}));
    assert!(
        message.ends_with("ran out of memory (its limit is 32Mi)"),
        "{message}"
    );
}

#[test]
fn what_a_late_pod_is_at_is_told() {
    let told = |pod: Value, events: Vec<Arc<EventView>>| {
        let mut workload = mk_workload(vec![pod]);
        workload.events = events;
        assert!(is_progressing(&workload, 30), "not before the deadline");
        let told = crate::rollout::late(&workload, now(30)).map(|late| late.message);
        workload.deployment = Some(mk_deployment(3, late()));
        let (cause, message) = failure(&workload, 60);
        assert!(
            message.starts_with(&told.expect("it is told")),
            "the engine's own deadline says the same: {message}"
        );
        (cause, message)
    };
    let creating = || waiting("ContainerCreating", "");
    let mk = |container: Value| mk_pod("a", "new", false, container);

    let event = mk_event("a", "FailedMount", "MountVolume.SetUp failed: timed out", 3);
    let (cause, message) = told(mk(creating()), vec![event]);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(
        message.contains("one waits for a volume: MountVolume"),
        "{message}"
    );

    let event = mk_event("a", "FailedCreatePodSandBox", "no network plugin", 3);
    let (_, message) = told(mk(creating()), vec![event]);
    assert!(
        message.contains("on its node: no network plugin"),
        "{message}"
    );

    let (_, message) = told(mk(creating()), vec![]);
    assert!(
        message.contains("not started by its kubelet on node node"),
        "{message}"
    );

    let mut nowhere = mk(json!({}));
    nowhere["spec"]["nodeName"] = Value::Null;
    let (cause, message) = told(nowhere, vec![]);
    assert_eq!(cause, FailureCause::Unschedulable);
    assert!(message.contains("was given no node"), "{message}");

    let mut evicted = mk(json!({}));
    evicted["status"]["phase"] = json!("Failed");
    evicted["status"]["reason"] = json!("Evicted");
    evicted["status"]["message"] = json!("The node was low on memory.");
    let (_, message) = told(evicted, vec![]);
    assert!(
        message.contains("Evicted: The node was low on memory"),
        "{message}"
    );

    let mut prepared = mk(waiting("PodInitializing", ""));
    prepared["spec"]["initContainers"] = json!([{"name": "migrate"}]);
    prepared["status"]["initContainerStatuses"] = json!([{
        "name": "migrate", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"running": {}},
    }]);
    let (_, message) = told(prepared, vec![]);
    assert!(
        message.contains("waits for its init container migrate"),
        "{message}"
    );
}

#[test]
fn a_liveness_probe_is_the_cause_of_its_restarts() {
    let pod = mk_pod(
        "a",
        "new",
        false,
        crashed(3, json!({"exitCode": 137, "reason": "Error"})),
    );
    let mut workload = mk_workload(vec![pod]);
    assert_eq!(failure(&workload, 60).0, FailureCause::CrashLoop);
    workload.events = vec![mk_event(
        "a",
        "Unhealthy",
        "Liveness probe failed: Get \"http://10.0.0.1/\": connect: connection refused",
        3,
    )];
    let (cause, message) = failure(&workload, 60);
    assert_eq!(cause, FailureCause::Probe);
    assert!(
        message.contains("did not pass its liveness probe: connection refused"),
        "{message}"
    );
    // A program that ends well when it is told to was ended all the same.
    let pod = mk_pod(
        "a",
        "new",
        false,
        crashed(3, json!({"exitCode": 0, "reason": "Completed"})),
    );
    let killing = mk_event(
        "a",
        "Killing",
        "Container app failed liveness probe, will be restarted",
        3,
    );
    let events = std::mem::take(&mut workload.events);
    workload = mk_workload(vec![pod]);
    assert_eq!(failure(&workload, 60).0, FailureCause::CrashLoop);
    workload.events = events;
    workload.events.push(killing);
    assert_eq!(failure(&workload, 60).0, FailureCause::Probe);
}

#[test]
fn a_claim_that_is_not_there_is_named_at_once() {
    let pod =
        mk_unplaced("0/1 nodes are available: persistentvolumeclaim \"data\" not found. not found");
    let workload = mk_workload(vec![pod]);
    let (cause, message) = failure(&workload, 5);
    assert_eq!(cause, FailureCause::ConfigMissing);
    assert!(message.ends_with("claim \"data\" not found"), "{message}");
}

#[test]
fn a_selector_that_no_node_has_does_not_wait_for_room() {
    let pod = mk_unplaced(
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate",
    );
    let workload = mk_workload(vec![pod, mk_ending()]);
    assert_eq!(failure(&workload, 10).0, FailureCause::Unschedulable);
}

#[test]
fn a_volume_that_has_to_be_made_is_given_two_minutes() {
    let pod = mk_unplaced(
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
    );
    let workload = mk_workload(vec![pod]);
    assert!(is_progressing(&workload, 119));
    let (cause, message) = failure(&workload, 120);
    assert_eq!(cause, FailureCause::Unschedulable);
    assert!(
        message.contains("unbound immediate PersistentVolumeClaims"),
        "{message}"
    );
}
