//! A version that fails and one that mends it, and DORA's four figures of all that was done until then.

use anyhow::{Context, Result};
use hermez_api::{
    ChangeFailureRate, DeliveryPerformance, Deploy, DeployKind, DeployState, DeploySummary,
    DeploymentFrequency, LeadTime, TimeToRestore,
};

use super::Back;
use crate::sandbox::unique;

/// What this journey does until it looks at the figures, oldest first.
const DONE: [(DeployKind, DeployState); 9] = [
    // The first page, and the second, which is left.
    (DeployKind::Regular, DeployState::Succeeded),
    (DeployKind::Regular, DeployState::Succeeded),
    (DeployKind::Rollback, DeployState::Succeeded),
    // The second page in spite of its mark, which is left again.
    (DeployKind::Regular, DeployState::Succeeded),
    (DeployKind::Rollback, DeployState::Succeeded),
    // The first page once more, as it was.
    (DeployKind::Restart, DeployState::Succeeded),
    (DeployKind::Regular, DeployState::Succeeded),
    // The broken page, and the mended one.
    (DeployKind::Regular, DeployState::Failed),
    (DeployKind::Regular, DeployState::Succeeded),
];

/// The figures that come of [`DONE`].
struct Wanted {
    frequency: DeploymentFrequency,
    lead: LeadTime,
    failures: ChangeFailureRate,
    restore: TimeToRestore,
}

impl Back {
    /// A push whose pods crash fails; what the next one brings out runs.
    pub(super) async fn fail_and_mend(&self) -> Result<()> {
        let crashes = "FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"exit 3\"]\n";
        self.stage.clone.write("Dockerfile", crashes)?;
        let broken = self.push("Broken page").await?;
        let broken = self.stage.ends(broken.id, DeployState::Failed).await?;
        anyhow::ensure!(
            broken.failure_cause.as_deref() == Some("crash_loop"),
            "{broken:#?}"
        );
        self.write(2, "mended\n")?;
        let mended = self.push("Mended page").await?;
        self.succeeds(mended.id).await?;
        Ok(())
    }

    /// The figures of the workload, and those of its project, which has no other, are of what was done.
    pub(super) async fn measure(&self) -> Result<()> {
        let mut done = self.history("?limit=200").await?;
        done.reverse();
        let did: Vec<_> = done.iter().map(|it| (it.kind, it.state)).collect();
        anyhow::ensure!(did == DONE, "{did:?}");
        let wanted = self.wanted(&done).await?;
        for of in ["workloads", "projects"] {
            let path = format!("/{of}/{}/delivery-performance", self.stage.name);
            let figures: DeliveryPerformance =
                self.stage.hermez.get(&format!("{path}?days=1")).await?;
            check(&figures, &wanted).with_context(|| format!("{of}: {figures:#?}"))?;
            for days in ["0", "366", "many"] {
                self.unread(&format!("{path}?days={days}"), 400, "days")
                    .await?;
            }
        }
        let nowhere = unique("nowhere");
        let path = format!("/projects/{nowhere}/delivery-performance");
        self.unread(&path, 404, &nowhere).await
    }

    /// What the figures of these deploys must be, by their own times and those of their commits.
    async fn wanted(&self, done: &[DeploySummary]) -> Result<Wanted> {
        let [first, second, back, again, back_again, _, _, broken, mended] = done else {
            anyhow::bail!("{done:?}");
        };
        let mut lead = [
            self.lead_ms(first).await?,
            self.lead_ms(second).await?,
            self.lead_ms(mended).await?,
        ];
        let mut restore = [
            self.restore_ms(second, back).await?,
            self.restore_ms(again, back_again).await?,
            self.restore_ms(broken, mended).await?,
        ];
        lead.sort_unstable();
        restore.sort_unstable();
        Ok(Wanted {
            // A workload that is younger than a week has none for a week.
            frequency: DeploymentFrequency {
                deploys: 5,
                per_week: None,
            },
            lead: LeadTime {
                changes: 3,
                unknown: 0,
                median_ms: Some(lead[1]),
                p90_ms: Some(lead[2]),
            },
            failures: ChangeFailureRate {
                deploys: 6,
                failed: 3,
                rate: Some(0.5),
            },
            restore: TimeToRestore {
                incidents: 3,
                open: 0,
                median_ms: Some(restore[1]),
            },
        })
    }

    /// From a deploy's commit to its end.
    async fn lead_ms(&self, deploy: &DeploySummary) -> Result<i64> {
        let commits = self.stage.hermez.commits(&self.stage.name).await?;
        let commit = commits.iter().find(|commit| commit.id == deploy.commit);
        let committed = commit.context("its commit")?.committed_at;
        let finished = deploy.finished_at.context("it ended")?;
        Ok(finished.as_millisecond() - committed.as_millisecond())
    }

    /// From when a bad version was written to the cluster to the end of the next good deploy.
    async fn restore_ms(&self, bad: &DeploySummary, good: &DeploySummary) -> Result<i64> {
        let path = format!("/deploys/{}", bad.id);
        let bad: Deploy = self.stage.hermez.get(&path).await?;
        let mut stretches = bad.stretches.iter();
        let written = stretches.find(|it| it.state == DeployState::RollingOut);
        let written = written.context("it was written to the cluster")?.began_at;
        let finished = good.finished_at.context("it ended")?;
        Ok(finished.as_millisecond() - written.as_millisecond())
    }
}

fn check(figures: &DeliveryPerformance, wanted: &Wanted) -> Result<()> {
    anyhow::ensure!(figures.complete && figures.enough == 3, "not all of it");
    anyhow::ensure!(
        figures.deployment_frequency == wanted.frequency,
        "how often: not {:?}",
        wanted.frequency
    );
    anyhow::ensure!(
        figures.lead_time == wanted.lead,
        "how long from the commit: not {:?}",
        wanted.lead
    );
    anyhow::ensure!(
        figures.change_failure_rate == wanted.failures,
        "how many fail: not {:?}",
        wanted.failures
    );
    anyhow::ensure!(
        figures.time_to_restore == wanted.restore,
        "how long until it runs again: not {:?}",
        wanted.restore
    );
    let weeks = figures.weeks.iter();
    let weeks = weeks.fold((0, 0, 0), |(deploys, failed, rollbacks), week| {
        (
            deploys + week.deploys,
            failed + week.failed,
            rollbacks + week.rollbacks,
        )
    });
    anyhow::ensure!(weeks == (5, 3, 2), "the weeks add up to {weeks:?}");
    Ok(())
}
