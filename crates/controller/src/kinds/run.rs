//! Runs of jobs: which attempt there should be, and what of it. Pure.
//!
//! Shared by the kinds whose pods come to an end. What is remembered stands in the status before
//! the objects that follow from it ([`RunState`]). Host names stay over attempts, so an attempt's
//! jobs are made when those of the one before are gone.

use std::time::Duration;

use hermez_kinds::names::{ATTEMPT_LABEL, REVISION_LABEL, TEMPLATE_ANNOTATION};
use hermez_kinds::run::{Attempt, Phase, RunObjects, RunState};
use hermez_kinds::status::Conditions;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Serialize;

use super::{Plan, Refusal, Seen};

#[cfg(test)]
mod tests;

/// First back-off between attempts that follow on each other; it doubles up to the longest.
const FIRST_BACKOFF_SECONDS: i64 = 10;
/// Longest back-off between attempts.
const LONGEST_BACKOFF_SECONDS: i64 = 300;

/// What the spec says of the run as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Revision of the spec.
    pub revision: String,
    /// Whether it is suspended.
    pub suspend: bool,
    /// Whether suspended jobs keep what they have done; otherwise they are deleted.
    pub suspend_jobs: bool,
    /// Seconds after which the run has failed.
    pub deadline_s: Option<i64>,
    /// Seconds after its end for which its objects are kept.
    pub ttl_s: Option<i64>,
    /// How often it is started again.
    pub maxrestarts: i32,
}

/// What the jobs of an attempt mean for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    GoOn,
    /// It has succeeded.
    Succeeded(String),
    /// Another attempt.
    Restart {
        /// Why.
        message: String,
        /// Whether it counts as one of the restarts that there may be.
        counted: bool,
    },
    /// It has failed for good.
    Fail {
        /// Why, in one word.
        reason: &'static str,
        /// Why.
        message: String,
    },
}

/// What there should be of the run's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The jobs of this attempt.
    On,
    /// No jobs yet: others have to go, or it is not yet time, or the run is suspended.
    Between,
    /// The jobs that have ended, for their logs.
    Over,
    /// Nothing.
    Gone,
}

/// A run, decided.
#[derive(Debug)]
pub(super) struct Run {
    /// What is to be remembered.
    pub state: RunState,
    /// What there should be.
    pub stage: Stage,
    /// When to look again though nothing changed.
    pub again_after: Option<Duration>,
    /// Events for people.
    pub notes: Vec<(&'static str, String)>,
}

impl Run {
    /// Looks again after `wait` at the latest.
    pub fn again(&mut self, wait: Duration) {
        self.again_after = Some(self.again_after.map_or(wait, |sooner| sooner.min(wait)));
    }

    fn note(&mut self, reason: &'static str, message: impl Into<String>) {
        self.notes.push((reason, message.into()));
    }

    fn end(&mut self, phase: Phase, reason: &'static str, message: String, now: Timestamp) {
        self.state.phase = phase;
        self.state.completion_time = Some(Time(now));
        self.state.reason = Some(reason.to_owned());
        self.state.waiting = None;
        if phase == Phase::Failed {
            self.state.last_failure = Some(message.clone());
        }
        self.stage = Stage::Over;
        self.note(phase.as_str(), message);
    }

    fn next_attempt(&mut self, now: Timestamp) {
        self.state.attempt += 1;
        self.state.attempt_time = Some(Time(now));
        self.state.admitted_time = None;
        self.state.not_before = None;
        self.state.waiting = None;
        self.stage = Stage::Between;
    }

