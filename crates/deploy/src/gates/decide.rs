//! Whether a new version passes its gates. Pure.
//!
//! A check is asked again and again after all pods are ready. The first wrong value fails the
//! deploy; what cannot be measured is waited for, as long as [`PATIENCE`] allows. It has passed when
//! the time is over and the newest values, measured after that, are right.

use std::collections::BTreeMap;

use hermez_api::{Comparison, DeployState, HealthGates, MetricCheck};
use hermez_cluster::Rollout;
use hermez_store::{DeployRecord, DeployWrite};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::prometheus::QueryError;
use crate::strategy::waves::bake_seconds;

/// How much longer than its gates ask for a deploy may be verified.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
/// A stable word for why a deploy failed.
pub const CAUSE: &str = "health_gate";

/// What is said of a check that has no value now.
pub(crate) const UNMEASURED: &str = "cannot be measured";

/// The gates of one deploy, kept before the cluster is changed: what was set then, and how the old
/// version did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// What was set.
    pub gates: HealthGates,
    /// Restarts of the pods that were there, each by what tells it from all others.
    #[serde(default)]
    pub restarts: BTreeMap<String, i32>,
    /// What the queries of relative checks gave before, by the check's name, or why nothing.
    #[serde(default)]
    pub old: BTreeMap<String, Result<f64, String>>,
}

/// What was measured of a new version.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// Restarts of the new version's pods, each by what tells it from all others.
    pub restarts: BTreeMap<String, i32>,
    /// What the checks' queries gave last, by the check's name, and when.
    pub values: BTreeMap<String, (Timestamp, Result<f64, String>)>,
    /// What the queries of relative checks gave at the same moment for the old version's pods, while
    /// a canary is tried beside them; of checks that speak of pods.
    pub beside: BTreeMap<String, Result<f64, QueryError>>,
}

impl Gate {
    /// The gate that a deploy keeps, with the bake time of its wave.
    pub fn read(deploy: &DeployRecord) -> Option<Gate> {
        let kept = deploy.gate.as_deref();
        let kept: Option<Gate> = kept.and_then(|text| serde_json::from_str(text).ok());
        let bake = match deploy.state {
            DeployState::Canary => 0,
            _ => bake_seconds(deploy),
        };
        if bake == 0 {
            return kept;
        }
        let mut gate = kept.unwrap_or_default();
        gate.gates.ready_seconds = gate.gates.ready_seconds.max(bake);
        Some(gate)
    }

    /// How long the new version is looked at after all its pods are ready.
    pub fn lasts(&self) -> SignedDuration {
        let checks = self.gates.checks.iter().map(|check| check.for_seconds);
        let longest = checks.max().unwrap_or(0).max(self.gates.ready_seconds);
        SignedDuration::from_secs(i64::from(longest))
    }

    /// Whether there is anything to look at.
    pub fn is_open(&self) -> bool {
        self.lasts().is_zero() && self.gates.checks.is_empty() && self.gates.max_restarts.is_none()
    }

    /// Restarts since the deploy began.
    fn restarts_since(&self, now: &BTreeMap<String, i32>) -> i64 {
        let since = now.iter().map(|(pod, count)| {
            let before = self.restarts.get(pod).copied().unwrap_or(0);
            i64::from((count - before).max(0))
        });
        since.sum()
    }
}

/// A number as people write it.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "0" && value != 0.0 || value.abs() >= 1e15 {
        return format!("{value:e}");
    }
    text.to_owned()
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::More => ">",
        Comparison::AtLeast => ">=",
    }
}

fn holds(value: f64, comparison: Comparison, limit: f64) -> bool {
    match comparison {
        Comparison::Less => value < limit,
        Comparison::AtMost => value <= limit,
        Comparison::More => value > limit,
        Comparison::AtLeast => value >= limit,
    }
}

/// That the old version has no value for a check, where it has none.
fn without_old(why: Option<&str>) -> String {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("it has no value of the old version to compare with{why}")
}

/// What a value is to be compared with, and how that is said.
fn limit(check: &MetricCheck, gate: &Gate, measured: &Measured) -> Result<(f64, String), String> {
    if let Some(threshold) = check.threshold {
        return Ok((threshold, number(threshold)));
    }
    let (old, when) = match measured.beside.get(&check.name) {
        Some(Ok(old)) => (*old, "that the old version has now"),
        Some(Err(why)) => return Err(without_old(Some(&why.to_string()))),
        None => match gate.old.get(&check.name) {
            Some(Ok(old)) => (*old, "before"),
            Some(Err(why)) => return Err(without_old(Some(why))),
            None => return Err(without_old(None)),
        },
    };
    let percent = check.relative_to_old_percent.unwrap_or(100.0);
    let limit = old * percent / 100.0;
    let (percent, old) = (number(percent), number(old));
    let said = format!("{} ({percent} % of the {old} {when})", number(limit));
    Ok((limit, said))
}

