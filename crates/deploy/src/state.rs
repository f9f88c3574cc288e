//! What a deploy does next. Pure: a function of the deploy, of what was seen, and of `now`.
//!
//! ```text
//! pending ─> building ─> (queued) ─> (canary) ─> applying ─> rolling_out ─> verifying ─> succeeded
//!    └─────────┴────────────┴─> superseded, canceled ^   └──────────────────────┘ │
//!              └──────────────────────────────> failed, canceled     next wave <──┘
//! ```
//! A newer request supersedes what has not begun to change the cluster, never what has.

use hermez_api::{BadArtifact, BuildState, DeployKind, DeployPlan, DeployState};
use hermez_cluster::{FailureCause, Late, Rollout};
use hermez_store::{Applied, BuildRecord, DeployRecord, DeployWrite, LaneFacts};
use jiff::{SignedDuration, Timestamp};

use crate::gates::decide::{self, Measured};
use crate::policy::bad_message;
use crate::rules::Waits;
use crate::strategy::{canary, waves};

/// Longest time that a deploy waits for the registry or the cluster to take it.
pub const APPLY_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// How long past its deadline a rollout may go on while the cluster does not answer.
pub const AWAY_LIMIT: SignedDuration = SignedDuration::from_hours(1);
/// What is added to the workload's own progress deadline, which Kubernetes itself watches.
const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What was seen of a deploy's surroundings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Whether the commit's artifact is there.
    pub artifact: bool,
    /// The mark that the artifact bears; only asked for while the deploy waits.
    pub bad: Option<BadArtifact>,
    /// The deploy's build.
    pub build: Option<BuildRecord>,
    /// What the rules have it wait for; only asked for while it waits, where it could begin or was
    /// held before.
    pub waits: Option<Waits>,
    /// What else goes on with the same Kubernetes object.
    pub lane: LaneFacts,
    /// Of a restart that waits: the deploy that was written after the one whose pods it replaces.
    pub replaced_by: Option<i64>,
    /// Whether all clusters answer that are reached now.
    pub connected: bool,
    /// How many of them do.
    pub answering: usize,
    /// The cluster that does not, where there are several.
    pub away: Option<String>,
    /// Its canary and its waves, by what is set; only asked for while it waits for its turn.
    pub plan: Option<DeployPlan>,
    /// Pods that the workload is told to have; only asked for while its canary is tried.
    pub running: Option<i32>,
    /// Whether its canary is in the cluster; only asked for while it is tried.
    pub canary_there: bool,
    /// How far the rollout is, or that of its canary; only asked for while one goes on.
    pub rollout: Option<Rollout>,
    /// What was measured of the new version; only asked for while it is verified.
    pub measured: Measured,
    /// Why it is late; only asked for while it rolls out and its deadline has passed.
    pub late: Option<Late>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Write this and look again.
    Write(Box<DeployWrite>),
    /// Ask for the commit's build, then write its number with the state `building`.
    RequestBuild,
    /// Write the manifest to the cluster, then [`applied`] or [`apply_failed`].
    Apply,
    /// Write a canary with that many pods to the cluster.
    Canary(i32),
    /// Nothing until something changes.
    Wait,
}

/// What a deploy does next.
pub fn next(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if deploy.cancel_requested {
        if let Some(rejection) = &deploy.rejection {
            return end(DeployState::Canceled, rejection);
        }
        let message = match deploy.state {
            DeployState::Canary => "canceled; the canary is taken away, what ran before stays",
            DeployState::Applying | DeployState::RollingOut | DeployState::Verifying => {
                "canceled; what was already written to the cluster stays until the next deploy"
            }
            _ => "canceled before anything was changed in the cluster",
        };
        return waves::within(deploy, now, |_| end(DeployState::Canceled, message));
    }
    match deploy.state {
        DeployState::Pending | DeployState::Building | DeployState::Queued => {
            if let Some(newer) = seen.lane.newer {
                return end(
                    DeployState::Superseded,
                    &format!("deploy {newer} was asked for later and takes its place"),
                );
            }
            let held = seen.waits.as_ref().map(|waits| &waits.held);
            if held.is_some() && held != deploy.held.as_ref() {
                return Next::Write(Box::new(DeployWrite {
                    held: Some(held.cloned()),
                    ..DeployWrite::default()
                }));
            }
            let next = match deploy.state {
                DeployState::Queued => queued(deploy, seen, now),
                _ if seen.artifact || deploy.manifest.is_some() => {
                    // Whose turn it is at once waits in no queue.
                    match queued(deploy, seen, now) {
                        Next::Write(write) if write.state.is_some() => Next::Write(write),
                        _ => enter(DeployState::Queued, "the artifact is there"),
                    }
                }
                DeployState::Pending => Next::RequestBuild,
                _ => building(deploy, seen),
            };
            if held.is_none() && deploy.held.is_some() {
                let_go(next)
            } else {
                next
            }
        }
        DeployState::Canary => canary::next(deploy, seen, now),
        DeployState::Applying => waves::within(deploy, now, |deploy| applying(deploy, seen, now)),
        DeployState::RollingOut => {
            waves::within(deploy, now, |deploy| rolling_out(deploy, seen, now))
        }
        DeployState::Verifying => waves::within(deploy, now, |deploy| verifying(deploy, seen, now)),
        DeployState::Succeeded
        | DeployState::Failed
        | DeployState::Canceled
        | DeployState::Superseded => Next::Wait,
    }
}

