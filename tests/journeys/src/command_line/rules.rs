//! What holds deploys back: gates, windows, a canary, a freeze, approvals, locks.

use anyhow::{Context, Result};
use hermez_api::{
    DeployState, DeploySummary, Freeze, Page, WorkloadGates, WorkloadRules, WorkloadStrategy,
};

use super::{Commits, Desk, SECOND, short};

impl Desk {
    /// Gates are set, shown and cleared.
    pub(super) async fn set_gates(&self) -> Result<()> {
        let name = self.name();
        let set = ["gates", "set", name, "--ready-seconds"];
        let few = [&set[..], &["2", "--max-restarts", "0"]].concat();
        let said = self.terminal.run(&few).await?;
        said.worked(&["ready for 2 s", "at most 0 times", "rolled back by hand"])?;
        let show = ["gates", "show", name];
        let said = self.terminal.run(&show).await?;
        said.worked(&["Stay ready  2 s", "at most 0", "by owner"])?;
        let gates: WorkloadGates = self.terminal.json(&show).await?;
        anyhow::ensure!(gates.gates.ready_seconds == 2, "{gates:?}");

        let many = [&set[..], &["1000000"]].concat();
        let said = self.terminal.run(&many).await?;
        said.failed(2, &["1000000"])?;
        let said = self
            .terminal
            .run(&["gates", "set", name, "--check", "x"])
            .await?;
        said.misread(&["write a check like"])?;

        let said = self.terminal.run(&["gates", "clear", name]).await?;
        said.worked(&["No gates are set for"])?;
        let said = self.terminal.run(&show).await?;
        said.worked(&["nothing is set"])?;
        Ok(())
    }

    /// A window that is always open.
    pub(super) async fn set_windows(&self) -> Result<()> {
        let name = self.name();
        let set = ["rules", "window", "set", name, "--window"];
        let berlin = ["daily 00:00-24:00", "--zone", "Europe/Berlin"];
        let said = self.terminal.run(&[&set[..], &berlin].concat()).await?;
        said.worked(&["Sat,Sun 00:00-24:00 (Europe/Berlin)"])?;
        let nowhere = ["daily 00:00-24:00", "--zone", "Mars/Olympus"];
        let said = self.terminal.run(&[&set[..], &nowhere].concat()).await?;
        said.failed(2, &["Mars/Olympus"])?;
        let never = ["sometimes", "--zone", "UTC"];
        let said = self.terminal.run(&[&set[..], &never].concat()).await?;
        said.misread(&["Mon-Fri 09:00-17:00"])?;
        let said = self.terminal.run(&["rules", "show", name]).await?;
        said.worked(&["(Europe/Berlin)", "Your deploy would begin at once."])?;
        let clear = ["rules", "window", "clear", name];
        let said = self.terminal.run(&clear).await?;
        said.worked(&["No window is set for"])?;
        Ok(())
    }

    /// A deploy waits for a freeze and an approval, is canceled, and asked for again; it is excepted
    /// and approved, tried as a canary, held, promoted, and let go on.
    pub(super) async fn hold_back(&self, commits: &Commits) -> Result<()> {
        let freeze = self.set_rules().await?;
        self.cancel_what_waits(commits).await?;
        let name = self.name();
        let asked: DeploySummary = self.terminal.json(&["deploy", "--latest"]).await?;
        anyhow::ensure!(
            asked.commit == commits.third && asked.held.is_some(),
            "{asked:?}"
        );
        let id = asked.id.to_string();
        let except = [
            "freeze", "except", &freeze, "--deploy", &id, "--reason", "the fix",
        ];
        let said = self.terminal.run(&except).await?;
        said.worked(&[&format!("lets deploy {id} through")])?;
        let approve = ["deploys", "approve", &id, "--comment", "read it"];
        let said = self.terminal.run(&approve).await?;
        said.failed(1, &["cannot approve it"])?;
        let said = self.terminal.run_as(&self.looks, &approve).await?;
        said.failed(3, &[])?;
        let said = self.terminal.run_as(&self.second, &approve).await?;
        said.worked(&[&format!("You approved deploy {id} of ")])?;

        let words = "hermez deploys promote";
        self.stage
            .says(asked.id, DeployState::Canary, words)
            .await?;
        let said = self.terminal.run(&["status", name]).await?;
        said.worked(&["Latest ", "canary"])?;
        let said = self.terminal.run(&["deploys", "pause", &id]).await?;
        said.worked(&["is held", &format!("hermez deploys resume {id}")])?;
        let words = "owner paused it";
        self.stage
            .says(asked.id, DeployState::Canary, words)
            .await?;
        let said = self.terminal.run(&["deploys", "promote", &id]).await?;
        said.worked(&["is promoted. It is held"])?;
        let said = self.terminal.run(&["deploys", "resume", &id]).await?;
        said.worked(&["goes on"])?;
        let runs = format!("{name} runs {}", short(&commits.third));
        let said = self.terminal.run(&["deploys", "watch", &id]).await?;
        said.worked(&[&runs, " IST  canary ", "owner promoted", SECOND])?;
        let said = self.terminal.run(&["deploys", "promote", &id]).await?;
        said.worked(&[&format!("Deploy {id} is over: succeeded.")])?;
        self.clear_rules(&freeze).await
    }

