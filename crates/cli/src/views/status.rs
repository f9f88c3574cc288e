//! What runs now.

use std::fmt::Write as _;

use hermez_api::{
    ContainerLogLine, DeployState, KubernetesEvent, PodStatus, Workload, WorkloadLock,
    WorkloadStatus, WorkloadSummary,
};

use super::workload::category;
use super::{Page, cut, dash, deploy, health, rollouts, rules, run, short};
use crate::print::{cell, printable_log};

/// A workload's live status with its lock and `events` of its newest events.
pub fn show(
    workload: &Workload,
    status: &WorkloadStatus,
    lock: Option<&WorkloadLock>,
    events: usize,
    page: &Page,
) -> String {
    let summary = &workload.summary;
    let mut text = format!(
        "{}  {}: {}\n{}, {}, project {}, namespace {}\n\n",
        cell(&summary.name),
        health(status.health),
        cell(&status.reason),
        cell(&summary.workload_type),
        category(summary.category),
        cell(&summary.project),
        cell(&summary.namespace),
    );
    let mut facts = rollout(workload, status, page);
    facts.extend(lock.map(|lock| ("Locked", rules::lock(lock, page))));
    text.push_str(&page.facts(&facts));
    if !status.pods.is_empty() {
        text.push('\n');
        text.push_str(&pods(&status.pods, page));
        text.push('\n');
        text.push_str(&containers(&status.pods, page));
    }
    if !status.events.is_empty() && events > 0 {
        text.push('\n');
        text.push_str(&event_table(&status.events, events, page));
    }
    text
}

/// What runs though no deploy of it has succeeded: the commit that the cluster was told to run, where
/// its deploy was canceled, or where all pods that are ready are of it. Until then, what ran before
/// still takes the traffic.
fn left_behind(summary: &WorkloadSummary, status: &WorkloadStatus) -> Option<String> {
    let latest = summary.latest_deploy.as_ref()?;
    let told = status.commit.as_deref()?;
    let current = summary.current.as_ref();
    if !latest.state.is_over() || current.is_some_and(|current| current.commit == told) {
        return None;
    }
    let its_own = latest.commit == told;
    let canceled = its_own && latest.state == DeployState::Canceled;
    let alone = status.pods_ready > 0 && status.pods_ready == status.pods_updated_ready;
    let text = if its_own {
        let (title, state) = (cut(&latest.title, 60), deploy::state(latest.state));
        format!("{} {title} (deploy {}, {state})", short(told), latest.id)
    } else {
        format!("{} (an earlier deploy, which did not succeed)", short(told))
    };
    (canceled || alone).then_some(text)
}

fn rollout(
    workload: &Workload,
    status: &WorkloadStatus,
    page: &Page,
) -> Vec<(&'static str, String)> {
    let summary = &workload.summary;
    let mut facts = Vec::new();
    let current = summary.current.as_ref().map(|current| {
        format!(
            "{} {} (deploy {} by {}, {})",
            short(&current.commit),
            cut(&current.title, 60),
            current.id,
            current.requested_by,
            page.ago(current.finished_at.unwrap_or(current.created_at))
        )
    });
    match left_behind(summary, status) {
        Some(left) => {
            facts.push(("Runs", left));
            facts.push(("Last good", current.unwrap_or_else(dash)));
        }
        None => facts.push((
            "Runs",
            current.unwrap_or_else(|| "nothing yet: `hermez deploy COMMIT --watch`".to_owned()),
        )),
    }
    if let Some(latest) = &summary.latest_deploy
        && summary
            .current
            .as_ref()
            .is_none_or(|current| current.id != latest.id)
    {
        facts.push((
            "Latest",
            format!(
                "deploy {} of {} {}",
                latest.id,
                short(&latest.commit),
                deploy::told(latest)
            ),
        ));
    }
    if let Some(schedule) = &status.schedule {
        facts.push(("Schedule", run::schedule(schedule, page)));
        if let Some(latest) = &schedule.latest_run {
            let name = run::sentence(latest, page);
            facts.push(("Last run", name));
        }
    }
    if let Some(bad) = &summary.bad {
        facts.push(("Bad", rollouts::bad(bad, page)));
    }
    if let Some(pin) = &summary.pin {
        facts.push(("Pinned", rollouts::pin(pin, page)));
    }
    facts.push((
        "Pods",
        format!(
            "running {}, ready {}, desired {}  {}",
            status.pods_running,
            status.pods_ready,
            status.pods_desired,
            bar(status.pods_ready, status.pods_desired)
        ),
    ));
    let is_behind = status.pods_updated < status.pods_desired
        || status.pods_updated_ready < status.pods_updated;
    if is_behind && status.schedule.is_none() {
        facts.push((
            "Rollout",
            format!(
                "{} of {} pods are of the newest version, {} of them ready",
                status.pods_updated, status.pods_desired, status.pods_updated_ready
            ),
        ));
    }
    if let Some(url) = status.url.as_ref().or(workload.url.as_ref()) {
        facts.push(("Answers at", url.clone()));
    }
    facts
}

