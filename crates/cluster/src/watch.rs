//! The watches: they fill the index, and say which workloads change.
//!
//! Guarantees: a watch that fails is tried again after at most [`LONGEST_PAUSE`], and begins anew
//! when the cluster returns; what an outage hid is noticed by the new listing. Of each object, only a
//! compact view is kept.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hermez_kinds::Kind;
use hermez_kinds::names::MANAGED_SELECTOR;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Event as CoreEvent, Pod, Service};
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::cluster::Shared;
use crate::declared::Declared;
use crate::index::{Index, ObjectId, Table};
use crate::link::EVENTS;
use crate::view::{EventView, workload_of};
use crate::{ClusterError, WorkloadKey};

/// First pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause: coming back is noticed within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Failures in a row after which a watch begins anew.
const ANEW_AFTER: u32 = 3;
/// A watch request ends after this time and is made again, so that one that hangs alone is noticed.
const WATCH_SECONDS: u32 = 60;

/// Names of all watches, as [`crate::link::Link`] knows them.
pub(crate) fn names() -> Vec<&'static str> {
    let kinds = Kind::ALL.iter().map(|kind| kind.name());
    let native = ["Deployments", "ReplicaSets", "Pods", "Services", EVENTS];
    kinds.chain(native).collect()
}

/// Starts all watches; each ends with `shutdown`.
pub(crate) fn start(client: &Client, shared: &Arc<Shared>, shutdown: &CancellationToken) {
    let all = watcher::Config::default().timeout(WATCH_SECONDS);
    let ours = all.clone().labels(MANAGED_SELECTOR);
    for kind in Kind::ALL.iter().copied() {
        let keep = move |object: DynamicObject, _: &Index| {
            let key = WorkloadKey {
                namespace: object.namespace()?,
                name: object.name_any(),
            };
            let declared = Declared::read(kind, &object);
            Some((key.clone(), key.name, declared))
        };
        let api = Api::all_with(client.clone(), &kind.api_resource());
        // Resources that people wrote by hand run too: no selector.
        Watch::new(kind.name(), api, all.clone(), keep, move |index| {
            index.declared.entry(kind).or_default()
        })
        .spawn(shared, shutdown);
    }
    macro_rules! native {
        ($name:literal, $type:ty, $table:ident) => {
            let keep = |object: $type, _: &Index| {
                let key = workload_of(object.meta())?;
                Some((key, object.name_any(), (&object).into()))
            };
            let api = Api::<$type>::all(client.clone());
            Watch::new($name, api, ours.clone(), keep, |index| &mut index.$table)
                .spawn(shared, shutdown);
        };
    }
    native!("Deployments", Deployment, deployments);
    native!("ReplicaSets", ReplicaSet, replica_sets);
    native!("Pods", Pod, pods);
    native!("Services", Service, services);
    // Events carry no labels: all are read, and those of our workloads kept.
    let keep = |event: CoreEvent, index: &Index| {
        let seen = EventView::from(&event);
        let namespace = event.namespace()?;
        let key = index.workload_of_event(&namespace, &seen)?;
        Some((key, event.name_any(), seen))
    };
    let api = Api::all(client.clone());
    let mut events = Watch::new(EVENTS, api, all, keep, |index| &mut index.events);
    events.put = Table::put_event;
    events.spawn(shared, shutdown);
}

/// One watch, from objects `K` to what is kept of them, `T`.
struct Watch<K, T, Keep, At> {
    name: &'static str,
    api: Api<K>,
    config: watcher::Config,
    keep: Keep,
    table: At,
    put: fn(&mut Table<T>, WorkloadKey, String, T) -> Vec<WorkloadKey>,
}

/// How a watch came to a stop.
enum Stop {
    Anew,
    Shutdown,
}

