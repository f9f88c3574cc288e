//! Writes to the cluster: the workload's resource, its namespace, its end.
//!
//! Guarantees: an apply is server-side and idempotent; the number of replicas is left to whoever
//! else has set it, also when they do so at the same moment, unless the file's autoscaler could not
//! begin from it; nothing takes longer than
//! [`ANSWER_WITHIN`] a request. What is there is known from the watch: it is asked for only where
//! the watch has not seen it, or has not seen its newest version.

use std::time::Duration;

use hermez_kinds::names::{
    AUTOSCALING_ANNOTATION, COMMIT_ANNOTATION, DEPLOY_ANNOTATION, DEPLOY_MANAGER,
    FILE_SCALE_ANNOTATION, MANAGED_BY, MANAGED_BY_LABEL, PAUSED_ANNOTATION, REPOSITORY_ANNOTATION,
    RESTARTED_ANNOTATION, WORKLOAD_LABEL,
};
use hermez_kinds::{Kind, Resource};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, PropagationPolicy,
};
use kube::{Client, ResourceExt};
use serde_json::{Map, Value};

use crate::scale::{FileScale, OFF, REPLICAS_FIELD, change_of};
use crate::{ClusterError, WorkloadKey};

/// What a deploy writes beside the resource itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployMark {
    /// Number of the deploy.
    pub deploy_id: i64,
    /// Commit (40 hexadecimal digits).
    pub commit: String,
    /// The repository's URL, without credentials.
    pub repository: String,
    /// When a restart of the pods was asked for; without it they keep the time of the last one.
    pub restarted_at: Option<Timestamp>,
    /// Whether the rollout is held.
    pub paused: bool,
}

/// How long the API server may take for one request.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Tries while others change the resource at the same time.
pub(crate) const TRIES: u32 = 10;

/// The answer to a request about `object`, or what it means that there is none.
pub(crate) async fn answer<T>(
    object: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(ANSWER_WITHIN, request).await {
        Ok(answer) => answer.map_err(|error| ClusterError::from_kube(&error, object)),
        Err(_) => Err(ClusterError::timed_out(ANSWER_WITHIN)),
    }
}

pub(crate) async fn apply(
    client: &Client,
    resource: &Resource,
    deploy: &DeployMark,
    seen: Option<&Live>,
) -> Result<(), ClusterError> {
    let kind = resource.kind();
    let name = resource.name();
    let object = format!("{}/{name}", kind.name());
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), resource.namespace(), &kind.api_resource());
    let params = PatchParams::apply(DEPLOY_MANAGER).force();
    if let Some(seen) = seen {
        let body = manifest(resource, deploy, Some(seen));
        match try_patch(&api, name, &object, &params, &Patch::Apply(&body)).await {
            Ok(true) => return Ok(()),
            Err(error) if error.is_transient() => return Err(error),
            // It may be gone by now, or of another version: what the answer means shows when it was
            // looked at.
            Ok(false) | Err(_) => {}
        }
    }
    for _ in 0..TRIES {
        let live = answer(&object, api.get_opt(name)).await?;
        let live = live.as_ref().map(Live::read);
        // What is there has its namespace.
        if live.is_none() {
            ensure_namespace(client, resource.namespace()).await?;
        }
        let body = manifest(resource, deploy, live.as_ref());
        // Where somebody changed it in between, who owns the replicas must be looked at again.
        if try_patch(&api, name, &object, &params, &Patch::Apply(&body)).await? {
            return Ok(());
        }
    }
    Err(ClusterError::Unavailable(format!(
        "{object} changes all the time"
    )))
}

/// Patches a resource at the version that `patch` names; `false` when it has another one by now.
pub(crate) async fn try_patch(
    api: &Api<DynamicObject>,
    name: &str,
    object: &str,
    params: &PatchParams,
    patch: &Patch<&Value>,
) -> Result<bool, ClusterError> {
    match tokio::time::timeout(ANSWER_WITHIN, api.patch(name, params, patch)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(false),
        Ok(Err(error)) => Err(ClusterError::from_kube(&error, object)),
        Err(_) => Err(ClusterError::timed_out(ANSWER_WITHIN)),
    }
}

