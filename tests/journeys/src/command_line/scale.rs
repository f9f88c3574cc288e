//! How many pods there are, as it is typed.

use anyhow::Result;
use hermez_api::{Page, ScaleChange, ScaleOwner, ScaleStatus, WorkloadStatus};

use crate::stage::LIMIT;
use crate::wait::until;

use super::Desk;

impl Desk {
    /// A number with a reason and an end; what nobody means is refused in words.
    pub(super) async fn scale(&self) -> Result<()> {
        let name = self.name();
        let why = ["--reason", "a launch"];
        let two = [&["scale", name, "2"][..], &why, &["--for", "2h"]].concat();
        let said = self.terminal.run(&two).await?;
        said.worked(&["gets 2 pods, until ", " IST. "])?;
        until("there are two pods", LIMIT, || async {
            let status: WorkloadStatus = self.terminal.json(&["status", name]).await?;
            Ok((status.pods_ready == 2).then_some(()))
        })
        .await?;
        let said = self.terminal.run(&["scale", name]).await?;
        said.worked(&["2 ready of 2 wanted", "a launch"])?;
        self.owned_by(ScaleOwner::Person).await?;

        for (count, words) in [
            ("-1", "is -1, and a number of pods cannot be negative"),
            ("10000000", "is 10000000, and this workload takes "),
        ] {
            let scale = [&["scale", name, count][..], &why].concat();
            let said = self.terminal.run(&scale).await?;
            said.failed(2, &[words, "within the bounds"])?;
        }
        let said = self.terminal.run(&["scale", name, "3"]).await?;
        said.failed(2, &["the reason is missing", "--reason"])?;
        let long = [&["scale", name, "3"][..], &why, &["--for", "2w"]].concat();
        let said = self.terminal.run(&long).await?;
        said.misread(&["30m, 12h, 2d"])?;
        Ok(())
    }

    /// Their load says how many, then the config file again; the ledger has it all.
    pub(super) async fn autoscale(&self) -> Result<()> {
        let name = self.name();
        let load = ["autoscale", name, "--cpu", "70", "--reason", "it is busy"];
        let few = [&load[..], &["--min", "1", "--max", "3"]].concat();
        let said = self.terminal.run(&few).await?;
        said.worked(&["follows its load, between 1 and 3 pods"])?;
        self.owned_by(ScaleOwner::Autoscaler).await?;
        let said = self.terminal.run(&["scale", name]).await?;
        said.worked(&["CPU 70 %, between 1 and 3 pods", "it is busy"])?;
        let three = ["scale", name, "3", "--reason", "more"];
        let said = self.terminal.run(&three).await?;
        said.failed(1, &["follows its load", "--fixed"])?;

        let file = ["scale", name, "--file", "--reason", "over"];
        let said = self.terminal.run(&file).await?;
        said.worked(&["The config file says how many pods"])?;
        self.owned_by(ScaleOwner::File).await?;
        let said = self
            .terminal
            .run(&["scale", name, "--bounds", "1..5"])
            .await?;
        said.worked(&["People may ask for 1 to 5 pods"])?;
        let six = ["scale", name, "6", "--reason", "more"];
        let said = self.terminal.run(&six).await?;
        said.failed(2, &["1 to 5 pods, or 0", "hermez scale --bounds"])?;

        let ledger = ["scale", name, "--ledger"];
        let said = self.terminal.run(&ledger).await?;
        said.worked(&["a launch", " IST", "1..3", "config file"])?;
        let changes: Page<ScaleChange> = self.terminal.json(&ledger).await?;
        anyhow::ensure!(
            changes.items.len() == 3,
            "what was refused is not in the ledger: {changes:?}"
        );
        Ok(())
    }

    /// Waits until that one says how many pods there are to be.
    async fn owned_by(&self, owner: ScaleOwner) -> Result<()> {
        let what = format!("{owner:?} says how many pods there are");
        until(&what, LIMIT, || async {
            let status: ScaleStatus = self.terminal.json(&["scale", self.name()]).await?;
            Ok((status.owner == owner).then_some(()))
        })
        .await
    }
}
