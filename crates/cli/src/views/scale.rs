//! How many pods there are, who says so, and the ledger of changes.

use hermez_api::{
    AutoscalingSettings, Page as List, ScaleChange, ScaleChangeKind, ScaleChangeState, ScaleStatus,
};

use super::{Page, cut, dash, more};
use crate::print::cell;

/// Who says how many pods there are.
pub fn status(status: &ScaleStatus, page: &Page) -> String {
    if let Some(why_not) = &status.why_not {
        return page.facts(&[("Pods", format!("cannot be changed: {}", cell(why_not)))]);
    }
    let wanted = status.replicas.map_or_else(dash, |count| count.to_string());
    let mut facts = vec![
        ("Pods", format!("{} ready of {wanted} wanted", status.ready)),
        ("Said by", cell(&status.message)),
    ];
    if let Some(settings) = &status.autoscaling {
        facts.push(("Follows", followed(settings)));
    }
    if let Some(last) = &status.last_change {
        facts.push((
            "Changed",
            format!("{}, {}", page.ago_or_dash(last.at), cell(&last.message)),
        ));
    }
    let (min, max) = (status.bounds.min, status.bounds.max);
    let or_none = if min > 0 { ", or 0" } else { "" };
    facts.push(("Bounds", format!("{min} to {max} pods{or_none}")));
    page.facts(&facts)
}

/// What an autoscaler follows.
fn followed(settings: &AutoscalingSettings) -> String {
    let percent = |name: &str, value: Option<i32>| value.map(|value| format!("{name} {value} %"));
    let targets: Vec<String> = [
        percent("CPU", settings.cpu),
        percent("memory", settings.memory),
        (!settings.metrics.is_empty()).then(|| format!("{} other metrics", settings.metrics.len())),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!(
        "{}, between {} and {} pods",
        targets.join(", "),
        settings.min,
        settings.max
    )
}

/// How far a change is, in words.
fn state(state: ScaleChangeState) -> &'static str {
    match state {
        ScaleChangeState::Pending => "pending",
        ScaleChangeState::Active => "holds",
        ScaleChangeState::Ended => "ended",
        ScaleChangeState::Replaced => "replaced",
        ScaleChangeState::Refused => "refused",
    }
}

/// The table of changes.
pub fn ledger(changes: &List<ScaleChange>, page: &Page) -> String {
    if changes.items.is_empty() {
        return "Nobody has changed the number of pods. Do it with `hermez scale`.\n".to_owned();
    }
    let rows = changes.items.iter().map(|change| {
        let wanted = match (change.kind, change.replicas, &change.autoscaling) {
            (ScaleChangeKind::Replicas, Some(count), _) => count.to_string(),
            (_, _, Some(settings)) => format!("{}..{}", settings.min, settings.max),
            _ => "config file".to_owned(),
        };
        let before = change.replicas_before;
        vec![
            change.id.to_string(),
            page.ago(change.at),
            before.map_or_else(dash, |count| count.to_string()),
            wanted,
            state(change.state).to_owned(),
            change.until.map_or_else(dash, |until| page.date(until)),
            cut(&change.by, 20),
            cut(&change.reason, 40),
            change
                .message
                .as_deref()
                .map_or_else(dash, |text| cut(text, 60)),
        ]
    });
    let header = [
        "change", "asked", "before", "pods", "state", "until", "by", "reason", "message",
    ];
    page.table(&header, &["message", "before", "by"], rows.collect()) + &more(changes)
}
