//! PinterestCronJob: its status follows its CronJob's and remembers the runs. Pure.
//!
//! Kubernetes deletes the Jobs of old runs; what became of the newest ones stays in the status. The
//! Jobs belong to the CronJob, those that people start by hand as well.

use std::time::Duration;

use hermez_kinds::cronjob::schedule::time_zone;
use hermez_kinds::cronjob::{
    DEFAULT_TIME_ZONE, PinterestCronJob, PinterestCronJobStatus, RunStatus, Schedule,
};
use hermez_kinds::names::{COMMIT_ANNOTATION, MANUAL_ANNOTATION, RUN_BY_ANNOTATION};
use hermez_kinds::status::Conditions;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::{Refusal, Seen, is_as_wanted};

/// Runs that the status remembers.
const RUNS: usize = 30;
/// Times that the status looks ahead.
const AHEAD: usize = 3;
/// Longest message of a run, in characters.
const MESSAGE_LIMIT: usize = 300;
/// How long after its time a run must have begun.
const GRACE: Duration = Duration::from_secs(2);
/// Longest wait until the next look.
const LOOK_WITHIN: Duration = Duration::from_hours(1);

/// When to look again though nothing changes: once the next run should have begun, so that the
/// times ahead are right also when it did not.
pub(super) fn again_after(seen: &Seen<'_>, job: &PinterestCronJob) -> Option<Duration> {
    let next = *ahead(job, seen.now).first()?;
    let until = Duration::try_from(seen.now.duration_until(next)).unwrap_or_default();
    Some((until + GRACE).min(LOOK_WITHIN))
}

/// The status that follows from what was seen.
pub(super) fn status(
    seen: &Seen<'_>,
    job: &PinterestCronJob,
    stalled: Option<&Refusal>,
) -> PinterestCronJobStatus {
    let cron: Option<CronJob> = seen.named("CronJob", seen.resource.name());
    let jobs: Vec<Job> = seen.all("Job");
    let before: PinterestCronJobStatus = seen.before();
    let runs = remember(&before.runs, &jobs, seen.now);
    let native = cron.as_ref().and_then(|cron| cron.status.as_ref());
    let next = ahead(job, seen.now);
    let mut conditions = Conditions::new(&before.conditions, seen.generation, seen.now);
    let (truth, reason, message) = health(cron.is_some(), job, &runs, &next);
    conditions.push("Available", truth, reason, message);
    if let Some(Refusal { reason, message }) = stalled {
        conditions.push("Stalled", "True", reason, message.clone());
    } else if !is_as_wanted(seen, "CronJob") {
        let message = "the CronJob is not as wanted yet";
        conditions.push("Reconciling", "True", "Applying", message);
    }
    let pods = |of: fn(&Job) -> Option<i32>| jobs.iter().filter_map(of).sum();
    PinterestCronJobStatus {
        observed_generation: seen.generation,
        suspended: job.spec.suspend,
        last_schedule_time: native
            .and_then(|native| native.last_schedule_time.clone())
            .or(before.last_schedule_time),
        last_successful_time: native
            .and_then(|native| native.last_successful_time.clone())
            .or(before.last_successful_time),
        next_schedule_times: next.into_iter().map(Time).collect(),
        active_runs: runs.iter().filter(|run| run.outcome == "Running").count() as i32,
        desired_pods: pods(|job| job.status.as_ref()?.active),
        ready_pods: pods(|job| job.status.as_ref()?.ready),
        runs,
        profile: Some(seen.profile.label()),
        conditions: conditions.finish(),
    }
}

fn zone(job: &PinterestCronJob) -> TimeZone {
    let name = job.spec.timezone.as_deref().unwrap_or(DEFAULT_TIME_ZONE);
    time_zone(name).unwrap_or(TimeZone::UTC)
}

/// When it runs next; never while it is suspended.
fn ahead(job: &PinterestCronJob, now: Timestamp) -> Vec<Timestamp> {
    match Schedule::parse(&job.spec.schedule) {
        Ok(schedule) if !job.spec.suspend => schedule.times_after(now, &zone(job), AHEAD),
        _ => Vec::new(),
    }
}

/// Whether it does its work: the condition `Available`.
fn health(
    is_there: bool,
    job: &PinterestCronJob,
    runs: &[RunStatus],
    next: &[Timestamp],
) -> (&'static str, &'static str, String) {
    if !is_there {
        return ("Unknown", "NoCronJob", "there is no CronJob yet".into());
    }
    let ahead = match next.first() {
        Some(time) => {
            let time = time.to_zoned(zone(job));
            let name = job.spec.timezone.as_deref().unwrap_or(DEFAULT_TIME_ZONE);
            format!("the next run is at {} {name}", time.strftime("%F %R"))
        }
        None => "it is suspended and runs by hand only".to_owned(),
    };
    let mut ended = runs
        .iter()
        .filter(|run| matches!(run.outcome.as_str(), "Succeeded" | "Failed"));
    if let Some(last) = ended.next().filter(|run| run.outcome == "Failed") {
        let why = last.message.as_deref().unwrap_or("no reason is known");
        let message = format!("the run {} failed: {why}; {ahead}", last.name);
        return ("False", "RunFailed", message);
    }
    let reason = match runs.iter().filter(|run| run.outcome == "Running").count() {
        0 if job.spec.suspend => "Suspended",
        0 => "Waiting",
        _ => "Running",
    };
    ("True", reason, ahead)
}

