//! Process numbers as the machine sees them. Inside of the PID namespace every
//! process has another number, which is of no use to a person with `kill`.

use std::fs;
use std::path::PathBuf;

use super::Error;
use crate::status::ProcessId;

/// The machine's `/proc`, kept from before the cluster had its own.
#[derive(Clone, Debug)]
pub(crate) struct HostPids {
    proc: PathBuf,
    supervisor: ProcessId,
}

impl HostPids {
    /// Takes the machine's `/proc` and finds this very process in it.
    pub(super) fn new(proc: PathBuf) -> Result<Self, Error> {
        let link = proc.join("self");
        let target = fs::read_link(&link).map_err(Error::io(link.display().to_string()))?;
        let supervisor = target
            .to_str()
            .and_then(|pid| pid.parse().ok())
            .and_then(|pid| ProcessId::read(&proc, pid))
            .ok_or_else(|| {
                Error::io("own process")(std::io::Error::other("not in the machine's /proc"))
            })?;
        Ok(Self { proc, supervisor })
    }

    /// This process.
    pub(crate) fn supervisor(&self) -> ProcessId {
        self.supervisor
    }

    /// The machine's number of a child of this process.
    pub(crate) fn of_child(&self, pid: u32) -> Option<u32> {
        let tasks = self.proc.join(self.supervisor.pid.to_string()).join("task");
        fs::read_dir(tasks)
            .ok()?
            .filter_map(Result::ok)
            .find_map(|task| {
                let children = fs::read_to_string(task.path().join("children")).ok()?;
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse().ok())
                    .find(|child| self.innermost(*child) == Some(pid))
            })
    }

    fn innermost(&self, host_pid: u32) -> Option<u32> {
        let status =
            fs::read_to_string(self.proc.join(host_pid.to_string()).join("status")).ok()?;
        innermost(&status)
    }
}

fn innermost(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?
        .split_whitespace()
        .last()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_number_is_the_last() {
        assert_eq!(innermost("Name:\tx\nNSpid:\t4711\t12\n"), Some(12));
        assert_eq!(innermost("Name:\tx\n"), None);
    }
}
