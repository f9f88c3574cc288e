//! A build's steps and lines on their way into the store: batched, bounded, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hermez_api::{BuildStep, LogLine};
use hermez_build::{BuildEvent, StepState};
use hermez_store::{Lease, Store, StoreError};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Longest time that a line waits for others before all are written.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// Most lines of one write.
const BATCH: usize = 500;
/// Events that may wait; a full channel slows the build down.
const WAITING: usize = 1024;

/// Where a build's events go.
pub(crate) fn channel() -> (mpsc::Sender<BuildEvent>, mpsc::Receiver<BuildEvent>) {
    mpsc::channel(WAITING)
}

/// Writes events until the channel closes; steps are numbered on from `first_step`. Returns the
/// number of steps seen.
pub(crate) async fn record(
    store: &Store,
    lease: Lease,
    first_step: i32,
    mut events: mpsc::Receiver<BuildEvent>,
) -> Result<i32, StoreError> {
    let mut batch = Batch {
        first_step,
        ..Batch::default()
    };
    let mut open = true;
    while open {
        let Some(event) = events.recv().await else {
            break;
        };
        batch.take(event);
        let flush = tokio::time::sleep(FLUSH_AFTER);
        tokio::pin!(flush);
        while batch.lines.len() < BATCH {
            tokio::select! {
                () = &mut flush => break,
                event = events.recv() => {
                    let Some(event) = event else {
                        open = false;
                        break;
                    };
                    batch.take(event);
                }
            }
        }
        batch.write(store, lease).await?;
    }
    Ok(batch.count)
}

/// What is not written yet.
#[derive(Default)]
struct Batch {
    first_step: i32,
    count: i32,
    known: BTreeMap<i32, BuildStep>,
    changed: BTreeSet<i32>,
    lines: Vec<LogLine>,
}

impl Batch {
    fn take(&mut self, event: BuildEvent) {
        match event {
            BuildEvent::StepStarted { step, name, at } => {
                self.count = self.count.max(step);
                let number = step + self.first_step;
                let state = "running".to_owned();
                let step = BuildStep {
                    number,
                    name,
                    state,
                    started_at: Some(at),
                    finished_at: None,
                };
                self.known.insert(number, step);
                self.changed.insert(number);
            }
            BuildEvent::StepFinished {
                step,
                state,
                at,
                error,
            } => {
                let number = step + self.first_step;
                if let Some(known) = self.known.get_mut(&number) {
                    word(state).clone_into(&mut known.state);
                    known.finished_at = Some(at);
                    self.changed.insert(number);
                }
                if let Some(text) = error {
                    self.lines.push(LogLine {
                        seq: 0,
                        at,
                        step: number,
                        text,
                    });
                }
            }
            BuildEvent::Line { step, at, text } => {
                let step = if step == 0 { 0 } else { step + self.first_step };
                self.lines.push(LogLine {
                    seq: 0,
                    at,
                    step,
                    text,
                });
            }
        }
    }

    async fn write(&mut self, store: &Store, lease: Lease) -> Result<(), StoreError> {
        let changed = std::mem::take(&mut self.changed);
        let steps: Vec<BuildStep> = changed
            .iter()
            .filter_map(|number| self.known.get(number).cloned())
            .collect();
        let lines = std::mem::take(&mut self.lines);
        store.write_build_progress(lease, &steps, &lines).await?;
        Ok(())
    }
}

fn word(state: StepState) -> &'static str {
    match state {
        StepState::Succeeded => "succeeded",
        StepState::Cached => "cached",
        StepState::Failed => "failed",
        StepState::Canceled => "canceled",
    }
}

/// Writes a line of Hermez's own.
pub(crate) async fn say(
    store: &Store,
    lease: Lease,
    text: impl Into<String>,
) -> Result<(), StoreError> {
    let line = LogLine {
        seq: 0,
        at: Timestamp::now(),
        step: 0,
        text: text.into(),
    };
    store.write_build_progress(lease, &[], &[line]).await?;
    Ok(())
}
