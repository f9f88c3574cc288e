//! PinterestTrainingJob: when its gang may start, when it has lost a member, when it has succeeded,
//! and its status. Pure.

use std::time::Duration;

use hermez_kinds::TranslateError;
use hermez_kinds::names::{ATTEMPT_LABEL, INDEX_ANNOTATION, REVISION_LABEL, ROLE_LABEL};
use hermez_kinds::run::{Phase, RunState};
use hermez_kinds::trainingjob::{
    MembersStatus, PinterestTrainingJob, PinterestTrainingJobSpec, PinterestTrainingJobStatus,
    attempt, job_name, revision,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::fit::is_gated;
use super::run::{self, Run, Settings, Stage, Verdict};
use super::{Plan, Refusal, Seen};
use crate::gang::Gang;

#[cfg(test)]
mod tests;

/// Shortest and longest wait between two looks for room.
const LOOKS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));

/// What a training job should become now.
pub(super) fn plan(seen: &Seen<'_>, job: &PinterestTrainingJob) -> Result<Plan, TranslateError> {
    let spec = &job.spec;
    let before: PinterestTrainingJobStatus = seen.before();
    let (jobs, pods): (Vec<Job>, Vec<Pod>) = (seen.all("Job"), seen.all("Pod"));
    let settings = Settings {
        revision: revision(job),
        suspend: spec.suspend,
        suspend_jobs: false,
        deadline_s: spec.activedeadlineseconds,
        ttl_s: spec.ttlsecondsafterfinished,
        maxrestarts: spec.maxrestarts,
    };
    let judge = |state: &RunState, jobs: &[&Job]| judge(seen, job, state, jobs, &of(&pods, state));
    let mut run = run::advance(&before.run, &settings, &jobs, seen.now, judge);
    wait_for_others(&mut run, &jobs, &pods);
    let gang = if run.stage == Stage::On {
        let pods = of(&pods, &run.state);
        start(seen, spec, &before.run, &mut run, &pods)
    } else {
        None
    };
    let objects = attempt(job, seen.profile, &run.attempt())?;
    let whole = |remembered: &Value| json!(status(&seen.with(remembered), job, None));
    // Whether the gang was let go is written into it.
    let remembers = gang.is_some() || before.run != run.state;
    let remembered = remembers.then(|| run::merged(seen, &run.state));
    let mut plan = Plan {
        status: remembered.as_ref().map(whole),
        gang,
        again_after: run.again_after,
        ..Plan::default()
    };
    run::emit(&run, objects, &jobs, &mut plan);
    if run.stage == Stage::Over {
        keep_the_failed(&jobs, &of(&pods, &run.state), &run.state, &mut plan);
    }
    plan.notes = run.notes;
    Ok(plan)
}

/// Keeps the jobs whose pods have failed, so that these can be read: a pod fails some time before
/// Kubernetes says so of its job, and ends what else there is of it.
fn keep_the_failed(jobs: &[Job], pods: &[&Pod], state: &RunState, plan: &mut Plan) {
    let failed: Vec<&String> = pods
        .iter()
        .filter(|pod| phase(pod) == "Failed")
        .filter_map(|pod| pod.labels().get(ROLE_LABEL))
        .collect();
    for job in jobs.iter().filter(|job| run::is_of(job, state)) {
        let kept = ("Job".to_owned(), job.name_any());
        let has_failed = job.labels().get(ROLE_LABEL);
        if has_failed.is_some_and(|role| failed.contains(&role)) && !plan.keep.contains(&kept) {
            plan.keep.push(kept);
        }
    }
}

/// Holds an attempt back while pods of another one still run, whose job somebody deleted before
/// them: they have the host names and the room of the new ones.
fn wait_for_others(run: &mut Run, jobs: &[Job], pods: &[Pod]) {
    let own = of(pods, &run.state);
    let is_other = |pod: &&Pod| !own.iter().any(|own| own.name_any() == pod.name_any());
    let runs = |pod: &&Pod| !matches!(phase(pod), "Succeeded" | "Failed");
    let others = pods.iter().filter(is_other).filter(runs).count();
    if run.stage == Stage::On && jobs.is_empty() && others > 0 {
        run.stage = Stage::Between;
        run.state.waiting = Some(format!("{others} pods of an earlier attempt to end"));
    }
}

/// The pods of an attempt.
fn of<'a>(pods: &'a [Pod], state: &RunState) -> Vec<&'a Pod> {
    let number = state.attempt.to_string();
    let mine = |pod: &&Pod| {
        let label = |key: &str| pod.labels().get(key).map(String::as_str);
        label(REVISION_LABEL) == Some(&state.revision) && label(ATTEMPT_LABEL) == Some(&number)
    };
    pods.iter().filter(mine).collect()
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn has_node(pod: &Pod) -> bool {
    pod.spec
        .as_ref()
        .is_some_and(|spec| spec.node_name.is_some())
}