/// The same of a deploy that no rule holds any more, though it goes on waiting: it ceases to say so.
fn let_go(next: Next) -> Next {
    let mut write = match next {
        Next::Write(write) => write,
        Next::Wait => Box::default(),
        other => return other,
    };
    write.held = Some(None);
    Next::Write(write)
}

fn building(deploy: &DeployRecord, seen: &Seen) -> Next {
    let Some(build) = &seen.build else {
        return Next::RequestBuild;
    };
    let id = build.id;
    match build.state {
        BuildState::Failed => {
            let error = build.error.as_deref().unwrap_or("it did not say why");
            let hint = build
                .hint
                .clone()
                .unwrap_or_else(|| format!("read the log: hermez build log {id}"));
            fail(
                "build",
                &format!("build {id} failed: {error}"),
                Some(hint),
                None,
            )
        }
        BuildState::Canceled => {
            let hint = format!(
                "build again: hermez build start {} --workload {} --retry",
                deploy.commit, deploy.workload
            );
            fail(
                "build",
                &format!("build {id} was canceled"),
                Some(hint),
                None,
            )
        }
        BuildState::Queued if build.message.is_empty() => {
            say(deploy, &format!("build {id} waits for a free place"))
        }
        BuildState::Queued => say(deploy, &format!("build {id} waits: {}", build.message)),
        BuildState::Running => say(deploy, &format!("build {id} runs")),
        // Its artifact's row is written in the same transaction; the next look sees it.
        BuildState::Succeeded => Next::Wait,
    }
}

fn queued(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if let Some(busy) = seen.lane.busy {
        return say(deploy, &format!("waits for deploy {busy} to end"));
    }
    if let Some(by) = &deploy.paused_by {
        return say(deploy, &format!("{by} paused it before it began"));
    }
    // It would bring back what that one has replaced.
    if let Some(other) = seen.replaced_by {
        return end(
            DeployState::Superseded,
            &format!("deploy {other} has made the pods anew since it was asked for"),
        );
    }
    // What runs is no worse for being restarted; all else was perhaps marked after it was asked for.
    if let Some(bad) = &seen.bad
        && deploy.override_reason.is_none()
        && deploy.kind != DeployKind::Restart
    {
        let hint = "deploy another commit, or say why this one is right: --override-bad REASON";
        let message = bad_message(bad, now);
        return fail("bad_artifact", &message, Some(hint.to_owned()), None);
    }
    if let Some(waits) = &seen.waits {
        return say(deploy, &waits.held.message);
    }
    let has_canary = seen
        .plan
        .as_ref()
        .is_some_and(|plan| !plan.canary.is_empty());
    let (state, message) = if has_canary {
        (DeployState::Canary, "begins with a canary")
    } else {
        (DeployState::Applying, "writing to the cluster")
    };
    Next::Write(Box::new(DeployWrite {
        state: Some(state),
        message: Some(message.to_owned()),
        deadline_at: Some(Some(now + APPLY_WITHIN)),
        plan: seen.plan.clone(),
        ..DeployWrite::default()
    }))
}

/// The cluster, by its name where there are several.
fn the_cluster(seen: &Seen) -> String {
    match &seen.away {
        Some(name) => format!("the cluster {name}"),
        None => "the cluster".to_owned(),
    }
}

