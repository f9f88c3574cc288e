//! How fast an autoscaler may go, within Kubernetes' own limits.
//!
//! The definition takes any `behavior`, and the API server would refuse the autoscaler that is made
//! of it (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/>).

use std::ops::RangeInclusive;

use k8s_openapi::api::autoscaling::v2::HPAScalingRules;

use super::types::Autoscaling;
use crate::config::Violation;

/// Seconds of a stabilisation window.
const WINDOW: RangeInclusive<i32> = 0..=3_600;
/// Seconds that a policy speaks of.
const PERIOD: RangeInclusive<i32> = 1..=1_800;
/// Pods, or percent of them, in that time.
const VALUE: RangeInclusive<i32> = 1..=i32::MAX;
/// Which policy counts.
const SELECT: [&str; 3] = ["Max", "Min", "Disabled"];
/// What a policy counts in.
const TYPES: [&str; 2] = ["Pods", "Percent"];

impl Autoscaling {
    /// What is wrong with it that no schema says, each at its field of the resource.
    pub fn violations(&self) -> Vec<Violation> {
        let Some(behavior) = &self.behavior else {
            return Vec::new();
        };
        let up = behavior.scale_up.iter().map(|rules| ("scaleUp", rules));
        let down = behavior.scale_down.iter().map(|rules| ("scaleDown", rules));
        up.chain(down)
            .flat_map(|(direction, rules)| {
                of_direction(&format!("spec.autoscaling.behavior.{direction}"), rules)
            })
            .collect()
    }
}

fn of_direction(place: &str, rules: &HPAScalingRules) -> Vec<Violation> {
    let mut violations = Vec::new();
    if let Some(seconds) = rules.stabilization_window_seconds {
        let field = format!("{place}.stabilizationWindowSeconds");
        violations.extend(number(field, seconds, &WINDOW));
    }
    if let Some(select) = &rules.select_policy {
        violations.extend(word(format!("{place}.selectPolicy"), select, &SELECT));
    }
    let Some(policies) = &rules.policies else {
        return violations;
    };
    if policies.is_empty() {
        violations.push(Violation {
            field: format!("{place}.policies"),
            message: "the list is empty".to_owned(),
            hint: Some("write a policy, or leave the list out for Kubernetes' own".to_owned()),
        });
    }
    for (index, policy) in policies.iter().enumerate() {
        let place = format!("{place}.policies[{index}]");
        violations.extend(word(format!("{place}.type"), &policy.type_, &TYPES));
        let field = format!("{place}.value");
        violations.extend(number(field, policy.value, &VALUE));
        let field = format!("{place}.periodSeconds");
        violations.extend(number(field, policy.period_seconds, &PERIOD));
    }
    violations
}

fn number(field: String, found: i32, limits: &RangeInclusive<i32>) -> Option<Violation> {
    let (least, most) = (limits.start(), limits.end());
    let hint = match *most {
        i32::MAX => format!("write {least} or more"),
        most => format!("write a number from {least} to {most}"),
    };
    (!limits.contains(&found)).then(|| Violation {
        field,
        message: format!("Kubernetes does not take {found}"),
        hint: Some(hint),
    })
}

fn word(field: String, found: &str, words: &[&str]) -> Option<Violation> {
    (!words.contains(&found)).then(|| Violation {
        field,
        message: format!("Kubernetes does not know \"{found}\""),
        hint: Some(format!("write {}", words.join(" or "))),
    })
}
