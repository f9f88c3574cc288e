//! What of all that was found stands in a receipt: chosen, masked and bounded. Pure.

use std::collections::HashMap;

use hermez_api::{
    ChangedCommit, ContainerStatus, DeployComparison, Evidence, FailedContainer, KubernetesEvent,
    PodStatus, ReceiptLine, WorkloadStatus,
};
use jiff::Timestamp;

use super::mask::Masks;

/// Largest receipt, in bytes of JSON.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most containers whose lines are kept.
pub(crate) const MAX_CONTAINERS: usize = 6;
/// Most containers of one name: those of other pods say the same.
const MAX_OF_ONE_NAME: usize = 2;
/// Most lines of one container, from the end.
pub(crate) const MAX_LINES: usize = 50;
/// Longest line, in bytes.
const LINE_BYTES: usize = 1024;
/// Most lines of one container, in bytes.
const CONTAINER_BYTES: usize = 16 * 1024;
/// Most events.
const MAX_EVENTS: usize = 50;
/// Longest title or name of an author, in bytes.
const TITLE_BYTES: usize = 200;
/// Room for the note that something was left out.
const NOTE_BYTES: usize = 200;
/// Most notes on what is missing, and their length in bytes.
const MAX_MISSING: (usize, usize) = (20, 500);

/// At most `bytes` of a text, cut between characters and ended with an ellipsis when cut.
pub(crate) fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}

/// The last lines, without secrets. Masked before they are cut: half a secret has no name.
pub(crate) fn last_lines(lines: &[ReceiptLine], masks: &Masks) -> Vec<ReceiptLine> {
    let masked = masks.mask_lines(lines.iter().map(|line| line.text.as_str()));
    let mut room = CONTAINER_BYTES;
    let mut kept = Vec::new();
    for (line, text) in lines.iter().zip(masked).rev().take(MAX_LINES) {
        let text = clip(&text, LINE_BYTES);
        if text.len() > room {
            break;
        }
        room -= text.len();
        kept.push(ReceiptLine { at: line.at, text });
    }
    kept.reverse();
    kept
}

/// The containers of the new version that fail, without their lines: those that ended badly or
/// cannot start before those that run and are not ready.
pub(crate) fn failing(status: &WorkloadStatus) -> Vec<FailedContainer> {
    let pods = status.pods.iter().filter(|pod| pod.updated && !pod.ready);
    // An init container that has done its work is no failure, and neither is what waits for it.
    chosen(pods, |it| {
        let waits = it.reason.as_deref() == Some("PodInitializing");
        let is_done = it.init && it.exit_code == Some(0);
        !(it.ready || waits || is_done)
    })
}

/// The same of those that ended at least once, though they may run again: what a health gate saw.
pub(crate) fn restarted(status: &WorkloadStatus) -> Vec<FailedContainer> {
    let pods = status.pods.iter().filter(|pod| pod.updated);
    chosen(pods, |it| it.restarts > 0 && it.exit_code.is_some())
}

fn chosen<'a>(
    pods: impl Iterator<Item = &'a PodStatus>,
    wanted: impl Fn(&ContainerStatus) -> bool + Copy,
) -> Vec<FailedContainer> {
    let mut found: Vec<FailedContainer> = pods.flat_map(|pod| of_pod(pod, wanted)).collect();
    let runs = |it: &FailedContainer| it.exit_code.is_none_or(|code| code == 0);
    found.sort_by_key(runs);
    let mut chosen: Vec<FailedContainer> = Vec::new();
    for container in found {
        let same = |it: &&FailedContainer| it.container == container.container;
        let enough = chosen.iter().filter(same).count() >= MAX_OF_ONE_NAME;
        if !enough && chosen.len() < MAX_CONTAINERS {
            chosen.push(container);
        }
    }
    chosen
}

fn of_pod<'a>(
    pod: &'a PodStatus,
    wanted: impl Fn(&ContainerStatus) -> bool + 'a,
) -> impl Iterator<Item = FailedContainer> + 'a {
    let failed = pod.containers.iter().filter(move |it| wanted(it));
    failed.map(|it| FailedContainer {
        pod: pod.name.clone(),
        container: it.name.clone(),
        gone: false,
        state: it.reason.clone().unwrap_or_else(|| it.state.clone()),
        message: it.message.clone(),
        exit_code: it.exit_code,
        restarts: it.restarts,
        lines: Vec::new(),
    })
}

