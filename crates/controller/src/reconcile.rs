//! One resource: translate it, write what is not yet as wanted, delete what is no longer wanted,
//! and say in its status how it does.
//!
//! Guarantees: nothing is written when nothing differs; an object that belongs to somebody else is
//! never touched; what is deleted is named by its uid, so that it is the one that was seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hermez_kinds::names::{APPLIED_ANNOTATION, CONTROLLER_MANAGER};
use hermez_kinds::{Kind, Resource, RuntimeProfile};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, ResourceExt,
};
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource as _};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::difference;
use crate::error::{ControllerError, ReconcileError, Stalled};
use crate::flink::Observer;
use crate::kinds::{self, Outside, Plan, Refusal, Seen};
use crate::metrics::Metrics;
use crate::owned::{Owned, is_owned_by};

/// First wait after a failure; it doubles with each further one.
const RETRY: Duration = Duration::from_secs(1);
/// Longest wait between tries.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// How long a cache may lag behind a write of ours before it is believed again.
const CACHE_LAG: Duration = Duration::from_secs(3);

/// What every reconcile of one kind needs.
pub(crate) struct Context {
    pub kind: Kind,
    pub client: Client,
    pub owned: Owned,
    pub profile: watch::Receiver<Arc<RuntimeProfile>>,
    pub recorder: Recorder,
    pub metrics: Metrics,
    /// Asks Flink how streaming jobs do.
    pub flink: Observer,
    /// Failures in a row, by the resource's uid.
    pub failures: Mutex<HashMap<String, u32>>,
    /// Our newest writes that the caches may not show yet, by `Kind/namespace/name`.
    pub written: Mutex<HashMap<String, Written>>,
}

