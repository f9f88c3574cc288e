//! The third stretch of a commit's road: images and manifests in an OCI registry, by digest.
//!
//! Where things lie, for workload `web` with built image `web` at commit `95f6…`:
//!
//! | what | repository | tag |
//! | --- | --- | --- |
//! | a built image | `hermez/web/web` | `95f6…` |
//! | the manifest | `hermez/web/web`, that of the first built image | `manifest-95f6…` |
//! | the manifest, nothing built | `hermez/web` | `manifest-95f6…` |
//! | referrers index (registries without the referrers API) | as the image | `sha256-<image's digest>` |
//!
//! An artifact that refers to an image (`subject`) must lie in the image's own repository: that is
//! why the manifest does. Names come from [`image_repository`], [`image_tag`] and
//! [`manifest_tag`], so that nobody writes them by hand.

pub mod error;
pub mod manifest;
pub mod reference;
pub mod registry;

mod failure;
mod transport;

pub use error::ArtifactError;
pub use manifest::{
    MANIFEST_ARTIFACT_TYPE, MANIFEST_LAYER_TYPE, ManifestArtifact, PinnedImage, PublishedManifest,
};
pub use reference::{image_repository, image_tag, manifest_repository, manifest_tag};
pub use registry::{Registry, RegistryCredential};
