//! Follows BuildKit's own account of a build (`--progress=rawjson`). Pure: lines in, events out.
//!
//! BuildKit works through a graph of vertices; a vertex becomes a step, numbered when it first
//! begins. BuildKit often begins a vertex twice, first to ask its cache and then to run it. So the
//! end of a step is held back until something shows that it was the end; where BuildKit takes a
//! step up again even later, its end is told once more, and the later one counts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hermez_source::SecretString;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::buildkit::{BuildEvent, StepState};
use crate::lines::{LineBuffer, clean, mask};

/// Bytes of log that one build may write; the rest is left out, with a note.
pub(crate) const MAX_LOG_BYTES: usize = 16 * 1024 * 1024;
/// Steps of one build that are followed.
const MAX_STEPS: usize = 2_000;
/// Last lines of each step that are kept for its error.
const LAST_LINES: usize = 20;
/// Lines longer than this are shortened in an error, in characters.
const LAST_LINE_CHARS: usize = 500;
/// How long the end of a step is held back.
pub(crate) const HOLD: Duration = Duration::from_millis(100);
const MAX_NAME_CHARS: usize = 500;
const MAX_ERROR_CHARS: usize = 1_000;

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedStep {
    /// Its name.
    pub name: String,
    /// BuildKit's words.
    pub error: String,
    /// The last lines that it wrote.
    pub last_lines: Vec<String>,
}

/// What is known of a build so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    steps: Vec<Step>,
    by_digest: HashMap<String, usize>,
    inputs: HashMap<String, Vec<String>>,
    logged: usize,
    truncated: bool,
    failed: Option<usize>,
    masks: Vec<SecretString>,
}

