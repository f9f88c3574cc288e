//! What is typed wrongly, asked of nobody, or not allowed.

use anyhow::Result;
use hermez_api::Problem;

use crate::server::free_port;

use super::{Commits, Desk};

impl Desk {
    /// One line says what is wrong, the next what to do, and the exit code what kind of thing it is.
    pub(super) async fn make_mistakes(&self, commits: &Commits) -> Result<()> {
        let name = self.name();
        let nowhere = "0123456789".repeat(4);
        let deploy = ["deploy", &commits.first, "-w", name];
        for (words, code, said) in [
            (
                &["status", "nowhere"][..],
                1,
                ["There is no workload `nowhere`", "hermez workload list"],
            ),
            (
                &["deploy", &nowhere, "-w", name][..],
                2,
                ["no branch, tag or commit", "pushed"],
            ),
            (
                &["deploys", "show", "987654"][..],
                1,
                ["There is no deploy 987654", "hermez history"],
            ),
        ] {
            let wrong = self.terminal.run(words).await?.failed(code, &said)?;
            let lines = wrong.err.lines().count();
            anyhow::ensure!(lines <= 3 && wrong.out.is_empty(), "{wrong:#?}");
        }
        let said = self.terminal.run(&["deploy", "-w", name]).await?;
        said.misread(&["--latest"])?;
        let said = self.terminal.run_as(&self.looks, &deploy).await?;
        said.failed(3, &[])?;
        let said = self.terminal.run_as("hermez_0", &deploy).await?;
        said.failed(3, &["hermez login"])?;
        self.ask_nobody().await
    }

    /// Where nobody listens; and the token that is kept goes to its own server alone.
    async fn ask_nobody(&self) -> Result<()> {
        let away = format!("http://127.0.0.1:{}", free_port()?);
        let status = ["status", self.name(), "--server", &away];
        let said = self.terminal.run(&status).await?;
        said.failed(3, &["no token for http://127.0.0.1:"])?;
        let said = self.terminal.run_as(&self.token, &status).await?;
        let said = said.failed(
            4,
            &[&away, "cannot be reached", "Check that the server runs"],
        )?;
        anyhow::ensure!(said.err.lines().count() == 2, "{said:#?}");
        let json = [&status[..], &["-o", "json"]].concat();
        let said = self.terminal.run_as(&self.token, &json).await?;
        let said = said.ended(4, &[])?;
        let problem: Problem = serde_json::from_str(&said.err)?;
        anyhow::ensure!(
            problem.kind == "urn:hermez:problem:cli:server-unreachable" && problem.hint.is_some(),
            "{said:#?}"
        );
        Ok(())
    }
}
