//! Figures of the controllers, in Prometheus' shape.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
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
}

/// Figures of the controllers.
#[derive(Debug, Clone)]
pub struct Metrics {
    seconds: Family<KindLabel, Histogram>,
    errors: Family<ErrorLabel, Counter>,
    writes: Family<WriteLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 8))
            }),
            errors: Family::default(),
            writes: Family::default(),
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
            "Writes to the API server, by verb",
            metrics.writes.clone(),
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

    pub(crate) fn wrote(&self, verb: &'static str) {
        self.writes.get_or_create(&WriteLabel { verb }).inc();
    }
}
