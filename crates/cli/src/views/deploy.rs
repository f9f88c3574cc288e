//! Deploys and their timelines.

use std::fmt::Write as _;

use hermez_api::{Deploy, DeployEvent, DeployKind, DeployState, DeploySummary, Page as List};

use jiff::Timestamp;

use super::{Page, cut, dash, duration, more, short};
use crate::print::cell;

/// A state in words.
pub fn state(state: DeployState) -> &'static str {
    match state {
        DeployState::Pending => "pending",
        DeployState::Building => "building",
        DeployState::Queued => "queued",
        DeployState::Canary => "canary",
        DeployState::Applying => "applying",
        DeployState::RollingOut => "rolling out",
        DeployState::Verifying => "verifying",
        DeployState::Succeeded => "succeeded",
        DeployState::Failed => "failed",
        DeployState::Canceled => "canceled",
        DeployState::Superseded => "superseded",
    }
}

/// A deploy's state with what it says of it; the state's word stands once.
pub fn told(deploy: &DeploySummary) -> String {
    let word = state(deploy.state);
    match deploy.message.strip_prefix(word) {
        Some(rest) if !rest.starts_with(char::is_alphanumeric) => deploy.message.clone(),
        _ => format!("{word}: {}", deploy.message),
    }
}

/// A kind in words.
pub fn kind(kind: DeployKind) -> &'static str {
    match kind {
        DeployKind::Regular => "regular",
        DeployKind::Rollback => "rollback",
        DeployKind::Restart => "restart",
        DeployKind::Hotfix => "hotfix",
    }
}

/// What a deploy does: its kind, or the pull request that it brings out.
pub fn what(deploy: &DeploySummary) -> String {
    match deploy.pull_request {
        Some(number) => format!("pr {number}"),
        None => kind(deploy.kind).to_owned(),
    }
}

/// The table of deploys that some filter lets through.
pub fn found(deploys: &List<DeploySummary>, page: &Page) -> String {
    if deploys.items.is_empty() {
        return "No deploy is as these filters say.\n".to_owned();
    }
    list(deploys, page)
}

/// The table of deploys.
pub fn list(deploys: &List<DeploySummary>, page: &Page) -> String {
    if deploys.items.is_empty() {
        return "No deploys. Start one with `hermez deploy COMMIT --watch`.\n".to_owned();
    }
    let rows = deploys.items.iter().map(|deploy| {
        vec![
            deploy.id.to_string(),
            cell(&deploy.workload),
            what(deploy),
            state(deploy.state).to_owned(),
            short(&deploy.commit),
            cut(&deploy.title, 40),
            cut(&deploy.requested_by, 20),
            page.ago(deploy.created_at),
            page.took(Some(deploy.created_at), deploy.finished_at),
            cut(&deploy.message, 60),
        ]
    });
    let header = [
        "deploy", "workload", "kind", "state", "commit", "title", "by", "asked", "took", "message",
    ];
    let workloads = deploys.items.iter().map(|deploy| &deploy.workload);
    let may_go: &[&str] = if workloads.clone().min() == workloads.max() {
        &["workload", "message", "took", "by"]
    } else {
        &["message", "took", "by"]
    };
    page.table(&header, may_go, rows.collect()) + &more(deploys)
}

