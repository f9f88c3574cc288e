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

/// How far the approvals of a deploy are under a rule.
pub fn state(wanted: &Wanted<'_>, rule: &ApprovalRule, given: &[ApprovalRecord]) -> ApprovalState {
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
    let open = |person: &&String| {
        person.as_str() != wanted.by && counted.iter().all(|it| it.by != **person)
    };
    ApprovalState {
        needed: rule.count,
        people: rule.people.iter().filter(open).cloned().collect(),
        role: rule.role.clone(),
        given: counted,
    }
}

/// Approvals that are missing.
pub fn missing(state: &ApprovalState) -> u32 {
    let given = u32::try_from(state.given.len()).unwrap_or(u32::MAX);
    state.needed.saturating_sub(given)
}

/// The hold of missing approvals. No time lets go of it.
pub fn hold(wanted: &Wanted<'_>, scope: RuleScope, state: &ApprovalState) -> Option<Hold> {
    let missing = missing(state);
    if missing == 0 {
        return None;
    }
    let from = match &state.role {
        Some(role) => format!("anybody with the role {role}"),
        None => state.people.join(", "),
    };
    let too_few = state.role.is_none() && state.people.len() < missing as usize;
    let (message, hint) = if too_few {
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
