//! A new version of the runtime profile, on its way through what runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use hermez_controller::rollout::decide::Limits;
use hermez_controller::rollout::report;
use hermez_controller::{Metrics, Offer, Settings};
use hermez_kinds::names::{CLASS_LABEL, PROFILE_ANNOTATION};
use hermez_kinds::{PinterestService, RuntimeProfile};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{Api, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::support::{Sandbox, client_as_hermez, condition, service, within};

const SERVICES: usize = 6;
/// Two of six.
const PERCENT: u32 = 34;
const AT_ONCE: usize = 2;

fn mk_profile(version: u32, more: &str) -> RuntimeProfile {
    let yaml = format!(
        "name: care\nversion: {version}\neverywhere:\n  env: [{{name: V, value: '{version}'}}]\n{more}"
    );
    RuntimeProfile::parse("care.yaml", yaml.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Controllers of the test's own class, in its own namespace.
struct Controllers {
    offers: watch::Sender<Offer>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Controllers {
    async fn start(sandbox: &Sandbox, profile: RuntimeProfile) -> Controllers {
        let offer = Offer {
            profile: Arc::new(profile),
            fault: None,
        };
        let (offers, seen) = watch::channel(offer);
        let settings = Settings {
            namespace: sandbox.namespace.clone(),
            class: Some(sandbox.namespace.clone()),
            limits: Limits {
                percent: PERCENT,
                patience: jiff::SignedDuration::from_secs(8),
            },
            ..Settings::default()
        };
        let shutdown = CancellationToken::new();
        let client = client_as_hermez("hermez-test-profiles").await;
        let ending = shutdown.clone();
        let task = tokio::spawn(async move {
            let metrics = Metrics::default();
            let led = hermez_controller::lead(client, seen, settings, ending, metrics);
            led.await.expect("no error");
        });
        Controllers {
            offers,
            shutdown,
            task,
        }
    }

    fn offer(&self, profile: RuntimeProfile) {
        self.offers.send_replace(Offer {
            profile: Arc::new(profile),
            fault: None,
        });
    }

    /// As by `kill -9`: in the midst of whatever it does.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        // What it had spawned ends as well.
        self.shutdown.cancel();
    }
}

fn body(sandbox: &Sandbox, name: &str) -> Value {
    let mut body = service(&sandbox.namespace, json!({}));
    body["metadata"]["name"] = name.into();
    body["metadata"]["labels"] = json!({CLASS_LABEL: sandbox.namespace});
    body
}

async fn create(sandbox: &Sandbox, name: &str) {
    let made = serde_json::from_value(body(sandbox, name)).expect("a service");
    let api: Api<PinterestService> = sandbox.api();
    api.create(&PostParams::default(), &made)
        .await
        .expect("created");
}

fn version(service: &PinterestService) -> Option<&str> {
    service.status.as_ref()?.profile.as_deref()
}

fn is_well(service: &PinterestService) -> bool {
    let observed = service
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed == service.meta().generation
        && condition(service, "Available").is_some_and(|found| found.0 == "True")
        && condition(service, "Reconciling").is_none()
        && condition(service, "Stalled").is_none()
}

async fn all_well(sandbox: &Sandbox, label: &str) {
    for index in 0..SERVICES {
        sandbox
            .until(&format!("s{index}"), label, |service: &PinterestService| {
                version(service) == Some(label) && is_well(service)
            })
            .await;
    }
}

/// Watches how many services are on a version and not well at the same time.
async fn most_at_once(sandbox: Arc<Sandbox>, label: &'static str, most: Arc<Mutex<usize>>) {
    let api: Api<PinterestService> = sandbox.api();
    let events = api
        .watch(&WatchParams::default(), "0")
        .await
        .expect("a watch");
    let mut events = std::pin::pin!(events);
    let mut unwell = BTreeMap::new();
    while let Some(event) = events.next().await {
        if let Ok(WatchEvent::Added(service) | WatchEvent::Modified(service)) = event {
            let on_the_way = version(&service) == Some(label) && !is_well(&service);
            unwell.insert(service.name_any(), on_the_way);
            let now = unwell.values().filter(|is| **is).count();
            let mut most = most.lock().expect("not poisoned");
            *most = (*most).max(now);
        }
    }
}

async fn overview(sandbox: &Sandbox) -> report::Overview {
    let class = Some(sandbox.namespace.as_str());
    let seen = report::overview(sandbox.client.clone(), &sandbox.namespace, class).await;
    seen.expect("an overview")
}

/// Waits until the rollout is as wanted.
async fn until(sandbox: &Sandbox, what: &str, wanted: impl Fn(&report::Overview) -> bool) {
    let look = async {
        while !wanted(&overview(sandbox).await) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(Duration::from_mins(1), look)
        .await
        .is_err()
    {
        panic!("not {what}: {:#?}", overview(sandbox).await);
    }
}

#[tokio::test]
async fn a_new_version_goes_in_waves_stops_at_harm_and_outlives_the_controller() {
    within(async |sandbox| {
        let controllers = Controllers::start(&sandbox, mk_profile(1, "")).await;
        for index in 0..SERVICES {
            create(&sandbox, &format!("s{index}")).await;
        }
        all_well(&sandbox, "care@1").await;

        // Waves, over the end of a controller in the midst of one.
        let most = Arc::new(Mutex::new(0));
        let watching = tokio::spawn(most_at_once(sandbox.clone(), "care@2", most.clone()));
        controllers.offer(mk_profile(2, ""));
        until(&sandbox, "begun", |now| !now.rollout.moving.is_empty()).await;
        controllers.kill().await;
        let controllers = Controllers::start(&sandbox, mk_profile(2, "")).await;
        all_well(&sandbox, "care@2").await;
        until(&sandbox, "complete", |now| now.rollout.moving.is_empty()).await;
        watching.abort();
        let most = *most.lock().expect("not poisoned");
        assert!(
            (1..=AT_ONCE).contains(&most),
            "{most} services were on their way at once"
        );

        // A version that does harm stops where it began.
        let broken = "  sidecars: [{name: broken, image: 'nowhere.invalid/none:1'}]\n";
        controllers.offer(mk_profile(3, broken));
        until(&sandbox, "stopped", |now| now.rollout.stopped.is_some()).await;
        let stopped = overview(&sandbox).await;
        assert!(stopped.versions["care@3"] <= AT_ONCE, "{stopped:#?}");
        assert_eq!(
            stopped.waiting.len(),
            SERVICES - stopped.rollout.moving.len()
        );
        let why = stopped.rollout.stopped.expect("stopped");
        assert!(
            why.contains("was moved to care@3 and is not well after 8 seconds"),
            "{why}"
        );

        // Scaling is no reason to take the newest version; a new service does.
        let kept = stopped.waiting[0].name.clone();
        let api: Api<PinterestService> = sandbox.api();
        let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
        api.patch_scale(&kept, &PatchParams::default(), &scale)
            .await
            .expect("scaled");
        let deployment = sandbox
            .until(&kept, "scaled", |deployment: &Deployment| {
                deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(2)
            })
            .await;
        assert_eq!(deployment.annotations()[PROFILE_ANNOTATION], "care@2");
        let autoscaling = json!({"min": 2, "max": 3, "cpu": 70});
        let scale = Patch::Merge(json!({"spec": {"autoscaling": autoscaling}}));
        api.patch(&kept, &PatchParams::default(), &scale)
            .await
            .expect("scaled by its load");
        sandbox
            .until(&kept, "autoscaled", |_: &HorizontalPodAutoscaler| true)
            .await;
        let deployments: Api<Deployment> = sandbox.api();
        let deployment = deployments.get(&kept).await.expect("a deployment");
        assert_eq!(deployment.annotations()[PROFILE_ANNOTATION], "care@2");
        create(&sandbox, "new").await;
        sandbox
            .until("new", "on the newest", |service: &PinterestService| {
                version(service) == Some("care@3")
            })
            .await;

        // The same number with other content is refused, and what is in use stays.
        controllers.offer(mk_profile(2, broken));
        until(&sandbox, "refused", |now| now.refused.is_some()).await;
        let refused = overview(&sandbox).await;
        assert_eq!(refused.rollout.target, "care@3");
        let why = refused.refused.expect("refused").message;
        assert!(
            why.contains("version 2") && why.contains("raise version"),
            "{why}"
        );

        // Paused, nothing more moves than what was harmed already; resumed, all do.
        report::pause(sandbox.client.clone(), &sandbox.namespace, true)
            .await
            .expect("paused");
        controllers.offer(mk_profile(4, ""));
        until(&sandbox, "at the new target", |now| {
            now.rollout.target == "care@4"
        })
        .await;
        until(&sandbox, "mended", |now| {
            now.rollout.moving.is_empty() && now.refused.is_none()
        })
        .await;
        let paused = overview(&sandbox).await;
        assert!(
            paused.paused && paused.waiting.len() >= SERVICES - AT_ONCE,
            "{paused:#?}"
        );
        report::pause(sandbox.client.clone(), &sandbox.namespace, false)
            .await
            .expect("resumed");
        all_well(&sandbox, "care@4").await;
        controllers.kill().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_version_would_change_is_told_once_for_all() {
    within(async |sandbox| {
        let controllers = Controllers::start(&sandbox, mk_profile(1, "")).await;
        for index in 0..SERVICES {
            create(&sandbox, &format!("s{index}")).await;
        }
        all_well(&sandbox, "care@1").await;
        let class = Some(sandbox.namespace.as_str());
        let diff = |target| report::diff(sandbox.client.clone(), &sandbox.namespace, class, target);
        let none = diff(None).await.expect("a diff");
        assert_eq!((none.groups.len(), none.unchanged), (0, SERVICES));
        let next = diff(Some(mk_profile(2, ""))).await.expect("a diff");
        assert_eq!((next.groups.len(), next.target.as_str()), (1, "care@2"));
        let group = &next.groups[0];
        assert_eq!(group.workloads.len(), SERVICES);
        let field = "spec.template.spec.containers[hello].env[V].value";
        let told: Vec<_> = group
            .changes
            .iter()
            .map(|change| change.field.as_str())
            .collect();
        assert_eq!(told, [field]);
        controllers.kill().await;
    })
    .await;
}
