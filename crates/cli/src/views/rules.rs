//! Rules, freezes and locks.

use std::fmt::Write as _;

use hermez_api::{
    ApprovalRule, ApprovalState, DeployWindows, Freeze, HeldDeploy, Page as List, ScopeRules,
    Weekday, WorkloadLock, WorkloadRules,
};

use super::{Page, cut, dash, more};
use crate::print::cell;

/// The role of those who may look and deploy nothing.
const LOOKS: &str = "viewer";

/// A day's short name.
fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Mon",
        Weekday::Tue => "Tue",
        Weekday::Wed => "Wed",
        Weekday::Thu => "Thu",
        Weekday::Fri => "Fri",
        Weekday::Sat => "Sat",
        Weekday::Sun => "Sun",
    }
}

/// Windows in words.
pub fn windows(windows: &DeployWindows) -> String {
    let each = windows.windows.iter().map(|window| {
        let days: Vec<_> = window.days.iter().map(|it| day(*it)).collect();
        format!("{} {}-{}", days.join(","), window.from, window.to)
    });
    let each: Vec<_> = each.collect();
    format!("{} ({})", each.join("; "), windows.time_zone)
}

/// A rule on approvals in words.
pub fn approvals(rule: &ApprovalRule) -> String {
    let from = match &rule.role {
        Some(role) => format!("anybody with the role {role}"),
        None => rule.people.join(", "),
    };
    let rollbacks = if rule.rollback_needs_approval {
        ", rollbacks too"
    } else {
        ""
    };
    match rule.count {
        1 => format!("1 approval from {from}{rollbacks}"),
        count => format!("{count} approvals from {from}{rollbacks}"),
    }
}

/// What a freeze is about.
pub fn frozen(freeze: &Freeze) -> String {
    match &freeze.project {
        Some(project) => format!("project {project}"),
        None => "everything".to_owned(),
    }
}

/// Whether a freeze has yet to begin.
pub fn is_to_come(freeze: &Freeze, page: &Page) -> bool {
    freeze.from > page.now
}

/// How long a freeze lasts; of one that is to come, from when on.
pub fn span(freeze: &Freeze, page: &Page) -> String {
    let end = end(freeze, page);
    if is_to_come(freeze, page) {
        format!("from {} {end}", page.date(freeze.from))
    } else {
        end
    }
}

/// Until when a freeze lasts.
fn end(freeze: &Freeze, page: &Page) -> String {
    match (freeze.ended_at, freeze.until) {
        (Some(at), _) => format!("until {} (ended)", page.date(at)),
        (None, Some(until)) => format!("until {}", page.date(until)),
        (None, None) => "without an end".to_owned(),
    }
}

