//! What is kept of a pod: who it is, what it asks for, and how it does.

use kube::api::{DynamicObject, ResourceExt};
use serde_json::{Value, json};

/// Fields of a pod's spec that are kept; of containers see below.
const SPEC: &[&str] = &[
    "nodeName",
    "schedulingGates",
    "nodeSelector",
    "tolerations",
    "affinity",
    "overhead",
];

/// Leaves out what is never read.
pub(super) fn strip(pod: &mut DynamicObject) {
    pod.managed_fields_mut().clear();
    pod.annotations_mut()
        .retain(|key, _| key == hermez_kinds::names::INDEX_ANNOTATION);
    let mut spec = pick(&pod.data["spec"], SPEC);
    spec["containers"] = each(&pod.data["spec"]["containers"], &["name", "resources"]);
    let init = each(
        &pod.data["spec"]["initContainers"],
        &["name", "resources", "restartPolicy"],
    );
    spec["initContainers"] = init;
    let mut status = pick(&pod.data["status"], &["phase", "reason", "message"]);
    let kept = ["type", "status", "reason", "message", "lastTransitionTime"];
    status["conditions"] = each(&pod.data["status"]["conditions"], &kept);
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = &pod.data["status"][list];
        let kept = ["name", "ready", "state", "image", "imageID", "restartCount"];
        status[list] = each(statuses, &kept);
    }
    pod.data = json!({ "spec": spec, "status": status });
}

fn pick(object: &Value, fields: &[&str]) -> Value {
    let kept = fields.iter().filter_map(|field| {
        let value = object.get(*field)?;
        Some(((*field).to_owned(), value.clone()))
    });
    Value::Object(kept.collect())
}

fn each(list: &Value, fields: &[&str]) -> Value {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| pick(item, fields)).collect()
}