/// The newest runs: those whose Jobs are there as they are, the others as they were.
fn remember(before: &[RunStatus], jobs: &[Job], now: Timestamp) -> Vec<RunStatus> {
    let mut runs: Vec<RunStatus> = jobs.iter().map(run).collect();
    for old in before {
        if runs.iter().any(|run| run.name == old.name) {
            continue;
        }
        let mut old = old.clone();
        if old.outcome == "Running" {
            "Deleted".clone_into(&mut old.outcome);
            old.message = Some("its Job was deleted before its end".to_owned());
            old.ended_at = Some(Time(now.round(jiff::Unit::Second).unwrap_or(now)));
        }
        runs.push(old);
    }
    let made = |run: &RunStatus| run.created_at.as_ref().map(|time| time.0);
    runs.sort_by(|a, b| made(b).cmp(&made(a)).then_with(|| b.name.cmp(&a.name)));
    runs.truncate(RUNS);
    runs
}

fn run(job: &Job) -> RunStatus {
    let annotation = |key: &str| job.annotations().get(key).cloned();
    let status = job.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| -> Option<&JobCondition> {
        let holds = |found: &&JobCondition| found.type_ == kind && found.status == "True";
        conditions.iter().find(holds)
    };
    let failed = condition("Failed");
    let outcome = match failed {
        Some(_) => "Failed",
        None if condition("Complete").is_some() => "Succeeded",
        None => "Running",
    };
    let by_hand = annotation(MANUAL_ANNOTATION).is_some();
    let message = failed.and_then(|failed| failed.message.as_ref());
    RunStatus {
        name: job.name_any(),
        trigger: if by_hand { "Manual" } else { "Schedule" }.to_owned(),
        by: annotation(RUN_BY_ANNOTATION),
        commit: annotation(COMMIT_ANNOTATION),
        created_at: job.metadata.creation_timestamp.clone(),
        started_at: status.start_time,
        ended_at: status
            .completion_time
            .or_else(|| failed?.last_transition_time.clone()),
        outcome: outcome.to_owned(),
        message: message.map(|text| text.chars().take(MESSAGE_LIMIT).collect()),
        succeeded_pods: status.succeeded.unwrap_or(0),
        failed_pods: status.failed.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use hermez_kinds::{Kind, Resource, RuntimeProfile};
    use serde_json::{Value, json};

    use super::*;

    fn mk_resource(more: &Value) -> Resource {
        let mut spec = json!({
            "schedule": "30 4 * * *",
            "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}},
        });
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let value = json!({"apiVersion": "pinterest.com/v1", "kind": "PinterestCronJob",
            "metadata": {"name": "a", "namespace": "n"}, "spec": spec});
        Kind::CronJob.read(value).expect("a cron job")
    }

    fn mk_job(name: &str, minute: u32, more: Value) -> Job {
        let mut value = json!({
            "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T00:{minute:02}:00Z")},
        });
        value["status"] = more;
        serde_json::from_value(value).expect("a Job")
    }

    fn ended(kind: &str) -> Value {
        json!({"conditions": [{"type": kind, "status": "True", "message": "why",
            "lastTransitionTime": "2026-01-01T01:00:00Z"}]})
    }

    /// The status of a resource whose CronJob is as wanted and whose Jobs are these.
    fn mk_status(
        resource: &Resource,
        jobs: &[Job],
        before: &Value,
        applied: bool,
    ) -> PinterestCronJobStatus {
        let profile = RuntimeProfile::plain();
        let natives = Kind::CronJob.owned();
        let native = |kind: &str| {
            natives
                .iter()
                .find(|n| n.kind == kind)
                .expect("known")
                .clone()
        };
        let mut owned: crate::owned::Objects = Vec::new();
        let objects = resource.translate(&profile).expect("translated");
        for object in objects.into_iter().filter(|_| applied) {
            owned.push((native("CronJob"), std::sync::Arc::new(object)));
        }
        for job in jobs {
            let job = serde_json::to_value(job).and_then(serde_json::from_value);
            owned.push((native("Job"), std::sync::Arc::new(job.expect("an object"))));
        }
        let seen = Seen {
            resource,
            generation: Some(5),
            profile: &profile,
            owned: &owned,
            before,
            now: "2026-01-01T12:00:00Z".parse().expect("a time"),
        };
        let Resource::CronJob(job) = resource else {
            panic!("a cron job")
        };
        status(&seen, job, None)
    }

    fn said(status: &PinterestCronJobStatus, kind: &str) -> Option<(String, String, String)> {
        let found = status.conditions.iter().find(|c| c.type_ == kind)?;
        Some((
            found.status.clone(),
            found.reason.clone(),
            found.message.clone(),
        ))
    }

    #[test]
    fn the_times_ahead_are_by_its_own_clock() {
        let resource = mk_resource(&json!({"timezone": "America/New_York"}));
        let status = mk_status(&resource, &[], &json!({}), true);
        let times: Vec<String> = status
            .next_schedule_times
            .iter()
            .map(|time| time.0.to_string())
            .collect();
        assert_eq!(
            times,
            [
                "2026-01-02T09:30:00Z",
                "2026-01-03T09:30:00Z",
                "2026-01-04T09:30:00Z"
            ]
        );
        let (truth, reason, message) = said(&status, "Available").expect("said");
        assert_eq!((truth.as_str(), reason.as_str()), ("True", "Waiting"));
        assert_eq!(
            message,
            "the next run is at 2026-01-02 04:30 America/New_York"
        );
        assert_eq!(said(&status, "Reconciling"), None);
    }

    #[test]
    fn it_is_reconciling_until_the_cron_job_is_as_wanted() {
        let status = mk_status(&mk_resource(&json!({})), &[], &json!({}), false);
        assert!(said(&status, "Reconciling").is_some());
        assert_eq!(
            said(&status, "Available").map(|said| said.0).as_deref(),
            Some("Unknown")
        );
    }

    #[test]
    fn a_suspended_one_has_no_next_time() {
        let resource = mk_resource(&json!({"suspend": true}));
        let status = mk_status(&resource, &[], &json!({}), true);
        assert!(status.suspended && status.next_schedule_times.is_empty());
        let said = said(&status, "Available").expect("said");
        assert_eq!((said.0.as_str(), said.1.as_str()), ("True", "Suspended"));
    }

    #[test]
    fn the_last_run_that_ended_decides_its_health() {
        let resource = mk_resource(&json!({}));
        let (good, bad) = (
            mk_job("good", 1, ended("Complete")),
            mk_job("bad", 2, ended("Failed")),
        );
        let active = mk_job("active", 3, json!({"active": 1, "ready": 1}));
        let status = mk_status(
            &resource,
            &[good.clone(), bad.clone(), active.clone()],
            &json!({}),
            true,
        );
        let names: Vec<&str> = status.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["active", "bad", "good"], "newest first");
        assert_eq!(
            (status.active_runs, status.desired_pods, status.ready_pods),
            (1, 1, 1)
        );
        let (truth, reason, message) = said(&status, "Available").expect("said");
        assert_eq!((truth.as_str(), reason.as_str()), ("False", "RunFailed"));
        assert!(
            message.starts_with("the run bad failed: why; the next run is at "),
            "{message}"
        );
        let again = mk_job("again", 4, ended("Complete"));
        let status = mk_status(&resource, &[good, bad, again], &json!({}), true);
        assert_eq!(
            said(&status, "Available").map(|said| said.0).as_deref(),
            Some("True")
        );
    }

    #[test]
    fn runs_are_remembered_when_their_jobs_are_gone() {
        let resource = mk_resource(&json!({}));
        let jobs = [
            mk_job("done", 1, ended("Complete")),
            mk_job("cut", 2, json!({"active": 1})),
        ];
        let first = mk_status(&resource, &jobs, &json!({}), true);
        let before = serde_json::to_value(&first).expect("plain data");
        let second = mk_status(&resource, &[], &before, true);
        let outcomes: Vec<&str> = second.runs.iter().map(|run| run.outcome.as_str()).collect();
        assert_eq!(outcomes, ["Deleted", "Succeeded"]);
        let before = serde_json::to_value(&second).expect("plain data");
        assert_eq!(
            mk_status(&resource, &[], &before, true),
            second,
            "nothing more changes"
        );
    }

    #[test]
    fn only_the_newest_runs_are_remembered() {
        let jobs: Vec<Job> = (0..40)
            .map(|i| mk_job(&format!("r{i:02}"), i, ended("Complete")))
            .collect();
        let status = mk_status(&mk_resource(&json!({})), &jobs, &json!({}), true);
        assert_eq!(status.runs.len(), RUNS);
        assert_eq!(status.runs[0].name, "r39");
    }

    #[test]
    fn a_run_by_hand_says_who_ran_it() {
        let mut job = mk_job("a-run-x", 1, json!({}));
        let annotations = job.metadata.annotations.get_or_insert_default();
        annotations.insert(MANUAL_ANNOTATION.into(), "manual".into());
        annotations.insert(RUN_BY_ANNOTATION.into(), "ada".into());
        let run = run(&job);
        assert_eq!(
            (run.trigger.as_str(), run.by.as_deref()),
            ("Manual", Some("ada"))
        );
    }
}