/// One deploy with its timeline.
pub fn show(deploy: &Deploy, page: &Page) -> String {
    let summary = &deploy.summary;
    let mut facts = vec![
        ("Deploy", summary.id.to_string()),
        ("Workload", summary.workload.clone()),
        ("State", told(summary)),
    ];
    if let Some(cause) = &deploy.failure_cause {
        facts.push(("Cause", cause.clone()));
    }
    if let Some(hint) = &deploy.hint {
        facts.push(("Hint", hint.clone()));
    }
    if summary.state == DeployState::Failed {
        facts.push(("Receipt", format!("hermez receipt {}", summary.id)));
    }
    facts.extend([
        (
            "Commit",
            format!("{} {}", summary.commit, cut(&summary.title, 72)),
        ),
        ("Author", summary.author.clone()),
        (
            "Asked",
            format!(
                "{} by {}",
                page.date(summary.created_at),
                summary.requested_by
            ),
        ),
        ("Reason", summary.reason.clone().unwrap_or_else(dash)),
        (
            "Took",
            page.took(Some(summary.created_at), summary.finished_at),
        ),
        (
            "Pods",
            format!("{} of {} ready", summary.pods_ready, summary.pods_desired),
        ),
        (
            "Build",
            deploy.build_id.map_or_else(dash, |id| id.to_string()),
        ),
    ]);
    facts.extend(of_rollback(deploy));
    if let Some(number) = summary.pull_request {
        facts.push(("Pull request", format!("{number}, as a preview")));
    }
    if summary.kind == DeployKind::Restart {
        facts.push(("Restarts", "the pods; the version stays".to_owned()));
    }
    if let Some(hotfix) = &deploy.hotfix {
        let picked: Vec<String> = hotfix.commits.iter().map(|id| short(id)).collect();
        facts.push((
            "Hotfix",
            format!(
                "{} on deploy {} of {}, pushed as {}",
                picked.join(", "),
                hotfix.base_deploy,
                short(&hotfix.base_commit),
                hotfix.branch
            ),
        ));
    }
    if let Some(held) = &summary.held {
        facts.extend(super::rules::held(held, page));
    }
    if let Some(by) = &summary.paused_by {
        facts.push(("Held by", by.clone()));
    }
    if let Some(bad) = &deploy.bad {
        facts.push(("Bad", super::rollouts::bad(bad, page)));
    }
    if let Some(why) = &deploy.override_reason {
        facts.push(("Bad overridden", why.clone()));
    }
    for image in &deploy.images {
        facts.push(("Image", image.reference.clone()));
    }
    let mut text = page.facts(&facts);
    text.push('\n');
    let mut timeline = Timeline::default();
    for event in &deploy.timeline {
        text.push_str(&timeline.line(event, page));
        text.push('\n');
    }
    text
}

/// What a rollback leaves and brings back, and the revert of what it left.
fn of_rollback(deploy: &Deploy) -> Vec<(&'static str, String)> {
    let (DeployKind::Rollback, Some(of)) = (deploy.summary.kind, deploy.of_deploy) else {
        return Vec::new();
    };
    let from = deploy.left_deploy;
    let from = from.map_or_else(String::new, |left| format!(", from deploy {left}"));
    let revert = match &deploy.revert {
        Some(revert) => format!("pull request {}, {}", revert.pull_request, revert.url),
        None => format!("not proposed yet: hermez revert {}", deploy.summary.id),
    };
    vec![
        ("Rolls back to", format!("deploy {of}{from}")),
        ("Revert", revert),
    ]
}

/// A timeline, entry by entry: where a state ends, the line says how long it took.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The state that goes on, and since when.
    goes_on: Option<(DeployState, Timestamp)>,
}

impl Timeline {
    /// The line of the next entry.
    pub fn line(&mut self, event: &DeployEvent, page: &Page) -> String {
        let mut line = format!(
            "{}  {:11}  {}",
            page.clock(event.at),
            state(event.state),
            cell(&event.message)
        );
        match self.goes_on {
            Some((before, since)) if before != event.state => {
                let took = duration(event.at.duration_since(since));
                let _ = write!(line, "  ({} took {took})", state(before));
                self.goes_on = Some((event.state, event.at));
            }
            Some(_) => {}
            None => self.goes_on = Some((event.state, event.at)),
        }
        line
    }
}

