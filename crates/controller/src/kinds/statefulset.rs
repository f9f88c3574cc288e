//! PinterestStatefulset: its status follows its StatefulSet's; what Kubernetes cannot change on one
//! is refused in words. Pure.

use std::time::Duration;

use hermez_kinds::names::DEPLOY_ANNOTATION;
use hermez_kinds::statefulset::{
    PinterestStatefulset, PinterestStatefulsetStatus, PodManagementPolicy, UpdateStrategy,
};
use hermez_kinds::status::Conditions;
use hermez_kinds::translate::is_paused;
use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetStatus};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::{Refusal, Seen, is_as_wanted};
use crate::difference::contains;

/// Reason of the condition `Reconciling` while a person holds the rollout.
const PAUSED: &str = "Paused";
/// Reason of the condition `Stalled` when a rollout stands still.
const LATE: &str = "ProgressDeadlineExceeded";

/// What can be done about a change that Kubernetes cannot make.
const INSTEAD: &str = "delete this resource (its claims stay, unless whendeleted is Delete) and \
                       deploy it again, or write the old value";

/// What Kubernetes cannot change on a StatefulSet: the field there, the field here.
const FIXED: [(&str, &str); 4] = [
    ("volumeClaimTemplates", "spec.volumeclaims"),
    ("serviceName", "spec.servicename"),
    ("podManagementPolicy", "spec.podmanagementpolicy"),
    ("selector", "metadata.name"),
];

/// Why the wanted objects cannot come to be, when the StatefulSet that is there is of another make.
pub(super) fn refusal(seen: &Seen<'_>, objects: &[DynamicObject]) -> Option<Refusal> {
    let live: StatefulSet = seen.named("StatefulSet", seen.resource.name())?;
    if live.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let live = serde_json::to_value(live.spec?).ok()?;
    let is_set = |object: &&DynamicObject| {
        let types = object.types.as_ref();
        types.is_some_and(|types| types.kind == "StatefulSet")
    };
    let wanted = &objects.iter().find(is_set)?.data["spec"];
    let differs = |field: &str| {
        let (live, wanted) = (&live[field], &wanted[field]);
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        count(live) != count(wanted) || !is_in(live, wanted)
    };
    let changed: Vec<&str> = FIXED
        .iter()
        .filter(|(native, _)| differs(native))
        .map(|(_, ours)| *ours)
        .collect();
    let (first, more) = changed.split_first()?;
    let fields = more
        .iter()
        .fold((*first).to_owned(), |all, field| all + ", " + field);
    Some(Refusal {
        reason: "CannotChange",
        message: format!(
            "{fields}: Kubernetes cannot change this on the StatefulSet that is there: {INSTEAD}"
        ),
    })
}

/// Whether everything wanted is there. Claims carry their names in their metadata, where a
/// comparison by name does not look: they are compared one by one.
fn is_in(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Array(live), Value::Array(wanted)) => {
            let parts = |claim: &Value| {
                let spec = claim["spec"].clone();
                (claim["metadata"]["name"].clone(), spec)
            };
            live.iter().zip(wanted).all(|(live, wanted)| {
                let ((name, spec), (wanted_name, wanted_spec)) = (parts(live), parts(wanted));
                name == wanted_name && contains(&spec, &wanted_spec)
            })
        }
        (live, wanted) => contains(live, wanted),
    }
}

/// When to look again though nothing changes: when a rollout that stands still has failed.
pub(super) fn again_after(seen: &Seen<'_>, set: &PinterestStatefulset) -> Option<Duration> {
    if is_paused(&set.metadata) {
        return None;
    }
    let before: PinterestStatefulsetStatus = seen.before();
    let since = condition(&before, "Reconciling")?.last_transition_time.0;
    let left = deadline(set) - seen.now.duration_since(since);
    Some(Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1))
}

fn deadline(set: &PinterestStatefulset) -> SignedDuration {
    let seconds = set.spec.progressdeadlineseconds.unwrap_or(600);
    SignedDuration::from_secs(i64::from(seconds))
}

fn condition<'a>(status: &'a PinterestStatefulsetStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|found| found.type_ == kind)
}

