//! Asking a component whether it is ready. One question, no waiting beyond a
//! short limit; [`super::run`] asks again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OnceCell;

use super::Error;
use super::component::Probe;
use super::network::Namespace;
use crate::http::{self, Request};
use crate::paths::Layout;

const LIMIT: Duration = Duration::from_secs(3);

/// What probes need.
#[derive(Clone)]
pub(super) struct Prober {
    pub(super) namespace: Namespace,
    pub(super) layout: Layout,
    pub(super) api: Arc<OnceCell<kube::Client>>,
}

impl Prober {
    /// Whether the component is ready now.
    pub(super) async fn is_ready(&self, probe: &Probe) -> bool {
        tokio::time::timeout(LIMIT, self.ask(probe))
            .await
            .unwrap_or(false)
    }

    async fn ask(&self, probe: &Probe) -> bool {
        match probe {
            Probe::Http {
                in_cluster,
                address,
                path,
            } => self
                .get(*in_cluster, *address, path)
                .await
                .is_ok_and(|status| status == 200),
            Probe::Tcp(address) => self.namespace.connect(*address).await.is_ok(),
            Probe::Unix(path) => UnixStream::connect(path).await.is_ok(),
            Probe::Api => self.api_is_ready().await.unwrap_or(false),
        }
    }

    async fn get(&self, in_cluster: bool, address: SocketAddr, path: &str) -> io::Result<u16> {
        let mut stream = if in_cluster {
            self.namespace.connect(address).await?
        } else {
            TcpStream::connect(address).await?
        };
        let request = Request {
            path,
            ..Request::default()
        };
        stream
            .write_all(request.render(&address.to_string()).as_bytes())
            .await?;
        let mut bytes = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut bytes).await?;
        Ok(http::parse(&bytes)?.status)
    }

    async fn api_is_ready(&self) -> Result<bool, Error> {
        let kubeconfig = self.layout.kubeconfig();
        let client = self.api.get_or_try_init(|| client(&kubeconfig)).await?;
        let request = ::http::Request::get("/readyz")
            .body(Vec::new())
            .map_err(|error| Error::io("/readyz")(std::io::Error::other(error)))?;
        Ok(client
            .request_text(request)
            .await
            .is_ok_and(|answer| answer == "ok"))
    }
}

/// A client of the cluster's API with this kubeconfig.
pub(super) async fn client(kubeconfig: &std::path::Path) -> Result<kube::Client, Error> {
    use kube::config::{Config, KubeConfigOptions, Kubeconfig};
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    kube::Client::try_from(config).map_err(|error| Box::new(error).into())
}
