use hermez_api::{DeployWindow, Freeze, FreezeException, HoldingRule, Weekday, WorkloadLock};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    // A Friday, 15:00 UTC.
    let friday: Timestamp = "2026-11-27T15:00:00Z".parse().expect("a time");
    friday + SignedDuration::from_secs(second)
}

fn mk_wanted() -> Wanted<'static> {
    Wanted {
        kind: DeployKind::Regular,
        by: "bob",
        workload: "hello",
        project: "demo",
        deploy_id: Some(7),
        commit: "c1",
        manifest: Some("m1"),
    }
}

fn mk_lock(until: Option<i64>) -> WorkloadLock {
    WorkloadLock {
        by: "ada".to_owned(),
        at: at(-3600),
        until: until.map(at),
        reason: "a migration".to_owned(),
    }
}

fn mk_freeze(project: Option<&str>, from: i64, until: Option<i64>) -> Freeze {
    Freeze {
        id: 3,
        project: project.map(str::to_owned),
        from: at(from),
        until: until.map(at),
        reason: "the sale".to_owned(),
        by: "ada".to_owned(),
        created_at: at(-7200),
        ended_at: None,
        ended_by: None,
        exceptions: Vec::new(),
    }
}

fn mk_windows(days: &[Weekday], from: &str, to: &str) -> DeployWindows {
    DeployWindows {
        time_zone: "Europe/Berlin".to_owned(),
        windows: vec![DeployWindow {
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
        }],
    }
}

fn mk_approvals(count: u32, people: &[&str]) -> ApprovalRule {
    ApprovalRule {
        count,
        people: names(people),
        role: None,
        rollback_needs_approval: false,
    }
}