/// The status that follows from what was seen.
pub(super) fn status(
    seen: &Seen<'_>,
    resource: &PinterestStatefulset,
    stalled: Option<&Refusal>,
) -> PinterestStatefulsetStatus {
    let set: Option<StatefulSet> = seen.named("StatefulSet", seen.resource.name());
    let native = set.as_ref().and_then(|set| set.status.clone());
    let mut before: PinterestStatefulsetStatus = seen.before();
    let empty = StatefulSetStatus::default();
    let now = native.as_ref().unwrap_or(&empty);
    let is_up_to_date = set.as_ref().is_some_and(|set| is_up_to_date(seen, set));
    // Until then it is the version before.
    let revision = now.update_revision.clone().filter(|_| is_up_to_date);
    let mut after = PinterestStatefulsetStatus {
        observed_generation: seen.generation,
        deploy: resource.annotations().get(DEPLOY_ANNOTATION).cloned(),
        replicas: now.replicas,
        ready_replicas: now.ready_replicas.unwrap_or(0),
        available_replicas: now.available_replicas.unwrap_or(0),
        updated_replicas: now.updated_replicas.unwrap_or(0),
        current_revision: now.current_revision.clone(),
        update_revision: now.update_revision.clone(),
        revision,
        desired_pods: resource.spec.replicas,
        ready_pods: now.ready_replicas.unwrap_or(0),
        selector: set.as_ref().and_then(selector),
        profile: Some(seen.profile.label()),
        conditions: Vec::new(),
    };
    let paused = is_paused(&resource.metadata);
    let was_paused = condition(&before, "Reconciling").is_some_and(|it| it.reason == PAUSED);
    if has_moved(&before, &after) || was_paused != paused {
        // Its time begins again with each step, with each new spec, and after a pause.
        let goes_on =
            |found: &Condition| !matches!(found.type_.as_str(), "Reconciling" | "Stalled");
        before.conditions.retain(goes_on);
    }
    let mut conditions = Conditions::new(&before.conditions, seen.generation, seen.now);
    let (truth, reason) = match &set {
        None => ("Unknown", "NoStatefulSet"),
        Some(_) if after.available_replicas >= resource.spec.replicas => ("True", "PodsAvailable"),
        Some(_) => ("False", "PodsUnavailable"),
    };
    let counts = counts(&after, resource);
    conditions.push("Available", truth, reason, counts.clone());
    let settled = is_up_to_date && set.as_ref().is_some_and(|set| is_settled(set, resource));
    if let Some(Refusal { reason, message }) = stalled {
        conditions.push("Stalled", "True", reason, message.clone());
    } else if !settled && paused {
        let message = format!("held: {counts}");
        conditions.push("Reconciling", "True", PAUSED, message);
    } else if !settled {
        let since = condition(&before, "Reconciling").map(|found| found.last_transition_time.0);
        let elapsed = since.map(|since| seen.now.duration_since(since));
        let was_late = condition(&before, "Stalled").is_some_and(|found| found.reason == LATE);
        if was_late || elapsed.is_some_and(|elapsed| elapsed >= deadline(resource)) {
            let seconds = deadline(resource).as_secs();
            let message = format!("no step forward for {seconds} s: {counts}");
            conditions.push("Stalled", "True", LATE, message);
        } else {
            conditions.push("Reconciling", "True", "RollingOut", counts);
        }
    }
    after.conditions = conditions.finish();
    after
}

/// Whether anything went on since the last status.
fn has_moved(before: &PinterestStatefulsetStatus, after: &PinterestStatefulsetStatus) -> bool {
    let step = |status: &PinterestStatefulsetStatus| {
        let counts = (
            status.replicas,
            status.ready_replicas,
            status.available_replicas,
            status.updated_replicas,
        );
        (status.observed_generation, status.desired_pods, counts)
    };
    step(before) != step(after)
}

/// Whether the StatefulSet is the one that is wanted, and its status speaks of it.
fn is_up_to_date(seen: &Seen<'_>, set: &StatefulSet) -> bool {
    let observed = set.status.as_ref().and_then(|it| it.observed_generation);
    observed >= set.metadata.generation && is_as_wanted(seen, "StatefulSet")
}

