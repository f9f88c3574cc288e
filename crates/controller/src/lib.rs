//! The reconcile loops of the kinds: each resource is translated through the runtime profile,
//! applied, pruned, and its status written.
//!
//! What is wanted is decided by `hermez-kinds`, whether it is there already by [`difference`], what
//! each kind adds by [`kinds`]: all pure. [`owned`] holds the watches and [`reconcile`] the writes.

mod difference;
mod drift;
mod error;
mod flink;
mod gang;
mod kinds;
mod leader;
mod metrics;
mod owned;
mod reconcile;
pub mod rights;
pub mod rollout;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use hermez_kinds::names::{CLASS_LABEL, CONTROLLER_MANAGER, OWN_NAMESPACE};
use hermez_kinds::{Kind, RuntimeProfile};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, ResourceExt};
use kube::runtime::controller::Config;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{Controller, WatchStreamExt, watcher};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;

pub use drift::Drift;
pub use error::ControllerError;
pub use leader::{LEASE_NAME, identity};
pub use metrics::Metrics;
pub use rollout::Offer;

use leader::Candidate;
use owned::{Owned, Senders, Wait};
use reconcile::Context;
use rollout::book::Book;
use rollout::decide::Limits;
use rollout::versions::Home;

/// Reconciles that run at the same time, for each kind.
const CONCURRENCY: u16 = 8;
/// Longest wait until an installed CRD is served.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);
/// Time between looks for what is remembered of resources that are gone.
const HOUSEKEEPING: Duration = Duration::from_mins(5);

/// How the controllers run beside others, and how a new runtime profile reaches what runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Hermez' own namespace in the cluster: its lease and the versions of its profiles.
    pub namespace: String,
    /// Name of this process among those that want to lead; no two have the same. None where it is
    /// alone for sure.
    pub identity: Option<String>,
    /// Only resources of this class are looked after; without one, only those without.
    pub class: Option<String>,
    /// How fast a new version of the profile may go.
    pub limits: Limits,
    /// Who wants to know of edits that were put back.
    pub drift: Option<mpsc::Sender<Drift>>,
}

/// Selects the resources of a class.
pub(crate) fn of_class(class: Option<&str>) -> String {
    class.map_or_else(
        || format!("!{CLASS_LABEL}"),
        |class| format!("{CLASS_LABEL}={class}"),
    )
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            namespace: OWN_NAMESPACE.to_owned(),
            identity: None,
            class: None,
            limits: Limits::default(),
            drift: None,
        }
    }
}

