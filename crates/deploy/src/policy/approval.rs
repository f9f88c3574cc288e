//! Approvals: others look at a deploy before it begins.

use hermez_api::{Approval, ApprovalRule, ApprovalState, Hold, HoldingRule, RuleScope};
use hermez_store::ApprovalRecord;

use super::Wanted;

/// Whether somebody may approve a deploy under a rule.
pub fn may_approve(wanted: &Wanted<'_>, rule: &ApprovalRule, name: &str, role: &str) -> bool {
    let is_named = rule.people.iter().any(|person| person == name);
    let has_role = rule.role.as_deref() == Some(role);
    name != wanted.by && (is_named || has_role)
}

/// Whether an approval is of exactly this deploy, and by somebody who may.
fn counts(wanted: &Wanted<'_>, rule: &ApprovalRule, given: &ApprovalRecord) -> bool {
    let same_manifest = match (given.manifest.as_deref(), wanted.manifest) {
        (Some(approved), Some(wanted)) => approved == wanted,
        // Before it is built only the commit is known, and a commit has one artifact.
        _ => true,
    };
    given.commit == wanted.commit
        && same_manifest
        && may_approve(wanted, rule, &given.by, &given.role)
}

/// How far the approvals of a deploy are under a rule; `approvers` are those whose role lets them.
pub fn state(
    wanted: &Wanted<'_>,
    rule: &ApprovalRule,
    given: &[ApprovalRecord],
    approvers: &[String],
) -> ApprovalState {
    let mut counted: Vec<Approval> = Vec::new();
    for approval in given.iter().filter(|it| counts(wanted, rule, it)) {
        if counted.iter().all(|other| other.by != approval.by) {
            counted.push(Approval {
                by: approval.by.clone(),
                at: approval.at,
                comment: approval.comment.clone(),
            });
        }
    }
    let people = rule.people.iter();
    let people = people.filter(|it| approvers.contains(it) && is_open(wanted, &counted, it));
    ApprovalState {
        needed: rule.count,
        people: people.cloned().collect(),
        role: rule.role.clone(),
        given: counted,
    }
}

/// Whether somebody has neither asked for the deploy nor approved it.
fn is_open(wanted: &Wanted<'_>, given: &[Approval], name: &str) -> bool {
    name != wanted.by && given.iter().all(|it| it.by != name)
}

/// Approvals that are missing.
pub fn missing(state: &ApprovalState) -> u32 {
    let given = u32::try_from(state.given.len()).unwrap_or(u32::MAX);
    state.needed.saturating_sub(given)
}

/// The hold of missing approvals. No time lets go of it.
pub fn hold(
    wanted: &Wanted<'_>,
    scope: RuleScope,
    state: &ApprovalState,
    approvers: &[String],
) -> Option<Hold> {
    let missing = missing(state);
    if missing == 0 {
        return None;
    }
    let (from, able) = match &state.role {
        Some(role) => {
            let able = approvers.iter();
            let able = able.filter(|it| is_open(wanted, &state.given, it));
            (format!("anybody with the role {role}"), able.count())
        }
        None => (state.people.join(", "), state.people.len()),
    };
    let (message, hint) = if able < missing as usize {
        let message = format!(
            "waits for {missing} of {} approvals, and too few people may approve what {} asked for",
            state.needed, wanted.by
        );
        (message, "ask somebody else to ask for it".to_owned())
    } else {
        let message = format!(
            "waits for {missing} of {} approvals (from: {from})",
            state.needed
        );
        let hint = match wanted.deploy_id {
            Some(id) => format!("ask for them; they approve with hermez deploys approve {id}"),
            None => "ask for them once it is asked for".to_owned(),
        };
        (message, hint)
    };
    Some(Hold {
        rule: HoldingRule::Approval,
        scope,
        message,
        hint: Some(hint),
        allowed_at: None,
    })
}
