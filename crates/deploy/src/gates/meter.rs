//! Measures what the gate of a deploy asks for: restarts from the cluster's watches, metrics from
//! Prometheus.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hermez_api::{DeployState, MetricCheck};
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
        let there = places
            .iter()
            .filter_map(|it| Some((it.cluster.as_ref()?, &it.key)));
        let restarts = there.flat_map(|(cluster, key)| restarts(cluster, key, true));
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
            self.measure(road, &gate.gates.checks, key, places).await;
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
        key: &WorkloadKey,
        places: &[Place],
    ) {
        let side_by_side = |check: &&MetricCheck| self.of_canary && query::is_side_by_side(check);
        let beside: Vec<&MetricCheck> = checks.iter().filter(side_by_side).collect();
        let old: BTreeMap<String, i32> = if beside.is_empty() {
            BTreeMap::new()
        } else {
            let clusters = places.iter().filter_map(|it| it.cluster.as_ref());
            let old = clusters.flat_map(|cluster| restarts(cluster, key, false));
            old.collect()
        };
        let about_new = about(key, &self.measured.restarts);
        let about_old = about(key, &old);
        let (new, old) = tokio::join!(
            values(road, checks, &about_new),
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

/// The pods that restarts were counted of.
pub(super) fn about<'a>(key: &'a WorkloadKey, restarts: &'a BTreeMap<String, i32>) -> About<'a> {
    About {
        namespace: &key.namespace,
        pods: restarts.keys().map(String::as_str).collect(),
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

/// Restarts of a workload's pods, of the newest version's or of all.
pub(super) fn restarts(
    cluster: &Cluster,
    key: &WorkloadKey,
    updated: bool,
) -> BTreeMap<String, i32> {
    let pods = cluster.status(key).pods.into_iter();
    let pods = pods.filter(|pod| pod.updated || !updated).take(PODS_MAX);
    pods.map(|pod| (pod.name, pod.restarts)).collect()
}
