//! One resource: translate it, write what is not yet as wanted, delete what is no longer wanted,
//! and say in its status how it does.
//!
//! Guarantees: nothing is written when nothing differs; an object that belongs to somebody else is
//! never touched; what is deleted is named by its uid, so that it is the one that was seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hermez_kinds::names::{
    APPLIED_ANNOTATION, CONTROLLER_MANAGER, PROFILE_ANNOTATION, SPEC_ANNOTATION,
};
use hermez_kinds::{Kind, Resource, RuntimeProfile};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, ResourceExt,
};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::difference;
use crate::drift::{self, Drift};
use crate::error::{ControllerError, ReconcileError, Stalled};
use crate::flink::Observer;
use crate::gang;
use crate::kinds::{self, Outside, Plan, Refusal, Seen};
use crate::metrics::Metrics;
use crate::owned::{Objects, Owned, is_owned_by, version};
use crate::rollout::book::{self, Book};
use crate::rollout::decide::Key;

/// First wait after a failure; it doubles with each further one.
const RETRY: Duration = Duration::from_secs(1);
/// Longest wait between tries.
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// What every reconcile of one kind needs.
pub(crate) struct Context {
    pub kind: Kind,
    pub client: Client,
    pub owned: Owned,
    pub book: Book,
    pub recorder: Recorder,
    pub metrics: Metrics,
    /// Asks Flink how streaming jobs do.
    pub flink: Observer,
    /// Who wants to know of edits that were put back.
    pub drift: Option<mpsc::Sender<Drift>>,
    /// What is remembered of resources, by uid.
    pub memory: Mutex<HashMap<String, Memory>>,
}

