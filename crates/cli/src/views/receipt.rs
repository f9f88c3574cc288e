//! Why a deploy failed.

use std::fmt::Write as _;

use hermez_api::{FailedContainer, Receipt, ReceiptLine};

use super::rollouts::{commits, visible};
use super::{Page, cut, deploy, short};
use crate::print::{cell, printable_log};

/// Lines of a container that the short form shows.
const SHORT_LINES: usize = 15;

/// The whole receipt.
pub fn full(receipt: &Receipt, url: &str, page: &Page) -> String {
    let (summary, found) = (&receipt.deploy, &receipt.evidence);
    let mut facts = vec![
        (
            "Deploy",
            format!(
                "{} of {} ({}, {})",
                summary.id,
                summary.workload,
                deploy::state(summary.state),
                page.ago(found.gathered_at)
            ),
        ),
        ("Cause", format!("{} ({})", found.sentence, found.cause)),
        ("Next", found.next_step.clone()),
        (
            "Commit",
            format!(
                "{} {} ({})",
                short(&summary.commit),
                cut(&summary.title, 60),
                cut(&summary.author, 30)
            ),
        ),
    ];
    if let Some(number) = summary.pull_request {
        facts.push(("Pull request", format!("{number}, as a preview")));
    }
    facts.extend(back(receipt).map(|back| ("Roll back", back)));
    if let Some(rollback) = receipt.rolled_back_by {
        let revert = match &receipt.revert {
            Some(revert) => format!("pull request {}, {}", revert.pull_request, revert.url),
            None => format!("not proposed yet: hermez revert {rollback}"),
        };
        facts.push(("Rolled back", format!("by deploy {rollback}")));
        facts.push(("Revert", revert));
    }
    facts.push(("Receipt", url.to_owned()));
    for missing in &found.missing {
        facts.push(("Missing", missing.clone()));
    }
    let mut text = page.facts(&facts);
    for container in &found.containers {
        text.push('\n');
        text.push_str(&lines_of(container, usize::MAX));
    }
    text.push_str(&build(&found.build_lines, usize::MAX));
    if !found.events.is_empty() {
        text.push_str("\nEvents:\n");
    }
    for event in &found.events {
        let at = event.at.map_or_else(super::dash, |at| page.clock(at));
        let _ = writeln!(
            text,
            "  {at}  {}  {}  {}",
            cell(&event.reason),
            cell(&event.object),
            cell(&event.message)
        );
    }
    text.push_str(&commits("Commits that came", &found.coming));
    text.push_str(&commits("Commits that left", &found.leaving));
    if found.more_commits {
        text.push_str("  … and more\n");
    }
    match (found.compared_with, found.manifest_diff.is_empty()) {
        (Some(id), true) => {
            let _ = writeln!(text, "\nThe manifest is that of deploy {id}.");
        }
        (Some(_), false) => {
            text.push('\n');
            for line in found.manifest_diff.lines() {
                text.push_str(&visible(line));
                text.push('\n');
            }
        }
        (None, _) => {}
    }
    text
}

/// The last lines of what failed, for the end of a watched deploy.
pub fn last_lines(receipt: &Receipt) -> String {
    let found = &receipt.evidence;
    // One container that said something is enough here; the receipt has them all.
    let spoke = found.containers.iter().find(|it| !it.lines.is_empty());
    let mut text = String::new();
    if let Some(container) = spoke {
        text.push('\n');
        text.push_str(&lines_of(container, SHORT_LINES));
    }
    text + &build(&found.build_lines, SHORT_LINES)
}

/// What to do next, and where the receipt is.
pub fn next(receipt: &Receipt, url: &str) -> String {
    let mut text = cell(&receipt.evidence.next_step);
    if let Some(back) = back(receipt) {
        let _ = write!(text, "\nRoll back: {}", cell(&back));
    }
    if let Some(rollback) = receipt.rolled_back_by {
        let _ = write!(text, "\nRolled back: by deploy {rollback}");
    }
    let _ = write!(text, "\nReceipt: {}", cell(url));
    text
}

/// The command that brings back what ran before.
fn back(receipt: &Receipt) -> Option<String> {
    let target = receipt.evidence.rollback.as_ref()?;
    if !receipt.is_current || receipt.rolled_back_by.is_some() {
        return None;
    }
    Some(format!(
        "`hermez rollback {} --to {}` brings back {} {}",
        receipt.deploy.workload,
        target.deploy_id,
        short(&target.commit),
        cut(&target.title, 50)
    ))
}

fn lines_of(container: &FailedContainer, most: usize) -> String {
    let mut text = format!(
        "Last lines of {}/{}",
        cell(&container.pod),
        cell(&container.container)
    );
    let _ = write!(text, " ({}", cell(&container.state));
    if let Some(code) = container.exit_code {
        let _ = write!(text, ", exit code {code}");
    }
    if container.restarts > 0 {
        let _ = write!(text, ", restarts: {}", container.restarts);
    }
    text.push_str(if container.gone {
        ", gone since):\n"
    } else {
        "):\n"
    });
    if container.lines.is_empty() {
        text.push_str(match container.exit_code {
            None if container.restarts == 0 => "  it never ran\n",
            _ => "  it wrote nothing\n",
        });
    }
    text + &indented(&container.lines, most)
}

