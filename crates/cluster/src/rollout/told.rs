//! A resource whose controller tells in its status how far it is: every kind but the service, whose
//! Deployment tells more.

use hermez_kinds::Kind;
use jiff::Timestamp;

use super::judge::{look, most_common, refusal, say};
use super::pod::{self, Trouble};
use super::stuck::late;
use super::words::{self, counts};
use super::{FailureCause, GRACE, Rollout, stands_still};
use crate::declared::{Declared, Stalled};
use crate::index::Workload;
use crate::status::sentence;
use crate::text::clip;
use crate::view::{EventView, PodView};

/// How far a resource is, from what its controller says and from its newest pods.
pub(super) fn judge(workload: &Workload, declared: &Declared, now: Timestamp) -> Rollout {
    let progress = &declared.progress;
    let speaks_of_it = progress.deploy_id.is_none() || progress.deploy_id == declared.deploy_id;
    if !progress.observed || !speaks_of_it {
        return Rollout::waiting("The controller has not taken up the new version yet");
    }
    // Its pods' versions are Kubernetes' own, which a StatefulSet names when it has seen the spec.
    if declared.kind == Kind::StatefulSet && progress.revision.is_none() {
        return Rollout::waiting("Kubernetes has not taken up the new StatefulSet yet");
    }
    let (ready, desired) = (progress.ready, progress.desired);
    let doing = match (&progress.reconciling, &declared.stalled) {
        (Some(doing), _) => doing.as_str(),
        // It stands still, or that is said of the deploy before.
        (None, Some(_)) => "",
        (None, None) => return Rollout::Complete { ready, desired },
    };
    if let Some(message) = refused(workload, declared, now) {
        return refusal(&message, ready, desired);
    }
    let troubles: Vec<Trouble> = newest_pods(workload, declared)
        .filter_map(|pod| trouble(pod, workload, declared, now))
        .collect();
    if let Some((trouble, count)) = most_common(troubles.iter().filter(|t| t.certain)) {
        return Rollout::Failed {
            cause: trouble.cause,
            ready,
            desired,
            message: say(trouble, count, ready, desired),
            hint: trouble.hint.clone(),
        };
    }
    if let Some(failed) = stuck(workload, declared, now) {
        return failed;
    }
    let message = match most_common(troubles.iter()) {
        Some((trouble, count)) => say(trouble, count, ready, desired),
        None if doing.is_empty() => counts(ready, desired),
        None => doing.to_owned(),
    };
    Rollout::Progressing {
        ready,
        desired,
        message,
    }
}

/// The failure of a run that is over, from what its controller says and from the pod that ended it;
/// none where the controller speaks of something else.
pub(super) fn over(
    workload: &Workload,
    declared: &Declared,
    stalled: &Stalled,
    now: Timestamp,
) -> Option<Rollout> {
    let (reason, why) = (stalled.reason.as_str(), stalled.message.as_str());
    let out_of_time = match reason {
        "DeadlineExceeded" => true,
        // A job of it may have a time of its own.
        "JobFailed" | "MaxRestartsExceeded" => why.contains("(DeadlineExceeded)"),
        _ => return None,
    };
    let (cause, message, hint) = if out_of_time {
        let hint = "Raise activedeadlineseconds, or look at the pods' logs for what takes so long.";
        (FailureCause::Deadline, why.to_owned(), Some(hint))
    } else {
        match last_end(workload, why, now) {
            Some((cause, how, hint)) if why.contains(&how) => (cause, why.to_owned(), Some(hint)),
            Some((cause, how, hint)) => (cause, format!("{why}; {how}"), Some(hint)),
            None => (FailureCause::CrashLoop, why.to_owned(), None),
        }
    };
    Some(Rollout::Failed {
        cause,
        ready: declared.progress.ready,
        desired: declared.progress.desired,
        message: sentence(&message),
        hint: hint.map(str::to_owned),
    })
}

/// How the pod of the newest version ended that failed last; one that the controller names, or
/// whose job it names, before all others.
fn last_end(
    workload: &Workload,
    why: &str,
    now: Timestamp,
) -> Option<(FailureCause, String, &'static str)> {
    let newest = workload.newest_version()?;
    let failed = workload.pods.iter().map(AsRef::as_ref);
    let failed = failed.filter(|pod: &&PodView| pod.phase == "Failed" && pod.hash == newest);
    let ends = failed.filter_map(|pod| Some((pod, pod::ended(look(pod, workload, now))?)));
    let named = |pod: &PodView| {
        let job = pod.job.as_deref();
        why.contains(&pod.name) || job.is_some_and(|job| why.contains(job))
    };
    let (_, end) = ends.max_by_key(|(pod, _)| (named(pod), pod.created_at))?;
    Some(end)
}

