//! The objects that resources become: one watch for each native kind, its cache, and word to the
//! resource that owns what changed.
//!
//! Guarantees: the cache never goes back in time. What we wrote is in it at once (the API server's
//! answer is put in), so that a decision never rests on what our own last write has changed. Whole
//! objects are kept, without their managers' fields: whether somebody edited one is seen in its
//! fields, so metadata alone would not do.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use hermez_kinds::Kind;
use hermez_kinds::names::MANAGED_SELECTOR;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ResourceExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{mpsc, watch};
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

/// Namespace and name of an object.
type Id = (String, String);

/// The objects of one native kind.
#[derive(Debug, Default)]
struct Table {
    objects: HashMap<Id, Arc<DynamicObject>>,
    owners: HashMap<String, BTreeSet<Id>>,
}

/// The cache of one native kind.
struct Cache {
    native: ApiResource,
    table: RwLock<Table>,
    ready: watch::Sender<bool>,
}

/// The caches of all native kinds.
#[derive(Clone)]
pub(crate) struct Owned {
    caches: Arc<Vec<Arc<Cache>>>,
}

/// Objects, each with its native kind.
pub(crate) type Objects = Vec<(ApiResource, Arc<DynamicObject>)>;

/// Ways to ask for a resource's reconcile, by its kind.
pub(crate) type Senders = HashMap<Kind, mpsc::Sender<ObjectRef<DynamicObject>>>;
/// Word that an object of a resource has changed.
pub(crate) type Changes = HashMap<Kind, mpsc::Receiver<ObjectRef<DynamicObject>>>;

impl Owned {
    /// Starts the watches; they end with `shutdown`.
    pub(crate) fn watch(
        client: &Client,
        shutdown: &CancellationToken,
    ) -> (Owned, Senders, Changes) {
        let (senders, receivers): (HashMap<_, _>, HashMap<_, _>) = Kind::ALL
            .iter()
            .map(|kind| {
                let (sender, receiver) = mpsc::channel(CHANGES);
                ((*kind, sender), (*kind, receiver))
            })
            .unzip();
        let mut caches = Vec::new();
        for native in native_kinds() {
            let cache = Arc::new(Cache {
                native: native.clone(),
                table: RwLock::default(),
                ready: watch::channel(false).0,
            });
            caches.push(cache.clone());
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &native);
            let work = follow(api, cache, senders.clone());
            let ended = shutdown.clone().cancelled_owned();
            tokio::spawn(async move {
                tokio::select! {
                    () = work => {}
                    () = ended => {}
                }
            });
        }
        let owned = Owned {
            caches: Arc::new(caches),
        };
        (owned, senders, receivers)
    }

    /// Waits until every cache has been filled once.
    pub(crate) async fn ready(&self) -> Result<(), ControllerError> {
        for cache in self.caches.iter() {
            let ended = |_| ControllerError::WatchEnded(cache.native.kind.clone());
            let mut ready = cache.ready.subscribe();
            ready.wait_for(|ready| *ready).await.map_err(ended)?;
        }
        Ok(())
    }

    /// The resource of a native kind, when it is one that we make.
    pub(crate) fn resource(&self, api_version: &str, kind: &str) -> Option<&ApiResource> {
        let mut natives = self.caches.iter().map(|cache| &cache.native);
        natives.find(|native| native.api_version == api_version && native.kind == kind)
    }

    fn cache(&self, native: &ApiResource) -> Option<&Arc<Cache>> {
        self.caches.iter().find(|cache| cache.native == *native)
    }

    /// An object as the cache has it.
    pub(crate) fn get(
        &self,
        native: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<DynamicObject>> {
        let id = (namespace.to_owned(), name.to_owned());
        self.cache(native)?
            .read(|table| table.objects.get(&id).cloned())
    }

    /// Puts the API server's answer to a write of ours in.
    pub(crate) fn wrote(&self, native: &ApiResource, mut object: DynamicObject) {
        strip(&mut object);
        if let Some(cache) = self.cache(native) {
            cache.write(|table| table.put(object));
        }
    }

    /// Everything that belongs to the resource with this uid.
    pub(crate) fn of(&self, uid: &str) -> Objects {
        let mut owned = Vec::new();
        for cache in self.caches.iter() {
            cache.read(|table| {
                let ids = table.owners.get(uid).into_iter().flatten();
                let objects = ids.filter_map(|id| table.objects.get(id));
                owned.extend(objects.map(|object| (cache.native.clone(), object.clone())));
            });
        }
        owned
    }

    /// How many objects are kept, over all kinds.
    pub(crate) fn len(&self) -> usize {
        let caches = self.caches.iter();
        caches
            .map(|cache| cache.read(|table| table.objects.len()))
            .sum()
    }
}