/// The facts that are set for a workload or a project.
fn facts_of(rules: &ScopeRules, of: [&'static str; 2]) -> Vec<(&'static str, String)> {
    let [windows_of, approvals_of] = of;
    vec![
        (
            windows_of,
            rules.windows.as_ref().map_or_else(dash, windows),
        ),
        (
            approvals_of,
            rules.approvals.as_ref().map_or_else(dash, approvals),
        ),
    ]
}

/// The rules of a project.
pub fn scope(rules: &ScopeRules, page: &Page) -> String {
    let mut facts = facts_of(rules, ["Window", "Approvals"]);
    if let (Some(by), Some(at)) = (&rules.changed_by, rules.changed_at) {
        facts.push(("Changed", format!("by {by} {}", page.ago(at))));
    }
    page.facts(&facts)
}

/// The rules of a workload, and their verdict on a deploy of somebody with this role.
pub fn show(rules: &WorkloadRules, role: &str, page: &Page) -> String {
    let mut facts = vec![
        ("Workload", rules.workload.clone()),
        ("Project", rules.project.clone()),
    ];
    facts.extend(facts_of(&rules.own, ["Window", "Approvals"]));
    let of_project = ["Project's window", "Project's approvals"];
    facts.extend(facts_of(&rules.of_project, of_project));
    if let Some(lock) = &rules.lock {
        facts.push(("Lock", self::lock(lock, page)));
    }
    for freeze in &rules.freezes {
        let what = format!(
            "{}: {} {}, by {}: {}",
            freeze.id,
            frozen(freeze),
            span(freeze, page),
            freeze.by,
            freeze.reason
        );
        facts.push(("Freeze", what));
    }
    let mut text = page.facts(&facts) + "\n";
    let whose = if role == LOOKS {
        let _ = writeln!(text, "Your role, {LOOKS}, may not deploy.");
        "A"
    } else {
        "Your"
    };
    match &rules.verdict.held {
        None => {
            let _ = writeln!(text, "{whose} deploy would begin at once.");
        }
        Some(held) => {
            let _ = writeln!(text, "{whose} deploy would wait:");
            for hold in &rules.verdict.holds {
                let _ = writeln!(text, "  {}", cell(&hold.message));
            }
            if let Some(until) = held.until {
                let _ = writeln!(text, "It would go on by itself at {}.", page.date(until));
            }
            if let Some(hint) = &held.hint {
                let _ = writeln!(text, "Next: {}.", cell(hint));
            }
        }
    }
    text
}

/// What a deploy waits for, as facts.
pub fn held(held: &HeldDeploy, page: &Page) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Held", held.message.clone())];
    if let Some(until) = held.until {
        facts.push(("Goes on", page.date(until)));
    }
    if let Some(state) = &held.approvals {
        facts.push(("Approvals", given(state)));
    }
    if let Some(hint) = &held.hint {
        facts.push(("Hint", hint.clone()));
    }
    facts
}

fn given(state: &ApprovalState) -> String {
    let names: Vec<_> = state.given.iter().map(|it| it.by.as_str()).collect();
    let by = if names.is_empty() {
        String::new()
    } else {
        format!(" ({})", names.join(", "))
    };
    format!("{} of {}{by}", state.given.len(), state.needed)
}

/// The table of freezes.
pub fn freezes(freezes: &List<Freeze>, page: &Page) -> String {
    if freezes.items.is_empty() {
        return "No freezes. Make one with `hermez freeze create --reason WHY`.\n".to_owned();
    }
    let rows = freezes.items.iter().map(|freeze| {
        let exceptions = freeze.exceptions.iter().map(|it| match it.deploy_id {
            Some(id) => format!("deploy {id}"),
            None => it.workload.clone(),
        });
        let exceptions: Vec<_> = exceptions.collect();
        vec![
            freeze.id.to_string(),
            cell(&frozen(freeze)),
            page.date(freeze.from),
            end(freeze, page),
            cut(&freeze.by, 20),
            cut(&freeze.reason, 50),
            cut(&exceptions.join(", "), 40),
        ]
    });
    let header = [
        "freeze",
        "what",
        "from",
        "span",
        "by",
        "reason",
        "exceptions",
    ];
    page.table(&header, &["exceptions", "by"], rows.collect()) + &more(freezes)
}

/// Whose lock it is, until when where it comes off by itself, and why.
pub(super) fn lock(lock: &WorkloadLock, page: &Page) -> String {
    let until = lock
        .until
        .map(|until| format!(" until {}", page.date(until)));
    let until = until.unwrap_or_default();
    let ago = page.ago(lock.at);
    format!("by {} {ago}{until}: {}", lock.by, lock.reason)
}

#[cfg(test)]
mod tests {
    use hermez_api::{DeployWindow, FreezeException, Hold, HoldingRule, RuleScope, RulesVerdict};

    use super::super::tests::{at, page};
    use super::*;

