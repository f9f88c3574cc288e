//! How many pods a resource wants: a person's word, the autoscaler's, or the config file's.
//!
//! A person's word stands on the resource itself, by the number of its change in the ledger, so that
//! a deploy that is under way at the same moment sees it; a change that was overtaken is not written,
//! nor one that is there already, so that trying it again takes nothing from who came after it.

use hermez_kinds::Kind;
use hermez_kinds::names::{
    AUTOSCALING_ANNOTATION, DEPLOY_MANAGER, FILE_SCALE_ANNOTATION, HAND_MANAGER,
    RELEASED_ANNOTATION, SCALE_ANNOTATION,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::apply::{TRIES, answer, try_patch};
use crate::{ClusterError, WorkloadKey};

/// Path of the number of pods in the managed fields.
pub(crate) const REPLICAS_FIELD: &str = "/f:spec/f:replicas";
/// Value of [`AUTOSCALING_ANNOTATION`] where a person has turned it off.
pub(crate) const OFF: &str = "off";
/// The same where a person has set it.
const HAND: &str = "hand";

/// What a change wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// That many pods.
    Replicas {
        /// Pods wanted.
        replicas: i32,
        /// Whether an autoscaler is turned off.
        fixed: bool,
    },
    /// As many as the load needs: `spec.autoscaling` as the kind writes it.
    Autoscaling(Value),
    /// What the config file says.
    File,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaled {
    /// It is in the cluster.
    Written,
    /// A later one is there already.
    Overtaken,
}

/// What a config file says of the number of pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileScale {
    replicas: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    autoscaling: Option<Value>,
}

impl FileScale {
    /// What a resource's spec says, as an annotation.
    pub(crate) fn annotation(spec: &Map<String, Value>) -> String {
        let file = FileScale {
            replicas: spec.get("replicas").and_then(Value::as_i64),
            autoscaling: spec.get("autoscaling").cloned(),
        };
        // Plain data, whose keys are texts.
        serde_json::to_string(&file).unwrap_or_default()
    }

    fn of(live: &DynamicObject) -> Option<FileScale> {
        let text = live.annotations().get(FILE_SCALE_ANNOTATION)?;
        serde_json::from_str(text).ok()
    }
}

/// Who set the number of pods of a live resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleFacts {
    /// Number of the change by which a person says how many.
    pub change: Option<i64>,
    /// Bounds, targets and pace, where the number follows the load.
    pub autoscaling: Option<Value>,
    /// Whether the autoscaler of the config file is off for a person's number.
    pub autoscaler_off: bool,
    /// The field manager that wrote the number last, with the time.
    pub written_by: Option<(String, Option<Timestamp>)>,
    /// Whether that one is a deploy.
    pub by_deploy: bool,
}

impl ScaleFacts {
    /// Reads them from a resource.
    pub(crate) fn read(live: &DynamicObject) -> ScaleFacts {
        let writer = live
            .managed_fields()
            .iter()
            .filter(|entry| has_replicas(entry))
            .max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
        let written_by = writer.and_then(|entry| {
            let time = entry.time.as_ref().map(|time| time.0);
            Some((entry.manager.clone()?, time))
        });
        ScaleFacts {
            change: change_of(live),
            autoscaling: live
                .data
                .pointer("/spec/autoscaling")
                .filter(|value| !value.is_null())
                .cloned(),
            autoscaler_off: live
                .annotations()
                .get(AUTOSCALING_ANNOTATION)
                .is_some_and(|how| how == OFF),
            by_deploy: written_by
                .as_ref()
                .is_some_and(|(manager, _)| manager == DEPLOY_MANAGER),
            written_by,
        }
    }
}

fn has_replicas(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    fields.is_some_and(|fields| fields.pointer(REPLICAS_FIELD).is_some())
}

/// The number of the change that a person made last.
pub(crate) fn change_of(live: &DynamicObject) -> Option<i64> {
    number_in(live, SCALE_ANNOTATION)
}

fn number_in(live: &DynamicObject, annotation: &str) -> Option<i64> {
    live.annotations().get(annotation)?.parse().ok()
}

/// Whether a change is in the cluster already.
fn is_done(live: &DynamicObject, change: i64, scaling: &Scaling) -> bool {
    let mark = match scaling {
        Scaling::File => RELEASED_ANNOTATION,
        _ => SCALE_ANNOTATION,
    };
    number_in(live, mark) == Some(change)
}

