//! What other servers on the same database change: nothing announces it here, so that the database is
//! looked at again and again.
//!
//! Also while nobody listens: who comes between two looks is told at the next one what changed since.

use std::collections::HashMap;

use hermez_api::{BuildState, BuildSummary, DeployState, DeploySummary};
use hermez_store::{BuildFilter, DeployFilter, PageRequest, Store, StoreError};

/// States in which a deploy has not ended.
pub const OPEN_DEPLOYS: [DeployState; 7] = [
    DeployState::Pending,
    DeployState::Building,
    DeployState::Queued,
    DeployState::Canary,
    DeployState::Applying,
    DeployState::RollingOut,
    DeployState::Verifying,
];
/// States in which a build has not ended.
pub const OPEN_BUILDS: [BuildState; 2] = [BuildState::Queued, BuildState::Running];

/// What one look saw: what has not ended, and the newest, which may have come and ended since the
/// look before.
#[derive(Debug)]
pub struct Seen {
    deploys: HashMap<i64, DeploySummary>,
    builds: HashMap<i64, BuildSummary>,
}

/// Numbers of what has changed between two looks.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Deploys.
    pub deploys: Vec<i64>,
    /// Builds.
    pub builds: Vec<i64>,
}

impl Seen {
    /// Looks.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            deploys: deploys(store).await?,
            builds: builds(store).await?,
        })
    }

    /// What is not as the look before saw it.
    pub fn news(&self, old: &Self) -> News {
        News {
            deploys: changed(&old.deploys, &self.deploys, |it| it.finished_at.is_some()),
            builds: changed(&old.builds, &self.builds, |it| it.finished_at.is_some()),
        }
    }
}

async fn deploys(store: &Store) -> Result<HashMap<i64, DeploySummary>, StoreError> {
    let newest = store
        .deploys(&DeployFilter::default(), &PageRequest::default())
        .await?;
    let open = DeployFilter {
        states: OPEN_DEPLOYS.to_vec(),
        ..DeployFilter::default()
    };
    let mut found = newest.items;
    let mut cursor = None;
    loop {
        let request = PageRequest::new(cursor, Some(PageRequest::MAX_LIMIT));
        let page = store.deploys(&open, &request).await?;
        found.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found.iter().map(|it| (it.id, it.summary())).collect());
        }
    }
}

async fn builds(store: &Store) -> Result<HashMap<i64, BuildSummary>, StoreError> {
    let newest = store
        .builds(&BuildFilter::default(), &PageRequest::default())
        .await?;
    let open = BuildFilter {
        states: OPEN_BUILDS.to_vec(),
        ..BuildFilter::default()
    };
    let mut found = newest.items;
    let mut cursor = None;
    loop {
        let request = PageRequest::new(cursor, Some(PageRequest::MAX_LIMIT));
        let page = store.builds(&open, &request).await?;
        found.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found.iter().map(|it| (it.id, it.summary())).collect());
        }
    }
}

/// Numbers of those that changed, came, or are not seen any more and had not ended; rising. One that
/// ended long ago and is among the newest only now is no news.
fn changed<T: PartialEq>(
    before: &HashMap<i64, T>,
    now: &HashMap<i64, T>,
    has_ended: impl Fn(&T) -> bool,
) -> Vec<i64> {
    let newest = before.keys().max().copied().unwrap_or(0);
    let here = now.iter().filter(|(id, it)| match before.get(*id) {
        Some(was) => was != *it,
        None => !has_ended(it) || **id > newest,
    });
    let gone = before.iter();
    let gone = gone.filter(|(id, it)| !has_ended(it) && !now.contains_key(*id));
    let mut ids: Vec<i64> = here.chain(gone).map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    type Look = [(i64, &'static str)];

    fn news(before: &Look, now: &Look) -> Vec<i64> {
        let before = before.iter().copied().collect();
        let now = now.iter().copied().collect();
        changed(&before, &now, |state| *state == "ended")
    }

    #[test]
    fn what_changed_came_or_went_is_news() {
        let before = [(3, "queued"), (7, "applying"), (8, "ended")];
        assert!(news(&before, &before).is_empty());
        let now = [
            // Asked for long ago, ended long ago: it is among the newest because others went.
            (2, "ended"),
            (3, "queued"),
            (7, "ended"),
            // Tried again.
            (5, "queued"),
            // Came and ended between two looks.
            (9, "ended"),
            (10, "pending"),
        ];
        assert_eq!(news(&before, &now), [5, 7, 9, 10]);
        assert_eq!(news(&before, &[(8, "ended")]), [3, 7]);
    }
}
