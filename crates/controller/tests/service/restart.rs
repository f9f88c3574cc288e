//! What a controller does that starts when all is done already: nothing.

use std::sync::Arc;
use std::time::Duration;

use hermez_controller::Metrics;
use hermez_kinds::{PinterestService, RuntimeProfile};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::settled;
use crate::support::{Sandbox, figure_of, within};

/// How often the controllers said that they applied something for this test's service.
async fn applied(sandbox: &Sandbox) -> i32 {
    let events: Api<Event> = sandbox.api();
    let events = events.list(&ListParams::default()).await.expect("events");
    let applied = events
        .items
        .iter()
        .filter(|event| event.reason.as_deref() == Some("Applied"));
    applied
        .map(|event| event.series.as_ref().map_or(1, |series| series.count))
        .sum()
}

#[tokio::test]
async fn a_restarted_controller_writes_nothing() {
    within(async |sandbox| {
        let spec = json!({"loadbalancer": {"port": 80}, "configs": {"A": "b"}, "replicas": 2});
        sandbox.apply(spec).await.expect("applied");
        settled(&sandbox).await;
        let before = applied(&sandbox).await;

        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (_profile, profiles) = watch::channel(Arc::new(RuntimeProfile::plain()));
        let shutdown = CancellationToken::new();
        let second = hermez_controller::run(
            sandbox.client.clone(),
            None,
            profiles,
            shutdown.clone(),
            metrics,
        );
        let second = tokio::spawn(second);
        let services: Api<PinterestService> = Api::all(sandbox.client.clone());
        let looked = async {
            // Other tests make and delete services meanwhile.
            loop {
                let all = services.list(&ListParams::default()).await;
                let all = all.expect("services").items.len() as f64;
                if figure_of(&registry, "hermez_controller_reconcile_seconds_count") >= all {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let looked = tokio::time::timeout(Duration::from_mins(1), looked).await;
        looked.expect("the second controller looks at every service");
        shutdown.cancel();
        second.await.expect("no panic").expect("no error");
        assert_eq!(
            applied(&sandbox).await,
            before,
            "it wrote what was there already"
        );
    })
    .await;
}