/// The failure of a rollout of which the controller says that it stands still. It goes on to say so
/// of a deploy that changes nothing in the spec, until something moves.
fn stuck(workload: &Workload, declared: &Declared, now: Timestamp) -> Option<Rollout> {
    let stalled = declared.stalled.as_ref().filter(|it| stands_still(it))?;
    if declared
        .applied_at
        .is_some_and(|came| stalled.since <= came)
    {
        return None;
    }
    let (ready, desired) = (declared.progress.ready, declared.progress.desired);
    let (cause, what, hint) = match late(workload, now) {
        Some(late) => (late.cause, late.message, late.hint),
        None => (FailureCause::Deadline, counts(ready, desired), None),
    };
    Some(Rollout::Failed {
        cause,
        ready,
        desired,
        message: format!("{what}; {}", stalled.message),
        hint,
    })
}

/// Why Kubernetes cannot make pods, as the StatefulSet or a Job says: neither has a condition for it.
fn refused(workload: &Workload, declared: &Declared, now: Timestamp) -> Option<String> {
    let came = declared.applied_at?;
    let of = |reason: &'static str| {
        let events = workload.events.iter().map(AsRef::as_ref);
        events.filter(move |it: &&EventView| it.reason == reason)
    };
    let made = |refused: &EventView| {
        let same = of("SuccessfulCreate").filter(|it| it.is_about(&refused.kind, &refused.name));
        same.filter_map(|it| it.at).max()
    };
    let open = of("FailedCreate").filter(|it| {
        // Kubernetes writes whole seconds: what is said in that of the deploy may be of the one
        // before. A job is another one then; a set that goes on to be refused may be quiet for long.
        let speaks_of_it = match it.kind.as_str() {
            "StatefulSet" => it.at >= Some(came),
            "Job" => it.at > Some(came),
            _ => false,
        };
        speaks_of_it && made(it) <= it.at
    });
    let open: Vec<&EventView> = open.collect();
    let last = open.iter().max_by_key(|it| it.at)?;
    // "create Pod hello-0 in StatefulSet hello failed error: …", "Error creating: …"
    let said = last.message.as_str();
    let parts = ["failed error: ", "Error creating: "];
    let why = parts.iter().find_map(|part| said.split_once(*part));
    let why = why.map_or(said, |(_, why)| why);
    // Each try of a job has another pod's name in it, and is an event of its own.
    let same = open.iter().filter(|it| it.is_about(&last.kind, &last.name));
    let first = same.filter_map(|it| it.since).min();
    let since = first.max(made(last)).max(Some(came));
    let waited = since.is_some_and(|since| now.duration_since(since) >= GRACE);
    let at_once = last.at > Some(came) && !words::refusal_may_mend(why);
    (waited || at_once).then(|| clip(why, 600))
}

/// What is wrong with a pod. Of jobs, one that ran and failed may be tried again, which the controller
/// judges; one that cannot start is judged here.
fn trouble(
    pod: &PodView,
    workload: &Workload,
    declared: &Declared,
    now: Timestamp,
) -> Option<Trouble> {
    let mut trouble = pod::trouble(look(pod, workload, now))?;
    let may_retry = matches!(declared.kind, Kind::JobSet | Kind::TrainingJob);
    trouble.certain &= !may_retry || pod.phase == "Pending";
    Some(trouble)
}

/// The pods of the newest version whose troubles are the deploy's. What became of a cron job's runs
/// is not: only that they cannot start.
pub(super) fn newest_pods<'a>(
    workload: &'a Workload,
    declared: &'a Declared,
) -> impl Iterator<Item = &'a PodView> {
    let runs = declared.kind == Kind::CronJob;
    let newest = workload.newest_version();
    let pods = workload.pods.iter().map(AsRef::as_ref);
    pods.filter(move |pod: &&PodView| {
        let is_new = newest.is_none_or(|newest| newest == pod.hash);
        is_new && !pod.deleting && (!runs || pod.phase == "Pending")
    })
}