/// The events since then, newest first, without secrets. Those that differ only in a name between
/// quotation marks (of a pod that a quota refused, which is tried again under another) are one, with
/// the newest one's words.
pub(crate) fn events_since(
    events: Vec<KubernetesEvent>,
    since: Timestamp,
    masks: &Masks,
) -> Vec<KubernetesEvent> {
    // Kubernetes writes whole seconds.
    let from = since.as_second();
    let newer = events
        .into_iter()
        .filter(|it| it.at.is_none_or(|at| at.as_second() >= from));
    let masked = newer.map(|event| KubernetesEvent {
        message: masks.mask(&event.message),
        ..event
    });
    let mut kept: Vec<KubernetesEvent> = Vec::new();
    let mut places: HashMap<(String, String, String), usize> = HashMap::new();
    for event in masked {
        let said = event.message.split('"').step_by(2).collect();
        let alike = (event.object.clone(), event.reason.clone(), said);
        match places.get(&alike) {
            Some(place) => kept[*place].count = kept[*place].count.saturating_add(event.count),
            None if kept.len() < MAX_EVENTS => {
                places.insert(alike, kept.len());
                kept.push(event);
            }
            None => {}
        }
    }
    kept
}

/// What came and left with the deploy, without secrets.
pub(crate) fn compared(evidence: &mut Evidence, change: DeployComparison, masks: &Masks) {
    let short = |commits: Vec<ChangedCommit>| -> Vec<ChangedCommit> {
        let short = commits.into_iter().map(|commit| ChangedCommit {
            title: clip(&masks.mask(&commit.title), TITLE_BYTES),
            author: clip(&commit.author, TITLE_BYTES),
            ..commit
        });
        short.collect()
    };
    evidence.compared_with = Some(change.from.id);
    evidence.manifest_diff = masks.mask_diff(&change.manifest_diff);
    evidence.images = change.images;
    evidence.coming = short(change.coming);
    evidence.leaving = short(change.leaving);
    evidence.more_commits = change.more_commits;
    evidence.missing.extend(change.missing);
}

/// What to do about a failure that brings no hint of its own.
pub(crate) fn next_step(cause: &str, workload: &str, hint: Option<&str>) -> String {
    if let Some(hint) = hint {
        return sentence(hint);
    }
    let what = match cause {
        "build" => "Read the build's log, mend what it names, and push.",
        "cluster" => "Deploy again when the cluster answers.",
        "registry" => "Deploy again when the registry answers.",
        "admission" | "manifest" => {
            "Change the config file as the message says, commit, and deploy that commit."
        }
        "quota" => "Ask for less, or have the namespace's quota raised.",
        _ => return format!("Look at the pods and their events: hermez status {workload}"),
    };
    what.to_owned()
}

/// A clause as a sentence: with a capital and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let end = if text.ends_with(['.', '!', '?', '`']) || text.contains("hermez ") {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), chars.as_str())
}

/// The same receipt within its bound: what is least telling goes first, and `missing` says so.
pub(crate) fn fit(mut evidence: Evidence) -> Evidence {
    let (most, bytes) = MAX_MISSING;
    evidence.missing.truncate(most);
    for missing in &mut evidence.missing {
        *missing = clip(missing, bytes);
    }
    evidence.images.truncate(100);
    let mut left_out = false;
    // Each turn halves something, so this ends.
    while json_bytes(&evidence) > MAX_BYTES - NOTE_BYTES && halve(&mut evidence) {
        left_out = true;
    }
    if left_out {
        let note = "part of what was found: the receipt would be larger than 256 KiB";
        evidence.missing.push(note.to_owned());
    }
    evidence
}

/// Halves the largest of the lists; says whether there was anything left to halve.
fn halve(evidence: &mut Evidence) -> bool {
    let sizes = [
        json_bytes(&evidence.manifest_diff),
        json_bytes(&evidence.events),
        json_bytes(&(&evidence.coming, &evidence.leaving)),
        json_bytes(&evidence.build_lines),
        json_bytes(&evidence.containers),
    ];
    let largest = (0..sizes.len()).max_by_key(|index| sizes[*index]);
    match largest {
        Some(0) if evidence.manifest_diff.len() > 1 => {
            evidence.manifest_diff =
                clip(&evidence.manifest_diff, evidence.manifest_diff.len() / 2);
        }
        Some(1) if !evidence.events.is_empty() => {
            evidence.events.truncate(evidence.events.len() / 2);
        }
        Some(2) => {
            evidence.coming.truncate(evidence.coming.len() / 2);
            evidence.leaving.truncate(evidence.leaving.len() / 2);
            evidence.more_commits = true;
        }
        Some(3) if !evidence.build_lines.is_empty() => {
            let half = evidence.build_lines.len().div_ceil(2);
            evidence.build_lines.drain(..half);
        }
        Some(4) => {
            let mut dropped = false;
            for container in &mut evidence.containers {
                let half = container.lines.len().div_ceil(2);
                dropped |= half > 0;
                container.lines.drain(..half);
            }
            return dropped;
        }
        _ => return false,
    }
    true
}

fn json_bytes<T: serde::Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests;
