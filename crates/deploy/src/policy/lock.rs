//! Locks: only one person deploys a workload. The rollback of a deploy that failed by itself passes:
//! it takes back what the lock's owner, or somebody before, had brought out.

use hermez_api::{DeployKind, Hold, HoldingRule, RuleScope, WorkloadLock};
use jiff::Timestamp;

use super::{Wanted, shown};
use crate::gates::AUTOMATIC;

/// Whether a lock is still on.
pub fn is_on(lock: &WorkloadLock, now: Timestamp) -> bool {
    lock.until.is_none_or(|until| now < until)
}

/// What a lock says to others, in one sentence.
pub fn message(lock: &WorkloadLock) -> String {
    let until = lock.until.map(|until| format!(" until {}", shown(until)));
    format!(
        "locked by {} since {}{}: {}",
        lock.by,
        shown(lock.at),
        until.unwrap_or_default(),
        lock.reason
    )
}

/// What others can do about a lock.
pub fn hint(lock: &WorkloadLock, workload: &str) -> String {
    format!(
        "ask {}, or take the lock off, which is on record: hermez unlock {workload} --break",
        lock.by
    )
}

/// The hold of a lock: on everything that others ask for.
pub fn hold(wanted: &Wanted<'_>, lock: Option<&WorkloadLock>, now: Timestamp) -> Option<Hold> {
    if wanted.kind == DeployKind::Rollback && wanted.by == AUTOMATIC {
        return None;
    }
    let lock = lock.filter(|lock| is_on(lock, now) && lock.by != wanted.by)?;
    Some(Hold {
        rule: HoldingRule::Lock,
        scope: RuleScope::Workload,
        message: message(lock),
        hint: Some(hint(lock, wanted.workload)),
        allowed_at: lock.until,
    })
}
