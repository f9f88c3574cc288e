//! A version whose pods get ready and crash a little later does not count as a success: health gates
//! see it, and bring back what ran.

use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{
    AuditEntry, CreateDeploy, Deploy, DeployKind, DeployState, DeploySummary, HealthGates, Page,
    WorkloadGates,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::hermez::{Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::stage::{LIMIT, Stage};

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let stage = Stage::open(sandbox, sandbox.hermez()?, "gates").await?;
    let gates = Gates { stage };
    let figures = gates.travel().await;
    gates.stage.clean_up().await?;
    figures
}

struct Gates {
    stage: Stage,
}

impl Gates {
    async fn travel(&self) -> Result<Value> {
        let good = self.bring_out_the_first().await?;
        self.set().await?;
        let rolled_back_ms = self.fail_and_come_back(&good).await?;
        self.fail_by_default().await?;
        Ok(json!({
            "journey": "gates",
            "failed_to_rolled_back_ms": rolled_back_ms,
        }))
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            name: &self.stage.name,
            namespace: &self.stage.name,
            replicas: 1,
            ready_after_s: 0,
            extra_step: "",
        }
    }

    /// Without a readiness probe a version is looked at for some seconds by default.
    async fn bring_out_the_first(&self) -> Result<Deploy> {
        self.sample().write(&self.stage.clone, "first\n")?;
        let config = self.sample().config();
        let (config, _) = config
            .split_once("          readinessProbe:")
            .context("the sample has a probe")?;
        self.stage.clone.write("service.yaml", config)?;
        let first = self.stage.clone.commit_and_push("First page").await?;
        self.stage
            .hermez
            .create_workload(&ask(&self.stage.url, "service.yaml"))
            .await?;
        let asked = self.deploy(&first).await?;
        let deploy = self.stage.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let at = |state| {
            let entry = deploy.timeline.iter().find(|entry| entry.state == state);
            entry.map(|entry| entry.at)
        };
        let verifying = at(DeployState::Verifying).context("it is verified")?;
        let succeeded = at(DeployState::Succeeded).context("it succeeded")?;
        let took = succeeded.duration_since(verifying);
        anyhow::ensure!(took >= SignedDuration::from_secs(5), "only for {took:#}");
        Ok(deploy)
    }

    async fn set(&self) -> Result<()> {
        let path = format!("/workloads/{}/gates", self.stage.name);
        let default: WorkloadGates = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(default.is_default, "{default:?}");
        let wrong = json!({ "ready_seconds": 1_000_000 });
        let refused = self
            .stage
            .hermez
            .put::<_, WorkloadGates>(&path, &wrong)
            .await;
        let refused = refused.map_err(anyhow::Error::downcast::<Refused>);
        anyhow::ensure!(
            matches!(&refused, Err(Ok(refused)) if refused.status == 422),
            "{refused:?}"
        );
        let gates = HealthGates {
            ready_seconds: 30,
            max_restarts: Some(0),
            checks: Vec::new(),
            auto_rollback: true,
        };
        let set: WorkloadGates = self.stage.hermez.put(&path, &gates).await?;
        anyhow::ensure!(set.gates == gates && !set.is_default, "{set:?}");
        Ok(())
    }

    /// A version that ends `after` its start.
    async fn push_a_bad_one(&self, after: Duration) -> Result<String> {
        let dockerfile = format!(
            "FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"echo serving; sleep {}; echo out of luck; exit 3\"]\n",
            after.as_secs()
        );
        self.stage.clone.write("Dockerfile", dockerfile)?;
        let seconds = after.as_secs();
        self.stage
            .clone
            .commit_and_push(&format!("Out of luck after {seconds} s"))
            .await
    }

    /// It gets ready, crashes while it is verified, fails with what was counted, and what ran comes
    /// back by itself, once.
    async fn fail_and_come_back(&self, good: &Deploy) -> Result<i64> {
        let bad = self.push_a_bad_one(Duration::from_secs(15)).await?;
        let asked = self.deploy(&bad).await?;
        let failed = self.stage.hermez.deploy_ends(asked.id, LIMIT).await?;
        let was_verified = failed
            .timeline
            .iter()
            .any(|entry| entry.state == DeployState::Verifying);
        anyhow::ensure!(
            failed.summary.state == DeployState::Failed
                && failed.failure_cause.as_deref() == Some("health_gate")
                && failed.summary.message.contains("restarted once")
                && was_verified,
            "{failed:#?}"
        );
        let to = format!("it is rolled back to deploy {}", good.summary.id);
        anyhow::ensure!(failed.summary.message.ends_with(&to), "{failed:#?}");
        let receipt = self.stage.receipt(asked.id).await?;
        anyhow::ensure!(
            serde_json::to_string(&receipt)?.contains("out of luck"),
            "the receipt has the last lines: {receipt:#?}"
        );
        let path = format!("/workloads/{}/deploys?kind=rollback", self.stage.name);
        let rollbacks: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(rollbacks.items.len() == 1, "{rollbacks:?}");
        let rollback = self
            .stage
            .hermez
            .deploy_ends(rollbacks.items[0].id, LIMIT)
            .await?;
        anyhow::ensure!(
            rollback.summary.state == DeployState::Succeeded
                && rollback.summary.kind == DeployKind::Rollback
                && rollback.summary.requested_by == "hermez"
                && rollback.manifest == good.manifest,
            "{rollback:#?}"
        );
        let audit = format!(
            "/audit?action=deploy.rollback&target=workload/{}",
            self.stage.name
        );
        let record: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
        anyhow::ensure!(
            record.items.len() == 1 && record.items[0].principal == "hermez",
            "{record:?}"
        );
        let ended = failed.summary.finished_at.context("it ended")?;
        let back = rollback.summary.finished_at.context("it ended")?;
        Ok(i64::try_from(back.duration_since(ended).as_millis())?)
    }

    /// Where nothing is set a crash in the first seconds is a failure, and nothing is rolled back.
    async fn fail_by_default(&self) -> Result<()> {
        let path = format!("/workloads/{}/gates", self.stage.name);
        self.stage.hermez.delete(&path).await?;
        let bad = self.push_a_bad_one(Duration::from_secs(2)).await?;
        let asked = self.deploy(&bad).await?;
        let failed = self.stage.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            failed.summary.state == DeployState::Failed
                && failed.failure_cause.as_deref() == Some("crash_loop"),
            "{failed:#?}"
        );
        let path = format!("/workloads/{}/deploys?kind=rollback", self.stage.name);
        let rollbacks: Page<DeploySummary> = self.stage.hermez.get(&path).await?;
        anyhow::ensure!(rollbacks.items.len() == 1, "{rollbacks:?}");
        Ok(())
    }

    async fn deploy(&self, commit: &str) -> Result<DeploySummary> {
        let body = CreateDeploy {
            commit: Some(commit.to_owned()),
            latest: false,
            branch: None,
            reason: None,
            override_bad: None,
        };
        let path = format!("/workloads/{}/deploys", self.stage.name);
        self.stage.hermez.post(&path, &body).await
    }
}
