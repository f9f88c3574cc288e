//! Brings a mirror up to date.
//!
//! Guarantees: a first fetch happens beside the mirrors and is renamed into place only when it is
//! whole; an update that fails leaves every branch where it was; nothing of a failed fetch stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::disk::{Staged, clear_leftovers, size_of};
use crate::git::Git;
use crate::remote::worth_another_spelling;
use crate::{CommitId, Credential, Mirrors, RepositoryUrl, SourceError};

/// Locks older than this were left behind by a Git that was killed: it holds them for milliseconds.
const STALE_LOCK_AGE: Duration = Duration::from_secs(30);
/// Time that folding packs together may take.
const GC_TIMEOUT: Duration = Duration::from_mins(10);
/// Most branches that are looked at, and the bytes their list may take.
pub(crate) const MAX_BRANCHES: usize = 10_000;
const LIST_BYTES: usize = 8 * 1024 * 1024;
/// Remembers, inside the mirror, which spelling of the URL the server answers to.
const REMOTE_FILE: &str = "hermez-remote";

/// At most one mirror is folded at a time: it takes a core.
static GC: Semaphore = Semaphore::const_new(1);

/// What a sync did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReport {
    /// Whether this was the first fetch of the repository.
    pub first: bool,
    /// Branches that are new, moved or gone since the last sync; every branch on the first.
    pub changed_branches: Vec<String>,
    /// Size of the mirror afterwards, in bytes.
    pub mirror_bytes: u64,
    /// Time that it took.
    pub elapsed: Duration,
}

impl Mirrors {
    /// Brings the mirror of a repository up to date; makes it if there is none yet.
    ///
    /// Transfers only what is new. Syncs of one repository wait for each other.
    ///
    /// # Errors
    /// Says apart: no such repository, needs a password, wrong password, unreachable, empty, over
    /// the size limit, too slow. Nothing is left on disk of a first fetch that failed.
    pub async fn sync(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
    ) -> Result<SyncReport, SourceError> {
        let _lock = self.lock(url).await;
        let begin = Instant::now();
        self.staging().await?;
        let limit = self.limits.fetch_timeout;
        let work = async {
            if self.folder(url).is_dir() {
                self.update(url, credential).await
            } else {
                self.first_fetch(url, credential).await
            }
        };
        let mut report = tokio::time::timeout(limit, work)
            .await
            .unwrap_or_else(|_| {
                Err(SourceError::TimedOut {
                    subject: url.to_string(),
                    limit,
                })
            })?;
        report.elapsed = begin.elapsed();
        tracing::info!(
            repository = %url,
            first = report.first,
            changed = report.changed_branches.len(),
            bytes = report.mirror_bytes,
            elapsed_ms = report.elapsed.as_millis() as u64,
            "synced"
        );
        Ok(report)
    }

    async fn first_fetch(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
    ) -> Result<SyncReport, SourceError> {
        let probe = self.probe_spellings(url, credential).await?;
        let staged = Staged::new(&self.staging().await?);
        Git::local(None, "make a mirror")
            .args([
                "init",
                "--bare",
                "--quiet",
                "--template=",
                "--initial-branch=main",
                "--",
            ])
            .args([&staged.0])
            .success(Vec::new(), 4096, self.limits.read_timeout)
            .await?;
        self.fetch(&staged.0, url, &probe.remote, credential)
            .await?;
        let branches = self.heads(&staged.0).await?;
        if branches.is_empty() {
            return Err(SourceError::Empty {
                url: url.to_string(),
            });
        }
        self.point_head(&staged.0, probe.head.as_deref(), &branches)
            .await?;
        let io = |e: std::io::Error| SourceError::io("keep a mirror", &e);
        tokio::fs::write(staged.0.join(REMOTE_FILE), &probe.remote)
            .await
            .map_err(io)?;
        let mirror_bytes = size_of(staged.0.clone()).await;
        if mirror_bytes > self.limits.mirror_bytes {
            return Err(self.too_large(url));
        }
        tokio::fs::rename(&staged.0, self.folder(url))
            .await
            .map_err(io)?;
        Ok(SyncReport {
            first: true,
            changed_branches: branches.into_keys().collect(),
            mirror_bytes,
            elapsed: Duration::ZERO,
        })
    }

