//! Workloads, plans and commits.

use std::fmt::Write as _;

use hermez_api::{
    ArtifactStatus, Category, Commit, Page as List, WebhookState, Workload, WorkloadPlan,
    WorkloadSummary,
};

use super::{Page, cut, dash, health, more, rollouts, short};
use crate::print::cell;

/// A category as the API writes it.
pub fn category(category: Category) -> &'static str {
    match category {
        Category::Production => "Production",
        Category::NonProduction => "Non-Production",
    }
}

/// The table of workloads.
pub fn list(workloads: &List<WorkloadSummary>, page: &Page) -> String {
    if workloads.items.is_empty() {
        return "No workloads. Create one with `hermez workload create --repository URL --config PATH`.\n"
            .to_owned();
    }
    let rows = workloads.items.iter().map(|w| {
        vec![
            category(w.category).to_owned(),
            cell(&w.name),
            cell(&w.workload_type),
            cell(&w.project),
            health(w.health).to_owned(),
            format!("{}/{}", w.pods_ready, w.pods_desired),
            runs(w),
            page.ago_or_dash(w.latest_deploy.as_ref().map(|deploy| deploy.created_at)),
        ]
    });
    let header = [
        "category",
        "workload",
        "type",
        "project",
        "health",
        "ready",
        "commit",
        "last deploy",
    ];
    page.table(&header, &["type", "project", "category"], rows.collect()) + &more(workloads)
}

/// The commit that runs, and whether it is marked as bad.
fn runs(workload: &WorkloadSummary) -> String {
    let current = workload.current.as_ref();
    let commit = current.map_or_else(dash, |deploy| short(&deploy.commit));
    match &workload.bad {
        Some(_) => format!("{commit} (bad)"),
        None => commit,
    }
}

/// One workload.
pub fn show(workload: &Workload, page: &Page) -> String {
    let summary = &workload.summary;
    let mirror = &workload.mirror;
    let webhook = match mirror.webhook {
        WebhookState::Installed => "installed: pushes are seen at once".to_owned(),
        WebhookState::Missing => format!(
            "missing{}",
            mirror
                .webhook_reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"))
        ),
    };
    let runs = summary.current.as_ref().map_or_else(
        || "nothing yet".to_owned(),
        |deploy| {
            format!(
                "{} {} (deploy {})",
                short(&deploy.commit),
                cut(&deploy.title, 60),
                deploy.id
            )
        },
    );
    let mut facts = vec![
        ("Name", summary.name.clone()),
        ("Type", summary.workload_type.clone()),
        ("Category", category(summary.category).to_owned()),
        ("Project", summary.project.clone()),
        ("Namespace", summary.namespace.clone()),
        ("Repository", summary.repository.clone()),
        ("Branch", workload.default_branch.clone()),
        ("Config file", summary.config.clone()),
        (
            "Health",
            format!("{}: {}", health(summary.health), summary.health_reason),
        ),
        ("Runs", runs),
        ("Answers at", workload.url.clone().unwrap_or_else(dash)),
        ("Webhook", webhook),
        ("Fetched", page.ago_or_dash(mirror.fetched_at)),
        (
            "Created",
            format!(
                "{} by {}",
                page.date(workload.created_at),
                workload.created_by
            ),
        ),
    ];
    if let Some(branch) = &workload.auto_deploy {
        facts.push(("Auto-deploy", format!("every push to {branch}")));
    }
    if workload.previews.auto {
        let minutes = workload.previews.idle_minutes;
        let text = format!("every pull request; asleep after {minutes} min");
        facts.push(("Previews", text));
    }
    if let Some(pin) = &summary.pin {
        facts.push(("Pinned", rollouts::pin(pin, page)));
    }
    if let Some(bad) = &summary.bad {
        facts.push(("Bad", rollouts::bad(bad, page)));
    }
    if let Some(error) = &mirror.error {
        facts.push(("Fetch failed", error.clone()));
    }
    page.facts(&facts)
}

/// What can be set of a workload, in two sentences.
pub fn settings(workload: &Workload) -> String {
    let (name, previews) = (&workload.summary.name, &workload.previews);
    let pushes = match (&workload.auto_deploy, &workload.summary.pin) {
        (None, _) => "pushes are not deployed by themselves".to_owned(),
        (Some(branch), None) => format!("every push to {branch} is deployed"),
        (Some(branch), Some(_)) => {
            format!("every push to {branch} is deployed once `hermez unpin {name}` is said")
        }
    };
    let pulls = if previews.auto {
        "every pull request gets a preview"
    } else {
        "pull requests get a preview when somebody deploys them"
    };
    let pods = match previews.replicas {
        1 => "1 pod".to_owned(),
        count => format!("{count} pods"),
    };
    format!(
        "{name} is {}; {pushes}; {pulls}. A preview has {pods}, sleeps after {} min without a visit and is removed after {} d.",
        category(workload.summary.category),
        previews.idle_minutes,
        previews.expiry_days
    )
}

/// What Hermez read, before it is confirmed.
pub fn plan(plan: &WorkloadPlan, page: &Page) -> String {
    let builds = plan.builds.iter().map(|image| {
        format!(
            "{} from {} (context {})",
            image.name, image.dockerfile, image.context
        )
    });
    let joined = |items: Vec<String>| {
        if items.is_empty() {
            dash()
        } else {
            items.join(", ")
        }
    };
    let mut text = page.facts(&[
        ("Workload", plan.name.clone()),
        ("Type", plan.workload_type.clone()),
        ("Category", category(plan.category).to_owned()),
        ("Project", plan.project.clone()),
        ("Namespace", plan.namespace.clone()),
        ("Repository", plan.repository.clone()),
        (
            "Config file",
            format!(
                "{} on {} ({})",
                plan.config,
                plan.branch,
                short(&plan.commit)
            ),
        ),
        ("Builds", joined(builds.collect())),
        ("Uses", joined(plan.external_images.clone())),
        ("Port", plan.port.map_or_else(dash, |port| port.to_string())),
        (
            "Replicas",
            plan.replicas
                .map_or_else(dash, |replicas| replicas.to_string()),
        ),
    ]);
    for warning in &plan.warnings {
        let _ = writeln!(text, "Note: {}", cell(warning));
    }
    text
}

