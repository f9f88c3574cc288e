//! The index: every watched object, by its workload.
//!
//! Guarantees: an object belongs to one workload (the label `pinterest.com/workload`, or, for the
//! resource itself, its name); a table holds at most [`MAX_OBJECTS`] objects and a workload at most
//! [`MAX_EVENTS`] events. What it holds stays readable while the cluster is away.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use hermez_kinds::Kind;

use crate::WorkloadKey;
use crate::declared::Declared;
use crate::view::{DeploymentView, EventView, PodView, ReplicaSetView, ServiceView};

/// Most objects in one table.
const MAX_OBJECTS: usize = 200_000;
/// Most events of one workload; older ones go.
pub(crate) const MAX_EVENTS: usize = 100;

/// Namespace and name of an object.
pub(crate) type ObjectId = (String, String);

/// Objects of one type, by their workload.
#[derive(Debug)]
pub(crate) struct Table<T> {
    workloads: HashMap<WorkloadKey, BTreeMap<String, Arc<T>>>,
    owners: HashMap<ObjectId, String>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table {
            workloads: HashMap::new(),
            owners: HashMap::new(),
        }
    }
}

impl<T> Table<T> {
    /// Puts an object in, in place of the one of the same name. Returns the workloads that change,
    /// or none when the table is full.
    pub fn put(&mut self, key: WorkloadKey, name: String, object: T) -> Vec<WorkloadKey> {
        let full = self.owners.len() >= MAX_OBJECTS;
        let mut changed = Vec::with_capacity(1);
        match self.owners.entry((key.namespace.clone(), name.clone())) {
            Entry::Vacant(_) if full => return changed,
            Entry::Vacant(slot) => {
                slot.insert(key.name.clone());
            }
            Entry::Occupied(mut slot) => {
                let before = slot.insert(key.name.clone());
                if before != key.name {
                    let before = WorkloadKey {
                        namespace: key.namespace.clone(),
                        name: before,
                    };
                    self.take_out(&before, &name);
                    changed.push(before);
                }
            }
        }
        self.workloads
            .entry(key.clone())
            .or_default()
            .insert(name, Arc::new(object));
        changed.push(key);
        changed
    }

    /// Takes an object out; its workload, when it was there.
    pub fn remove(&mut self, id: &ObjectId) -> Option<WorkloadKey> {
        let key = WorkloadKey {
            namespace: id.0.clone(),
            name: self.owners.remove(id)?,
        };
        self.take_out(&key, &id.1);
        Some(key)
    }

