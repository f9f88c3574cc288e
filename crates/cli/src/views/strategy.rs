//! Rollout strategies.

use std::fmt::Write as _;

use hermez_api::{CanaryStep, PlacementStatus, RolloutStrategy, Wave, WorkloadStrategy};

use super::{Page, dash, short};
use crate::print::cell;

fn step(step: &CanaryStep) -> String {
    let mut text = format!("{} % of the pods", step.percent);
    if step.seconds > 0 {
        let _ = write!(text, ", well for {} s", step.seconds);
    }
    if step.wait {
        text.push_str(", then promoted by somebody");
    }
    text
}

fn wave(wave: &Wave) -> String {
    let clusters = wave.clusters.join(", ");
    match wave.bake_seconds {
        0 => clusters,
        seconds => format!("{clusters}, baked for {seconds} s"),
    }
}

/// A strategy in one sentence, after "reaches".
pub fn sentence(strategy: &RolloutStrategy) -> String {
    let canary = match strategy.canary.len() {
        0 => None,
        1 => Some("a canary first".to_owned()),
        steps => Some(format!("a canary of {steps} steps first")),
    };
    let waves = match strategy.waves.len() {
        0 => "all pods of the server's own cluster".to_owned(),
        1 => wave(&strategy.waves[0]),
        waves => format!("{waves} waves, one after the other"),
    };
    match canary {
        Some(canary) => format!("{canary}, then {waves}"),
        None => waves,
    }
}

/// The rollout strategy of a workload.
pub fn show(set: &WorkloadStrategy, page: &Page) -> String {
    let strategy = &set.strategy;
    let mut facts = Vec::new();
    if strategy.canary.is_empty() {
        facts.push(("Canary", "none".to_owned()));
    }
    facts.extend(strategy.canary.iter().map(|it| ("Canary", step(it))));
    if strategy.waves.is_empty() {
        facts.push(("Waves", "the server's own cluster alone".to_owned()));
    }
    facts.extend(strategy.waves.iter().map(|it| ("Wave", cell(&wave(it)))));
    facts.push(("Clusters", cell(&set.known_clusters.join(", "))));
    if let (Some(by), Some(at)) = (&set.changed_by, set.changed_at) {
        facts.push(("Changed", format!("by {} {}", cell(by), page.ago(at))));
    }
    page.facts(&facts)
}

/// How a workload does in each of its clusters.
pub fn placements(placements: &[PlacementStatus], page: &Page) -> String {
    let rows = placements.iter().map(|it| {
        vec![
            cell(&it.cluster),
            super::health(it.health).to_owned(),
            format!("{}/{}", it.pods_ready, it.pods_desired),
            it.commit.as_deref().map_or_else(dash, short),
            cell(&it.reason),
        ]
    });
    page.table(
        &["CLUSTER", "HEALTH", "READY", "COMMIT", "REASON"],
        &[],
        rows.collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, page};
    use super::*;

    #[test]
    fn a_strategy_is_shown() {
        let set = WorkloadStrategy {
            strategy: RolloutStrategy {
                canary: vec![CanaryStep {
                    percent: 10,
                    seconds: 300,
                    wait: true,
                }],
                waves: vec![
                    Wave {
                        clusters: vec!["local".to_owned()],
                        bake_seconds: 600,
                    },
                    Wave {
                        clusters: vec!["east".to_owned(), "west".to_owned()],
                        bake_seconds: 0,
                    },
                ],
            },
            known_clusters: vec!["local".to_owned(), "east".to_owned(), "west".to_owned()],
            changed_by: Some("ada".to_owned()),
            changed_at: Some(at("2026-11-23T11:30:00Z")),
        };
        insta::assert_snapshot!(show(&set, &page()));
        assert_eq!(
            sentence(&set.strategy),
            "a canary first, then 2 waves, one after the other"
        );
    }
}
