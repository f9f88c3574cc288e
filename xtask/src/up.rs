//! `cargo xtask up`: from a fresh machine to a sample service that answers.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use hermez_sandbox::paths::Layout;
use hermez_sandbox::status::{self, Phase, Status};
use hermez_sandbox::{files, launch, machine};
use nix::fcntl::{Flock, FlockArg};

use crate::progress::Progress;
use crate::{Cluster, build, closing, repository, sample, wait};

/// What `up` can be told.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: Cluster,
    /// Return once the sample answers, and leave everything running
    #[arg(long)]
    detach: bool,
    /// Kubernetes, registry, BuildKit and forge only: neither Hermez nor the sample
    #[arg(long)]
    cluster_only: bool,
}

/// Brings everything up. In the foreground, stays until Ctrl-C.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let up = Up {
        started: Instant::now(),
        progress: Progress::new(),
        layout: Layout::new(arguments.cluster.data_dir()?),
        with_hermez: !arguments.cluster_only,
        interrupted: interruption()?,
    };
    up.check_machine()?;
    let lock = up.lock()?;
    if let Some(status) = up.running() {
        return up.go_on(status);
    }
    build::install_packages(&up.progress)?;
    let (tools, supervisor) = build::all(&up.progress, up.with_hermez)?;
    anyhow::ensure!(!up.interrupted(), "interrupted; nothing was started");
    // What a supervisor that was killed has left.
    launch::stop(up.layout.root())?;
    let mut child = launch::start(&up.layout, &supervisor, &tools, !arguments.detach)?;
    let result = wait::until_ready(&up.progress, &up.layout, Some(&mut child), &up.interrupted)
        .and_then(|status| up.finish(&status));
    if let Err(error) = result {
        up.progress.say("Stopping everything.");
        wait::stop(&up.layout, &mut child)?;
        return Err(error);
    }
    drop(lock);
    if arguments.detach {
        Ok(())
    } else {
        up.stay(&mut child)
    }
}

struct Up {
    started: Instant,
    progress: Progress,
    layout: Layout,
    with_hermez: bool,
    interrupted: Arc<AtomicBool>,
}

impl Up {
    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn check_machine(&self) -> anyhow::Result<()> {
        let needs_node = self.with_hermez && repository().join("web/package.json").exists();
        let problems = machine::problems(needs_node);
        if problems.is_empty() {
            return Ok(());
        }
        let list = problems.join("\n  - ");
        bail!(
            "this machine cannot run the local cluster:\n  - {list}\n\n{}",
            machine::ALTERNATIVE
        )
    }

    /// Keeps a second `up` from starting (or stopping) what the first one is
    /// bringing up: it waits, and then finds it running.
    fn lock(&self) -> anyhow::Result<Flock<File>> {
        let path = self.layout.starting_lock();
        let open = || -> anyhow::Result<File> {
            files::make_private_dir(self.layout.root())?;
            Ok(File::create(&path)?)
        };
        let file =
            open().with_context(|| format!("cannot use {}", self.layout.root().display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(lock),
            Err((file, _)) => {
                let step = self
                    .progress
                    .step("Waiting for another `up` on the same folder");
                let lock =
                    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
                step.done();
                Ok(lock)
            }
        }
    }

    /// The cluster, if it runs and has what is asked for. One without Hermez
    /// is stopped first when Hermez is asked for; it keeps its state.
    fn running(&self) -> Option<Status> {
        let status = status::read(self.layout.root()).ok()?;
        let is_up = matches!(status.phase, Phase::Ready | Phase::Starting);
        if is_up && self.with_hermez && status.component("hermez").is_none() {
            self.progress
                .say("The cluster runs without Hermez; it is started again, with Hermez.");
            return None;
        }
        is_up.then_some(status)
    }

    /// Nothing to start; but Hermez may have been changed since, and the sample may not be there.
    fn go_on(&self, status: Status) -> anyhow::Result<()> {
        self.progress
            .say(&format!("Already up ({}).", self.layout.root().display()));
        let status = match status.phase {
            Phase::Ready => status,
            _ => wait::until_ready(&self.progress, &self.layout, None, &self.interrupted)?,
        };
        let status = if self.with_hermez {
            self.renew(status)?
        } else {
            status
        };
        self.finish(&status)
    }

    /// Starts Hermez again if it runs from a file that has been built anew since.
    fn renew(&self, status: Status) -> anyhow::Result<Status> {
        let Some(pid) = status.component("hermez").and_then(|hermez| hermez.pid) else {
            return Ok(status);
        };
        let built = build::programs(&self.progress, true)?.join("hermez");
        let running = format!("/proc/{pid}/exe");
        let path = std::fs::read_link(&running)?;
        let path = path.to_string_lossy();
        let is_its_own = path.trim_end_matches(" (deleted)") == built.to_string_lossy();
        if !is_its_own || is_same_file(&running, &built)? {
            return Ok(status);
        }
        let step = self
            .progress
            .step("Hermez was built anew; it is started again");
        let process = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM)?;
        let is_other =
            |status: &Status| status.component("hermez").and_then(|it| it.pid) != Some(pid);
        while !status::read(self.layout.root()).is_ok_and(|status| is_other(&status)) {
            anyhow::ensure!(!self.interrupted(), "interrupted");
            std::thread::sleep(Duration::from_millis(50));
        }
        step.done();
        wait::until_ready(&self.progress, &self.layout, None, &self.interrupted)
    }

    /// The sample, and the closing words.
    fn finish(&self, status: &Status) -> anyhow::Result<()> {
        let sample = if self.with_hermez {
            self.progress.say(&format!(
                "Hermez is ready. This link signs you in, once: {}",
                sample::login_link(status)?
            ));
            Some(sample::seed(&self.progress, status)?)
        } else {
            None
        };
        println!(
            "{}",
            closing::render(status, sample.as_deref(), self.started)
        );
        Ok(())
    }

    /// Stays until Ctrl-C, then stops everything.
    fn stay(&self, child: &mut Child) -> anyhow::Result<()> {
        self.progress.say("Ctrl-C stops it all.");
        while !self.interrupted() {
            if let Some(status) = child.try_wait()? {
                launch::stop(self.layout.root())?;
                if status.success() {
                    self.progress.say("Stopped.");
                    return Ok(());
                }
                bail!(
                    "the supervisor ended ({status}); its log is {}",
                    self.layout.log("supervisor").display()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let step = self.progress.step("Stopping");
        wait::stop(&self.layout, child)?;
        step.done();
        Ok(())
    }
}

/// Whether two paths lead to the same file.
fn is_same_file(one: impl AsRef<Path>, other: impl AsRef<Path>) -> anyhow::Result<bool> {
    let (one, other) = (std::fs::metadata(one)?, std::fs::metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// A flag that Ctrl-C and SIGTERM raise.
fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second time it ends this process, and with it a cluster in the
        // foreground.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&raised))?;
        signal_hook::flag::register(signal, Arc::clone(&raised))?;
    }
    Ok(raised)
}
