//! A pull request is deployed, looked at, and its preview removed.

use anyhow::{Context, Result};
use hermez_api::{Page, PreviewState, PullRequest};

use crate::stage::LIMIT;
use crate::visitor::{Shows, visit};
use crate::wait::until;

use super::Desk;

const TITLE: &str = "A page to look at";

impl Desk {
    /// Opens a pull request in the forge; gives its number.
    pub(super) async fn open_pull_request(&self) -> Result<i64> {
        let (forge, clone) = (&self.stage.forge, &self.stage.clone);
        clone.git(&["checkout", "--quiet", "-b", "topic"]).await?;
        clone.write("message.txt", "a preview\n")?;
        clone.commit(TITLE).await?;
        clone.push_to("topic").await?;
        clone.git(&["checkout", "--quiet", "main"]).await?;
        forge.open_pull(self.name(), "topic", TITLE).await
    }

    /// It is deployed as a preview, whose address is printed and answers, and removed.
    pub(super) async fn preview(&self, number: i64) -> Result<()> {
        let (name, number) = (self.name(), number.to_string());
        let list = ["pr", "list", "--workload", name];
        let said = self.terminal.run(&list).await?;
        said.worked(&[TITLE, "topic"])?;
        let show = ["pr", "show", &number, "-w", name];
        let said = self.terminal.run(&show).await?;
        said.worked(&[&format!("hermez deploy --pr {number}")])?;
        let unknown = ["deploy", "--pr", "9999", "-w", name];
        let said = self.terminal.run(&unknown).await?;
        said.failed(1, &["no pull request 9999", "hermez pr list"])?;

        let deploy = ["deploy", "--pr", &number, "-w", name, "--watch"];
        let said = self.terminal.run(&deploy).await?;
        let out = said.worked(&["The preview of pull request ", " IST  succeeded "])?;
        let mut lines = out.lines();
        let url = lines.find_map(|line| line.strip_prefix("The preview answers at "));
        let url = url.context("it says where the preview answers")?;
        let page = visit(&url.parse()?, Shows::Token(&self.token), false).await?;
        anyhow::ensure!(page.status == 200 && page.text == "a preview\n", "{page:?}");
        let said = self.terminal.run(&list).await?;
        said.worked(&["awake", url])?;
        let said = self.terminal.run(&show).await?;
        said.worked(&["\nSleeps ", " IST\nGoes ", "1 of 1 ready", url])?;
        let pulls: Page<PullRequest> = self.terminal.json(&list).await?;
        let preview = pulls.items.into_iter().find_map(|pull| pull.preview);
        let preview = preview.context("it has a preview")?;
        anyhow::ensure!(
            preview.url.as_deref() == Some(url) && preview.state == PreviewState::Active,
            "{preview:?}"
        );

        let remove = ["pr", "remove", &number, "-w", name];
        let said = self.terminal.run(&remove).await?;
        said.worked(&["is being removed"])?;
        until("the preview is gone", LIMIT, || async {
            let pull: PullRequest = self.terminal.json(&show).await?;
            Ok(pull.preview.is_none().then_some(()))
        })
        .await?;
        let said = self.terminal.run(&remove).await?;
        said.failed(1, &["There is no preview", "hermez pr list"])?;
        Ok(())
    }
}
