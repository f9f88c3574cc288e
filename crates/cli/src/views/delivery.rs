//! How well delivery goes.

use std::fmt::Write as _;

use hermez_api::DeliveryPerformance;
use jiff::SignedDuration;

use super::{Page, duration};

/// Longest bar, in characters.
const BAR: i64 = 30;

/// So many of a thing.
fn counted(count: i64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// A length of time, also one of days.
fn long(millis: i64) -> String {
    let days = millis / 86_400_000;
    if days < 2 {
        return duration(SignedDuration::from_millis(millis));
    }
    format!("{days} d {} h", millis % 86_400_000 / 3_600_000)
}

/// The figures, and a bar for each week.
pub fn show(figures: &DeliveryPerformance, page: &Page) -> String {
    let too_few = |cases: String| format!("not known yet: {cases}, {} are needed", figures.enough);
    let DeliveryPerformance {
        deployment_frequency: frequency,
        lead_time: lead,
        change_failure_rate: failures,
        time_to_restore: restore,
        ..
    } = figures;
    let deploys = counted(frequency.deploys, "deploy", "deploys");
    let often = match frequency.per_week {
        Some(per_week) => format!("{per_week:.1} a week ({deploys})"),
        None => format!("not known in the first week: {deploys}"),
    };
    let mut changes = counted(lead.changes, "change", "changes");
    if lead.unknown > 0 {
        let _ = write!(
            changes,
            ", and {} whose commit's time is not known",
            lead.unknown
        );
    }
    let fast = match (lead.median_ms, lead.p90_ms) {
        (Some(median), Some(p90)) => {
            format!("median {}, p90 {} ({changes})", long(median), long(p90))
        }
        _ => too_few(changes),
    };
    let of = counted(failures.deploys, "deploy", "deploys");
    let safe = match failures.rate {
        Some(rate) => format!("{:.0} % ({} of {of})", rate * 100.0, failures.failed),
        None => too_few(format!("{} of {of}", failures.failed)),
    };
    let incidents = counted(restore.incidents, "incident", "incidents");
    let mut soon = match restore.median_ms {
        Some(median) => format!("median {} ({incidents})", long(median)),
        None => too_few(incidents),
    };
    if restore.open > 0 {
        let _ = write!(soon, "; {} not over", restore.open);
    }
    let mut span = format!(
        "{} to {}",
        page.date(figures.since),
        page.date(figures.until)
    );
    if !figures.complete {
        span.push_str(" (there are more deploys than are looked at)");
    }
    let mut text = page.facts(&[
        ("Span", span),
        ("Deployment frequency", often),
        ("Lead time for changes", fast),
        ("Change failure rate", safe),
        ("Time to restore", soon),
    ]);
    text.push_str("\nDeploys by week:\n");
    let most = figures.weeks.iter().map(|week| week.deploys).max();
    let most = most.unwrap_or(0).max(1);
    for week in &figures.weeks {
        let length = (week.deploys * BAR).div_euclid(most.max(BAR));
        let length = length.max(week.deploys.min(1));
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        // Weeks are cut in UTC, whatever the reader's zone.
        let _ = write!(
            text,
            "  {}  {bar:30}  {}",
            week.begins.strftime("%Y-%m-%d"),
            week.deploys
        );
        if week.failed > 0 {
            let _ = write!(text, ", {} failed", week.failed);
        }
        if week.rollbacks > 0 {
            let _ = write!(text, ", {} rolled back", week.rollbacks);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use hermez_api::{
        ChangeFailureRate, DeliveryWeek, DeploymentFrequency, LeadTime, TimeToRestore,
    };

    use super::super::tests::{at, page};
    use super::*;

    fn figures() -> DeliveryPerformance {
        let week = |begins: &str, deploys, failed, rollbacks| DeliveryWeek {
            begins: at(begins),
            deploys,
            failed,
            rollbacks,
        };
        DeliveryPerformance {
            since: at("2026-11-09T12:00:00Z"),
            until: at("2026-11-23T12:00:00Z"),
            enough: 3,
            complete: true,
            deployment_frequency: DeploymentFrequency {
                deploys: 47,
                per_week: Some(23.5),
            },
            lead_time: LeadTime {
                changes: 40,
                unknown: 2,
                median_ms: Some(125_000),
                p90_ms: Some(3 * 86_400_000 + 3_600_000),
            },
            change_failure_rate: ChangeFailureRate {
                deploys: 50,
                failed: 5,
                rate: Some(0.1),
            },
            time_to_restore: TimeToRestore {
                incidents: 1,
                open: 1,
                median_ms: None,
            },
            weeks: vec![
                week("2026-11-09T00:00:00Z", 45, 5, 1),
                week("2026-11-16T00:00:00Z", 0, 0, 0),
                week("2026-11-23T00:00:00Z", 2, 0, 0),
            ],
        }
    }

    #[test]
    fn figures_stand_with_the_cases_behind_them() {
        insta::assert_snapshot!(show(&figures(), &page()));
    }

    #[test]
    fn too_few_cases_are_said_to_be_too_few() {
        let mut few = figures();
        few.deployment_frequency = DeploymentFrequency {
            deploys: 1,
            per_week: None,
        };
        few.lead_time = LeadTime {
            changes: 1,
            unknown: 0,
            median_ms: None,
            p90_ms: None,
        };
        few.change_failure_rate.rate = None;
        let text = show(&few, &page());
        for wanted in [
            "not known in the first week: 1 deploy",
            "not known yet: 1 change, 3 are needed",
        ] {
            assert!(text.contains(wanted), "`{wanted}` is missing: {text}");
        }
    }
}