    /// Sets all that holds back; gives the freeze's number.
    async fn set_rules(&self) -> Result<String> {
        let name = self.name();
        let set = ["strategy", "set", name, "--canary"];
        let said = self.terminal.run(&[&set[..], &["0%"]].concat()).await?;
        said.failed(2, &["1 to 100"])?;
        let said = self.terminal.run(&[&set[..], &["half"]].concat()).await?;
        said.misread(&["write a step like"])?;
        let said = self.terminal.run(&["strategy", "set", name]).await?;
        said.failed(2, &["hermez strategy clear"])?;
        let half = [&set[..], &["50%:wait"]].concat();
        let said = self.terminal.run(&half).await?;
        said.worked(&["reaches a canary first, then all pods"])?;
        let show = ["strategy", "show", name];
        let said = self.terminal.run(&show).await?;
        said.worked(&["50 % of the pods, then promoted by somebody"])?;
        let strategy: WorkloadStrategy = self.terminal.json(&show).await?;
        anyhow::ensure!(strategy.strategy.canary.len() == 1, "{strategy:?}");

        let approvals = ["rules", "approvals", "set", name, "--from"];
        let said = self
            .terminal
            .run(&[&approvals[..], &["nobody"]].concat())
            .await?;
        said.failed(2, &["nobody"])?;
        let second = [&approvals[..], &[SECOND]].concat();
        let said = self.terminal.run(&second).await?;
        said.worked(&[&format!("need 1 approval from {SECOND}")])?;

        let create = ["freeze", "create", "--project", "journeys"];
        let sale = [&create[..], &["--until", "2h", "--reason", "the sale"]].concat();
        let said = self.terminal.run(&sale).await?;
        said.worked(&["holds project journeys until ", " IST. `hermez freeze end "])?;
        let said = self.terminal.run(&["freeze", "list"]).await?;
        said.worked(&["project journeys", "the sale", " IST"])?;
        let freezes: Page<Freeze> = self.terminal.json(&["freeze", "list"]).await?;
        let freeze = freezes.items.first().context("the freeze")?;

        let show = ["rules", "show", name];
        let said = self.terminal.run(&show).await?;
        said.worked(&["Your deploy would wait:", "the sale", "waits for 1 of 1"])?;
        let rules: WorkloadRules = self.terminal.json(&show).await?;
        anyhow::ensure!(rules.verdict.holds.len() == 2, "{rules:?}");
        Ok(freeze.id.to_string())
    }

    /// What waits says for what, and is stopped.
    async fn cancel_what_waits(&self, commits: &Commits) -> Result<()> {
        let clone = self.stage.clone.path();
        let deploy = ["deploy", "HEAD", "--workload", self.name()];
        let said = self.terminal.run_in(clone, &deploy).await?;
        said.worked(&[
            short(&commits.third),
            "It waits: project journeys is frozen by owner",
            "hermez deploys watch ",
        ])?;
        let waits = self.newest(&["--commit", &commits.third[..12]]).await?;
        let id = waits.id.to_string();
        let said = self.terminal.run(&["deploys", "show", &id]).await?;
        said.worked(&["\nHeld ", "\nApprovals  0 of 1"])?;
        let cancel = ["deploys", "cancel", &id];
        let said = self.terminal.run(&cancel).await?;
        said.worked(&[&format!("Deploy {id} is ")])?;
        let said = self.terminal.run(&["deploys", "watch", &id]).await?;
        said.failed(1, &[&format!("deploy {id} canceled")])?;
        let said = self.terminal.run(&cancel).await?;
        said.worked(&[&format!("Deploy {id} is over: canceled.")])?;
        Ok(())
    }

    async fn clear_rules(&self, freeze: &str) -> Result<()> {
        let name = self.name();
        let said = self.terminal.run(&["freeze", "end", freeze]).await?;
        said.worked(&["is over; what it held goes on"])?;
        let said = self.terminal.run(&["freeze", "list"]).await?;
        said.worked(&["No freezes."])?;
        let said = self.terminal.run(&["freeze", "list", "--all"]).await?;
        said.worked(&["the sale", "(ended)"])?;
        let said = self.terminal.run(&["freeze", "end", "987654"]).await?;
        said.failed(1, &["hermez freeze list"])?;
        let said = self
            .terminal
            .run(&["rules", "approvals", "clear", name])
            .await?;
        said.worked(&["No approvals are set for"])?;
        let said = self.terminal.run(&["strategy", "clear", name]).await?;
        said.worked(&["without detours"])?;
        Ok(())
    }

    /// Somebody else's lock refuses a deploy, is seen, and comes off only when it is broken.
    pub(super) async fn lock(&self, commits: &Commits) -> Result<()> {
        let name = self.name();
        let lock = ["lock", name, "--reason", "a migration", "--until", "2h"];
        let said = self.terminal.run_as(&self.second, &lock).await?;
        said.worked(&["Only you deploy ", " IST. Take the lock off with"])?;
        let said = self.terminal.run(&["status", name]).await?;
        said.worked(&["\nLocked ", "a migration"])?;
        let by = format!("ocked by {SECOND}");
        let said = self.terminal.run(&["deploy", &commits.first]).await?;
        said.failed(1, &[&by, "hermez unlock"])?;
        let said = self.terminal.run(&["unlock", name]).await?;
        said.failed(1, &[&by, "--break"])?;
        let broken = ["unlock", name, "--break", "--reason", "away"];
        let said = self.terminal.run(&broken).await?;
        said.worked(&["has no lock"])?;
        let said = self.terminal.run(&["rules", "show", name]).await?;
        let out = said.worked(&["Your deploy would begin at once."])?;
        anyhow::ensure!(!out.contains("a migration"), "{out}");
        Ok(())
    }
}