/// `[#####-----] 50%`; no blanks, because cells are trimmed of them.
fn bar(done: i32, of: i32) -> String {
    const CELLS: usize = 20;
    if of <= 0 {
        return String::new();
    }
    let (done, of) = (
        done.clamp(0, of).unsigned_abs() as usize,
        of.unsigned_abs() as usize,
    );
    let filled = done * CELLS / of;
    format!(
        "[{}{}] {}%",
        "#".repeat(filled),
        "-".repeat(CELLS - filled),
        done * 100 / of
    )
}

fn pods(pods: &[PodStatus], page: &Page) -> String {
    let rows = pods.iter().map(|pod| {
        let ready = pod
            .containers
            .iter()
            .filter(|container| !container.init && container.ready);
        let all = pod.containers.iter().filter(|container| !container.init);
        vec![
            cell(&pod.name),
            page.ago_or_dash(pod.started_at),
            cell(&pod.status),
            format!("{}/{}", ready.count(), all.count()),
            pod.restarts.to_string(),
            if pod.updated { "new" } else { "old" }.to_owned(),
            pod.node.as_deref().map_or_else(dash, cell),
            pod.message
                .as_deref()
                .map_or_else(String::new, |message| cut(message, 80)),
        ]
    });
    let header = [
        "pod", "started", "status", "ready", "restarts", "version", "node", "message",
    ];
    page.table(&header, &["node", "started"], rows.collect())
}

fn containers(pods: &[PodStatus], page: &Page) -> String {
    let rows = pods.iter().flat_map(|pod| {
        pod.containers.iter().map(|container| {
            let reason = container
                .reason
                .as_deref()
                .map(|reason| format!(" ({})", cell(reason)));
            let exit = container.exit_code.filter(|code| *code != 0);
            vec![
                cell(&pod.name),
                cell(&container.name) + if container.init { " (init)" } else { "" },
                cell(&container.state) + &reason.unwrap_or_default(),
                container.restarts.to_string(),
                exit.map_or_else(dash, |code| code.to_string()),
                image(&container.image),
                container
                    .message
                    .as_deref()
                    .map_or_else(String::new, |message| cut(message, 80)),
            ]
        })
    });
    let header = [
        "pod",
        "container",
        "state",
        "restarts",
        "exit",
        "image",
        "message",
    ];
    page.table(&header, &["image"], rows.collect())
}

/// An image with its digest cut to what tells it apart.
fn image(reference: &str) -> String {
    let reference = cell(reference);
    match reference.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.chars().take(12).collect::<String>()),
        None => reference,
    }
}

fn event_table(events: &[KubernetesEvent], most: usize, page: &Page) -> String {
    let rows = events.iter().take(most).map(|event| {
        vec![
            page.ago_or_dash(event.at),
            cell(&event.kind),
            cell(&event.reason),
            cell(&event.object),
            event.count.to_string(),
            cut(&event.message, 120),
        ]
    });
    let header = ["event", "type", "reason", "object", "count", "message"];
    let mut text = page.table(&header, &["count", "type"], rows.collect());
    if events.len() > most {
        let _ = writeln!(
            text,
            "({most} of {} events shown: --events N)",
            events.len()
        );
    }
    text
}

/// One line for each change, for `--watch`.
pub fn watch_line(status: &WorkloadStatus, page: &Page) -> String {
    format!(
        "{}  {:12}  {}/{} ready  {}",
        page.clock(page.now),
        health(status.health),
        status.pods_ready,
        status.pods_desired,
        cell(&status.reason)
    )
}