#[derive(Debug)]
struct Step {
    name: String,
    /// Its end, held back.
    held: Option<(StepState, Timestamp)>,
    ended: bool,
    error: Option<String>,
    buffer: LineBuffer,
    last: VecDeque<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    vertexes: Vec<Vertex>,
    logs: Vec<Log>,
    warnings: Vec<Warning>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Vertex {
    digest: String,
    inputs: Vec<String>,
    name: String,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    cached: bool,
    error: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Log {
    vertex: String,
    data: String,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Warning {
    vertex: String,
    short: String,
}

impl Progress {
    /// Begins, with texts that no event may show.
    pub fn new(masks: Vec<SecretString>) -> Self {
        Self {
            masks,
            ..Self::default()
        }
    }

    /// Takes one line of BuildKit's account. `None`: the line is no such thing.
    pub fn take(&mut self, line: &[u8], now: Timestamp) -> Option<Vec<BuildEvent>> {
        if !line.starts_with(b"{") {
            return None;
        }
        let status: Status = serde_json::from_slice(line).ok()?;
        let mut events = Vec::new();
        for vertex in status.vertexes {
            self.vertex(vertex, &mut events);
        }
        for log in status.logs {
            let Some(&index) = self.by_digest.get(&log.vertex) else {
                continue;
            };
            let bytes = STANDARD.decode(&log.data).unwrap_or_default();
            let at = log.timestamp.unwrap_or(now);
            for text in self.steps[index].buffer.take(&bytes) {
                self.line(index, at, text, &mut events);
            }
        }
        for warning in status.warnings {
            if let Some(&index) = self.by_digest.get(&warning.vertex) {
                let short = STANDARD.decode(&warning.short).unwrap_or_default();
                let text = format!("warning: {}", clean(&String::from_utf8_lossy(&short)));
                self.line(index, now, text, &mut events);
            }
        }
        self.release(Some(now), &mut events);
        Some(events)
    }

    /// Tells the ends that were held back long enough by now.
    pub fn idle(&mut self, now: Timestamp) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        self.release(Some(now), &mut events);
        events
    }

    /// The build is over: tells all that was held back, and ends what still runs as canceled.
    pub fn finish(&mut self, now: Timestamp) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        for index in 0..self.steps.len() {
            self.flush_line(index, now, &mut events);
        }
        self.release(None, &mut events);
        for (index, step) in self.steps.iter_mut().enumerate() {
            if !step.ended {
                step.ended = true;
                events.push(BuildEvent::StepFinished {
                    step: number(index),
                    state: StepState::Canceled,
                    at: now,
                    error: None,
                });
            }
        }
        events
    }

    /// The step that made the build fail.
    pub fn failed(&self) -> Option<FailedStep> {
        let step = &self.steps[self.failed?];
        Some(FailedStep {
            name: step.name.clone(),
            error: step.error.clone().unwrap_or_default(),
            last_lines: step.last.iter().cloned().collect(),
        })
    }

    /// Name of the step that began last and still runs; for telling where a build was stopped.
    pub fn running(&self) -> Option<&str> {
        let running = |step: &&Step| !step.ended && step.held.is_none();
        self.steps
            .iter()
            .rev()
            .find(running)
            .map(|step| step.name.as_str())
    }

    fn vertex(&mut self, vertex: Vertex, events: &mut Vec<BuildEvent>) {
        let Some(started) = vertex.started else {
            return;
        };
        let index = match self.by_digest.get(&vertex.digest) {
            Some(&index) => index,
            None if self.steps.len() >= MAX_STEPS => return,
            None => {
                let name = shorten(&clean(&vertex.name), MAX_NAME_CHARS);
                let name = mask(name, &self.masks);
                let index = self.steps.len();
                self.by_digest.insert(vertex.digest.clone(), index);
                self.inputs.insert(vertex.digest.clone(), vertex.inputs);
                events.push(BuildEvent::StepStarted {
                    step: number(index),
                    name: name.clone(),
                    at: started,
                });
                self.steps.push(Step {
                    name,
                    held: None,
                    ended: false,
                    error: None,
                    buffer: LineBuffer::default(),
                    last: VecDeque::new(),
                });
                // What it stands on has ended for good.
                for input in self.inputs.remove(&vertex.digest).unwrap_or_default() {
                    if let Some(&input) = self.by_digest.get(&input) {
                        self.end(input, events);
                    }
                }
                index
            }
        };
        let Some(at) = vertex.completed else {
            // Taken up again: its end was none.
            self.steps[index].held = None;
            return;
        };
        self.flush_line(index, at, events);
        if vertex.error.is_empty() {
            let state = if vertex.cached {
                StepState::Cached
            } else {
                StepState::Succeeded
            };
            self.steps[index].held = Some((state, at));
            if vertex.cached {
                self.end(index, events);
            }
            return;
        }
        let canceled = vertex.error.contains("context canceled");
        let error = mask(shorten(&clean(&vertex.error), MAX_ERROR_CHARS), &self.masks);
        self.steps[index].error = Some(error);
        if !canceled && self.failed.is_none() {
            self.failed = Some(index);
        }
        let state = if canceled {
            StepState::Canceled
        } else {
            StepState::Failed
        };
        self.steps[index].held = Some((state, at));
        self.end(index, events);
    }

    /// Tells the end of one step, if it is held back.
    fn end(&mut self, index: usize, events: &mut Vec<BuildEvent>) {
        let step = &mut self.steps[index];
        if let Some((state, at)) = step.held.take() {
            step.ended = true;
            events.push(BuildEvent::StepFinished {
                step: number(index),
                state,
                at,
                error: step.error.clone(),
            });
        }
    }

    /// Tells the ends that were held back long enough (`None`: all).
    fn release(&mut self, now: Option<Timestamp>, events: &mut Vec<BuildEvent>) {
        let hold = SignedDuration::try_from(HOLD).unwrap_or_default();
        for index in 0..self.steps.len() {
            let due = self.steps[index]
                .held
                .is_some_and(|(_, at)| now.is_none_or(|now| now.duration_since(at) >= hold));
            if due {
                self.end(index, events);
            }
        }
    }

    /// Tells the line that a step has begun and not ended.
    fn flush_line(&mut self, index: usize, at: Timestamp, events: &mut Vec<BuildEvent>) {
        if let Some(text) = self.steps[index].buffer.flush() {
            self.line(index, at, text, events);
        }
    }

    fn line(&mut self, index: usize, at: Timestamp, text: String, events: &mut Vec<BuildEvent>) {
        let text = mask(text, &self.masks);
        let last = &mut self.steps[index].last;
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(shorten(&text, LAST_LINE_CHARS));
        if self.truncated {
            return;
        }
        self.logged += text.len() + 1;
        if self.logged > MAX_LOG_BYTES {
            self.truncated = true;
            events.push(BuildEvent::Line {
                step: 0,
                at,
                text: format!(
                    "The log is longer than {} MiB; the rest is left out.",
                    MAX_LOG_BYTES / (1024 * 1024)
                ),
            });
            return;
        }
        events.push(BuildEvent::Line {
            step: number(index),
            at,
            text,
        });
    }
}

/// Number of a step, from 1.
fn number(index: usize) -> i32 {
    index as i32 + 1
}

fn shorten(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
