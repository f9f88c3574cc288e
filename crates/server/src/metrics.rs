//! What the server counts, in OpenMetrics text.

use std::fmt::Write;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels of a request. The route is the pattern (`/api/v1/workloads/{name}`), so that there are
/// only as many as there are routes, and no secret of a path becomes a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

/// The server's counters and gauges.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<RwLock<Registry>>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    builds: Family<StateLabels, Gauge>,
    deploys: Family<StateLabels, Gauge>,
    /// Streams that are open now.
    pub streams: Gauge,
    /// Webhooks by what came of them.
    webhooks: Family<StateLabels, Counter>,
    /// 1 while the cluster's watches run.
    pub cluster_connected: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers everything that the server counts.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        registry.register(
            "hermez_http_requests",
            "Requests by route and status",
            requests.clone(),
        );
        let seconds = Family::<RouteLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.001, 4.0, 8))
        });
        registry.register(
            "hermez_http_request_duration_seconds",
            "Time until an answer began, by route",
            seconds.clone(),
        );
        let builds = Family::default();
        registry.register(
            "hermez_builds",
            "Builds by state; `queued` is the queue's length",
            builds.clone(),
        );
        let deploys = Family::default();
        registry.register(
            "hermez_deploys",
            "Deploys by state; `queued` is the queue's length",
            deploys.clone(),
        );
        let streams = Gauge::default();
        registry.register(
            "hermez_streams_open",
            "Server-sent event streams open now",
            streams.clone(),
        );
        let webhooks = Family::default();
        registry.register("hermez_webhooks", "Webhooks by outcome", webhooks.clone());
        let cluster_connected = Gauge::default();
        registry.register(
            "hermez_cluster_connected",
            "1 while the cluster's watches run",
            cluster_connected.clone(),
        );
        Self {
            registry: Arc::new(RwLock::new(registry)),
            requests,
            seconds,
            builds,
            deploys,
            streams,
            webhooks,
            cluster_connected,
        }
    }

    /// Lets another part of the process register what it counts.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a webhook.
    pub fn webhook(&self, outcome: &str) {
        self.webhooks
            .get_or_create(&StateLabels {
                state: outcome.to_owned(),
            })
            .inc();
    }

    /// Takes the database's counts of builds and deploys by state.
    pub fn set_work(&self, builds: &[(String, i64)], deploys: &[(String, i64)]) {
        for (family, counts) in [(&self.builds, builds), (&self.deploys, deploys)] {
            family.clear();
            for (state, count) in counts {
                family
                    .get_or_create(&StateLabels {
                        state: state.clone(),
                    })
                    .set(*count);
            }
        }
    }

    /// Everything, as OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut out = String::new();
        if let Ok(registry) = self.registry.read()
            && text::encode(&mut out, &registry).is_err()
        {
            let _ = out.write_str("# EOF\n");
        }
        out
    }
}

/// Counts every request by the route that it matched.
pub async fn count(
    State(metrics): State<Metrics>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let route = matched.map_or_else(|| "other".to_owned(), |matched| matched.as_str().to_owned());
    let method = method_label(request.method());
    let began = Instant::now();
    let response = next.run(request).await;
    metrics
        .seconds
        .get_or_create(&RouteLabels {
            route: route.clone(),
        })
        .observe(began.elapsed().as_secs_f64());
    metrics
        .requests
        .get_or_create(&RequestLabels {
            method,
            route,
            status: response.status().as_u16(),
        })
        .inc();
    response
}

/// Only the methods that exist here; anything else a client invents is one label.
fn method_label(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_was_counted() {
        let metrics = Metrics::new();
        metrics.webhook("accepted");
        metrics.set_work(&[("queued".to_owned(), 3)], &[]);
        let text = metrics.encode();
        assert!(
            text.contains("hermez_webhooks_total{state=\"accepted\"} 1"),
            "{text}"
        );
        assert!(text.contains("hermez_builds{state=\"queued\"} 3"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
