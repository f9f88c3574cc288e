//! Whether the API server is in contact, and what is not read yet.
//!
//! Guarantees: a cluster that stops answering is noticed within 6 seconds, also when its
//! connections hang; one that answers again within 4 ([`Pace`]).
//! After an outage every watch begins anew, so that nothing that happened meanwhile is missed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::ClusterError;

/// How often the cluster is asked, and how long it may take to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two heartbeats while the cluster answers.
    pub beat: Duration,
    /// Between two heartbeats while it does not.
    pub beat_when_down: Duration,
    /// How long a heartbeat may take.
    pub answer_within: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            beat: Duration::from_secs(3),
            beat_when_down: Duration::from_secs(1),
            answer_within: Duration::from_secs(3),
        }
    }
}

/// Shortest time between heartbeats, however many watches complain.
const BEAT_AT_LEAST: Duration = Duration::from_millis(100);

/// The watch that waits for the others: an event is kept only if its workload is known.
pub(crate) const EVENTS: &str = "Events";

/// The state of the link.
#[derive(Debug)]
pub(crate) struct Link {
    connected: watch::Sender<bool>,
    /// Rises with each return of the cluster; watches begin anew.
    returns: watch::Sender<u64>,
    /// Watches that have not read everything, leaving those of events out.
    unread: watch::Sender<usize>,
    /// A watch failed: look now.
    complaint: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Why the last heartbeat failed; absent when it did not.
    down: Option<String>,
    /// All watches.
    all: Vec<&'static str>,
    /// Watches that have not read everything yet, and the error that keeps them from it.
    unread: BTreeMap<&'static str, Option<String>>,
}

impl Link {
    /// A link with these watches, over which nothing went yet.
    pub fn new(all: Vec<&'static str>) -> Self {
        Link {
            connected: watch::Sender::new(false),
            returns: watch::Sender::new(0),
            unread: watch::Sender::new(all.len()),
            complaint: Notify::new(),
            state: Mutex::new(State {
                down: Some("it was not asked yet".to_owned()),
                unread: all.iter().map(|what| (*what, None)).collect(),
                all,
            }),
        }
    }

    /// Whether it answers and everything was read.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Why [`Link::connected`] is false, in one sentence without a full stop.
    pub fn reason(&self) -> String {
        let state = self.lock();
        if let Some(down) = &state.down {
            return format!("the cluster does not answer: {down}");
        }
        let trouble = state.unread.iter().find_map(|(what, error)| {
            let error = error.as_ref()?;
            Some(format!(
                "the {what} in the cluster cannot be watched: {error}"
            ))
        });
        trouble.unwrap_or_else(|| "the cluster's state is being read".to_owned())
    }

    /// Counts the times that the cluster came (back); nought before the first.
    pub fn returns(&self) -> watch::Receiver<u64> {
        self.returns.subscribe()
    }

    /// Counts the watches, but that of events, that have not read everything.
    pub fn unread(&self) -> watch::Receiver<usize> {
        self.unread.subscribe()
    }

    /// A watch begins to read everything.
    pub fn reading(&self, what: &'static str) {
        self.lock().unread.insert(what, None);
        self.tell();
    }

    /// A watch cannot read.
    pub fn cannot_read(&self, what: &'static str, error: String) {
        if let Some(unread) = self.lock().unread.get_mut(what) {
            *unread = Some(error);
        }
        self.complaint.notify_one();
    }

    /// A watch has read everything.
    pub fn read(&self, what: &'static str) {
        self.lock().unread.remove(what);
        self.tell();
    }

