//! The stages of a Flink job: what to remember next, from what is wanted, what is remembered, what
//! Flink said, and now. Pure.
//!
//! ```text
//! Starting ──runs──> Running ──new version, suspend──> Stopping ──savepoint──> Starting | Suspended
//!    └──fails, and an older version ran──> RollingBack ──runs──> Running (and Stalled)
//! ```
//! Whatever happens in between, each start is from the newest state that is known, and a new version
//! that fails leaves that state as it was: the old one starts again from the very same place.

use std::time::Duration;

use hermez_kinds::streamingjob::{
    Attempt, Failure, Memory, PinterestStreamingJobSpec, Request, SavepointStatus, Stage, Stop,
    UpgradeMode, Version,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::flink::{Job, Observation, Operation, QUICKLY, SLOWLY, is_over};

/// The goal of one that is to be suspended.
const SUSPENDED: &str = "suspended";
/// How often a savepoint is tried before an upgrade or a pause is given up. One fails when the job
/// happens to restart meanwhile.
const SAVEPOINT_TRIES: u32 = 3;
/// How long a job must run before its version counts as one that runs.
const STEADY: SignedDuration = SignedDuration::from_secs(5);

/// What is decided from.
pub(super) struct Input<'a> {
    /// The resource's uid.
    pub uid: &'a str,
    /// The spec that is wanted.
    pub spec: &'a PinterestStreamingJobSpec,
    /// Its revision.
    pub revision: &'a str,
    /// What Flink said, when it was asked.
    pub seen: Option<&'a Observation>,
    /// Newest state of the running attempt as the status has it.
    pub known_state: Option<&'a str>,
    /// Place of the newest savepoint as the status has it.
    pub known_savepoint: Option<&'a str>,
    /// The word by which somebody asks for a savepoint.
    pub asked: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// What follows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Next {
    /// To be remembered before anything is done.
    pub memory: Memory,
    /// A savepoint that was taken.
    pub savepoint: Option<SavepointStatus>,
    /// Events: reason and message.
    pub notes: Vec<(&'static str, String)>,
}

/// When to look again.
pub(super) fn again_after(memory: &Memory) -> Option<Duration> {
    match memory.stage {
        Stage::Suspended => None,
        Stage::Running if memory.request.is_none() => Some(SLOWLY),
        _ => Some(QUICKLY),
    }
}

/// What is aimed at: a revision, or to be suspended.
pub(super) fn goal<'a>(spec: &PinterestStreamingJobSpec, revision: &'a str) -> &'a str {
    if spec.suspend { SUSPENDED } else { revision }
}

/// The next step from what is remembered; none at all for a job that is new.
pub(super) fn step(input: &Input<'_>, memory: Option<&Memory>) -> Next {
    let mut next = Next::default();
    let Some(memory) = memory else {
        next.memory = input.first();
        return next;
    };
    next.memory = memory.clone();
    input.refresh(&mut next.memory);
    match memory.stage {
        Stage::Starting | Stage::RollingBack => input.starting(&mut next),
        Stage::Running => input.running(&mut next),
        Stage::Stopping => input.stopping(&mut next),
        Stage::Suspended => input.suspended(&mut next),
    }
    next
}