    /// Takes out all objects but these; the workloads of those that went.
    pub fn retain(&mut self, keep: &HashSet<ObjectId>) -> HashSet<WorkloadKey> {
        let gone: Vec<ObjectId> = self
            .owners
            .keys()
            .filter(|id| !keep.contains(*id))
            .cloned()
            .collect();
        gone.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// The objects of a workload, by name.
    pub fn of(&self, key: &WorkloadKey) -> Vec<Arc<T>> {
        let objects = self.workloads.get(key);
        objects
            .map(|objects| objects.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Every workload that has any, with them.
    pub fn all(&self) -> impl Iterator<Item = (&WorkloadKey, &Arc<T>)> {
        let workloads = self.workloads.iter();
        workloads.flat_map(|(key, objects)| objects.values().map(move |object| (key, object)))
    }

    /// An object of a workload.
    pub fn named(&self, key: &WorkloadKey, name: &str) -> Option<Arc<T>> {
        self.workloads.get(key)?.get(name).cloned()
    }

    /// The workload of an object.
    pub fn owner(&self, namespace: &str, name: &str) -> Option<WorkloadKey> {
        let owner = self.owners.get(&(namespace.to_owned(), name.to_owned()))?;
        Some(WorkloadKey {
            namespace: namespace.to_owned(),
            name: owner.clone(),
        })
    }

    /// Whether the workload has any.
    pub fn has(&self, key: &WorkloadKey) -> bool {
        self.workloads.contains_key(key)
    }

    fn take_out(&mut self, key: &WorkloadKey, name: &str) {
        if let Some(objects) = self.workloads.get_mut(key) {
            objects.remove(name);
            if objects.is_empty() {
                self.workloads.remove(key);
            }
        }
    }
}

impl Table<EventView> {
    /// Puts an event in; the workload's oldest one goes when it has too many.
    pub fn put_event(
        &mut self,
        key: WorkloadKey,
        name: String,
        event: EventView,
    ) -> Vec<WorkloadKey> {
        let changed = self.put(key.clone(), name, event);
        let events = self.workloads.get(&key);
        let oldest = events
            .filter(|events| events.len() > MAX_EVENTS)
            .and_then(|events| {
                let oldest = events.iter().min_by_key(|(_, event)| event.at);
                oldest.map(|(name, _)| name.clone())
            });
        if let Some(name) = oldest {
            self.remove(&(key.namespace, name));
        }
        changed
    }
}

/// Every watched object.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The workloads' own resources, a table for each kind.
    pub declared: BTreeMap<Kind, Table<Declared>>,
    /// Deployments.
    pub deployments: Table<DeploymentView>,
    /// ReplicaSets.
    pub replica_sets: Table<ReplicaSetView>,
    /// Pods.
    pub pods: Table<PodView>,
    /// Services.
    pub services: Table<ServiceView>,
    /// Events.
    pub events: Table<EventView>,
}

/// All that is known of one workload; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// Its resource.
    pub declared: Option<Arc<Declared>>,
    /// Its Deployment.
    pub deployment: Option<Arc<DeploymentView>>,
    /// Its ReplicaSets, of all versions.
    pub replica_sets: Vec<Arc<ReplicaSetView>>,
    /// Its pods, of all versions.
    pub pods: Vec<Arc<PodView>>,
    /// Its Services.
    pub services: Vec<Arc<ServiceView>>,
    /// Its events.
    pub events: Vec<Arc<EventView>>,
}

impl Workload {
    /// The version of the newest pods, as they carry it; none while it is not known.
    pub fn newest_version(&self) -> Option<&str> {
        match self.declared.as_ref().map(|declared| declared.kind) {
            Some(Kind::Service) | None => self.newest().map(|set| set.hash.as_str()),
            Some(_) => self.declared.as_ref()?.progress.revision.as_deref(),
        }
    }

    /// The ReplicaSet of the newest version; none while Kubernetes has not made it.
    pub fn newest(&self) -> Option<&ReplicaSetView> {
        let template = self.deployment.as_ref()?.template;
        let sets = self.replica_sets.iter().map(AsRef::as_ref);
        let same = |set: &&ReplicaSetView| !set.hash.is_empty() && set.template == template;
        sets.filter(same).max_by_key(|set| set.revision)
    }
}

impl Index {
    /// What the resource of that kind says.
    pub fn declared_as(&self, kind: Kind, key: &WorkloadKey) -> Option<Arc<Declared>> {
        self.declared.get(&kind)?.named(key, &key.name)
    }

    /// All that is known of one workload.
    pub fn workload(&self, key: &WorkloadKey) -> Workload {
        Workload {
            declared: self.declared.values().find_map(|table| table.of(key).pop()),
            deployment: self.deployments.named(key, &key.name),
            replica_sets: self.replica_sets.of(key),
            pods: self.pods.of(key),
            services: self.services.of(key),
            events: self.events.of(key),
        }
    }

    /// The workload that an event is about, when it is one that Hermez runs.
    pub fn workload_of_event(&self, namespace: &str, event: &EventView) -> Option<WorkloadKey> {
        let name = event.name.as_str();
        let known = match event.kind.as_str() {
            "Pod" => self.pods.owner(namespace, name),
            "ReplicaSet" => self.replica_sets.owner(namespace, name),
            "Deployment" => self.deployments.owner(namespace, name),
            "Service" => self.services.owner(namespace, name),
            _ => None,
        };
        let named = || {
            let key = WorkloadKey {
                namespace: namespace.to_owned(),
                name: event.workload_name()?.to_owned(),
            };
            let is_ours = self.declared.values().any(|table| table.has(&key));
            is_ours.then_some(key)
        };
        known
            .or_else(named)
            .or_else(|| self.workload_by_prefix(namespace, event))
    }

