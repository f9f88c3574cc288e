//! Health gates: what must be true of a new version before its deploy has succeeded, and the
//! rollback of one that fails.
//!
//! Whether a version passes is decided in [`decide`], by what the meter measures: restarts from the
//! cluster's watches, metrics from Prometheus.

pub mod decide;
mod meter;
pub mod prometheus;
mod query;

use std::collections::BTreeMap;

use hermez_access::{Action, GateError, Principal, Target};
use hermez_api::{DeployKind, DeployState, HealthGates, PodStatus, WorkloadGates};
use hermez_cluster::WorkloadKey;
use hermez_kinds::Kind;
use hermez_store::{
    Aftermath, DeployRecord, DeployWrite, FailedRollback, Lease, NewDeploy, StoreError,
    WorkloadRecord,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::drive::NotApplied;
use crate::requests::invalid;
use crate::strategy::waves::is_remedy;
use crate::{Road, RoadError};
use decide::Gate;
pub(crate) use meter::Meter;
use meter::{about, pods, restarts, values};
use prometheus::QueryError;
use query::About;

/// Who asks for the rollbacks of failed deploys.
pub const AUTOMATIC: &str = "hermez";
/// Seconds that pods must stay ready where no probe says that they are: a container that has only
/// been started counts as ready, and one that cannot work ends in its first seconds.
pub const WITHOUT_PROBE_SECONDS: u32 = 5;
/// Most checks of a workload.
const CHECKS_MAX: usize = 10;
/// Most seconds of a gate.
const SECONDS_MAX: u32 = 3_600;
/// Most characters of a check's name.
const NAME_MAX: usize = 60;
/// Most characters of a query.
const QUERY_MAX: usize = 2_000;

/// Whether a container of the manifest has no readiness probe.
fn lacks_a_probe(manifest: &Value) -> bool {
    let containers = manifest.pointer("/spec/template/spec/containers");
    let containers = containers.and_then(Value::as_array);
    containers.is_some_and(|all| all.iter().any(|it| it.get("readinessProbe").is_none()))
}

/// What holds without being set.
fn default_gates(manifest: Option<&Value>) -> HealthGates {
    HealthGates {
        ready_seconds: if manifest.is_none_or(lacks_a_probe) {
            WITHOUT_PROBE_SECONDS
        } else {
            0
        },
        ..HealthGates::default()
    }
}

/// Whether pods of this kind are there to stay.
fn stays(kind: &str) -> bool {
    matches!(
        Kind::from_spelling(kind),
        Some(Kind::Service | Kind::StatefulSet)
    )
}

/// Whether a deploy brings something new to the workload's own instance.
fn brings_new(deploy: &DeployRecord) -> bool {
    !is_remedy(deploy) && deploy.instance == deploy.workload
}

/// What the queries gave for the old version, or why nothing: that is kept, but for a Prometheus that
/// does not answer. It is waited for, before anything is changed, or what is asked for would be
/// compared with nothing.
fn of_old(
    values: BTreeMap<String, (Timestamp, Result<f64, QueryError>)>,
) -> Result<BTreeMap<String, Result<f64, String>>, NotApplied> {
    let kept = values.into_iter().map(|(name, (_, value))| match value {
        Ok(value) => Ok((name, Ok(value))),
        Err(why @ QueryError::Away(_)) => Err(NotApplied {
            cause: decide::CAUSE,
            message: format!("check {name} has no value of the old version to compare with: {why}"),
            hint: Some(
                "look at the server's --prometheus-url, or take the check out: hermez gates set"
                    .to_owned(),
            ),
            transient: true,
        }),
        Err(why) => Ok((name, Err(why.to_string()))),
    });
    kept.collect()
}

/// Keeps the gate of a deploy before it changes the cluster for the first time: what is set, and how
/// the version does that runs now.
pub(crate) async fn prepare(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    workload: Option<&WorkloadRecord>,
    key: &WorkloadKey,
    manifest: &Value,
) -> Result<(), NotApplied> {
    let store = &road.parts().store;
    let Some(workload) = workload.filter(|it| deploy.gate.is_none() && stays(&it.kind)) else {
        return Ok(());
    };
    let (set, clusters) = tokio::try_join!(
        store.gates(workload.id),
        road.clusters_of_workload(workload.id)
    )?;
    let set = set.map(|record| record.gates);
    let mut gates = set.unwrap_or_else(|| default_gates(Some(manifest)));
    if !brings_new(deploy) {
        // The metrics of a version that is brought back are still those of the bad one, and a
        // preview has none of its own.
        gates.checks.clear();
        gates.auto_rollback = false;
    }
    let there = clusters.iter().filter_map(|name| {
        let cluster = road.cluster_called(name).ok()?;
        Some((name.as_str(), pods(&cluster, key, false)))
    });
    let there: Vec<(&str, Vec<PodStatus>)> = there.collect();
    let before = there.iter().flat_map(|(name, old)| restarts(name, old));
    let before: BTreeMap<String, i32> = before.collect();
    let old = {
        let checks = gates.checks.iter();
        let relative = checks.filter(|check| check.relative_to_old_percent.is_some());
        let about = about(key, there.iter().flat_map(|(_, old)| old));
        of_old(values(road, relative, &about).await)?
    };
    let gate = Gate {
        restarts: before,
        old,
        gates,
    };
    if gate.is_open() && !gate.gates.auto_rollback {
        return Ok(());
    }
    let text = serde_json::to_string(&gate).unwrap_or_default();
    let write = DeployWrite {
        gate: Some(text),
        ..DeployWrite::default()
    };
    store.write_deploy(lease, &write, Timestamp::now()).await?;
    Ok(())
}

/// The end of a deploy that failed: where its workload asks for it, the rollback is asked for in the
/// same transaction, so that there is exactly one whatever happens to this process.
pub(crate) async fn write_failure(
    road: &Road,
    lease: Lease,
    deploy: &DeployRecord,
    mut write: DeployWrite,
) -> Result<Option<DeployRecord>, StoreError> {
    let store = &road.parts().store;
    let wants = Gate::read(deploy).is_some_and(|gate| gate.gates.auto_rollback);
    // What has not changed the cluster has nothing to be rolled back; a rollback is never rolled
    // back, or two bad versions would take turns.
    if !wants || deploy.applied_at.is_none() || !brings_new(deploy) {
        return store.write_deploy(lease, &write, Timestamp::now()).await;
    }
    let message = write.message.clone().unwrap_or_default();
    if let Some(next) = next_in_line(road, deploy).await? {
        write.message = Some(format!(
            "{message}; it is not rolled back, because deploy {next} comes next"
        ));
        return store.write_deploy(lease, &write, Timestamp::now()).await;
    }
    let planned = match road.plan_automatic_rollback(deploy, &message).await {
        Ok(planned) => planned,
        Err(error) => {
            write.message = Some(format!("{message}; it is not rolled back: {error}"));
            return store.write_deploy(lease, &write, Timestamp::now()).await;
        }
    };
    let to = planned.new.of.as_ref().map(|(id, _)| *id);
    let said = to.map(|id| format!("{message}; it is rolled back to deploy {id}"));
    write.message = said.or(write.message);
    let detail = json!({ "automatic": true, "failed": deploy.id, "to": to });
    let target = Target::Workload(deploy.workload.clone());
    write.rollback = Some(Box::new(planned));
    let act = store.write_deploy(lease, &write, Timestamp::now());
    let (gate, hermez) = (&road.parts().gate, Principal::system());
    let changed = gate.change(&hermez, Action::DeployRollback, target, detail, act);
    let changed = Box::pin(changed).await;
    match changed {
        Ok(written) => Ok(written),
        Err(GateError::Act(error)) => Err(error),
        Err(GateError::Access(error)) => {
            // It is done; the next look sees what was written.
            tracing::error!(%error, deploy = deploy.id, "an automatic rollback is not in the record");
            store.deploy(deploy.id).await
        }
    }
}

/// Whether a newer deploy begins as soon as this one has ended. One that a rule or a person holds, or
/// has stopped, is not waited for, nor one that is not built: its build may fail.
fn comes_next(newer: &DeployRecord, artifact: bool) -> bool {
    let is_built = artifact || newer.manifest.is_some() || newer.state == DeployState::Queued;
    is_built && newer.held.is_none() && newer.paused_by.is_none() && !newer.cancel_requested
}

/// A newer deploy that comes next: perhaps what mends this one.
async fn next_in_line(road: &Road, deploy: &DeployRecord) -> Result<Option<i64>, StoreError> {
    let store = &road.parts().store;
    let Some(newer) = store.lane_facts(deploy).await?.newer else {
        return Ok(None);
    };
    let Some(newer) = store.deploy(newer).await? else {
        return Ok(None);
    };
    let artifact = store.artifact(newer.workload_id, &newer.commit).await?;
    Ok(comes_next(&newer, artifact.is_some()).then_some(newer.id))
}

fn wrong(field: &'static str, message: impl Into<String>, hint: &'static str) -> RoadError {
    invalid(field, &message.into(), hint)
}

impl Road {
    async fn plan_automatic_rollback(
        &self,
        deploy: &DeployRecord,
        message: &str,
    ) -> Result<FailedRollback, RoadError> {
        let (left, target) = self.rollback_of(&deploy.workload).await?;
        if left.id != deploy.id {
            return Err(RoadError::NotNow {
                message: format!("deploy {} has changed the cluster since", left.id),
                hint: String::new(),
            });
        }
        let why = format!("automatic: deploy {} failed: {message}", deploy.id);
        let why: String = why.chars().take(1000).collect();
        let artifact = self.artifact_of(deploy).await?;
        let new = NewDeploy {
            workload_id: deploy.workload_id,
            instance: deploy.instance.clone(),
            commit: target.commit,
            title: target.title,
            author: target.author,
            requested_by: AUTOMATIC.to_owned(),
            reason: Some(why.clone()),
            kind: DeployKind::Rollback,
            of: Some((target.id, target.manifest.unwrap_or_default())),
            override_reason: None,
        };
        let aftermath = Aftermath {
            bad: artifact.map(|it| it.digests()).unwrap_or_default(),
            left: deploy.clone(),
            reason: why,
        };
        Ok(FailedRollback { new, aftermath })
    }

    /// The health gates of a workload.
    pub async fn gates(&self, workload: &str) -> Result<WorkloadGates, RoadError> {
        let workload = self.workload(workload).await?;
        self.gates_of(&workload).await
    }

    async fn gates_of(&self, workload: &WorkloadRecord) -> Result<WorkloadGates, RoadError> {
        let set = self.parts().store.gates(workload.id).await?;
        let has_prometheus = self.parts().prometheus.is_some();
        Ok(match set {
            Some(record) => WorkloadGates {
                gates: record.gates,
                is_default: false,
                has_prometheus,
                changed_by: Some(record.changed_by),
                changed_at: Some(record.changed_at),
            },
            None => WorkloadGates {
                gates: if stays(&workload.kind) {
                    default_gates(None)
                } else {
                    HealthGates::default()
                },
                is_default: true,
                has_prometheus,
                changed_by: None,
                changed_at: None,
            },
        })
    }

    /// Sets, or takes away, the health gates of a workload.
    pub async fn set_gates(
        &self,
        workload: &str,
        gates: Option<&HealthGates>,
        by: &str,
    ) -> Result<WorkloadGates, RoadError> {
        let workload = self.workload(workload).await?;
        if let Some(gates) = gates {
            self.check_gates(&workload, gates).await?;
        }
        let (store, now) = (&self.parts().store, Timestamp::now());
        store.set_gates(workload.id, gates, by, now).await?;
        self.gates_of(&workload).await
    }

    async fn check_gates(
        &self,
        workload: &WorkloadRecord,
        gates: &HealthGates,
    ) -> Result<(), RoadError> {
        if !stays(&workload.kind) {
            return Err(RoadError::NotNow {
                message: format!("a {} has no pods that stay ready", workload.kind),
                hint: "gates are for PinterestService and PinterestStatefulset".to_owned(),
            });
        }
        check_settings(gates)?;
        if gates.checks.is_empty() {
            return Ok(());
        }
        let Some(prometheus) = &self.parts().prometheus else {
            let hint = "Start the server with --prometheus-url, or leave the checks out";
            let message = "cannot be asked: this server knows no Prometheus";
            return Err(wrong("checks", message, hint));
        };
        // Names for the placeholder: what is filled in later is parsed like these.
        let names = [0, 1].map(|number| format!("{}-{number}", workload.name));
        let about = About {
            namespace: &workload.namespace,
            pods: names.iter().map(String::as_str).collect(),
        };
        for check in &gates.checks {
            let query = query::fill(&check.query, &about);
            let query = query.as_deref().unwrap_or(&check.query);
            if let Err(QueryError::Refused(why)) = prometheus.value(query).await {
                let message = format!(
                    "`{}` has a query that Prometheus refuses: {why}",
                    check.name
                );
                return Err(wrong(
                    "checks",
                    message,
                    "Try the query in Prometheus first",
                ));
            }
        }
        Ok(())
    }
}

/// What is wrong with gates by themselves.
fn check_settings(gates: &HealthGates) -> Result<(), RoadError> {
    let seconds = |field, seconds: u32| {
        if seconds <= SECONDS_MAX {
            return Ok(());
        }
        let message = format!("is {seconds}; 0 to {SECONDS_MAX} are possible");
        Err(wrong(
            field,
            message,
            "A deploy is not over before its gates are",
        ))
    };
    seconds("ready_seconds", gates.ready_seconds)?;
    if gates.checks.len() > CHECKS_MAX {
        let message = format!("has {} checks; at most {CHECKS_MAX}", gates.checks.len());
        return Err(wrong("checks", message, "Join some in one query"));
    }
    for (number, check) in gates.checks.iter().enumerate() {
        seconds("for_seconds", check.for_seconds)?;
        let name = check.name.trim();
        let hint = "Names are for people: error-rate, latency";
        if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
            let message = format!("has a name that has not 1 to {NAME_MAX} characters");
            return Err(wrong("checks", message, hint));
        }
        if gates.checks[..number]
            .iter()
            .any(|it| it.name == check.name)
        {
            return Err(wrong("checks", format!("has two called `{name}`"), hint));
        }
        let query = check.query.trim();
        if query.is_empty() || query.chars().count() > QUERY_MAX {
            let message = format!("`{name}` has a query that has not 1 to {QUERY_MAX} characters");
            return Err(wrong(
                "checks",
                message,
                "Write a Prometheus query with one value",
            ));
        }
        if !query::is_in_place(query) {
            let message = format!("`{name}` has `$pods` where no regular expression is");
            let hint = "Match a label with it: up{pod=~\"$pods\"}";
            return Err(wrong("checks", message, hint));
        }
        match (check.threshold, check.relative_to_old_percent) {
            (Some(limit), None) if limit.is_finite() => {}
            (None, Some(percent)) if percent.is_finite() && percent > 0.0 => {}
            _ => {
                let message = format!(
                    "`{name}` wants `threshold` or `relative_to_old_percent` (above 0), one of them"
                );
                return Err(wrong(
                    "checks",
                    message,
                    "Say what the value is compared with",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
