//! What is wrong with a job set that no schema can say: dependencies on groups that are not there
//! or in a circle, host names that are too long, variables that are taken.

use std::collections::BTreeMap;

use super::{PinterestJobSet, PinterestJobSetSpec, job_name};
use crate::config::Violation;
use crate::run;

/// Longest host name, in characters.
const HOST_LIMIT: usize = 63;

/// Variables that every member gets.
pub(super) const VARIABLES: &[&str] = &[
    "HERMEZ_WORKLOAD",
    "HERMEZ_GROUP",
    "HERMEZ_REPLICA",
    "HERMEZ_REPLICAS",
    "HERMEZ_INDEX",
    "HERMEZ_COMPLETIONS",
    "HERMEZ_HOST",
    "HERMEZ_ATTEMPT",
    "HERMEZ_RUN",
    "JOB_COMPLETION_INDEX",
];

/// Everything that is wrong, in the order of the spec.
pub(super) fn violations(set: &PinterestJobSet) -> Vec<Violation> {
    let spec = &set.spec;
    let mut violations = run::reserved_configs(&spec.configs, VARIABLES);
    let name = set.metadata.name.as_deref().unwrap_or_default();
    for (at, group) in spec.replicatedjobs.iter().enumerate() {
        let place = format!("spec.replicatedjobs[{at}]");
        let template = format!("{place}.template");
        violations.extend(run::reserved(&group.template, &template, VARIABLES));
        let job = job_name(name, &group.name, group.replicas - 1);
        let host = format!("{job}-{}", group.completions() - 1);
        if host.len() > HOST_LIMIT {
            violations.push(Violation {
                field: format!("{place}.name"),
                message: format!(
                    "the host name {host} would have {} characters, and may have {HOST_LIMIT}",
                    host.len()
                ),
                hint: Some("shorten the group's name or the workload's".into()),
            });
        }
    }
    violations.extend(dependencies(spec));
    if let Some(policy) = &spec.failurepolicy {
        for (at, rule) in policy.rules.iter().enumerate() {
            for (number, group) in rule.groups.iter().enumerate() {
                let field = format!("spec.failurepolicy.rules[{at}].groups[{number}]");
                violations.extend(unknown(spec, field, group));
            }
        }
    }
    violations
}

/// A group that is named and not there.
fn unknown(spec: &PinterestJobSetSpec, field: String, name: &str) -> Option<Violation> {
    let known: Vec<&str> = (spec.replicatedjobs.iter())
        .map(|group| group.name.as_str())
        .collect();
    (!known.contains(&name)).then(|| Violation {
        field,
        message: format!("there is no group \"{name}\""),
        hint: Some(format!("the groups are {}", known.join(", "))),
    })
}

fn dependencies(spec: &PinterestJobSetSpec) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, group) in spec.replicatedjobs.iter().enumerate() {
        for (number, dependency) in group.dependson.iter().enumerate() {
            let field = format!("spec.replicatedjobs[{at}].dependson[{number}].name");
            violations.extend(unknown(spec, field, &dependency.name));
        }
    }
    violations.extend(circle(spec));
    violations
}

/// The first circle of dependencies, at the dependency that closes it.
fn circle(spec: &PinterestJobSetSpec) -> Option<Violation> {
    let places: BTreeMap<&str, usize> = (spec.replicatedjobs.iter().enumerate())
        .map(|(at, group)| (group.name.as_str(), at))
        .collect();
    // Groups from which every way has been followed to its end.
    let mut done = vec![false; spec.replicatedjobs.len()];
    for begin in 0..spec.replicatedjobs.len() {
        // The way so far: each group, and which of its dependencies is next.
        let mut way = vec![(begin, 0)];
        while let Some((at, next)) = way.last_mut() {
            let group = &spec.replicatedjobs[*at];
            let Some(dependency) = group.dependson.get(*next) else {
                done[*at] = true;
                way.pop();
                continue;
            };
            let field = format!("spec.replicatedjobs[{at}].dependson[{next}].name");
            *next += 1;
            let Some(&to) = places.get(dependency.name.as_str()) else {
                continue;
            };
            if let Some(back) = way.iter().position(|(passed, _)| *passed == to) {
                let names = way[back..].iter().map(|(at, _)| *at).chain([to]);
                let names = names.map(|at| spec.replicatedjobs[at].name.as_str());
                let names: Vec<&str> = names.collect();
                let message = format!("the groups wait for each other: {}", names.join(" → "));
                return Some(Violation {
                    field,
                    message,
                    hint: Some("take one of these dependencies out".into()),
                });
            }
            if !done[to] {
                way.push((to, 0));
            }
        }
    }
    None
}
