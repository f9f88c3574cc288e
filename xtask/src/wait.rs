//! Following a cluster on its way up, and saying what is to blame when it does
//! not get there.

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use hermez_sandbox::paths::Layout;
use hermez_sandbox::status::{self, ComponentState, Phase, Status};
use hermez_sandbox::{files, launch};

use crate::progress::Progress;

/// How long the components may take, all together.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// Waits until every component is ready, and says so of each. `child` is the
/// supervisor, if this process has started it.
pub fn until_ready(
    progress: &Progress,
    layout: &Layout,
    mut child: Option<&mut Child>,
    interrupted: &AtomicBool,
) -> anyhow::Result<Status> {
    let deadline = Instant::now() + READY_LIMIT;
    let step = progress.step("Starting the cluster");
    let mut announced: Vec<String> = Vec::new();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if let Some(status) = child
            .as_mut()
            .map(|child| child.try_wait())
            .transpose()?
            .flatten()
        {
            bail!(
                "the supervisor ended ({status}):\n{}",
                tail(&layout.log("supervisor"))
            );
        }
        let Some(status) = status::read(layout.root()).ok().filter(Status::is_running) else {
            if child.is_none() {
                bail!("the cluster was stopped");
            }
            continue;
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = status
            .components
            .iter()
            .partition(|component| component.state.is_ready());
        for component in ready {
            if !announced.contains(&component.name) {
                announced.push(component.name.clone());
                progress.say(&format!("  {} is ready", component.name));
            }
        }
        let waiting: Vec<&str> = waiting
            .into_iter()
            .map(|component| component.name.as_str())
            .collect();
        step.remind(Some(&waiting.join(", ")));
        match status.phase {
            Phase::Ready => {
                step.done();
                return Ok(status);
            }
            Phase::Failed => bail!(blame(&status)),
            _ if Instant::now() > deadline => {
                bail!(
                    "not ready after {} s: {}\n{}",
                    READY_LIMIT.as_secs(),
                    waiting.join(", "),
                    blame(&status)
                );
            }
            _ => {}
        }
    }
}

/// Which components are to blame, with the last that they said.
fn blame(status: &Status) -> String {
    let is_blamed = |state| {
        matches!(
            state,
            ComponentState::Failed | ComponentState::Restarting | ComponentState::Starting
        )
    };
    let blamed = status
        .components
        .iter()
        .filter(|component| is_blamed(component.state));
    let mut parts: Vec<String> = blamed
        .map(|component| {
            let (name, log) = (&component.name, component.log.display());
            format!(
                "{name} did not become ready; the last lines of {log}:\n{}",
                tail(&component.log)
            )
        })
        .collect();
    parts.push(
        "`cargo xtask up` tries again; `cargo xtask down --delete` begins with a new cluster."
            .to_owned(),
    );
    parts.join("\n")
}

fn tail(log: &Path) -> String {
    let lines = files::last_lines(log, 20).unwrap_or_default();
    lines
        .into_iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Stops a supervisor that this process has started, and reaps it.
pub fn stop(layout: &Layout, child: &mut Child) -> anyhow::Result<()> {
    launch::stop(layout.root())?;
    // It may not have got as far as to write its status, and is then unknown
    // to `launch::stop`.
    let deadline = Instant::now() + Duration::from_secs(1);
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