/// Brings a change to the cluster, unless a later one is there.
pub(crate) async fn scale(
    client: &Client,
    kind: Kind,
    key: &WorkloadKey,
    change: i64,
    scaling: &Scaling,
) -> Result<Scaled, ClusterError> {
    let object = format!("{}/{}", kind.name(), key.name);
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &key.namespace, &kind.api_resource());
    let manager = match scaling {
        // The number is a deploy's again.
        Scaling::File => DEPLOY_MANAGER,
        _ => HAND_MANAGER,
    };
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    for _ in 0..TRIES {
        let live = answer(&object, api.get(&key.name)).await?;
        if change_of(&live).is_some_and(|newer| newer > change) {
            return Ok(Scaled::Overtaken);
        }
        if is_done(&live, change, scaling) {
            return Ok(Scaled::Written);
        }
        let body = patch(&live, change, scaling)
            .and_then(|body| check(kind, &live, scaling, body))
            .map_err(|message| ClusterError::Refused {
                object: object.clone(),
                message,
            })?;
        if try_patch(&api, &key.name, &object, &params, &Patch::Merge(&body)).await? {
            return Ok(Scaled::Written);
        }
    }
    Err(ClusterError::Unavailable(format!(
        "{object} changes all the time"
    )))
}

/// Refuses a patch that makes of a resource what the controller could not go on with; what is wrong
/// with it already, and what the config file says, is not for a change to answer for.
fn check(
    kind: Kind,
    live: &DynamicObject,
    scaling: &Scaling,
    body: Value,
) -> Result<Value, String> {
    if *scaling == Scaling::File {
        return Ok(body);
    }
    // What cannot be read is the API server's to refuse.
    let violations = |value: Value| match kind.read(value) {
        Ok(resource) => resource.violations(),
        Err(_) => Vec::new(),
    };
    let mut resource = serde_json::to_value(live).unwrap_or_default();
    let before = violations(resource.clone());
    merge(&mut resource, &body);
    let new: Vec<String> = violations(resource)
        .iter()
        .filter(|found| !before.iter().any(|known| known.field == found.field))
        .map(ToString::to_string)
        .collect();
    if new.is_empty() {
        Ok(body)
    } else {
        Err(new.join("; "))
    }
}

/// Applies a merge patch (RFC 7386).
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (name, value) in patch {
        if !value.is_null() {
            merge(&mut into[name], value);
        } else if let Value::Object(fields) = into {
            fields.remove(name);
        }
    }
}

/// The merge patch of a change. It names the version that it was made from.
fn patch(live: &DynamicObject, change: i64, scaling: &Scaling) -> Result<Value, String> {
    let settings = live.data.pointer("/spec/autoscaling");
    let touched = live.annotations().contains_key(AUTOSCALING_ANNOTATION);
    let file = || {
        FileScale::of(live).ok_or_else(|| {
            "an older version of Hermez deployed it and did not keep what its config file says; deploy or restart it once".to_owned()
        })
    };
    let live_replicas = live.data.pointer("/spec/replicas").and_then(Value::as_i64);
    let (mark, autoscaling_mark, replicas, autoscaling) = match scaling {
        Scaling::Replicas { replicas, fixed } => {
            let (mark, autoscaling) = if *fixed {
                (json!(OFF), Some(Value::Null))
            } else if touched {
                // What the change before this one did to the autoscaler ends with it.
                (Value::Null, Some(file()?.autoscaling.unwrap_or_default()))
            } else {
                (Value::Null, None)
            };
            (
                json!(change.to_string()),
                mark,
                json!(replicas),
                autoscaling,
            )
        }
        Scaling::Autoscaling(wanted) => (
            json!(change.to_string()),
            json!(HAND),
            within(live_replicas, wanted),
            Some(wanted.clone()),
        ),
        Scaling::File => {
            let file = file()?;
            let replicas = match &file.autoscaling {
                Some(autoscaling) => within(live_replicas, autoscaling),
                None => json!(file.replicas.unwrap_or(1)),
            };
            let autoscaling = touched.then(|| file.autoscaling.unwrap_or_default());
            (Value::Null, Value::Null, replicas, autoscaling)
        }
    };
    let mut spec = Map::from_iter([("replicas".to_owned(), replicas)]);
    if let Some(wanted) = autoscaling {
        spec.insert("autoscaling".to_owned(), in_place_of(settings, wanted));
    }
    let mut metadata = json!({
        "resourceVersion": live.resource_version().unwrap_or_default(),
        "annotations": { SCALE_ANNOTATION: mark, AUTOSCALING_ANNOTATION: autoscaling_mark },
    });
    if *scaling == Scaling::File {
        metadata["annotations"][RELEASED_ANNOTATION] = json!(change.to_string());
        metadata["managedFields"] = disowned(live.managed_fields());
    }
    Ok(json!({ "metadata": metadata, "spec": spec }))
}