    /// The workload of an object that is named as its workload with something appended, for kinds
    /// whose pods are not a Deployment's: the longest name that fits.
    fn workload_by_prefix(&self, namespace: &str, event: &EventView) -> Option<WorkloadKey> {
        let kinds = ["Pod", "Job", "CronJob", "StatefulSet", "Deployment"];
        if !kinds.contains(&event.kind.as_str()) {
            return None;
        }
        let ends = event.name.match_indices('-').map(|(end, _)| end);
        let ends = std::iter::once(event.name.len()).chain(ends.rev());
        let keys = ends.map(|end| WorkloadKey::new(namespace, &event.name[..end]));
        let others = || {
            self.declared
                .iter()
                .filter(|(kind, _)| **kind != Kind::Service)
        };
        keys.into_iter()
            .find(|key| others().any(|(_, table)| table.has(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> WorkloadKey {
        WorkloadKey {
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    fn mk_event(kind: &str, name: &str, minute: i64) -> EventView {
        EventView {
            kind: kind.into(),
            name: name.into(),
            since: None,
            at: jiff::Timestamp::from_second(minute * 60).ok(),
            warning: false,
            reason: "Pulled".into(),
            message: String::new(),
            count: 1,
        }
    }

    #[test]
    fn an_object_that_changes_its_workload_leaves_the_old_one() {
        let mut table = Table::default();
        assert_eq!(table.put(key("a"), "p".into(), 1), [key("a")]);
        assert_eq!(table.put(key("b"), "p".into(), 2), [key("a"), key("b")]);
        assert!(!table.has(&key("a")));
        assert_eq!(table.of(&key("b")), [Arc::new(2)]);
        assert_eq!(table.remove(&("ns".into(), "p".into())), Some(key("b")));
        assert_eq!(table.remove(&("ns".into(), "p".into())), None);
        assert!(!table.has(&key("b")));
    }

    #[test]
    fn what_a_new_listing_does_not_name_is_gone() {
        let mut table = Table::default();
        table.put(key("a"), "p".into(), 1);
        table.put(key("a"), "q".into(), 2);
        let gone = table.retain(&HashSet::from([("ns".into(), "q".into())]));
        assert_eq!(gone, HashSet::from([key("a")]));
        assert_eq!(table.of(&key("a")), [Arc::new(2)]);
    }

    #[test]
    fn a_workload_keeps_its_newest_events() {
        let mut table = Table::default();
        for minute in 0..=MAX_EVENTS as i64 {
            table.put_event(key("a"), format!("e{minute}"), mk_event("Pod", "p", minute));
        }
        let kept = table.of(&key("a"));
        assert_eq!(kept.len(), MAX_EVENTS);
        assert!(
            kept.iter()
                .all(|event| event.at > jiff::Timestamp::from_second(0).ok())
        );
    }

    #[test]
    fn events_of_others_are_not_kept() {
        let mut index = Index::default();
        let declared = Declared::read(
            Kind::Service,
            &kube::api::DynamicObject::new("hello", &Kind::Service.api_resource()),
        );
        let table = index.declared.entry(Kind::Service).or_default();
        table.put(key("hello"), "hello".into(), declared);
        let of = |event: &EventView| index.workload_of_event("ns", event);
        assert_eq!(of(&mk_event("Pod", "hello-abc-xyz", 0)), Some(key("hello")));
        assert_eq!(of(&mk_event("Pod", "hello-world-abc-xyz", 0)), None);
        assert_eq!(of(&mk_event("Node", "hello", 0)), None);
    }

    #[test]
    fn objects_of_jobs_are_found_by_the_longest_name_that_fits() {
        let mut index = Index::default();
        for name in ["train", "train-big"] {
            let resource = kube::api::DynamicObject::new(name, &Kind::TrainingJob.api_resource());
            let declared = Declared::read(Kind::TrainingJob, &resource);
            let table = index.declared.entry(Kind::TrainingJob).or_default();
            table.put(key(name), name.into(), declared);
        }
        let of = |kind: &str, name: &str| index.workload_of_event("ns", &mk_event(kind, name, 0));
        assert_eq!(of("Job", "train-big-1"), Some(key("train-big")));
        assert_eq!(of("Pod", "train-workers-0-x2c4v"), Some(key("train")));
        assert_eq!(of("Pod", "training-0"), None);
        assert_eq!(of("Node", "train-1"), None);
    }

    #[test]
    fn a_pod_with_a_cut_name_is_found_by_its_label() {
        let mut index = Index::default();
        let long = "a".repeat(63);
        index
            .pods
            .put(key(&long), "aaaa-xyz12".into(), PodView::default());
        let found = index.workload_of_event("ns", &mk_event("Pod", "aaaa-xyz12", 0));
        assert_eq!(found, Some(key(&long)));
    }
}
