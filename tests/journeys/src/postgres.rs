//! A PostgreSQL server of a journey's own, to be stopped and started again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, chown};
use tokio::process::{Child, Command};

use crate::wait::until;

/// Folder of the server's programs (the Debian package `postgresql`).
const BIN: &str = "/usr/lib/postgresql/15/bin";
/// The user whom it runs as where this process is root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;
/// Longest time to start or to stop.
const LIMIT: Duration = Duration::from_mins(1);

/// A server with a data folder of its own, reached by a socket in it.
pub struct Postgres {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a server and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir_in("/tmp")
            .context("a folder for PostgreSQL")?;
        if Uid::effective().is_root() {
            let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            chown(folder.path(), Some(user), Some(group))?;
        }
        let mut server = Self {
            folder,
            child: None,
        };
        let made = Self::program("initdb")
            .arg("--pgdata")
            .arg(server.folder.path().join("data"))
            .args(["--username=hermez", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C"])
            .output()
            .await
            .with_context(|| {
                format!("PostgreSQL cannot be run from {BIN}: install `postgresql`")
            })?;
        anyhow::ensure!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.again().await?;
        Ok(server)
    }

    /// One of its programs, as a user that PostgreSQL accepts; it ends with this process.
    fn program(name: &str) -> Command {
        let program = Path::new(BIN).join(name);
        let mut command = if Uid::effective().is_root() {
            let mut command = Command::new("setpriv");
            command
                .args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}")])
                .args(["--clear-groups", "--pdeathsig=QUIT"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it (again), and waits until it answers.
    ///
    /// # Errors
    /// When it does not answer within a minute.
    pub async fn again(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let child = Self::program("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(folder)
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            .stderr(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        until("PostgreSQL answers", LIMIT, || async {
            let mut ready = Self::program("pg_isready");
            ready.arg("-q").arg("-h").arg(folder).args(["-U", "hermez"]);
            Ok(ready.status().await?.success().then_some(()))
        })
        .await
    }

    /// Stops it: every connection ends, and new ones are refused.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub async fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("PostgreSQL does not run")?;
        signal(&child, Signal::SIGINT)?;
        tokio::time::timeout(LIMIT, child.wait())
            .await
            .context("PostgreSQL does not stop")??;
        Ok(())
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// URL of a database of that name, by the socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://hermez@localhost/{database}?host={folder}")
    }

    /// Makes a database.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn create(&self, database: &str) -> Result<()> {
        let mut create = Self::program("createdb");
        create.arg("-h").arg(self.folder.path());
        let made = create.args(["-U", "hermez", database]).output().await?;
        anyhow::ensure!(
            made.status.success(),
            "createdb {database}: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        Ok(())
    }

    /// Carries out a statement in a database, and gives what PostgreSQL says of it, such as `UPDATE 1`.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn execute(&self, database: &str, statement: &str) -> Result<String> {
        let mut psql = Self::program("psql");
        psql.arg("-h").arg(self.folder.path());
        psql.args(["-U", "hermez", "--no-psqlrc", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["--dbname", database, "--command", statement]);
        let done = psql.stdout(Stdio::piped()).output().await?;
        anyhow::ensure!(
            done.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(String::from_utf8(done.stdout)?.trim().to_owned())
    }
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    let pid = child.id().context("PostgreSQL has ended by itself")?;
    Ok(kill(Pid::from_raw(pid.try_into()?), signal)?)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // Ends its children, too; an ended one needs nothing.
            let _ = signal(child, Signal::SIGQUIT);
        }
    }
}
