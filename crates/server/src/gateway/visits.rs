//! Which previews are used now: noted in the database now and then, not at each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hermez_store::Store;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// How often the use of a preview is noted.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// What is known of one preview's use.
#[derive(Default)]
struct Use {
    /// Requests and connections that are open.
    open: usize,
    /// When its use was last noted.
    noted: Option<Instant>,
}

/// The previews that are used.
#[derive(Clone)]
pub struct Visits {
    store: Store,
    uses: Arc<Mutex<HashMap<i64, Use>>>,
}

/// A request or a connection that is open.
pub struct Visit {
    visits: Visits,
    preview: i64,
}

impl Visits {
    /// Begins to note what stays open, until `shutdown`.
    pub fn start(store: Store, shutdown: CancellationToken) -> Self {
        let visits = Self {
            store,
            uses: Arc::default(),
        };
        let noting = visits.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(NOTE_EVERY) => noting.note_open().await,
                    () = shutdown.cancelled() => return,
                }
            }
        });
        visits
    }

    /// Begins a visit.
    pub async fn begin(&self, preview: i64) -> Visit {
        let due = self.with(|uses| {
            let used = uses.entry(preview).or_default();
            used.open += 1;
            let due = used.noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY);
            if due {
                used.noted = Some(Instant::now());
            }
            due
        });
        let visit = Visit {
            visits: self.clone(),
            preview,
        };
        if due {
            self.note(preview).await;
        }
        visit
    }

    async fn note_open(&self) {
        let open: Vec<i64> = self.with(|uses| {
            // What was noted long ago and is not open is no longer worth a place.
            uses.retain(|_, used| {
                used.open > 0 || used.noted.is_some_and(|noted| noted.elapsed() < NOTE_EVERY)
            });
            let open = uses.iter().filter(|(_, used)| used.open > 0);
            open.map(|(id, _)| *id).collect()
        });
        for preview in open {
            self.note(preview).await;
        }
    }

    async fn note(&self, preview: i64) {
        if let Err(error) = self.store.touch_preview(preview, Timestamp::now()).await {
            tracing::warn!(%error, "the use of a preview could not be noted");
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<i64, Use>) -> T) -> T {
        act(&mut self.uses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.visits.with(|uses| {
            if let Some(used) = uses.get_mut(&self.preview) {
                used.open = used.open.saturating_sub(1);
            }
        });
    }
}
