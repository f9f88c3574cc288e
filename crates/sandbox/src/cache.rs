//! What is built once for each user of this machine. An entry is named by the
//! hash of what it is built from; it appears whole or not at all, and two who
//! want the same one at once build it once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{io, result};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::command;

/// Why an entry could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the cache or of the sources.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that builds it.
    #[error(transparent)]
    Command(#[from] command::Error),
}

/// The result of making an entry.
pub type Result<T> = result::Result<T, Error>;

/// Adds the file's name to what the system said.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}

/// The name of an entry: what it is, and the hash of what it is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key from a recipe and the content of every file in `sources`.
    pub fn of(name: &str, recipe: &str, sources: Option<&Path>) -> Result<Self> {
        let mut hash = Sha256::new();
        hash.update(recipe);
        if let Some(dir) = sources {
            let mut paths: Vec<PathBuf> = fs::read_dir(dir)
                .and_then(|entries| {
                    entries
                        .map(|entry| entry.map(|entry| entry.path()))
                        .collect()
                })
                .map_err(at(dir))?;
            paths.sort();
            for path in paths.iter().filter(|path| path.is_file()) {
                hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                hash.update([0]);
                hash.update(fs::read(path).map_err(at(path))?);
                hash.update([0]);
            }
        }
        Ok(Self(format!(
            "{name}-{}",
            &hex::encode(hash.finalize())[..16]
        )))
    }

    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Where the entry is, or will be.
    pub fn path(&self, cache: &Path) -> PathBuf {
        cache.join("components").join(&self.0)
    }

    /// Whether it is there already.
    pub fn is_cached(&self, cache: &Path) -> bool {
        self.path(cache).is_dir()
    }
}

/// The entry's folder, made by `build` (in an empty folder) if it is not there.
pub fn get_or_build(
    cache: &Path,
    key: &Key,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let path = key.path(cache);
    if path.is_dir() {
        return Ok(path);
    }
    let parent = cache.join("components");
    fs::create_dir_all(&parent).map_err(at(&parent))?;
    let lock_path = parent.join(format!("{}.lock", key.0));
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| Error::File {
        path: lock_path.clone(),
        source: errno.into(),
    })?;
    if path.is_dir() {
        return Ok(path);
    }
    // What an interrupted build left.
    let temporary = parent.join(format!("{}.building", key.0));
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(at(&temporary))?;
    }
    fs::create_dir(&temporary).map_err(at(&temporary))?;
    build(&temporary)?;
    fs::rename(&temporary, &path).map_err(at(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_changes_with_recipe_name_and_content() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("go.mod"), "one").unwrap();
        let key = Key::of("a", "r", Some(dir.path())).unwrap();
        assert_eq!(key, Key::of("a", "r", Some(dir.path())).unwrap());
        assert_ne!(key, Key::of("a", "s", Some(dir.path())).unwrap());
        fs::write(dir.path().join("go.mod"), "two").unwrap();
        assert_ne!(key, Key::of("a", "r", Some(dir.path())).unwrap());
    }

    #[test]
    fn an_entry_is_built_once_and_only_whole() {
        let cache = tempfile::tempdir().unwrap();
        let key = Key::of("a", "r", None).unwrap();
        let fail = get_or_build(cache.path(), &key, |dir| {
            fs::write(dir.join("half"), "").unwrap();
            Err(at(dir)(io::Error::other("interrupted")))
        });
        assert!(fail.is_err() && !key.is_cached(cache.path()));
        let path = get_or_build(cache.path(), &key, |dir| {
            assert!(!dir.join("half").exists());
            fs::write(dir.join("whole"), "").map_err(at(dir))
        })
        .unwrap();
        assert!(path.join("whole").exists());
        get_or_build(cache.path(), &key, |_| panic!("built twice")).unwrap();
    }
}
