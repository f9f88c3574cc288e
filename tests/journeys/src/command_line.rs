//! The command line as people type it, on a running server: each command says what was asked for, does
//! it, and ends with the right code; what is wrong is told in one line, with what to do about it.

mod deploys;
mod looks;
mod mistakes;
mod preview;
mod rules;
mod scale;
mod terminal;

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::{DeploySummary, Page};
use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::server::{Options, Server, free_port};
use crate::stage::Stage;

use terminal::Terminal;

/// A second owner.
const SECOND: &str = "grace";
/// Somebody who only looks.
const LOOKS: &str = "viola";

/// Runs the journey with a server of its own; its figures are a count and milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let gateway = format!("127.0.0.1:{}", free_port()?);
    let options = Options {
        arguments: vec!["--preview-listen".to_owned(), gateway],
        ..Options::default()
    };
    let server = Server::start(sandbox, options).await?;
    let stage = Stage::open(sandbox, server.hermez()?, "typed").await?;
    let terminal = Terminal::new(&sandbox.status.hermez)?;
    let token = std::fs::read_to_string(server.token_file())?;
    let mut desk = Desk {
        terminal,
        stage,
        server: server.url().to_owned(),
        token: token.trim().to_owned(),
        second: String::new(),
        looks: String::new(),
    };
    let figures = desk.travel().await;
    let figures = figures.with_context(|| server.last_words());
    let cleaned = desk.stage.clean_up().await;
    let ended = server.end().await;
    let figures = figures?;
    cleaned?;
    ended?;
    Ok(figures)
}

/// A person at a terminal, and what they work on.
struct Desk {
    terminal: Terminal,
    stage: Stage,
    /// The server's address.
    server: String,
    /// The owner's token.
    token: String,
    /// The token of a second owner.
    second: String,
    /// The token of somebody who only looks.
    looks: String,
}

/// The commits of `main`, oldest first.
struct Commits {
    first: String,
    second: String,
    bad: String,
    fix: String,
    third: String,
}

/// Numbers of deploys.
struct Numbers {
    first: String,
    second: String,
    bad: String,
}

impl Desk {
    async fn travel(&mut self) -> Result<Value> {
        let begun = Instant::now();
        self.sign_in().await?;
        self.let_others_in().await?;
        let (first, first_id) = self.deploy_the_first().await?;
        let (second, second_id) = self.deploy_the_newest().await?;
        let good = std::fs::read(self.stage.clone.path().join("Dockerfile"))?;
        let (bad, bad_id) = self.deploy_what_fails().await?;
        let numbers = Numbers {
            first: first_id.to_string(),
            second: second_id.to_string(),
            bad: bad_id.to_string(),
        };
        self.read_the_receipt(&numbers).await?;
        self.roll_back(&numbers, &second).await?;
        let (fix, third) = self.move_on(&good).await?;
        let commits = Commits {
            first,
            second,
            bad,
            fix,
            third,
        };
        let pull = self.open_pull_request().await?;
        tokio::try_join!(self.preview(pull), self.mend(&commits))?;
        self.set_gates().await?;
        self.set_windows().await?;
        self.hold_back(&commits).await?;
        self.lock(&commits).await?;
        self.scale().await?;
        self.autoscale().await?;
        self.look(&numbers, &commits).await?;
        self.look_back(&numbers, &commits).await?;
        self.make_mistakes(&commits).await?;
        Ok(json!({
            "journey": "command-line",
            "commands": self.terminal.typed(),
            "took_ms": begun.elapsed().as_millis(),
        }))
    }

    /// The workload's name.
    fn name(&self) -> &str {
        &self.stage.name
    }

    /// Before there is a server and a token nothing works; then it is kept who one is.
    async fn sign_in(&mut self) -> Result<()> {
        let whoami = ["whoami"];
        let nobody = self.terminal.run(&whoami).await?;
        nobody.failed(3, &["no Hermez server is known", "hermez login"])?;
        self.terminal.hide(&self.token);
        let login = ["login", "--server", &self.server, "--token-stdin"];
        let wrong = self.terminal.run_with_input(&login, "hermez_0").await?;
        wrong.failed(3, &[])?;
        let input = format!("{}\n", self.token);
        let said = self.terminal.run_with_input(&login, &input).await?;
        said.worked(&[&self.server, "as owner", "config.yaml"])?;
        let said = self.terminal.run(&whoami).await?;
        said.worked(&["owner", &self.server])?;
        let early = self.terminal.run(&["status"]).await?;
        early.failed(2, &["there is no workload yet", "hermez workload create"])?;
        Ok(())
    }

    /// Two more people, each with a token, which is printed once.
    async fn let_others_in(&mut self) -> Result<()> {
        for (name, role) in [(SECOND, "owner"), (LOOKS, "viewer")] {
            let create = ["principal", "create", name, "--role", role];
            let said = self.terminal.run(&create).await?;
            said.worked(&["may sign in", role])?;
            let token = ["principal", "token", name, "a terminal"];
            let token = self.terminal.run(&token).await?.worked(&["hermez_"])?;
            let token = token.trim().to_owned();
            self.terminal.hide(&token);
            let said = self.terminal.run_as(&token, &["whoami"]).await?;
            said.worked(&[name, role])?;
            if role == "owner" {
                self.second = token;
            } else {
                self.looks = token;
            }
        }
        Ok(())
    }

    /// The newest deploy of the workload that such a filter lets through.
    async fn newest(&self, filter: &[&str]) -> Result<DeploySummary> {
        let words = [&["history", self.name(), "--limit", "1"][..], filter].concat();
        let page: Page<DeploySummary> = self.terminal.json(&words).await?;
        page.items
            .into_iter()
            .next()
            .with_context(|| format!("no deploy is as {filter:?} says"))
    }
}

/// A commit's id as it is printed.
fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}