fn judge(
    seen: &Seen<'_>,
    job: &PinterestTrainingJob,
    state: &RunState,
    jobs: &[&Job],
    pods: &[&Pod],
) -> Verdict {
    let spec = &job.spec;
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let done = |role| {
        let name = job_name(name, role);
        jobs.iter()
            .any(|job| job.name_any() == name && run::is_complete(job))
    };
    let mut leading = spec
        .members
        .iter()
        .map(|members| members.role)
        .filter(|role| spec.leads(*role));
    if leading.all(done) {
        return Verdict::Succeeded("the training has ended well".to_owned());
    }
    if let Some(message) = lost(jobs, pods) {
        return Verdict::Restart {
            message,
            counted: true,
        };
    }
    match late(seen, spec, state, pods) {
        Some(message) => Verdict::Restart {
            message,
            counted: false,
        },
        None => Verdict::GoOn,
    }
}

/// The member that was lost first, and how.
fn lost(jobs: &[&Job], pods: &[&Pod]) -> Option<String> {
    if let Some(pod) = pods.iter().find(|pod| phase(pod) == "Failed") {
        return Some(format!(
            "the member {} failed: {}",
            pod.name_any(),
            why(pod)
        ));
    }
    let leaves =
        |pod: &&&Pod| pod.metadata.deletion_timestamp.is_some() && phase(pod) != "Succeeded";
    if let Some(pod) = pods.iter().find(leaves) {
        return Some(format!(
            "the member {} was deleted: {}",
            pod.name_any(),
            why(pod)
        ));
    }
    if let Some((job, (reason, words, _))) =
        jobs.iter().find_map(|job| Some((job, run::failure(job)?)))
    {
        return Some(format!(
            "the job {} failed ({reason}): {words}",
            job.name_any()
        ));
    }
    let gone = jobs
        .iter()
        .find(|job| job.metadata.deletion_timestamp.is_some())?;
    Some(format!("the job {} was deleted", gone.name_any()))
}

/// Why a pod ended: the container that failed, the kubelet's own words, or who took it away.
fn why(pod: &Pod) -> String {
    let Some(status) = &pod.status else {
        return "nothing says why".to_owned();
    };
    let containers = status.init_container_statuses.iter().flatten();
    let containers = containers.chain(status.container_statuses.iter().flatten());
    let ends = containers.filter_map(|container| {
        let end = container.state.as_ref()?.terminated.as_ref()?;
        (end.exit_code != 0).then_some((container, end))
    });
    let mut words: Vec<String> = ends
        .map(|(container, end)| {
            let reason = end.reason.as_deref().unwrap_or("Error");
            let said = end
                .message
                .as_deref()
                .map(str::trim)
                .filter(|said| !said.is_empty());
            let said = said.map(|said| format!(": {}", said.chars().take(300).collect::<String>()));
            format!(
                "container {} ended with exit code {} ({reason}){}",
                container.name,
                end.exit_code,
                said.unwrap_or_default()
            )
        })
        .collect();
    let target = |kind: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.find(|condition| condition.type_ == kind && condition.status == "True")
    };
    for text in [
        status.reason.as_ref(),
        status.message.as_ref(),
        target("DisruptionTarget").and_then(|c| c.message.as_ref()),
    ] {
        words.extend(text.cloned());
    }
    if words.is_empty() {
        "somebody deleted the pod".to_owned()
    } else {
        words.join("; ")
    }
}

/// Why the gang is given up for now, when not all of it is in its place in time.
fn late(
    seen: &Seen<'_>,
    spec: &PinterestTrainingJobSpec,
    state: &RunState,
    pods: &[&Pod],
) -> Option<String> {
    let size = spec.size();
    let limit = spec.gangtimeoutseconds;
    if let Some(admitted) = &state.admitted_time {
        let without = pods
            .iter()
            .filter(|pod| !has_node(pod) && phase(pod) == "Pending")
            .count();
        return (without > 0 && is_past(admitted, limit, seen.now)).then(|| {
            format!("{without} of {size} pods got no node within gangtimeoutseconds ({limit} s)")
        });
    }
    let begun = state.attempt_time.as_ref()?;
    let made = pods.len() as i32;
    (made < size && is_past(begun, limit, seen.now)).then(|| {
        format!("only {made} of {size} pods could be made within gangtimeoutseconds ({limit} s)")
    })
}

