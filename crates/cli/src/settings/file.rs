//! The config file that `hermez login` writes, and the small files that hold tokens.

use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// Most bytes that a token file or the config file may have.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The config file, `${XDG_CONFIG_HOME:-~/.config}/hermez/config.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The server's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// A token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A file that holds a token for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

/// Where the config file is.
pub fn config_path(env: impl Fn(&str) -> Option<String>) -> Result<PathBuf, CliError> {
    let base = env("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env("HOME").map(|home| Path::new(&home).join(".config")))
        .ok_or_else(|| CliError::Usage {
            message: "neither XDG_CONFIG_HOME nor HOME says where the config file is".to_owned(),
            hint: "Set HOME.".to_owned(),
        })?;
    Ok(base.join("hermez").join("config.yaml"))
}

/// Reads the config file; none when there is no such file.
pub fn read_config(path: &Path) -> Result<Option<ConfigFile>, CliError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = read_bounded(path)?;
    let config: ConfigFile = serde_saphyr::from_str(&text).map_err(|error| CliError::File {
        path: path.to_owned(),
        // The parser's own drawing would show the token's line: keep to its first line.
        reason: format!(
            "is not a Hermez config file: {}",
            error.to_string().lines().next().unwrap_or_default()
        ),
        hint: Some(
            "It may hold `server`, `token` and `token_file`; `hermez login` writes a fresh one."
                .to_owned(),
        ),
    })?;
    let mode = path.metadata().map_or(0, |meta| meta.permissions().mode());
    if config.token.is_some() && mode & 0o077 != 0 {
        return Err(CliError::File {
            path: path.to_owned(),
            reason: "holds a token and can be read by others".to_owned(),
            hint: Some(format!("Run `chmod 600 {}`.", path.display())),
        });
    }
    Ok(Some(config))
}

/// Writes the config file whole or not at all, readable by its owner only.
pub fn write_config(path: &Path, config: &ConfigFile) -> Result<(), CliError> {
    let wrong = |error: &dyn std::fmt::Display| CliError::File {
        path: path.to_owned(),
        reason: format!("cannot be written: {error}"),
        hint: None,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
    let text = serde_saphyr::to_string(config).map_err(|error| wrong(&error))?;
    let temporary = path.with_extension(format!("yaml.{}", std::process::id()));
    let _ = std::fs::remove_file(&temporary);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| wrong(&error))
}

/// Reads a small text file.
pub fn read_bounded(path: &Path) -> Result<String, CliError> {
    let wrong = |reason: String| CliError::File {
        path: path.to_owned(),
        reason,
        hint: None,
    };
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(wrong("is larger than 64 KiB".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn the_config_file_is_private_and_survives_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config.yaml");
        assert_eq!(read_config(&path).unwrap(), None);
        write_config(&path, &file()).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_config(&path).unwrap(), Some(file()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = read_config(&path).unwrap_err();
        assert!(
            error.hint().unwrap().starts_with("Run `chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn a_broken_config_file_does_not_show_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "tokken: hermez_secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = read_config(&path).unwrap_err();
        assert!(!error.text().contains("hermez_secret"), "{}", error.text());
    }
}