    async fn update(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
    ) -> Result<SyncReport, SourceError> {
        let folder = self.folder(url);
        clear_leftovers(folder.clone(), STALE_LOCK_AGE, self.limits.fetch_timeout).await;
        // Pushes too small and quick to be caught while they are fetched add up as well.
        if size_of(folder.clone()).await > self.limits.mirror_bytes {
            fold_in_background(folder);
            return Err(self.too_large(url));
        }
        let before = self.heads(&folder).await?;
        let remote = remote_of(&folder, url).await;
        // Asking for HEAD beside the fetch costs no time; the first to fail ends both.
        let both = tokio::try_join!(
            self.probe(url, &remote, credential),
            self.fetch(&folder, url, &remote, credential)
        );
        let head = match both {
            Ok((probe, ())) => probe.head,
            Err(error) if worth_another_spelling(&error) => {
                let probe = self.probe_spellings(url, credential).await?;
                self.fetch(&folder, url, &probe.remote, credential).await?;
                tokio::fs::write(folder.join(REMOTE_FILE), &probe.remote)
                    .await
                    .map_err(|e| SourceError::io("keep a mirror", &e))?;
                probe.head
            }
            Err(error) => {
                clear_leftovers(folder, STALE_LOCK_AGE, Duration::ZERO).await;
                return Err(error);
            }
        };
        let after = self.heads(&folder).await?;
        if after.is_empty() {
            return Err(SourceError::Empty {
                url: url.to_string(),
            });
        }
        self.point_head(&folder, head.as_deref(), &after).await?;
        let mirror_bytes = size_of(folder.clone()).await;
        fold_in_background(folder);
        Ok(SyncReport {
            first: false,
            changed_branches: changed(&before, &after),
            mirror_bytes,
            elapsed: Duration::ZERO,
        })
    }

    /// Branches with their commits.
    async fn heads(&self, folder: &Path) -> Result<BTreeMap<String, CommitId>, SourceError> {
        let list = Git::local(Some(folder), "list branches")
            .args(["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)"])
            .args([format!("--count={MAX_BRANCHES}").as_str(), "refs/heads"])
            .success(Vec::new(), LIST_BYTES, self.limits.read_timeout)
            .await?;
        Ok(String::from_utf8_lossy(&list)
            .lines()
            .filter_map(|line| {
                let (id, name) = line.split_once(' ')?;
                Some((name.to_owned(), CommitId::parse(id).ok()?))
            })
            .collect())
    }

    /// Makes the mirror's HEAD name the default branch.
    async fn point_head(
        &self,
        folder: &Path,
        wanted: Option<&str>,
        branches: &BTreeMap<String, CommitId>,
    ) -> Result<(), SourceError> {
        let Some(name) = default_of(wanted, branches) else {
            return Ok(());
        };
        let line = format!("ref: refs/heads/{name}\n");
        if tokio::fs::read_to_string(folder.join("HEAD"))
            .await
            .is_ok_and(|head| head == line)
        {
            return Ok(());
        }
        Git::local(Some(folder), "set the default branch")
            .args(["symbolic-ref", "HEAD", &format!("refs/heads/{name}")])
            .success(Vec::new(), 4096, self.limits.read_timeout)
            .await
            .map(drop)
    }
}

/// The spelling of the URL that the server answered to last.
pub(crate) async fn remote_of(folder: &Path, url: &RepositoryUrl) -> String {
    tokio::fs::read_to_string(folder.join(REMOTE_FILE))
        .await
        .ok()
        .filter(|remote| url.remotes().contains(remote))
        .unwrap_or_else(|| url.remotes()[0].clone())
}

/// Folds many small packs into one, where Git finds it worth while; nobody waits for it.
fn fold_in_background(folder: PathBuf) {
    let git = Git::local(Some(&folder), "fold packs").args(["gc", "--auto", "--quiet"]);
    tokio::spawn(async move {
        if let Ok(_permit) = GC.try_acquire()
            && let Err(error) = git.success(Vec::new(), 64 * 1024, GC_TIMEOUT).await
            && folder.is_dir()
        {
            tracing::warn!(%error, folder = %folder.display(), "packs could not be folded");
        }
    });
}

/// The default branch: the server's HEAD where it names a branch that exists, else a usual name.
fn default_of<'a>(
    wanted: Option<&'a str>,
    branches: &'a BTreeMap<String, CommitId>,
) -> Option<&'a str> {
    wanted
        .into_iter()
        .chain(["main", "master"])
        .find(|name| branches.contains_key(*name))
        .or_else(|| branches.keys().next().map(String::as_str))
}

/// Branches that are new, moved or gone.
fn changed(before: &BTreeMap<String, CommitId>, after: &BTreeMap<String, CommitId>) -> Vec<String> {
    let moved = after
        .iter()
        .filter(|(name, id)| before.get(*name) != Some(id))
        .map(|(name, _)| name);
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    moved.chain(gone).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(list: &[(&str, char)]) -> BTreeMap<String, CommitId> {
        list.iter()
            .map(|(name, digit)| {
                let id = CommitId::parse(&digit.to_string().repeat(40)).unwrap();
                ((*name).to_owned(), id)
            })
            .collect()
    }

    #[test]
    fn changed_branches_are_new_moved_or_gone() {
        let before = heads(&[("same", 'a'), ("moved", 'a'), ("gone", 'a')]);
        let after = heads(&[("same", 'a'), ("moved", 'b'), ("new", 'a')]);
        assert_eq!(changed(&before, &after), ["moved", "new", "gone"]);
    }

    #[test]
    fn the_default_branch_exists() {
        let branches = heads(&[("develop", 'a'), ("master", 'a')]);
        assert_eq!(default_of(Some("develop"), &branches), Some("develop"));
        assert_eq!(default_of(Some("gone"), &branches), Some("master"));
        assert_eq!(default_of(None, &heads(&[("x", 'a')])), Some("x"));
        assert_eq!(default_of(None, &heads(&[])), None);
    }
}
