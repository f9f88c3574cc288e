//! Figures of the controllers, in Prometheus' shape.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabel {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabel {
    verb: &'static str,
    resource: String,
}

/// Namespace and name of what waits.
type Queue = HashSet<(String, String)>;

/// Figures of the controllers.
#[derive(Debug, Clone)]
pub struct Metrics {
    seconds: Family<KindLabel, Histogram>,
    errors: Family<ErrorLabel, Counter>,
    writes: Family<WriteLabel, Counter>,
    drift: Family<KindLabel, Counter>,
    depth: Family<KindLabel, Gauge>,
    waiting: Arc<Mutex<HashMap<&'static str, Queue>>>,
    cached: Gauge,
    leads: Gauge,
    rollout_waiting: Gauge,
    rollout_moving: Gauge,
    rollout_stopped: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 8))
            }),
            errors: Family::default(),
            writes: Family::default(),
            drift: Family::default(),
            depth: Family::default(),
            waiting: Arc::default(),
            cached: Gauge::default(),
            leads: Gauge::default(),
            rollout_waiting: Gauge::default(),
            rollout_moving: Gauge::default(),
            rollout_stopped: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes the figures and registers them.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics::default();
        registry.register(
            "hermez_controller_reconcile_seconds",
            "Time that a reconcile took",
            metrics.seconds.clone(),
        );
        registry.register(
            "hermez_controller_errors",
            "Reconciles that ended with an error, by reason",
            metrics.errors.clone(),
        );
        registry.register(
            "hermez_controller_writes",
            "Writes to the API server, by verb and resource",
            metrics.writes.clone(),
        );
        registry.register(
            "hermez_controller_drift",
            "Objects that somebody edited and that were put back",
            metrics.drift.clone(),
        );
        registry.register(
            "hermez_controller_queue_depth",
            "Resources that wait for a reconcile because something changed",
            metrics.depth.clone(),
        );
        registry.register(
            "hermez_controller_cached_objects",
            "Objects in the caches of what resources became",
            metrics.cached.clone(),
        );
        registry.register(
            "hermez_controller_leads",
            "1 while this process runs the controllers",
            metrics.leads.clone(),
        );
        registry.register(
            "hermez_profile_rollout_waiting",
            "Workloads that wait for the newest runtime profile",
            metrics.rollout_waiting.clone(),
        );
        registry.register(
            "hermez_profile_rollout_moving",
            "Workloads that were moved to the newest runtime profile and are not yet well",
            metrics.rollout_moving.clone(),
        );
        registry.register(
            "hermez_profile_rollout_stopped",
            "1 while the rollout has stopped because a workload is not well after its move",
            metrics.rollout_stopped.clone(),
        );
        metrics
    }

    pub(crate) fn reconciled(&self, kind: &'static str, took: Duration) {
        self.seconds
            .get_or_create(&KindLabel { kind })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self, kind: &'static str, reason: &'static str) {
        self.errors
            .get_or_create(&ErrorLabel { kind, reason })
            .inc();
    }

    pub(crate) fn wrote(&self, verb: &'static str, resource: &str) {
        let resource = resource.to_owned();
        self.writes
            .get_or_create(&WriteLabel { verb, resource })
            .inc();
    }

    pub(crate) fn drifted(&self, kind: &'static str) {
        self.drift.get_or_create(&KindLabel { kind }).inc();
    }

    /// A resource waits for its reconcile.
    pub(crate) fn waits(&self, kind: &'static str, namespace: &str, name: &str) {
        self.queue(kind, |queue| {
            queue.insert((namespace.to_owned(), name.to_owned()));
        });
    }

    /// A resource's reconcile begins.
    pub(crate) fn begins(&self, kind: &'static str, namespace: &str, name: &str) {
        self.queue(kind, |queue| {
            queue.remove(&(namespace.to_owned(), name.to_owned()));
        });
    }

    fn queue(&self, kind: &'static str, change: impl FnOnce(&mut Queue)) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = waiting.entry(kind).or_default();
        change(queue);
        let depth = queue.len() as i64;
        self.depth.get_or_create(&KindLabel { kind }).set(depth);
    }

    pub(crate) fn cached(&self, objects: usize) {
        self.cached.set(objects as i64);
    }

    pub(crate) fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
        if !leads {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.clear();
            self.depth.clear();
        }
    }

    pub(crate) fn rollout(&self, waiting: usize, moving: usize, stopped: bool) {
        self.rollout_waiting.set(waiting as i64);
        self.rollout_moving.set(moving as i64);
        self.rollout_stopped.set(i64::from(stopped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_waits_once_however_often_it_changes() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
            text
        };
        metrics.waits("K", "n", "a");
        metrics.waits("K", "n", "a");
        metrics.waits("K", "n", "b");
        assert!(
            text().contains("hermez_controller_queue_depth{kind=\"K\"} 2"),
            "{}",
            text()
        );
        metrics.begins("K", "n", "a");
        metrics.begins("K", "n", "b");
        assert!(
            text().contains("hermez_controller_queue_depth{kind=\"K\"} 0"),
            "{}",
            text()
        );
        metrics.wrote("apply", "deployments");
        let line = "hermez_controller_writes_total{verb=\"apply\",resource=\"deployments\"} 1";
        assert!(text().contains(line), "{}", text());
    }
}
