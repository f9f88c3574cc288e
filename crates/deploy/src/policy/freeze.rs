//! Freezes: no deploys for a while, of a project or everywhere, with exceptions on record.

use hermez_api::{Freeze, Hold, HoldingRule, RuleScope};
use jiff::Timestamp;

use super::{Wanted, shown};

/// Whether a freeze holds at that time what it is about.
pub fn is_on(freeze: &Freeze, now: Timestamp) -> bool {
    freeze.ended_at.is_none() && freeze.from <= now && freeze.until.is_none_or(|until| now < until)
}

/// Whether an exception lets a deploy through.
fn is_excepted(wanted: &Wanted<'_>, freeze: &Freeze) -> bool {
    freeze.exceptions.iter().any(|it| match it.deploy_id {
        Some(id) => Some(id) == wanted.deploy_id,
        None => it.workload == wanted.workload,
    })
}

/// The hold of a freeze.
pub fn hold(wanted: &Wanted<'_>, freeze: &Freeze, now: Timestamp) -> Option<Hold> {
    let project = freeze.project.as_deref();
    let is_meant = project.is_none_or(|project| project == wanted.project);
    if !is_meant || !is_on(freeze, now) || is_excepted(wanted, freeze) {
        return None;
    }
    let what = match project {
        Some(project) => format!("project {project} is frozen"),
        None => "everything is frozen".to_owned(),
    };
    let span = match freeze.until {
        Some(until) => format!("until {}", shown(until)),
        None => format!("since {}, without an end", shown(freeze.from)),
    };
    let of = match wanted.deploy_id {
        Some(id) => format!("--deploy {id}"),
        None => format!("--workload {}", wanted.workload),
    };
    Some(Hold {
        rule: HoldingRule::Freeze,
        scope: match project {
            Some(_) => RuleScope::Project,
            None => RuleScope::Everywhere,
        },
        message: format!("{what} by {} {span}: {}", freeze.by, freeze.reason),
        hint: Some(format!(
            "ask {} for an exception: hermez freeze except {} {of} --reason WHY",
            freeze.by, freeze.id
        )),
        allowed_at: freeze.until,
    })
}
