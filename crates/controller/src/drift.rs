//! Who edited a field that is ours. Pure.
//!
//! The API server keeps for every field who wrote it last; a field that somebody took from us is
//! found under their name, with the operation and the time.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use hermez_kinds::names::CONTROLLER_MANAGER;

use crate::difference::{Step, told};

/// An edit of ours that was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Kind of the resource.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object that was edited, as `Kind/name`.
    pub object: String,
    /// The edited fields.
    pub fields: Vec<String>,
    /// Who, as the API server knows them (the field manager); none when it does not tell.
    pub manager: Option<String>,
    /// `Update` or `Apply`.
    pub operation: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

impl Drift {
    /// In words, for an event.
    pub fn told(&self) -> String {
        let fields = self.fields.join(", ");
        let who = self.manager.as_deref().unwrap_or("somebody");
        let how = self
            .operation
            .as_ref()
            .map(|operation| format!(" ({operation})"));
        let when = self.at.map(|at| format!(" at {at}"));
        format!(
            "{who}{} changed {fields} of {}{}: put back; change the {} instead",
            how.unwrap_or_default(),
            self.object,
            when.unwrap_or_default(),
            self.kind
        )
    }
}

/// The editor of the fields at `places`: the newest of those who own one of them now; where nobody
/// does (a field was removed), the newest of all but us and Kubernetes' own controllers.
pub(crate) fn editor<'a>(
    managers: &'a [ManagedFieldsEntry],
    places: &[Vec<Step>],
) -> Option<&'a ManagedFieldsEntry> {
    let others = || {
        managers.iter().filter(|entry| {
            let name = entry.manager.as_deref().unwrap_or_default();
            name != CONTROLLER_MANAGER
                && entry.subresource.as_deref().unwrap_or_default() != "status"
        })
    };
    let time = |entry: &&ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let owns = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| places.iter().any(|place| covers(fields, place)))
    };
    let owner = others().filter(owns).max_by_key(time);
    owner.or_else(|| {
        let people = others().filter(|entry| {
            let name = entry.manager.as_deref().unwrap_or_default();
            name != "kube-controller-manager"
        });
        people.max_by_key(time)
    })
}

/// Whether a set of fields, as the API server writes it, covers a place.
fn covers(fields: &Value, place: &[Step]) -> bool {
    let Some((step, rest)) = place.split_first() else {
        return true;
    };
    let Some(fields) = fields.as_object() else {
        return false;
    };
    // A field that is owned as a whole.
    if fields.is_empty() {
        return true;
    }
    let below = match step {
        Step::Field(name) => fields.get(&format!("f:{name}")),
        Step::Named(name) => fields.iter().find_map(|(key, below)| {
            let key: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
            (key["name"] == name.as_str()).then_some(below)
        }),
    };
    below.is_some_and(|below| covers(below, rest))
}

/// What is said of an edit.
pub(crate) fn describe(
    (kind, namespace, name): (&str, &str, &str),
    object: String,
    places: &[Vec<Step>],
    managers: &[ManagedFieldsEntry],
) -> Drift {
    let editor = editor(managers, places);
    Drift {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        object,
        fields: places.iter().map(|place| told(place)).collect(),
        manager: editor.and_then(|entry| entry.manager.clone()),
        operation: editor.and_then(|entry| entry.operation.clone()),
        at: editor.and_then(|entry| entry.time.as_ref().map(|time| time.0)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::difference::places;

    fn mk_managers() -> Vec<ManagedFieldsEntry> {
        serde_json::from_value(json!([
            {"manager": "hermez-controller", "operation": "Apply", "time": "2026-01-01T00:00:09Z",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-01T00:00:03Z",
             "fieldsV1": {"f:spec": {"f:template": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}}},
            {"manager": "autoscaler", "operation": "Update", "time": "2026-01-01T00:00:05Z",
             "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status",
             "time": "2026-01-01T00:00:08Z", "fieldsV1": {"f:status": {}}},
        ]))
        .expect("managers")
    }

    #[test]
    fn the_owner_of_the_edited_field_did_it() {
        let desired =
            json!({"spec": {"template": {"containers": [{"name": "web", "image": "a"}]}}});
        let live = json!({"spec": {"template": {"containers": [{"name": "web", "image": "b"}]}}});
        let drift = describe(
            ("PinterestService", "ns", "hello"),
            "Deployment/hello".into(),
            &places(&live, &desired),
            &mk_managers(),
        );
        assert_eq!(
            drift.told(),
            "kubectl-edit (Update) changed spec.template.containers[web].image of Deployment/hello at 2026-01-01T00:00:03Z: put back; change the PinterestService instead"
        );
    }

    #[test]
    fn of_a_field_that_was_removed_the_last_to_write_did_it() {
        let place = vec![vec![Step::Field("data".into()), Step::Field("A".into())]];
        let managers = mk_managers();
        let found = editor(&managers, &place).and_then(|entry| entry.manager.as_deref());
        assert_eq!(found, Some("autoscaler"));
        assert_eq!(editor(&[], &place), None);
    }
}
