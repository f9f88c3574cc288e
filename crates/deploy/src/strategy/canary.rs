//! What a deploy does next while its canary is tried. Pure.
//!
//! Each step has a number of pods, written before it is judged; a time for which they must do well,
//! by the health gates of the workload; and, where it says so, somebody who promotes it. The version
//! that runs is left alone until the last step is over. A canary that fails ends its deploy; taking
//! the canary away is the driver's, before the end is written.

use std::fmt::Write as _;

use hermez_api::{CanaryStep, DeployPlan, DeployState};
use hermez_cluster::Rollout;
use hermez_store::{DeployRecord, DeployWrite};
use jiff::{SignedDuration, Timestamp};

use crate::gates::decide::{Gate, PATIENCE, UNMEASURED, judge};
use crate::state::{APPLY_WITHIN, Next, Seen, away, fail, held, is_past, say};

/// The steps that a person may promote at once.
pub const ALL_STEPS: i64 = i64::MAX;

/// Whether a canary of this deploy may be in the cluster.
pub fn has_canary(deploy: &DeployRecord) -> bool {
    deploy
        .plan
        .as_ref()
        .is_some_and(|plan| plan.canary_pods.is_some())
}

/// Pods of a step's canary beside `running` pods of the version that runs: at least one, rounded up.
pub fn pods_of(step: &CanaryStep, running: i32) -> i32 {
    let running = u64::try_from(running).unwrap_or(0);
    let pods = (running * u64::from(step.percent)).div_ceil(100);
    i32::try_from(pods).unwrap_or(i32::MAX).max(1)
}

/// What comes after a canary, or in its place: the workload itself.
fn go_on(message: &str, now: Timestamp) -> Next {
    Next::Write(Box::new(DeployWrite {
        state: Some(DeployState::Applying),
        message: Some(format!("{message}; writing to the cluster")),
        deadline_at: Some(Some(now + APPLY_WITHIN)),
        verify_until: Some(None),
        retries: Some(0),
        ..DeployWrite::default()
    }))
}

/// The number of a step, as people count.
fn nth(plan: &DeployPlan) -> String {
    format!("canary, step {} of {}", plan.step + 1, plan.canary.len())
}

/// How many pods the canary has beside the others.
fn beside(canary: i32, running: i32) -> String {
    let pods = if canary == 1 { "pod" } else { "pods" };
    let share = i64::from(canary) * 100 / i64::from(canary + running).max(1);
    format!("{canary} {pods} beside {running} ({share} % of the requests)")
}

/// A message, and what was found of the checks.
fn with(message: String, found: &[String]) -> String {
    let parts = std::iter::once(message).chain(found.iter().cloned());
    parts.collect::<Vec<_>>().join("; ")
}

/// What a deploy in the state `canary` does next.
pub(crate) fn next(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if !seen.connected {
        return away(deploy, seen, now);
    }
    let plan = deploy.plan.clone().unwrap_or_default();
    if let Some(by) = &deploy.paused_by {
        return held(deploy, &format!("{}: held: {by} paused it", nth(&plan)));
    }
    if deploy.promoted == Some(ALL_STEPS) {
        return go_on("the canary was promoted", now);
    }
    let Some(step) = plan.canary.get(plan.step) else {
        return go_on("the canary has no further step", now);
    };
    let running = match seen.running {
        Some(running) if running > 0 => running,
        _ if plan.canary_pods.is_some() => 0,
        _ => {
            return go_on(
                "no canary: nothing runs beside which it could be tried",
                now,
            );
        }
    };
    if deploy.deadline_at.is_none() {
        // It was held.
        return Next::Write(Box::new(DeployWrite {
            deadline_at: Some(Some(now + APPLY_WITHIN)),
            ..DeployWrite::default()
        }));
    }
    if !plan.step_written || !seen.canary_there {
        return Next::Canary(pods_of(step, running));
    }
    match &seen.rollout {
        Some(Rollout::Failed {
            cause,
            ready,
            desired,
            message,
            hint,
        }) => {
            let message = format!("the canary failed: {message}");
            fail(
                cause.as_str(),
                &message,
                hint.clone(),
                Some((*ready, *desired)),
            )
        }
        // All steps are of one deploy: what the watches show may be the step before.
        Some(Rollout::Complete { desired, .. })
            if plan.canary_pods.is_some_and(|pods| pods != *desired) =>
        {
            let message = "the cluster does not show this step's pods yet";
            unready(deploy, step, &format!("{}: {message}", nth(&plan)), now)
        }
        Some(Rollout::Complete { ready, desired }) => {
            let pods = (*ready, *desired);
            judged(deploy, seen, &plan, (step, pods, running), now)
        }
        Some(Rollout::Progressing { message, .. } | Rollout::Waiting { message }) => {
            unready(deploy, step, &format!("{}: {message}", nth(&plan)), now)
        }
        None => Next::Wait,
    }
}