fn applying(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    // What takes trouble away is brought to all that answer, and then waits for the others.
    let is_of_use = waves::is_remedy(deploy) && seen.answering > 0;
    if seen.connected || (is_of_use && !is_past(deploy, now)) {
        return Next::Apply;
    }
    if is_past(deploy, now) {
        let hint = Some("deploy again when the cluster answers".to_owned());
        // What it was asked to write before it ceased to answer, it may have written.
        let changed = if deploy.retries > 0 {
            "whether anything was changed in it is not known"
        } else {
            "nothing was changed in it"
        };
        let message = format!("{} did not answer in time; {changed}", the_cluster(seen));
        return fail("cluster", &message, hint, None);
    }
    let message = format!("waits for {}, which does not answer", the_cluster(seen));
    say(deploy, &message)
}

/// What a deploy does whose cluster does not answer.
pub(crate) fn away(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if deploy
        .deadline_at
        .is_some_and(|deadline| now >= deadline + AWAY_LIMIT)
    {
        let hint =
            Some("look at the pods when the cluster answers again: hermez status".to_owned());
        let message = format!(
            "{} has not answered for too long to tell how the rollout went",
            the_cluster(seen)
        );
        return fail("cluster", &message, hint, None);
    }
    // Pods go on without us; judging from what was seen last would be guessing.
    let message = format!(
        "waits for {}, which does not answer; the pods go on by themselves",
        the_cluster(seen)
    );
    say(deploy, &message)
}

/// What a deploy does while somebody has paused its judging: nobody looks, so it is judged anew when
/// it goes on.
pub(crate) fn held(deploy: &DeployRecord, message: &str) -> Next {
    if deploy.verify_until.is_none() && deploy.deadline_at.is_none() {
        return say(deploy, message);
    }
    Next::Write(Box::new(DeployWrite {
        message: Some(message.to_owned()),
        note: true,
        verify_until: Some(None),
        deadline_at: Some(None),
        retries: Some(0),
        ..DeployWrite::default()
    }))
}

fn verifying(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if !seen.connected {
        if deploy.verify_until.is_some_and(|until| now >= until) {
            // Its time is over, and nobody saw how it went: it is verified anew.
            return Next::Write(Box::new(DeployWrite {
                verify_until: Some(None),
                ..DeployWrite::default()
            }));
        }
        return away(deploy, seen, now);
    }
    if let Some(by) = &deploy.paused_by {
        return held(deploy, &format!("held: {by} paused it"));
    }
    let rollout = seen.rollout.as_ref();
    match decide::verify(deploy, rollout, &seen.measured, now) {
        Some(write) => Next::Write(Box::new(write)),
        None => Next::Wait,
    }
}

fn rolling_out(deploy: &DeployRecord, seen: &Seen, now: Timestamp) -> Next {
    if !seen.connected {
        return away(deploy, seen, now);
    }
    if deploy.paused_by.is_some() != deploy.applied_paused {
        return Next::Apply;
    }
    match &seen.rollout {
        // Nobody is to blame for how long it is held, and it ends when it is let go on.
        Some(Rollout::Progressing { .. } | Rollout::Waiting { .. } | Rollout::Complete { .. })
        | None
            if deploy.applied_paused =>
        {
            let by = deploy.paused_by.as_deref().unwrap_or("somebody");
            say(deploy, &format!("held: {by} paused it"))
        }
        Some(Rollout::Complete { ready, desired })
            if let Some(write) = decide::begin(deploy, *ready, *desired, now) =>
        {
            Next::Write(Box::new(write))
        }
        Some(Rollout::Complete { ready, desired }) => Next::Write(Box::new(DeployWrite {
            state: Some(DeployState::Succeeded),
            message: Some(match desired {
                0 => "deployed with no pods, as asked".to_owned(),
                1 => "the pod runs the new version".to_owned(),
                _ => format!("all {desired} pods run the new version"),
            }),
            pods: Some((*ready, *desired)),
            deadline_at: Some(None),
            ..DeployWrite::default()
        })),
        Some(Rollout::Failed {
            cause,
            ready,
            desired,
            message,
            hint,
        }) => fail(
            cause.as_str(),
            message,
            hint.clone(),
            Some((*ready, *desired)),
        ),
        _ if is_past(deploy, now) => {
            let (cause, why, hint) = match &seen.late {
                Some(late) => (late.cause, late.message.as_str(), late.hint.clone()),
                None => (FailureCause::Deadline, deploy.message.as_str(), None),
            };
            let message = format!("not finished in time: {why}");
            let look = || Some("look at the pods and their events: hermez status".to_owned());
            fail(cause.as_str(), &message, hint.or_else(look), None)
        }
        Some(Rollout::Progressing {
            ready,
            desired,
            message,
        }) => {
            let pods = Some((*ready, *desired));
            let same = deploy.message == *message
                && pods == Some((deploy.pods_ready, deploy.pods_desired));
            if same {
                return Next::Wait;
            }
            let message = Some(message.clone());
            Next::Write(Box::new(DeployWrite {
                message,
                pods,
                note: true,
                ..DeployWrite::default()
            }))
        }
        Some(Rollout::Waiting { message }) => say(deploy, message),
        None => Next::Wait,
    }
}