/// A pod of an older version that keeps the newest one from coming out, if there is one.
///
/// Where pods are made in order, Kubernetes waits for each to be ready before it replaces any, also
/// for one that never will be: a version that does not start would block the good one that follows,
/// and a rollback (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>).
/// One that was ready and is not at the moment is left to Kubernetes.
pub(super) fn in_the_way(seen: &Seen<'_>, resource: &PinterestStatefulset) -> Option<Pod> {
    let spec = &resource.spec;
    let in_order = spec.podmanagementpolicy == PodManagementPolicy::OrderedReady;
    if !in_order || to_update(resource) == 0 || is_paused(&resource.metadata) {
        return None;
    }
    let set: StatefulSet = seen.named("StatefulSet", seen.resource.name())?;
    if !is_up_to_date(seen, &set) {
        return None;
    }
    let newest = set.status?.update_revision?;
    let pods = seen.all::<Pod>("Pod").into_iter().filter(|pod| {
        let version = pod.labels().get("controller-revision-hash");
        version.is_some_and(|version| *version != newest)
            && ordinal(pod) >= Some(spec.partition.unwrap_or(0))
            && does_not_start(pod)
    });
    pods.max_by_key(ordinal)
}

/// The number at the end of a pod's name.
fn ordinal(pod: &Pod) -> Option<i32> {
    pod.name_any().rsplit_once('-')?.1.parse().ok()
}

/// Whether a pod has not been ready since its containers started, or they do not start at all.
fn does_not_start(pod: &Pod) -> bool {
    let Some(status) = &pod.status else {
        return false;
    };
    let conditions = status.conditions.iter().flatten();
    let ready = conditions.into_iter().find(|found| found.type_ == "Ready");
    let Some(ready) = ready.filter(|ready| ready.status != "True") else {
        return false;
    };
    if pod.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let since = ready.last_transition_time.as_ref().map(|time| time.0);
    let was_ready = |container: &ContainerStatus| {
        let runs = container.state.as_ref().and_then(|it| it.running.as_ref());
        let started = runs.and_then(|runs| runs.started_at.as_ref());
        // It became unready after it started: so it was ready in between.
        started.is_some_and(|started| since > Some(started.0))
    };
    let containers: Vec<_> = status.container_statuses.iter().flatten().collect();
    containers.is_empty() || !containers.into_iter().all(was_ready)
}

/// Pods that an update is to replace.
fn to_update(resource: &PinterestStatefulset) -> i32 {
    let spec = &resource.spec;
    match spec.updatestrategy {
        UpdateStrategy::OnDelete => 0,
        UpdateStrategy::RollingUpdate => (spec.replicas - spec.partition.unwrap_or(0)).max(0),
    }
}

/// Whether all wanted pods are available, and those that are to be are of the newest version.
fn is_settled(set: &StatefulSet, resource: &PinterestStatefulset) -> bool {
    let Some(status) = &set.status else {
        return false;
    };
    let wanted = resource.spec.replicas;
    status.replicas == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.updated_replicas.unwrap_or(0) >= to_update(resource)
}

/// How far it is, in words.
fn counts(status: &PinterestStatefulsetStatus, resource: &PinterestStatefulset) -> String {
    let wanted = resource.spec.replicas;
    if wanted == 0 && status.replicas == 0 {
        return "no pods are wanted".to_owned();
    }
    let ready = format!(
        "{} of {wanted} pods are available",
        status.available_replicas
    );
    if status.updated_replicas >= wanted {
        return ready;
    }
    let updated = status.updated_replicas;
    let rest = match (resource.spec.updatestrategy, resource.spec.partition) {
        (UpdateStrategy::OnDelete, _) => "the others wait to be deleted".to_owned(),
        (UpdateStrategy::RollingUpdate, Some(partition)) if partition > 0 => {
            format!("those below {partition} keep the old one")
        }
        _ => return format!("{ready}, {updated} of the newest version"),
    };
    format!("{ready}, {updated} of the newest version; {rest}")
}

fn selector(set: &StatefulSet) -> Option<String> {
    let labels = set.spec.as_ref()?.selector.match_labels.as_ref()?;
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Some(pairs.join(","))
}