/// Not all of the canary's pods are ready.
fn unready(deploy: &DeployRecord, step: &CanaryStep, message: &str, now: Timestamp) -> Next {
    let Some(until) = deploy.verify_until else {
        if is_past(deploy, now) {
            return late(deploy.id, deploy.retries, message);
        }
        return say(deploy, message);
    };
    let (falls, deadline) = fall(deploy, step, until, now);
    if now >= deadline {
        return late(deploy.id, falls, message);
    }
    // It was well before, and is judged anew.
    Next::Write(Box::new(DeployWrite {
        message: Some(message.to_owned()),
        note: true,
        verify_until: Some(None),
        deadline_at: Some(Some(deadline)),
        retries: Some(falls),
        ..DeployWrite::default()
    }))
}

/// How often the pods of this step were ready and then not any more, and until when they may be so.
///
/// The time that was left is not prolonged: pods that come and go would take it anew each time. One
/// that has done well for the step's time and waits for something else gets the time of a new
/// rollout, and again only after it was ready for as long as that.
fn fall(
    deploy: &DeployRecord,
    step: &CanaryStep,
    until: Timestamp,
    now: Timestamp,
) -> (i32, Timestamp) {
    let anew = now + APPLY_WITHIN;
    let ready_since = until - SignedDuration::from_secs(i64::from(step.seconds));
    let is_steady = deploy.retries == 0 || now >= ready_since + APPLY_WITHIN;
    if now >= until && is_steady {
        return (1, anew);
    }
    let left = deploy.deadline_at.unwrap_or(anew);
    (deploy.retries.saturating_add(1), left.min(anew))
}

/// The end of a canary whose pods are not ready in time; `falls` tells how often they had been.
fn late(id: i64, falls: i32, message: &str) -> Next {
    let hint = Some(format!(
        "read what the canary's pods say: hermez receipt {id}"
    ));
    if falls == 0 {
        let message = format!("not well in time: {message}");
        return fail("deadline", &message, hint, None);
    }
    let times = match falls {
        1 => "once".to_owned(),
        _ => format!("{falls} times"),
    };
    let message = format!(
        "the canary failed: its pods do not stay ready, they ceased to be {times}: {message}"
    );
    fail(crate::gates::decide::CAUSE, &message, hint, None)
}