/// How lines of logs are printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogStyle {
    /// Pod and container before each line.
    pub prefix: bool,
    /// Time before each line.
    pub timestamps: bool,
}

/// One line of a container's log.
pub fn log_line(line: &ContainerLogLine, workload: &str, style: LogStyle) -> String {
    let mut text = String::new();
    if style.timestamps {
        text.push_str(&line.at.map_or_else(dash, |at| at.to_string()));
        text.push(' ');
    }
    if style.prefix {
        // Most workloads have one container, named as they are: only others are worth the room.
        let pod = cell(&line.pod);
        let container = cell(&line.container);
        if container == workload {
            let _ = write!(text, "[{pod}] ");
        } else {
            let _ = write!(text, "[{pod}/{container}] ");
        }
    }
    text.push_str(&printable_log(&line.text));
    text
}

#[cfg(test)]
pub(super) mod tests {
    use hermez_api::{
        Category, ContainerStatus, DeploySummary, Health, MirrorStatus, WebhookState,
        WorkloadSummary,
    };

    use super::super::deploy::tests::{bad, deploy};
    use super::super::tests::{at, page};
    use super::*;

    pub fn workload() -> Workload {
        Workload {
            summary: WorkloadSummary {
                name: "hello".to_owned(),
                workload_type: "PinterestService".to_owned(),
                category: Category::Production,
                project: "demo".to_owned(),
                namespace: "default".to_owned(),
                repository: "http://127.0.0.1:3000/demo/hello".to_owned(),
                config: "deploy/hello.yaml".to_owned(),
                health: Health::Progressing,
                health_reason: "1 of 2 pods is ready".to_owned(),
                pods_ready: 1,
                pods_desired: 2,
                current: Some(deploy(12)),
                latest_deploy: Some(deploy(13)),
                bad: None,
                pin: None,
            },
            default_branch: "main".to_owned(),
            created_at: at("2026-11-20T11:57:00Z"),
            created_by: "owner".to_owned(),
            url: Some("http://127.0.0.1:31000/".to_owned()),
            mirror: MirrorStatus {
                fetched_at: None,
                error: None,
                webhook: WebhookState::Installed,
                webhook_reason: None,
            },
            auto_deploy: None,
            previews: hermez_api::PreviewSettings::default(),
            version: 1,
        }
    }

    fn pod(name: &str, ready: bool) -> PodStatus {
        PodStatus {
            name: name.to_owned(),
            started_at: Some(at("2026-11-23T11:58:00Z")),
            status: if ready { "Running" } else { "CrashLoopBackOff" }.to_owned(),
            message: (!ready).then(|| "exited with code 1".to_owned()),
            ready,
            updated: !ready,
            restarts: i32::from(!ready) * 3,
            node: Some("node-1".to_owned()),
            containers: vec![ContainerStatus {
                name: "hello".to_owned(),
                image: "127.0.0.1:5000/hermez/hello/hello@sha256:0123456789abcdef".to_owned(),
                init: false,
                state: if ready { "running" } else { "waiting" }.to_owned(),
                reason: (!ready).then(|| "CrashLoopBackOff".to_owned()),
                message: None,
                ready,
                restarts: i32::from(!ready) * 3,
                exit_code: (!ready).then_some(1),
                started_at: None,
            }],
        }
    }

    fn status() -> WorkloadStatus {
        WorkloadStatus {
            health: Health::Progressing,
            reason: "1 of 2 pods is ready".to_owned(),
            pods_desired: 2,
            pods_running: 1,
            pods_ready: 1,
            pods_updated_ready: 0,
            pods_updated: 1,
            commit: None,
            url: None,
            pods: vec![pod("hello-b", false), pod("hello-a", true)],
            events: vec![KubernetesEvent {
                at: Some(at("2026-11-23T11:59:00Z")),
                kind: "Warning".to_owned(),
                reason: "BackOff".to_owned(),
                object: "Pod/hello-b".to_owned(),
                message: "Back-off restarting failed container".to_owned(),
                count: 3,
            }],
            schedule: None,
        }
    }

