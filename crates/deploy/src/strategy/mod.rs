//! Rollout strategies: a canary before a new version reaches all pods, and waves of clusters.
//!
//! What a deploy does next is decided in [`canary`] and [`waves`]. Here are the settings, and what is
//! done in the clusters. Guarantee: a canary's deploy knows of it before it is written, and takes it
//! away before its own end is written; where the cluster is away just then, the canary is taken away
//! when it answers again.

pub mod canary;
pub(crate) mod place;
pub mod waves;

use std::collections::BTreeSet;

use hermez_api::{
    DeployPlan, DeployState, PlacementStatus, PromoteDeploy, RolloutStrategy, WorkloadStrategy,
};
use hermez_cluster::WorkloadKey;
use hermez_kinds::Kind;
use hermez_store::{DeployRecord, StoreError, WorkloadRecord};
use jiff::Timestamp;

use crate::requests::invalid as wrong;
use crate::{Road, RoadError};

/// Most steps of a canary.
const STEPS_MAX: usize = 10;
/// Most waves.
const WAVES_MAX: usize = 10;
/// Most clusters of a wave.
const CLUSTERS_MAX: usize = 20;
/// Most seconds of a step, and of a bake.
const SECONDS_MAX: u32 = 86_400;
/// Longest name of a Kubernetes object.
const NAME_MAX: usize = 63;

fn invalid(field: &'static str, message: impl Into<String>, hint: &'static str) -> RoadError {
    wrong(field, &message.into(), hint)
}

/// Whether pods of this kind can be brought to several clusters: those that are there to stay.
fn has_waves(kind: Kind) -> bool {
    matches!(kind, Kind::Service | Kind::StatefulSet)
}

impl Road {
    /// The rollout strategy of a workload.
    pub async fn strategy(&self, workload: &str) -> Result<WorkloadStrategy, RoadError> {
        let workload = self.workload(workload).await?;
        self.strategy_of(&workload).await
    }

    async fn strategy_of(&self, workload: &WorkloadRecord) -> Result<WorkloadStrategy, RoadError> {
        let set = self.parts().store.strategy(workload.id).await?;
        let known_clusters = self.cluster_names();
        Ok(match set {
            Some(record) => WorkloadStrategy {
                strategy: record.strategy,
                known_clusters,
                changed_by: Some(record.changed_by),
                changed_at: Some(record.changed_at),
            },
            None => WorkloadStrategy {
                strategy: RolloutStrategy::default(),
                known_clusters,
                changed_by: None,
                changed_at: None,
            },
        })
    }

    /// Sets, or takes away, the rollout strategy of a workload. Deploys that have begun keep theirs.
    pub async fn set_strategy(
        &self,
        workload: &str,
        strategy: Option<&RolloutStrategy>,
        by: &str,
    ) -> Result<WorkloadStrategy, RoadError> {
        let workload = self.workload(workload).await?;
        if let Some(strategy) = strategy {
            check(
                (&workload.name, &workload.kind),
                strategy,
                &self.cluster_names(),
            )?;
            let name = hermez_kinds::canary::name(&workload.name);
            if !strategy.canary.is_empty()
                && let Ok(cluster) = self.cluster()
                && let Some(declared) = cluster.declared(&WorkloadKey {
                    namespace: workload.namespace.clone(),
                    name: name.clone(),
                })
                && declared.canary_of.as_deref() != Some(workload.name.as_str())
            {
                return Err(invalid(
                    "canary",
                    format!("cannot be tried: `{name}` is the name of another workload"),
                    "Rename the other workload, or leave the canary out",
                ));
            }
        }
        let (store, now) = (&self.parts().store, Timestamp::now());
        store.set_strategy(workload.id, strategy, by, now).await?;
        self.strategy_of(&workload).await
    }

    /// How a workload does in each cluster that its strategy names, its own first.
    pub async fn placements(&self, workload: &str) -> Result<Vec<PlacementStatus>, RoadError> {
        let workload = self.workload(workload).await?;
        let key = WorkloadKey {
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        };
        let names = self.clusters_of_workload(workload.id).await?;
        Ok(names
            .into_iter()
            .map(|name| self.placement(name, &key))
            .collect())
    }

    /// Promotes a step of a deploy's canary, or all of them. A step that is over stays so: whoever
    /// asks may have missed the answer, or pressed after somebody else.
    pub async fn promote_deploy(
        &self,
        id: i64,
        promote: &PromoteDeploy,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let store = &self.parts().store;
        let deploy = store.deploy(id).await?;
        let deploy = deploy.ok_or_else(|| StoreError::NotFound {
            what: "deploy",
            key: id.to_string(),
        })?;
        let plan = deploy.plan.as_ref().filter(|plan| !plan.canary.is_empty());
        let Some(plan) = plan else {
            return Err(RoadError::NotNow {
                message: format!("deploy {id} has no canary"),
                hint: format!("see where it is: hermez deploys show {id}"),
            });
        };
        let last = i64::try_from(plan.canary.len()).unwrap_or(canary::ALL_STEPS) - 1;
        if deploy.state != DeployState::Canary && deploy.promoted.is_some_and(|it| it >= last) {
            // Asked for again: whoever asked may have missed the answer.
            return Ok(deploy);
        }
        if deploy.state != DeployState::Canary {
            return Err(RoadError::NotNow {
                message: format!("the canary of deploy {id} is over"),
                hint: format!("see where it is: hermez deploys show {id}"),
            });
        }
        let step = match promote.step {
            _ if promote.all => canary::ALL_STEPS,
            Some(over) if over < plan.step => return Ok(deploy),
            Some(ahead) if ahead > plan.step => {
                return Err(RoadError::NotNow {
                    message: format!(
                        "the canary of deploy {id} is at step {} of {}, not at step {}",
                        plan.step + 1,
                        plan.canary.len(),
                        ahead.saturating_add(1)
                    ),
                    hint: format!("see where it is: hermez deploys show {id}"),
                });
            }
            _ => i64::try_from(plan.step).unwrap_or(canary::ALL_STEPS),
        };
        Ok(store.promote_deploy(id, step, by, Timestamp::now()).await?)
    }