/// A write, and what the cache showed when it was made.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    hash: String,
    seen_version: Option<String>,
    at: Instant,
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
    if object.metadata.deletion_timestamp.is_some() {
        // Kubernetes deletes what it owns.
        lock(&context.failures).remove(&uid);
        context.flink.forget(&uid);
        return Ok(Action::await_change());
    }
    context.owned.ready().await?;
    let begun = Instant::now();
    let kind = context.kind.name();
    let result = context.bring_about(&object).await;
    context.metrics.reconciled(kind, begun.elapsed());
    let (again_after, stalled) = match result {
        Ok(again_after) => (again_after, None),
        Err(ReconcileError::Stalled(stalled)) => (None, Some(stalled)),
        Err(ReconcileError::Controller(error)) => {
            context.metrics.failed(kind, "Api");
            return Err(error);
        }
    };
    if let Some(stalled) = &stalled {
        context.metrics.failed(kind, stalled.reason());
        context.say_stalled(&object, stalled).await?;
    }
    let refused = matches!(
        stalled,
        Some(Stalled::Refused { .. } | Stalled::Taken { .. })
    );
    if refused {
        // A quota may be raised, or the object deleted, without a word to us.
        return Ok(Action::requeue(context.retry_after(&uid)));
    }
    lock(&context.failures).remove(&uid);
    let mut written = lock(&context.written);
    written.retain(|_, write| write.at.elapsed() < CACHE_LAG);
    // Look again once the caches must have caught up.
    let lag = (!written.is_empty()).then_some(CACHE_LAG);
    let again = [lag, again_after].into_iter().flatten().min();
    Ok(again.map_or_else(Action::await_change, Action::requeue))
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
    fn retry_after(&self, uid: &str) -> Duration {
        let mut failures = lock(&self.failures);
        let count = failures.entry(uid.to_owned()).or_insert(0);
        *count += 1;
        RETRY
            .saturating_mul(1 << (*count - 1).min(6))
            .min(LONGEST_RETRY)
    }

    /// Makes the cluster hold what the resource stands for, and says in its status how it does.
    /// Returns when to look again though nothing changes.
    async fn bring_about(
        &self,
        object: &DynamicObject,
    ) -> Result<Option<Duration>, ReconcileError> {
        let resource = self.read(object)?;
        let profile = self.profile.borrow().clone();
        let uid = object.uid().unwrap_or_default();
        let before = status_of(object);
        let outside = self.outside(&resource, &before).await;
        let owned = self.owned.of(&uid);
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
            status,
            again_after,
            notes,
        } = kinds::plan(&seen, &outside)?;
        if let Some(status) = &status {
            self.write_status(object, seen.before, status).await?;
            seen.before = status;
        }
        for (reason, message) in notes {
            let kind = if reason.ends_with("Failed") {
                EventType::Warning
            } else {
                EventType::Normal
            };
            self.tell(object, kind, reason, &message).await;
        }
        let wanted = self.write_all(object, &resource, objects).await?;
        self.prune(object, &wanted).await?;
        let owned = self.owned.of(&uid);
        let seen = Seen {
            owned: &owned,
            ..seen
        };
        let after = kinds::status(&seen, &outside, None);
        self.write_status(object, seen.before, &after).await?;
        Ok(again_after)
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
        objects: Vec<DynamicObject>,
    ) -> Result<Vec<(String, String)>, ReconcileError> {
        let mut wanted = Vec::with_capacity(objects.len());
        let mut changed = Vec::new();
        for desired in objects {
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
            let message = format!("applied {}", changed.join(", "));
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

        let key = format!("{}/{namespace}/{name}", native.kind);
        let live = self.owned.get(native, &namespace, &name);
        if let Some(live) = &live {
            let same = live.annotations().get(APPLIED_ANNOTATION) == Some(&hash)
                && difference::contains(&serde_json::to_value(live.as_ref())?, &wanted);
            if same {
                lock(&self.written).remove(&key);
                return Ok(false);
            }
        }
        let seen_version = live.as_ref().and_then(|live| live.resource_version());
        let written_before = lock(&self.written).get(&key).cloned();
        let lags = written_before.is_some_and(|before| {
            before.hash == hash
                && before.seen_version == seen_version
                && before.at.elapsed() < CACHE_LAG
        });
        if lags {
            // Written a moment ago; the cache will show it.
            return Ok(false);
        }
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, native);
        let object = format!("{}/{name}", native.kind);
        let found = match live {
            Some(live) => Some(live.as_ref().clone()),
            // Not in the cache: it may still be there, without our label.
            None => api.get_opt(&name).await?,
        };
        if found.is_some_and(|found| !is_owned_by(&found, &uid)) {
            return Err(Stalled::Taken { object }.into());
        }
        let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
        match api.patch(&name, &parameters, &Patch::Apply(&value)).await {
            Ok(_) => {}
            Err(kube::Error::Api(refusal)) if is_refusal(refusal.code) => {
                return Err(Stalled::Refused {
                    object,
                    message: refusal.message.clone(),
                }
                .into());
            }
            Err(error) => return Err(error.into()),
        }
        self.metrics.wrote("apply");
        lock(&self.written).insert(
            key,
            Written {
                hash,
                seen_version,
                at: Instant::now(),
            },
        );
        Ok(true)
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
            let namespace = object.namespace().unwrap_or_default();
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), &namespace, &native);
            let preconditions = Preconditions {
                uid: object.uid(),
                ..Preconditions::default()
            };
            let parameters = DeleteParams::background().preconditions(preconditions);
            match api.delete(&name, &parameters).await {
                Ok(_) => {}
                // Gone already, or another object of the same name by now.
                Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => continue,
                Err(error) => return Err(error.into()),
            }
            self.metrics.wrote("delete");
            let message = format!(
                "deleted {}/{name}: the spec does not ask for it any more",
                native.kind
            );
            self.tell(owner, EventType::Normal, "Pruned", &message)
                .await;
        }
        Ok(())
    }

    /// Says in the status why a resource cannot go on, and once in an event.
    async fn say_stalled(
        &self,
        object: &DynamicObject,
        stalled: &Stalled,
    ) -> Result<(), ControllerError> {
        let before = status_of(object);
        let profile = self.profile.borrow().clone();
        let message = stalled.to_string();
        let owned = self.owned.of(&object.uid().unwrap_or_default());
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
            "metadata": { "name": name, "namespace": namespace },
            "status": after,
        });
        let parameters = PatchParams::apply(CONTROLLER_MANAGER).force();
        match api
            .patch_status(&name, &parameters, &Patch::Apply(&patch))
            .await
        {
            Ok(_) => self.metrics.wrote("status"),
            // Deleted meanwhile.
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
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

/// The status as it stands; an empty object when there is none.
fn status_of(object: &DynamicObject) -> Value {
    object
        .data
        .get("status")
        .cloned()
        .unwrap_or_else(|| json!({}))
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
