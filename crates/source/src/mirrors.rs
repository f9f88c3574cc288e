//! The mirrors: one bare copy of each repository, kept in one folder of the server.
//!
//! Guarantees: a mirror is either whole or absent; at most one sync of a repository runs at a
//! time; every Git process ends with the call that started it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::known::Known;
use crate::{RepositoryUrl, SourceError};

/// What a repository may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Size of a mirror, in bytes. Default 512 MiB.
    pub mirror_bytes: u64,
    /// Time of one fetch. Default 5 min.
    pub fetch_timeout: Duration,
    /// Time of one answer from a mirror (listing, reading a file). Default 30 s.
    pub read_timeout: Duration,
    /// Size of a file that [`Mirrors::read_file`] returns, in bytes. Default 1 MiB.
    pub file_bytes: u64,
    /// Size of all files of a commit together, in bytes. Default 1 GiB.
    pub export_bytes: u64,
    /// Number of files of a commit. Default 100,000.
    pub export_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mirror_bytes: 512 * 1024 * 1024,
            fetch_timeout: Duration::from_mins(5),
            read_timeout: Duration::from_secs(30),
            file_bytes: 1024 * 1024,
            export_bytes: 1024 * 1024 * 1024,
            export_files: 100_000,
        }
    }
}

/// One lock for each repository that is being synced or removed.
type Locks = Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>;

/// The mirrors of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mirrors {
    pub(crate) root: Arc<PathBuf>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) prepared: Arc<tokio::sync::OnceCell<()>>,
    pub(crate) known: Arc<Known>,
    locks: Arc<Locks>,
}

/// Held by the one who may change a repository's mirror.
pub(crate) struct Alone {
    _guard: tokio::sync::OwnedMutexGuard<()>,
    known: Arc<Known>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.known.changed();
    }
}

impl Mirrors {
    /// Keeps mirrors below `root`, which is made when first needed and belongs to this process alone.
    pub fn new(root: PathBuf, limits: Limits) -> Self {
        Self {
            root: Arc::new(root),
            limits: Arc::new(limits),
            prepared: Arc::default(),
            known: Arc::default(),
            locks: Arc::default(),
        }
    }

    /// What a repository may cost here.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Folder of a repository's mirror, whether or not it exists.
    pub(crate) fn folder(&self, url: &RepositoryUrl) -> PathBuf {
        self.root.join(format!("{}.git", url.folder()))
    }

    /// Folder in which first fetches, indexes and trash live until they are renamed or deleted. Who
    /// asks first in a process has it emptied of what an earlier one left half-done.
    pub(crate) async fn staging(&self) -> Result<PathBuf, SourceError> {
        let folder = self.root.join(".staging");
        let prepare = async || {
            remove_tree(&folder).await?;
            tokio::fs::create_dir_all(&folder)
                .await
                .map_err(|error| SourceError::io("make the folder of mirrors", &error))
        };
        self.prepared.get_or_try_init(prepare).await?;
        Ok(folder)
    }

    /// The mirror's folder, when there is a mirror.
    pub(crate) fn mirrored(&self, url: &RepositoryUrl) -> Result<PathBuf, SourceError> {
        let folder = self.folder(url);
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(SourceError::NotMirrored {
                url: url.to_string(),
            })
        }
    }

    /// Whether the repository has been mirrored.
    pub fn has(&self, url: &RepositoryUrl) -> bool {
        self.mirrored(url).is_ok()
    }

    /// Waits until no other sync or removal of the repository runs.
    pub(crate) async fn lock(&self, url: &RepositoryUrl) -> Alone {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the map holds those that nobody waits for: the map stays as small as the work.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(url.identity()).or_default())
        };
        Alone {
            _guard: lock.lock_owned().await,
            known: self.known.clone(),
        }
    }

    /// Deletes the mirror of a repository; fine if there is none.
    pub async fn remove(&self, url: &RepositoryUrl) -> Result<(), SourceError> {
        let _lock = self.lock(url).await;
        let folder = self.folder(url);
        let staging = self.staging().await?;
        let trash = staging.join(format!("trash-{}", uuid::Uuid::new_v4()));
        let action = "remove a mirror";
        match tokio::fs::rename(&folder, &trash).await {
            Ok(()) => remove_tree(&trash).await,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(SourceError::io(action, &error)),
        }
    }
}

/// Deletes a folder with all that is in it; fine if it is not there.
async fn remove_tree(folder: &Path) -> Result<(), SourceError> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SourceError::io("delete a folder", &error))
        }
        _ => Ok(()),
    }
}