    #[test]
    fn a_status_shows_pods_containers_rollout_and_events() {
        let status = status();
        insta::assert_snapshot!(show(&workload(), &status, None, 10, &page()));
    }

    #[test]
    fn a_status_says_that_what_runs_is_marked_as_bad() {
        let mut workload = workload();
        workload.summary.bad = Some(bad());
        let text = show(&workload, &status(), None, 0, &page());
        let line = text.lines().find(|line| line.starts_with("Bad")).unwrap();
        assert!(
            line.contains("marked by ada 30 min ago") && line.ends_with("it crashes"),
            "{text}"
        );
    }

    #[test]
    fn what_a_canceled_deploy_left_is_what_runs() {
        let mut workload = workload();
        let mut latest = deploy(13);
        latest.state = DeployState::Canceled;
        latest.commit = "884f037".repeat(6).chars().take(40).collect();
        let told = Some(latest.commit.clone());
        workload.summary.latest_deploy = Some(latest);
        let mut status = status();
        status.commit = told;
        let text = show(&workload, &status, None, 0, &page());
        let runs = text.lines().find(|line| line.starts_with("Runs")).unwrap();
        assert!(
            runs.contains("884f037") && runs.contains("deploy 13, canceled"),
            "{text}"
        );
        assert!(text.contains("Last good   95f6178"), "{text}");
        let lock = WorkloadLock {
            by: "ada".to_owned(),
            at: at("2026-11-23T11:59:00Z"),
            until: None,
            reason: "the fair".to_owned(),
        };
        let text = show(&workload, &status, Some(&lock), 0, &page());
        assert!(
            text.contains("Locked") && text.contains("the fair"),
            "{text}"
        );
        // Its commit was never written.
        status.commit = None;
        let text = show(&workload, &status, None, 0, &page());
        assert!(!text.contains("Last good"), "{text}");
    }

    #[test]
    fn what_failed_runs_once_every_ready_pod_is_of_it() {
        let mut workload = workload();
        let mut latest = deploy(13);
        latest.state = DeployState::Failed;
        latest.commit = "884f037".repeat(6).chars().take(40).collect();
        let mut status = status();
        status.commit = Some(latest.commit.clone());
        workload.summary.latest_deploy = Some(latest);
        let runs = |workload: &Workload, status: &WorkloadStatus| {
            let text = show(workload, status, None, 0, &page());
            let mut lines = text.lines();
            lines
                .find(|line| line.starts_with("Runs"))
                .map(str::to_owned)
                .unwrap()
        };
        let before = runs(&workload, &status);
        assert!(
            before.contains("95f6178"),
            "the old pod is the one that is ready: {before}"
        );
        status.pods_updated_ready = 1;
        let after = runs(&workload, &status);
        assert!(
            after.contains("884f037") && after.contains("deploy 13, failed"),
            "{after}"
        );
        // The newest deploy never came as far as the cluster.
        workload.summary.latest_deploy = Some(DeploySummary {
            state: DeployState::Failed,
            commit: "1234567".repeat(6),
            ..deploy(14)
        });
        let earlier = runs(&workload, &status);
        assert!(
            earlier.contains("884f037") && earlier.contains("an earlier deploy"),
            "{earlier}"
        );
    }

    #[test]
    fn bars_are_bounded() {
        assert_eq!(bar(1, 2), "[##########----------] 50%");
        assert_eq!(bar(9, 3), "[####################] 100%");
        assert_eq!(bar(0, 0), "");
    }

    #[test]
    fn log_lines_name_the_container_only_where_it_tells_something() {
        let line = |container: &str| ContainerLogLine {
            pod: "hello-a".to_owned(),
            container: container.to_owned(),
            at: Some(at("2026-11-23T11:59:00Z")),
            text: "ready".to_owned(),
        };
        let style = LogStyle {
            prefix: true,
            timestamps: false,
        };
        assert_eq!(log_line(&line("hello"), "hello", style), "[hello-a] ready");
        assert_eq!(
            log_line(&line("proxy"), "hello", style),
            "[hello-a/proxy] ready"
        );
        let style = LogStyle {
            prefix: false,
            timestamps: true,
        };
        assert_eq!(
            log_line(&line("hello"), "hello", style),
            "2026-11-23T11:59:00Z ready"
        );
    }
}
