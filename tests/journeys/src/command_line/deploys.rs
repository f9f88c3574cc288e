//! Versions come and go: deployed, watched, failed, rolled back, mended, restarted.

use anyhow::{Context, Result};
use hermez_api::{DeployKind, DeployState, DeploySummary, HotfixPlan, Page, Problem, Receipt};

use crate::sample::Sample;

use super::terminal::Said;
use super::{Commits, Desk, Numbers, short};

/// What the version that fails says last.
const LAST_WORDS: &str = "no luck at all";

/// A command that followed a deploy for a program ends with this event; a deploy's state with it.
fn last_is(said: &Said, event: &str, state: Option<&str>) -> Result<()> {
    let lines = said.lines()?;
    let last = lines.last().context("it printed something")?;
    let events = lines.iter().filter(|line| line["event"] == "event").count();
    anyhow::ensure!(
        last["event"] == event
            && state.is_none_or(|state| last["data"]["state"] == state)
            && events > 1,
        "{said:#?}"
    );
    Ok(())
}

impl Desk {
    /// The workload is created, and its first version is followed to its end.
    pub(super) async fn deploy_the_first(&self) -> Result<(String, i64)> {
        let stage = &self.stage;
        let sample = Sample {
            extra_step: "COPY notes.txt /notes.txt",
            ..stage.sample(1)
        };
        sample.write(&stage.clone, "first\n")?;
        stage.clone.write("notes.txt", "broken\n")?;
        let first = stage.clone.commit_and_push("First page").await?;
        let repository = ["--repository", &stage.url, "--config", "service.yaml"];
        let create = [&["workload", "create"][..], &repository].concat();
        let said = self.terminal.run(&create).await?;
        said.failed(2, &["no terminal to ask", "--yes"])?;
        let said = self
            .terminal
            .run(&[&create[..], &["--yes"]].concat())
            .await?;
        said.worked(&[
            "service.yaml on main",
            "was created",
            "hermez deploy COMMIT",
        ])?;

        let deploy = ["deploy", &first[..10], "--watch", "--reason", "the first"];
        let runs = format!("{} runs {} (deploy ", self.name(), short(&first));
        let said = self.terminal.run(&deploy).await?;
        said.worked(&[
            " IST  pending      owner asked for it",
            " IST  rolling out ",
            " IST  succeeded ",
            " took ",
            &runs,
        ])?;
        let deploy = self.newest(&[]).await?;
        anyhow::ensure!(
            deploy.commit == first && deploy.reason.as_deref() == Some("the first"),
            "{deploy:?}"
        );
        Ok((first, deploy.id))
    }

    /// The newest commit is deployed without being named, and followed by a program.
    pub(super) async fn deploy_the_newest(&self) -> Result<(String, i64)> {
        let second = self.stage.push("second").await?;
        let said = self.terminal.run(&["workload", "sync"]).await?;
        said.worked(&["was fetched"])?;
        let asked: DeploySummary = self.terminal.json(&["deploy", "--latest"]).await?;
        anyhow::ensure!(asked.commit == second, "{asked:?}");
        let watch = ["deploys", "watch", &asked.id.to_string(), "-o", "json"];
        let said = self.terminal.run(&watch).await?;
        last_is(&said, "deploy", Some("succeeded"))?;
        said.worked(&[])?;
        Ok((second, asked.id))
    }

    /// A version that crashes ends its command with a failure, its last lines, and what to do.
    pub(super) async fn deploy_what_fails(&self) -> Result<(String, i64)> {
        let dockerfile = format!(
            "FROM debian:bookworm-slim\nCMD [\"sh\", \"-c\", \"echo {LAST_WORDS}; exit 3\"]\n"
        );
        self.stage.clone.write("Dockerfile", dockerfile)?;
        let bad = self.stage.clone.commit_and_push("Out of luck").await?;
        let deploy = ["deploy", &bad, "--workload", self.name(), "--watch"];
        let said = self.terminal.run(&deploy).await?;
        let failed = self.newest(&["--state", "failed"]).await?;
        anyhow::ensure!(failed.commit == bad, "{failed:?}");
        let first_line = format!("error: deploy {} failed (crash_loop): ", failed.id);
        let receipt = format!("Receipt: {}/deploys/{}/receipt", self.server, failed.id);
        let back = format!("Roll back: `hermez rollback {} --to ", self.name());
        let said = said.failed(1, &[&first_line, "exit code 3", &back, &receipt])?;
        let sentence = said.err.lines().next().unwrap_or_default();
        anyhow::ensure!(
            sentence.starts_with(&first_line) && sentence.contains(&failed.message),
            "the cause in one line: {said:#?}"
        );
        for words in [" IST  failed ", "Last lines of ", LAST_WORDS] {
            anyhow::ensure!(said.out.contains(words), "not `{words}`: {said:#?}");
        }
        Ok((bad, failed.id))
    }