impl Input<'_> {
    fn wanted(&self) -> Version {
        Version {
            revision: self.revision.to_owned(),
            spec: serde_json::to_value(self.spec).unwrap_or(Value::Null),
        }
    }

    fn goal(&self) -> &str {
        goal(self.spec, self.revision)
    }

    fn timeout(&self) -> SignedDuration {
        let seconds = self
            .spec
            .flink
            .as_ref()
            .map_or(300, |flink| flink.upgrade.timeoutseconds);
        SignedDuration::from_secs(i64::from(seconds))
    }

    fn mode(&self) -> UpgradeMode {
        self.spec
            .flink
            .as_ref()
            .map(|flink| flink.upgrade.mode)
            .unwrap_or_default()
    }

    fn initial(&self) -> Option<String> {
        self.spec.flink.as_ref()?.initialsavepoint.clone()
    }

    /// The place to start from that the wanted spec newly names.
    fn newly_named(&self, attempt: &Attempt) -> Option<String> {
        let before = attempt.version.spec.pointer("/flink/initialsavepoint");
        let before = before.and_then(Value::as_str);
        self.initial()
            .filter(|named| Some(named.as_str()) != before)
    }

    fn late(&self, memory: &Memory) -> bool {
        memory
            .since
            .is_some_and(|since| self.now.duration_since(since) >= self.timeout())
    }

    fn first(&self) -> Memory {
        let blank = Memory {
            stage: Stage::Suspended,
            since: Some(self.now),
            attempt: Attempt {
                version: self.wanted(),
                from: self.initial(),
                ..Attempt::default()
            },
            ..Memory::default()
        };
        if self.spec.suspend {
            return blank;
        }
        self.start(&blank, self.wanted(), self.initial(), Stage::Starting)
    }

    /// Counts and limits of the same version may change without a new start.
    fn refresh(&self, memory: &mut Memory) {
        let stable = memory.stable.as_mut();
        for version in stable.into_iter().chain([&mut memory.attempt.version]) {
            if version.revision == self.revision {
                *version = self.wanted();
            }
        }
        if memory
            .failed
            .as_ref()
            .is_some_and(|failed| failed.goal != self.goal())
        {
            memory.failed = None;
        }
    }

    fn start(
        &self,
        memory: &Memory,
        version: Version,
        from: Option<String>,
        stage: Stage,
    ) -> Memory {
        let number = memory.attempt.number + 1;
        Memory {
            stage,
            since: Some(self.now),
            attempt: Attempt {
                number,
                version,
                job_id: id(&[self.uid, &number.to_string()]),
                from,
            },
            running_since: None,
            stop: None,
            request: None,
            ..memory.clone()
        }
    }

    fn fail(&self, memory: &mut Memory, reason: &str, message: String) {
        memory.failed = Some(Failure {
            goal: self.goal().to_owned(),
            reason: reason.to_owned(),
            message,
        });
    }

    fn job(&self) -> Option<&Job> {
        self.seen?.job.as_ref()
    }

    fn starting(&self, next: &mut Next) {
        let memory = &mut next.memory;
        if self.spec.suspend {
            memory.stage = Stage::Suspended;
            memory.since = Some(self.now);
            return;
        }
        let attempt = &memory.attempt;
        if attempt.version.revision != self.revision && memory.failed.is_none() {
            // A newer version came: from the same place, for this one has not been there yet.
            let from = self.newly_named(attempt).or_else(|| attempt.from.clone());
            next.memory = self.start(memory, self.wanted(), from, Stage::Starting);
            return;
        }
        if self.seen.is_none() {
            // Nobody has looked at this start yet.
            return;
        }
        let needs_state = attempt.from.is_some();
        let job = self.job();
        let up = job.is_some_and(|job| {
            let restored = !needs_state || job.restored.is_some();
            (job.runs || job.state == "FINISHED") && restored
        });
        if !up {
            memory.running_since = None;
        } else if memory.running_since.is_none() {
            memory.running_since = Some(self.now);
        }
        let steady = |since| self.now.duration_since(since) >= STEADY;
        if memory.running_since.is_some_and(steady) {
            self.started(next);
        } else if let Some(why) = self.failure(memory) {
            self.not_started(next, &why);
        }
    }

    fn started(&self, next: &mut Next) {
        let memory = &mut next.memory;
        let version = &memory.attempt.version.revision;
        let from = memory.attempt.from.as_deref().unwrap_or("no state");
        let note = match memory.stage {
            Stage::RollingBack => (
                "RolledBack",
                format!("the version {version} runs again, from {from}"),
            ),
            _ => (
                "Started",
                format!("the version {version} runs, from {from}"),
            ),
        };
        next.notes.push(note);
        memory.stable = Some(memory.attempt.version.clone());
        if memory.attempt.version.revision == self.revision {
            memory.failed = None;
        }
        memory.stage = Stage::Running;
        memory.since = Some(self.now);
        memory.way_back = None;
    }

    /// Why a start has failed, when it has.
    fn failure(&self, memory: &Memory) -> Option<String> {
        if let Some(job) = self
            .job()
            .filter(|job| matches!(job.state.as_str(), "FAILED" | "CANCELED"))
        {
            let why = job
                .failure
                .clone()
                .unwrap_or_else(|| "Flink does not say why".to_owned());
            return Some(match job.state.as_str() {
                "CANCELED" => "the job was canceled".to_owned(),
                _ => format!("the job failed: {why}"),
            });
        }
        if let Some(trouble) = self.seen.and_then(|seen| seen.trouble.clone()) {
            return Some(trouble);
        }
        self.late(memory).then(|| {
            let seconds = self.timeout().as_secs();
            let doing = match (self.job(), self.seen) {
                (Some(job), _) if memory.attempt.from.is_some() && job.restored.is_none() => {
                    format!("its state is not restored (the job is {})", job.state)
                }
                (Some(job), _) => match &job.failure {
                    Some(why) => format!("the job is {}: {why}", job.state),
                    None => format!("the job is {}", job.state),
                },
                (
                    None,
                    Some(Observation {
                        unreachable: Some(why),
                        ..
                    }),
                ) => {
                    format!("its job manager does not answer ({why})")
                }
                (None, _) => "its job manager has no job yet".to_owned(),
            };
            format!("it did not run within {seconds} s: {doing}")
        })
    }

    fn not_started(&self, next: &mut Next, why: &str) {
        let memory = &mut next.memory;
        let new = memory.attempt.version.revision.clone();
        let older = memory
            .stable
            .clone()
            .filter(|stable| stable.revision != new);
        match (memory.stage, older) {
            (Stage::Starting, Some(stable)) => {
                let back = memory.way_back.clone();
                let place = back.as_deref().unwrap_or("no state");
                let message = format!(
                    "the version {new} failed: {why}; returned to the version {} from {place}",
                    stable.revision
                );
                self.fail(memory, "UpgradeFailed", message.clone());
                next.notes.push(("UpgradeFailed", message));
                let goes_back = self.start(memory, stable, back, Stage::RollingBack);
                next.memory = goes_back;
            }
            (Stage::RollingBack, _) => {
                let first = memory.failed.as_ref().map_or("", |failed| &failed.message);
                if memory
                    .failed
                    .as_ref()
                    .is_none_or(|failed| failed.reason != "RollbackFailed")
                {
                    let message = format!("{first}; and that one does not start either: {why}");
                    self.fail(memory, "RollbackFailed", message.clone());
                    next.notes.push(("RollbackFailed", message));
                }
            }
            _ if memory.failed.is_none() => {
                let message = format!("the version {new} failed: {why}");
                self.fail(memory, "StartFailed", message.clone());
                next.notes.push(("StartFailed", message));
            }
            _ => {}
        }
    }

    fn running(&self, next: &mut Next) {
        self.requested(next);
        let memory = &mut next.memory;
        let is_there = !self.spec.suspend && memory.attempt.version.revision == self.revision;
        // One that failed is not tried again before the spec changes.
        if is_there || memory.failed.is_some() {
            return;
        }
        // A savepoint needs a job whose tasks run; of another one the newest checkpoint is taken.
        let hurt = self
            .job()
            .is_some_and(|job| !job.runs && job.state != "RUNNING");
        let named = !self.spec.suspend && self.newly_named(&memory.attempt).is_some();
        let takes_savepoint = self.mode() == UpgradeMode::Savepoint && !hurt && !named;
        let folder = || {
            let running: Option<PinterestStreamingJobSpec> =
                serde_json::from_value(memory.attempt.version.spec.clone()).ok();
            Some(running?.flink?.savepoint_dir())
        };
        let stop = Stop {
            trigger: id(&[self.uid, &memory.attempt.job_id, &self.now.to_string()]),
            savepointdir: takes_savepoint.then(folder).flatten(),
            stopped_for: if self.spec.suspend {
                "suspend"
            } else {
                "upgrade"
            }
            .to_owned(),
            failures: 0,
        };
        let how = if stop.savepointdir.is_some() {
            "with a savepoint"
        } else {
            "at its newest checkpoint"
        };
        let what = format!(
            "stopping the version {} {how}",
            memory.attempt.version.revision
        );
        next.notes.push(("Stopping", what));
        memory.stage = Stage::Stopping;
        memory.since = Some(self.now);
        memory.request = None;
        memory.stop = Some(stop);
    }

    /// A savepoint beside everything else, when somebody asks for one.
    fn requested(&self, next: &mut Next) {
        let memory = &mut next.memory;
        if memory.request.is_some() {
            match self.seen.and_then(|seen| seen.request.clone()) {
                Some(Operation::Completed(path)) => {
                    memory.request = None;
                    next.notes
                        .push(("SavepointTaken", format!("a savepoint was taken: {path}")));
                    next.savepoint = Some(self.savepoint(path, "request"));
                }
                Some(Operation::Failed(why)) => {
                    memory.request = None;
                    next.notes
                        .push(("SavepointFailed", format!("no savepoint was taken: {why}")));
                }
                Some(Operation::InProgress) | None => {}
            }
            return;
        }
        let Some(asked) = self
            .asked
            .filter(|asked| memory.requested.as_deref() != Some(*asked))
        else {
            return;
        };
        if self.job().is_some_and(|job| job.runs) {
            memory.requested = Some(asked.to_owned());
            memory.request = Some(Request {
                trigger: id(&[self.uid, &memory.attempt.job_id, "request", asked]),
                savepointdir: self
                    .spec
                    .flink
                    .as_ref()
                    .map(hermez_kinds::streamingjob::Flink::savepoint_dir)
                    .unwrap_or_default(),
            });
        }
    }

    fn savepoint(&self, path: String, taken_for: &str) -> SavepointStatus {
        SavepointStatus {
            path,
            time: Some(self.now),
            taken_for: taken_for.to_owned(),
        }
    }

    fn stopping(&self, next: &mut Next) {
        let memory = &mut next.memory;
        let Some(stop) = memory.stop.clone() else {
            memory.stage = Stage::Running;
            return;
        };
        match self.seen.and_then(|seen| seen.stop.as_ref()) {
            Some(Operation::Completed(path)) => {
                next.savepoint = Some(self.savepoint(path.clone(), &stop.stopped_for));
                let path = Some(path.clone());
                return self.stopped(next, path);
            }
            Some(Operation::Failed(why)) if !self.job().is_some_and(|job| is_over(&job.state)) => {
                self.savepoint_failed(next, stop, why);
                return;
            }
            _ => {}
        }
        let over = self.job().filter(|job| is_over(&job.state));
        // A job that ended with a savepoint has no checkpoints any more. Its job manager may end before
        // it says how the operation went, so what counts is the savepoint that was not there before.
        let ended_with_savepoint =
            stop.savepointdir.is_some() && over.is_some_and(|job| job.state == "FINISHED");
        let state = if ended_with_savepoint {
            let savepoint = over
                .and_then(|job| job.savepoint.clone())
                .and_then(|found| found.path)
                .filter(|path| Some(path.as_str()) != self.known_savepoint);
            next.savepoint = savepoint
                .clone()
                .map(|path| self.savepoint(path, &stop.stopped_for));
            savepoint
        } else {
            self.newest_state(memory)
        };
        let gone = self.seen.is_some() && self.job().is_none() && self.late(memory);
        if over.is_none() && !gone {
            return;
        }
        if state.is_none()
            && stop.savepointdir.is_some()
            && self.newly_named(&memory.attempt).is_none()
        {
            let folder = stop.savepointdir.unwrap_or_default();
            let message = format!(
                "the job has ended and the place of its savepoint is not known; find it in {folder} and write it as flink.initialsavepoint"
            );
            if memory.failed.is_none() {
                next.notes.push(("SavepointFailed", message.clone()));
                self.fail(memory, "SavepointLost", message);
            }
            return;
        }
        self.stopped(next, state);
    }

    /// No savepoint was taken, and the job is still there: it is tried again when its tasks run. A job
    /// that cannot run goes on from its newest checkpoint in the end.
    fn savepoint_failed(&self, next: &mut Next, stop: Stop, why: &str) {
        let memory = &mut next.memory;
        let runs = self.job().is_some_and(|job| job.runs);
        let failures = stop.failures + 1;
        let failed = format!("no savepoint was taken: {why}");
        match (runs, self.late(memory)) {
            (true, false) if failures < SAVEPOINT_TRIES => {
                let note = format!("{failed}; trying again");
                next.notes.push(("SavepointFailed", note));
                let tried = failures.to_string();
                memory.stop = Some(Stop {
                    trigger: id(&[&stop.trigger, &tried]),
                    failures,
                    ..stop
                });
            }
            (true, _) => {
                let message = format!("{failed}; the old version runs on");
                self.fail(memory, "UpgradeFailed", message.clone());
                next.notes.push(("UpgradeFailed", message));
                memory.stage = Stage::Running;
                memory.since = Some(self.now);
                memory.stop = None;
            }
            (false, false) => {}
            (false, true) => {
                let note = format!("{failed}; going on from the newest checkpoint");
                next.notes.push(("SavepointFailed", note));
                memory.stop = Some(Stop {
                    savepointdir: None,
                    ..stop
                });
            }
        }
    }

    /// The newest state of the attempt that is known.
    fn newest_state(&self, memory: &Memory) -> Option<String> {
        let job = self.job();
        let told = job.and_then(|job| {
            let newest = [&job.checkpoint, &job.savepoint].into_iter().flatten();
            newest
                .filter(|found| found.path.is_some())
                .max_by_key(|found| found.id)
        });
        told.and_then(|found| found.path.clone())
            .or_else(|| self.known_state.map(str::to_owned))
            .or_else(|| memory.attempt.from.clone())
    }

    /// The job has stopped, and its state is there.
    fn stopped(&self, next: &mut Next, state: Option<String>) {
        let memory = &mut next.memory;
        memory.way_back.clone_from(&state);
        if self.spec.suspend {
            memory.stage = Stage::Suspended;
            memory.since = Some(self.now);
            memory.attempt.from.clone_from(&state);
            memory.stop = None;
            memory.running_since = None;
            let place = state.as_deref().unwrap_or("no state");
            next.notes.push((
                "Suspended",
                format!("suspended; it will go on from {place}"),
            ));
            return;
        }
        let named = self.newly_named(&memory.attempt);
        let from = match self.mode() {
            UpgradeMode::Stateless => named,
            _ => named.or(state),
        };
        next.memory = self.start(memory, self.wanted(), from, Stage::Starting);
    }

    fn suspended(&self, next: &mut Next) {
        if self.spec.suspend {
            return;
        }
        let memory = &mut next.memory;
        memory.way_back.clone_from(&memory.attempt.from);
        let named = self.newly_named(&memory.attempt);
        let from = named.or_else(|| memory.attempt.from.clone());
        next.memory = self.start(memory, self.wanted(), from, Stage::Starting);
    }
}

/// An id in Flink's form, 32 hexadecimal digits, that is always the same for the same parts.
fn id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}