impl<K, T, Keep, At> Watch<K, T, Keep, At>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    T: Send + Sync + 'static,
    Keep: Fn(K, &Index) -> Option<(WorkloadKey, String, T)> + Send + Sync + 'static,
    At: Fn(&mut Index) -> &mut Table<T> + Send + Sync + 'static,
{
    fn new(
        name: &'static str,
        api: Api<K>,
        config: watcher::Config,
        keep: Keep,
        table: At,
    ) -> Self {
        Watch {
            name,
            api,
            config,
            keep,
            table,
            put: Table::put,
        }
    }

    fn spawn(self, shared: &Arc<Shared>, shutdown: &CancellationToken) {
        let (shared, shutdown) = (shared.clone(), shutdown.clone());
        tokio::spawn(async move {
            let work = self.run(&shared);
            tokio::select! {
                () = work => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    async fn run(&self, shared: &Shared) {
        let mut returns = shared.link.returns();
        if returns.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        loop {
            returns.mark_unchanged();
            if self.name == EVENTS
                && shared
                    .link
                    .unread()
                    .wait_for(|left| *left == 0)
                    .await
                    .is_err()
            {
                return;
            }
            tokio::select! {
                biased;
                changed = returns.changed() => if changed.is_err() { return },
                stop = self.follow(shared) => if matches!(stop, Stop::Shutdown) { return },
            }
        }
    }

    /// Follows one stream until it fails too often.
    async fn follow(&self, shared: &Shared) -> Stop {
        shared.link.reading(self.name);
        let mut events = std::pin::pin!(watcher(self.api.clone(), self.config.clone()));
        let mut listed = HashSet::new();
        let mut failures: u32 = 0;
        loop {
            let error = match events.next().await {
                Some(Ok(event)) => {
                    // It begins a listing before it knows whether it can.
                    if !matches!(event, Event::Init) {
                        failures = 0;
                    }
                    self.take_in(shared, &mut listed, event);
                    continue;
                }
                Some(Err(error)) => error,
                None => return Stop::Shutdown,
            };
            failures += 1;
            let not_served = is_not_served(&error);
            if not_served {
                // No such kind: there are none of it.
                self.finish(shared, &HashSet::new());
            } else {
                tracing::debug!(watch = self.name, %error, "a watch failed; trying again");
                shared
                    .link
                    .cannot_read(self.name, describe(self.name, &error));
            }
            tokio::time::sleep(pause(failures)).await;
            if failures >= ANEW_AFTER && !not_served {
                tokio::time::sleep(pause(failures)).await;
                return Stop::Anew;
            }
        }
    }

    fn take_in(&self, shared: &Shared, listed: &mut HashSet<ObjectId>, event: Event<K>) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                listed.insert(id(&object));
                self.apply(shared, object);
            }
            Event::InitDone => self.finish(shared, &std::mem::take(listed)),
            Event::Apply(object) => self.apply(shared, object),
            Event::Delete(object) => {
                let changed = (self.table)(&mut shared.index_mut()).remove(&id(&object));
                shared.changed(changed);
            }
        }
    }

    fn apply(&self, shared: &Shared, object: K) {
        let mut index = shared.index_mut();
        let Some((key, name, kept)) = (self.keep)(object, &index) else {
            return;
        };
        let changed = (self.put)((self.table)(&mut index), key, name, kept);
        drop(index);
        if changed.is_empty() {
            tracing::error!(
                watch = self.name,
                "there are too many objects to watch; the rest is left out"
            );
        }
        shared.changed(changed);
    }

    /// The listing is complete: what it did not name is gone.
    fn finish(&self, shared: &Shared, listed: &HashSet<ObjectId>) {
        let gone = (self.table)(&mut shared.index_mut()).retain(listed);
        shared.link.read(self.name);
        shared.changed(gone);
    }
}

fn is_not_served(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.code == 404
}

fn id<K: Resource>(object: &K) -> ObjectId {
    let meta = object.meta();
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

fn describe(name: &'static str, error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => ClusterError::from_kube(error, name).to_string(),
        other => other.to_string(),
    }
}
