//! Where a cluster keeps its files. Owns the layout of the data folder and of
//! the cache; nothing else in the crate joins these names by hand.

use std::env;
use std::path::{Path, PathBuf};

/// The variable that names the data folder of the cluster to use.
pub const DATA_DIR_VARIABLE: &str = "HERMEZ_SANDBOX";

/// The name of the cluster when none is given.
pub const DEFAULT_NAME: &str = "local";

/// Why no folder could be named.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the XDG variable nor `HOME` is set.
    #[error("cannot tell where {what} belongs: set HOME or {variable}")]
    NoHome {
        /// What was to be placed.
        what: &'static str,
        /// The XDG variable that would also do.
        variable: &'static str,
    },
}

/// The data folder: `$HERMEZ_SANDBOX`, else that of the cluster named `local`.
pub fn default_data_dir() -> Result<PathBuf, Error> {
    match env::var_os(DATA_DIR_VARIABLE) {
        Some(dir) if !dir.is_empty() => Ok(PathBuf::from(dir)),
        _ => data_dir_of(DEFAULT_NAME),
    }
}

/// The data folder of the cluster with this name.
pub fn data_dir_of(name: &str) -> Result<PathBuf, Error> {
    Ok(xdg("XDG_DATA_HOME", ".local/share", "the data folder")?
        .join("hermez")
        .join(name))
}

/// The cache shared by every cluster of this user.
pub fn cache_dir() -> Result<PathBuf, Error> {
    Ok(xdg("XDG_CACHE_HOME", ".cache", "the cache")?.join("hermez"))
}

fn xdg(variable: &'static str, below_home: &str, what: &'static str) -> Result<PathBuf, Error> {
    if let Some(dir) = env::var_os(variable).filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let home = env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .ok_or(Error::NoHome { what, variable })?;
    Ok(PathBuf::from(home).join(below_home))
}

/// The files of one cluster.
#[derive(Clone, Debug)]
pub struct Layout {
    data_dir: PathBuf,
}

impl Layout {
    /// The layout below `data_dir`, which should be absolute.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
        }
    }

    /// The data folder itself.
    pub fn root(&self) -> &Path {
        &self.data_dir
    }

    /// Held by the supervisor for as long as it lives.
    pub fn lock(&self) -> PathBuf {
        self.data_dir.join("lock")
    }

    /// Held by whoever is bringing the cluster up.
    pub fn starting_lock(&self) -> PathBuf {
        self.data_dir.join("starting.lock")
    }

    /// What was chosen for this cluster once and for all: [`crate::settings`].
    pub fn settings(&self) -> PathBuf {
        self.data_dir.join("settings.json")
    }

    /// What runs now: [`crate::status`].
    pub fn state(&self) -> PathBuf {
        self.data_dir.join("state.json")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir.join("kubeconfig")
    }

    /// The owner's API token, written by the Hermez server at its first start.
    pub fn token(&self) -> PathBuf {
        self.data_dir.join("token")
    }

    /// Where a component's output goes.
    pub fn log(&self, component: &str) -> PathBuf {
        self.data_dir.join("logs").join(format!("{component}.log"))
    }

    /// A certificate, key or kubeconfig of a component.
    pub fn pki(&self, file: &str) -> PathBuf {
        self.data_dir.join("pki").join(file)
    }

    /// A rendered configuration file.
    pub fn etc(&self, file: &str) -> PathBuf {
        self.data_dir.join("etc").join(file)
    }

    /// A component's own state.
    pub fn var(&self, component: &str) -> PathBuf {
        self.data_dir.join("var").join(component)
    }

    /// BuildKit's socket: in the data folder, so that clients outside of the
    /// namespaces reach it.
    pub fn buildkit_socket(&self) -> PathBuf {
        self.data_dir.join("buildkitd.sock")
    }

    /// A file of the forge that Hermez or a person needs: `password`, `token`.
    pub fn forge_secret(&self, file: &str) -> PathBuf {
        self.data_dir.join("forge").join(file)
    }
}