/// How a check does.
enum Checked {
    /// Right, said with its value.
    Right(String),
    /// Wrong, said with its value.
    Wrong(String),
    /// Not known, and why.
    Unknown(String),
    /// There is nothing to compare with, and why.
    LeftOut(String),
}

fn check(check: &MetricCheck, gate: &Gate, measured: &Measured, from: Timestamp) -> Checked {
    let name = &check.name;
    let unknown = |why: &str| Checked::Unknown(format!("check {name} {UNMEASURED}: {why}"));
    if let Some(Err(why @ QueryError::Away(_))) = measured.beside.get(name) {
        // What was not answered may still be.
        return unknown(&why.to_string());
    }
    let (limit, said) = match limit(check, gate, measured) {
        Ok(limit) => limit,
        Err(why) => return Checked::LeftOut(format!("check {name} was left out: {why}")),
    };
    match measured.values.get(name) {
        Some((_, Ok(value))) if !holds(*value, check.comparison, limit) => Checked::Wrong(format!(
            "check {name} failed: {} is not {} {said}",
            number(*value),
            sign(check.comparison)
        )),
        Some((at, Ok(value))) if *at >= from => Checked::Right(format!(
            "{name} {} {} {said}",
            number(*value),
            sign(check.comparison)
        )),
        Some((_, Err(why))) => unknown(why),
        _ => unknown("there is no answer yet"),
    }
}

/// What to do about pods that restart.
const RESTARTS_HINT: &str = "read why they ended: hermez logs --previous";

/// How a version does that has all its pods.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What is wrong, and what to do about it.
    pub wrong: Option<(String, &'static str)>,
    /// What is not known, the first of it.
    pub unknown: Option<String>,
    /// What is right.
    pub right: Vec<String>,
    /// What was left out, because there is nothing to compare with.
    pub left_out: Vec<String>,
}

/// How a version does by its restarts and its metrics, of which those measured from `from` on count.
pub(crate) fn judge(gate: &Gate, measured: &Measured, from: Timestamp) -> Judged {
    let mut judged = Judged::default();
    if let Some(message) = too_many_restarts(gate, measured) {
        judged.wrong = Some((message, RESTARTS_HINT));
        return judged;
    }
    for it in &gate.gates.checks {
        match check(it, gate, measured, from) {
            Checked::Wrong(message) => {
                judged.wrong = Some((message, "look at what the check's query measures"));
                return judged;
            }
            Checked::Right(said) => judged.right.push(said),
            Checked::LeftOut(said) => judged.left_out.push(said),
            Checked::Unknown(said) => judged.unknown = judged.unknown.or(Some(said)),
        }
    }
    judged
}

/// That containers restarted too often, where they did.
fn too_many_restarts(gate: &Gate, measured: &Measured) -> Option<String> {
    let most = gate.gates.max_restarts?;
    let restarts = gate.restarts_since(&measured.restarts);
    let times = match restarts {
        1 => "once".to_owned(),
        _ => format!("{restarts} times"),
    };
    (restarts > i64::from(most)).then(|| {
        format!(
            "the new version's containers restarted {times} since the deploy began; at most {most} is allowed"
        )
    })
}

fn write(message: String) -> DeployWrite {
    DeployWrite {
        message: Some(message),
        note: true,
        ..DeployWrite::default()
    }
}

fn fail(message: String, hint: &str, pods: (i32, i32)) -> DeployWrite {
    DeployWrite {
        state: Some(DeployState::Failed),
        failure_cause: Some(CAUSE.to_owned()),
        hint: Some(hint.to_owned()),
        pods: Some(pods),
        deadline_at: Some(None),
        verify_until: Some(None),
        ..write(message)
    }
}

/// How all of a version's pods are called.
fn pods(desired: i32) -> String {
    match desired {
        1 => "the pod runs the new version".to_owned(),
        _ => format!("all {desired} pods run the new version"),
    }
}

/// What to write when all pods are ready: that it is verified now, or nothing when the deploy has no
/// gates.
pub fn begin(
    deploy: &DeployRecord,
    ready: i32,
    desired: i32,
    now: Timestamp,
) -> Option<DeployWrite> {
    let gate = Gate::read(deploy).filter(|gate| !gate.is_open() && desired > 0)?;
    let until = now + gate.lasts();
    Some(DeployWrite {
        state: Some(DeployState::Verifying),
        pods: Some((ready, desired)),
        verify_until: Some(Some(until)),
        deadline_at: Some(Some(until + PATIENCE)),
        ..write(format!("{}; {}", pods(desired), looks(&gate)))
    })
}

