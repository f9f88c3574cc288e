//! Talks to registries: finds digests, publishes manifests and reads them back.
//!
//! Guarantees: every call ends within 30 s; what is read is checked against its digest; publishing
//! the same manifest again changes nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use oci_client::Reference;
use oci_client::client::{Client, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::innermost;
use crate::manifest::{
    Descriptor, EMPTY_CONFIG, Index, MANIFEST_ARTIFACT_TYPE, OCI_INDEX_TYPE, OCI_MANIFEST_TYPE,
    assemble, digest_of, layer_of, with_referrer,
};
use crate::reference::{by_digest, manifest_repository, manifest_tag, parse, parse_by_digest};
use crate::transport::client;
use crate::{ArtifactError, ManifestArtifact, PublishedManifest};

/// Largest YAML that is published or read, in bytes.
pub(crate) const MAX_YAML_BYTES: u64 = 4 * 1024 * 1024;
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// What a subject may be: an image, for one platform or several.
const IMAGE_TYPES: &[&str] = &[
    OCI_MANIFEST_TYPE,
    OCI_INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// User name and password for the registry. `Debug` shows the name only.
#[derive(Debug, Clone)]
pub struct RegistryCredential {
    /// User name.
    pub username: String,
    /// Password or access token.
    pub password: SecretString,
}

/// The registry that Hermez publishes to. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(crate) host: Arc<str>,
    insecure: bool,
    pub(crate) auth: Arc<RegistryAuth>,
    pub(crate) own: Client,
    pub(crate) elsewhere: Client,
    pub(crate) loopback: Client,
    /// The fallback index of referrers is read, changed and written: one at a time.
    referrers: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("host", &self.host)
            .field("insecure", &self.insecure)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Talks to the registry at `host:port`; `insecure`: over plain HTTP.
    pub fn new(
        host_port: impl Into<String>,
        insecure: bool,
        auth: Option<RegistryCredential>,
    ) -> Self {
        let auth = auth.map_or(RegistryAuth::Anonymous, |auth| {
            RegistryAuth::Basic(auth.username, auth.password.expose_secret().to_owned())
        });
        let own = if insecure {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        };
        Self {
            host: host_port.into().into(),
            insecure,
            auth: Arc::new(auth),
            own: client(own),
            elsewhere: client(ClientProtocol::Https),
            loopback: client(ClientProtocol::Http),
            referrers: Arc::default(),
        }
    }

    /// The registry's `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the registry answers, within 5 s.
    pub async fn ping(&self) -> Result<(), ArtifactError> {
        let unreachable = |reason| ArtifactError::Unreachable {
            registry: self.host.to_string(),
            reason,
        };
        let scheme = if self.insecure { "http" } else { "https" };
        let http = reqwest::Client::builder()
            .timeout(PING_TIMEOUT)
            .build()
            .map_err(|e| unreachable(innermost(&e)))?;
        let answer = http
            .get(format!("{scheme}://{}/v2/", self.host))
            .send()
            .await
            .map_err(|e| unreachable(innermost(&e)))?;
        match answer.status().as_u16() {
            // It asks for credentials: a registry, and alive.
            200 | 401 => Ok(()),
            status => Err(unreachable(format!("/v2/ answers {status}"))),
        }
    }

    /// Pins a reference to what it names now: `registry/repository@sha256:…`.
    ///
    /// A name without a registry (or of Docker Hub) is looked for in this server's own registry
    /// first, under its full name (`debian` as `library/debian`), then at Docker Hub. A reference
    /// that has a digest keeps it.
    pub async fn resolve(&self, reference: &str) -> Result<String, ArtifactError> {
        let image = parse(reference)?;
        if image.is_hub {
            let own = rehost(&image.full, &self.host);
            match self.digest(&own).await {
                Ok(digest) => return Ok(by_digest(&self.host, own.repository(), &digest)),
                Err(ArtifactError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let (registry, repository) = (image.full.registry(), image.full.repository());
        if let Some(digest) = image.full.digest() {
            return Ok(by_digest(registry, repository, digest));
        }
        match self.digest(&image.full).await {
            Ok(digest) => Ok(by_digest(registry, repository, &digest)),
            Err(ArtifactError::Unreachable { registry, reason }) if image.is_hub => {
                Err(ArtifactError::Unreachable {
                    registry,
                    reason: format!(
                        "{reason}; and this server's own registry has no `{repository}`"
                    ),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Publishes a commit's manifest beside the first image that was built from it, and lets it
    /// refer to that image; beside nothing, if nothing was built.
    ///
    /// Idempotent: the same manifest has the same digest, and is there once.
    pub async fn publish(
        &self,
        manifest: ManifestArtifact<'_>,
    ) -> Result<PublishedManifest, ArtifactError> {
        let size = manifest.yaml.len() as u64;
        if size > MAX_YAML_BYTES {
            return Err(ArtifactError::TooLarge {
                reference: format!("the manifest of {}", manifest.workload),
                size,
                limit: MAX_YAML_BYTES,
            });
        }
        let subject = match manifest.images.iter().find(|image| image.built) {
            Some(image) => Some(self.subject(&image.reference).await?),
            None => None,
        };
        let repository = subject.as_ref().map_or_else(
            || manifest_repository(manifest.workload),
            |(reference, _)| reference.repository().to_owned(),
        );
        let tag = manifest_tag(manifest.commit);
        let target = parse(&format!("{}/{repository}:{tag}", self.host))?.full;
        let assembled = assemble(&manifest, subject.as_ref().map(|(_, it)| it.clone()));
        let bytes = to_json(&assembled);
        let digest = digest_of(&bytes);
        let yaml_digest = assembled.layers[0].digest.clone();
        tokio::try_join!(
            self.push_blob(
                &target,
                Bytes::from_static(EMPTY_CONFIG),
                &assembled.config.digest
            ),
            self.push_blob(&target, Bytes::copy_from_slice(manifest.yaml), &yaml_digest),
        )?;
        self.push_manifest(&target, bytes.clone().into(), OCI_MANIFEST_TYPE)
            .await?;
        if let Some((image, _)) = subject {
            let mut referrer = Descriptor::of(OCI_MANIFEST_TYPE, &bytes);
            referrer.artifact_type = Some(MANIFEST_ARTIFACT_TYPE.to_owned());
            referrer.annotations = assembled.annotations;
            self.list_referrer(&image, referrer).await?;
        }
        let reference = by_digest(&self.host, &repository, &digest);
        tracing::info!(workload = manifest.workload, commit = manifest.commit, %reference, "published");
        Ok(PublishedManifest { reference, digest })
    }

    /// Reads a published manifest's YAML by its reference (by digest); at most 4 MiB, and exactly
    /// the bytes that were published.
    pub async fn fetch(&self, reference: &str) -> Result<Vec<u8>, ArtifactError> {
        let (target, digest) = parse_by_digest(reference)?;
        let manifest = self.pull_manifest(&target, &[OCI_MANIFEST_TYPE]).await?;
        let damaged = || ArtifactError::DigestMismatch {
            reference: reference.to_owned(),
        };
        if digest_of(&manifest) != digest {
            return Err(damaged());
        }
        let layer = layer_of(&manifest).map_err(|reason| ArtifactError::NotAManifest {
            reference: reference.to_owned(),
            reason,
        })?;
        let yaml = self.pull_blob(&target, &layer).await?;
        if digest_of(&yaml) == layer.digest {
            Ok(yaml)
        } else {
            Err(damaged())
        }
    }

    /// What a manifest refers to: the image's own descriptor.
    async fn subject(&self, image: &str) -> Result<(Reference, Descriptor), ArtifactError> {
        let (reference, digest) = parse_by_digest(image)?;
        let bytes = self.pull_manifest(&reference, IMAGE_TYPES).await?;
        if digest_of(&bytes) != digest {
            return Err(ArtifactError::DigestMismatch {
                reference: image.to_owned(),
            });
        }
        let media_type = serde_json::from_slice::<Typed>(&bytes)
            .ok()
            .and_then(|typed| typed.media_type)
            .filter(|it| IMAGE_TYPES.contains(&it.as_str()));
        let media_type = media_type.as_deref().unwrap_or(OCI_MANIFEST_TYPE);
        Ok((reference, Descriptor::of(media_type, &bytes)))
    }

    /// Makes sure that a registry without the referrers API lists a referrer all the same: in an
    /// index under the tag that the specification names for it.
    async fn list_referrer(
        &self,
        image: &Reference,
        referrer: Descriptor,
    ) -> Result<(), ArtifactError> {
        let _one_at_a_time = self.referrers.lock().await;
        // The client asks the API first and the tag where there is no API: what it finds either way
        // is complete.
        let listed = self
            .call(image, || self.own.pull_referrers(image, None))
            .await?;
        if listed
            .manifests
            .iter()
            .any(|known| known.digest == referrer.digest)
        {
            return Ok(());
        }
        let tag = image.digest().unwrap_or_default().replace(':', "-");
        let target = parse(&format!("{}/{}:{tag}", self.host, image.repository()))?.full;
        let existing = match self.pull_manifest(&target, &[OCI_INDEX_TYPE]).await {
            Ok(bytes) => serde_json::from_slice::<Index>(&bytes).ok(),
            Err(ArtifactError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        match with_referrer(existing, referrer) {
            Some(index) => {
                self.push_manifest(&target, to_json(&index).into(), OCI_INDEX_TYPE)
                    .await
            }
            None => Ok(()),
        }
    }
}

/// The media type that a manifest names for itself.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

/// The same repository and tag (or digest) at another registry.
fn rehost(reference: &Reference, host: &str) -> Reference {
    let (host, repository) = (host.to_owned(), reference.repository().to_owned());
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => Reference::with_digest(host, repository, digest.to_owned()),
        (None, tag) => Reference::with_tag(host, repository, tag.unwrap_or("latest").to_owned()),
    }
}

/// Bytes of a manifest or an index. Maps are sorted: the same value gives the same bytes.
fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
