//! What a process has used, from the kernel's own account.

use anyhow::{Context, Result};

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// CPU time, in seconds.
    pub cpu_s: f64,
    /// Most memory at any time, in MiB.
    pub peak_mib: u64,
}

/// What the process with this number has used so far.
///
/// # Errors
/// When there is no such process.
pub fn usage(pid: u32) -> Result<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("stat")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    // Ticks of user and system time, a hundred to the second on every Linux.
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(Used {
        cpu_s: ticks / 100.0,
        peak_mib: kib / 1024,
    })
}

/// Process of the server that came up with the cluster, once it answers.
///
/// # Errors
/// When the cluster runs without one, or it is not ready.
pub fn server() -> Result<u32> {
    let data_dir = hermez_sandbox::paths::default_data_dir()?;
    let status = hermez_sandbox::status::read(&data_dir)?;
    let mut components = status.components.into_iter();
    let hermez = components.find(|component| component.name == "hermez");
    let hermez = hermez.context("the cluster runs without Hermez")?;
    anyhow::ensure!(hermez.state.is_ready(), "the server is not ready");
    hermez.pid.context("the server's process")
}