/// What it is looked at for.
fn looks(gate: &Gate) -> String {
    let mut parts = Vec::new();
    if gate.gates.ready_seconds > 0 {
        let seconds = gate.gates.ready_seconds;
        parts.push(format!("they must stay ready for {seconds} s"));
    }
    let names: Vec<&str> = gate
        .gates
        .checks
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    if !names.is_empty() {
        parts.push(format!("checks: {}", names.join(", ")));
    }
    let nothing = Measured::default();
    for check in &gate.gates.checks {
        if let Err(why) = limit(check, gate, &nothing) {
            parts.push(format!("check {} is left out: {why}", check.name));
        }
    }
    if parts.is_empty() {
        parts.push("their restarts are counted".to_owned());
    }
    parts.join("; ")
}

/// What a deploy that is verified does next; nothing until something changes.
pub fn verify(
    deploy: &DeployRecord,
    rollout: Option<&Rollout>,
    measured: &Measured,
    now: Timestamp,
) -> Option<DeployWrite> {
    let gate = Gate::read(deploy).unwrap_or_default();
    let is_late = deploy.deadline_at.is_some_and(|deadline| now >= deadline);
    let known = (deploy.pods_ready, deploy.pods_desired);
    let (ready, desired) = match rollout {
        Some(Rollout::Failed {
            cause,
            ready,
            desired,
            message,
            hint,
        }) => {
            return Some(DeployWrite {
                failure_cause: Some(cause.as_str().to_owned()),
                hint: hint.clone(),
                ..fail(message.clone(), "", (*ready, *desired))
            });
        }
        Some(Rollout::Complete { ready, desired }) => (*ready, *desired),
        Some(Rollout::Progressing {
            ready,
            desired,
            message,
        }) => return unready(deploy, &gate, (*ready, *desired), message, is_late),
        Some(Rollout::Waiting { message }) => {
            return unready(deploy, &gate, known, message, is_late);
        }
        None => return None,
    };
    let pods_now = (ready, desired);
    if let Some(message) = too_many_restarts(&gate, measured) {
        return Some(fail(message, RESTARTS_HINT, pods_now));
    }
    let Some(until) = deploy.verify_until else {
        let until = now + gate.lasts();
        return Some(DeployWrite {
            pods: Some(pods_now),
            verify_until: Some(Some(until)),
            // One that was held has none, and one that nobody saw has missed it: it gets a new one.
            deadline_at: (deploy.deadline_at.is_none() || is_late)
                .then_some(Some(until + PATIENCE)),
            ..write(format!("{} again; {}", pods(desired), looks(&gate)))
        });
    };
    let Judged {
        wrong,
        unknown,
        mut right,
        left_out,
    } = judge(&gate, measured, until);
    if let Some((message, hint)) = wrong {
        // All pods run it already.
        let hint = format!("{hint}, or bring back what ran: hermez rollback");
        return Some(fail(message, &hint, pods_now));
    }
    if now < until {
        return None;
    }
    if let Some(first) = unknown {
        if is_late && now >= until + PATIENCE {
            let hint = "look at the query and at the server's --prometheus-url";
            return Some(fail(first, hint, pods_now));
        }
        return (deploy.message != first).then(|| write(first));
    }
    if gate.gates.ready_seconds > 0 {
        let seconds = gate.gates.ready_seconds;
        right.insert(0, format!("ready for {seconds} s"));
    }
    right.insert(0, pods(desired));
    right.extend(left_out);
    Some(DeployWrite {
        state: Some(DeployState::Succeeded),
        pods: Some(pods_now),
        deadline_at: Some(None),
        verify_until: Some(None),
        ..write(right.join("; "))
    })
}

/// A pod is no longer ready: the time begins anew when all are.
fn unready(
    deploy: &DeployRecord,
    gate: &Gate,
    pods: (i32, i32),
    message: &str,
    is_late: bool,
) -> Option<DeployWrite> {
    if is_late {
        let seconds = gate.gates.ready_seconds;
        let message = format!("the pods did not stay ready for {seconds} s together: {message}");
        let hint = "look at the pods and their events: hermez status";
        return Some(fail(message, hint, pods));
    }
    let said = match pods {
        (ready, desired) if ready >= desired => format!("pods are replaced: {message}"),
        _ => format!("not all pods are ready any more: {message}"),
    };
    (deploy.verify_until.is_some() || deploy.message != said).then(|| DeployWrite {
        pods: Some(pods),
        verify_until: Some(None),
        ..write(said)
    })
}

#[cfg(test)]
mod tests;
