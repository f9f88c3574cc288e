//! Running components: each starts when what it needs is ready, is watched,
//! started again when it dies, and stopped before what it needs.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::component::{Component, Kind};
use super::network::Namespace;
use super::probe::Prober;
use super::{Error, log};
use crate::status::ComponentState;

/// Deaths before a component was ever ready, after which it is given up.
const ATTEMPTS: u32 = 6;
/// How long a component may take to become ready.
const READY_LIMIT: Duration = Duration::from_mins(3);
/// How long a component may take to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(4);
const PROBE_INTERVAL: Duration = Duration::from_millis(50);
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LIMIT: Duration = Duration::from_secs(10);
/// A component that stayed this long starts anew with its back-off.
const BACKOFF_RESET: Duration = Duration::from_secs(30);

struct Runner {
    component: Component,
    /// Those that need this one, which stop first.
    dependents: Vec<&'static str>,
    board: Arc<Board>,
    prober: Prober,
    stop: CancellationToken,
}

/// Starts a task for each component; they end after `stop`.
pub(super) fn start(
    components: Vec<Component>,
    board: &Arc<Board>,
    namespace: &Namespace,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let prober = Prober {
        namespace: namespace.clone(),
        layout: board.layout().clone(),
        api: Arc::new(OnceCell::new()),
    };
    let dependents = |name: &str| -> Vec<&'static str> {
        components
            .iter()
            .filter(|other| other.needs.contains(&name))
            .map(|other| other.name)
            .collect()
    };
    let all: Vec<_> = components
        .iter()
        .map(|component| dependents(component.name))
        .collect();
    components
        .into_iter()
        .zip(all)
        .map(|(component, dependents)| Runner {
            component,
            dependents,
            board: Arc::clone(board),
            prober: prober.clone(),
            stop: stop.clone(),
        })
        .map(Runner::run)
        .collect()
}

/// How one life of a component ended.
enum End {
    /// As it should: a task is done, or it was stopped.
    Over(ComponentState),
    /// It died; whether it had been ready.
    Died { was_ready: bool },
    /// It never became ready.
    NeverReady,
}

impl Runner {
    async fn run(self) {
        let name = self.component.name;
        let state = tokio::select! {
            () = self.stop.cancelled() => ComponentState::Stopped,
            () = self.board.wait_for(self.component.needs, ComponentState::is_ready) => self.keep_running().await,
        };
        self.board.set(name, state);
        if state == ComponentState::Done || state == ComponentState::Failed {
            return;
        }
        tracing::info!(component = name, "stopped");
    }

    async fn keep_running(&self) -> ComponentState {
        let name = self.component.name;
        let (mut failures, mut backoff, mut was_ever_ready) = (0, BACKOFF_FIRST, false);
        loop {
            let started = Instant::now();
            let end = match self.live().await {
                Ok(end) => end,
                Err(error) => {
                    tracing::error!(component = name, %error, "cannot be started");
                    End::Died { was_ready: false }
                }
            };
            match end {
                End::Over(state) => return state,
                End::NeverReady => return ComponentState::Failed,
                End::Died { was_ready } => was_ever_ready |= was_ready,
            }
            failures += 1;
            if !was_ever_ready && failures >= ATTEMPTS {
                return ComponentState::Failed;
            }
            if started.elapsed() > BACKOFF_RESET {
                backoff = BACKOFF_FIRST;
            }
            tracing::warn!(component = name, ?backoff, "died; starting it again");
            self.board.set(name, ComponentState::Restarting);
            tokio::select! {
                () = self.stop.cancelled() => return ComponentState::Stopped,
                () = tokio::time::sleep(backoff) => {}
            }
            backoff = (backoff * 2).min(BACKOFF_LIMIT);
        }
    }

    /// One life, from start to end.
    async fn live(&self) -> Result<End, Error> {
        let name = self.component.name;
        let mut child = self.spawn()?;
        self.board.started(name, child.id());
        let mut was_ready = false;
        let Kind::Service(probe) = &self.component.kind else {
            return tokio::select! {
                () = self.stop.cancelled() => self.end(child).await,
                status = child.wait() => Ok(match status {
                    Ok(status) if status.success() => End::Over(ComponentState::Done),
                    _ => End::Died { was_ready: false },
                }),
            };
        };
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let ask = async {
                tokio::time::sleep(PROBE_INTERVAL).await;
                self.prober.is_ready(probe).await
            };
            tokio::select! {
                () = self.stop.cancelled() => return self.end(child).await,
                status = child.wait() => {
                    tracing::warn!(component = name, ?status, "ended");
                    return Ok(End::Died { was_ready });
                }
                ready = ask, if !was_ready => {
                    if ready {
                        was_ready = true;
                        self.board.set(name, ComponentState::Ready);
                        tracing::info!(component = name, "ready");
                    } else if Instant::now() > deadline {
                        self.end_now(&mut child).await;
                        return Ok(End::NeverReady);
                    }
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, Error> {
        let name = self.component.name;
        let what = || Error::io(format!("start {name}"));
        let (reader, writer) = std::io::pipe().map_err(what())?;
        log::collect(&self.board.layout().log(name), reader).map_err(what())?;
        Command::new(&self.component.command[0])
            .args(&self.component.command[1..])
            .envs(
                self.component
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(what())?)
            .stderr(writer)
            .kill_on_drop(true)
            .spawn()
            .map_err(what())
    }

    /// Stops the component, after those that need it.
    async fn end(&self, mut child: Child) -> Result<End, Error> {
        let is_over = |state| {
            matches!(
                state,
                ComponentState::Stopped
                    | ComponentState::Done
                    | ComponentState::Failed
                    | ComponentState::Waiting
            )
        };
        self.board.wait_for(&self.dependents, is_over).await;
        if let Some(pid) = child.id() {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGTERM);
        }
        if tokio::time::timeout(STOP_LIMIT, child.wait())
            .await
            .is_err()
        {
            tracing::warn!(component = self.component.name, "does not stop; killed");
            self.end_now(&mut child).await;
        }
        Ok(End::Over(ComponentState::Stopped))
    }

    async fn end_now(&self, child: &mut Child) {
        if let Err(error) = child.kill().await {
            tracing::error!(component = self.component.name, %error, "cannot be killed");
        }
    }
}
