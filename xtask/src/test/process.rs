//! Running programs so that Ctrl-C ends them, and whatever they started, in order.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long programs may take to end after they were asked to.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether somebody pressed Ctrl-C or sent SIGTERM.
#[derive(Clone)]
pub struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Watches for both from now on.
    pub fn watch() -> anyhow::Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&raised))?;
        }
        Ok(Self(raised))
    }

    /// One that never comes: for work that must be done after an interruption.
    pub fn ignored() -> Self {
        Self(Arc::default())
    }

    /// Whether it came.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a program whose output goes where ours goes; an error unless it ends well.
pub fn run(command: &mut Command, interruption: &Interruption) -> anyhow::Result<()> {
    let name = Path::new(command.get_program());
    let name = name
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // A process group of its own: the terminal's Ctrl-C comes to us alone, and we pass it on to
    // the program and to all that it started.
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("{name} cannot be run"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            anyhow::ensure!(status.success(), "{name} ended with {status}");
            return Ok(());
        }
        if interruption.is_raised() {
            end(&mut child)?;
            anyhow::bail!("interrupted");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends a child and everything in its process group.
fn end(child: &mut Child) -> anyhow::Result<()> {
    let group = Pid::from_raw(i32::try_from(child.id())?);
    let _ = killpg(group, Signal::SIGINT);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Those in the group that did not end with it.
    let _ = killpg(group, Signal::SIGKILL);
    child.wait()?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A script that `sh` runs.
    pub(in crate::test) fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_exit_code_is_an_error() {
        let never = Interruption::ignored();
        assert!(run(&mut shell("exit 0"), &never).is_ok());
        let error = run(&mut shell("exit 3"), &never).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn an_interruption_ends_the_program_and_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let interruption = Interruption::ignored();
        let raise = interruption.clone();
        let wanted = pid_file.clone();
        let watcher = std::thread::spawn(move || {
            while !std::fs::read_to_string(&wanted).is_ok_and(|text| text.ends_with('\n')) {
                std::thread::yield_now();
            }
            raise.0.store(true, Ordering::Relaxed);
        });
        let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let error = run(&mut shell(&script), &interruption).unwrap_err();
        assert_eq!(error.to_string(), "interrupted");
        watcher.join().unwrap();
        let grandchild: i32 = std::fs::read_to_string(&pid_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while is_alive(grandchild) && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(!is_alive(grandchild));
    }

    fn is_alive(pid: i32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    }
}
