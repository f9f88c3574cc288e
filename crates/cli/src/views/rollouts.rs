//! What changes between two deploys, and what a rollback would do.

use std::fmt::Write as _;

use hermez_api::{
    BadArtifact, ChangedCommit, DeployComparison, DeploySummary, HotfixPlan, Pin, Revert,
    RollbackPlan,
};

use super::{Page, cut, dash, deploy, short};
use crate::print::cell;

/// A pin in one sentence.
pub fn pin(pin: &Pin, page: &Page) -> String {
    format!(
        "by {} {}: {}; automatic deploys wait",
        cell(&pin.by),
        page.ago(pin.at),
        cell(&pin.reason)
    )
}

/// A mark in one sentence.
pub fn bad(bad: &BadArtifact, page: &Page) -> String {
    format!(
        "marked by {} {}, with the rollback from deploy {} of {}: {}",
        cell(&bad.by),
        page.ago(bad.at),
        bad.deploy_id,
        cell(&bad.workload),
        cell(&bad.reason)
    )
}

/// What a rollback would do.
pub fn plan(plan: &RollbackPlan, page: &Page) -> String {
    let mut text = comparison(&plan.change, page);
    let left = &plan.change.from;
    let _ = writeln!(
        text,
        "\nNothing is built. {} is pinned, and the artifact of {} is marked as bad.",
        cell(&left.workload),
        short(&left.commit)
    );
    if let Some(bad) = &plan.bad {
        let _ = writeln!(
            text,
            "The version to be brought back is marked as bad itself, by {} {}: {}",
            cell(&bad.by),
            page.ago(bad.at),
            cell(&bad.reason)
        );
    }
    if let Some(there) = &plan.pinned {
        let _ = writeln!(text, "It is pinned already, {}.", pin(there, page));
    }
    text
}

/// A revert that was proposed.
pub fn revert(revert: &Revert) -> String {
    let mut text = format!(
        "Pull request {} takes back what deploy {} brought: {}\n",
        revert.pull_request,
        revert.left_deploy,
        cell(&revert.url)
    );
    text.push_str(&commits("Commits that it takes back", &revert.commits));
    let _ = writeln!(
        text,
        "\nIt goes from {} to {}. Merge it before the next deploy of that branch.",
        cell(&revert.branch),
        cell(&revert.base_branch)
    );
    text
}

/// What a hotfix would do.
pub fn hotfix_plan(plan: &HotfixPlan, page: &Page) -> String {
    let base = &plan.base;
    let mut text = page.facts(&[
        (
            "On",
            format!(
                "deploy {} of {} {}",
                base.id,
                short(&base.commit),
                cut(&base.title, 50)
            ),
        ),
        ("Branch", cell(&plan.branch)),
        ("Commit", short(&plan.commit)),
    ]);
    text.push_str(&commits(
        "Commits that are picked, in this order",
        &plan.commits,
    ));
    text.push_str("\nThey fit. Nothing was pushed.\n");
    text
}

/// What lies between two deploys.
pub fn comparison(change: &DeployComparison, page: &Page) -> String {
    let side = |summary: &DeploySummary| {
        format!(
            "deploy {} of {} {} ({}, {}, took {})",
            summary.id,
            short(&summary.commit),
            cut(&summary.title, 50),
            deploy::state(summary.state),
            page.ago(summary.created_at),
            page.took(Some(summary.created_at), summary.finished_at)
        )
    };
    let mut facts = vec![("From", side(&change.from)), ("To", side(&change.to))];
    for image in &change.images {
        let digest = |reference: &Option<String>| {
            let digest = reference.as_deref().and_then(|it| it.split_once('@'));
            digest.map_or_else(dash, |(_, digest)| cut(digest, 19))
        };
        let (from, to) = (digest(&image.from), digest(&image.to));
        facts.push(("Image", format!("{} {from} -> {to}", image.name)));
    }
    for missing in &change.missing {
        facts.push(("Missing", missing.clone()));
    }
    let mut text = page.facts(&facts);
    text.push_str(&commits("Commits that leave", &change.leaving));
    text.push_str(&commits("Commits that come", &change.coming));
    if change.more_commits {
        text.push_str("  … and more\n");
    }
    if change.manifest_diff.is_empty() {
        // What could not be had is listed above: nobody knows whether it is the same.
        if change.missing.is_empty() {
            text.push_str("\nThe manifests are the same.\n");
        }
        return text;
    }
    text.push('\n');
    for line in change.manifest_diff.lines() {
        text.push_str(&visible(line));
        text.push('\n');
    }
    text
}

/// A line of a manifest as it may be printed: indented as it is, and without control characters.
pub(super) fn visible(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}

pub(super) fn commits(title: &str, commits: &[ChangedCommit]) -> String {
    if commits.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{title}:\n");
    for commit in commits {
        let _ = writeln!(
            text,
            "  {}  {}  ({})",
            short(&commit.id),
            cut(&commit.title, 60),
            cut(&commit.author, 30)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use hermez_api::ChangedImage;

    use super::super::deploy::tests::deploy;
    use super::super::tests::{at, page};
    use super::*;

    fn change() -> DeployComparison {
        let image = |digit: &str| Some(format!("r/hello@sha256:{}", digit.repeat(64)));
        DeployComparison {
            from: deploy(13),
            to: deploy(12),
            coming: Vec::new(),
            leaving: vec![ChangedCommit {
                id: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                title: "Greet in Greek".to_owned(),
                author: "Jane Doe".to_owned(),
                committed_at: at("2026-11-23T11:00:00Z"),
            }],
            more_commits: false,
            images: vec![ChangedImage {
                name: "hello".to_owned(),
                from: image("2"),
                to: image("1"),
            }],
            manifest_diff: "--- deploy 13\n+++ deploy 12\n@@ -1 +1 @@\n-  replicas: 3\n+  replicas: 2\u{1b}[31m\n".to_owned(),
            from_took_ms: Some(14_200),
            to_took_ms: Some(14_200),
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_plan_shows_what_changes_and_what_is_marked() {
        let plan_of = RollbackPlan {
            change: change(),
            bad: None,
            pinned: Some(Pin {
                by: "ada".to_owned(),
                at: at("2026-11-23T11:30:00Z"),
                reason: "it crashes".to_owned(),
                deploy_id: Some(11),
            }),
        };
        let text = plan(&plan_of, &page());
        for wanted in [
            "Greet in Greek  (Jane Doe)",
            "-  replicas: 3",
            "hello sha256:",
            "Nothing is built. hello is pinned",
            "It is pinned already, by ada",
        ] {
            assert!(text.contains(wanted), "`{wanted}` is missing: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn the_same_manifest_is_said_to_be_the_same() {
        let mut change = change();
        change.manifest_diff.clear();
        assert!(comparison(&change, &page()).contains("The manifests are the same."));
        let missing = "the manifest of deploy 12: it was never built";
        change.missing.push(missing.to_owned());
        let text = comparison(&change, &page());
        assert!(text.contains(missing), "{text}");
        assert!(!text.contains("are the same"), "{text}");
    }
}
