//! A deploy on its way through several clusters. Pure.
//!
//! A wave is rolled out and verified like a deploy of one cluster; its bake time is how long its pods
//! must stay ready. Only then does the next wave begin. One that fails ends the deploy: what comes
//! after it is never reached, and whether what came before is rolled back is the workload's word
//! (`auto_rollback` of its health gates).

use std::collections::BTreeSet;

use hermez_api::{DeployKind, DeployPlan, DeployState, RolloutStrategy, Wave};
use hermez_cluster::Rollout;
use hermez_kinds::Kind;
use hermez_store::{DeployRecord, DeployWrite};
use jiff::Timestamp;

use crate::state::{APPLY_WITHIN, Next};

/// Whether a deploy takes trouble away: it is not to wait.
pub(crate) fn is_remedy(deploy: &DeployRecord) -> bool {
    matches!(deploy.kind, DeployKind::Rollback | DeployKind::Restart)
}

/// The way of a deploy that begins now, by what is set for its workload; nothing where it has no
/// detours. `runs_in` says of a cluster whether something of the workload is there, or may be.
pub fn plan(
    strategy: &RolloutStrategy,
    deploy: &DeployRecord,
    kind: Kind,
    runs_in: impl Fn(&str) -> bool,
) -> Option<DeployPlan> {
    if deploy.pull_request.is_some() || deploy.instance != deploy.workload {
        return None;
    }
    // What takes trouble away reaches at once all that the trouble has reached.
    let is_remedy = is_remedy(deploy);
    let waves = if is_remedy {
        let all = strategy.waves.iter().flat_map(|wave| &wave.clusters);
        let there: BTreeSet<&String> = all.filter(|name| runs_in(name)).collect();
        let clusters: Vec<String> = there.into_iter().cloned().collect();
        let wave = Wave {
            clusters,
            bake_seconds: 0,
        };
        Some(wave)
            .filter(|it| !it.clusters.is_empty())
            .into_iter()
            .collect()
    } else {
        strategy.waves.clone()
    };
    let canary = if is_remedy || !hermez_kinds::canary::is_possible(kind) {
        Vec::new()
    } else {
        strategy.canary.clone()
    };
    (!waves.is_empty() || !canary.is_empty()).then(|| DeployPlan {
        canary,
        waves,
        ..DeployPlan::default()
    })
}

/// The wave that goes on.
pub fn wave(deploy: &DeployRecord) -> Option<&Wave> {
    let plan = deploy.plan.as_ref()?;
    plan.waves.get(plan.wave)
}

/// Seconds for which the pods of the wave that goes on must stay ready.
pub fn bake_seconds(deploy: &DeployRecord) -> u32 {
    wave(deploy).map_or(0, |wave| wave.bake_seconds)
}

/// The way of a deploy that is at one of several waves, and what stands before all that is said of it.
fn several(deploy: &DeployRecord) -> Option<(&DeployPlan, String)> {
    // A canary comes before all waves.
    let is_canary = deploy.state == DeployState::Canary;
    let plan = deploy.plan.as_ref().filter(|_| !is_canary)?;
    let wave = plan.waves.get(plan.wave)?;
    let (clusters, count) = (wave.clusters.join(", "), plan.waves.len());
    let prefix = format!("wave {} of {count} ({clusters}): ", plan.wave + 1);
    (count > 1).then_some((plan, prefix))
}

/// A message of the wave that goes on.
pub(crate) fn said(deploy: &DeployRecord, message: &str) -> String {
    let prefix = several(deploy).map(|(_, prefix)| prefix);
    format!("{}{message}", prefix.unwrap_or_default())
}

/// What a deploy does next that is at one of several waves: what a deploy of that wave alone would,
/// but for its end.
pub(crate) fn within(
    deploy: &DeployRecord,
    now: Timestamp,
    decide: impl FnOnce(&DeployRecord) -> Next,
) -> Next {
    let Some((plan, prefix)) = several(deploy) else {
        return decide(deploy);
    };
    let message = deploy
        .message
        .strip_prefix(&prefix)
        .unwrap_or(&deploy.message);
    let alone = DeployRecord {
        message: message.to_owned(),
        ..deploy.clone()
    };
    let mut write = match decide(&alone) {
        Next::Write(write) => write,
        other => return other,
    };
    let message = write
        .message
        .take()
        .map(|message| format!("{prefix}{message}"));
    let is_last = plan.wave + 1 >= plan.waves.len();
    match write.state {
        Some(DeployState::Succeeded) if !is_last => {
            let next = DeployPlan {
                wave: plan.wave + 1,
                ..plan.clone()
            };
            let clusters = next.waves[next.wave].clusters.join(", ");
            let message = message.map(|message| format!("{message}; next: {clusters}"));
            Next::Write(Box::new(DeployWrite {
                state: Some(DeployState::Applying),
                message,
                pods: write.pods,
                deadline_at: Some(Some(now + APPLY_WITHIN)),
                verify_until: Some(None),
                retries: Some(0),
                plan: Some(next),
                ..DeployWrite::default()
            }))
        }
        Some(DeployState::Succeeded) => {
            let count = plan.waves.len();
            write.message = Some(format!("all {count} waves run the new version"));
            Next::Write(write)
        }
        Some(DeployState::Failed | DeployState::Canceled) if !is_last => {
            let left: Vec<&str> = plan.waves[plan.wave + 1..]
                .iter()
                .flat_map(|wave| wave.clusters.iter().map(String::as_str))
                .collect();
            let left = left.join(", ");
            write.message = message.map(|message| format!("{message}; {left} not reached"));
            Next::Write(write)
        }
        _ => {
            write.message = message;
            Next::Write(write)
        }
    }
}

/// How far the clusters of a wave are together, each by its name; the name is left out where there is
/// one alone.
pub(crate) fn together(clusters: Vec<(String, Rollout)>) -> Option<Rollout> {
    if clusters.len() <= 1 {
        return clusters.into_iter().next().map(|(_, rollout)| rollout);
    }
    let sums = clusters.iter().fold((0, 0), |sums, (_, rollout)| {
        let (ready, desired) = counts(rollout);
        (sums.0 + ready, sums.1 + desired)
    });
    let (ready, desired) = sums;
    let mut says = None;
    for (name, rollout) in clusters {
        match rollout {
            Rollout::Failed {
                cause,
                message,
                hint,
                ..
            } => {
                let message = format!("{name}: {message}");
                return Some(Rollout::Failed {
                    cause,
                    ready,
                    desired,
                    message,
                    hint,
                });
            }
            Rollout::Progressing { message, .. } | Rollout::Waiting { message } => {
                says.get_or_insert(format!("{name}: {message}"));
            }
            Rollout::Complete { .. } => {}
        }
    }
    Some(match says {
        None => Rollout::Complete { ready, desired },
        Some(message) => Rollout::Progressing {
            ready,
            desired,
            message,
        },
    })
}

fn counts(rollout: &Rollout) -> (i32, i32) {
    match rollout {
        Rollout::Waiting { .. } => (0, 0),
        Rollout::Progressing { ready, desired, .. }
        | Rollout::Complete { ready, desired }
        | Rollout::Failed { ready, desired, .. } => (*ready, *desired),
    }
}

#[cfg(test)]
mod tests;
