//! What was read of commits a moment ago: whoever deploys a commit asks for it several times, and
//! each answer of Git's costs a process.
//!
//! A commit never changes. Whether it is a revision of its repository may: that answer is forgotten
//! whenever a mirror has changed.

use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::{Commit, CommitId, RepositoryUrl};

/// Commits that are kept; each has at most some 10 KiB, and most have half of one.
const COMMITS: usize = 256;

/// A commit of a repository.
type Key = (String, CommitId);

/// What is known of commits.
#[derive(Debug)]
pub(crate) struct Known {
    /// Goes up with every change of a mirror.
    changes: AtomicU64,
    /// Commits that are revisions of their repository, with the number of changes at that time.
    revisions: Cache<Key, u64>,
    commits: Cache<Key, Commit>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            changes: AtomicU64::default(),
            revisions: Cache::new(COMMITS),
            commits: Cache::new(COMMITS),
        }
    }
}

impl Known {
    /// A mirror has changed.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often mirrors have changed: to be asked before a mirror is read.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Whether it is known that the commit is a revision of its repository.
    pub(crate) fn is_revision(&self, url: &RepositoryUrl, commit: &CommitId) -> bool {
        let seen = self.revisions.get(&key(url, commit));
        seen.is_some_and(|changes| changes == self.changes())
    }

    /// The commit was a revision of its repository at that number of changes.
    pub(crate) fn keep_revision(&self, url: &RepositoryUrl, commit: &CommitId, changes: u64) {
        self.revisions.insert(key(url, commit), changes);
    }

    /// A commit that was read before.
    pub(crate) fn commit(&self, url: &RepositoryUrl, commit: &CommitId) -> Option<Commit> {
        self.commits.get(&key(url, commit))
    }

    /// Keeps a commit that was read.
    pub(crate) fn keep_commit(&self, url: &RepositoryUrl, commit: &Commit) {
        self.commits.insert(key(url, &commit.id), commit.clone());
    }
}

fn key(url: &RepositoryUrl, commit: &CommitId) -> Key {
    (url.identity(), commit.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_forgotten_when_a_mirror_changes() {
        let known = Known::default();
        let url = RepositoryUrl::parse("http://git.example/team/hello").expect("a URL");
        let other = RepositoryUrl::parse("http://git.example/team/other").expect("a URL");
        let commit = CommitId::parse(&"c".repeat(40)).expect("a commit");
        let before = known.changes();
        known.keep_revision(&url, &commit, before);
        assert!(known.is_revision(&url, &commit));
        assert!(!known.is_revision(&other, &commit));
        known.changed();
        assert!(!known.is_revision(&url, &commit));
        // Read while the mirror changed: not believed afterwards.
        known.keep_revision(&url, &commit, before);
        assert!(!known.is_revision(&url, &commit));
    }
}