    /// The receipt in full, for people and for programs; what did not fail has none.
    pub(super) async fn read_the_receipt(&self, numbers: &Numbers) -> Result<()> {
        let said = self.terminal.run(&["receipt", &numbers.bad]).await?;
        said.worked(&[
            "(crash_loop)",
            "exit code 3",
            "\nNext ",
            "/receipt\n",
            LAST_WORDS,
            "\nEvents:\n",
            "Commits that came",
            "Out of luck",
        ])?;
        let receipt: Receipt = self.terminal.json(&["receipt", &numbers.bad]).await?;
        anyhow::ensure!(
            receipt.evidence.cause == "crash_loop" && receipt.is_current,
            "{receipt:#?}"
        );
        let said = self.terminal.run(&["receipt", &numbers.first]).await?;
        said.failed(1, &["did not fail", "hermez deploys show"])?;

        let watch = ["deploys", "watch", &numbers.bad, "-o", "json"];
        let said = self.terminal.run(&watch).await?.ended(1, &[])?;
        last_is(&said, "receipt", None)?;
        let problem: Problem = serde_json::from_str(&said.err)?;
        anyhow::ensure!(
            problem.kind == "urn:hermez:problem:cli:failed"
                && problem.title.contains("crash_loop")
                && problem.hint.is_some_and(|hint| hint.contains("/receipt")),
            "{said:#?}"
        );
        let said = self
            .terminal
            .run(&["deploys", "show", &numbers.bad])
            .await?;
        said.worked(&["hermez receipt ", " IST by owner", " IST  failed "])?;
        Ok(())
    }

    /// One look at what would change, then back; and further back, to a deploy that is named.
    pub(super) async fn roll_back(&self, numbers: &Numbers, second: &str) -> Result<()> {
        let name = self.name();
        let dry = ["rollback", name, "--dry-run"];
        let said = self.terminal.run(&dry).await?;
        said.worked(&["From ", "To ", "Out of luck", "Nothing is built."])?;
        self.no_deploy_is("rollback").await?;

        let rollback = ["rollback", name, "--reason", "no luck", "--watch"];
        let runs = format!("{name} runs {}", short(second));
        let said = self.terminal.run(&rollback).await?;
        let out = said.worked(&[&runs, " IST  succeeded ", "hermez revert "])?;
        let (plan, timeline) = (out.find("Nothing is built."), out.find(" IST  pending "));
        anyhow::ensure!(
            plan.is_some() && plan < timeline,
            "what would change stands first: {out}"
        );
        let to = ["rollback", name, "--watch", "-o", "json", "--to"];
        let said = self
            .terminal
            .run(&[&to[..], &[numbers.first.as_str()]].concat())
            .await?;
        last_is(&said, "deploy", Some("succeeded"))?;
        said.worked(&[])?;
        for (to, words) in [
            (numbers.bad.as_str(), "did not end well"),
            ("987654", "has no deploy 987654"),
        ] {
            let said = self.terminal.run(&["rollback", name, "--to", to]).await?;
            said.failed(1, &[words, "hermez history --state succeeded"])?;
        }

        let said = self.terminal.run(&["status", name]).await?;
        said.worked(&["\nPinned "])?;
        let said = self.terminal.run(&["unpin", name]).await?;
        said.worked(&["has no pin"])?;
        let said = self.terminal.run(&["deploy", second]).await?;
        said.failed(1, &["marked as bad by owner", "--override-bad"])?;
        Ok(())
    }

    /// The branch moves on: a fix, and a page that does not fit on the first one.
    pub(super) async fn move_on(&self, good: &[u8]) -> Result<(String, String)> {
        let clone = &self.stage.clone;
        clone.write("Dockerfile", good)?;
        clone.commit("Luck comes back").await?;
        clone.write("notes.txt", "mended\n")?;
        let fix = clone.commit("Mend the notes").await?;
        let third = self.stage.push("third").await?;
        let said = self.terminal.run(&["workload", "sync"]).await?;
        said.worked(&["was fetched"])?;
        Ok((fix, third))
    }

    /// A hotfix that does not fit names the file; one that does is tried out, brought out, and its pods
    /// are replaced.
    pub(super) async fn mend(&self, commits: &Commits) -> Result<()> {
        let name = self.name();
        let said = self
            .terminal
            .run(&["hotfix", &commits.third, "-w", name])
            .await?;
        said.failed(1, &["message.txt is in conflict", "\n  message.txt:1: "])?;
        self.no_deploy_is("hotfix").await?;

        let hotfix = ["hotfix", &commits.fix, "-w", name];
        let dry = [&hotfix[..], &["--dry-run"]].concat();
        let said = self.terminal.run(&dry).await?;
        said.worked(&["Mend the notes", "They fit. Nothing was pushed."])?;
        let plan: HotfixPlan = self.terminal.json(&dry).await?;
        anyhow::ensure!(plan.base.commit == commits.first, "{plan:?}");
        let watch = [&hotfix[..], &["--reason", "it is broken", "--watch"]].concat();
        let runs = format!("{name} runs {} (deploy ", short(&plan.commit));
        let said = self.terminal.run(&watch).await?;
        said.worked(&[&runs, " IST  succeeded "])?;
        let made = self.newest(&["--kind", "hotfix"]).await?;
        anyhow::ensure!(
            made.commit == plan.commit && made.state == DeployState::Succeeded,
            "{made:?}"
        );

        let restart = ["restart", name, "--watch", "--reason", "to be sure"];
        let said = self.terminal.run(&restart).await?;
        said.worked(&[&runs, " IST  succeeded "])?;
        let restarted = self.newest(&["--kind", "restart"]).await?;
        anyhow::ensure!(
            restarted.kind == DeployKind::Restart
                && restarted.reason.as_deref() == Some("to be sure"),
            "{restarted:?}"
        );
        Ok(())
    }

    /// The history says that there is no deploy of this kind.
    async fn no_deploy_is(&self, kind: &str) -> Result<()> {
        let words = ["history", self.name(), "--kind", kind];
        let said = self.terminal.run(&words).await?;
        said.worked(&["No deploy is as these filters say."])?;
        let page: Page<DeploySummary> = self.terminal.json(&words).await?;
        anyhow::ensure!(page.items.is_empty(), "{page:?}");
        Ok(())
    }
}