impl Cache {
    fn read<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Table {
    /// Puts an object in, unless a newer one is there already; says whether it is news.
    fn put(&mut self, object: DynamicObject) -> bool {
        let id = id(&object);
        if let Some(present) = self.objects.get(&id)
            && !is_newer(&object, present)
        {
            return false;
        }
        self.remove(&id);
        for owner in controllers(&object) {
            self.owners
                .entry(owner.to_owned())
                .or_default()
                .insert(id.clone());
        }
        self.objects.insert(id, Arc::new(object));
        true
    }

    fn remove(&mut self, id: &Id) -> Option<Arc<DynamicObject>> {
        let gone = self.objects.remove(id)?;
        for owner in controllers(&gone) {
            if let Some(ids) = self.owners.get_mut(owner) {
                ids.remove(id);
                if ids.is_empty() {
                    self.owners.remove(owner);
                }
            }
        }
        Some(gone)
    }

    /// Takes an object out that was deleted, unless another of its name is there by now.
    fn deleted(&mut self, object: &DynamicObject) -> bool {
        let id = id(object);
        let present = self.objects.get(&id);
        if present.is_some_and(|present| present.uid() != object.uid()) {
            return false;
        }
        self.remove(&id).is_some()
    }

    /// Takes out what a whole listing does not name.
    fn retain(&mut self, listed: &BTreeSet<Id>) -> Vec<Arc<DynamicObject>> {
        let gone: Vec<Id> = self
            .objects
            .keys()
            .filter(|id| !listed.contains(*id))
            .cloned()
            .collect();
        gone.iter().filter_map(|id| self.remove(id)).collect()
    }
}

/// Keeps one cache up to date, and tells owners.
async fn follow(api: Api<DynamicObject>, cache: Arc<Cache>, senders: Senders) {
    let config = watcher::Config::default().labels(MANAGED_SELECTOR);
    let events = watcher(api, config).backoff(Wait::default());
    let mut events = std::pin::pin!(events);
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(mut object)) => {
                strip(&mut object);
                listed.insert(id(&object));
                if cache.write(|table| table.put(object.clone())) {
                    tell_owner(&object, &senders).await;
                }
            }
            Ok(Event::InitDone) => {
                for gone in cache.write(|table| table.retain(&listed)) {
                    tell_owner(&gone, &senders).await;
                }
                listed.clear();
                cache.ready.send_replace(true);
            }
            Ok(Event::Apply(mut object)) => {
                strip(&mut object);
                if cache.write(|table| table.put(object.clone())) {
                    tell_owner(&object, &senders).await;
                }
            }
            Ok(Event::Delete(object)) => {
                if cache.write(|table| table.deleted(&object)) {
                    tell_owner(&object, &senders).await;
                }
            }
            Err(error) => tracing::debug!(%error, "a watch of the controller failed"),
        }
    }
}

fn id(object: &DynamicObject) -> Id {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether `object` is of a later version than `present`. Versions are numbers that grow, whatever
/// the API server's name for them; where they are not, the one that comes last wins.
pub(crate) fn is_newer(object: &DynamicObject, present: &DynamicObject) -> bool {
    match (version(object), version(present)) {
        (Some(new), Some(old)) => new > old,
        _ => object.resource_version() != present.resource_version(),
    }
}

/// The resource version, as a number.
pub(crate) fn version(object: &DynamicObject) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

/// Uids of the resources that control an object; at most one, by Kubernetes' own rule.
fn controllers(object: &DynamicObject) -> impl Iterator<Item = &str> {
    let owners = object.owner_references().iter();
    owners
        .filter(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
}

/// Whether an object's controller is the resource with this uid.
pub(crate) fn is_owned_by(object: &DynamicObject, uid: &str) -> bool {
    controllers(object).any(|owner| owner == uid)
}

/// Leaves out what is never read.
fn strip(object: &mut DynamicObject) {
    object.managed_fields_mut().clear();
}

async fn tell_owner(object: &DynamicObject, senders: &Senders) {
    for owner in object.owner_references() {
        let Some(kind) = Kind::ALL.iter().find(|kind| kind.name() == owner.kind) else {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_object(name: &str, version: u64, owner: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name, "namespace": "ns", "uid": name, "resourceVersion": version.to_string(),
                "ownerReferences": [{"apiVersion": "a", "kind": "K", "name": owner, "uid": owner, "controller": true}],
            },
        }))
        .expect("an object")
    }

    #[test]
    fn the_cache_does_not_go_back_in_time() {
        let mut table = Table::default();
        assert!(table.put(mk_object("a", 9, "x")));
        assert!(
            !table.put(mk_object("a", 9, "x")),
            "an echo of our own write"
        );
        assert!(!table.put(mk_object("a", 7, "y")), "a watch that lags");
        assert!(table.owners.contains_key("x") && !table.owners.contains_key("y"));
        // 10 is more than 9, though "10" sorts before "9".
        assert!(table.put(mk_object("a", 10, "y")));
        assert!(!table.owners.contains_key("x") && table.owners.contains_key("y"));
    }

    #[test]
    fn what_is_gone_leaves_nothing_behind() {
        let mut table = Table::default();
        table.put(mk_object("a", 1, "x"));
        table.put(mk_object("b", 2, "x"));
        let mut other = mk_object("a", 3, "x");
        other.metadata.uid = Some("another".into());
        assert!(!table.deleted(&other), "it was an earlier one of this name");
        assert!(table.deleted(&mk_object("a", 3, "x")));
        assert_eq!(table.retain(&BTreeSet::new()).len(), 1);
        assert!(table.objects.is_empty() && table.owners.is_empty());
    }
}
