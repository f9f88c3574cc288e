//! The rollout of runtime profiles: which version each resource is translated through ([`book`]),
//! who moves next ([`decide`], pure), and where versions are kept ([`versions`]).
//!
//! Guarantees: what was decided is kept in the cluster before anybody moves, so that a controller
//! that is killed goes on with the same wave; a version that is refused changes nothing.

pub(crate) mod book;
pub mod decide;
pub mod report;
pub mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hermez_kinds::{Kind, RuntimeProfile};
use jiff::Timestamp;
use kube::api::{DynamicObject, ResourceExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher::watch_object};
use serde_json::Value;
use tokio::sync::watch;

use crate::ControllerError;
use crate::metrics::Metrics;
use crate::owned::{Senders, Wait};
use book::Book;
use decide::{Health, Key, Limits, Workload, step, waiting};
use versions::{Home, Refused, Remembered, STATE_NAME, admit, is_paused};

/// Time between looks while nothing is on its way: the safety net.
const IDLE: Duration = Duration::from_secs(30);
/// Time between looks while something is.
const BUSY: Duration = Duration::from_secs(2);
/// Time between a resource's change and the look that it causes.
const SETTLE: Duration = Duration::from_millis(250);
/// Versions that are kept though nobody uses them.
const UNUSED_KEPT: usize = 10;

/// The runtime profile as whoever runs the controllers has it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The newest version that could be read.
    pub profile: Arc<RuntimeProfile>,
    /// Why a newer one could not be read.
    pub fault: Option<String>,
}

/// Everything that the rollout works with.
pub(crate) struct Rollout {
    pub home: Home,
    pub book: Book,
    pub remembered: Remembered,
    pub offers: watch::Receiver<Offer>,
    pub limits: Limits,
    pub stores: Vec<(Kind, Store<DynamicObject>)>,
    pub senders: Senders,
    pub metrics: Metrics,
}

/// Reads what the cluster keeps, and takes the offered version when it may be taken.
pub(crate) async fn prepare(
    home: &Home,
    offers: &mut watch::Receiver<Offer>,
) -> Result<(Book, Remembered), ControllerError> {
    home.make().await?;
    let versions = home.versions().await?;
    let (mut remembered, _) = home.remembered().await?;
    let offer = offers.borrow_and_update().clone();
    let newest = versions.get(&remembered.rollout.target).cloned();
    let newest = newest.unwrap_or_else(|| offer.profile.clone());
    let book = Book::new(newest.clone(), versions, Some(remembered.rollout.clone()));
    take(home, &book, &mut remembered, &offer).await?;
    Ok((book, remembered))
}

/// Takes an offer, or remembers why not.
async fn take(
    home: &Home,
    book: &Book,
    remembered: &mut Remembered,
    offer: &Offer,
) -> Result<(), ControllerError> {
    let newest = book.newest();
    let refusal = admit(&book.versions(), Some(&newest), &offer.profile).err();
    if refusal.is_none() {
        if !book.versions().contains_key(&offer.profile.label()) {
            home.keep(&offer.profile).await?;
            tracing::info!(
                before = newest.label(),
                now = offer.profile.label(),
                "a new version of the runtime profile"
            );
        }
        book.set_newest(offer.profile.clone());
    }
    // What the file holds now comes before what could be read of it last.
    let fault = offer.fault.clone().or(refusal);
    let said = remembered.refused.as_ref().map(|refused| &refused.message);
    if said != fault.as_ref() {
        if let Some(fault) = &fault {
            tracing::warn!(
                in_use = book.newest().label(),
                fault,
                "the runtime profile was refused"
            );
        }
        remembered.refused = fault.map(|message| Refused {
            message,
            at: Timestamp::now(),
        });
        home.remember(remembered).await?;
    }
    Ok(())
}

impl Rollout {
    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let (paused, mut pauses) = watch::channel(None);
        let home = self.home.clone();
        let follow = follow_pause(&home, paused);
        let work = async {
            loop {
                let paused = *pauses.borrow_and_update();
                let busy = match self.look(paused).await {
                    Ok(busy) => busy,
                    Err(error) => {
                        tracing::warn!(%error, "the rollout of the runtime profile cannot go on; trying again");
                        tokio::time::sleep(BUSY).await;
                        true
                    }
                };
                let wait = if busy { BUSY } else { IDLE };
                let stirred = async {
                    self.book.stirred().await;
                    tokio::time::sleep(SETTLE).await;
                };
                let mut offers = self.offers.clone();
                // Where nobody offers any more, the profile is the last one that there will be.
                let open = offers.has_changed().is_ok();
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stirred, if busy => {}
                    _ = offers.changed(), if open => {}
                    changed = pauses.changed() => if changed.is_err() { return },
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = work => {}
        }
    }

