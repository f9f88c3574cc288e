//! PinterestJobSet and what it becomes.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject};

use super::PinterestJobSet;
use crate::kind::Kind;
use crate::profile::RuntimeProfile;
use crate::translate::{TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![ApiResource::erase::<ConfigMap>(&())]
}

/// What it becomes, in the order in which to apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    resource: &PinterestJobSet,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let translation = Translation::new(Kind::JobSet, &resource.metadata, profile);
    let spec = &resource.spec;
    Ok(translation
        .config_map(&spec.configs)
        .as_ref()
        .map(dynamic)
        .into_iter()
        .collect())
}
