//! Starting and stopping a supervisor from outside of its namespaces.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::components::Tools;
use crate::paths::Layout;
use crate::status::{self, ProcessId, Status};
use crate::{cleanup, files};

/// How long a supervisor may take to stop everything before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Why a supervisor could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the data folder.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("the supervisor could not be started: {0}")]
    Start(#[source] io::Error),
    /// It is still there after it was killed.
    #[error("process {0} does not end, even when killed")]
    Immortal(u32),
    /// The status cannot be read.
    #[error(transparent)]
    Status(#[from] status::Error),
    /// A cgroup stays.
    #[error(transparent)]
    Cleanup(#[from] cleanup::Error),
}

/// Where the supervisor reads which tools to use.
pub fn tools_file(layout: &Layout) -> PathBuf {
    layout.etc("tools.json")
}

/// Starts a supervisor on this data folder, in PID and mount namespaces of its
/// own. With `die_with_parent` it is killed when the calling thread ends.
///
/// The first process of the PID namespace reaps orphans and ends with the
/// supervisor, upon which the kernel ends everything else in it.
pub fn start(
    layout: &Layout,
    supervisor: &Path,
    tools: &Tools,
    die_with_parent: bool,
) -> Result<Child, Error> {
    let at = |path: PathBuf| move |source| Error::File { path, source };
    let json = serde_json::to_vec_pretty(tools).unwrap_or_default();
    files::write_private(&tools_file(layout), &json).map_err(at(tools_file(layout)))?;
    let log_path = layout.log("supervisor");
    files::make_private_dir(&layout.root().join("logs")).map_err(at(log_path.clone()))?;
    if log_path.exists() {
        let _ = fs::rename(&log_path, log_path.with_extension("log.1"));
    }
    let log = File::create(&log_path).map_err(at(log_path.clone()))?;
    let mut words: Vec<&str> = if die_with_parent {
        vec!["setpriv", "--pdeathsig", "KILL"]
    } else {
        vec!["setsid"]
    };
    words.extend([
        "unshare",
        "--pid",
        "--mount",
        "--propagation",
        "private",
        "--fork",
        "--kill-child=KILL",
    ]);
    words.extend(["--", "tini", "--"]);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(supervisor)
        .arg("supervise")
        .arg("--data-dir")
        .arg(layout.root())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(at(log_path))?)
        .stderr(log);
    if die_with_parent {
        // Ctrl-C is for whoever started it, who then stops it in order. (setsid
        // would have to fork if it led a group already.)
        command.process_group(0);
    }
    command.spawn().map_err(Error::Start)
}

/// What [`stop`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A supervisor ran, and has stopped everything.
    Now,
    /// The supervisor had been killed; what it left is removed.
    CleanedUp,
    /// Nothing ran and nothing was left.
    Before,
}

/// Stops the cluster in this data folder if it runs, and removes what it left
/// if it was killed.
pub fn stop(data_dir: &Path) -> Result<Stopped, Error> {
    let status = match status::read(data_dir) {
        Ok(status) => status,
        Err(status::Error::None(_)) => return Ok(Stopped::Before),
        Err(error) => return Err(error.into()),
    };
    let was_running = status.is_running();
    if let Some(supervisor) = status.supervisor.filter(|_| was_running) {
        end(&status, supervisor)?;
    }
    let has_leftovers = !cleanup::cgroups(&status.cgroup).is_empty();
    cleanup::remove_cgroups(&status.cgroup, Duration::from_secs(10))?;
    let stopped = status::read(data_dir)?;
    status::write(&Layout::new(data_dir), &stopped)?;
    Ok(match (was_running, has_leftovers) {
        (true, _) => Stopped::Now,
        (false, true) => Stopped::CleanedUp,
        (false, false) => Stopped::Before,
    })
}

/// Asks the supervisor to stop, and kills the whole PID namespace if it does
/// not.
fn end(status: &Status, supervisor: ProcessId) -> Result<(), Error> {
    let init = parent(supervisor.pid).and_then(ProcessId::of);
    let signal = |process: ProcessId, signal| {
        if process.is_alive() {
            let _ = kill(Pid::from_raw(process.pid as i32), signal);
        }
    };
    signal(supervisor, Signal::SIGTERM);
    let everything = [Some(supervisor), init];
    if wait_for_end(&everything, STOP_PATIENCE) {
        return Ok(());
    }
    for process in everything.into_iter().flatten() {
        signal(process, Signal::SIGKILL);
    }
    if wait_for_end(&everything, Duration::from_secs(5)) {
        Ok(())
    } else {
        Err(Error::Immortal(status_pid(status)))
    }
}

fn status_pid(status: &Status) -> u32 {
    status.supervisor.map_or(0, |process| process.pid)
}

fn wait_for_end(processes: &[Option<ProcessId>], patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while processes.iter().flatten().any(|process| process.is_alive()) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim()
        .parse()
        .ok()
}
