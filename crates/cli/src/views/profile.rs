//! Runtime profiles: their rollout, and what a version would change.

use std::fmt::Write as _;

use hermez_api::{ProfileDiff, ProfileStatus, RolloutPhase};

use super::{Page, cut};
use crate::print::cell;

/// Longest value that is shown in a line.
const VALUE: usize = 100;

/// How the rollout does.
pub fn status(status: &ProfileStatus, page: &Page) -> String {
    let phase = match status.phase {
        RolloutPhase::Complete => "complete",
        RolloutPhase::Rolling => "rolling",
        RolloutPhase::Paused => "paused",
        RolloutPhase::Stopped => "stopped",
    };
    let mut facts = vec![
        ("Newest", cell(&status.target)),
        ("Since", page.ago_or_dash(status.since)),
        ("Rollout", phase.to_owned()),
    ];
    facts.extend(status.reason.as_ref().map(|why| ("Stopped", cell(why))));
    facts.extend(status.refused.as_ref().map(|why| ("Refused", cell(why))));
    facts.push(("Moving", status.moving.len().to_string()));
    facts.push(("Waiting", status.waiting.to_string()));
    if status.left_alone > 0 {
        let left = format!(
            "{} that run to an end keep their version",
            status.left_alone
        );
        facts.push(("Left alone", left));
    }
    let mut text = page.facts(&facts);
    for moving in &status.moving {
        let _ = writeln!(text, "  moving {}", cell(moving));
    }
    text.push('\n');
    let rows = status.versions.iter();
    let rows = rows.map(|version| vec![cell(&version.label), version.workloads.to_string()]);
    text + &page.table(&["version", "workloads"], &[], rows.collect())
}

/// What a version would change.
pub fn diff(diff: &ProfileDiff) -> String {
    let mut text = String::new();
    if let Some(why) = &diff.refused {
        let _ = writeln!(text, "This version would be refused: {}\n", cell(why));
    }
    for group in &diff.groups {
        let count = group.workloads;
        let s = if count == 1 { "" } else { "s" };
        let examples: Vec<String> = group
            .examples
            .iter()
            .take(5)
            .map(|name| cell(name))
            .collect();
        let more = if count > 5 { ", …" } else { "" };
        let _ = writeln!(text, "{count} workload{s}: {}{more}", examples.join(", "));
        if let Some(why) = &group.refusal {
            let _ = writeln!(text, "  cannot be translated: {}", cell(why));
        }
        let mut object = "";
        for change in &group.changes {
            if change.object != object {
                object = &change.object;
                let _ = writeln!(text, "  {}", cell(object));
            }
            let field = match change.field.as_str() {
                "" => "(all of it)".to_owned(),
                field => cell(field),
            };
            let _ = match (&change.before, &change.after) {
                (Some(old), Some(new)) => {
                    writeln!(
                        text,
                        "  ~ {field}: {} → {}",
                        cut(old, VALUE),
                        cut(new, VALUE)
                    )
                }
                (Some(old), None) => writeln!(text, "  - {field}: {}", cut(old, VALUE)),
                (None, Some(new)) => writeln!(text, "  + {field}: {}", cut(new, VALUE)),
                (None, None) => Ok(()),
            };
        }
        text.push('\n');
    }
    let changed: u64 = diff.groups.iter().map(|group| group.workloads).sum();
    let _ = writeln!(
        text,
        "{}: {changed} would change, {} would not.",
        cell(&diff.target),
        diff.unchanged
    );
    text
}

#[cfg(test)]
mod tests {
    use hermez_api::{ProfileChange, ProfileDiffGroup, ProfileVersion};

    use super::*;
    use crate::views::tests::{at, page};

    #[test]
    fn a_rollout_shows_who_moves_and_why_it_stopped() {
        let version = |label: &str, workloads| ProfileVersion {
            label: label.into(),
            workloads,
        };
        let shown = status(
            &ProfileStatus {
                target: "company@3".into(),
                since: Some(at("2026-01-01T11:55:00Z")),
                phase: RolloutPhase::Stopped,
                reason: Some(
                    "PinterestService prod/hello was moved to company@3 and cannot go on: no image"
                        .into(),
                ),
                refused: None,
                versions: vec![version("company@2", 990), version("company@3", 10)],
                moving: vec!["PinterestService prod/hello".into()],
                waiting: 990,
                next: vec![],
                left_alone: 2,
            },
            &page(),
        );
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_diff_shows_equal_changes_once() {
        let change = |field: &str, before: Option<&str>, after: Option<&str>| ProfileChange {
            object: "Deployment/{{name}}".into(),
            field: field.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let group = |workloads, changes, refusal: Option<&str>| ProfileDiffGroup {
            workloads,
            examples: vec!["PinterestService prod/a".into()],
            changes,
            refusal: refusal.map(str::to_owned),
        };
        let shown = diff(&ProfileDiff {
            target: "company@4".into(),
            refused: Some("version 4 is known with other content: raise version to 5".into()),
            groups: vec![
                group(1, vec![], Some("spec.sidecarconfig.log: no such sidecar")),
                group(
                    1000,
                    vec![
                        change(
                            "spec.template.spec.containers[log].image",
                            Some("\"l:1\""),
                            Some("\"l:2\""),
                        ),
                        change("spec.template.spec.volumes[new]", None, Some("{}")),
                    ],
                    None,
                ),
            ],
            unchanged: 7,
        });
        insta::assert_snapshot!(shown);
    }
}
