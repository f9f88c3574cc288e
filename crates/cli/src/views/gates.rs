//! Health gates.

use hermez_api::{Comparison, HealthGates, MetricCheck, WorkloadGates};

use super::{Page, dash};

fn check(check: &MetricCheck) -> String {
    let sign = match check.comparison {
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::More => ">",
        Comparison::AtLeast => ">=",
    };
    let limit = match (check.threshold, check.relative_to_old_percent) {
        (Some(threshold), _) => threshold.to_string(),
        (None, Some(percent)) => format!("{percent} % of the old version's"),
        (None, None) => dash(),
    };
    format!(
        "{} {sign} {limit} for {} s: {}",
        check.name, check.for_seconds, check.query
    )
}

/// When new versions have succeeded, and what becomes of those that have not.
pub fn settings(workload: &str, gates: &HealthGates) -> String {
    let back = if gates.auto_rollback {
        "by itself"
    } else {
        "by hand"
    };
    format!(
        "New versions of {workload} have succeeded when {}. A deploy that fails is rolled back {back}.",
        conditions(gates)
    )
}

/// What new versions must pass, as the end of a sentence.
fn conditions(gates: &HealthGates) -> String {
    let mut parts = vec!["all pods are ready".to_owned()];
    if gates.ready_seconds > 0 {
        parts[0] = format!("all pods have been ready for {} s", gates.ready_seconds);
    }
    if let Some(most) = gates.max_restarts {
        parts.push(format!("they restarted at most {most} times"));
    }
    if !gates.checks.is_empty() {
        let names: Vec<_> = gates.checks.iter().map(|it| it.name.as_str()).collect();
        parts.push(format!("{} are right", names.join(", ")));
    }
    parts.join(", and ")
}

/// The gates of a workload.
pub fn show(set: &WorkloadGates, page: &Page) -> String {
    let gates = &set.gates;
    let ready = if set.is_default {
        format!(
            "{} s, where a container has no readiness probe (nothing is set)",
            gates.ready_seconds
        )
    } else {
        format!("{} s", gates.ready_seconds)
    };
    let restarts = gates
        .max_restarts
        .map_or_else(dash, |most| format!("at most {most}"));
    let rollback = if gates.auto_rollback {
        "by itself, when a deploy fails"
    } else {
        "by hand"
    };
    let mut facts = vec![
        ("Stay ready", ready),
        ("Restarts", restarts),
        ("Roll back", rollback.to_owned()),
    ];
    facts.extend(gates.checks.iter().map(|it| ("Check", check(it))));
    if let (Some(by), Some(at)) = (&set.changed_by, set.changed_at) {
        facts.push(("Changed", format!("by {by} {}", page.ago(at))));
    }
    page.facts(&facts)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, page};
    use super::*;

    #[test]
    fn gates_are_shown() {
        let set = WorkloadGates {
            gates: HealthGates {
                ready_seconds: 30,
                max_restarts: Some(0),
                checks: vec![MetricCheck {
                    name: "errors".to_owned(),
                    query: "sum(rate(errors[1m]))".to_owned(),
                    comparison: Comparison::AtMost,
                    threshold: None,
                    relative_to_old_percent: Some(120.0),
                    for_seconds: 60,
                }],
                auto_rollback: true,
            },
            is_default: false,
            has_prometheus: true,
            changed_by: Some("ada".to_owned()),
            changed_at: Some(at("2026-11-23T11:30:00Z")),
        };
        insta::assert_snapshot!(show(&set, &page()));
        assert_eq!(
            settings("hello", &set.gates),
            "New versions of hello have succeeded when all pods have been ready for 30 s, and they restarted at most 0 times, and errors are right. A deploy that fails is rolled back by itself."
        );
        let by_hand = settings("hello", &HealthGates::default());
        assert!(by_hand.ends_with("is rolled back by hand."), "{by_hand}");
    }
}
