//! Carrying connections between the machine and the cluster's network
//! namespace.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::network::Namespace;
use super::{Context, Error, egress};

/// Connections that one listener carries at a time; further ones wait.
const CONNECTIONS: usize = 1024;

/// Which side of the namespace's wall the target is on.
#[derive(Clone, Debug)]
pub(crate) enum Side {
    /// In the cluster.
    Cluster(Namespace),
    /// On the machine.
    Machine,
}

impl Side {
    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Self::Cluster(namespace) => namespace.connect(address).await,
            Self::Machine => TcpStream::connect(address).await,
        }
    }
}

/// Carries the ports that both sides share: the API server's out of the
/// namespace; the registry's, the forge's and Hermez's into it.
pub(super) async fn start(
    context: &Context,
    namespace: &Namespace,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let ports = context.settings.ports;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let api = local(ports.api);
    let listener = TcpListener::bind(api)
        .await
        .map_err(Error::io(api.to_string()))?;
    tokio::spawn(serve(
        listener,
        Side::Cluster(namespace.clone()),
        api,
        stop.clone(),
    ));
    for port in [ports.registry, ports.forge, ports.server] {
        let address = local(port);
        let listener = namespace
            .listen(address)
            .await
            .map_err(Error::io(format!("{address} in the cluster")))?;
        tokio::spawn(serve(listener, Side::Machine, address, stop.clone()));
    }
    let listener = namespace
        .listen(egress::ADDRESS)
        .await
        .map_err(Error::io("the way out for image pulls"))?;
    tokio::spawn(egress::serve(listener, stop.clone()));
    Ok(())
}

/// Carries every connection of the listener to the target until `stop`. A
/// target that refuses ends that one connection.
pub(crate) async fn serve(
    listener: TcpListener,
    side: Side,
    target: SocketAddr,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let mut incoming = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((incoming, _)) => incoming,
                Err(error) => {
                    // Out of file descriptors, most likely: it passes.
                    tracing::warn!(%target, %error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (side, stop) = (side.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let carry = async {
                let mut outgoing = side.connect(target).await?;
                let _ = (incoming.set_nodelay(true), outgoing.set_nodelay(true));
                tokio::io::copy_bidirectional(&mut incoming, &mut outgoing).await
            };
            tokio::select! {
                () = stop.cancelled() => {}
                result = carry => if let Err(error) = result {
                    tracing::debug!(%target, %error, "connection ended");
                },
            }
        });
    }
}
