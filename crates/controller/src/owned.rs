//! The objects that resources become: one watch for each native kind, its cache, and word to the
//! resource that owns what changed.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use hermez_kinds::Kind;
use hermez_kinds::names::MANAGED_SELECTOR;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ResourceExt};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ControllerError;

/// Changes of owned objects that may wait for their resource's reconcile.
const CHANGES: usize = 1024;

/// The native kinds that resources become, over all kinds.
pub(crate) fn native_kinds() -> Vec<ApiResource> {
    let mut natives: Vec<ApiResource> = Vec::new();
    for native in Kind::ALL.iter().flat_map(|kind| kind.owned()) {
        if !natives.contains(&native) {
            natives.push(native);
        }
    }
    natives
}

/// Waits between tries of a watch: half a second, doubling to five, so that a cluster that comes
/// back is noticed soon.
#[derive(Debug, Clone)]
pub(crate) struct Wait(Duration);

impl Default for Wait {
    fn default() -> Self {
        Wait(Duration::from_millis(500))
    }
}

impl Iterator for Wait {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (wait * 2).min(Duration::from_secs(5));
        Some(wait)
    }
}

impl Backoff for Wait {
    fn reset(&mut self) {
        *self = Wait::default();
    }
}

/// The caches of all native kinds.
#[derive(Clone)]
pub(crate) struct Owned {
    stores: Vec<(ApiResource, Store<DynamicObject>)>,
}

/// Objects, each with its native kind.
pub(crate) type Objects = Vec<(ApiResource, std::sync::Arc<DynamicObject>)>;

/// Word that an object of a resource has changed.
pub(crate) type Changes = HashMap<Kind, mpsc::Receiver<ObjectRef<DynamicObject>>>;

impl Owned {
    /// Starts the watches; they end with `shutdown`.
    pub(crate) fn watch(client: &Client, shutdown: &CancellationToken) -> (Owned, Changes) {
        let (senders, receivers): (HashMap<_, _>, HashMap<_, _>) = Kind::ALL
            .iter()
            .map(|kind| {
                let (sender, receiver) = mpsc::channel(CHANGES);
                ((*kind, sender), (*kind, receiver))
            })
            .unzip();
        let mut stores = Vec::new();
        for native in native_kinds() {
            let (store, writer) = {
                let writer = reflector::store::Writer::new(native.clone());
                (writer.as_reader(), writer)
            };
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &native);
            let config = watcher::Config::default().labels(MANAGED_SELECTOR);
            let objects = watcher(api, config)
                .modify(strip)
                .backoff(Wait::default())
                .reflect(writer)
                .touched_objects();
            let senders = senders.clone();
            let ended = shutdown.clone().cancelled_owned();
            tokio::spawn(async move {
                let mut objects = std::pin::pin!(objects.take_until(ended));
                while let Some(object) = objects.next().await {
                    match object {
                        Ok(object) => tell_owner(&object, &senders).await,
                        Err(error) => tracing::debug!(%error, "a watch of the controller failed"),
                    }
                }
            });
            stores.push((native, store));
        }
        (Owned { stores }, receivers)
    }

    /// Waits until every cache has been filled once.
    pub(crate) async fn ready(&self) -> Result<(), ControllerError> {
        for (native, store) in &self.stores {
            let ended = |_| ControllerError::WatchEnded(native.kind.clone());
            store.wait_until_ready().await.map_err(ended)?;
        }
        Ok(())
    }

    /// The resource of a native kind, when it is one that we make.
    pub(crate) fn resource(&self, api_version: &str, kind: &str) -> Option<&ApiResource> {
        let mut natives = self.stores.iter().map(|(native, _)| native);
        natives.find(|native| native.api_version == api_version && native.kind == kind)
    }

    /// An object as the cache has it.
    pub(crate) fn get(
        &self,
        native: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Option<std::sync::Arc<DynamicObject>> {
        let (_, store) = self.stores.iter().find(|(found, _)| found == native)?;
        store.get(&ObjectRef::new_with(name, native.clone()).within(namespace))
    }

    /// Everything that belongs to the resource with this uid.
    pub(crate) fn of(&self, uid: &str) -> Objects {
        let mut owned = Vec::new();
        for (native, store) in &self.stores {
            let belongs = |object: &DynamicObject| is_owned_by(object, uid);
            owned.extend(
                store
                    .state_filter(belongs)
                    .into_iter()
                    .map(|object| (native.clone(), object)),
            );
        }
        owned
    }
}

/// Whether an object's controller is the resource with this uid.
pub(crate) fn is_owned_by(object: &DynamicObject, uid: &str) -> bool {
    object
        .owner_references()
        .iter()
        .any(|owner| owner.uid == uid && owner.controller == Some(true))
}

/// Leaves out what is never read.
fn strip(object: &mut DynamicObject) {
    object.managed_fields_mut().clear();
}

async fn tell_owner(
    object: &DynamicObject,
    senders: &HashMap<Kind, mpsc::Sender<ObjectRef<DynamicObject>>>,
) {
    for owner in object.owner_references() {
        // The Jobs of a CronJob are its resource's, which has the CronJob's name.
        let is_it = |kind: &&Kind| {
            let by_cron = **kind == Kind::CronJob && owner.kind == "CronJob";
            kind.name() == owner.kind || by_cron
        };
        let Some(kind) = Kind::ALL.iter().find(is_it) else {
            continue;
        };
        let reference = ObjectRef::new_with(&owner.name, kind.api_resource())
            .within(object.namespace().as_deref().unwrap_or_default());
        if let Some(sender) = senders.get(kind) {
            // Only fails when the controller has ended.
            let _ = sender.send(reference).await;
        }
    }
}