    /// The attempt that there should be jobs of.
    pub fn attempt(&self) -> Attempt {
        Attempt {
            revision: self.state.revision.clone(),
            number: self.state.attempt,
            suspended: self.state.phase == Phase::Suspended,
        }
    }
}

/// Decides on a run. `judge` is asked about the jobs of the present attempt, once they may exist.
pub(super) fn advance(
    before: &RunState,
    settings: &Settings,
    jobs: &[Job],
    now: Timestamp,
    judge: impl FnOnce(&RunState, &[&Job]) -> Verdict,
) -> Run {
    let mut run = begin(before, settings, jobs, now);
    if run.state.phase.is_over() {
        keep_or_forget(&mut run, settings, now);
        return run;
    }
    let current: Vec<&Job> = jobs.iter().filter(|job| is_of(job, &run.state)).collect();
    if suspension(&mut run, settings, &current, now) {
        return run;
    }
    if let (Some(limit), Some(start)) = (settings.deadline_s, &run.state.start_time)
        && !settings.suspend
    {
        let left = left(start, limit, now);
        if left.is_zero() {
            let message = format!("it ran for longer than activedeadlineseconds ({limit} s)");
            run.end(Phase::Failed, "DeadlineExceeded", message, now);
            return run;
        }
        run.again(left);
    }
    let others = jobs.len() - current.len();
    if others > 0 {
        run.stage = Stage::Between;
        let leaving = jobs.iter().find(|job| !is_of(job, &run.state));
        let name = leaving.map(ResourceExt::name_any).unwrap_or_default();
        run.state.waiting = Some(format!(
            "{others} jobs of an earlier attempt to end, among them {name}"
        ));
        return run;
    }
    if let Some(time) = &run.state.not_before {
        let left = left(time, 0, now);
        if !left.is_zero() {
            run.stage = Stage::Between;
            run.state.waiting = Some(format!("the next attempt's time, {}", time.0));
            run.again(left);
            return run;
        }
        run.state.not_before = None;
    }
    if run.state.phase == Phase::Restarting {
        run.state.phase = Phase::Waiting;
    }
    run.state.waiting = None;
    match judge(&run.state, &current) {
        Verdict::GoOn => {}
        Verdict::Succeeded(message) => run.end(Phase::Completed, "Succeeded", message, now),
        Verdict::Fail { reason, message } => run.end(Phase::Failed, reason, message, now),
        Verdict::Restart { message, counted } => restart(&mut run, settings, message, counted, now),
    }
    run
}

/// The run as it is remembered, or a new one when the spec is another.
fn begin(before: &RunState, settings: &Settings, jobs: &[Job], now: Timestamp) -> Run {
    let mut run = Run {
        state: before.clone(),
        stage: Stage::On,
        again_after: None,
        notes: Vec::new(),
    };
    let ours = jobs
        .iter()
        .filter(|job| label(job, REVISION_LABEL) == settings.revision);
    let made = ours
        .filter_map(|job| label(job, ATTEMPT_LABEL).parse::<i32>().ok())
        .max();
    if before.revision != settings.revision {
        run.state = RunState {
            revision: settings.revision.clone(),
            attempt: made.unwrap_or(1),
            start_time: Some(Time(now)),
            attempt_time: Some(Time(now)),
            ..RunState::default()
        };
        if made.is_none() {
            run.note(
                "Started",
                format!("a run of revision {} begins", settings.revision),
            );
        }
    } else if let Some(made) = made.filter(|made| *made > run.state.attempt) {
        // The status is older than the jobs: seen too early, or lost.
        run.state.attempt = made;
        let restarts = made - 1 - run.state.requeues;
        run.state.restarts = run.state.restarts.max(restarts.min(settings.maxrestarts));
    }
    run
}

/// Follows `suspend`; says whether there is nothing more to decide.
fn suspension(run: &mut Run, settings: &Settings, current: &[&Job], now: Timestamp) -> bool {
    let was = run.state.phase == Phase::Suspended;
    match (was, settings.suspend) {
        (false, true) => {
            run.state.phase = Phase::Suspended;
            run.state.waiting = None;
            if !settings.suspend_jobs && !current.is_empty() {
                run.next_attempt(now);
            }
            run.note("Suspended", "suspended: its pods are ended");
        }
        (true, false) => {
            run.state.phase = Phase::Waiting;
            run.state.start_time = Some(Time(now));
            run.state.attempt_time = Some(Time(now));
            run.note("Resumed", "goes on");
        }
        _ => {}
    }
    let nothing = settings.suspend && !settings.suspend_jobs;
    if nothing {
        run.stage = Stage::Between;
    }
    nothing
}

fn restart(run: &mut Run, settings: &Settings, message: String, counted: bool, now: Timestamp) {
    if counted && run.state.restarts >= settings.maxrestarts {
        let (reason, message) = match settings.maxrestarts {
            0 => ("JobFailed", message),
            most => {
                let message =
                    format!("{message}; it was started again {most} times, the most that it may");
                ("MaxRestartsExceeded", message)
            }
        };
        run.end(Phase::Failed, reason, message, now);
        return;
    }
    if counted {
        run.state.restarts += 1;
    } else {
        run.state.requeues += 1;
    }
    run.next_attempt(now);
    // The first failure of a run is tried again at once, and time alone is not its fault.
    let earlier = run.state.restarts + run.state.requeues - i32::from(counted);
    if earlier > 0 {
        let wait = FIRST_BACKOFF_SECONDS << (earlier - 1).clamp(0, 5);
        let wait = SignedDuration::from_secs(wait.min(LONGEST_BACKOFF_SECONDS));
        run.state.not_before = now.checked_add(wait).ok().map(Time);
    }
    run.state.phase = Phase::Restarting;
    run.note(
        "Restarting",
        format!("{message}: attempt {} follows", run.state.attempt),
    );
    run.state.last_failure = Some(message);
}

/// After the end: what is kept, and for how long.
fn keep_or_forget(run: &mut Run, settings: &Settings, now: Timestamp) {
    run.stage = Stage::Over;
    if let (Some(ttl), Some(end)) = (settings.ttl_s, &run.state.completion_time) {
        let left = left(end, ttl, now);
        if left.is_zero() {
            run.stage = Stage::Gone;
        } else {
            run.again(left);
        }
    }
}

/// What is left of `seconds` since `start`.
fn left(start: &Time, seconds: i64, now: Timestamp) -> Duration {
    let end = start
        .0
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX);
    Duration::try_from(end.duration_since(now)).unwrap_or_default()
}

