//! Resources made up from the kinds' own definitions: what the definition and its rules accept, the
//! API server accepts, and so it does all that they become.

#[path = "../../../kinds/tests/support/specs.rs"]
mod specs;

use hermez_kinds::{Kind, RuntimeProfile};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};

use crate::support::{Sandbox, within};

/// Resources of each kind; each is a few requests.
const CASES: usize = 12;

/// Applies an object without keeping it.
async fn dry_apply(
    sandbox: &Sandbox,
    resource: &ApiResource,
    object: &DynamicObject,
) -> Result<DynamicObject, kube::Error> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(sandbox.client.clone(), &sandbox.namespace, resource);
    let parameters = PatchParams {
        dry_run: true,
        ..PatchParams::apply("hermez-test").force()
    };
    let name = object.metadata.name.clone().unwrap_or_default();
    api.patch(&name, &parameters, &Patch::Apply(object)).await
}

#[tokio::test]
async fn what_is_valid_is_accepted_with_all_that_it_becomes() {
    within(async |sandbox| {
        for kind in Kind::ALL.iter().copied() {
            for config in specs::valid(kind, CASES, 4) {
                let text = config.to_manifest_yaml();
                let mut resource = config.resource;
                resource.metadata_mut().namespace = Some(sandbox.namespace.clone());
                let object = serde_json::from_value(resource.to_json()).expect("an object");
                let kept = dry_apply(&sandbox, &kind.api_resource(), &object).await;
                let kept = kept.unwrap_or_else(|error| panic!("{text}\n{error}"));
                // What the API server keeps translates to the same.
                let mut value = serde_json::to_value(kept).expect("plain data");
                value["metadata"] = serde_json::to_value(resource.metadata()).expect("plain data");
                let kept = kind.read(value).expect("of its kind");
                for profile in [RuntimeProfile::plain(), RuntimeProfile::pinterest()] {
                    let objects = resource.translate(&profile).expect("translates");
                    assert_eq!(
                        kept.translate(&profile).expect("translates"),
                        objects,
                        "{text}"
                    );
                    for object in objects {
                        let types = object.types.clone().expect("a kind");
                        let gvk = GroupVersionKind::try_from(&types).expect("a kind");
                        let native = kind
                            .owned()
                            .into_iter()
                            .find(|native| native.kind == gvk.kind);
                        let accepted = dry_apply(&sandbox, &native.expect("owned"), &object).await;
                        if let Err(error) = accepted {
                            panic!("{text}\n{}: {error}", gvk.kind);
                        }
                    }
                }
            }
        }
    })
    .await;
}
