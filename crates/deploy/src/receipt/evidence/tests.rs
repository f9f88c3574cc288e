//! What stands in a receipt, and what does not.

use hermez_api::{ContainerStatus, Health};

use super::*;

fn mk_line(text: impl Into<String>) -> ReceiptLine {
    ReceiptLine {
        at: None,
        text: text.into(),
    }
}

fn mk_container(name: &str, reason: Option<&str>, exit_code: Option<i32>) -> ContainerStatus {
    ContainerStatus {
        name: name.into(),
        image: "i".into(),
        init: false,
        state: "running".into(),
        reason: reason.map(str::to_owned),
        message: None,
        ready: false,
        restarts: 1,
        exit_code,
        started_at: None,
    }
}

fn mk_status(pods: Vec<(&str, bool, Vec<ContainerStatus>)>) -> WorkloadStatus {
    let pods = pods
        .into_iter()
        .map(|(name, updated, containers)| PodStatus {
            name: name.into(),
            started_at: None,
            status: "Running".into(),
            message: None,
            ready: false,
            updated,
            restarts: 0,
            node: None,
            containers,
        });
    WorkloadStatus {
        health: Health::Degraded,
        reason: String::new(),
        pods_desired: 1,
        pods_running: 0,
        pods_ready: 0,
        pods_updated_ready: 0,
        pods_updated: 1,
        commit: None,
        url: None,
        pods: pods.collect(),
        events: Vec::new(),
        schedule: None,
    }
}

fn mk_evidence() -> Evidence {
    Evidence {
        gathered_at: Timestamp::UNIX_EPOCH,
        took_ms: 1,
        cause: "crash_loop".into(),
        sentence: "The pod crashes".into(),
        next_step: "Mend it.".into(),
        containers: Vec::new(),
        build_lines: Vec::new(),
        events: Vec::new(),
        compared_with: None,
        manifest_diff: String::new(),
        images: Vec::new(),
        coming: Vec::new(),
        leaving: Vec::new(),
        more_commits: false,
        rollback: None,
        missing: Vec::new(),
    }
}

#[test]
fn the_last_lines_are_kept_and_each_is_bounded() {
    let lines: Vec<_> = (0..80).map(|n| mk_line(format!("line {n}"))).collect();
    let kept = last_lines(&lines, &Masks::default());
    assert_eq!(kept.len(), MAX_LINES);
    assert_eq!(kept[0].text, "line 30");
    assert_eq!(kept[49].text, "line 79");

    let long = vec![mk_line("é".repeat(10_000)); 40];
    let kept = last_lines(&long, &Masks::default());
    assert!(kept.iter().all(|line| line.text.len() <= LINE_BYTES + 4));
    let bytes: usize = kept.iter().map(|line| line.text.len()).sum();
    assert!(bytes <= CONTAINER_BYTES && !kept.is_empty(), "{bytes}");
}

#[test]
fn a_secret_at_the_cut_is_masked_whole() {
    let text = format!("{} password=hunter2", "x".repeat(LINE_BYTES - 15));
    let kept = last_lines(&[mk_line(text)], &Masks::default());
    assert!(!kept[0].text.contains("hunt"), "{}", kept[0].text);
}

#[test]
fn what_fails_of_the_new_version_is_chosen() {
    let crash = |name| mk_container(name, Some("CrashLoopBackOff"), Some(3));
    let runs = || mk_container("proxy", None, None);
    let waits = || mk_container("late", Some("PodInitializing"), None);
    let status = mk_status(vec![
        ("old", false, vec![crash("app")]),
        ("a", true, vec![runs(), crash("app"), waits()]),
        ("b", true, vec![crash("app")]),
        ("c", true, vec![crash("app")]),
    ]);
    let names: Vec<_> = failing(&status)
        .into_iter()
        .map(|it| format!("{}/{}", it.pod, it.container))
        .collect();
    assert_eq!(names, ["a/app", "b/app", "a/proxy"]);
}

#[test]
fn events_of_the_deploy_are_kept_without_secrets() {
    let at = |second| Timestamp::from_second(second).ok();
    let event = |second, message: &str| KubernetesEvent {
        at: at(second),
        kind: "Warning".into(),
        reason: "Unhealthy".into(),
        object: "Pod/a".into(),
        message: message.into(),
        count: 1,
    };
    let events = vec![event(200, "answered token=abc"), event(99, "before")];
    let since = Timestamp::from_millisecond(100_700).unwrap();
    let kept = events_since(events, since, &Masks::default());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].message, "answered token=***");
    let refused = |pod: &str| event(200, &format!("pods \"{pod}\" is forbidden: exceeded quota"));
    let refused = events_since(
        vec![refused("b"), refused("a"), event(200, "pods")],
        since,
        &Masks::default(),
    );
    assert_eq!(refused.len(), 2);
    assert!(refused[0].message.contains("\"b\""), "the newest one's");
    assert_eq!(refused[0].count, 2);
    let many = (0..500).map(|n| event(200, &n.to_string())).collect();
    assert_eq!(
        events_since(many, since, &Masks::default()).len(),
        MAX_EVENTS
    );
}

#[test]
fn a_receipt_never_exceeds_its_bound() {
    let small = mk_evidence();
    assert_eq!(fit(small.clone()), small, "what fits stays");

    let mut large = mk_evidence();
    large.manifest_diff = "\u{1}".repeat(64 * 1024);
    let lines = vec![mk_line("\u{1}".repeat(1024)); 50];
    large.build_lines.clone_from(&lines);
    large.containers = vec![
        FailedContainer {
            pod: "a".into(),
            container: "app".into(),
            gone: true,
            state: "Error".into(),
            message: Some("m".repeat(1024)),
            exit_code: Some(1),
            restarts: 9,
            lines,
        };
        MAX_CONTAINERS
    ];
    large.missing = vec!["x".repeat(10_000); 100];
    let fitted = fit(large);
    let size = serde_json::to_vec(&fitted).unwrap().len();
    assert!(size <= MAX_BYTES, "{size}");
    assert_eq!(fitted.sentence, "The pod crashes");
    assert!(fitted.missing.last().unwrap().contains("256 KiB"));
    assert!(!fitted.containers.is_empty());
}

#[test]
fn there_is_always_a_next_step() {
    assert_eq!(
        next_step("quota", "hello", Some("ask for less")),
        "Ask for less."
    );
    for cause in ["build", "cluster", "admission", "deadline", "something new"] {
        assert!(next_step(cause, "hello", None).len() > 10, "{cause}");
    }
    assert_eq!(
        next_step("deadline", "hello", None),
        "Look at the pods and their events: hermez status hello"
    );
}