#[cfg(test)]
mod tests {
    use hermez_kinds::{Kind, Resource, RuntimeProfile};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value)] // it takes literals
    fn mk_resource(more: Value) -> Resource {
        let mut value = json!({"apiVersion": "pinterest.com/v1", "kind": "PinterestStatefulset",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {
            "replicas": 3, "progressdeadlineseconds": 60,
            "volumeclaims": [{"name": "data", "storage": "1Gi"}],
            "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}},
        }});
        let spec = value["spec"].as_object_mut().expect("an object");
        spec.extend(more.as_object().cloned().unwrap_or_default());
        Kind::StatefulSet.read(value).expect("a stateful set")
    }

    fn set_of(resource: &Resource) -> &PinterestStatefulset {
        match resource {
            Resource::StatefulSet(set) => set,
            _ => panic!("a stateful set"),
        }
    }

    /// What is owned when the StatefulSet was made from `made` and has these pods.
    fn mk_owned(made: &Resource, available: i32, updated: i32) -> crate::owned::Objects {
        let objects = made
            .translate(&RuntimeProfile::plain())
            .expect("translated");
        let natives = Kind::StatefulSet.owned();
        let set = |object: &DynamicObject| {
            object
                .types
                .as_ref()
                .is_some_and(|t| t.kind == "StatefulSet")
        };
        let mut object = objects.into_iter().find(set).expect("a StatefulSet");
        object.metadata.generation = Some(2);
        object.data["status"] = json!({
            "observedGeneration": 2, "replicas": 3, "readyReplicas": available,
            "availableReplicas": available, "updatedReplicas": updated,
            "currentRevision": "a-1", "updateRevision": "a-2",
        });
        let native = natives
            .into_iter()
            .find(|native| native.kind == "StatefulSet");
        vec![(native.expect("known"), std::sync::Arc::new(object))]
    }

    fn at(
        second: i64,
        resource: &Resource,
        owned: &crate::owned::Objects,
        before: &PinterestStatefulsetStatus,
    ) -> (PinterestStatefulsetStatus, Option<Duration>) {
        let before = serde_json::to_value(before).expect("plain data");
        let seen = Seen {
            resource,
            generation: Some(7),
            profile: &RuntimeProfile::plain(),
            owned,
            before: &before,
            now: Timestamp::from_second(second).expect("a time"),
        };
        (
            status(&seen, set_of(resource), None),
            again_after(&seen, set_of(resource)),
        )
    }

    fn fresh(resource: &Resource, available: i32, updated: i32) -> PinterestStatefulsetStatus {
        let owned = mk_owned(resource, available, updated);
        at(0, resource, &owned, &PinterestStatefulsetStatus::default()).0
    }

    fn said(status: &PinterestStatefulsetStatus, kind: &str) -> Option<String> {
        condition(status, kind)
            .map(|found| format!("{} {}: {}", found.status, found.reason, found.message))
    }

    #[test]
    fn a_settled_set_is_neither_reconciling_nor_stalled() {
        let status = fresh(&mk_resource(json!({})), 3, 3);
        assert_eq!(
            said(&status, "Available").as_deref(),
            Some("True PodsAvailable: 3 of 3 pods are available")
        );
        assert_eq!(
            (said(&status, "Reconciling"), said(&status, "Stalled")),
            (None, None)
        );
        assert_eq!(status.revision.as_deref(), Some("a-2"));
        assert_eq!((status.desired_pods, status.ready_pods), (3, 3));
        assert_eq!(status.selector.as_deref(), Some("name=a"));
        assert_eq!(status.deploy, None);
        let mut value = mk_resource(json!({})).to_json();
        value["metadata"]["annotations"] = json!({"hermez.dev/deploy": "12"});
        let deployed = Kind::StatefulSet.read(value).expect("a stateful set");
        assert_eq!(fresh(&deployed, 3, 3).deploy.as_deref(), Some("12"));
    }

    #[test]
    fn a_set_that_is_not_what_the_spec_says_is_reconciling() {
        let old = mk_resource(json!({}));
        let new = mk_resource(
            json!({"template": {"spec": {"containers": [{"name": "a", "image": "c"}]}}}),
        );
        let status = at(
            0,
            &new,
            &mk_owned(&old, 3, 3),
            &PinterestStatefulsetStatus::default(),
        )
        .0;
        assert!(
            said(&status, "Reconciling").is_some(),
            "its cache may be behind"
        );
        let status = at(0, &new, &Vec::new(), &PinterestStatefulsetStatus::default()).0;
        assert!(
            said(&status, "Available")
                .is_some_and(|said| said.starts_with("Unknown NoStatefulSet"))
        );
    }

    #[test]
    fn its_version_is_known_when_kubernetes_has_seen_the_spec() {
        let resource = mk_resource(json!({}));
        let revision = |owned: &crate::owned::Objects, resource: &Resource| {
            let before = PinterestStatefulsetStatus::default();
            at(0, resource, owned, &before).0.revision
        };
        let owned = mk_owned(&resource, 3, 3);
        assert_eq!(revision(&owned, &resource).as_deref(), Some("a-2"));
        let unseen = {
            let (native, object) = owned[0].clone();
            let mut object = object.as_ref().clone();
            object.metadata.generation = Some(3);
            vec![(native, std::sync::Arc::new(object))]
        };
        assert_eq!(revision(&unseen, &resource), None);
        let other = mk_resource(json!({"minreadyseconds": 3}));
        assert_eq!(revision(&owned, &other), None, "it is not written yet");
    }

    /// A pod of a version, with its conditions' and containers' state.
    #[allow(clippy::needless_pass_by_value)] // it takes literals
    fn mk_pod(name: &str, version: &str, ready: &str, since: &str, state: Value) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": name, "labels": {"controller-revision-hash": version}},
            "spec": {"containers": []},
            "status": {
                "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": since}],
                "containerStatuses": [{
                    "name": "a", "ready": ready == "True", "restartCount": 0, "image": "b",
                    "imageID": "", "state": state,
                }],
            },
        }))
        .expect("a pod")
    }

    fn blocking(resource: &Resource, pods: Vec<DynamicObject>) -> Option<String> {
        let mut owned = mk_owned(resource, 2, 1);
        let native = kube::api::ApiResource::erase::<Pod>(&());
        owned.extend(
            pods.into_iter()
                .map(|pod| (native.clone(), std::sync::Arc::new(pod))),
        );
        let before = json!({});
        let seen = Seen {
            resource,
            generation: Some(7),
            profile: &RuntimeProfile::plain(),
            owned: &owned,
            before: &before,
            now: Timestamp::UNIX_EPOCH,
        };
        in_the_way(&seen, set_of(resource)).map(|pod| pod.name_any())
    }

    #[test]
    fn a_pod_of_an_older_version_that_does_not_start_is_in_the_way() {
        const FIRST: &str = "2026-01-01T00:00:00Z";
        const LATER: &str = "2026-01-01T00:00:10Z";
        let plain = mk_resource(json!({}));
        let crashes = || json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let runs_since = |time: &str| json!({"running": {"startedAt": time}});
        let bad = |name: &str| mk_pod(name, "a-1", "False", FIRST, crashes());
        assert_eq!(
            blocking(&plain, vec![bad("a-1"), bad("a-2")]).as_deref(),
            Some("a-2")
        );
        let newest = mk_pod("a-2", "a-2", "False", FIRST, crashes());
        assert_eq!(
            blocking(&plain, vec![newest]),
            None,
            "it is Kubernetes' to wait for"
        );
        let well = mk_pod("a-2", "a-1", "True", FIRST, runs_since(FIRST));
        assert_eq!(blocking(&plain, vec![well]), None);
        let never = mk_pod("a-2", "a-1", "False", FIRST, runs_since(LATER));
        assert_eq!(blocking(&plain, vec![never]).as_deref(), Some("a-2"));
        let for_now = mk_pod("a-2", "a-1", "False", LATER, runs_since(FIRST));
        assert_eq!(blocking(&plain, vec![for_now]), None, "it was ready before");

        for more in [
            json!({"podmanagementpolicy": "Parallel"}),
            json!({"updatestrategy": "OnDelete"}),
            json!({"partition": 3}),
        ] {
            let resource = mk_resource(more.clone());
            assert_eq!(blocking(&resource, vec![bad("a-2")]), None, "{more}");
        }
    }

    #[test]
    fn a_partitioned_update_is_over_when_the_pods_above_are_new() {
        let resource = mk_resource(json!({"partition": 2}));
        assert!(said(&fresh(&resource, 3, 0), "Reconciling").is_some());
        let over = fresh(&resource, 3, 1);
        assert_eq!(said(&over, "Reconciling"), None);
        assert_eq!(
            said(&over, "Available").as_deref(),
            Some(
                "True PodsAvailable: 3 of 3 pods are available, 1 of the newest version; those below 2 keep the old one"
            )
        );
        assert_eq!(
            said(
                &fresh(&mk_resource(json!({"partition": 9})), 3, 0),
                "Reconciling"
            ),
            None
        );
    }

    #[test]
    fn on_delete_waits_for_nobody() {
        let status = fresh(&mk_resource(json!({"updatestrategy": "OnDelete"})), 3, 1);
        assert_eq!(said(&status, "Reconciling"), None);
        assert!(
            said(&status, "Available")
                .is_some_and(|said| said.ends_with("the others wait to be deleted"))
        );
    }

    #[test]
    fn a_held_rollout_is_never_late() {
        let mut value = mk_resource(json!({})).to_json();
        let goes_on = mk_resource(json!({}));
        value["metadata"]["annotations"] = json!({"hermez.dev/paused": "true"});
        let held = Kind::StatefulSet.read(value).expect("a stateful set");
        let (before, _) = at(
            0,
            &goes_on,
            &mk_owned(&goes_on, 3, 1),
            &PinterestStatefulsetStatus::default(),
        );
        let (first, again) = at(30, &held, &mk_owned(&held, 3, 1), &before);
        assert_eq!(again, None);
        let (later, _) = at(900, &held, &mk_owned(&held, 3, 1), &first);
        assert_eq!(
            said(&later, "Reconciling").as_deref(),
            Some("True Paused: held: 3 of 3 pods are available, 1 of the newest version")
        );
        assert_eq!(said(&later, "Stalled"), None);
        let (after, again) = at(901, &goes_on, &mk_owned(&goes_on, 3, 1), &later);
        assert_eq!(said(&after, "Stalled"), None, "its time begins again");
        assert!(said(&after, "Reconciling").is_some());
        assert!(again.is_some());
    }

    #[test]
    fn a_rollout_that_stands_still_has_failed_until_it_moves() {
        let resource = mk_resource(json!({}));
        let stuck = mk_owned(&resource, 2, 1);
        let (first, _) = at(0, &resource, &stuck, &PinterestStatefulsetStatus::default());
        assert!(said(&first, "Reconciling").is_some());
        let (second, again) = at(30, &resource, &stuck, &first);
        assert_eq!(second, first, "nothing is said twice");
        assert_eq!(again, Some(Duration::from_secs(31)));
        let (late, _) = at(60, &resource, &stuck, &second);
        assert_eq!(
            said(&late, "Stalled").as_deref(),
            Some(
                "True ProgressDeadlineExceeded: no step forward for 60 s: 2 of 3 pods are available, 1 of the newest version"
            )
        );
        let (later, _) = at(61, &resource, &stuck, &late);
        assert!(said(&later, "Stalled").is_some() && said(&later, "Reconciling").is_none());
        let (moved, _) = at(62, &resource, &mk_owned(&resource, 3, 1), &later);
        assert!(said(&moved, "Stalled").is_none() && said(&moved, "Reconciling").is_some());
    }

    #[test]
    fn what_kubernetes_cannot_change_is_refused_with_what_to_do() {
        let old = mk_resource(json!({}));
        let refused = |new: &Resource| {
            let objects = new.translate(&RuntimeProfile::plain()).expect("translated");
            let owned = mk_owned(&old, 3, 3);
            let seen = Seen {
                resource: new,
                generation: Some(1),
                profile: &RuntimeProfile::plain(),
                owned: &owned,
                before: &json!({}),
                now: Timestamp::UNIX_EPOCH,
            };
            refusal(&seen, &objects).map(|refusal| refusal.message)
        };
        assert_eq!(refused(&old), None);
        assert_eq!(
            refused(&mk_resource(json!({"replicas": 9, "partition": 1}))),
            None
        );
        for (change, field) in [
            (json!({"volumeclaims": []}), "spec.volumeclaims: "),
            (
                json!({"volumeclaims": [{"name": "data", "storage": "2Gi"}]}),
                "spec.volumeclaims: ",
            ),
            (
                json!({"volumeclaims": [{"name": "other", "storage": "1Gi"}]}),
                "spec.volumeclaims: ",
            ),
            (
                json!({"servicename": "x", "podmanagementpolicy": "Parallel"}),
                "spec.servicename, spec.podmanagementpolicy: ",
            ),
        ] {
            let message = refused(&mk_resource(change)).expect(field);
            assert!(
                message.starts_with(field) && message.contains("and deploy it again"),
                "{message}"
            );
        }
        // The same size, written in another way.
        let same = json!({"volumeclaims": [{"name": "data", "storage": "1024Mi"}]});
        assert_eq!(refused(&mk_resource(same)), None);
    }
}