    fn freeze() -> Freeze {
        Freeze {
            id: 3,
            project: Some("demo".to_owned()),
            from: at("2026-11-23T11:00:00Z"),
            until: None,
            reason: "the sale".to_owned(),
            by: "ada".to_owned(),
            created_at: at("2026-11-23T11:00:00Z"),
            ended_at: None,
            ended_by: None,
            exceptions: vec![FreezeException {
                workload: "hello".to_owned(),
                deploy_id: Some(7),
                reason: "the fix".to_owned(),
                by: "ada".to_owned(),
                at: at("2026-11-23T11:30:00Z"),
            }],
        }
    }

    #[test]
    fn rules_say_what_would_become_of_a_deploy() {
        let message = "outside the deploy window Mon-Fri 09:00-17:00 Europe/Berlin; opens Mon 30 Nov 09:00 CET";
        let opens = Some(at("2026-11-30T08:00:00Z"));
        let mut rules = WorkloadRules {
            workload: "hello".to_owned(),
            project: "demo".to_owned(),
            own: ScopeRules {
                windows: Some(DeployWindows {
                    time_zone: "Europe/Berlin".to_owned(),
                    windows: vec![DeployWindow {
                        days: vec![Weekday::Mon, Weekday::Fri],
                        from: "09:00".to_owned(),
                        to: "17:00".to_owned(),
                    }],
                }),
                ..ScopeRules::default()
            },
            of_project: ScopeRules {
                approvals: Some(ApprovalRule {
                    count: 2,
                    people: vec!["ada".to_owned(), "bob".to_owned()],
                    role: None,
                    rollback_needs_approval: true,
                }),
                ..ScopeRules::default()
            },
            freezes: vec![freeze()],
            lock: Some(WorkloadLock {
                by: "ada".to_owned(),
                at: at("2026-11-23T11:30:00Z"),
                until: None,
                reason: "a migration".to_owned(),
            }),
            verdict: RulesVerdict {
                allowed: false,
                held: Some(HeldDeploy {
                    rule: HoldingRule::Window,
                    message: message.to_owned(),
                    hint: None,
                    until: opens,
                    approvals: None,
                }),
                holds: vec![Hold {
                    rule: HoldingRule::Window,
                    scope: RuleScope::Workload,
                    message: message.to_owned(),
                    hint: None,
                    allowed_at: opens,
                }],
            },
        };
        insta::assert_snapshot!(show(&rules, "owner", &page()));
        rules.verdict = RulesVerdict {
            allowed: true,
            held: None,
            holds: Vec::new(),
        };
        let text = show(&rules, "owner", &page());
        assert!(
            text.ends_with("\nYour deploy would begin at once.\n"),
            "{text}"
        );
        let text = show(&rules, "viewer", &page());
        let end = "\nYour role, viewer, may not deploy.\nA deploy would begin at once.\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_freeze_to_come_says_from_when_on() {
        let mut freeze = freeze();
        assert_eq!(span(&freeze, &page()), "without an end");
        freeze.from = at("2026-12-20T08:00:00Z");
        assert_eq!(
            span(&freeze, &page()),
            "from 2026-12-20 08:00:00 UTC without an end"
        );
        freeze.until = Some(at("2026-12-27T08:00:00Z"));
        assert_eq!(
            span(&freeze, &page()),
            "from 2026-12-20 08:00:00 UTC until 2026-12-27 08:00:00 UTC"
        );
    }

    #[test]
    fn a_lock_says_when_it_comes_off() {
        let mut there = WorkloadLock {
            by: "ada".to_owned(),
            at: at("2026-11-23T11:30:00Z"),
            until: None,
            reason: "a migration".to_owned(),
        };
        assert_eq!(lock(&there, &page()), "by ada 30 min ago: a migration");
        there.until = Some(at("2026-11-23T14:00:00Z"));
        assert_eq!(
            lock(&there, &page()),
            "by ada 30 min ago until 2026-11-23 14:00:00 UTC: a migration"
        );
    }

    #[test]
    fn freezes_stand_in_a_table() {
        let list = List {
            items: vec![freeze()],
            next_cursor: None,
        };
        insta::assert_snapshot!(freezes(&list, &page()));
    }
}
