//! The manifest of a commit as an OCI artifact. Pure: the same commit gives the same bytes.
//!
//! An OCI image manifest with `artifactType` [`MANIFEST_ARTIFACT_TYPE`], the empty config, one
//! layer of [`MANIFEST_LAYER_TYPE`] (the Kubernetes resource as YAML), and as `subject` the first
//! image that was built.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Artifact type of a manifest.
pub const MANIFEST_ARTIFACT_TYPE: &str = "application/vnd.hermez.manifest.v1";
/// Media type of a manifest's only layer: the Kubernetes resource as YAML.
pub const MANIFEST_LAYER_TYPE: &str = "application/vnd.hermez.manifest.v1+yaml";
/// Media type of an OCI image manifest.
pub(crate) const OCI_MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub(crate) const OCI_INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The config of an artifact that has none.
pub(crate) const EMPTY_CONFIG: &[u8] = b"{}";
const EMPTY_CONFIG_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// Most referrers that the index of one image keeps; the oldest go.
const MAX_REFERRERS: usize = 1000;

/// A manifest to publish.
#[derive(Debug, Clone, Copy)]
pub struct ManifestArtifact<'a> {
    /// Name of the workload.
    pub workload: &'a str,
    /// The commit (40 hexadecimal digits).
    pub commit: &'a str,
    /// The Kubernetes resource, with every image pinned to a digest; at most 4 MiB.
    pub yaml: &'a [u8],
    /// Its images. The manifest refers to the first that was built, and lies beside it.
    pub images: &'a [PinnedImage],
    /// URL of the repository, without credentials.
    pub source: &'a str,
    /// When the commit was made (not the clock: the same commit gives the same digest).
    pub created: Timestamp,
}

/// An image, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedImage {
    /// As the config file writes it.
    pub name: String,
    /// `registry/repository@sha256:…`.
    pub reference: String,
    /// Whether Hermez built it.
    pub built: bool,
}

/// A manifest in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedManifest {
    /// `registry/repository@sha256:…`.
    pub reference: String,
    /// `sha256:…`.
    pub digest: String,
}

/// Points at content by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An OCI image manifest, as far as artifacts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub schema_version: u8,
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An OCI image index, as the referrers of an image are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub schema_version: u8,
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

impl Descriptor {
    /// Points at the given bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest_of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// Puts a manifest together.
pub(crate) fn assemble(artifact: &ManifestArtifact<'_>, subject: Option<Descriptor>) -> Manifest {
    let mut layer = Descriptor::of(MANIFEST_LAYER_TYPE, artifact.yaml);
    layer.annotations.insert(
        "org.opencontainers.image.title".to_owned(),
        format!("{}.yaml", artifact.workload),
    );
    let annotations = [
        ("dev.hermez.workload", artifact.workload.to_owned()),
        (
            "org.opencontainers.image.created",
            artifact.created.to_string(),
        ),
        (
            "org.opencontainers.image.revision",
            artifact.commit.to_owned(),
        ),
        (
            "org.opencontainers.image.source",
            artifact.source.to_owned(),
        ),
    ];
    Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST_TYPE.to_owned(),
        artifact_type: Some(MANIFEST_ARTIFACT_TYPE.to_owned()),
        config: Descriptor::of(EMPTY_CONFIG_TYPE, EMPTY_CONFIG),
        layers: vec![layer],
        subject,
        annotations: annotations
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

/// The one layer of a manifest that Hermez published, or why it is none.
pub(crate) fn layer_of(bytes: &[u8]) -> Result<Descriptor, String> {
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|_| "it is no OCI manifest".to_owned())?;
    match manifest.artifact_type.as_deref() {
        Some(MANIFEST_ARTIFACT_TYPE) => {}
        Some(other) => {
            return Err(format!(
                "it is of type {}",
                crate::reference::shorten(other)
            ));
        }
        None => return Err("it is an image".to_owned()),
    }
    let mut layers = manifest.layers;
    match (layers.pop(), layers.is_empty()) {
        (Some(layer), true) if layer.media_type == MANIFEST_LAYER_TYPE => Ok(layer),
        _ => Err("it does not hold exactly one YAML file".to_owned()),
    }
}

/// Adds a referrer to an image's index; `None`: it is listed already.
pub(crate) fn with_referrer(existing: Option<Index>, referrer: Descriptor) -> Option<Index> {
    let mut manifests = existing.map(|index| index.manifests).unwrap_or_default();
    if manifests
        .iter()
        .any(|known| known.digest == referrer.digest)
    {
        return None;
    }
    manifests.push(referrer);
    let over = manifests.len().saturating_sub(MAX_REFERRERS);
    manifests.drain(..over);
    Some(Index {
        schema_version: 2,
        media_type: OCI_INDEX_TYPE.to_owned(),
        manifests,
    })
}

/// `sha256:` and the hash of the bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "95f6178e872a9d279440e579dbcf3600eed5dd7e";