/// What an apply must know of the resource that is in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Live {
    /// The version that was seen.
    version: Option<String>,
    replicas: Option<i64>,
    /// Whether somebody other than a deploy has set that number.
    replicas_of_others: bool,
    /// Whether an autoscaler changes it.
    autoscaled: bool,
    /// Whether somebody has suspended it, or let it run again, by hand.
    suspended_by_others: bool,
    /// When the pods were last restarted: a deploy that forgot it would restart them once more.
    restarted_at: Option<String>,
    by_hand: Option<ByHand>,
}

/// What a person has said of the number of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ByHand {
    /// How many, and nothing of an autoscaler.
    Replicas,
    /// That no autoscaler changes it.
    WithoutAutoscaler,
    /// How it follows the load.
    Autoscaling(Value),
}

impl Live {
    /// Reads it from a resource.
    pub(crate) fn read(live: &DynamicObject) -> Live {
        let settings = live.data.pointer("/spec/autoscaling");
        let by_hand = || match live.annotations().get(AUTOSCALING_ANNOTATION) {
            None => ByHand::Replicas,
            Some(how) if how == OFF => ByHand::WithoutAutoscaler,
            Some(_) => settings.map_or(ByHand::WithoutAutoscaler, |settings| {
                ByHand::Autoscaling(settings.clone())
            }),
        };
        Live {
            version: live.resource_version(),
            replicas: live.data.pointer("/spec/replicas").and_then(Value::as_i64),
            replicas_of_others: others_own(live.managed_fields(), REPLICAS_FIELD),
            autoscaled: settings.is_some_and(|settings| !settings.is_null()),
            suspended_by_others: others_own(live.managed_fields(), "/f:spec/f:suspend"),
            restarted_at: live.annotations().get(RESTARTED_ANNOTATION).cloned(),
            by_hand: change_of(live).map(|_| by_hand()),
        }
    }
}

/// What is applied: the resource with the deploy's marks, without a status, and without the number
/// of replicas when that is somebody else's.
///
/// It names the version that the decision was made on, so that a later one refuses it.
fn manifest(resource: &Resource, deploy: &DeployMark, live: Option<&Live>) -> Value {
    let mut resource = resource.clone();
    let (kind, name) = (resource.kind(), resource.name().to_owned());
    resource.metadata_mut().resource_version = live.and_then(|live| live.version.clone());
    let labels = resource.metadata_mut().labels.get_or_insert_default();
    labels.insert(MANAGED_BY_LABEL.into(), MANAGED_BY.into());
    labels.insert(WORKLOAD_LABEL.into(), name);
    let annotations = resource.metadata_mut().annotations.get_or_insert_default();
    annotations.insert(COMMIT_ANNOTATION.into(), deploy.commit.clone());
    annotations.insert(DEPLOY_ANNOTATION.into(), deploy.deploy_id.to_string());
    annotations.insert(REPOSITORY_ANNOTATION.into(), deploy.repository.clone());
    let restarted = deploy.restarted_at.map(|at| at.to_string());
    if let Some(at) = restarted.or_else(|| live.and_then(|live| live.restarted_at.clone())) {
        annotations.insert(RESTARTED_ANNOTATION.into(), at);
    }
    if deploy.paused {
        annotations.insert(PAUSED_ANNOTATION.into(), "true".into());
    }
    let mut body = resource.to_json();
    let Value::Object(fields) = &mut body else {
        return body;
    };
    fields.remove("status");
    let file_scale = match fields.get("spec") {
        Some(Value::Object(spec)) if kind.is_scaled() => Some(FileScale::annotation(spec)),
        _ => None,
    };
    if let Some(annotation) = file_scale {
        fields["metadata"]["annotations"][FILE_SCALE_ANNOTATION] = annotation.into();
    }
    let Some(Value::Object(spec)) = fields.get_mut("spec") else {
        return body;
    };
    if live.is_some_and(|live| live.suspended_by_others) {
        spec.remove("suspend");
    }
    if leave_scale(spec, live) {
        // Said with every apply: what one leaves out goes.
        fields["metadata"]["annotations"][AUTOSCALING_ANNOTATION] = OFF.into();
    }
    body
}

