//! One server for one data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};

/// Holds the data folder until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct DataLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

/// Makes the data folder (mode 0700) and takes its lock.
pub fn take(data_dir: &Path) -> anyhow::Result<DataLock> {
    make_private(data_dir)?;
    let path = data_dir.join("lock");
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another Hermez server uses the data folder {}; stop it, or give this one a folder of its own (--data-dir)",
            data_dir.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// The name of the replica whose data folder this is, which it keeps for good. Whoever holds the
/// folder's lock knows that no other process bears the name.
pub fn replica(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("replica");
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    if let Ok(name) = known.trim().parse::<uuid::Uuid>() {
        return Ok(name.to_string());
    }
    // New, or its first start ended in the middle of this.
    let name = uuid::Uuid::new_v4().to_string();
    drop(private_file(&path)?);
    std::fs::write(&path, &name).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(name)
}

/// Opens a file that only this user can read (mode 0600), and makes it where there is none.
pub fn private_file(path: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = take(&data).unwrap();
        let error = take(&data).unwrap_err().to_string();
        assert!(error.contains("--data-dir"), "{error}");
        drop(first);
        take(&data).unwrap();
    }

    #[test]
    fn a_folder_names_its_replica_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let name = replica(folder.path()).unwrap();
        assert_eq!(replica(folder.path()).unwrap(), name);
        std::fs::write(folder.path().join("replica"), "half a na").unwrap();
        let another = replica(folder.path()).unwrap();
        assert_ne!(another, name);
        assert_eq!(replica(folder.path()).unwrap(), another);
    }

    #[test]
    fn what_is_in_it_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let _lock = take(&data).unwrap();
        drop(private_file(&data.join("hermez.db")).unwrap());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        assert_eq!(mode(&data.join("lock")), 0o600);
        assert_eq!(mode(&data.join("hermez.db")), 0o600);
    }
}