fn build(lines: &[ReceiptLine], most: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    "\nLast lines of the build:\n".to_owned() + &indented(lines, most)
}

fn indented(lines: &[ReceiptLine], most: usize) -> String {
    let lines = &lines[lines.len().saturating_sub(most)..];
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {}", printable_log(&line.text));
        text
    })
}

#[cfg(test)]
mod tests {
    use hermez_api::{ChangedCommit, DeployState, Evidence, KubernetesEvent, RollbackTarget};

    use super::super::deploy::tests::deploy;
    use super::super::tests::{at, page};
    use super::*;

    fn receipt() -> Receipt {
        let mut summary = deploy(13);
        summary.state = DeployState::Failed;
        let line = |text: &str| ReceiptLine {
            at: None,
            text: text.to_owned(),
        };
        Receipt {
            deploy: summary,
            is_current: true,
            rolled_back_by: None,
            revert: None,
            evidence: Evidence {
                gathered_at: at("2026-11-23T11:57:14Z"),
                took_ms: 80,
                cause: "crash_loop".to_owned(),
                sentence: "The pod crashes again and again: container app ended with exit code 3"
                    .to_owned(),
                next_step: "Read the last words.".to_owned(),
                containers: vec![FailedContainer {
                    pod: "hello-1-a".to_owned(),
                    container: "app".to_owned(),
                    gone: false,
                    state: "CrashLoopBackOff".to_owned(),
                    message: None,
                    exit_code: Some(3),
                    restarts: 2,
                    lines: vec![line("starting"), line("no such table\u{1b}[2J")],
                }],
                build_lines: Vec::new(),
                events: vec![KubernetesEvent {
                    at: Some(at("2026-11-23T11:57:13Z")),
                    kind: "Warning".to_owned(),
                    reason: "BackOff".to_owned(),
                    object: "Pod/hello-1-a".to_owned(),
                    message: "Back-off restarting failed container".to_owned(),
                    count: 2,
                }],
                compared_with: Some(12),
                manifest_diff: "--- deploy 12\n+++ deploy 13\n-a: 1\n+a: 2\n".to_owned(),
                images: Vec::new(),
                coming: vec![ChangedCommit {
                    id: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                    title: "Greet in Greek".to_owned(),
                    author: "Jane Doe".to_owned(),
                    committed_at: at("2026-11-23T11:00:00Z"),
                }],
                leaving: Vec::new(),
                more_commits: false,
                rollback: Some(RollbackTarget {
                    deploy_id: 12,
                    commit: "8b360beaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                    title: "Greet".to_owned(),
                }),
                missing: vec!["the images of deploy 12".to_owned()],
            },
        }
    }

    #[test]
    fn a_receipt_says_the_cause_first() {
        let text = full(&receipt(), "http://h/deploys/13/receipt", &page());
        let order = [
            "exit code 3 (crash_loop)",
            "Read the last words.",
            "`hermez rollback hello --to 12` brings back 8b360be Greet",
            "http://h/deploys/13/receipt",
            "Last lines of hello-1-a/app (CrashLoopBackOff, exit code 3, restarts: 2):",
            "  starting",
            "BackOff  Pod/hello-1-a",
            "Greet in Greek  (Jane Doe)",
            "+a: 2",
        ];
        let places = order.map(|words| {
            text.find(words)
                .unwrap_or_else(|| panic!("`{words}`: {text}"))
        });
        assert!(places.is_sorted(), "{text}");
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }

    #[test]
    fn one_that_was_rolled_back_says_by_which_deploy() {
        let mut receipt = receipt();
        receipt.rolled_back_by = Some(14);
        let text = full(&receipt, "u", &page());
        assert!(text.contains("by deploy 14"), "{text}");
        assert!(text.contains("hermez revert 14"), "{text}");
    }

    #[test]
    fn the_short_form_ends_with_the_url() {
        let mut receipt = receipt();
        assert!(last_lines(&receipt).contains("no such table"));
        let text = next(&receipt, "http://h/deploys/13/receipt");
        assert!(text.contains("hermez rollback hello --to 12"), "{text}");
        assert!(
            text.ends_with("Receipt: http://h/deploys/13/receipt"),
            "{text}"
        );
        receipt.rolled_back_by = Some(14);
        let text = next(&receipt, "u");
        assert!(text.contains("by deploy 14"), "{text}");
        assert!(!text.contains("hermez rollback"), "{text}");
        (receipt.is_current, receipt.rolled_back_by) = (false, None);
        let text = next(&receipt, "u");
        assert!(!text.contains("rollback"), "there is a newer one: {text}");
    }
}