/// How a deploy that was watched ended well.
pub fn success(deploy: &Deploy, url: Option<&str>, page: &Page) -> String {
    let summary = &deploy.summary;
    let whose = match summary.pull_request {
        Some(number) => format!("The preview of pull request {number} of "),
        None => String::new(),
    };
    let mut text = format!(
        "{whose}{} runs {} (deploy {}, {})",
        cell(&summary.workload),
        short(&summary.commit),
        summary.id,
        page.took(Some(summary.created_at), summary.finished_at)
    );
    if let Some(url) = url.filter(|_| summary.pods_desired > 0) {
        let _ = write!(text, "\nIt answers at {}", cell(url));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use hermez_api::ArtifactImage;

    use super::super::tests::{at, page};
    use super::*;

    /// A deploy that succeeded.
    pub fn deploy(id: i64) -> DeploySummary {
        DeploySummary {
            id,
            workload: "hello".to_owned(),
            kind: DeployKind::Regular,
            state: DeployState::Succeeded,
            commit: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            title: "Greet in Greek".to_owned(),
            author: "Jane Doe".to_owned(),
            requested_by: "owner".to_owned(),
            reason: None,
            created_at: at("2026-11-23T11:57:00Z"),
            started_at: Some(at("2026-11-23T11:57:10Z")),
            finished_at: Some(at("2026-11-23T11:57:14.2Z")),
            message: "3 of 3 pods are ready".to_owned(),
            pods_ready: 3,
            pods_desired: 3,
            paused_by: None,
            held: None,
            pull_request: None,
        }
    }

    pub fn bad() -> hermez_api::BadArtifact {
        hermez_api::BadArtifact {
            digest: "sha256:00".to_owned(),
            workload: "other".to_owned(),
            deploy_id: 9,
            commit: "95f6178".repeat(6).chars().take(40).collect(),
            reason: "it crashes".to_owned(),
            by: "ada".to_owned(),
            at: at("2026-11-23T11:30:00Z"),
        }
    }

    fn failed() -> Deploy {
        let mut summary = deploy(13);
        summary.state = DeployState::Failed;
        "2 of 3 pods are ready; the third cannot pull its image".clone_into(&mut summary.message);
        let event = |seq, time: &str, state, message: &str| DeployEvent {
            seq,
            at: at(time),
            state,
            message: message.to_owned(),
            pod: None,
        };
        Deploy {
            plan: None,
            hotfix: None,
            summary,
            build_id: Some(4),
            images: vec![ArtifactImage {
                name: "hello".to_owned(),
                reference: "127.0.0.1:5000/hermez/hello/hello@sha256:00".to_owned(),
                built: true,
            }],
            timeline: vec![
                event(
                    1,
                    "2026-11-23T11:57:00Z",
                    DeployState::Pending,
                    "Asked for by owner",
                ),
                event(
                    2,
                    "2026-11-23T11:57:11Z",
                    DeployState::RollingOut,
                    "1 of 3 pods is ready",
                ),
            ],
            stretches: Vec::new(),
            failure_cause: Some("image_pull".to_owned()),
            hint: Some("Check that the registry still has the image.".to_owned()),
            of_deploy: None,
            left_deploy: None,
            revert: None,
            manifest: None,
            override_reason: None,
            bad: None,
        }
    }

    #[test]
    fn deploys_stand_in_a_table() {
        let deploys = List {
            items: vec![failed().summary, deploy(12)],
            next_cursor: None,
        };
        insta::assert_snapshot!(list(&deploys, &page()));
    }

    #[test]
    fn what_tells_deploys_apart_stays_whole_on_a_narrow_screen() {
        let mut deploys = List {
            items: vec![failed().summary, deploy(12)],
            next_cursor: None,
        };
        let look = |deploys: &List<DeploySummary>, width: u16| {
            let page = Page {
                width: Some(width),
                ..page()
            };
            let text = list(deploys, &page);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(width)), "{text}");
            for word in ["95f6178", "succeeded", "STATE"] {
                assert!(text.contains(word), "{text}");
            }
            text
        };
        for width in [80, 60] {
            let text = look(&deploys, width);
            assert!(!text.contains("WORKLOAD"), "{text}");
        }
        "other".clone_into(&mut deploys.items[1].workload);
        for width in [80, 60] {
            let text = look(&deploys, width);
            assert!(text.contains("WORKLOAD"), "{text}");
        }
    }

    #[test]
    fn a_failed_deploy_says_why_and_what_next() {
        insta::assert_snapshot!(show(&failed(), &page()));
    }

    #[test]
    fn a_state_is_named_once() {
        let mut deploy = deploy(13);
        assert_eq!(told(&deploy), "succeeded: 3 of 3 pods are ready");
        deploy.state = DeployState::Canceled;
        for message in [
            "canceled before anything was changed in the cluster",
            "canceled; the canary is taken away, what ran before stays",
        ] {
            message.clone_into(&mut deploy.message);
            assert_eq!(told(&deploy), message);
        }
        "rejected by eve: not today".clone_into(&mut deploy.message);
        assert_eq!(told(&deploy), "canceled: rejected by eve: not today");
    }

    #[test]
    fn a_watched_deploy_ends_with_where_it_answers() {
        let mut deploy = failed();
        deploy.summary.state = DeployState::Succeeded;
        assert_eq!(
            success(&deploy, Some("http://127.0.0.1:31000/"), &page()),
            "hello runs 95f6178 (deploy 13, 14.2 s)\nIt answers at http://127.0.0.1:31000/"
        );
        deploy.summary.pods_desired = 0;
        let nobody_answers = success(&deploy, Some("http://127.0.0.1:31000/"), &page());
        assert_eq!(nobody_answers, "hello runs 95f6178 (deploy 13, 14.2 s)");
    }
}
