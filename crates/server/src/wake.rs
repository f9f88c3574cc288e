//! Waiting for a change of something in the database.

use std::time::Duration;

use hermez_store::{Change, Store};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Longest time between two looks. Every change is announced; this is the net below that.
const LATEST: Duration = Duration::from_secs(30);

/// Wakes when something changes. Made before the first read, so that no change is missed.
pub struct Wake {
    changes: broadcast::Receiver<Change>,
    of: Vec<Change>,
}

impl Wake {
    /// Wakes for these changes.
    pub fn new(store: &Store, of: Vec<Change>) -> Self {
        Self {
            changes: store.changes(),
            of,
        }
    }

    /// Returns at the next change (or when one may have been missed), half a minute from now at the
    /// latest.
    pub async fn wait(&mut self) {
        let changed = async {
            loop {
                match self.changes.recv().await {
                    Ok(change) if !self.of.contains(&change) && change != Change::Missed => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _ = tokio::time::timeout(LATEST, changed).await;
    }
}