    /// One look: takes what is offered, and moves whom it may. Whether anything is on its way.
    async fn look(&mut self, paused: Option<bool>) -> Result<bool, ControllerError> {
        if self.offers.has_changed().unwrap_or(false) {
            let offer = self.offers.borrow().clone();
            take(&self.home, &self.book, &mut self.remembered, &offer).await?;
            self.offers.mark_unchanged();
        }
        // Until it is known whether people paused it, it is.
        let paused = paused.unwrap_or(true);
        let workloads = self.workloads();
        let target = self.book.newest().label();
        let before = &self.remembered.rollout;
        let after = step(
            before,
            &target,
            paused,
            &workloads,
            self.limits,
            Timestamp::now(),
        );
        let waiting = waiting(&after, &workloads).len();
        self.metrics
            .rollout(waiting, after.moving.len(), after.stopped.is_some());
        let told: Vec<Key> = after
            .moving
            .iter()
            .filter(|moving| after.target != before.target || !before.is_told(&moving.key))
            .map(|moving| moving.key.clone())
            .collect();
        if after.stopped.is_some() && after.stopped != before.stopped {
            tracing::warn!(
                target,
                why = after.stopped,
                "the rollout of the runtime profile has stopped"
            );
        }
        let busy = !after.moving.is_empty() || (waiting > 0 && !paused);
        let ended = !busy && !before.moving.is_empty();
        if after != *before {
            let remembered = Remembered {
                rollout: after.clone(),
                ..self.remembered.clone()
            };
            self.home.remember(&remembered).await?;
            self.remembered = remembered;
        }
        self.book.set_rollout(after);
        for key in told {
            self.ask(&key).await;
        }
        if ended {
            self.tidy(&workloads).await?;
        }
        Ok(busy)
    }

    /// All resources, of all kinds.
    fn workloads(&self) -> Vec<Workload> {
        let all = self.stores.iter().flat_map(|(kind, store)| {
            let objects = store.state().into_iter();
            objects
                .map(|object| workload(*kind, &object))
                .collect::<Vec<_>>()
        });
        all.collect()
    }

    /// Asks for a resource's reconcile.
    async fn ask(&self, key: &Key) {
        let Some(kind) = Kind::from_spelling(&key.kind) else {
            return;
        };
        let reference = ObjectRef::new_with(&key.name, kind.api_resource()).within(&key.namespace);
        if let Some(sender) = self.senders.get(&kind) {
            // Only fails when the controller has ended.
            let _ = sender.send(reference).await;
        }
    }

    /// Forgets versions that nobody uses, but for the newest of them.
    async fn tidy(&self, workloads: &[Workload]) -> Result<(), ControllerError> {
        let used: BTreeSet<&str> = workloads
            .iter()
            .filter_map(|workload| workload.profile.as_deref())
            .collect();
        let newest = self.book.newest().label();
        let versions = self.book.versions();
        let unused = versions.values().filter(|profile| {
            !used.contains(profile.label().as_str()) && profile.label() != newest
        });
        let mut unused: Vec<_> = unused.collect();
        unused.sort_by_key(|profile| std::cmp::Reverse(profile.version));
        for profile in unused.into_iter().skip(UNUSED_KEPT) {
            self.home.forget(profile).await?;
            self.book.forget(&profile.label());
        }
        Ok(())
    }
}

/// Follows whether people paused the rollout.
async fn follow_pause(home: &Home, paused: watch::Sender<Option<bool>>) {
    let found = watch_object(home.config_maps(), STATE_NAME).backoff(Wait::default());
    let mut found = std::pin::pin!(found);
    while let Some(found) = found.next().await {
        match found {
            Ok(found) => {
                let data = found
                    .and_then(|config_map| config_map.data)
                    .unwrap_or_default();
                let is = Some(is_paused(&data));
                paused.send_if_modified(|known| std::mem::replace(known, is) != is);
            }
            Err(error) => tracing::debug!(%error, "the rollout's ConfigMap cannot be watched"),
        }
    }
}

/// A resource as the rollout sees it. Pure.
pub(crate) fn workload(kind: Kind, object: &DynamicObject) -> Workload {
    let status = object.data.get("status").unwrap_or(&Value::Null);
    let condition = |name: &str| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let mut found = conditions.filter(|condition| condition["type"] == name);
        let found = found.next()?;
        Some((
            found["status"].as_str()?,
            found["message"].as_str().unwrap_or_default(),
        ))
    };
    let current = status["observedGeneration"].as_i64() == object.metadata.generation;
    let holds = |name: &str| condition(name).filter(|(truth, _)| *truth == "True");
    let unavailable = condition("Available").is_some_and(|(truth, _)| truth != "True");
    let health = match holds("Stalled") {
        Some((_, why)) => Health::Stalled(why.to_owned()),
        None if !current || unavailable || holds("Reconciling").is_some() => Health::Unsettled,
        None => Health::Well,
    };
    Workload {
        key: Key {
            kind: kind.name().to_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        },
        profile: status["profile"].as_str().map(str::to_owned),
        health,
        moves: book::moves(kind) && object.metadata.deletion_timestamp.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value)] // it takes literals
    fn health(generation: i64, conditions: Value) -> Health {
        let object = json!({
            "metadata": {"name": "a", "namespace": "n", "generation": generation},
            "status": {"observedGeneration": 2, "profile": "p@1", "conditions": conditions},
        });
        let object = serde_json::from_value(object).expect("an object");
        let workload = workload(Kind::Service, &object);
        assert_eq!(workload.profile.as_deref(), Some("p@1"));
        workload.health
    }

    #[test]
    fn a_workload_is_well_when_it_is_current_and_available() {
        let is = |kind: &str, truth: &str| json!([{"type": kind, "status": truth, "message": "m"}]);
        assert_eq!(health(2, json!([])), Health::Well);
        assert_eq!(health(2, is("Available", "True")), Health::Well);
        assert_eq!(health(2, is("Available", "False")), Health::Unsettled);
        assert_eq!(health(2, is("Reconciling", "True")), Health::Unsettled);
        assert_eq!(health(3, json!([])), Health::Unsettled);
        assert_eq!(
            health(2, is("Stalled", "True")),
            Health::Stalled("m".into())
        );
    }
}
