//! Measures what the gate of a deploy asks for: restarts from the cluster's watches, metrics from
//! Prometheus.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hermez_api::{DeployState, MetricCheck, PodStatus};
use hermez_cluster::{Cluster, WorkloadKey};
use hermez_store::DeployRecord;
use jiff::Timestamp;

use super::decide::{Gate, Measured};
use super::prometheus::QueryError;
use super::query::{self, About};
use crate::Road;
use crate::strategy::place::Place;

/// How often metrics are asked for.
const MEASURE_EVERY: Duration = Duration::from_secs(2);
/// Most pods of a cluster whose restarts are kept, and that a query names.
const PODS_MAX: usize = 500;

/// What is measured while one deploy is driven. A server that takes it over measures anew.
#[derive(Default)]
pub(crate) struct Meter {
    measured: Measured,
    at: Option<Instant>,
    /// Whether that was of a canary.
    of_canary: bool,
}

impl Meter {
    /// Measures what the gate of a deploy asks for, if it is time. `key` is the workload's own.
    pub async fn look(
        &mut self,
        road: &Road,
        deploy: &DeployRecord,
        key: &WorkloadKey,
        places: &[Place],
    ) -> Measured {
        let there = places.iter().filter_map(|it| {
            let new = pods(it.cluster.as_ref()?, &it.key, true);
            Some((it.name.as_str(), new))
        });
        let there: Vec<(&str, Vec<PodStatus>)> = there.collect();
        let restarts = there.iter().flat_map(|(name, new)| restarts(name, new));
        self.measured.restarts = restarts.collect();
        let Some(gate) = Gate::read(deploy) else {
            return self.measured.clone();
        };
        let of_canary = deploy.state == DeployState::Canary;
        if self.of_canary != of_canary {
            // Other pods are meant now.
            (self.of_canary, self.at) = (of_canary, None);
        }
        if self.at.is_none_or(|at| at.elapsed() >= MEASURE_EVERY) {
            let new = about(key, there.iter().flat_map(|(_, new)| new));
            self.measure(road, &gate.gates.checks, &new, key, places)
                .await;
            self.at = Some(Instant::now());
        }
        self.measured.clone()
    }

    /// Asks for the metrics of the newest version's pods; and, while that is a canary, of the pods
    /// beside it.
    async fn measure(
        &mut self,
        road: &Road,
        checks: &[MetricCheck],
        about_new: &About<'_>,
        key: &WorkloadKey,
        places: &[Place],
    ) {
        let side_by_side = |check: &&MetricCheck| self.of_canary && query::is_side_by_side(check);
        let beside: Vec<&MetricCheck> = checks.iter().filter(side_by_side).collect();
        let old: Vec<PodStatus> = if beside.is_empty() {
            Vec::new()
        } else {
            let clusters = places.iter().filter_map(|it| it.cluster.as_ref());
            let old = clusters.flat_map(|cluster| pods(cluster, key, false));
            old.collect()
        };
        let about_old = about(key, &old);
        let (new, old) = tokio::join!(
            values(road, checks, about_new),
            values(road, beside, &about_old)
        );
        let new = new.into_iter().map(|(name, (at, value))| {
            let value = value.map_err(|error| error.to_string());
            (name, (at, value))
        });
        self.measured.values = new.collect();
        let old = old.into_iter().map(|(name, (_, value))| (name, value));
        self.measured.beside = old.collect();
    }
}

/// What a query is asked about: these pods, by their names.
pub(super) fn about<'a>(
    key: &'a WorkloadKey,
    pods: impl IntoIterator<Item = &'a PodStatus>,
) -> About<'a> {
    About {
        namespace: &key.namespace,
        pods: pods.into_iter().map(|pod| pod.name.as_str()).collect(),
    }
}

/// What the queries of checks give now for these pods.
pub(super) async fn values<'a>(
    road: &Road,
    checks: impl IntoIterator<Item = &'a MetricCheck>,
    about: &About<'_>,
) -> BTreeMap<String, (Timestamp, Result<f64, QueryError>)> {
    let asked = checks.into_iter().map(async |check| {
        let at = Timestamp::now();
        let none = |why: &str| Err(QueryError::NoValue(why.to_owned()));
        let value = match (&road.parts().prometheus, query::fill(&check.query, about)) {
            (Some(prometheus), Some(query)) => prometheus.value(&query).await,
            (Some(_), None) => none("there are no pods to ask about"),
            (None, _) => none("this server has no --prometheus-url"),
        };
        (check.name.clone(), (at, value))
    });
    futures::future::join_all(asked).await.into_iter().collect()
}

/// A workload's pods in a cluster, the newest version's or all.
pub(super) fn pods(cluster: &Cluster, key: &WorkloadKey, updated: bool) -> Vec<PodStatus> {
    let pods = cluster.status(key).pods.into_iter();
    let pods = pods.filter(|pod| pod.updated || !updated);
    pods.take(PODS_MAX).collect()
}

/// Restarts of a cluster's pods. Those of a stateful set have the same names in every cluster, and
/// again in every version: a pod is told by its cluster and its start, too.
pub(super) fn restarts(cluster: &str, pods: &[PodStatus]) -> BTreeMap<String, i32> {
    let counted = pods.iter().map(|pod| {
        let started = pod.started_at.map(|at| at.to_string()).unwrap_or_default();
        (format!("{cluster}/{}/{started}", pod.name), pod.restarts)
    });
    counted.collect()
}