fn end(start: &Time, seconds: i64) -> Timestamp {
    start
        .0
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

fn is_past(start: &Time, seconds: i64, now: Timestamp) -> bool {
    now >= end(start, seconds)
}

/// Moves a gang on: all made, let go, placed, running. Returns the pods to let go.
fn start(
    seen: &Seen<'_>,
    spec: &PinterestTrainingJobSpec,
    before: &RunState,
    run: &mut Run,
    pods: &[&Pod],
) -> Option<Gang> {
    let state = &mut run.state;
    let size = spec.size();
    let gated = pods.iter().filter(|pod| is_gated(pod)).count() as i32;
    let since = |time: &Option<Time>| time.clone().unwrap_or(Time(seen.now));
    if (pods.len() as i32) < size && state.admitted_time.is_none() {
        state.phase = Phase::Waiting;
        state.waiting = Some(format!(
            "its pods to be made: {} of {size} are there",
            pods.len()
        ));
        let left =
            end(&since(&state.attempt_time), spec.gangtimeoutseconds).duration_since(seen.now);
        run.again(Duration::try_from(left).unwrap_or_default());
        return None;
    }
    if gated > 0 {
        state.phase = Phase::Waiting;
        state.waiting.clone_from(&before.waiting);
        let waited = seen.now.duration_since(since(&state.attempt_time).0);
        let waited = Duration::try_from(waited).unwrap_or_default();
        run.again((waited / 4).clamp(LOOKS.0, LOOKS.1));
        let pods = pods.iter().map(|pod| ((*pod).clone(), rank(spec, pod)));
        return Some(Gang {
            namespace: seen.resource.namespace().to_owned(),
            pods: pods.collect(),
            check: gated == size,
        });
    }
    if state.admitted_time.is_none() {
        let message = format!("all {size} pods of attempt {} were let go", state.attempt);
        run.notes.push(("Admitted", message));
    }
    let admitted = state.admitted_time.get_or_insert(Time(seen.now)).clone();
    let placed = pods
        .iter()
        .all(|pod| has_node(pod) || phase(pod) != "Pending");
    let running = pods
        .iter()
        .all(|pod| matches!(phase(pod), "Running" | "Succeeded"));
    state.phase = if running {
        Phase::Running
    } else {
        Phase::Starting
    };
    if !placed {
        let left = end(&admitted, spec.gangtimeoutseconds).duration_since(seen.now);
        run.again(Duration::try_from(left).unwrap_or_default());
    }
    None
}

/// A pod's rank: its index, after the members of the roles before its own.
fn rank(spec: &PinterestTrainingJobSpec, pod: &Pod) -> i32 {
    let role = pod.labels().get(ROLE_LABEL).map_or("", String::as_str);
    let ranked = spec.ranked();
    let first = ranked
        .iter()
        .find(|(members, _)| members.role.name() == role);
    let index = pod
        .annotations()
        .get(INDEX_ANNOTATION)
        .and_then(|index| index.parse().ok());
    first.map_or(0, |(_, first)| *first) + index.unwrap_or(0)
}

/// The status that follows from what was seen.
pub(super) fn status(
    seen: &Seen<'_>,
    job: &PinterestTrainingJob,
    stalled: Option<&Refusal>,
) -> PinterestTrainingJobStatus {
    let spec = &job.spec;
    let before: PinterestTrainingJobStatus = seen.before();
    let state = before.run;
    let pods: Vec<Pod> = seen.all("Pod");
    let pods = of(&pods, &state);
    // What is deleted after the end was counted before.
    let forgotten = state.phase.is_over() && pods.is_empty() && !before.members.is_empty();
    let size = if state.phase == Phase::Suspended {
        0
    } else {
        spec.size()
    };
    let ready = pods
        .iter()
        .filter(|pod| is_ready(pod) || phase(pod) == "Succeeded")
        .count() as i32;
    let members = spec
        .ranked()
        .into_iter()
        .map(|(members, _)| members_status(members.role.name(), members.replicas, &pods));
    let (members, desired, ready) = if forgotten {
        (before.members, before.desired_pods, before.ready_pods)
    } else {
        (members.collect(), size, ready)
    };
    let settled = if ready >= desired {
        Ok(())
    } else {
        Err(format!("{ready} of {desired} members are ready or done"))
    };
    let conditions = run::conditions(seen, &before.conditions, &state, stalled, settled);
    PinterestTrainingJobStatus {
        observed_generation: seen.generation,
        run: state,
        desired_pods: desired,
        ready_pods: ready,
        members,
        profile: Some(seen.profile.label()),
        conditions,
    }
}

fn members_status(role: &str, replicas: i32, pods: &[&Pod]) -> MembersStatus {
    let own = |pod: &&&Pod| pod.labels().get(ROLE_LABEL).map(String::as_str) == Some(role);
    let count = |wanted: &dyn Fn(&Pod) -> bool| {
        pods.iter().filter(own).filter(|pod| wanted(pod)).count() as i32
    };
    MembersStatus {
        role: role.to_owned(),
        replicas,
        active: count(&|pod| matches!(phase(pod), "Pending" | "Running")),
        ready: count(&is_ready),
        succeeded: count(&|pod| phase(pod) == "Succeeded"),
        failed: count(&|pod| phase(pod) == "Failed"),
    }
}
