//! Published manifests as they were read last: a deploy does not ask the registry for what this
//! server has published a moment ago, nor a comparison for what it compared before.
//!
//! A manifest is named by its digest and never changes, so nothing here grows old; how much is kept
//! is bounded.

use std::sync::Arc;

use hermez_artifact::ArtifactError;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::Road;

/// Most bytes of manifests that are kept: about a thousand of the usual size.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// What a manifest takes up as a rule, with its name.
const USUAL_BYTES: u64 = 4 * 1024;

/// Manifests by their reference (by digest).
pub(crate) struct Manifests(Cache<String, Arc<[u8]>, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<String, Arc<[u8]>> for Bytes {
    fn weight(&self, reference: &String, yaml: &Arc<[u8]>) -> u64 {
        (reference.len() + yaml.len()) as u64
    }
}

impl Default for Manifests {
    fn default() -> Self {
        let items = usize::try_from(MAX_BYTES / USUAL_BYTES).unwrap_or(1);
        Self(Cache::with_weighter(items, MAX_BYTES, Bytes))
    }
}

impl Manifests {
    /// Keeps what was published under a reference.
    pub(crate) fn keep(&self, reference: String, yaml: &[u8]) {
        self.0.insert(reference, yaml.into());
    }
}

impl Road {
    /// A published manifest's YAML by its reference (by digest); those who ask for the same one at
    /// the same time ask the registry once.
    pub(crate) async fn manifest(&self, reference: &str) -> Result<Arc<[u8]>, ArtifactError> {
        let fetch = async {
            let yaml = self.parts().registry.fetch(reference).await?;
            Ok(Arc::from(yaml))
        };
        let manifests = &self.inner.manifests.0;
        manifests.get_or_insert_async(reference, fetch).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_the_bound_says() {
        let manifests = Manifests::default();
        for number in 0..4_000 {
            manifests.keep(
                format!("registry/hello@sha256:{number:064}"),
                &[b'x'; 4_000],
            );
        }
        assert!(
            manifests.0.weight() <= MAX_BYTES,
            "{}",
            manifests.0.weight()
        );
        assert!(manifests.0.len() > 100, "{}", manifests.0.len());
    }
}