/// Leaves the number of pods, and how it follows the load, to whoever has set them; whether the
/// file's autoscaler is off for that.
fn leave_scale(spec: &mut Map<String, Value>, live: Option<&Live>) -> bool {
    let replicas = live.and_then(|live| live.replicas);
    let of_others = live.is_some_and(|live| live.replicas_of_others);
    let autoscaled = live.is_some_and(|live| live.autoscaled);
    let by_hand = live.and_then(|live| live.by_hand.as_ref());
    let off = match by_hand {
        Some(ByHand::WithoutAutoscaler) => spec.remove("autoscaling").is_some(),
        // An autoscaler that the file brings would change a person's number; at 0 it stands still.
        Some(ByHand::Replicas) if !autoscaled && replicas != Some(0) => {
            spec.remove("autoscaling").is_some()
        }
        Some(ByHand::Autoscaling(settings)) => {
            spec.insert("autoscaling".into(), settings.clone());
            false
        }
        Some(ByHand::Replicas) | None => false,
    };
    let bounds = spec.get("autoscaling").map(|autoscaling| {
        let bound = |name: &str| autoscaling.get(name).and_then(Value::as_i64).unwrap_or(1);
        let (min, max) = (bound("min"), bound("max"));
        min..=max.max(min)
    });
    let is_kept = of_others || by_hand.is_some();
    match (bounds, replicas) {
        // The autoscaler begins from what runs: it has not spoken yet, or its bounds are others by
        // now, and the cluster takes no number beyond them but the 0 at which it stands still.
        (Some(bounds), Some(live))
            if !((is_kept && live == 0) || (of_others && bounds.contains(&live))) =>
        {
            let within = live.clamp(*bounds.start(), *bounds.end());
            spec.insert("replicas".into(), within.into());
        }
        (_, Some(live)) if is_kept && !of_others => {
            spec.insert("replicas".into(), live.into());
        }
        (_, _) if is_kept => drop(spec.remove("replicas")),
        (Some(bounds), _) => drop(spec.insert("replicas".into(), (*bounds.start()).into())),
        (None, _) => {}
    }
    off
}

/// Whether somebody other than a deploy has set a field, by its path in the managed fields.
///
/// Kubernetes notes who used a custom resource's scale subresource only if `replicas` had an owner
/// before (kubernetes/kubernetes#131892): the first apply must always name the number.
fn others_own(managed: &[ManagedFieldsEntry], field: &str) -> bool {
    managed
        .iter()
        .filter(|entry| entry.manager.as_deref() != Some(DEPLOY_MANAGER))
        .any(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields.is_some_and(|fields| fields.pointer(field).is_some())
        })
}

async fn ensure_namespace(client: &Client, name: &str) -> Result<(), ClusterError> {
    let object = format!("Namespace/{name}");
    let api: Api<Namespace> = Api::all(client.clone());
    match answer(&object, api.get_metadata_opt(name)).await {
        Ok(None) => {}
        // An account that may not look at namespaces may write into those that there are.
        Ok(Some(_)) | Err(ClusterError::Forbidden(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let params = PostParams {
        field_manager: Some(DEPLOY_MANAGER.into()),
        ..PostParams::default()
    };
    let create = async {
        match api.create(&params, &namespace).await {
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => other.map(drop),
        }
    };
    answer(&object, create).await
}

pub(crate) async fn delete(
    client: &Client,
    kind: Kind,
    key: &WorkloadKey,
) -> Result<(), ClusterError> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &key.namespace, &kind.api_resource());
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    let delete = async {
        match api.delete(&key.name, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop),
        }
    };
    answer(&format!("{}/{}", kind.name(), key.name), delete).await
}

#[cfg(test)]
mod tests {
    use hermez_kinds::names::{HAND_MANAGER, SCALE_ANNOTATION};
    use serde_json::json;

    use super::*;

    fn service(more: &str) -> Resource {
        let file = format!(
            "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: hello\nspec:\n  replicas: 3\n{more}  template:\n    spec:\n      containers:\n        - name: hello\n          image: x\n"
        );
        hermez_kinds::config::parse("hello.yaml", file.as_bytes())
            .expect("valid")
            .resource
    }

    fn mark() -> DeployMark {
        DeployMark {
            deploy_id: 7,
            commit: "c".repeat(40),
            repository: "http://git/x".into(),
            restarted_at: None,
            paused: false,
        }
    }