/// Writes the objects of the run into a plan.
pub(super) fn emit(run: &Run, objects: RunObjects, live: &[Job], plan: &mut Plan) {
    if run.stage == Stage::Gone {
        return;
    }
    plan.objects.extend(objects.around);
    let kept = |job: &Job| ("Job".to_owned(), job.name_any());
    match run.stage {
        Stage::Gone | Stage::Between => {}
        Stage::Over => {
            let ended = live
                .iter()
                .filter(|job| is_of(job, &run.state) && has_ended(job));
            plan.keep.extend(ended.map(kept));
        }
        Stage::On => {
            for desired in objects.jobs {
                let name = desired.job.name_any();
                let found = live.iter().find(|job| job.name_any() == name);
                // A job's pods cannot change: one that was made through another profile, or by
                // another version of this program, stays as it is.
                let hash = |job: &Job| job.annotations().get(TEMPLATE_ANNOTATION).cloned();
                match found {
                    Some(job) if has_ended(job) || hash(job) != hash(&desired.job) => {
                        plan.keep.push(kept(job));
                    }
                    _ => plan.objects.push(dynamic(&desired.job)),
                }
            }
        }
    }
}

fn dynamic<T: Serialize>(object: &T) -> DynamicObject {
    serde_json::to_value(object)
        .and_then(serde_json::from_value)
        .unwrap_or_else(|error| unreachable!("Kubernetes' objects are plain data: {error}"))
}

/// The status as before, with the run's state in it.
pub(super) fn merged(seen: &Seen<'_>, after: &RunState) -> serde_json::Value {
    let mut status = seen.before.clone();
    let state = serde_json::to_value(after).unwrap_or_default();
    let old = serde_json::to_value(RunState {
        // Every field that can be left out, so that none of the old ones stays.
        revision: "-".into(),
        requeues: 1,
        start_time: Some(Time(seen.now)),
        attempt_time: Some(Time(seen.now)),
        not_before: Some(Time(seen.now)),
        admitted_time: Some(Time(seen.now)),
        completion_time: Some(Time(seen.now)),
        waiting: Some(String::new()),
        last_failure: Some(String::new()),
        reason: Some(String::new()),
        ..RunState::default()
    });
    if let (Some(status), Ok(serde_json::Value::Object(old))) = (status.as_object_mut(), old) {
        status.retain(|field, _| !old.contains_key(field));
        if let serde_json::Value::Object(state) = state {
            status.extend(state);
        }
    }
    status
}

