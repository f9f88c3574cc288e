//! What mirrors take on disk: how much, what is left over, what must not stay.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the size of a growing mirror is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Resolves once a folder holds more than `limit` bytes.
pub(crate) async fn grows_beyond(folder: &Path, limit: u64) {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        if size_of(folder.to_owned()).await > limit {
            return;
        }
    }
}

/// Bytes in a folder and all below it; what vanishes meanwhile counts nothing.
pub(crate) async fn size_of(folder: PathBuf) -> u64 {
    tokio::task::spawn_blocking(move || {
        let mut bytes = 0;
        walk(&folder, &mut |_, data| bytes += data.len());
        bytes
    })
    .await
    .unwrap_or(0)
}

/// Deletes what a killed Git leaves behind: locks and half packs older than the ages given.
pub(crate) async fn clear_leftovers(folder: PathBuf, lock_age: Duration, pack_age: Duration) {
    let work = move || {
        walk(&folder, &mut |path, data| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let limit = if name.starts_with("tmp_") && path.starts_with(folder.join("objects")) {
                pack_age
            } else if path.extension().is_some_and(|e| e == "lock") {
                lock_age
            } else {
                return;
            };
            let age = data.modified().ok().and_then(|time| time.elapsed().ok());
            if age.unwrap_or_default() >= limit {
                // Gone already is fine; anything else shows in the fetch.
                let _ = std::fs::remove_file(path);
            }
        });
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Calls `see` for every file below a folder. Folders of Git are a few levels deep.
fn walk(folder: &Path, see: &mut dyn FnMut(&Path, &std::fs::Metadata)) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() {
            walk(&entry.path(), see);
        } else {
            see(&entry.path(), &data);
        }
    }
}

/// A folder beside the mirrors that is deleted unless it is renamed away.
pub(crate) struct Staged(pub PathBuf);

impl Staged {
    pub fn new(below: &Path) -> Self {
        Self(below.join(format!("fetch-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Also when the future is dropped half-way; renamed away is fine.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
