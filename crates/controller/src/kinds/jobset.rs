//! PinterestJobSet: which groups may start, what a failed job leads to, when the set has succeeded,
//! and its status. Pure.

use std::collections::BTreeMap;

use hermez_kinds::TranslateError;
use hermez_kinds::jobset::{
    DependencyStatus, FailureAction, GroupStatus, PinterestJobSet, PinterestJobSetSpec,
    PinterestJobSetStatus, ReplicatedJob, SuccessOperator, attempt, revision,
};
use hermez_kinds::names::ROLE_LABEL;
use hermez_kinds::run::{Phase, RunState};
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::run::{self, Settings, Stage, Verdict};
use super::{Plan, Refusal, Seen};

#[cfg(test)]
mod tests;

/// What a job set should become now.
pub(super) fn plan(seen: &Seen<'_>, set: &PinterestJobSet) -> Result<Plan, TranslateError> {
    let spec = &set.spec;
    let before: PinterestJobSetStatus = seen.before();
    let jobs: Vec<Job> = seen.all("Job");
    let settings = Settings {
        revision: revision(set),
        suspend: spec.suspend,
        suspend_jobs: true,
        deadline_s: spec.activedeadlineseconds,
        ttl_s: spec.ttlsecondsafterfinished,
        maxrestarts: spec
            .failurepolicy
            .as_ref()
            .map_or(0, |policy| policy.maxrestarts),
    };
    let judge = |_: &RunState, jobs: &[&Job]| judge(spec, &groups(jobs));
    let mut run = run::advance(&before.run, &settings, &jobs, seen.now, judge);
    let current: Vec<&Job> = jobs
        .iter()
        .filter(|job| run::is_of(job, &run.state))
        .collect();
    let groups = groups(&current);
    let mut objects = attempt(set, seen.profile, &run.attempt())?;
    objects.jobs.retain(|job| {
        let group = spec
            .replicatedjobs
            .iter()
            .find(|group| group.name == job.group);
        group.is_some_and(|group| may_start(spec, group, &groups))
    });
    if run.stage == Stage::On && matches!(run.state.phase, Phase::Waiting | Phase::Starting) {
        let begun = spec
            .replicatedjobs
            .iter()
            .any(|group| is_ready(group, &groups));
        run.state.phase = if begun {
            Phase::Running
        } else {
            Phase::Waiting
        };
    }
    let whole = |remembered: &Value| json!(status(&seen.with(remembered), set, None));
    let remembered = (before.run != run.state).then(|| run::merged(seen, &run.state));
    let mut plan = Plan {
        status: remembered.as_ref().map(whole),
        again_after: run.again_after,
        ..Plan::default()
    };
    run::emit(&run, objects, &jobs, &mut plan);
    plan.notes = run.notes;
    Ok(plan)
}

type Groups<'a> = BTreeMap<&'a str, Vec<&'a Job>>;

/// Jobs by their group.
fn groups<'a>(jobs: &[&'a Job]) -> Groups<'a> {
    let mut groups = Groups::new();
    for job in jobs {
        let group = job.labels().get(ROLE_LABEL).map_or("", String::as_str);
        groups.entry(group).or_default().push(job);
    }
    groups
}

fn jobs_of<'a>(groups: &'a Groups<'_>, name: &str) -> &'a [&'a Job] {
    groups.get(name).map_or(&[], Vec::as_slice)
}

fn judge(spec: &PinterestJobSetSpec, groups: &Groups<'_>) -> Verdict {
    if let Some(message) = success(spec, groups) {
        return Verdict::Succeeded(message);
    }
    let all = groups
        .iter()
        .flat_map(|(group, jobs)| jobs.iter().map(move |job| (*group, *job)));
    let failed = all.filter_map(|(group, job)| Some((group, job, run::failure(job)?)));
    let first = failed.min_by_key(|(_, _, (_, _, since))| *since);
    let Some((group, job, (reason, words, _))) = first else {
        return Verdict::GoOn;
    };
    let message = format!("the job {} failed ({reason}): {words}", job.name_any());
    let action = match &spec.failurepolicy {
        None => FailureAction::Fail,
        Some(policy) => {
            let fits =
                |list: &[String], word: &str| list.is_empty() || list.iter().any(|l| l == word);
            let mut rules = policy.rules.iter();
            let rule = rules.find(|rule| fits(&rule.groups, group) && fits(&rule.reasons, &reason));
            rule.map_or(policy.action, |rule| rule.action)
        }
    };
    match action {
        FailureAction::Fail => Verdict::Fail {
            reason: "JobFailed",
            message,
        },
        FailureAction::RestartAll => Verdict::Restart {
            message,
            counted: true,
        },
        FailureAction::RestartAllUncounted => Verdict::Restart {
            message,
            counted: false,
        },
    }
}

