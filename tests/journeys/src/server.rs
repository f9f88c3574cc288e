//! A Hermez server of a journey's own, to be killed and started again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::hermez::Hermez;
use crate::sandbox::Sandbox;
use crate::wait::until;

/// What a journey's server should be joined to, where it differs from the local cluster.
#[derive(Default)]
pub struct Options {
    /// Another kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// Another registry (`host:port`).
    pub registry: Option<String>,
    /// Another forge (`http://host:port`), with the same token.
    pub forge: Option<String>,
    /// More arguments for `hermez server`.
    pub arguments: Vec<String>,
}

/// A server with a data folder and a port of its own, on the local cluster.
pub struct Server {
    directory: tempfile::TempDir,
    binary: PathBuf,
    arguments: Vec<String>,
    base: String,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within a minute.
    pub async fn start(sandbox: &Sandbox, options: Options) -> Result<Self> {
        let mut server = Self::prepare(sandbox, options)?;
        server.launch().await?;
        Ok(server)
    }

    /// Starts another server on the same database, with the same key and owner, and a data folder of
    /// its own.
    ///
    /// # Errors
    /// When it does not become ready within a minute.
    pub async fn start_beside(sandbox: &Sandbox, options: Options, first: &Server) -> Result<Self> {
        let mut server = Self::prepare(sandbox, options)?;
        std::fs::create_dir(server.data_dir())?;
        let (key, token) = ("data/secret.key", "token");
        for file in [key, token] {
            std::fs::copy(
                first.directory.path().join(file),
                server.directory.path().join(file),
            )?;
        }
        server.launch().await?;
        Ok(server)
    }

    fn prepare(sandbox: &Sandbox, options: Options) -> Result<Self> {
        let status = &sandbox.status;
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut arguments: Vec<String> = [
            ("--listen", format!("127.0.0.1:{port}")),
            ("--data-dir", text(&directory.path().join("data"))),
            (
                "--kubeconfig",
                text(
                    options
                        .kubeconfig
                        .as_deref()
                        .unwrap_or(status.kubeconfig.as_ref()),
                ),
            ),
            (
                "--registry",
                options.registry.unwrap_or_else(|| status.registry.clone()),
            ),
            ("--buildkit", status.buildkit.clone()),
            ("--buildctl", text(status.buildctl.as_ref())),
            (
                "--bootstrap-token-file",
                text(&directory.path().join("token")),
            ),
            (
                "--forge",
                format!("gitea={}", options.forge.as_ref().unwrap_or(&status.forge)),
            ),
            ("--forge-token-file", text(status.forge_token_file.as_ref())),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect();
        arguments.extend(options.arguments);
        Ok(Self {
            directory,
            binary: status.hermez.clone(),
            arguments,
            base: format!("http://127.0.0.1:{port}"),
            port,
            child: None,
        })
    }

    /// Starts the process (again) and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready within a minute.
    pub async fn launch(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())?;
        let child = Command::new(&self.binary)
            .arg("server")
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        self.child = Some(child);
        let ready = format!("{}/readyz", self.base);
        let ended = || {
            let child = self.child.as_mut().context("it was just started")?;
            Ok::<_, anyhow::Error>(child.try_wait()?)
        };
        let ended = std::cell::RefCell::new(ended);
        until("the server is ready", Duration::from_mins(1), || async {
            if let Some(status) = (ended.borrow_mut())()? {
                anyhow::bail!("the server ended ({status})");
            }
            Ok(reqwest::get(&ready)
                .await
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await
        .with_context(|| self.last_words())
    }

    /// Its API, as its owner.
    ///
    /// # Errors
    /// When its token file cannot be read.
    pub fn hermez(&self) -> Result<Hermez> {
        Hermez::with_token_file(&self.base, &self.token_file())
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The file with its owner's token.
    pub fn token_file(&self) -> PathBuf {
        self.directory.path().join("token")
    }

    /// The port that its API and its pages are at, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Whether it runs, as far as is known.
    pub fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Waits until it has ended by itself, or by somebody else's hand.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn has_ended(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the server does not run")?;
        child.wait().await?;
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL).await
    }

    /// Asks it to stop (SIGTERM) and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM).await
    }

    /// Stops it for good.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn end(mut self) -> Result<()> {
        self.stop().await
    }

    async fn signal(&mut self, signal: Signal) -> Result<()> {
        let mut child = self.child.take().context("the server does not run")?;
        let pid = child.id().context("the server has ended by itself")?;
        kill(Pid::from_raw(pid.try_into()?), signal)?;
        child.wait().await?;
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!(
            "the server's last lines:\n{}",
            lines[lines.len().saturating_sub(30)..].join("\n")
        )
    }
}

/// A port on loopback that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