/// All of the canary's pods are ready: how do they do?
fn judged(
    deploy: &DeployRecord,
    seen: &Seen,
    plan: &DeployPlan,
    (step, pods, running): (&CanaryStep, (i32, i32), i32),
    now: Timestamp,
) -> Next {
    let Some(until) = deploy.verify_until else {
        let until = now + SignedDuration::from_secs(i64::from(step.seconds));
        // Pods that come and go have what was left.
        let deadline = match deploy.deadline_at {
            Some(left) if deploy.retries > 0 => left,
            _ => until + PATIENCE,
        };
        let mut message = format!("{}: {}", nth(plan), beside(pods.1, running));
        if step.seconds > 0 {
            let _ = write!(message, "; it must do well for {} s", step.seconds);
        }
        return Next::Write(Box::new(DeployWrite {
            message: Some(message),
            note: true,
            pods: Some(pods),
            verify_until: Some(Some(until)),
            deadline_at: Some(Some(deadline)),
            ..DeployWrite::default()
        }));
    };
    let mut judged = judge(
        &Gate::read(deploy).unwrap_or_default(),
        &seen.measured,
        until,
    );
    if let Some((message, hint)) = judged.wrong {
        let cause = crate::gates::decide::CAUSE;
        let message = format!("the canary failed: {message}");
        return fail(cause, &message, Some(hint.to_owned()), Some(pods));
    }
    if now < until {
        return Next::Wait;
    }
    let waits = format!(
        "waits for somebody to promote it: hermez deploys promote {}",
        deploy.id
    );
    if let Some(unknown) = judged.unknown {
        let said = format!("{}: {unknown}", nth(plan));
        let said_before = deploy.message.contains(UNMEASURED);
        if deploy.message.ends_with(&waits) || (now >= until + PATIENCE && !said_before) {
            // It was known until now, perhaps for days: the patience begins here.
            return Next::Write(Box::new(DeployWrite {
                message: Some(said),
                note: true,
                deadline_at: Some(deploy.deadline_at.max(Some(now + PATIENCE))),
                ..DeployWrite::default()
            }));
        }
        if now >= until + PATIENCE && is_past(deploy, now) {
            let hint = "look at the query and at the server's --prometheus-url".to_owned();
            let cause = crate::gates::decide::CAUSE;
            return fail(cause, &said, Some(hint), Some(pods));
        }
        return say(deploy, &said);
    }
    let here = i64::try_from(plan.step).unwrap_or(i64::MAX);
    if step.wait && deploy.promoted.is_none_or(|promoted| promoted < here) {
        let message = format!("{}: {}", nth(plan), beside(pods.1, running));
        let said = &deploy.message;
        let mut left_out = judged.left_out.iter();
        // The old version's values may come and go for hours: that is said once.
        if said.starts_with(&message)
            && said.ends_with(&waits)
            && left_out.all(|it| said.contains(it))
        {
            return Next::Wait;
        }
        let message = with(message, &judged.left_out);
        return say(deploy, &format!("{message}; {waits}"));
    }
    if plan.step + 1 >= plan.canary.len() {
        judged.right.append(&mut judged.left_out);
        return go_on(&with("the canary did well".to_owned(), &judged.right), now);
    }
    let plan = DeployPlan {
        step: plan.step + 1,
        step_written: false,
        ..plan.clone()
    };
    Next::Write(Box::new(DeployWrite {
        message: Some(with(format!("{}: begins", nth(&plan)), &judged.left_out)),
        note: true,
        verify_until: Some(None),
        deadline_at: Some(Some(now + APPLY_WITHIN)),
        retries: Some(0),
        plan: Some(plan),
        ..DeployWrite::default()
    }))
}

/// What to write when a step's canary was written to the cluster.
pub(crate) fn written(
    deploy: &DeployRecord,
    pods: i32,
    progress_deadline_seconds: u32,
    now: Timestamp,
) -> DeployWrite {
    let plan = DeployPlan {
        canary_pods: Some(pods),
        step_written: true,
        ..deploy.plan.clone().unwrap_or_default()
    };
    let wanted = if pods == 1 { "pod is" } else { "pods are" };
    DeployWrite {
        message: Some(format!("{}: {pods} {wanted} made", nth(&plan))),
        note: true,
        deadline_at: Some(Some(
            now + SignedDuration::from_secs(i64::from(progress_deadline_seconds) + 60),
        )),
        retries: Some(0),
        plan: Some(plan),
        ..DeployWrite::default()
    }
}

#[cfg(test)]
mod tests;
