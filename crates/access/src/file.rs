//! Files that nobody else may read.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::KeyError;

/// Largest file that is looked at, in bytes.
const MAX_BYTES: u64 = 4096;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::File {
        doing,
        path,
        source,
    }
}

/// What the file holds; `None` when there is none. One that others may read is refused.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, KeyError> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed("read", path))?,
    };
    let mode = file
        .metadata()
        .map_err(failed("read", path))?
        .permissions()
        .mode()
        & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed("read", path))?;
    Ok(Some(text))
}

/// Writes the file beside `path`, whole and on the disk, mode 0600.
fn write_beside(path: &Path, text: &str) -> Result<std::path::PathBuf, KeyError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = std::path::PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside); // one that a killed process left
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed("write", &beside))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &beside))?;
    Ok(beside)
}

/// Makes the file unless somebody else did just now, and gives what it holds.
pub(crate) fn create_private(path: &Path, text: &str) -> Result<String, KeyError> {
    let beside = write_beside(path, text)?;
    let linked = std::fs::hard_link(&beside, path);
    let _ = std::fs::remove_file(&beside);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(failed("create", path)(error))
        }
        _ => read_private(path)?.ok_or_else(|| KeyError::Malformed {
            path: path.to_owned(),
        }),
    }
}

/// Replaces the file (or makes it) at once: it is the old or the new one, never half of one.
pub(crate) fn replace_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let beside = write_beside(path, text)?;
    std::fs::rename(&beside, path).map_err(failed("write", path))
}