/// Why the set has succeeded, when it has.
fn success(spec: &PinterestJobSetSpec, groups: &Groups<'_>) -> Option<String> {
    let policy = spec.successpolicy.clone().unwrap_or_default();
    let counts =
        |group: &&ReplicatedJob| policy.groups.is_empty() || policy.groups.contains(&group.name);
    let mut counted = spec.replicatedjobs.iter().filter(counts);
    match policy.operator {
        SuccessOperator::All => counted
            .all(|group| is_complete(group, groups))
            .then(|| "every group that counts has succeeded".to_owned()),
        SuccessOperator::Any => counted
            .find(|group| is_complete(group, groups))
            .map(|group| format!("the group {} has succeeded", group.name)),
    }
}

/// Whether all jobs of a group have succeeded.
fn is_complete(group: &ReplicatedJob, groups: &Groups<'_>) -> bool {
    let jobs = jobs_of(groups, &group.name).iter();
    jobs.filter(|job| run::is_complete(job)).count() as i32 >= group.replicas
}

/// Whether all pods of a group are ready or done.
fn is_ready(group: &ReplicatedJob, groups: &Groups<'_>) -> bool {
    let jobs = jobs_of(groups, &group.name).iter();
    jobs.filter(|job| started(group, job) >= group.at_once())
        .count() as i32
        >= group.replicas
}

/// Pods of a job that are ready or done, of those that may run at the same time.
fn started(group: &ReplicatedJob, job: &Job) -> i32 {
    if run::is_complete(job) {
        return group.at_once();
    }
    let status = job.status.as_ref();
    let count = |of: fn(&JobStatus) -> Option<i32>| status.and_then(of).unwrap_or(0);
    (count(|s| s.ready) + count(|s| s.succeeded)).min(group.at_once())
}

/// Whether a group may start: it has, or all that it waits for is as it should be.
fn may_start(spec: &PinterestJobSetSpec, group: &ReplicatedJob, groups: &Groups<'_>) -> bool {
    !jobs_of(groups, &group.name).is_empty() || waits_for(spec, group, groups).is_empty()
}

/// The groups that a group still waits for.
fn waits_for(
    spec: &PinterestJobSetSpec,
    group: &ReplicatedJob,
    groups: &Groups<'_>,
) -> Vec<String> {
    let holds = |name: &str, status: DependencyStatus| {
        let other = spec.replicatedjobs.iter().find(|other| other.name == name);
        other.is_some_and(|other| match status {
            DependencyStatus::Ready => is_ready(other, groups),
            DependencyStatus::Complete => is_complete(other, groups),
        })
    };
    let open = group
        .dependson
        .iter()
        .filter(|on| !holds(&on.name, on.status));
    open.map(|on| on.name.clone()).collect()
}

/// The status that follows from what was seen.
pub(super) fn status(
    seen: &Seen<'_>,
    set: &PinterestJobSet,
    stalled: Option<&Refusal>,
) -> PinterestJobSetStatus {
    let spec = &set.spec;
    let before: PinterestJobSetStatus = seen.before();
    let state = before.run;
    let jobs: Vec<Job> = seen.all("Job");
    let current: Vec<&Job> = jobs.iter().filter(|job| run::is_of(job, &state)).collect();
    let groups = groups(&current);
    // What is deleted after the end was counted before.
    let forgotten = state.phase.is_over() && current.is_empty() && !before.groups.is_empty();
    let (mut desired, mut ready) = (0, 0);
    let mut list = Vec::new();
    for group in &spec.replicatedjobs {
        list.push(group_status(spec, group, &groups, &state));
        if may_start(spec, group, &groups) {
            desired += group.replicas * group.at_once();
            let jobs = jobs_of(&groups, &group.name).iter();
            ready += jobs.map(|job| started(group, job)).sum::<i32>();
        }
    }
    if state.phase == Phase::Suspended {
        desired = ready;
    }
    if forgotten {
        (list, desired, ready) = (before.groups, before.desired_pods, before.ready_pods);
    }
    let settled = if ready >= desired {
        Ok(())
    } else {
        Err(format!("{ready} of {desired} pods are ready or done"))
    };
    let conditions = run::conditions(seen, &before.conditions, &state, stalled, settled);
    PinterestJobSetStatus {
        observed_generation: seen.generation,
        run: state,
        desired_pods: desired,
        ready_pods: ready,
        groups: list,
        profile: Some(seen.profile.label()),
        conditions,
    }
}

fn group_status(
    spec: &PinterestJobSetSpec,
    group: &ReplicatedJob,
    groups: &Groups<'_>,
    state: &RunState,
) -> GroupStatus {
    let jobs = jobs_of(groups, &group.name);
    let sum = |of: fn(&JobStatus) -> Option<i32>| {
        let statuses = jobs.iter().filter_map(|job| job.status.as_ref());
        statuses.filter_map(of).sum()
    };
    let waits = jobs.is_empty() && !state.phase.is_over();
    GroupStatus {
        name: group.name.clone(),
        jobs: group.replicas,
        completed: jobs.iter().filter(|job| run::is_complete(job)).count() as i32,
        active: sum(|status| status.active),
        ready: sum(|status| status.ready),
        succeeded: sum(|status| status.succeeded),
        failed: sum(|status| status.failed),
        waiting_for: if waits {
            waits_for(spec, group, groups)
        } else {
            Vec::new()
        },
    }
}
