//! Fetches repositories that no forge calls about, when somebody looks at their commits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hermez_api::WebhookState;
use hermez_deploy::Road;
use hermez_store::RepositoryRecord;

/// A repository is not fetched more often than this by looking.
const REST: Duration = Duration::from_secs(30);

/// Remembers when each repository was fetched last by looking; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Refresher(Arc<Mutex<HashMap<i64, Instant>>>);

impl Refresher {
    /// Begins a fetch in the background where there is no webhook and none was begun lately. It
    /// only brings the mirror up to date: nothing is built or deployed for it.
    pub fn looked_at(&self, repository: &RepositoryRecord, road: &Road) {
        if repository.webhook == WebhookState::Installed
            || !self.begin(repository.id, Instant::now())
        {
            return;
        }
        let (road, id) = (road.clone(), repository.id);
        tokio::spawn(async move {
            if let Err(error) = road.sync(id).await {
                tracing::debug!(%error, repository = id, "a repository could not be fetched");
            }
        });
    }

    fn begin(&self, id: i64, now: Instant) -> bool {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, at| now.duration_since(*at) < REST);
        match begun.entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_rests_between_fetches() {
        let refresher = Refresher::default();
        let start = Instant::now();
        assert!(refresher.begin(1, start));
        assert!(!refresher.begin(1, start + REST / 2));
        assert!(refresher.begin(2, start + REST / 2));
        assert!(refresher.begin(1, start + REST));
    }
}
