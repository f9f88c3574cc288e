//! Child processes that never outlive the call that started them.
//!
//! Guarantees: a child runs in a process group of its own and the whole group is killed when its
//! handle is dropped, so an abandoned future leaves no process behind; what a child prints is
//! read up to a limit and no further.

use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// A running child and its process group.
#[derive(Debug)]
pub struct Group {
    child: Child,
    group: Option<Pid>,
}

impl Group {
    /// Starts a command with its three streams piped, in a process group of its own.
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().map(|id| Pid::from_raw(id as i32));
        Ok(Self { child, group })
    }

    /// The child's standard input; `None` the second time.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The child's standard output; `None` the second time.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The child's standard error; `None` the second time.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The child's process id, while it has not been waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the child has ended.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Helpers of a child that ended go with it; its id may be another's from now on.
        self.signal(Signal::SIGKILL);
        self.group = None;
        Ok(status)
    }

    /// Kills the whole group and waits until the child is gone.
    pub async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // An error means that it is gone already.
        let _ = self.child.wait().await;
        self.group = None;
    }

    /// Sends a signal to the whole group; nothing happens if it is gone.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // ESRCH: gone already.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// What a stream held, up to a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The bytes read.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub cut: bool,
}

/// Reads at most `limit` bytes, then stops reading.
pub async fn read_head(stream: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Captured> {
    let mut bytes = Vec::new();
    stream
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .await?;
    let cut = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Captured { bytes, cut })
}

/// Reads a stream to its end and keeps the last `limit` bytes.
pub async fn read_tail(
    mut stream: impl AsyncRead + Unpin,
    limit: usize,
) -> std::io::Result<Captured> {
    let mut kept = Captured::default();
    let mut chunk = vec![0; 8 * 1024];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(kept);
        }
        kept.bytes.extend_from_slice(&chunk[..count]);
        if kept.bytes.len() > limit {
            kept.cut = true;
            kept.bytes.drain(..kept.bytes.len() - limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::kill;
    use tokio::io::AsyncBufReadExt as _;

    use super::*;

    /// Starts a shell with a grandchild and tells the grandchild's process id.
    async fn shell_with_grandchild() -> (Group, Pid) {
        let mut group =
            Group::spawn(Command::new("sh").args(["-c", "sleep 600 & echo $!; wait"])).unwrap();
        let mut lines = tokio::io::BufReader::new(group.stdout().unwrap()).lines();
        let id = lines.next_line().await.unwrap().unwrap().parse().unwrap();
        (group, Pid::from_raw(id))
    }

    /// Waits until a process is gone (or only waits to be reaped).
    async fn gone(id: Pid) {
        let stat = format!("/proc/{id}/stat");
        tokio::time::timeout(Duration::from_secs(5), async {
            while kill(id, None).is_ok()
                && !std::fs::read_to_string(&stat).is_ok_and(|s| s.contains(") Z "))
            {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the grandchild goes with its group");
    }

    #[tokio::test]
    async fn dropping_a_group_ends_its_grandchildren() {
        let (group, grandchild) = shell_with_grandchild().await;
        kill(grandchild, None).expect("it runs");
        drop(group);
        gone(grandchild).await;
    }

    #[tokio::test]
    async fn killing_a_group_ends_its_grandchildren() {
        let (mut group, grandchild) = shell_with_grandchild().await;
        group.kill().await;
        gone(grandchild).await;
    }

    #[tokio::test]
    async fn reading_stops_at_the_limit() {
        let head = read_head(&b"abcdef"[..], 3).await.unwrap();
        assert_eq!((head.bytes.as_slice(), head.cut), (&b"abc"[..], true));
        let all = read_head(&b"abc"[..], 3).await.unwrap();
        assert_eq!((all.bytes.as_slice(), all.cut), (&b"abc"[..], false));
        let tail = read_tail(&b"abcdef"[..], 3).await.unwrap();
        assert_eq!((tail.bytes.as_slice(), tail.cut), (&b"def"[..], true));
    }
}