/// Runs the controllers until `shutdown`, alone, and with every resource at the newest profile at
/// once: a change of the profile reconciles every resource. Only resources of the class are looked
/// after; without one, only those without.
///
/// # Guarantees
/// A cluster that goes away and comes back is watched again; nothing is written while nothing differs.
pub async fn run(
    client: Client,
    class: Option<&str>,
    profile: watch::Receiver<Arc<RuntimeProfile>>,
    shutdown: CancellationToken,
    metrics: Metrics,
) -> Result<(), ControllerError> {
    let book = Book::of_one(profile.borrow().clone());
    let running = Running::start(&client, &book, class, None, &metrics, &shutdown);
    let mut profile = profile;
    let follow = async {
        while profile.changed().await.is_ok() {
            book.set_newest(profile.borrow_and_update().clone());
            running.again.iter().for_each(|again| {
                again.send_replace(());
            });
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running.controllers => {}
        () = follow => {}
    }
    Ok(())
}

/// Runs the controllers while this process leads, until `shutdown` or until it no longer leads.
///
/// # Guarantees
/// Of several processes with names of their own, one runs controllers at a time. A new version of
/// the profile reaches what runs in waves; see [`rollout::decide`].
pub async fn lead(
    client: Client,
    offers: watch::Receiver<Offer>,
    settings: Settings,
    shutdown: CancellationToken,
    metrics: Metrics,
) -> Result<(), ControllerError> {
    let home = Home::new(client.clone(), &settings.namespace);
    let work = |ending: CancellationToken| {
        let (client, metrics, home) = (client.clone(), metrics.clone(), home.clone());
        let (mut offers, drift) = (offers.clone(), settings.drift.clone());
        let class = settings.class.clone();
        async move {
            let (book, remembered) = rollout::prepare(&home, &mut offers).await?;
            let running = Running::start(
                &client,
                &book,
                class.as_deref(),
                drift.as_ref(),
                &metrics,
                &ending,
            );
            let rollout = rollout::Rollout {
                home,
                book,
                remembered,
                offers,
                limits: settings.limits,
                stores: running.stores,
                senders: running.senders,
                metrics,
            };
            let rollout = async {
                for (_, store) in &rollout.stores {
                    // Only fails when the watch has ended, with the controllers.
                    let _ = store.wait_until_ready().await;
                }
                rollout.run().await;
            };
            tokio::select! {
                () = running.controllers => {}
                () = rollout => {}
            }
            Ok(())
        }
    };
    let Some(identity) = settings.identity else {
        metrics.leads(true);
        return work(shutdown).await;
    };
    home.make().await?;
    let candidate = Candidate::new(client.clone(), &settings.namespace, identity);
    let on_change = |leads| metrics.leads(leads);
    candidate
        .lead(&shutdown, on_change, work)
        .await
        .unwrap_or(Ok(()))
}

/// The controllers of all kinds.
struct Running<F> {
    /// Ends with the controllers.
    controllers: F,
    /// Has every resource of a kind reconciled.
    again: Vec<watch::Sender<()>>,
    stores: Vec<(Kind, Store<DynamicObject>)>,
    senders: Senders,
}

impl Running<()> {
    fn start(
        client: &Client,
        book: &Book,
        class: Option<&str>,
        drift: Option<&mpsc::Sender<Drift>>,
        metrics: &Metrics,
        shutdown: &CancellationToken,
    ) -> Running<impl Future<Output = ()> + use<>> {
        let (owned, senders, mut changes) = Owned::watch(client, shutdown);
        let recorder = Recorder::new(client.clone(), Reporter::from(CONTROLLER_MANAGER));
        let (mut controllers, mut again, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for kind in Kind::ALL.iter().copied() {
            let Some(changes) = changes.remove(&kind) else {
                continue;
            };
            let context = Arc::new(Context {
                kind,
                client: client.clone(),
                owned: owned.clone(),
                book: book.clone(),
                recorder: recorder.clone(),
                flink: flink::Observer::new(client.clone()),
                metrics: metrics.clone(),
                drift: drift.cloned(),
                memory: Mutex::new(HashMap::new()),
            });
            let (sender, all) = watch::channel(());
            let writer = reflector::store::Writer::new(kind.api_resource());
            stores.push((kind, writer.as_reader()));
            again.push(sender);
            let ours = watcher::Config::default().labels(&of_class(class));
            controllers.push(control(
                context,
                ours,
                writer,
                changes,
                all,
                shutdown.clone(),
            ));
        }
        let controllers = async move {
            join_all(controllers).await;
        };
        Running {
            controllers,
            again,
            stores,
            senders,
        }
    }
}

/// Runs the controller of one kind.
async fn control(
    context: Arc<Context>,
    ours: watcher::Config,
    writer: reflector::store::Writer<DynamicObject>,
    changes: mpsc::Receiver<ObjectRef<DynamicObject>>,
    all: watch::Receiver<()>,
    shutdown: CancellationToken,
) {
    let native = context.kind.api_resource();
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &native);
    let (kind, metrics) = (context.kind.name(), context.metrics.clone());
    let store = writer.as_reader();
    let (counted, gone) = (metrics.clone(), metrics.clone());
    let own = watcher(api, ours)
        .modify(|object| object.managed_fields_mut().clear())
        .backoff(Wait::default())
        .reflect(writer)
        .inspect_ok(move |event| {
            // What is gone waits for nothing.
            if let watcher::Event::Delete(object) = event {
                let namespace = object.namespace().unwrap_or_default();
                gone.begins(kind, &namespace, &object.name_any());
            }
        })
        .applied_objects()
        .inspect_ok(move |object| {
            let namespace = object.namespace().unwrap_or_default();
            counted.waits(kind, &namespace, &object.name_any());
        });
    let known = store.clone();
    let changes = ReceiverStream::new(changes).inspect(move |changed| {
        // What is gone already is not reconciled.
        if known.get(changed).is_some() {
            let namespace = changed.namespace.as_deref().unwrap_or_default();
            metrics.waits(kind, namespace, &changed.name);
        }
    });
    let house = keep_house(context.clone(), store.clone());
    let work = Controller::for_stream_with(own, store, native)
        .trigger_backoff(Wait::default())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(changes)
        .reconcile_all_on(WatchStream::from_changes(all))
        .run(reconcile::reconcile, reconcile::after_error, context)
        // Not kube's graceful shutdown, which waits for every try that is planned for later. A
        // reconcile may end anywhere: the next one goes on from what it finds.
        .take_until(shutdown.cancelled_owned())
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = work => {}
        () = house => {}
    }
}

/// Forgets what is remembered of resources that are gone.
async fn keep_house(context: Arc<Context>, store: Store<DynamicObject>) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        let uids: HashSet<String> = store.state().iter().filter_map(|o| o.uid()).collect();
        context.forget_all_but(&uids);
    }
}

/// Installs or updates the CRDs and waits until the API server serves them.
///
/// # Errors
/// When the API server cannot be reached, refuses one, or does not serve it within half a minute.
pub async fn install_crds(client: Client) -> Result<(), ControllerError> {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
    for kind in Kind::ALL.iter().copied() {
        // Made on a thread of its own, for it takes a while; one after the other, for they are large.
        let crd = tokio::task::spawn_blocking(move || hermez_kinds::crd(kind)).await;
        let crd = crd.map_err(|error| ControllerError::Broken(error.to_string()))?;
        let name = crd.name_any();
        api.patch(&name, &parameters, &Patch::Apply(&crd)).await?;
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        match tokio::time::timeout(ESTABLISHED_WITHIN, established).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                return Err(ControllerError::NotEstablished {
                    name,
                    message: error.to_string(),
                });
            }
            Err(_) => {
                let message = format!("not established after {} s", ESTABLISHED_WITHIN.as_secs());
                return Err(ControllerError::NotEstablished { name, message });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The controllers run on any thread: this fails to compile when they cannot.
    #[allow(dead_code)]
    fn they_can_be_spawned(client: Client, offers: watch::Receiver<Offer>) {
        fn spawned<T: Send>(_: T) {}
        let shutdown = CancellationToken::new();
        let (settings, metrics) = (Settings::default(), Metrics::default());
        spawned(lead(client, offers, settings, shutdown, metrics));
    }
}