/// The table of commits.
pub fn commits(commits: &List<Commit>, page: &Page) -> String {
    if commits.items.is_empty() {
        return "No commits.\n".to_owned();
    }
    let rows = commits.items.iter().map(|commit| {
        let runs = if commit.deployed { "runs now" } else { "" };
        vec![
            short(&commit.id),
            cell(&commit.branch),
            cut(&commit.author, 24),
            page.ago(commit.committed_at),
            artifact(commit).to_owned(),
            runs.to_owned(),
            cut(&commit.title, 60),
        ]
    });
    let header = [
        "commit",
        "branch",
        "author",
        "committed",
        "artifact",
        "",
        "title",
    ];
    page.table(&header, &["author", "branch"], rows.collect()) + &more(commits)
}

fn artifact(commit: &Commit) -> &'static str {
    match commit.artifact_status {
        ArtifactStatus::None => "none",
        ArtifactStatus::Queued => "queued",
        ArtifactStatus::Building => "building",
        ArtifactStatus::Available => "available",
        ArtifactStatus::Failed => "failed",
        ArtifactStatus::Canceled => "canceled",
    }
}

#[cfg(test)]
mod tests {
    use hermez_api::{Health, PlannedImage};

    use super::super::deploy::tests::{bad, deploy};
    use super::super::status::tests::workload;
    use super::super::tests::{at, page};
    use super::*;

    fn summary(name: &str) -> WorkloadSummary {
        WorkloadSummary {
            name: name.to_owned(),
            workload_type: "PinterestService".to_owned(),
            category: Category::Production,
            project: "demo".to_owned(),
            namespace: "default".to_owned(),
            repository: "http://127.0.0.1:3000/demo/hello".to_owned(),
            config: "deploy/hello.yaml".to_owned(),
            health: Health::Healthy,
            health_reason: "3 of 3 pods are ready".to_owned(),
            pods_ready: 3,
            pods_desired: 3,
            current: Some(deploy(12)),
            latest_deploy: Some(deploy(12)),
            bad: None,
            pin: None,
        }
    }

    #[test]
    fn workloads_stand_in_a_table() {
        let mut fresh = summary("fresh");
        fresh.health = Health::NotDeployed;
        (fresh.current, fresh.latest_deploy) = (None, None);
        (fresh.pods_ready, fresh.pods_desired) = (0, 0);
        let workloads = List {
            items: vec![summary("hello"), fresh],
            next_cursor: Some("x".to_owned()),
        };
        insta::assert_snapshot!(list(&workloads, &page()));
    }

    #[test]
    fn what_is_marked_as_bad_shows_it() {
        let mut marked = summary("hello");
        marked.bad = Some(bad());
        let workloads = List {
            items: vec![marked],
            next_cursor: None,
        };
        let text = list(&workloads, &page());
        assert!(text.contains("95f6178 (bad)"), "{text}");
        let mut workload = workload();
        workload.summary.bad = Some(bad());
        let text = show(&workload, &page());
        assert!(
            text.contains(
                "marked by ada 30 min ago, with the rollback from deploy 9 of other: it crashes"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_can_be_set_is_said() {
        let mut workload = workload();
        assert_eq!(
            settings(&workload),
            "hello is Production; pushes are not deployed by themselves; pull requests get a preview when somebody deploys them. A preview has 1 pod, sleeps after 30 min without a visit and is removed after 7 d."
        );
        workload.auto_deploy = Some("main".to_owned());
        workload.previews.auto = true;
        workload.previews.replicas = 2;
        let text = settings(&workload);
        assert!(
            text.contains("every push to main is deployed; every pull request gets a preview."),
            "{text}"
        );
        assert!(text.contains("A preview has 2 pods"), "{text}");
    }

    #[test]
    fn a_plan_says_what_was_read() {
        let read = WorkloadPlan {
            name: "hello".to_owned(),
            workload_type: "PinterestService".to_owned(),
            project: "demo".to_owned(),
            namespace: "default".to_owned(),
            category: Category::NonProduction,
            repository: "http://127.0.0.1:3000/demo/hello".to_owned(),
            config: "deploy/hello.yaml".to_owned(),
            branch: "main".to_owned(),
            commit: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            builds: vec![PlannedImage {
                name: "hello".to_owned(),
                dockerfile: "deploy/Dockerfile".to_owned(),
                context: "deploy".to_owned(),
                containers: vec!["hello".to_owned()],
            }],
            external_images: vec![],
            port: Some(8080),
            replicas: None,
            warnings: vec!["no readiness probe".to_owned()],
        };
        insta::assert_snapshot!(plan(&read, &page()));
    }

    #[test]
    fn commits_show_their_artifacts() {
        let commit = Commit {
            id: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            title: "Greet \x1b[2Jin Greek".to_owned(),
            body: String::new(),
            author: "Jane Doe".to_owned(),
            author_email: "jane@example.com".to_owned(),
            committed_at: at("2026-11-23T11:00:00Z"),
            branch: "main".to_owned(),
            artifact_status: ArtifactStatus::Available,
            build: None,
            artifact: None,
            deployed: true,
        };
        insta::assert_snapshot!(commits(
            &List {
                items: vec![commit],
                next_cursor: None
            },
            &page()
        ));
    }
}
