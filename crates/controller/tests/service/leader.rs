//! Two replicas: one writes, and the other takes over when it is killed.

use std::sync::Arc;
use std::time::Duration;

use hermez_controller::{LEASE_NAME, Metrics, Offer, Settings};
use hermez_kinds::names::CLASS_LABEL;
use hermez_kinds::{PinterestService, RuntimeProfile};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Sandbox, changes, client_as_hermez, recorded, service, within};

/// A replica on a runtime of its own, so that it can be killed with all that it has begun.
struct Replica {
    agent: String,
    runtime: Option<tokio::runtime::Runtime>,
    _offers: watch::Sender<Offer>,
}

impl Replica {
    fn start(sandbox: &Sandbox, name: &str) -> Replica {
        let offer = Offer {
            profile: Arc::new(RuntimeProfile::plain()),
            fault: None,
        };
        let (offers, seen) = watch::channel(offer);
        let agent = format!("{}-{name}", sandbox.namespace);
        let settings = Settings {
            namespace: sandbox.namespace.clone(),
            class: Some(sandbox.namespace.clone()),
            identity: Some(name.to_owned()),
            ..Settings::default()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let known_as = agent.clone();
        runtime.spawn(async move {
            let client = client_as_hermez(&known_as).await;
            let never = CancellationToken::new();
            hermez_controller::lead(client, seen, settings, never, Metrics::default()).await
        });
        Replica {
            agent,
            runtime: Some(runtime),
            _offers: offers,
        }
    }

    /// As by `kill -9`: the lease is not given back.
    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Times of its writes, but for the lease itself, as the API server wrote them down.
    fn writes(&self) -> Vec<String> {
        let all = recorded(&self.agent).into_iter();
        let writes = all.filter(|(verb, resource, _)| changes(verb) && resource != "leases");
        writes.map(|(_, _, at)| at).collect()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn holder(sandbox: &Sandbox) -> Option<String> {
    let lease: Option<Lease> = sandbox.api().get_opt(LEASE_NAME).await.expect("asked");
    lease?.spec?.holder_identity
}

async fn create(sandbox: &Sandbox, name: &str) {
    let mut body = service(&sandbox.namespace, json!({}));
    body["metadata"]["name"] = name.into();
    body["metadata"]["labels"] = json!({CLASS_LABEL: sandbox.namespace});
    let made = serde_json::from_value(body).expect("a service");
    let api: Api<PinterestService> = sandbox.api();
    api.create(&PostParams::default(), &made)
        .await
        .expect("created");
}

#[tokio::test]
async fn one_writes_at_a_time_and_the_other_takes_over() {
    within(async |sandbox| {
        let mut first = Replica::start(&sandbox, "first");
        while holder(&sandbox).await.as_deref() != Some("first") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let second = Replica::start(&sandbox, "second");
        create(&sandbox, "one").await;
        sandbox.until("one", "there", |_: &Deployment| true).await;
        // The second has looked at the lease, and let it be.
        while !recorded(&second.agent)
            .iter()
            .any(|(verb, what, _)| verb == "get" && what == "leases")
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!first.writes().is_empty());
        assert_eq!(second.writes(), Vec::<String>::new());

        first.kill();
        create(&sandbox, "two").await;
        sandbox.until("two", "there", |_: &Deployment| true).await;
        assert_eq!(holder(&sandbox).await.as_deref(), Some("second"));
        let (before, after) = (first.writes(), second.writes());
        let last = before.iter().max().expect("the first wrote");
        let next = after.iter().min().expect("the second wrote");
        assert!(
            last < next,
            "the first wrote at {last}, when the second did at {next}"
        );
    })
    .await;
}
