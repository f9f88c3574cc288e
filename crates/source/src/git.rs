//! Runs Git: the same clean surroundings every time, bounded in time and in what it may say.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::process::Command;

use crate::process::{Group, read_head, read_tail};
use crate::{Credential, RepositoryUrl, SourceError};

/// How much of Git's complaints is kept, in bytes.
const STDERR_BYTES: usize = 16 * 1024;

/// Configuration that holds for every Git command; the repository's own has no say in it.
const SETTINGS: &[(&str, &str)] = &[
    // Nothing of a repository is ever run.
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "true"),
    ("core.protectNTFS", "true"),
    ("core.protectHFS", "true"),
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("protocol.version", "2"),
    ("submodule.recurse", "false"),
    // Credentials go to the host that they are meant for, and to no other.
    ("http.followRedirects", "false"),
    ("credential.helper", ""),
    // A server that falls silent is as good as one that is gone. It may be silent for a while,
    // though, when it has a large history to pack; that it is there was asked before the fetch.
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "240"),
    // Objects stay in packs: one file for each push, folded together by `gc`.
    ("fetch.unpackLimit", "1"),
    ("fetch.writeCommitGraph", "true"),
    ("fetch.fsckObjects", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "500"),
    ("gc.autoPackLimit", "40"),
    ("gc.autoDetach", "false"),
    ("gc.cruftPacks", "true"),
    // Commits that a force-push took away stay readable: they may have been deployed.
    ("gc.pruneExpire", "90.days.ago"),
    // Large files are streamed, not held in memory.
    ("core.bigFileThreshold", "32m"),
    ("pack.windowMemory", "64m"),
    ("pack.threads", "2"),
];

/// Variables of the server's own surroundings that Git may see.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_EXEC_PATH",
];

/// A Git command about to run.
pub(crate) struct Git {
    command: Command,
    settings: Vec<(String, String)>,
    /// What it does, for errors: "list branches".
    action: &'static str,
}

/// What Git said when it ended.
pub(crate) struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The end of standard error.
    pub stderr: String,
    /// Whether it ended with code 0.
    pub success: bool,
}

impl Git {
    /// A command in the repository whose Git folder is given (or in none).
    pub fn new(git_dir: Option<&Path>, action: &'static str) -> Self {
        let mut command = Command::new("git");
        command.env_clear();
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "http:https")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_LITERAL_PATHSPECS", "1");
        match git_dir {
            Some(folder) => command.current_dir(folder).env("GIT_DIR", folder),
            None => command.current_dir("/"),
        };
        let settings = SETTINGS
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            command,
            settings,
            action,
        }
    }

    /// Like [`new`](Self::new), for a command that has no business with the network.
    pub fn local(git_dir: Option<&Path>, action: &'static str) -> Self {
        Self::new(git_dir, action).env("GIT_ALLOW_PROTOCOL", "")
    }

    /// Adds arguments. Whatever came from outside stands behind `--` or in a place where Git takes
    /// no option, and has been checked.
    pub fn args<I: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sends a credential along to the repository's own host. It travels in the child's
    /// environment, which only this user can read; never in arguments or the URL.
    pub fn credential(mut self, url: &RepositoryUrl, credential: Option<&Credential>) -> Self {
        if let Some(credential) = credential {
            self.settings.push((
                format!("http.{}.extraHeader", url.origin()),
                format!("Authorization: {}", credential.basic().expose_secret()),
            ));
        }
        self
    }

    /// Starts the command; its streams are the caller's to read.
    pub fn spawn(mut self) -> Result<Group, SourceError> {
        self.command
            .env("GIT_CONFIG_COUNT", self.settings.len().to_string());
        for (number, (key, value)) in self.settings.iter().enumerate() {
            self.command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            self.command
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        Group::spawn(&mut self.command).map_err(|error| SourceError::Io {
            action: "run git",
            message: match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "the program is not installed (Debian: apt-get install git)".to_owned()
                }
                _ => error.to_string(),
            },
        })
    }

    /// Runs the command to its end with the given input.
    ///
    /// Reads at most `limit` bytes of output: more is an error. Kills it after `timeout`.
    pub async fn output(
        self,
        input: Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Output, SourceError> {
        let action = self.action;
        let mut group = self.spawn()?;
        let (stdin, stdout, stderr) = (group.stdin(), group.stdout(), group.stderr());
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // A child that ends early closes its end; its status tells the story.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
            }
        };
        let run = async {
            let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
                return Err(SourceError::Io {
                    action: "run git",
                    message: "its output is not piped".to_owned(),
                });
            };
            let ((), stdout, stderr) = tokio::join!(
                feed,
                read_head(stdout, limit),
                read_tail(stderr, STDERR_BYTES)
            );
            let io = |e: std::io::Error| SourceError::io("read from git", &e);
            let stdout = stdout.map_err(io)?;
            if stdout.cut {
                return Err(SourceError::Git {
                    action,
                    message: format!("its answer is longer than {limit} bytes"),
                });
            }
            let status = group.wait().await.map_err(io)?;
            Ok(Output {
                stdout: stdout.bytes,
                stderr: String::from_utf8_lossy(&stderr.map_err(io)?.bytes).into_owned(),
                success: status.success(),
            })
        };
        tokio::time::timeout(timeout, run)
            .await
            .unwrap_or_else(|_| {
                Err(SourceError::TimedOut {
                    subject: action.to_owned(),
                    limit: timeout,
                })
            })
    }

    /// Like [`output`](Self::output), and an error unless Git ends with code 0.
    pub async fn success(
        self,
        input: Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, SourceError> {
        let action = self.action;
        let output = self.output(input, limit, timeout).await?;
        if output.success {
            Ok(output.stdout)
        } else {
            Err(SourceError::Git {
                action,
                message: crate::stderr::last_words(&output.stderr),
            })
        }
    }
}
