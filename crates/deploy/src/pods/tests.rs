use super::*;

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A pod that started at that second.
fn mk(name: &str, updated: bool, started: i64) -> PodStatus {
    PodStatus {
        name: name.to_owned(),
        started_at: Some(second(started)),
        status: "Running".to_owned(),
        message: None,
        ready: true,
        updated,
        restarts: 0,
        node: Some("n1".to_owned()),
        containers: vec![ContainerStatus {
            name: "app".to_owned(),
            image: "r/app@sha256:1".to_owned(),
            init: false,
            state: "running".to_owned(),
            reason: None,
            message: None,
            ready: true,
            restarts: 0,
            exit_code: None,
            started_at: Some(second(started)),
        }],
    }
}

fn starting(name: &str) -> PodStatus {
    PodStatus {
        ready: false,
        node: None,
        started_at: None,
        status: "Pending".to_owned(),
        ..mk(name, true, 0)
    }
}

/// A rollout that is looked at again and again.
#[derive(Default)]
struct Rollout {
    told: HashSet<String>,
    before: BTreeSet<Pod>,
}

impl Rollout {
    fn look(&mut self, pods: &[PodStatus], now: i64) -> Vec<String> {
        let news = news(&self.told, &self.before, pods, second(0), second(now));
        self.told.extend(news.iter().map(|event| event.key.clone()));
        self.before = pods.iter().map(pod_id).collect();
        news.into_iter().map(|event| event.message).collect()
    }

    /// What another server sees: it has the timeline, and not the look before.
    fn after_restart(self) -> Self {
        Self {
            told: self.told,
            before: BTreeSet::new(),
        }
    }
}

#[test]
fn old_and_new_pods_come_and_go_in_order() {
    let mut rollout = Rollout::default();
    let old = mk("old", false, -900);
    assert!(rollout.look(&[starting("new"), old.clone()], 1).is_empty());
    let placed = PodStatus {
        node: Some("n2".to_owned()),
        ..starting("new")
    };
    assert_eq!(
        rollout.look(&[placed, old.clone()], 1),
        ["pod new (new) is scheduled on node n2"]
    );
    let new = mk("new", true, 1);
    assert_eq!(
        rollout.look(&[new.clone(), old.clone()], 4),
        ["pod new (new) is ready, 3 s after its start"]
    );
    assert!(rollout.look(&[new.clone(), old.clone()], 5).is_empty());
    let ends = PodStatus {
        status: "Terminating".to_owned(),
        ..old
    };
    assert_eq!(
        rollout.look(&[new.clone(), ends], 6),
        ["pod old (old) is told to end"]
    );
    // The server was killed here.
    let mut rollout = rollout.after_restart();
    assert_eq!(
        rollout.look(std::slice::from_ref(&new), 8),
        ["pod old (old) is gone"]
    );
    assert!(rollout.look(&[new], 9).is_empty());
}

#[test]
fn a_pod_that_vanishes_between_two_looks_is_gone() {
    let mut rollout = Rollout::default();
    let old = mk("old", false, -900);
    assert!(rollout.look(&[old], 1).is_empty());
    assert_eq!(rollout.look(&[], 2), ["pod old (old) is gone"]);
}

#[test]
fn one_that_was_there_at_first_and_is_not_any_more_was_an_old_one() {
    let names = ["early", "old", "web-0"].map(str::to_owned);
    let pods = [mk("web-0", true, 2), mk("old", false, -900)];
    let gone: Vec<Pod> = gone_early(names.into_iter().collect(), &pods).collect();
    assert_eq!(gone, [(PodVersion::Old, "early".to_owned())]);
}

#[test]
fn pods_that_stay_are_not_told_of() {
    let mut rollout = Rollout::default();
    assert!(rollout.look(&[mk("same", true, -60)], 1).is_empty());
    // One that started as the deploy was written, by a clock that is a little behind.
    assert_eq!(
        rollout
            .look(&[mk("new", true, -2), mk("same", true, -60)], 3)
            .len(),
        2
    );
}

#[test]
fn each_crash_is_told_once_with_its_exit_code() {
    let mut rollout = Rollout::default();
    let mut pod = mk("new", true, 1);
    pod.ready = false;
    pod.containers[0].state = "terminated".to_owned();
    pod.containers[0].exit_code = Some(3);
    assert_eq!(
        rollout.look(&[pod.clone()], 2),
        [
            "pod new (new) is scheduled on node n1",
            "pod new (new) crashed: app ended with exit code 3"
        ]
    );
    // The same end, as it looks while the kubelet waits and when it has started it again.
    pod.containers[0].state = "waiting".to_owned();
    pod.containers[0].reason = Some("CrashLoopBackOff".to_owned());
    pod.containers[0].restarts = 1;
    assert!(rollout.look(&[pod.clone()], 3).is_empty());
    pod.containers[0].state = "running".to_owned();
    assert!(rollout.look(&[pod.clone()], 4).is_empty());
    pod.containers[0].state = "terminated".to_owned();
    assert_eq!(
        rollout.look(&[pod], 5),
        ["pod new (new) crashed: app ended with exit code 3"]
    );
}

#[test]
fn what_keeps_a_pod_from_running_is_said_without_secrets() {
    let mut rollout = Rollout::default();
    let unschedulable = PodStatus {
        message: Some("0/1 nodes are available".to_owned()),
        ..starting("new")
    };
    assert_eq!(
        rollout.look(&[unschedulable], 1),
        ["pod new (new) waits for a node: 0/1 nodes are available"]
    );
    let mut pod = mk("new", true, 1);
    pod.ready = false;
    pod.containers[0].state = "waiting".to_owned();
    pod.containers[0].reason = Some("ImagePullBackOff".to_owned());
    pod.containers[0].message = Some("cannot pull with password=hunter2".to_owned());
    let said = rollout.look(&[pod], 2).join("\n");
    assert!(said.contains("cannot start: ImagePullBackOff"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_stateful_pod_comes_again_under_its_name() {
    let mut rollout = Rollout::default();
    let old = PodStatus {
        status: "Terminating".to_owned(),
        ..mk("web-0", false, -900)
    };
    assert_eq!(rollout.look(&[old], 1), ["pod web-0 (old) is told to end"]);
    assert_eq!(
        rollout.look(&[mk("web-0", true, 2)], 3),
        [
            "pod web-0 (new) is scheduled on node n1",
            "pod web-0 (new) is ready, 1 s after its start",
            "pod web-0 (old) is gone",
        ]
    );
}

#[test]
fn pods_of_one_name_in_several_clusters_are_each_told_of() {
    let mut rollout = Rollout::default();
    let own = mk("web-0", true, 1);
    assert_eq!(rollout.look(std::slice::from_ref(&own), 2).len(), 2);
    let there = |updated, started| PodStatus {
        name: "web-0 in west".to_owned(),
        ..mk("web-0", updated, started)
    };
    let ends = PodStatus {
        status: "Terminating".to_owned(),
        ..there(false, -900)
    };
    assert_eq!(
        rollout.look(&[ends, own.clone()], 3),
        ["pod web-0 in west (old) is told to end"]
    );
    // What was told is read from keys.
    let mut rollout = rollout.after_restart();
    assert_eq!(
        rollout.look(&[there(true, 4), own], 5),
        [
            "pod web-0 in west (new) is scheduled on node n1",
            "pod web-0 in west (new) is ready, 1 s after its start",
            "pod web-0 in west (old) is gone",
        ]
    );
}