/// The conditions of a run's status. `settled` is false while pods that should run do not yet.
pub(super) fn conditions(
    seen: &Seen<'_>,
    before: &[Condition],
    state: &RunState,
    stalled: Option<&Refusal>,
    settled: Result<(), String>,
) -> Vec<Condition> {
    let mut conditions = Conditions::new(before, seen.generation, seen.now);
    let failure = || state.last_failure.clone().unwrap_or_default();
    let reason = state.reason.as_deref();
    let settled = match &state.waiting {
        Some(waiting) => settled.map_err(|_| format!("waits for {waiting}")),
        None => settled,
    };
    match state.phase {
        Phase::Completed => {
            conditions.push("Available", "True", "Completed", "it has completed");
            conditions.push(
                "Completed",
                "True",
                "Succeeded",
                "every job that counts has succeeded",
            );
        }
        Phase::Failed => {
            conditions.push("Available", "False", "Failed", failure());
            conditions.push("Failed", "True", reason.unwrap_or("JobFailed"), failure());
        }
        Phase::Suspended => {
            let message = "suspended: set spec.suspend to false to go on";
            conditions.push("Available", "True", "Suspended", message);
            conditions.push("Suspended", "True", "Suspended", message);
        }
        Phase::Restarting => {
            conditions.push("Available", "False", "Restarting", failure());
        }
        Phase::Waiting | Phase::Starting | Phase::Running => match &settled {
            Ok(()) => conditions.push("Available", "True", "Running", "it runs"),
            Err(message) => conditions.push("Available", "False", "Starting", message.clone()),
        },
    }
    if let Some(Refusal { reason, message }) = stalled {
        conditions.push("Stalled", "True", reason, message.clone());
    } else if state.phase == Phase::Failed {
        conditions.push("Stalled", "True", reason.unwrap_or("JobFailed"), failure());
    } else if state.phase == Phase::Restarting {
        let waiting = state
            .waiting
            .as_deref()
            .unwrap_or("the jobs of the last attempt to end");
        let message = format!(
            "{}; attempt {} waits for {waiting}",
            failure(),
            state.attempt
        );
        conditions.push("Reconciling", "True", "Restarting", message);
    } else if !state.phase.is_over()
        && state.phase != Phase::Suspended
        && let Err(message) = settled
    {
        conditions.push("Reconciling", "True", "Starting", message);
    }
    conditions.finish()
}

fn label<'a>(job: &'a Job, key: &str) -> &'a str {
    job.labels().get(key).map_or("", String::as_str)
}

/// Whether a job is of the present attempt.
pub(super) fn is_of(job: &Job, state: &RunState) -> bool {
    label(job, REVISION_LABEL) == state.revision
        && label(job, ATTEMPT_LABEL) == state.attempt.to_string()
}

fn condition<'a>(job: &'a Job, kinds: &[&str]) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let mut held = conditions
        .iter()
        .filter(|condition| condition.status == "True");
    held.find(|condition| kinds.contains(&condition.type_.as_str()))
}

/// Whether all of a job's pods have succeeded.
pub(super) fn is_complete(job: &Job) -> bool {
    condition(job, &["Complete"]).is_some()
}

/// Why a job has failed, when it has: a word, a sentence, and since when.
pub(super) fn failure(job: &Job) -> Option<(String, String, Option<Timestamp>)> {
    // FailureTarget is there first, while pods still end.
    let failed = condition(job, &["Failed", "FailureTarget"])?;
    Some((
        failed.reason.clone().unwrap_or_default(),
        failed.message.clone().unwrap_or_default(),
        failed.last_transition_time.as_ref().map(|time| time.0),
    ))
}

/// Whether a job is at its end, or its last pods are just ending.
fn has_ended(job: &Job) -> bool {
    let ends = ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"];
    condition(job, &ends).is_some()
}
