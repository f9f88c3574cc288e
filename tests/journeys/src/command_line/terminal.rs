//! The program as somebody types it: with a home of its own, and nothing else in its environment.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::stage::LIMIT;

/// Where whoever types lives: it is `IST` there all the year.
const TIME_ZONE: &str = "Asia/Kolkata";

/// A terminal of one person.
pub(super) struct Terminal {
    binary: PathBuf,
    home: TempDir,
    secrets: Vec<String>,
    typed: Cell<u32>,
}

impl Terminal {
    /// A terminal with an empty home.
    pub(super) fn new(binary: &Path) -> Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            home: tempfile::tempdir()?,
            secrets: Vec::new(),
            typed: Cell::new(0),
        })
    }

    /// From now on nothing that is printed may hold this.
    pub(super) fn hide(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// How many commands were typed.
    pub(super) fn typed(&self) -> u32 {
        self.typed.get()
    }

    /// Types a command.
    pub(super) async fn run(&self, words: &[&str]) -> Result<Said> {
        self.finish(self.command(words), words, "").await
    }

    /// Types a command as somebody else, who signs in with `token`.
    pub(super) async fn run_as(&self, token: &str, words: &[&str]) -> Result<Said> {
        let mut command = self.command(words);
        command.env("HERMEZ_TOKEN", token);
        self.finish(command, words, "").await
    }

    /// Types a command in a folder.
    pub(super) async fn run_in(&self, folder: &Path, words: &[&str]) -> Result<Said> {
        let mut command = self.command(words);
        command.current_dir(folder);
        self.finish(command, words, "").await
    }

    /// Types a command that reads `input`.
    pub(super) async fn run_with_input(&self, words: &[&str], input: &str) -> Result<Said> {
        self.finish(self.command(words), words, input).await
    }

    /// Types a command for a program to read, and reads it as that does.
    pub(super) async fn json<T: DeserializeOwned>(&self, words: &[&str]) -> Result<T> {
        let words = [words, &["--output", "json"]].concat();
        let out = self.run(&words).await?.worked(&[])?;
        serde_json::from_str(&out).with_context(|| format!("{words:?} printed {out}"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TZ", TIME_ZONE)
            .current_dir(self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn finish(&self, mut command: Command, words: &[&str], input: &str) -> Result<Said> {
        self.typed.set(self.typed.get() + 1);
        let line = format!("hermez {}", words.join(" "));
        let spawned = command.spawn();
        let mut child = spawned.with_context(|| format!("cannot start {line}"))?;
        let mut stdin = child.stdin.take().context("its standard input")?;
        // A program that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
        let output = ended.with_context(|| format!("{line} does not end"))??;
        let said = Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
            line,
        };
        let shown = |secret: &String| said.out.contains(secret) || said.err.contains(secret);
        anyhow::ensure!(
            !self.secrets.iter().any(shown),
            "{} shows a token",
            said.line
        );
        Ok(said)
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    /// The command.
    line: String,
    /// Its exit code.
    code: Option<i32>,
    /// What it wrote to standard output.
    pub(super) out: String,
    /// What it wrote to standard error.
    pub(super) err: String,
}

impl Said {
    /// It worked, and its output holds all of these; gives the output.
    pub(super) fn worked(self, words: &[&str]) -> Result<String> {
        anyhow::ensure!(self.code == Some(0), "it did not work: {self:#?}");
        for wanted in words {
            anyhow::ensure!(self.out.contains(wanted), "not `{wanted}`: {self:#?}");
        }
        Ok(self.out)
    }

    /// It ended with this code, said in one line what is wrong and then what to do, with all of these
    /// words; gives what was said.
    pub(super) fn failed(self, code: i32, words: &[&str]) -> Result<Self> {
        anyhow::ensure!(
            self.err.starts_with("error: ") && self.err.contains("\n  hint: "),
            "it does not say what is wrong and what to do: {self:#?}"
        );
        self.ended(code, words)
    }

    /// The line was not understood, which is said with all of these words.
    pub(super) fn misread(self, words: &[&str]) -> Result<Self> {
        anyhow::ensure!(
            self.err.starts_with("error: ") && self.out.is_empty(),
            "{self:#?}"
        );
        self.ended(2, words)
    }

    /// It ended with this code, and standard error holds all of these words.
    pub(super) fn ended(self, code: i32, words: &[&str]) -> Result<Self> {
        anyhow::ensure!(self.code == Some(code), "not with {code}: {self:#?}");
        for wanted in words {
            anyhow::ensure!(self.err.contains(wanted), "not `{wanted}`: {self:#?}");
        }
        Ok(self)
    }

    /// Its output where each line is one object.
    pub(super) fn lines(&self) -> Result<Vec<Value>> {
        let lines = self.out.lines();
        let read = lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
        read.collect()
    }
}
