//! What a server of the matrix is joined to: proxies before everything that it changes.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use kube::Client;
use serde_json::json;

use super::database::DatabaseWire;
use super::tap::Tap;
use super::wires::{self, HttpWire, Upstream};
use crate::postgres::Postgres;
use crate::sandbox::Sandbox;
use crate::server::Options;

/// Name of the database.
const DATABASE: &str = "matrix";

/// The proxies; they end when dropped, and the database with them.
pub struct Behind {
    cluster: HttpWire,
    east: Option<HttpWire>,
    registry: HttpWire,
    forge: HttpWire,
    database: DatabaseWire,
    _postgres: Postgres,
    folder: tempfile::TempDir,
}

impl Behind {
    /// Starts a database, and all proxies: before the cluster, its second one where there is one, the
    /// registry, the forge and the database.
    ///
    /// # Errors
    /// When the database does not start, or no port can be had.
    pub async fn start(
        sandbox: &Sandbox,
        cluster: &Client,
        east: Option<&Client>,
        tap: &Arc<Tap>,
    ) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let to = |base: &str| Upstream::Http(http.clone(), base.trim_end_matches('/').to_owned());
        let status = &sandbox.status;
        let own = Upstream::Cluster(cluster.clone());
        let own = HttpWire::to(own, wires::in_cluster, tap.clone()).await?;
        let east = match east {
            Some(east) => {
                let east = Upstream::Cluster(east.clone());
                Some(HttpWire::to(east, wires::in_east, tap.clone()).await?)
            }
            None => None,
        };
        let registry = to(&format!("http://{}", status.registry));
        let registry = HttpWire::to(registry, wires::in_registry, tap.clone()).await?;
        let forge = HttpWire::to(to(&status.forge), wires::in_forge, tap.clone()).await?;
        let postgres = Postgres::start().await?;
        postgres.create(DATABASE).await?;
        let database = DatabaseWire::to(postgres.socket(), tap.clone()).await?;
        Ok(Self {
            cluster: own,
            east,
            registry,
            forge,
            database,
            _postgres: postgres,
            folder: tempfile::tempdir()?,
        })
    }

    /// The forge's URL, as the server knows it.
    pub fn forge(&self) -> String {
        format!("http://127.0.0.1:{}", self.forge.port())
    }

    /// Joins a server to them, which has its lease in the namespace `own`, and a preview gateway on
    /// that port.
    ///
    /// # Errors
    /// When a kubeconfig cannot be written.
    pub fn options(&self, own: &str, gateway: Option<u16>) -> Result<Options> {
        let mut arguments = vec![
            "--database".to_owned(),
            self.database.url(DATABASE),
            "--own-namespace".to_owned(),
            own.to_owned(),
        ];
        if let Some(east) = &self.east {
            let kubeconfig = self.kubeconfig("east", east.port())?;
            let east = format!("east={}", kubeconfig.display());
            arguments.extend(["--cluster".to_owned(), east]);
        }
        if let Some(port) = gateway {
            let listen = format!("127.0.0.1:{port}");
            arguments.extend(["--preview-listen".to_owned(), listen]);
        }
        Ok(Options {
            kubeconfig: Some(self.kubeconfig("kubeconfig", self.cluster.port())?),
            registry: Some(format!("127.0.0.1:{}", self.registry.port())),
            forge: Some(self.forge()),
            arguments,
        })
    }

    /// Writes a kubeconfig for the API server behind a proxy, which has the credentials.
    fn kubeconfig(&self, name: &str, port: u16) -> Result<PathBuf> {
        let server = format!("http://127.0.0.1:{port}");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        });
        let file = self.folder.path().join(name);
        std::fs::write(&file, config.to_string())?;
        Ok(file)
    }
}