/// What is remembered of a resource between its reconciles.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Failures in a row.
    failures: u32,
    /// Version and status that we wrote last, until the cache has caught up with it.
    status: Option<(u64, Value)>,
    /// Of objects that the API server keeps in other words than we write them, by `Kind/name`: the
    /// hash of what we wrote and the version that came of it.
    reworded: HashMap<String, (String, Option<String>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reconciles one resource.
pub(crate) async fn reconcile(
    object: Arc<DynamicObject>,
    context: Arc<Context>,
) -> Result<Action, ControllerError> {
    let uid = object.uid().unwrap_or_default();
    let kind = context.kind.name();
    let namespace = object.namespace().unwrap_or_default();
    context.metrics.begins(kind, &namespace, &object.name_any());
    if object.metadata.deletion_timestamp.is_some() {
        // Kubernetes deletes what it owns.
        lock(&context.memory).remove(&uid);
        context.flink.forget(&uid);
        return Ok(Action::await_change());
    }
    context.owned.ready().await?;
    let begun = Instant::now();
    let result = context.bring_about(&object).await;
    context.metrics.reconciled(kind, begun.elapsed());
    context.metrics.cached(context.owned.len());
    context.book.stir();
    let (again_after, stalled) = match result {
        Ok(again_after) => (again_after, None),
        Err(ReconcileError::Stalled(stalled)) => (None, Some(stalled)),
        Err(ReconcileError::Controller(ControllerError::Outdated)) => return Ok(read_again()),
        Err(ReconcileError::Controller(error)) => {
            context.metrics.failed(kind, "Api");
            return Err(error);
        }
    };
    if let Some(stalled) = &stalled {
        context.metrics.failed(kind, stalled.reason());
        match context.say_stalled(&object, stalled).await {
            Err(ControllerError::Outdated) => return Ok(read_again()),
            said => said?,
        }
    }
    let refused = matches!(
        stalled,
        Some(Stalled::Refused { .. } | Stalled::Taken { .. })
    );
    if refused {
        // A quota may be raised, or the object deleted, without a word to us.
        return Ok(Action::requeue(context.retry_after(&uid)));
    }
    context.remember(&uid, |memory| memory.failures = 0);
    Ok(again_after.map_or_else(Action::await_change, Action::requeue))
}

/// The watch brings the newer resource at once; this is for when it brought it before now.
fn read_again() -> Action {
    Action::requeue(RETRY)
}

/// When to try again after an error of the API server.
#[allow(clippy::needless_pass_by_value)] // the signature that kube's Controller asks for
pub(crate) fn after_error(
    object: Arc<DynamicObject>,
    error: &ControllerError,
    context: Arc<Context>,
) -> Action {
    let wait = context.retry_after(&object.uid().unwrap_or_default());
    tracing::warn!(kind = context.kind.name(), name = object.name_any(), %error, "a reconcile failed; trying again");
    Action::requeue(wait)
}

impl Context {
    fn remember<T>(&self, uid: &str, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(lock(&self.memory).entry(uid.to_owned()).or_default())
    }

    fn retry_after(&self, uid: &str) -> Duration {
        let failures = self.remember(uid, |memory| {
            memory.failures += 1;
            memory.failures
        });
        RETRY
            .saturating_mul(1 << (failures - 1).min(6))
            .min(LONGEST_RETRY)
    }

    /// Forgets resources that are gone.
    pub(crate) fn forget_all_but(&self, uids: &std::collections::HashSet<String>) {
        lock(&self.memory).retain(|uid, _| uids.contains(uid));
    }

    /// Makes the cluster hold what the resource stands for, and says in its status how it does.
    /// Returns when to look again though nothing changes.
    async fn bring_about(
        &self,
        object: &DynamicObject,
    ) -> Result<Option<Duration>, ReconcileError> {
        let resource = self.read(object)?;
        let uid = object.uid().unwrap_or_default();
        let before = self.status_of(object);
        let outside = self.outside(&resource, &before).await;
        let owned = self.owned.all_of(&uid);
        let profile = self.profile_of(object, &owned, &before);
        let profile = profile.map_err(|label| Stalled::ProfileLost { label })?;
        let mut seen = Seen {
            resource: &resource,
            generation: object.metadata.generation,
            profile: &profile,
            owned: &owned,
            before: &before,
            now: Timestamp::now(),
        };
        let Plan {
            objects,
            keep,
            gang,
            mut status,
            again_after,
            notes,
            in_the_way,
            refused,
        } = kinds::plan(&seen, &outside)?;
        if let Some(Refusal { reason, message }) = refused {
            return Err(Stalled::Impossible { reason, message }.into());
        }
        if let Some(gang) = &gang {
            let short = gang::admit(&self.client, gang).await?;
            gang::remember(short, &mut status);
            status = status.map(|status| kinds::status(&seen.with(&status), &outside, None));
        }
        if let Some(status) = &status {
            self.write_status(object, seen.before, status).await?;
            seen.before = status;
        }
        for (reason, message) in notes {
            let kind = if is_warning(reason) {
                EventType::Warning
            } else {
                EventType::Normal
            };
            self.tell(object, kind, reason, &message).await;
        }
        let label = profile.label();
        let mut wanted = self.write_all(object, &resource, &label, objects).await?;
        wanted.extend(keep);
        self.prune(object, &wanted).await?;
        if let Some(pod) = in_the_way {
            self.make_way(object, &pod).await?;
        }
        let owned = self.owned.all_of(&uid);
        let seen = Seen {
            owned: &owned,
            ..seen
        };
        let after = kinds::status(&seen, &outside, None);
        self.write_status(object, seen.before, &after).await?;
        Ok(again_after)
    }

    /// The version of the runtime profile that the resource is translated through now.
    ///
    /// # Errors
    /// The label of the version that it keeps, when that is lost.
    fn profile_of(
        &self,
        object: &DynamicObject,
        owned: &Objects,
        status: &Value,
    ) -> Result<Arc<RuntimeProfile>, String> {
        let key = Key {
            kind: self.kind.name().to_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        };
        let mark = book::mark(owned, status, &self.book.newest().label());
        let spec = book::SpecHash::of(self.kind, object);
        self.book.choose(&key, mark.as_ref(), &spec)
    }

    /// The status as it stands: what we wrote last, until the cache has caught up with it.
    fn status_of(&self, object: &DynamicObject) -> Value {
        let cached = object.data.get("status").cloned();
        let cached = cached.unwrap_or_else(|| json!({}));
        self.remember(&object.uid().unwrap_or_default(), |memory| {
            match (&memory.status, version(object)) {
                (Some((written, status)), Some(seen)) if seen < *written => status.clone(),
                _ => {
                    memory.status = None;
                    cached
                }
            }
        })
    }

    /// The newest version of the resource that is known here: that of our own last write, until the
    /// cache has caught up with it.
    fn version_of(&self, object: &DynamicObject) -> Option<String> {
        let uid = object.uid().unwrap_or_default();
        let written = self.remember(&uid, |memory| {
            memory.status.as_ref().map(|(version, _)| *version)
        });
        written.max(version(object)).map(|it| it.to_string())
    }

    /// What is to be known from outside of Kubernetes before a plan is made.
    async fn outside(&self, resource: &Resource, before: &Value) -> Outside {
        match resource {
            Resource::StreamingJob(job) => Outside {
                flink: self.flink.observe(job, before).await,
            },
            _ => Outside::default(),
        }
    }

    /// The resource, checked.
    fn read(&self, object: &DynamicObject) -> Result<Resource, ReconcileError> {
        let resource = self.kind.read(bare(object))?;
        let violations: Vec<String> = resource
            .violations()
            .iter()
            .map(ToString::to_string)
            .collect();
        if violations.is_empty() {
            Ok(resource)
        } else {
            Err(Stalled::Violations(violations.join("; ")).into())
        }
    }

    /// Applies what is not yet as wanted; returns kind and name of everything wanted.
    async fn write_all(
        &self,
        owner: &DynamicObject,
        resource: &Resource,
        profile: &str,
        objects: Vec<DynamicObject>,
    ) -> Result<Vec<(String, String)>, ReconcileError> {
        let mut wanted = Vec::with_capacity(objects.len());
        let mut changed = Vec::new();
        let spec = book::SpecHash::of(self.kind, owner);
        for mut desired in objects {
            if book::makes_pods(&desired) {
                let annotations = desired.annotations_mut();
                annotations.insert(PROFILE_ANNOTATION.to_owned(), profile.to_owned());
                annotations.insert(SPEC_ANNOTATION.to_owned(), spec.mark().to_owned());
            }
            let types = desired.types.clone().unwrap_or_default();
            let Some(native) = self.owned.resource(&types.api_version, &types.kind) else {
                unreachable!(
                    "{} makes a {} that is not watched",
                    self.kind.name(),
                    types.kind
                )
            };
            let name = desired.name_any();
            if self
                .write_if_needed(owner, native, desired, resource)
                .await?
            {
                changed.push(format!("{}/{name}", native.kind));
            }
            wanted.push((native.kind.clone(), name));
        }
        if !changed.is_empty() {
            let message = format!("applied {} through {profile}", changed.join(", "));
            self.tell(owner, EventType::Normal, "Applied", &message)
                .await;
        }
        Ok(wanted)
    }

    /// Applies an object unless the cluster has it already; says whether it wrote.
    async fn write_if_needed(
        &self,
        owner: &DynamicObject,
        native: &ApiResource,
        mut desired: DynamicObject,
        resource: &Resource,
    ) -> Result<bool, ReconcileError> {
        let (namespace, name) = (resource.namespace().to_owned(), desired.name_any());
        let uid = owner.uid().unwrap_or_default();
        desired.metadata.namespace = Some(namespace.clone());
        desired.metadata.owner_references = Some(vec![owner_reference(owner, self.kind)]);
        let mut value = serde_json::to_value(&desired)?;
        let hash = difference::hash(&value);
        value["metadata"]["annotations"][APPLIED_ANNOTATION] = json!(hash);
        let mut wanted = value.clone();
        if let Some(fields) = wanted.as_object_mut() {
            // Objects of a list have none of their own.
            fields.retain(|field, _| field != "apiVersion" && field != "kind");
        }

        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, native);
        let object = format!("{}/{name}", native.kind);
        let is_as_wanted = |live: &DynamicObject| -> Result<bool, ReconcileError> {
            let same = live.annotations().get(APPLIED_ANNOTATION) == Some(&hash)
                && difference::contains(&serde_json::to_value(live)?, &wanted);
            Ok(same || self.is_reworded(&uid, &object, &hash, live))
        };
        let cached = self.owned.get(native, &namespace, &name);
        if let Some(live) = &cached
            && is_owned_by(live, &uid)
            && is_as_wanted(live)?
        {
            return Ok(false);
        }
        // The cache leaves out who edited what, and does not know what is there without our label.
        let found = match &cached {
            Some(live) if live.annotations().get(APPLIED_ANNOTATION) != Some(&hash) => {
                Some(live.as_ref().clone())
            }
            _ => api.get_opt(&name).await?,
        };
        if let Some(found) = &found {
            if !is_owned_by(found, &uid) {
                return Err(Stalled::Taken { object }.into());
            }
            if is_as_wanted(found)? {
                self.owned.wrote(native, found.clone());
                return Ok(false);
            }
            if found.annotations().get(APPLIED_ANNOTATION) == Some(&hash) {
                let places = difference::places(&serde_json::to_value(found)?, &wanted);
                self.tell_drift(owner, object.clone(), &places, found).await;
            }
        }
        let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
        let written = match api.patch(&name, &parameters, &Patch::Apply(&value)).await {
            Ok(written) => written,
            Err(kube::Error::Api(refusal)) if is_refusal(refusal.code) => {
                return Err(Stalled::Refused {
                    object,
                    message: refusal.message.clone(),
                }
                .into());
            }
            Err(error) => return Err(error.into()),
        };
        self.metrics.wrote("apply", &native.plural);
        let in_other_words = !difference::contains(&serde_json::to_value(&written)?, &wanted);
        self.remember(&uid, |memory| {
            memory.reworded.remove(&object);
            if in_other_words {
                let version = written.resource_version();
                memory.reworded.insert(object, (hash, version));
            }
        });
        self.owned.wrote(native, written);
        Ok(true)
    }

    /// Whether an object is what came of our last write of the same, in the API server's own words.
    fn is_reworded(&self, uid: &str, object: &str, hash: &str, live: &DynamicObject) -> bool {
        self.remember(uid, |memory| {
            let known = memory.reworded.get(object);
            known.is_some_and(|(written, version)| {
                written == hash && *version == live.resource_version()
            })
        })
    }

    /// Says who edited what is ours.
    async fn tell_drift(
        &self,
        owner: &DynamicObject,
        object: String,
        places: &[Vec<difference::Step>],
        found: &DynamicObject,
    ) {
        let namespace = owner.namespace().unwrap_or_default();
        let name = owner.name_any();
        let whose = (self.kind.name(), namespace.as_str(), name.as_str());
        let drift = drift::describe(whose, object, places, found.managed_fields());
        self.metrics.drifted(self.kind.name());
        self.tell(owner, EventType::Warning, "Drift", &drift.told())
            .await;
        // Where nobody takes them in time, the event still tells it.
        if let Some(drifts) = &self.drift
            && drifts.try_send(drift).is_err()
        {
            tracing::debug!("an edit that was put back is not in the record");
        }
    }

    /// Deletes what the resource once became and no longer does.
    async fn prune(
        &self,
        owner: &DynamicObject,
        wanted: &[(String, String)],
    ) -> Result<(), ReconcileError> {
        for (native, object) in self.owned.of(&owner.uid().unwrap_or_default()) {
            let name = object.name_any();
            let is_wanted = wanted
                .iter()
                .any(|(kind, wanted)| *kind == native.kind && *wanted == name);
            if is_wanted || object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            // The next attempt has the same host names: a job is gone when its pods are.
            let parameters = match native.kind.as_str() {
                "Job" => DeleteParams::foreground(),
                _ => DeleteParams::background(),
            };
            if !self.delete(&native, &object.metadata, parameters).await? {
                continue;
            }
            let message = format!(
                "deleted {}/{name}: the spec does not ask for it any more",
                native.kind
            );
            self.tell(owner, EventType::Normal, "Pruned", &message)
                .await;
        }
        Ok(())
    }

    /// Deletes a pod that keeps Kubernetes from going on.
    async fn make_way(&self, owner: &DynamicObject, pod: &Pod) -> Result<(), ReconcileError> {
        let native = ApiResource::erase::<Pod>(&());
        let parameters = DeleteParams::default();
        if self.delete(&native, &pod.metadata, parameters).await? {
            let name = pod.name_any();
            let message = format!(
                "deleted Pod/{name}: it is of an older version and does not start, and Kubernetes brings out no newer one before it does"
            );
            self.tell(owner, EventType::Normal, "Replaced", &message)
                .await;
        }
        Ok(())
    }

    /// Deletes an object that was seen; not where it is gone, or another of its name there by now.
    async fn delete(
        &self,
        native: &ApiResource,
        seen: &ObjectMeta,
        parameters: DeleteParams,
    ) -> Result<bool, ReconcileError> {
        let namespace = seen.namespace.as_deref().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, native);
        let preconditions = Preconditions {
            uid: seen.uid.clone(),
            ..Preconditions::default()
        };
        let name = seen.name.as_deref().unwrap_or_default();
        match api
            .delete(name, &parameters.preconditions(preconditions))
            .await
        {
            Ok(_) => {}
            Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.metrics.wrote("delete", &native.plural);
        Ok(true)
    }

    /// Says in the status why a resource cannot go on, and once in an event.
    async fn say_stalled(
        &self,
        object: &DynamicObject,
        stalled: &Stalled,
    ) -> Result<(), ControllerError> {
        let before = self.status_of(object);
        let message = stalled.to_string();
        let owned = self.owned.all_of(&object.uid().unwrap_or_default());
        let profile = self.profile_of(object, &owned, &before);
        let profile = profile.unwrap_or_else(|label| Arc::new(nameplate(&label)));
        let refusal = Refusal {
            reason: stalled.reason(),
            message: message.clone(),
        };
        let after = match &self.kind.read(bare(object)) {
            Ok(resource) => {
                let seen = Seen {
                    resource,
                    generation: object.metadata.generation,
                    profile: &profile,
                    owned: &owned,
                    before: &before,
                    now: Timestamp::now(),
                };
                kinds::status(&seen, &Outside::default(), Some(&refusal))
            }
            Err(_) => kinds::unreadable(
                &before,
                object.metadata.generation,
                &refusal,
                Timestamp::now(),
            ),
        };
        let said = before["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|condition| {
                condition["type"] == "Stalled" && condition["message"] == message.as_str()
            });
        if !said {
            self.tell(object, EventType::Warning, stalled.reason(), &message)
                .await;
        }
        self.write_status(object, &before, &after).await
    }

    /// Writes the status, unless it says the same already.
    ///
    /// # Errors
    /// [`ControllerError::Outdated`] when the resource is not any more what was read: a controller
    /// that has just become the leader may read a cache that lags behind what the last one wrote.
    async fn write_status(
        &self,
        object: &DynamicObject,
        before: &Value,
        after: &Value,
    ) -> Result<(), ControllerError> {
        if after == before {
            return Ok(());
        }
        let namespace = object.namespace().unwrap_or_default();
        let name = object.name_any();
        let api_resource = self.kind.api_resource();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &namespace, &api_resource);
        let patch = json!({
            "apiVersion": api_resource.api_version,
            "kind": api_resource.kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": object.metadata.uid,
                "resourceVersion": self.version_of(object),
            },
            "status": after,
        });
        let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
        match api
            .patch_status(&name, &parameters, &Patch::Apply(&patch))
            .await
        {
            Ok(written) => {
                self.metrics.wrote("status", &api_resource.plural);
                if let Some(version) = version(&written) {
                    let uid = object.uid().unwrap_or_default();
                    let status = written.data.get("status").cloned();
                    let status = status.unwrap_or_else(|| after.clone());
                    self.remember(&uid, |memory| memory.status = Some((version, status)));
                }
            }
            // Deleted meanwhile.
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                return Err(ControllerError::Outdated);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A Kubernetes event on the resource; one that cannot be written is only worth a line in the log.
    async fn tell(&self, object: &DynamicObject, kind: EventType, reason: &str, message: &str) {
        let reference = object.object_ref(&self.kind.api_resource());
        let event = Event {
            type_: kind,
            reason: reason.to_owned(),
            note: Some(message.chars().take(1000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::debug!(%error, "an event could not be written");
        }
    }
}

/// Whether an event of this reason tells of something that went wrong.
fn is_warning(reason: &str) -> bool {
    reason.ends_with("Failed") || reason.ends_with("Exceeded") || reason == "Restarting"
}

/// Stands for a version of a runtime profile of which nothing but its label is known.
fn nameplate(label: &str) -> RuntimeProfile {
    let (name, version) = label.rsplit_once('@').unwrap_or((label, ""));
    RuntimeProfile {
        name: name.to_owned(),
        version: version.parse().unwrap_or_default(),
        ..RuntimeProfile::default()
    }
}

/// The resource without its status, which may be older than its type.
fn bare(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value.as_object_mut().map(|fields| fields.remove("status"));
    value
}

/// Answers that stay the same until somebody changes something: invalid, forbidden (quota,
/// admission), bad request, not found (the namespace).
fn is_refusal(code: u16) -> bool {
    matches!(code, 400 | 403 | 404 | 422)
}

fn owner_reference(owner: &DynamicObject, kind: Kind) -> OwnerReference {
    OwnerReference {
        api_version: kind.api_resource().api_version,
        kind: kind.name().to_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}
