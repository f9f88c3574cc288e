//! What a controller does that starts when all is done already: nothing.

use std::sync::Arc;
use std::time::Duration;

use hermez_controller::{ControllerError, Metrics};
use hermez_kinds::names::CLASS_LABEL;
use hermez_kinds::{PinterestService, RuntimeProfile};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::settled;
use crate::support::{Sandbox, figure_of, service, within};

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

/// A controller of what bears the test's own class, until it is stopped.
struct Started {
    registry: Registry,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ControllerError>>,
    _profile: watch::Sender<Arc<RuntimeProfile>>,
}

impl Started {
    fn start(sandbox: &Sandbox) -> Self {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let (profile, profiles) = watch::channel(Arc::new(RuntimeProfile::plain()));
        let shutdown = CancellationToken::new();
        let (client, class) = (sandbox.client.clone(), sandbox.namespace.clone());
        let until = shutdown.clone();
        let task = tokio::spawn(async move {
            hermez_controller::run(client, Some(&class), profiles, until, metrics).await
        });
        Self {
            registry,
            shutdown,
            task,
            _profile: profile,
        }
    }

    /// Waits until it has looked at the service.
    async fn has_looked(&self) {
        while figure_of(&self.registry, "hermez_controller_reconcile_seconds_count") < 1.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("no error");
    }
}

#[tokio::test]
async fn a_restarted_controller_writes_nothing() {
    within(async |sandbox| {
        let spec = json!({"loadbalancer": {"port": 80}, "configs": {"A": "b"}, "replicas": 2});
        let mut body = service(&sandbox.namespace, spec);
        body["metadata"]["labels"] = json!({CLASS_LABEL: sandbox.namespace});
        let made = serde_json::from_value(body).expect("a service");
        let services: Api<PinterestService> = sandbox.api();
        let made = services.create(&PostParams::default(), &made).await;
        made.expect("created");
        let first = Started::start(&sandbox);
        let version = settled(&sandbox).await.resource_version();
        first.stop().await;
        let before = applied(&sandbox).await;
        assert!(before > 0, "the first wrote");

        let second = Started::start(&sandbox);
        let looked = tokio::time::timeout(Duration::from_mins(1), second.has_looked()).await;
        looked.expect("the second controller looks at the service");
        second.stop().await;
        assert_eq!(
            applied(&sandbox).await,
            before,
            "it wrote what was there already"
        );
        let now = services.get("hello").await.expect("there");
        assert_eq!(now.resource_version(), version, "{:?}", now.status);
    })
    .await;
}