/// What to write when the manifest has been written to the cluster. A rollout that is held has no
/// deadline; it gets a new one when it goes on.
pub fn applied(
    deploy: &DeployRecord,
    applied: Applied,
    progress_deadline_seconds: u32,
    now: Timestamp,
) -> DeployWrite {
    let deadline = now + SignedDuration::from_secs(i64::from(progress_deadline_seconds)) + SLACK;
    let message = if applied.paused {
        "written to the cluster; the rollout is held"
    } else {
        "written to the cluster; pods change"
    };
    DeployWrite {
        state: Some(DeployState::RollingOut),
        message: Some(waves::said(deploy, message)),
        note: true,
        deadline_at: Some((!applied.paused).then_some(deadline)),
        retries: Some(0),
        applied: Some(applied),
        ..DeployWrite::default()
    }
}

/// What to write when the manifest could not be written, and when to try again (if at all).
///
/// `cause` is a stable word (`registry`, `cluster`, `admission`), `transient` says whether trying
/// again may help.
pub fn apply_failed(
    deploy: &DeployRecord,
    cause: &str,
    message: &str,
    hint: Option<String>,
    transient: bool,
    now: Timestamp,
) -> (DeployWrite, Option<SignedDuration>) {
    if !transient || is_past(deploy, now) {
        let failed = waves::within(deploy, now, |_| fail(cause, message, hint, None));
        let Next::Write(write) = failed else {
            unreachable!("fail always writes")
        };
        return (*write, None);
    }
    let wait = SignedDuration::from_secs(1 << deploy.retries.clamp(0, 5));
    let write = DeployWrite {
        message: Some(waves::said(deploy, &format!("{message}; trying again"))),
        note: deploy.retries == 0,
        retries: Some(deploy.retries + 1),
        ..DeployWrite::default()
    };
    (write, Some(wait))
}

/// Whether its deadline has passed.
pub(crate) fn is_past(deploy: &DeployRecord, now: Timestamp) -> bool {
    deploy.deadline_at.is_some_and(|deadline| now >= deadline)
}

fn enter(state: DeployState, message: &str) -> Next {
    let message = Some(message.to_owned());
    Next::Write(Box::new(DeployWrite {
        state: Some(state),
        message,
        ..DeployWrite::default()
    }))
}

/// Says what happens, once.
pub(crate) fn say(deploy: &DeployRecord, message: &str) -> Next {
    if deploy.message == message {
        return Next::Wait;
    }
    let message = Some(message.to_owned());
    Next::Write(Box::new(DeployWrite {
        message,
        note: true,
        ..DeployWrite::default()
    }))
}

fn end(state: DeployState, message: &str) -> Next {
    let message = Some(message.to_owned());
    Next::Write(Box::new(DeployWrite {
        state: Some(state),
        message,
        deadline_at: Some(None),
        ..DeployWrite::default()
    }))
}

pub(crate) fn fail(
    cause: &str,
    message: &str,
    hint: Option<String>,
    pods: Option<(i32, i32)>,
) -> Next {
    Next::Write(Box::new(DeployWrite {
        state: Some(DeployState::Failed),
        message: Some(message.to_owned()),
        failure_cause: Some(cause.to_owned()),
        hint,
        pods,
        deadline_at: Some(None),
        ..DeployWrite::default()
    }))
}

#[cfg(test)]
pub(crate) mod tests;