    /// A live resource with that many replicas, set by `manager`.
    fn mk_live(manager: &str, replicas: i64) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {
                "name": "hello", "resourceVersion": "42",
                "managedFields": [
                    {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                    {"manager": "other", "fieldsV1": {"f:metadata": {}}},
                ],
            },
            "spec": {"replicas": replicas},
        }))
        .expect("an object")
    }

    #[test]
    fn the_marks_of_the_deploy_are_written() {
        let body = manifest(&service(""), &mark(), None);
        let annotations = &body["metadata"]["annotations"];
        assert_eq!(annotations[DEPLOY_ANNOTATION], "7");
        assert_eq!(annotations[COMMIT_ANNOTATION], "c".repeat(40));
        assert_eq!(annotations[REPOSITORY_ANNOTATION], "http://git/x");
        assert_eq!(body["metadata"]["labels"][WORKLOAD_LABEL], "hello");
        assert_eq!(body["spec"]["replicas"], 3);
        assert!(body.get("status").is_none());
        assert!(body["metadata"].get("resourceVersion").is_none());
    }

    #[test]
    fn a_restart_is_remembered_and_a_pause_is_not() {
        let at: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a time");
        let mut mark = mark();
        (mark.restarted_at, mark.paused) = (Some(at), true);
        let body = manifest(&service(""), &mark, None);
        let annotations = &body["metadata"]["annotations"];
        assert_eq!(annotations[RESTARTED_ANNOTATION], "2026-11-24T10:00:00Z");
        assert_eq!(annotations[PAUSED_ANNOTATION], "true");

        let live: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {"name": "hello", "annotations": annotations}, "spec": {},
        }))
        .expect("an object");
        (mark.restarted_at, mark.paused) = (None, false);
        let body = manifest(&service(""), &mark, Some(&Live::read(&live)));
        let annotations = &body["metadata"]["annotations"];
        assert_eq!(annotations[RESTARTED_ANNOTATION], "2026-11-24T10:00:00Z");
        assert_eq!(annotations.get(PAUSED_ANNOTATION), None);
    }

    #[test]
    fn replicas_are_left_to_whoever_set_them() {
        let replicas = |manager| {
            let body = manifest(
                &service(""),
                &mark(),
                Some(&Live::read(&mk_live(manager, 5))),
            );
            assert_eq!(body["metadata"]["resourceVersion"], "42");
            body["spec"].get("replicas").and_then(Value::as_i64)
        };
        assert_eq!(replicas("kubectl"), None);
        assert_eq!(replicas("kube-controller-manager"), None);
        assert_eq!(replicas(DEPLOY_MANAGER), Some(3));
    }

    #[test]
    fn what_a_person_said_is_left_and_the_file_remembered() {
        let auto = json!({"min": 2, "max": 4, "cpu": 70});
        let mut value = service("").to_json();
        value["spec"]["autoscaling"] = auto.clone();
        let resource = Kind::Service.read(value).expect("a service");
        let live = |annotations: Value, spec: Value| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
                "metadata": {"name": "hello", "annotations": annotations}, "spec": spec,
            }))
            .expect("an object")
        };
        let off = live(
            json!({SCALE_ANNOTATION: "3", AUTOSCALING_ANNOTATION: "off"}),
            json!({"replicas": 9}),
        );
        let body = manifest(&resource, &mark(), Some(&Live::read(&off)));
        assert_eq!(body["spec"]["replicas"], 9);
        assert!(body["spec"].get("autoscaling").is_none());
        let remembered = &body["metadata"]["annotations"][FILE_SCALE_ANNOTATION];
        let remembered: Value =
            serde_json::from_str(remembered.as_str().expect("a text")).expect("JSON");
        assert_eq!(remembered, json!({"replicas": 3, "autoscaling": auto}));

        let hand = json!({"min": 1, "max": 9, "memory": 50});
        let set = live(
            json!({SCALE_ANNOTATION: "3", AUTOSCALING_ANNOTATION: "hand"}),
            json!({"replicas": 5, "autoscaling": hand}),
        );
        let body = manifest(&resource, &mark(), Some(&Live::read(&set)));
        assert_eq!(body["spec"]["autoscaling"], hand);
        assert_eq!(body["spec"]["replicas"], 5);

        let zero = live(
            json!({SCALE_ANNOTATION: "3"}),
            json!({"replicas": 0, "autoscaling": auto}),
        );
        let body = manifest(&resource, &mark(), Some(&Live::read(&zero)));
        assert_eq!(body["spec"]["autoscaling"], auto);
        assert_eq!(body["spec"]["replicas"], 0);
    }

    #[test]
    fn an_autoscaler_that_the_file_brings_does_not_take_a_person_s_number() {
        let mut value = service("").to_json();
        value["spec"]["autoscaling"] = json!({"min": 2, "max": 4, "cpu": 70});
        let resource = Kind::Service.read(value).expect("a service");
        let mut live = mk_live(HAND_MANAGER, 5);
        let annotations = live.annotations_mut();
        annotations.insert(SCALE_ANNOTATION.into(), "3".into());
        // The second apply finds the mark of the first, and must not take it away.
        for time in ["first", "second"] {
            let body = manifest(&resource, &mark(), Some(&Live::read(&live)));
            assert!(body["spec"].get("autoscaling").is_none(), "{time}");
            assert!(body["spec"].get("replicas").is_none(), "{time}");
            let written = &body["metadata"]["annotations"];
            assert_eq!(written[AUTOSCALING_ANNOTATION], OFF, "{time}");
            for name in [AUTOSCALING_ANNOTATION, FILE_SCALE_ANNOTATION] {
                let text = written[name].as_str().expect("a text");
                live.annotations_mut().insert(name.into(), text.into());
            }
        }
        // Without an autoscaler in the file there is none that could be off.
        let body = manifest(&service(""), &mark(), Some(&Live::read(&live)));
        let written = &body["metadata"]["annotations"];
        assert!(written.get(AUTOSCALING_ANNOTATION).is_none());
    }

    #[test]
    fn a_number_of_others_beyond_an_autoscaler_s_bounds_goes_into_them() {
        let mut value = service("").to_json();
        value["spec"]["autoscaling"] = json!({"min": 2, "max": 4, "cpu": 70});
        let resource = Kind::Service.read(value).expect("a service");
        for manager in ["kube-controller-manager", "kubectl"] {
            for (live, written) in [(9, Some(4)), (1, Some(2)), (3, None), (0, None)] {
                let live = Live::read(&mk_live(manager, live));
                let body = manifest(&resource, &mark(), Some(&live));
                let replicas = body["spec"].get("replicas").and_then(Value::as_i64);
                assert_eq!(replicas, written, "{live:?}");
                assert_eq!(body["spec"]["autoscaling"]["max"], 4);
            }
        }
    }

    #[test]
    fn a_suspended_cron_job_is_left_suspended() {
        let file = "apiVersion: pinterest.com/v1\nkind: PinterestCronJob\nmetadata:\n  name: hello\nspec:\n  schedule: '@daily'\n  template:\n    spec:\n      containers:\n        - name: hello\n          image: x\n";
        let config = hermez_kinds::config::parse("hello.yaml", file.as_bytes()).expect("valid");
        let suspend = |manager: &str| {
            let mut live = mk_live(DEPLOY_MANAGER, 1);
            live.managed_fields_mut().push(ManagedFieldsEntry {
                manager: Some(manager.into()),
                fields_v1: serde_json::from_value(json!({"f:spec": {"f:suspend": {}}})).ok(),
                ..ManagedFieldsEntry::default()
            });
            let body = manifest(&config.resource, &mark(), Some(&Live::read(&live)));
            body["spec"].get("suspend").and_then(Value::as_bool)
        };
        assert_eq!(suspend(HAND_MANAGER), None);
        assert_eq!(suspend("kubectl-edit"), None);
        assert_eq!(suspend(DEPLOY_MANAGER), Some(false));
    }

    #[test]
    fn an_autoscaler_begins_from_what_runs() {
        let mut value = service("").to_json();
        value["spec"]["autoscaling"] = json!({"min": 2, "max": 4, "cpu": 70});
        let resource = Kind::Service.read(value).expect("a service");
        let replicas = |live: Option<DynamicObject>| {
            manifest(&resource, &mark(), live.as_ref().map(Live::read).as_ref())["spec"]["replicas"]
                .clone()
        };
        assert_eq!(replicas(None), 2);
        assert_eq!(replicas(Some(mk_live(DEPLOY_MANAGER, 3))), 3);
        assert_eq!(replicas(Some(mk_live(DEPLOY_MANAGER, 9))), 4);
    }
}
