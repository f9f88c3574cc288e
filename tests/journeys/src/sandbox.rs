//! The local cluster that a journey runs on.

use anyhow::{Context, Result};
use hermez_sandbox::status::Status;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::forge::Forge;
use crate::hermez::Hermez;

/// A local cluster that is up.
pub struct Sandbox {
    /// Its addresses and files.
    pub status: Status,
}

impl Sandbox {
    /// Finds the cluster named by `HERMEZ_SANDBOX` (its data folder), else the default one.
    ///
    /// # Errors
    /// When none is up.
    pub fn find() -> Result<Self> {
        let data_dir = hermez_sandbox::paths::default_data_dir()?;
        let status = hermez_sandbox::status::read(&data_dir).with_context(|| {
            format!(
                "no local cluster is up in {}; start one: cargo xtask up --detach",
                data_dir.display()
            )
        })?;
        Ok(Self { status })
    }

    /// The Hermez server that came up with the cluster, as its owner.
    ///
    /// # Errors
    /// When the cluster runs without a server or the token file cannot be read.
    pub fn hermez(&self) -> Result<Hermez> {
        Hermez::with_token_file(&self.status.server, self.status.token_file.as_ref())
    }

    /// The forge, as its administrator.
    ///
    /// # Errors
    /// When its token file cannot be read.
    pub fn forge(&self) -> Result<Forge> {
        Forge::new(&self.status)
    }

    /// A client of the cluster itself.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn kube(&self) -> Result<kube::Client> {
        let kubeconfig = Kubeconfig::read_from(&self.status.kubeconfig)?;
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(kube::Client::try_from(config)?)
    }
}

/// A name that no other run has.
pub fn unique(prefix: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &id[..8])
}
