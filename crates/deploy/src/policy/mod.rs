//! What holds a deploy back. Pure: functions of the deploy, the rules, and `now`.
//!
//! Two questions are asked. [`gate`]: may it be asked for at all? A no is final. [`verdict`]: may it
//! begin now? A no says which rule it was and, where time alone helps, when it will allow; it is
//! asked when the deploy is asked for and again just before it is applied.
//!
//! Windows, freezes and approvals hold what brings new code out. They do not hold what takes trouble
//! away (a rollback, a restart): whoever is woken at night must not have to look for a second person
//! first. A project may say otherwise for rollbacks ([`ApprovalRule::rollback_needs_approval`]). A
//! lock holds everything that others ask for, because its owner works on the workload by hand.

pub mod approval;
pub mod freeze;
pub mod lock;
mod request;
pub mod window;

pub(crate) use request::bad_message;
pub use request::{Held, Origin, Policy, Request, Rule, gate};

use hermez_api::{
    ApprovalRule, ApprovalState, DeployKind, DeployWindows, HeldDeploy, Hold, RuleScope, ScopeRules,
};
use hermez_store::{ApprovalRecord, RulesRecord};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// How far ahead it is looked for a time at which all rules allow: from now, or from the last end of
/// a freeze or a lock.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Steps of that search; each ends at the opening of a window or the end of a freeze.
const STEPS: usize = 1000;

/// A deploy as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What it does.
    pub kind: DeployKind,
    /// Who asks.
    pub by: &'a str,
    /// Its workload's name.
    pub workload: &'a str,
    /// Its project's name.
    pub project: &'a str,
    /// Its number, once it has one.
    pub deploy_id: Option<i64>,
    /// Commit (40 hexadecimal digits).
    pub commit: &'a str,
    /// The manifest's reference by digest, once it is known.
    pub manifest: Option<&'a str>,
}

impl Wanted<'_> {
    /// Whether it takes trouble away instead of bringing something new.
    fn is_remedy(&self) -> bool {
        matches!(self.kind, DeployKind::Rollback | DeployKind::Restart)
    }
}

/// What the rules say about a deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Each rule that holds it now: lock, freezes, windows, approvals, in this order.
    pub holds: Vec<Hold>,
    /// How far its approvals are, where it needs some.
    pub approvals: Option<ApprovalState>,
    /// When it may begin, where time alone helps.
    pub until: Option<Timestamp>,
}

impl Verdict {
    /// The same in one: what the deploy waits for; none when it may begin.
    pub fn held(&self) -> Option<HeldDeploy> {
        let first = self.holds.first()?;
        let messages: Vec<&str> = self.holds.iter().map(|it| it.message.as_str()).collect();
        Some(HeldDeploy {
            rule: first.rule,
            message: messages.join("; "),
            hint: self.holds.iter().find_map(|hold| hold.hint.clone()),
            until: self.until,
            approvals: self.approvals.clone(),
        })
    }

    /// When to look again by itself: the first time at which one of the rules lets go.
    pub fn look_again_at(&self) -> Option<Timestamp> {
        self.holds.iter().filter_map(|hold| hold.allowed_at).min()
    }
}

/// What is set for the workload and for its project.
fn scopes(rules: &RulesRecord) -> [(RuleScope, &ScopeRules); 2] {
    [
        (RuleScope::Workload, &rules.own),
        (RuleScope::Project, &rules.of_project),
    ]
}

/// The windows of the workload and of its project: both must be open.
fn windows(rules: &RulesRecord) -> impl Iterator<Item = (RuleScope, &DeployWindows)> {
    let found = scopes(rules).map(|(scope, set)| Some((scope, set.windows.as_ref()?)));
    found.into_iter().flatten()
}

/// The rules on approvals that a deploy must meet, all of them.
pub fn approval_rules<'a>(
    wanted: &Wanted<'_>,
    rules: &'a RulesRecord,
) -> Vec<(RuleScope, &'a ApprovalRule)> {
    let needs = |rule: &ApprovalRule| {
        !wanted.is_remedy() || (wanted.kind == DeployKind::Rollback && rule.rollback_needs_approval)
    };
    let found = scopes(rules).map(|(scope, set)| Some((scope, set.approvals.as_ref()?)));
    let found = found.into_iter().flatten();
    found.filter(|(_, rule)| needs(rule)).collect()
}

/// The rules that time alone can satisfy.
fn timed(wanted: &Wanted<'_>, rules: &RulesRecord, now: Timestamp) -> Vec<Hold> {
    let mut holds: Vec<Hold> = lock::hold(wanted, rules.lock.as_ref(), now)
        .into_iter()
        .collect();
    if wanted.is_remedy() {
        return holds;
    }
    let freezes = rules.freezes.iter();
    holds.extend(freezes.filter_map(|it| freeze::hold(wanted, it, now)));
    holds.extend(windows(rules).filter_map(|(scope, it)| window::hold(wanted, scope, it, now)));
    holds
}

/// Whether a deploy may begin now, and if not, which rules hold it and until when.
pub fn verdict(
    wanted: &Wanted<'_>,
    rules: &RulesRecord,
    given: &[ApprovalRecord],
    now: Timestamp,
) -> Verdict {
    let mut holds = timed(wanted, rules, now);
    let mut until = (!holds.is_empty())
        .then(|| first_allowed(wanted, rules, now))
        .flatten();
    let mut approvals = None;
    for (scope, rule) in approval_rules(wanted, rules) {
        let state = approval::state(wanted, rule, given, &rules.approvers);
        if let Some(hold) = approval::hold(wanted, scope, &state, &rules.approvers) {
            holds.push(hold);
            until = None;
        }
        // The one that more is missing of is the one to show.
        let missing = |state: &ApprovalState| approval::missing(state);
        if approvals
            .as_ref()
            .is_none_or(|shown| missing(&state) > missing(shown))
        {
            approvals = Some(state);
        }
    }
    Verdict {
        holds,
        approvals,
        until,
    }
}

/// The first time at which lock, freezes and windows all allow, if time alone leads there.
fn first_allowed(wanted: &Wanted<'_>, rules: &RulesRecord, now: Timestamp) -> Option<Timestamp> {
    let ends = rules.freezes.iter().map(|freeze| freeze.until);
    let ends = ends.chain(rules.lock.iter().map(|lock| lock.until));
    let last = ends.flatten().max().map_or(now, |end| end.max(now));
    let mut time = now;
    for _ in 0..STEPS {
        let holds = timed(wanted, rules, time);
        if holds.is_empty() {
            return Some(time);
        }
        let allowed: Option<Vec<Timestamp>> = holds.iter().map(|hold| hold.allowed_at).collect();
        let next = allowed?.into_iter().max()?;
        if next <= time || next.duration_since(last) > HORIZON {
            return None;
        }
        time = next;
    }
    None
}

/// A time for people who may live anywhere: `Mon 30 Nov 2026 09:00 UTC`.
fn shown(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%a %-d %b %Y %H:%M UTC")
        .to_string()
}

#[cfg(test)]
mod tests;
