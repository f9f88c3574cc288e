//! What a cluster is doing and where to reach it. Owns `state.json`, which is
//! written by the supervisor alone and read by anyone; its form is that of
//! `cargo xtask status --output json`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::paths::Layout;

/// A cluster as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Something is not ready yet.
    Starting,
    /// Everything is.
    Ready,
    /// A component gave up; see `components`.
    Failed,
    /// On its way down.
    Stopping,
    /// Nothing runs.
    Stopped,
}

/// One component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// What it needs is not ready.
    Waiting,
    /// Started, and not ready yet.
    Starting,
    /// Ready.
    Ready,
    /// A task that is over and need not run again.
    Done,
    /// Died, and will be started again in a moment.
    Restarting,
    /// Given up: it died or stayed unready too often before it was ever ready.
    Failed,
    /// Stopped as asked.
    Stopped,
}

impl ComponentState {
    /// Whether those that need this component may start.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::Done)
    }
}

/// A component of the cluster and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its name, also that of its log.
    pub name: String,
    /// How it is.
    pub state: ComponentState,
    /// Its process as the machine sees it (outside of the PID namespace).
    pub pid: Option<u32>,
    /// How often it was started again after it died.
    pub restarts: u32,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A load balancer of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub name: String,
    /// Its address on this machine.
    pub address: Ipv4Addr,
    /// The ports that answer there.
    pub ports: Vec<u16>,
}

/// A process, told from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number as the machine sees it.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started_ticks: u64,
}

impl ProcessId {
    /// The process with this number now, if there is one.
    pub fn of(pid: u32) -> Option<Self> {
        Self::read(Path::new("/proc"), pid)
    }

    /// The same in another view of the processes.
    pub fn read(proc: &Path, pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(proc.join(pid.to_string()).join("stat")).ok()?;
        // The name, in parentheses, may itself hold spaces and parentheses.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        if fields.next()? == "Z" {
            return None;
        }
        let started_ticks = fields.nth(18)?.parse().ok()?;
        Some(Self { pid, started_ticks })
    }

    /// Whether this very process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// A cluster: what it is doing and where to reach its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The cluster as a whole.
    pub phase: Phase,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// The supervisor.
    pub supervisor: Option<ProcessId>,
    /// Hermez: UI and API.
    pub server: String,
    /// The sample service, once it has an address.
    pub sample: Option<String>,
    /// The Git forge.
    pub forge: String,
    /// The forge's user, an administrator.
    pub forge_user: String,
    /// Where that user's password is.
    pub forge_password_file: PathBuf,
    /// Where that user's API token is.
    pub forge_token_file: PathBuf,
    /// The registry, as in an image's name.
    pub registry: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Where the token of Hermez's owner is.
    pub token_file: PathBuf,
    /// The `hermez` binary.
    pub hermez: PathBuf,
    /// The `kubectl` binary.
    pub kubectl: PathBuf,
    /// The `buildctl` binary.
    pub buildctl: PathBuf,
    /// BuildKit's address.
    pub buildkit: String,
    /// The cgroup, in each hierarchy, of everything in the cluster.
    pub cgroup: String,
    /// Services that are reached from this machine.
    pub load_balancers: Vec<LoadBalancer>,
    /// The components, in order of need.
    pub components: Vec<Component>,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster was ever started there.
    #[error("no local cluster in {0}; `cargo xtask up` starts one")]
    None(PathBuf),
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error("{path} cannot be understood: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
}

impl Status {
    /// Whether the supervisor that wrote this still runs.
    pub fn is_running(&self) -> bool {
        self.supervisor.is_some_and(ProcessId::is_alive)
    }

    /// The component with this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components
            .iter()
            .find(|component| component.name == name)
    }

    /// The sum of its components, unless it is on its way down.
    pub fn derive_phase(&self) -> Phase {
        if matches!(self.phase, Phase::Stopping | Phase::Stopped) {
            self.phase
        } else if self
            .components
            .iter()
            .any(|component| component.state == ComponentState::Failed)
        {
            Phase::Failed
        } else if self
            .components
            .iter()
            .all(|component| component.state.is_ready())
        {
            Phase::Ready
        } else {
            Phase::Starting
        }
    }

    /// The same when the supervisor is gone: nothing runs.
    fn stopped(mut self) -> Self {
        self.phase = Phase::Stopped;
        self.supervisor = None;
        self.load_balancers.clear();
        self.sample = None;
        for component in &mut self.components {
            component.pid = None;
            component.state = ComponentState::Stopped;
        }
        self
    }
}

/// The status of the cluster in this data folder, checked against the
/// processes that run: a supervisor that has died counts as stopped.
pub fn read(data_dir: &Path) -> Result<Status, Error> {
    let path = Layout::new(data_dir).state();
    let bytes = fs::read(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::None(data_dir.to_owned()),
        _ => Error::File {
            path: path.clone(),
            source,
        },
    })?;
    let status: Status =
        serde_json::from_slice(&bytes).map_err(|source| Error::Malformed { path, source })?;
    Ok(if status.is_running() {
        status
    } else {
        status.stopped()
    })
}

/// Replaces the status of this data folder.
pub fn write(layout: &Layout, status: &Status) -> Result<(), Error> {
    let path = layout.state();
    let json = serde_json::to_vec_pretty(status).unwrap_or_default();
    files::write_private(&path, &json).map_err(|source| Error::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_status(dir: &Path, supervisor: Option<ProcessId>) -> Status {
        Status {
            phase: Phase::Starting,
            data_dir: dir.to_owned(),
            supervisor,
            server: "http://127.0.0.1:1".into(),
            sample: None,
            forge: "http://127.0.0.1:2".into(),
            forge_user: "hermez".into(),
            forge_password_file: dir.join("p"),
            forge_token_file: dir.join("t"),
            registry: "127.0.0.1:3".into(),
            kubeconfig: dir.join("k"),
            token_file: dir.join("token"),
            hermez: "/bin/true".into(),
            kubectl: "/bin/true".into(),
            buildctl: "/bin/true".into(),
            buildkit: "unix:///b".into(),
            cgroup: "hermez-1".into(),
            load_balancers: Vec::new(),
            components: vec![Component {
                name: "etcd".into(),
                state: ComponentState::Ready,
                pid: Some(7),
                restarts: 0,
                log: dir.join("l"),
            }],
        }
    }

    #[test]
    fn a_running_supervisor_is_told_from_a_dead_one() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let me = ProcessId::of(std::process::id()).unwrap();
        let status = mk_status(dir.path(), Some(me));
        write(&layout, &status).unwrap();
        assert_eq!(read(dir.path()).unwrap(), status);

        let later = ProcessId {
            started_ticks: me.started_ticks + 1,
            ..me
        };
        write(&layout, &mk_status(dir.path(), Some(later))).unwrap();
        let stopped = read(dir.path()).unwrap();
        assert_eq!(stopped.phase, Phase::Stopped);
        assert_eq!(stopped.components[0].pid, None);
    }

    #[test]
    fn a_missing_cluster_says_how_to_start_one() {
        let error = read(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("cargo xtask up"), "{error}");
    }

    #[test]
    fn the_phase_is_the_sum_of_the_components() {
        let mut status = mk_status(Path::new("/x"), None);
        assert_eq!(status.derive_phase(), Phase::Ready);
        status.components[0].state = ComponentState::Restarting;
        assert_eq!(status.derive_phase(), Phase::Starting);
        status.components[0].state = ComponentState::Failed;
        assert_eq!(status.derive_phase(), Phase::Failed);
        status.phase = Phase::Stopping;
        assert_eq!(status.derive_phase(), Phase::Stopping);
    }
}
