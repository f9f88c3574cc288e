//! The requests that registries are sent: each ends in time, with a bounded answer or one clear
//! error.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use futures::{StreamExt as _, TryFutureExt as _};
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};

use crate::failure::explain;
use crate::manifest::Descriptor;
use crate::reference::is_loopback;
use crate::registry::MAX_YAML_BYTES;
use crate::{ArtifactError, Registry};

/// Largest manifest or index that is worked with, in bytes (registries take no larger ones).
const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is sent again when the registry stumbles, and after how long the first
/// time (then twice as long).
const RETRIES: usize = 3;
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Registry {
    pub(crate) async fn digest(&self, reference: &Reference) -> Result<String, ArtifactError> {
        let (client, auth) = self.client_for(reference);
        let digest = self
            .call(reference, || client.fetch_manifest_digest(reference, auth))
            .await?;
        if crate::reference::is_digest(&digest) {
            Ok(digest)
        } else {
            Err(ArtifactError::Unexpected {
                registry: reference.registry().to_owned(),
                message: "it names no sha256 digest".to_owned(),
            })
        }
    }

    pub(crate) async fn pull_manifest(
        &self,
        reference: &Reference,
        types: &[&str],
    ) -> Result<Vec<u8>, ArtifactError> {
        let (client, auth) = self.client_for(reference);
        let (bytes, _) = self
            .call(reference, || {
                client.pull_manifest_raw(reference, auth, types)
            })
            .await?;
        bounded(reference, bytes.len() as u64, MAX_MANIFEST_BYTES)?;
        Ok(bytes.to_vec())
    }

    /// Reads a layer, and never more than it may have.
    pub(crate) async fn pull_blob(
        &self,
        reference: &Reference,
        layer: &Descriptor,
    ) -> Result<Vec<u8>, ArtifactError> {
        bounded(reference, layer.size, MAX_YAML_BYTES)?;
        let (client, auth) = self.client_for(reference);
        client
            .store_auth_if_needed(reference.resolve_registry(), auth)
            .await;
        let descriptor = OciDescriptor {
            media_type: layer.media_type.clone(),
            digest: layer.digest.clone(),
            size: layer.size as i64,
            ..OciDescriptor::default()
        };
        let descriptor = &descriptor;
        let read = || async move {
            let mut stream = client.pull_blob_stream(reference, descriptor).await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > layer.size {
                    break;
                }
            }
            Ok(bytes)
        };
        self.call(reference, read).await
    }

    pub(crate) async fn push_blob(
        &self,
        target: &Reference,
        bytes: Bytes,
        digest: &str,
    ) -> Result<(), ArtifactError> {
        self.own.store_auth_if_needed(&self.host, &self.auth).await;
        let bytes = &bytes;
        let push = || async move {
            if !self.own.blob_exists(target, digest).await? {
                self.own.push_blob(target, bytes.clone(), digest).await?;
            }
            Ok(())
        };
        self.call(target, push).await
    }

    pub(crate) async fn push_manifest(
        &self,
        target: &Reference,
        bytes: Bytes,
        media_type: &'static str,
    ) -> Result<(), ArtifactError> {
        let media_type = reqwest::header::HeaderValue::from_static(media_type);
        let (bytes, media_type) = (&bytes, &media_type);
        let push = || async move {
            self.own
                .auth(target, &self.auth, RegistryOperation::Push)
                .await?;
            self.own
                .push_manifest_raw(target, bytes.clone(), media_type.clone())
                .await
        };
        self.call(target, push).await.map(drop)
    }

    /// Which client and which credential a reference's registry gets: ours go to our own only.
    fn client_for(&self, reference: &Reference) -> (&Client, &RegistryAuth) {
        if reference.registry() == &*self.host {
            (&self.own, &self.auth)
        } else if is_loopback(reference.registry()) {
            (&self.loopback, &RegistryAuth::Anonymous)
        } else {
            (&self.elsewhere, &RegistryAuth::Anonymous)
        }
    }

    /// Ends what takes too long, sends again what the registry stumbled over, and explains what
    /// fails.
    ///
    /// Everything that is sent names its content by digest, or a tag that only one writes: sent
    /// twice, it does the same. A registry may well fail a request that it answers a moment later
    /// (the CNCF registry does, while another request writes the same blob).
    pub(crate) async fn call<T, F>(
        &self,
        reference: &Reference,
        work: impl Fn() -> F,
    ) -> Result<T, ArtifactError>
    where
        F: Future<Output = Result<T, OciDistributionError>>,
    {
        let explained =
            || work().map_err(|error| explain(&error, reference.registry(), &reference.whole()));
        let backoff = ExponentialBuilder::default()
            .with_min_delay(RETRY_AFTER)
            .with_max_times(RETRIES);
        let answer = explained
            .retry(backoff)
            .when(ArtifactError::is_transient)
            .notify(|error, after| tracing::debug!(%error, ?after, "asking the registry again"));
        match tokio::time::timeout(CALL_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ArtifactError::Unreachable {
                registry: reference.registry().to_owned(),
                reason: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            }),
        }
    }
}

fn bounded(reference: &Reference, size: u64, limit: u64) -> Result<(), ArtifactError> {
    if size > limit {
        return Err(ArtifactError::TooLarge {
            reference: reference.whole(),
            size,
            limit,
        });
    }
    Ok(())
}

pub(crate) fn client(protocol: ClientProtocol) -> Client {
    Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(READ_TIMEOUT),
        use_monolithic_push: true,
        user_agent: concat!("hermez/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    })
}