    fn artifact(yaml: &[u8]) -> ManifestArtifact<'_> {
        ManifestArtifact {
            workload: "web",
            commit: COMMIT,
            yaml,
            images: &[],
            source: "https://git.example.com/team/web",
            created: "2019-11-15T13:48:16Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_artifact_is_what_the_specification_wants() {
        let subject = Descriptor::of(OCI_MANIFEST_TYPE, b"image");
        let json = serde_json::to_value(assemble(&artifact(b"kind: X\n"), Some(subject))).unwrap();
        let expect = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.hermez.manifest.v1",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "size": 2
            },
            "layers": [{
                "mediaType": "application/vnd.hermez.manifest.v1+yaml",
                "digest": digest_of(b"kind: X\n"),
                "size": 8,
                "annotations": {"org.opencontainers.image.title": "web.yaml"}
            }],
            "subject": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest_of(b"image"),
                "size": 5
            },
            "annotations": {
                "dev.hermez.workload": "web",
                "org.opencontainers.image.created": "2019-11-15T13:48:16Z",
                "org.opencontainers.image.revision": COMMIT,
                "org.opencontainers.image.source": "https://git.example.com/team/web"
            }
        });
        assert_eq!(json, expect);
    }

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let bytes = |yaml| serde_json::to_vec(&assemble(&artifact(yaml), None)).unwrap();
        assert_eq!(bytes(b"a"), bytes(b"a"));
        assert_ne!(bytes(b"a"), bytes(b"b"));
        assert_eq!(layer_of(&bytes(b"a")).unwrap().digest, digest_of(b"a"));
    }

    #[test]
    fn what_hermez_did_not_publish_is_refused() {
        let manifest = || assemble(&artifact(b"a"), None);
        let refuse = |change: fn(&mut Manifest)| {
            let mut changed = manifest();
            change(&mut changed);
            layer_of(&serde_json::to_vec(&changed).unwrap()).unwrap_err()
        };
        assert!(refuse(|m| m.artifact_type = None).contains("image"));
        assert!(refuse(|m| m.artifact_type = Some("x/y".into())).contains("x/y"));
        assert!(refuse(|m| m.layers.clear()).contains("exactly one"));
        assert!(refuse(|m| m.layers.push(m.layers[0].clone())).contains("exactly one"));
        assert!(refuse(|m| m.layers[0].media_type = "x/y".into()).contains("exactly one"));
        layer_of(b"not json").unwrap_err();
    }

    #[test]
    fn a_referrer_is_listed_once_and_others_stay() {
        let one = Descriptor::of(OCI_MANIFEST_TYPE, b"1");
        let two = Descriptor::of(OCI_MANIFEST_TYPE, b"2");
        let index = with_referrer(None, one.clone()).unwrap();
        let index = with_referrer(Some(index), two.clone()).unwrap();
        assert_eq!(index.manifests, [one.clone(), two]);
        assert_eq!(with_referrer(Some(index), one), None);
        let mut many = None;
        for number in 0..(MAX_REFERRERS as u32 + 5) {
            let next = Descriptor::of(OCI_MANIFEST_TYPE, &number.to_be_bytes());
            many = with_referrer(many, next);
        }
        assert_eq!(many.unwrap().manifests.len(), MAX_REFERRERS);
    }
}