fn mk_given(by: &str) -> ApprovalRecord {
    ApprovalRecord {
        by: by.to_owned(),
        role: "owner".to_owned(),
        at: at(0),
        comment: None,
        commit: "c1".to_owned(),
        manifest: None,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

fn with_own(own: ScopeRules) -> RulesRecord {
    RulesRecord {
        own,
        approvers: names(&["ada", "bob", "eve"]),
        ..RulesRecord::default()
    }
}

fn message(rules: &RulesRecord, now: i64) -> Option<String> {
    let found = verdict(&mk_wanted(), rules, &[], at(now));
    found.held().map(|held| held.message)
}

#[test]
fn without_rules_everything_may_begin() {
    let found = verdict(&mk_wanted(), &RulesRecord::default(), &[], at(0));
    assert_eq!(found, Verdict::default());
}

#[test]
fn a_window_says_when_it_opens() {
    use Weekday::{Fri, Mon, Thu, Tue, Wed};
    let rules = with_own(ScopeRules {
        windows: Some(mk_windows(&[Mon, Tue, Wed, Thu, Fri], "09:00", "17:00")),
        ..ScopeRules::default()
    });
    assert_eq!(message(&rules, 0), None, "16:00 in Berlin");
    let later = verdict(&mk_wanted(), &rules, &[], at(7200));
    let held = later.held().expect("it is closed");
    assert_eq!(
        held.message,
        "outside the deploy window Mon-Fri 09:00-17:00 Europe/Berlin; opens Mon 30 Nov 09:00 CET"
    );
    assert_eq!(held.rule, HoldingRule::Window);
    let monday: Timestamp = "2026-11-30T08:00:00Z".parse().expect("a time");
    assert_eq!(
        (held.until, later.look_again_at()),
        (Some(monday), Some(monday))
    );
}

#[test]
fn a_freeze_says_who_and_until_when() {
    let mut rules = RulesRecord {
        freezes: vec![mk_freeze(Some("demo"), -60, Some(3600))],
        ..RulesRecord::default()
    };
    assert_eq!(
        message(&rules, 0).as_deref(),
        Some("project demo is frozen by ada until Fri 27 Nov 2026 16:00 UTC: the sale")
    );
    assert_eq!(message(&rules, 3600), None, "it is over");
    assert_eq!(message(&rules, -61), None, "it has not begun");
    rules.freezes = vec![mk_freeze(None, -60, None)];
    let found = verdict(&mk_wanted(), &rules, &[], at(0));
    let held = found.held().expect("it is frozen");
    assert_eq!(
        held.message,
        "everything is frozen by ada since Fri 27 Nov 2026 14:59 UTC, without an end: the sale"
    );
    assert_eq!(
        held.hint.as_deref(),
        Some("ask ada for an exception: hermez freeze except 3 --deploy 7 --reason WHY")
    );
    assert_eq!((held.until, found.look_again_at()), (None, None));
    for (workload, deploy_id, passes) in [
        ("hello", None, true),
        ("hello", Some(7), true),
        ("hello", Some(8), false),
        ("other", None, false),
    ] {
        let exception = FreezeException {
            workload: workload.to_owned(),
            deploy_id,
            reason: "the fix".to_owned(),
            by: "ada".to_owned(),
            at: at(0),
        };
        rules.freezes[0].exceptions = vec![exception];
        let held = message(&rules, 0);
        assert_eq!(held.is_none(), passes, "{workload} {deploy_id:?}");
    }
    rules.freezes = vec![mk_freeze(Some("other"), -60, None)];
    assert_eq!(message(&rules, 0), None);
}

#[test]
fn a_lock_holds_everybody_else_and_everything() {
    let rules = RulesRecord {
        lock: Some(mk_lock(None)),
        ..RulesRecord::default()
    };
    assert_eq!(
        message(&rules, 0).as_deref(),
        Some("locked by ada since Fri 27 Nov 2026 14:00 UTC: a migration")
    );
    let own = Wanted {
        by: "ada",
        ..mk_wanted()
    };
    assert!(verdict(&own, &rules, &[], at(0)).holds.is_empty());
    let rollback = Wanted {
        kind: DeployKind::Rollback,
        ..mk_wanted()
    };
    assert!(!verdict(&rollback, &rules, &[], at(0)).holds.is_empty());
    // What the owner's own deploy has broken comes back by itself.
    let automatic = Wanted {
        by: crate::gates::AUTOMATIC,
        ..rollback
    };
    assert!(verdict(&automatic, &rules, &[], at(0)).holds.is_empty());
    let ends = RulesRecord {
        lock: Some(mk_lock(Some(60))),
        ..RulesRecord::default()
    };
    let found = verdict(&mk_wanted(), &ends, &[], at(0));
    assert_eq!(found.until, Some(at(60)));
    assert_eq!(message(&ends, 60), None);
}

#[test]
fn approvals_count_once_for_exactly_this_and_never_ones_own() {
    let rules = with_own(ScopeRules {
        approvals: Some(mk_approvals(2, &["ada", "bob", "eve"])),
        ..ScopeRules::default()
    });
    let held = |given: &[ApprovalRecord]| verdict(&mk_wanted(), &rules, given, at(0)).held();
    let none = held(&[]).expect("it waits");
    assert_eq!(none.message, "waits for 2 of 2 approvals (from: ada, eve)");
    assert_eq!(none.until, None);
    let one = held(&[mk_given("ada"), mk_given("ada"), mk_given("bob")]).expect("it waits");
    assert_eq!(one.message, "waits for 1 of 2 approvals (from: eve)");
    let state = one.approvals.expect("it needs some");
    assert_eq!((state.needed, state.given.len()), (2, 1));
    assert_eq!(held(&[mk_given("ada"), mk_given("eve")]), None);
    let other_commit = ApprovalRecord {
        commit: "c2".to_owned(),
        ..mk_given("eve")
    };
    let other_manifest = ApprovalRecord {
        manifest: Some("m2".to_owned()),
        ..mk_given("eve")
    };
    for other in [other_commit, other_manifest, mk_given("mallory")] {
        assert!(held(&[mk_given("ada"), other]).is_some());
    }
    // Two may approve and three are wanted of them: it says so instead of waiting for ever.
    let rules = with_own(ScopeRules {
        approvals: Some(mk_approvals(2, &["ada", "bob"])),
        ..ScopeRules::default()
    });
    let stuck = verdict(&mk_wanted(), &rules, &[], at(0)).held();
    let stuck = stuck.expect("it waits").message;
    assert!(stuck.contains("too few people may approve what bob asked for"));
}

#[test]
fn who_may_not_approve_by_their_role_is_not_waited_for() {
    let stuck = |rule: ApprovalRule| {
        let rules = RulesRecord {
            own: ScopeRules {
                approvals: Some(rule),
                ..ScopeRules::default()
            },
            approvers: names(&["ada", "bob"]),
            ..RulesRecord::default()
        };
        let held = verdict(&mk_wanted(), &rules, &[], at(0)).held();
        let held = held.expect("it waits");
        let is_stuck = held.message.contains("too few people may approve");
        let hint = held.hint.unwrap_or_default();
        assert_eq!(hint.contains("ask somebody else"), is_stuck, "{hint}");
        is_stuck
    };
    let of_owners = |count| ApprovalRule {
        role: Some("owner".to_owned()),
        ..mk_approvals(count, &[])
    };
    // Bob asks, so of the two owners only ada is left; eve is a viewer.
    assert!(stuck(of_owners(2)));
    assert!(!stuck(of_owners(1)));
    assert!(stuck(mk_approvals(2, &["ada", "bob", "eve"])));
    assert!(stuck(mk_approvals(1, &["eve"])));
    assert!(!stuck(mk_approvals(1, &["ada", "eve"])));
}

#[test]
fn the_end_of_what_lasts_long_is_told() {
    let end = 500 * 24 * 3600;
    let mut rules = RulesRecord {
        freezes: vec![mk_freeze(None, -60, Some(end))],
        ..RulesRecord::default()
    };
    let until = |rules: &RulesRecord| verdict(&mk_wanted(), rules, &[], at(0)).until;
    assert_eq!(until(&rules), Some(at(end)));
    // It ends on a Monday; the window opens on the Saturday after.
    rules.own.windows = Some(mk_windows(&[Weekday::Sat], "09:00", "17:00"));
    let opens: Timestamp = "2028-04-15T07:00:00Z".parse().expect("a time");
    assert_eq!(until(&rules), Some(opens));
    rules.freezes.clear();
    rules.lock = Some(mk_lock(Some(end)));
    assert_eq!(until(&rules), Some(opens));
}

#[test]
fn a_role_approves_and_a_rollback_where_it_is_asked_for() {
    let rule = ApprovalRule {
        role: Some("owner".to_owned()),
        ..mk_approvals(1, &[])
    };
    let of = |rule: &ApprovalRule| {
        with_own(ScopeRules {
            approvals: Some(rule.clone()),
            ..ScopeRules::default()
        })
    };
    let rules = of(&rule);
    assert_eq!(
        message(&rules, 0).as_deref(),
        Some("waits for 1 of 1 approvals (from: anybody with the role owner)")
    );
    let given = [mk_given("eve")];
    assert!(
        verdict(&mk_wanted(), &rules, &given, at(0))
            .holds
            .is_empty()
    );
    let rollback = Wanted {
        kind: DeployKind::Rollback,
        ..mk_wanted()
    };
    assert!(verdict(&rollback, &rules, &[], at(0)).holds.is_empty());
    let strict = of(&ApprovalRule {
        rollback_needs_approval: true,
        ..rule
    });
    assert!(!verdict(&rollback, &strict, &[], at(0)).holds.is_empty());
    let restart = Wanted {
        kind: DeployKind::Restart,
        ..mk_wanted()
    };
    assert!(verdict(&restart, &strict, &[], at(0)).holds.is_empty());
}

#[test]
fn several_rules_are_all_said_and_end_together() {
    let rules = RulesRecord {
        own: ScopeRules {
            windows: Some(mk_windows(&[Weekday::Sat], "09:00", "17:00")),
            approvals: Some(mk_approvals(1, &["ada"])),
            ..ScopeRules::default()
        },
        // Until Saturday, 13:00 UTC.
        freezes: vec![mk_freeze(None, 0, Some(22 * 3600))],
        approvers: names(&["ada", "bob"]),
        ..RulesRecord::default()
    };
    let found = verdict(&mk_wanted(), &rules, &[], at(0));
    let held = found.held().expect("it is held");
    assert_eq!(held.rule, HoldingRule::Freeze);
    assert_eq!(held.message.matches("; ").count(), 3, "{}", held.message);
    assert_eq!(held.until, None, "somebody has to approve");
    let approved = verdict(&mk_wanted(), &rules, &[mk_given("ada")], at(0));
    assert_eq!(approved.until, Some(at(22 * 3600)));
}

fn any_rules() -> impl Strategy<Value = RulesRecord> {
    let span = || (-100_000_i64..100_000, prop::option::of(1_i64..200_000));
    let windows = || {
        let days = prop::sample::subsequence(vec![Weekday::Mon, Weekday::Fri, Weekday::Sat], 1..=3);
        prop::option::of((days, 0_u8..12, 12_u8..24).prop_map(|(days, from, to)| {
            mk_windows(&days, &format!("{from:02}:00"), &format!("{to:02}:30"))
        }))
    };
    let approvals = prop::option::of((1_u32..3).prop_map(|it| mk_approvals(it, &["ada", "eve"])));
    let project = prop::option::of(prop::sample::select(vec!["demo", "other"]));
    let freezes = prop::collection::vec((project, span()), 0..3);
    let lock = prop::option::of(prop::option::of(-1000_i64..100_000));
    (windows(), windows(), approvals, freezes, lock).prop_map(
        |(own, of_project, approvals, freezes, lock)| RulesRecord {
            own: ScopeRules {
                windows: own,
                approvals,
                ..ScopeRules::default()
            },
            of_project: ScopeRules {
                windows: of_project,
                ..ScopeRules::default()
            },
            freezes: freezes
                .into_iter()
                .map(|(project, (from, length))| {
                    mk_freeze(project, from, length.map(|length| from + length))
                })
                .collect(),
            lock: lock.map(mk_lock),
            approvers: names(&["ada", "bob", "eve"]),
        },
    )
}

proptest! {
    /// When the time that is told has come the deploy may begin, and not a moment before.
    #[test]
    fn what_is_told_comes_true(rules in any_rules(), second in -1000_i64..700_000) {
        let now = at(second);
        let found = verdict(&mk_wanted(), &rules, &[mk_given("ada"), mk_given("eve")], now);
        if let Some(until) = found.until {
            prop_assert!(until > now);
            let given = [mk_given("ada"), mk_given("eve")];
            let then = verdict(&mk_wanted(), &rules, &given, until);
            prop_assert!(then.holds.is_empty(), "{:?}", then.holds);
            let before = until - SignedDuration::from_nanos(1);
            prop_assert!(!verdict(&mk_wanted(), &rules, &given, before).holds.is_empty());
        }
        for hold in &found.holds {
            prop_assert!(hold.allowed_at.is_none_or(|at| at > now), "{hold:?}");
            prop_assert!(!hold.message.is_empty());
        }
    }

    /// Fewer rules and more approvals never hold more; nobody passes somebody else's lock; a
    /// rollback is held by nothing but a lock.
    #[test]
    fn rules_only_take_away(rules in any_rules(), second in -1000_i64..700_000, push: bool) {
        let now = at(second);
        let by = if push { "push" } else { "bob" };
        let wanted = Wanted { by, ..mk_wanted() };
        let all = verdict(&wanted, &rules, &[], now);
        let approved = verdict(&wanted, &rules, &[mk_given("ada"), mk_given("eve")], now);
        prop_assert!(approved.holds.len() <= all.holds.len());
        let mut fewer = rules.clone();
        fewer.freezes.pop();
        fewer.own.windows = None;
        let fewer = verdict(&wanted, &fewer, &[], now);
        prop_assert!(fewer.holds.iter().all(|hold| all.holds.contains(hold)));
        let locked = rules.lock.as_ref().is_some_and(|it| lock::is_on(it, now));
        let says = |found: &Verdict| found.holds.iter().any(|it| it.rule == HoldingRule::Lock);
        prop_assert_eq!(says(&all), locked);
        let rollback = Wanted { kind: DeployKind::Rollback, ..wanted };
        let rollback = verdict(&rollback, &rules, &[], now);
        prop_assert_eq!(rollback.holds.len(), usize::from(locked));
        let ada = Wanted { by: "ada", ..wanted };
        prop_assert!(!says(&verdict(&ada, &rules, &[], now)));
    }
}
