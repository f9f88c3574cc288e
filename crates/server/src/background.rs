//! Work that goes on beside the requests, by name: so that a stop that takes too long can say what
//! it waited for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

/// Work in the background; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Background {
    tasks: TaskTracker,
    running: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Background {
    /// Begins work. A panic in it ends it and is logged by name.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let running = Running::begin(name, self.running.clone());
        let work = self.tasks.spawn(work);
        self.tasks.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(work = name, %error, "work in the background broke off");
            }
            drop(running);
        });
    }

    /// Waits until all work has ended, at most `patience`; what did not end is named.
    pub async fn ended(&self, patience: Duration) -> Result<(), Vec<&'static str>> {
        self.tasks.close();
        match tokio::time::timeout(patience, self.tasks.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(lock(&self.running).iter().copied().collect()),
        }
    }
}

/// A name's place among those that run.
struct Running(&'static str, Arc<Mutex<BTreeSet<&'static str>>>);

impl Running {
    fn begin(name: &'static str, all: Arc<Mutex<BTreeSet<&'static str>>>) -> Self {
        lock(&all).insert(name);
        Self(name, all)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.1).remove(self.0);
    }
}

fn lock<'a>(
    all: &'a Mutex<BTreeSet<&'static str>>,
) -> std::sync::MutexGuard<'a, BTreeSet<&'static str>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_does_not_end_is_named() {
        let background = Background::default();
        let (go, wait) = oneshot::channel::<()>();
        background.spawn("quick", async {});
        background.spawn("broken", async { panic!("on purpose") });
        background.spawn("slow", async move { drop(wait.await) });
        let left = loop {
            let left = background
                .ended(Duration::from_millis(1))
                .await
                .unwrap_err();
            if left.len() == 1 {
                break left;
            }
        };
        assert_eq!(left, ["slow"]);
        go.send(()).unwrap();
        background.ended(Duration::from_secs(10)).await.unwrap();
    }
}
