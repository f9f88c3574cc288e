//! The objects that resources become: one watch for each native kind, its cache, and word to the
//! resource that owns what changed.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use hermez_kinds::Kind;
use hermez_kinds::names::{KIND_LABEL, MANAGED_SELECTOR, WORKLOAD_LABEL};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ResourceExt};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ControllerError;

mod pods;

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
    /// Pods that carry the label of their workload's kind.
    pods: (ApiResource, Store<DynamicObject>),
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
            let watch = Watch {
                selector: MANAGED_SELECTOR.to_owned(),
                strip,
                owners,
            };
            let store = watch.start(client, &native, &senders, shutdown);
            stores.push((native, store));
        }
        let native = ApiResource::erase::<Pod>(&());
        let watch = Watch {
            selector: format!("{MANAGED_SELECTOR},{KIND_LABEL}"),
            strip: pods::strip,
            owners: workloads,
        };
        let pods = watch.start(client, &native, &senders, shutdown);
        let pods = (native, pods);
        (Owned { stores, pods }, receivers)
    }

    /// Waits until every cache has been filled once.
    pub(crate) async fn ready(&self) -> Result<(), ControllerError> {
        for (native, store) in self.stores.iter().chain([&self.pods]) {
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

    /// Everything that a resource became, down to its pods where they say whose they are.
    pub(crate) fn all_of(&self, kind: Kind, owner: &DynamicObject) -> Objects {
        let mut all = self.of(&owner.uid().unwrap_or_default());
        let (native, store) = &self.pods;
        let reference = ObjectRef::from_obj_with(owner, kind.api_resource());
        let pods =
            store.state_filter(|pod| workloads(pod).iter().any(|(_, own)| *own == reference));
        all.extend(pods.into_iter().map(|pod| (native.clone(), pod)));
        all
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

type Senders = HashMap<Kind, mpsc::Sender<ObjectRef<DynamicObject>>>;
type Workload = (Kind, ObjectRef<DynamicObject>);

/// A watch of one native kind.
struct Watch {
    selector: String,
    /// Leaves out what is never read.
    strip: fn(&mut DynamicObject),
    /// The resources that an object is of.
    owners: fn(&DynamicObject) -> Vec<Workload>,
}

impl Watch {
    /// Starts it; it ends with `shutdown`.
    fn start(
        self,
        client: &Client,
        native: &ApiResource,
        senders: &Senders,
        shutdown: &CancellationToken,
    ) -> Store<DynamicObject> {
        let (store, writer) = {
            let writer = reflector::store::Writer::new(native.clone());
            (writer.as_reader(), writer)
        };
        let api: Api<DynamicObject> = Api::all_with(client.clone(), native);
        let config = watcher::Config::default().labels(&self.selector);
        let objects = watcher(api, config)
            .modify(self.strip)
            .backoff(Wait::default())
            .reflect(writer)
            .touched_objects();
        let senders = senders.clone();
        let ended = shutdown.clone().cancelled_owned();
        tokio::spawn(async move {
            let mut objects = std::pin::pin!(objects.take_until(ended));
            while let Some(object) = objects.next().await {
                match object {
                    Ok(object) => tell((self.owners)(&object), &senders).await,
                    Err(error) => tracing::debug!(%error, "a watch of the controller failed"),
                }
            }
        });
        store
    }
}

/// The resources that an object's owner references name.
fn owners(object: &DynamicObject) -> Vec<Workload> {
    let named = object.owner_references().iter().filter_map(|owner| {
        let kind = Kind::ALL.iter().find(|kind| kind.name() == owner.kind)?;
        Some(reference(*kind, &owner.name, object))
    });
    named.collect()
}

/// The resource that a pod's labels name: its owner is a job.
fn workloads(pod: &DynamicObject) -> Vec<Workload> {
    let label = |key: &str| pod.labels().get(key).map(String::as_str);
    let named = label(KIND_LABEL)
        .zip(label(WORKLOAD_LABEL))
        .and_then(|(kind, name)| {
            let kind = Kind::ALL.iter().find(|known| known.name() == kind)?;
            Some(reference(*kind, name, pod))
        });
    named.into_iter().collect()
}

fn reference(kind: Kind, name: &str, object: &DynamicObject) -> Workload {
    let namespace = object.namespace().unwrap_or_default();
    (
        kind,
        ObjectRef::new_with(name, kind.api_resource()).within(&namespace),
    )
}

async fn tell(workloads: Vec<Workload>, senders: &Senders) {
    for (kind, reference) in workloads {
        if let Some(sender) = senders.get(&kind) {
            // Only fails when the controller has ended.
            let _ = sender.send(reference).await;
        }
    }
}
