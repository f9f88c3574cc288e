//! What was chosen for a cluster at its first start and stays: its identity,
//! ports and addresses. Owns `settings.json`.

use std::net::Ipv4Addr;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files;
use crate::paths::Layout;
use crate::ports::{self, Ports};

/// What was chosen for one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The cluster's name, also that of its node.
    pub name: String,
    /// Tells this data folder from every other; names its cgroups.
    pub id: String,
    /// The ports on 127.0.0.1, inside and outside alike.
    pub ports: Ports,
    /// The first two bytes after 127 of its load balancers' addresses.
    pub loopback: [u8; 2],
}

/// Why the settings could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error(
        "{path} cannot be understood ({source}); `cargo xtask down --delete` makes room for a new cluster"
    )]
    Malformed {
        /// The file.
        path: String,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// No port was free.
    #[error(transparent)]
    Ports(#[from] ports::NoneFree),
}

impl Settings {
    /// The settings of this data folder: those of the last time, with ports
    /// that have been taken since replaced, or new ones.
    pub fn load_or_choose(layout: &Layout) -> Result<Self, Error> {
        let path = layout.settings();
        let file_error = |source| Error::File {
            path: path.display().to_string(),
            source,
        };
        let mut settings = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Malformed {
                path: path.display().to_string(),
                source,
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::new(layout.root()),
            Err(error) => return Err(file_error(error)),
        };
        let seed = u64::from_str_radix(&settings.id, 16).unwrap_or_default();
        settings.ports = settings.ports.choose(seed, ports::is_free)?;
        let json = serde_json::to_vec_pretty(&settings).unwrap_or_default();
        files::write_private(&path, &json).map_err(file_error)?;
        Ok(settings)
    }

    /// The settings of a data folder that has none yet; ports are not chosen.
    pub fn new(data_dir: &Path) -> Self {
        let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
        Self {
            name: node_name(data_dir),
            id: hex::encode(&digest[..4]),
            ports: Ports::default(),
            // 127.64.0.0/10: away from 127.0.0.x, which people and other tools use.
            loopback: [64 + digest[4] % 64, digest[5]],
        }
    }

    /// The cgroup below which every pod and build of this cluster runs.
    pub fn cgroup(&self) -> String {
        format!("hermez-{}", self.id)
    }

    /// The address with this number among the load balancers' addresses.
    pub fn load_balancer_address(&self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.loopback[0], self.loopback[1], number)
    }
}

/// A legal node name from the folder's.
fn node_name(data_dir: &Path) -> String {
    let name: String = data_dir
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "hermez".to_owned()
    } else {
        format!("hermez-{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_differ_in_everything_shared() {
        let (one, two) = (
            Settings::new(Path::new("/data/a")),
            Settings::new(Path::new("/data/b")),
        );
        assert_ne!(one.cgroup(), two.cgroup());
        assert_ne!(one.load_balancer_address(1), two.load_balancer_address(1));
        assert_eq!(one.name, "hermez-a");
    }

    #[test]
    fn settings_stay_the_same_from_one_start_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("Some_Thing."));
        let first = Settings::load_or_choose(&layout).unwrap();
        assert_eq!(first.name, "hermez-some-thing");
        assert_eq!(Settings::load_or_choose(&layout).unwrap(), first);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::write(layout.settings(), "{").unwrap();
        let error = Settings::load_or_choose(&layout).unwrap_err().to_string();
        assert!(
            error.contains("settings.json") && error.contains("down --delete"),
            "{error}"
        );
    }
}