/// The number of pods for an autoscaler to begin with.
fn within(live: Option<i64>, autoscaling: &Value) -> Value {
    let bound = |name: &str| autoscaling.get(name).and_then(Value::as_i64).unwrap_or(1);
    let (min, max) = (bound("min"), bound("max"));
    json!(live.unwrap_or(min).clamp(min, max.max(min)))
}

/// A merge patch that puts `wanted` in place of what is there, to the last field.
fn in_place_of(live: Option<&Value>, wanted: Value) -> Value {
    let Value::Object(mut wanted) = wanted else {
        return wanted;
    };
    if let Some(Value::Object(live)) = live {
        for (name, value) in live {
            let merged = match wanted.remove(name) {
                None => Value::Null,
                Some(new) => in_place_of(Some(value), new),
            };
            wanted.insert(name.clone(), merged);
        }
    }
    Value::Object(wanted)
}

/// The managed fields in which nobody but deploys owns the number of pods: what others once wrote
/// would otherwise hold back the next deploy whose file says another number.
///
/// An entry that owned nothing else goes: were it left, the same manager would have two when it
/// writes the number again, of which the API server keeps any one.
fn disowned(managed: &[ManagedFieldsEntry]) -> Value {
    let mut entries = managed.to_vec();
    entries.retain_mut(|entry| {
        let is_deploy = entry.manager.as_deref() == Some(DEPLOY_MANAGER);
        let fields = entry.fields_v1.as_mut();
        let fields = fields.and_then(|fields| fields.0.as_object_mut());
        let (false, Some(fields)) = (is_deploy, fields) else {
            return true;
        };
        if let Some(Value::Object(spec)) = fields.get_mut("f:spec") {
            spec.remove("f:replicas");
            if spec.is_empty() {
                fields.remove("f:spec");
            }
        }
        !fields.is_empty()
    });
    json!(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_live(annotations: &Value, spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {
                "name": "hello", "resourceVersion": "42", "annotations": annotations,
                "managedFields": [
                    {"manager": "kubectl", "operation": "Update", "time": "2026-02-01T00:00:00Z",
                     "fieldsV1": {"f:spec": {"f:replicas": {}, "f:other": {}}}},
                    {"manager": DEPLOY_MANAGER, "operation": "Apply", "time": "2026-01-01T00:00:00Z",
                     "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                    {"manager": "kubectl", "operation": "Update", "subresource": "scale",
                     "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                ],
            },
            "spec": spec,
        }))
        .expect("an object")
    }

    fn replicas(replicas: i32, fixed: bool) -> Scaling {
        Scaling::Replicas { replicas, fixed }
    }

    #[test]
    fn a_number_is_written_with_its_change() {
        let live = mk_live(&json!({}), &json!({"replicas": 2}));
        let body = patch(&live, 7, &replicas(5, false)).expect("a patch");
        assert_eq!(body["metadata"]["resourceVersion"], "42");
        assert_eq!(body["metadata"]["annotations"][SCALE_ANNOTATION], "7");
        assert_eq!(body["spec"], json!({"replicas": 5}));
        assert!(body["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn a_fixed_number_turns_the_autoscaler_off_and_the_file_brings_it_back() {
        let auto = json!({"min": 2, "max": 4, "cpu": 70});
        let file = json!({"replicas": 2, "autoscaling": auto}).to_string();
        let spec = json!({"replicas": 3, "autoscaling": auto});
        let live = mk_live(&json!({FILE_SCALE_ANNOTATION: file}), &spec);
        let body = patch(&live, 7, &replicas(9, true)).expect("a patch");
        assert_eq!(body["spec"], json!({"replicas": 9, "autoscaling": null}));
        assert_eq!(
            body["metadata"]["annotations"][AUTOSCALING_ANNOTATION],
            "off"
        );

        let off = json!({FILE_SCALE_ANNOTATION: file, AUTOSCALING_ANNOTATION: "off", SCALE_ANNOTATION: "7"});
        let live = mk_live(&off, &json!({"replicas": 9}));
        for (scaling, count) in [(Scaling::File, 4), (replicas(0, false), 0)] {
            let body = patch(&live, 8, &scaling).expect("a patch");
            assert_eq!(
                body["spec"],
                json!({"replicas": count, "autoscaling": auto})
            );
        }
    }

    #[test]
    fn the_file_takes_the_number_from_everybody() {
        let annotations = json!({FILE_SCALE_ANNOTATION: "{\"replicas\":3}", SCALE_ANNOTATION: "7"});
        let live = mk_live(&annotations, &json!({"replicas": 9}));
        let body = patch(&live, 7, &Scaling::File).expect("a patch");
        assert_eq!(body["spec"], json!({"replicas": 3}));
        assert_eq!(
            body["metadata"]["annotations"],
            json!({
                SCALE_ANNOTATION: null, AUTOSCALING_ANNOTATION: null, RELEASED_ANNOTATION: "7",
            })
        );
        let managed = &body["metadata"]["managedFields"];
        assert_eq!(
            managed[0]["fieldsV1"],
            json!({"f:spec": {"f:other": {}}}),
            "what kubectl once wrote"
        );
        assert_eq!(
            managed[1]["fieldsV1"],
            json!({"f:spec": {"f:replicas": {}}})
        );
        let count = managed.as_array().map(Vec::len);
        assert_eq!(count, Some(2), "what owned nothing else is gone");
    }

    #[test]
    fn what_is_there_already_is_not_written_again() {
        let done = |annotations: Value, scaling: &Scaling| {
            is_done(&mk_live(&annotations, &json!({"replicas": 9})), 7, scaling)
        };
        assert!(!done(json!({}), &replicas(5, false)));
        assert!(done(json!({SCALE_ANNOTATION: "7"}), &replicas(5, false)));
        assert!(!done(json!({SCALE_ANNOTATION: "6"}), &replicas(5, false)));
        // Its time is over: the file comes back once, whoever wrote the number before.
        assert!(!done(json!({SCALE_ANNOTATION: "7"}), &Scaling::File));
        assert!(!done(json!({}), &Scaling::File));
        assert!(done(json!({RELEASED_ANNOTATION: "7"}), &Scaling::File));
    }

    #[test]
    fn what_the_controller_could_not_go_on_with_is_refused() {
        let job = |replicas: i64| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "pinterest.com/v1", "kind": "PinterestStreamingJob",
                "metadata": {"name": "clicks", "resourceVersion": "42"},
                "spec": {
                    "replicas": replicas,
                    "flink": {
                        "job": {"class": "Clicks", "jar": "/clicks.jar"},
                        "state": {"dir": "s3://bucket/clicks"},
                        "parallelism": 4, "taskmanager": {"slots": 2},
                    },
                    "template": {"spec": {"containers": [{"name": "flink", "image": "x"}]}},
                },
            }))
            .expect("an object")
        };
        let refused = |live: &DynamicObject, scaling: &Scaling| {
            let body = json!({"spec": {"replicas": 1}});
            check(Kind::StreamingJob, live, scaling, body).err()
        };
        let message = refused(&job(2), &replicas(1, false)).expect("refused");
        assert!(message.contains("needs 4 slots"), "{message}");
        assert_eq!(refused(&job(2), &Scaling::File), None);
        // It was wrong before.
        assert_eq!(refused(&job(1), &replicas(1, false)), None);

        let live = json!({
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "hello", "image": "x"}]}},
        });
        let live = mk_live(&json!({}), &live);
        let settings = |window: i64| {
            let rules = json!({"stabilizationWindowSeconds": window});
            let behavior = json!({"scaleDown": rules});
            Scaling::Autoscaling(json!({"min": 1, "max": 3, "cpu": 70, "behavior": behavior}))
        };
        let refused = |scaling: &Scaling| {
            let body = patch(&live, 7, scaling).expect("a patch");
            check(Kind::Service, &live, scaling, body).err()
        };
        assert_eq!(refused(&settings(3600)), None);
        let message = refused(&settings(7200)).expect("refused");
        assert!(message.contains("from 0 to 3600"), "{message}");
    }

    #[test]
    fn a_resource_of_an_older_version_says_what_to_do() {
        let live = mk_live(&json!({}), &json!({"replicas": 9}));
        let error = patch(&live, 7, &Scaling::File).unwrap_err();
        assert!(error.contains("deploy or restart it once"), "{error}");
    }

    #[test]
    fn settings_are_replaced_to_the_last_field() {
        let live = json!({"min": 1, "max": 3, "cpu": 70, "behavior": {"scaleUp": {"a": 1}}});
        let wanted = json!({"min": 2, "max": 3, "memory": 50, "behavior": {"scaleDown": {"b": 1}}});
        assert_eq!(
            in_place_of(Some(&live), wanted),
            json!({
                "min": 2, "max": 3, "memory": 50, "cpu": null,
                "behavior": {"scaleUp": null, "scaleDown": {"b": 1}},
            })
        );
    }

    #[test]
    fn the_last_writer_is_known() {
        let live = mk_live(&json!({SCALE_ANNOTATION: "7"}), &json!({"replicas": 9}));
        let facts = ScaleFacts::read(&live);
        assert_eq!(facts.change, Some(7));
        assert_eq!(facts.written_by.expect("somebody").0, "kubectl");
        assert!(!facts.by_deploy && !facts.autoscaler_off);
        let off = mk_live(&json!({AUTOSCALING_ANNOTATION: OFF}), &json!({}));
        assert!(ScaleFacts::read(&off).autoscaler_off);
    }
}
