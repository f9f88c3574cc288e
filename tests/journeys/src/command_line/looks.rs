//! What runs, what ran, and how well delivery goes.

use anyhow::{Context, Result};
use hermez_api::{
    ContainerLogLine, DeliveryPerformance, Deploy, DeployComparison, DeploySummary, Health, Page,
    WorkloadStatus,
};

use crate::stage::LIMIT;
use crate::wait::until;

use super::{Commits, Desk, Numbers, short};

impl Desk {
    /// Pods, their logs, where they answer.
    pub(super) async fn look(&self, numbers: &Numbers, commits: &Commits) -> Result<()> {
        let name = self.name();
        let status = until("one pod is healthy", LIMIT, || async {
            let status: WorkloadStatus = self.terminal.json(&["status", name]).await?;
            let settled = status.health == Health::Healthy && status.pods.len() == 1;
            Ok(settled.then_some(status))
        })
        .await?;
        let pod = status.pods.first().context("a pod")?;
        // It is the only workload, and need not be named.
        let said = self.terminal.run(&["status"]).await?;
        said.worked(&["healthy", "\nRuns ", short(&commits.third), &pod.name])?;
        let said = self.terminal.run(&["workload", "list"]).await?;
        said.worked(&[name, "healthy", short(&commits.third)])?;

        let said = self.terminal.run(&["logs", name, "--tail", "50"]).await?;
        said.worked(&["] listening on 8080\n"])?;
        let bare = ["logs", name, "--no-prefix", "--timestamps"];
        let said = self.terminal.run(&bare).await?;
        said.worked(&["Z listening on 8080\n"])?;
        let said = self.terminal.run(&["logs", name, "-o", "json"]).await?;
        for line in said.lines()? {
            let line: ContainerLogLine = serde_json::from_value(line)?;
            anyhow::ensure!(line.container == name, "{line:?}");
        }

        let said = self.terminal.run(&["open", name]).await?;
        said.worked(&["http://"])?;
        let page = format!("{}/workloads/{name}", self.server);
        let said = self.terminal.run(&["open", name, "--ui"]).await?;
        said.worked(&[&page])?;
        let said = self.terminal.run(&["audit"]).await?;
        said.worked(&[" IST  owner ", "deploy.create"])?;
        let show = ["deploys", "show", &numbers.first];
        let deploy: Deploy = self.terminal.json(&show).await?;
        anyhow::ensure!(deploy.summary.commit == commits.first, "{deploy:?}");
        Ok(())
    }

    /// The history through its filters, two deploys side by side, and DORA's four figures.
    pub(super) async fn look_back(&self, numbers: &Numbers, commits: &Commits) -> Result<()> {
        let name = self.name();
        let said = self.terminal.run(&["history"]).await?;
        said.worked(&["DEPLOY ", "regular", "rollback", "hotfix", "restart", "pr "])?;
        let failed = ["history", name, "--state", "failed"];
        let page: Page<DeploySummary> = self.terminal.json(&failed).await?;
        anyhow::ensure!(
            page.items.len() == 1 && page.items[0].commit == commits.bad,
            "{page:?}"
        );
        let lately = ["history", name, "--since", "1h", "--by", "owner"];
        let page: Page<DeploySummary> = self.terminal.json(&lately).await?;
        anyhow::ensure!(page.items.len() > 5, "{page:?}");
        let said = self
            .terminal
            .run(&["history", name, "--by", "nobody"])
            .await?;
        said.worked(&["No deploy is as these filters say."])?;
        let said = self
            .terminal
            .run(&["history", name, "--commit", "main"])
            .await?;
        said.failed(2, &["`commit` is `main`", "first digits"])?;
        let said = self
            .terminal
            .run(&["history", name, "--since", "2w"])
            .await?;
        said.misread(&["30m, 12h, 2d"])?;

        let diff = ["diff", &numbers.first, &numbers.second];
        let said = self.terminal.run(&diff).await?;
        said.worked(&["Commits that come:", "second", "Image ", "\n+"])?;
        let change: DeployComparison = self.terminal.json(&diff).await?;
        anyhow::ensure!(
            change.coming.len() == 1 && change.coming[0].id == commits.second,
            "{change:?}"
        );
        let said = self
            .terminal
            .run(&["diff", &numbers.first, "987654"])
            .await?;
        said.failed(1, &["987654", "hermez history"])?;

        let said = self.terminal.run(&["dora", name]).await?;
        said.worked(&[" IST to ", "Deployment frequency", "Change failure rate"])?;
        let dora = ["dora", "--project", "journeys", "--days", "7"];
        let figures: DeliveryPerformance = self.terminal.json(&dora).await?;
        anyhow::ensure!(figures.change_failure_rate.failed > 0, "{figures:?}");
        Ok(())
    }
}