    /// The way of a deploy that begins now.
    pub(crate) async fn plan_of(
        &self,
        deploy: &DeployRecord,
        workload: &WorkloadRecord,
        key: &WorkloadKey,
    ) -> Result<Option<DeployPlan>, StoreError> {
        let Some(record) = self.parts().store.strategy(workload.id).await? else {
            return Ok(None);
        };
        let Some(kind) = Kind::from_spelling(&workload.kind) else {
            return Ok(None);
        };
        let runs_in = |name: &str| self.may_run_in(name, key);
        Ok(waves::plan(&record.strategy, deploy, kind, runs_in))
    }

    /// Names of the clusters that a workload may be in, the server's own first.
    pub(crate) async fn clusters_of_workload(&self, id: i64) -> Result<Vec<String>, StoreError> {
        let own = self.parts().cluster_name.clone();
        let set = self.parts().store.strategy(id).await?;
        let waves = set.map(|it| it.strategy.waves).unwrap_or_default();
        let others: BTreeSet<String> = waves.into_iter().flat_map(|wave| wave.clusters).collect();
        let others = others.into_iter().filter(|name| *name != own);
        Ok(std::iter::once(own.clone()).chain(others).collect())
    }
}

/// What is wrong with a strategy of a workload, given by its name and kind.
fn check(
    (name, kind): (&str, &str),
    strategy: &RolloutStrategy,
    known: &[String],
) -> Result<(), RoadError> {
    let known_kind = Kind::from_spelling(kind);
    let not_for = |what: &str, hint: &str| RoadError::NotNow {
        message: format!("a {kind} {what}"),
        hint: hint.to_owned(),
    };
    if !strategy.canary.is_empty() {
        if !known_kind.is_some_and(hermez_kinds::canary::is_possible) {
            let hint = "canaries are for PinterestService";
            return Err(not_for("has no requests to share with a canary", hint));
        }
        check_canary(name, strategy)?;
    }
    if !strategy.waves.is_empty() {
        if !known_kind.is_some_and(has_waves) {
            let hint = "waves are for PinterestService and PinterestStatefulset";
            return Err(not_for("has no pods that stay ready", hint));
        }
        check_waves(strategy, known)?;
    }
    Ok(())
}

fn seconds(field: &'static str, seconds: u32, hint: &'static str) -> Result<(), RoadError> {
    if seconds <= SECONDS_MAX {
        return Ok(());
    }
    let message = format!("is {seconds}; 0 to {SECONDS_MAX} (a day) are possible");
    Err(invalid(field, message, hint))
}

fn check_canary(workload: &str, strategy: &RolloutStrategy) -> Result<(), RoadError> {
    let steps = &strategy.canary;
    if steps.len() > STEPS_MAX {
        let message = format!("has {} steps; at most {STEPS_MAX}", steps.len());
        return Err(invalid("canary", message, "Leave some out"));
    }
    let mut before = 0;
    for step in steps {
        seconds("seconds", step.seconds, "Have a person promote it instead")?;
        if !(1..=100).contains(&step.percent) {
            let message = format!("is {}; 1 to 100 are possible", step.percent);
            let hint = "With 100 there are as many pods of the new version as of the old one";
            return Err(invalid("percent", message, hint));
        }
        if step.percent < before {
            let message = format!("goes down from {before} to {}", step.percent);
            return Err(invalid("percent", message, "Let the canary grow"));
        }
        before = step.percent;
    }
    let name = hermez_kinds::canary::name(workload);
    if name.len() > NAME_MAX {
        let message = format!("would be called `{name}`, longer than {NAME_MAX} characters");
        return Err(invalid(
            "canary",
            message,
            "Only a shorter workload name has a canary",
        ));
    }
    Ok(())
}

fn check_waves(strategy: &RolloutStrategy, known: &[String]) -> Result<(), RoadError> {
    let waves = &strategy.waves;
    let wrong = |message: String, hint: &'static str| Err(invalid("waves", message, hint));
    if waves.len() > WAVES_MAX {
        let message = format!("are {}; at most {WAVES_MAX}", waves.len());
        return wrong(message, "Join some");
    }
    let mut seen = BTreeSet::new();
    for wave in waves {
        let hint = "Pause the deploy after the wave to hold it for longer: hermez deploys pause";
        seconds("bake_seconds", wave.bake_seconds, hint)?;
        if wave.clusters.is_empty() || wave.clusters.len() > CLUSTERS_MAX {
            let message = format!("have one with {} clusters", wave.clusters.len());
            return wrong(message, "A wave has 1 to 20 clusters");
        }
        for cluster in &wave.clusters {
            if !known.contains(cluster) {
                let shown: String = cluster.chars().take(100).collect();
                let message = format!(
                    "name the cluster `{shown}`; this server knows {}",
                    known.join(", ")
                );
                return wrong(message, "Start the server with --cluster NAME=KUBECONFIG");
            }
            if !seen.insert(cluster) {
                let message = format!("name the cluster `{cluster}` twice");
                return wrong(message, "Each cluster is reached once");
            }
        }
    }
    let own = known.first();
    if own.is_none_or(|own| !seen.contains(own)) {
        let own = own.map(String::as_str).unwrap_or_default();
        let message = format!("leave out `{own}`, the server's own cluster");
        return wrong(
            message,
            "Scaling, logs and previews are there: name it in one of the waves",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
