//! The reconcile loops of the kinds: each resource is translated through the runtime profile,
//! applied, pruned, and its status written.
//!
//! What is wanted is decided by `hermez-kinds`, whether it is there already by [`difference`], what
//! each kind adds by [`kinds`]: all pure. [`owned`] holds the watches and [`reconcile`] the writes.

mod difference;
mod error;
mod flink;
mod kinds;
mod metrics;
mod owned;
mod reconcile;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use hermez_kinds::names::CONTROLLER_MANAGER;
use hermez_kinds::{Kind, RuntimeProfile};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams, ResourceExt};
use kube::runtime::controller::Config;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{Controller, watcher};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;

pub use error::ControllerError;
pub use metrics::Metrics;

use owned::{Owned, Wait};
use reconcile::Context;

/// Reconciles that run at the same time, for each kind.
const CONCURRENCY: u16 = 8;
/// Longest wait until an installed CRD is served.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Runs the controllers until `shutdown`. A change of the profile reconciles every resource.
///
/// # Guarantees
/// A cluster that goes away and comes back is watched again; nothing is written while nothing differs.
pub async fn run(
    client: Client,
    profile: watch::Receiver<Arc<RuntimeProfile>>,
    shutdown: CancellationToken,
    metrics: Metrics,
) -> Result<(), ControllerError> {
    let (owned, mut changes) = Owned::watch(&client, &shutdown);
    let recorder = Recorder::new(client.clone(), Reporter::from(CONTROLLER_MANAGER));
    let controllers = Kind::ALL.iter().filter_map(|kind| {
        let context = Arc::new(Context {
            kind: *kind,
            client: client.clone(),
            owned: owned.clone(),
            profile: profile.clone(),
            recorder: recorder.clone(),
            flink: flink::Observer::new(client.clone()),
            metrics: metrics.clone(),
            failures: Mutex::new(HashMap::new()),
            written: Mutex::new(HashMap::new()),
        });
        Some(control(context, changes.remove(kind)?, shutdown.clone()))
    });
    join_all(controllers).await;
    Ok(())
}

/// Runs the controller of one kind.
async fn control(
    context: Arc<Context>,
    changes: mpsc::Receiver<ObjectRef<DynamicObject>>,
    shutdown: CancellationToken,
) {
    let native = context.kind.api_resource();
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &native);
    let mut profile = context.profile.clone();
    profile.mark_unchanged();
    let profiles = WatchStream::from_changes(profile).map(|_| ());
    Controller::new_with(api, watcher::Config::default(), native)
        .trigger_backoff(Wait::default())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(ReceiverStream::new(changes))
        .reconcile_all_on(profiles)
        .run(reconcile::reconcile, reconcile::after_error, context)
        // Not kube's graceful shutdown, which waits for every try that is planned for later. A
        // reconcile may end anywhere: the next one goes on from what it finds.
        .take_until(shutdown.cancelled_owned())
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Installs or updates the CRDs and waits until the API server serves them.
///
/// # Errors
/// When the API server cannot be reached, refuses one, or does not serve it within half a minute.
pub async fn install_crds(client: Client) -> Result<(), ControllerError> {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
    for crd in hermez_kinds::crds() {
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