    /// Asks `ping` again and again until `shutdown`.
    pub async fn beat<F>(&self, pace: Pace, ping: impl Fn() -> F, shutdown: CancellationToken)
    where
        F: Future<Output = Result<(), ClusterError>>,
    {
        loop {
            let answer = tokio::select! {
                answer = tokio::time::timeout(pace.answer_within, ping()) => answer,
                () = shutdown.cancelled() => return,
            };
            let down = match answer {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(short(&error)),
                Err(_) => Some(short(&ClusterError::timed_out(pace.answer_within))),
            };
            let wait = if down.is_some() {
                pace.beat_when_down
            } else {
                pace.beat
            };
            self.answered(down);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.complaint.notified() => tokio::time::sleep(BEAT_AT_LEAST).await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Takes a heartbeat's answer in.
    fn answered(&self, down: Option<String>) {
        let returned = {
            let mut state = self.lock();
            let before = std::mem::replace(&mut state.down, down);
            match (&before, &state.down) {
                (Some(_), None) => tracing::info!("the cluster answers"),
                (None, Some(reason)) => tracing::warn!(reason, "the cluster does not answer"),
                _ => {}
            }
            before.is_some() && state.down.is_none()
        };
        if returned {
            // What was read before may be old: the watches report anew.
            let mut state = self.lock();
            state.unread = state.all.iter().map(|what| (*what, None)).collect();
            drop(state);
            self.returns.send_modify(|count| *count += 1);
        }
        self.tell();
    }

    fn tell(&self) {
        let (up, unread) = {
            let state = self.lock();
            let unread = state.unread.keys().filter(|what| **what != EVENTS);
            (
                state.down.is_none() && state.unread.is_empty(),
                unread.count(),
            )
        };
        self.unread.send_replace(unread);
        self.connected.send_if_modified(|before| {
            let changed = *before != up;
            *before = up;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the words that [`Link::reason`] says already.
fn short(error: &ClusterError) -> String {
    match error {
        ClusterError::Unreachable(reason) | ClusterError::Unavailable(reason) => reason.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn connected_means_that_it_answers_and_all_was_read() {
        let link = Link::new(vec!["Pods", EVENTS]);
        let connected = link.connected();
        assert!(!*connected.borrow());
        link.answered(None);
        assert_eq!(link.reason(), "the cluster's state is being read");
        link.read("Pods");
        assert_eq!(*link.unread().borrow(), 0);
        assert!(!*connected.borrow());
        link.read(EVENTS);
        assert!(*connected.borrow());
        link.answered(Some("Connection refused".into()));
        assert!(!*connected.borrow());
        assert_eq!(
            link.reason(),
            "the cluster does not answer: Connection refused"
        );
    }

    #[test]
    fn a_return_makes_every_watch_read_anew() {
        let link = Link::new(vec!["Pods"]);
        link.answered(None);
        link.read("Pods");
        link.answered(None);
        assert_eq!(*link.returns().borrow(), 1);
        assert!(*link.connected().borrow());
        link.answered(Some("gone".into()));
        link.answered(None);
        assert_eq!(*link.returns().borrow(), 2);
        assert!(!*link.connected().borrow());
        link.cannot_read("Pods", "forbidden".into());
        assert_eq!(
            link.reason(),
            "the Pods in the cluster cannot be watched: forbidden"
        );
        link.read("Pods");
        assert!(*link.connected().borrow());
    }

    #[tokio::test]
    async fn a_cluster_that_hangs_is_noticed() {
        let link = Arc::new(Link::new(vec![]));
        let hangs = Arc::new(AtomicBool::new(false));
        let shutdown = CancellationToken::new();
        let pace = Pace {
            beat: Duration::from_millis(10),
            beat_when_down: Duration::from_millis(10),
            answer_within: Duration::from_millis(50),
        };
        let task = tokio::spawn({
            let (link, hangs, shutdown) = (link.clone(), hangs.clone(), shutdown.clone());
            async move {
                let ping = || {
                    let hangs = hangs.clone();
                    async move {
                        if hangs.load(Ordering::SeqCst) {
                            std::future::pending::<()>().await;
                        }
                        Ok(())
                    }
                };
                link.beat(pace, ping, shutdown).await;
            }
        });
        let mut connected = link.connected();
        connected.wait_for(|up| *up).await.expect("a link");
        hangs.store(true, Ordering::SeqCst);
        connected.wait_for(|up| !*up).await.expect("a link");
        assert!(
            link.reason().contains("no answer within"),
            "{}",
            link.reason()
        );
        hangs.store(false, Ordering::SeqCst);
        connected.wait_for(|up| *up).await.expect("a link");
        shutdown.cancel();
        task.await.expect("an end");
    }
}
