//! A check of a metric is asked in each wave: a wrong value in the first is the last of the deploy.

use anyhow::{Context, Result};
use hermez_api::{Comparison, DeployState, HealthGates, MetricCheck, WorkloadGates};
use k8s_openapi::api::core::v1::Service;
use kube::api::Api;

use super::{PODS, Waves, in_order, one_after_the_other, placements, run_in_both, set_strategy};
use crate::stage::LIMIT;
use crate::wait::until;

/// The share of requests that fail.
const QUERY: &str = "max(page_error_ratio)";
/// Seconds for which the check must be right: longer than Prometheus needs to see the new page.
const FOR_SECONDS: u32 = 2;

impl Waves<'_> {
    /// `host:port` of the workload in the first cluster.
    pub(super) async fn address(&self) -> Result<String> {
        let services: Api<Service> = Api::namespaced(self.stage.kube.clone(), &self.stage.name);
        until("the Service has an address", LIMIT, || async {
            let service = services.get(&self.stage.name).await?;
            let address = service
                .status
                .and_then(|it| it.load_balancer?.ingress?.into_iter().next()?.ip);
            Ok(address.map(|ip| format!("{ip}:8080")))
        })
        .await
    }

    /// A version whose pods are well everywhere, first with a right metric, then with a wrong one.
    pub(super) async fn judge_each_wave(&self) -> Result<()> {
        let stage = &self.stage;
        set_strategy(stage, &one_after_the_other(1)).await?;
        let path = format!("/workloads/{}/gates", stage.name);
        let gates = HealthGates {
            checks: vec![MetricCheck {
                name: "errors".to_owned(),
                query: QUERY.to_owned(),
                comparison: Comparison::Less,
                threshold: Some(0.5),
                relative_to_old_percent: None,
                for_seconds: FOR_SECONDS,
            }],
            ..HealthGates::default()
        };
        let set: WorkloadGates = stage.hermez.put(&path, &gates).await?;
        anyhow::ensure!(set.gates == gates && set.has_prometheus, "{set:?}");
        let good = self.pass_in_both().await?;
        self.fail_in_the_first(&good).await?;
        stage.hermez.delete(&path).await
    }

    /// The right value is said of the first wave, and the second is judged by the check, too.
    async fn pass_in_both(&self) -> Result<String> {
        let stage = &self.stage;
        let good = stage.push("page_error_ratio 0.1").await?;
        let asked = stage.deploy(&good).await?;
        let deploy = stage.ends(asked.id, DeployState::Succeeded).await?;
        let first = "wave 1 of 2 (local): all 2 pods run the new version; they must stay ready for 1 s; checks: errors";
        let second = "wave 2 of 2 (east): all 2 pods run the new version; checks: errors";
        in_order(
            &deploy,
            &[
                (DeployState::Verifying, first),
                (DeployState::Applying, "errors 0.1 < 0.5; next: east"),
                (DeployState::Verifying, second),
                (DeployState::Succeeded, "all 2 waves run the new version"),
            ],
        )?;
        anyhow::ensure!(run_in_both(stage, &good, PODS).await?, "both run it");
        Ok(good)
    }

    /// The failure names the wave and the check, and the second cluster was told nothing.
    async fn fail_in_the_first(&self, good: &str) -> Result<()> {
        let stage = &self.stage;
        let before = self.told_east().await?;
        let bad = stage.push("page_error_ratio 0.9").await?;
        let asked = stage.deploy(&bad).await?;
        let failed = stage.ends(asked.id, DeployState::Failed).await?;
        let words = "wave 1 of 2 (local): check errors failed: 0.9 is not < 0.5";
        let message = &failed.summary.message;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("health_gate")
                && message.starts_with(words)
                && message.contains("east not reached"),
            "not `{words}`: {failed:#?}"
        );
        let receipt = stage.receipt(asked.id).await?;
        let said = serde_json::to_string(&receipt)?;
        anyhow::ensure!(
            said.contains("check errors failed: 0.9 is not < 0.5"),
            "{receipt:#?}"
        );
        anyhow::ensure!(
            self.told_east().await? == before,
            "the second cluster was told something"
        );
        let placements = placements(stage).await?;
        let of = |name: &str| {
            let found = placements.iter().find(|it| it.cluster == name);
            found.with_context(|| format!("no {name}: {placements:#?}"))
        };
        anyhow::ensure!(
            of("local")?.commit.as_deref() == Some(&*bad)
                && of("east")?.commit.as_deref() == Some(good),
            "the first is held as it is: {placements:#?}"
        );
        Ok(())
    }
}
