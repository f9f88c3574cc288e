//! The way out for image pulls. containerd runs in the cluster's network,
//! which leads nowhere; this small proxy carries its connections to registries
//! through the machine's network. It speaks CONNECT to port 443 and nothing
//! else, and does not lead to the machine itself.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Where the proxy listens, in the cluster's network.
pub(super) const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);

const CONNECTIONS: usize = 128;
const HEAD_LIMIT_BYTES: u64 = 16 * 1024;
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// Serves until `stop`.
pub(super) async fn serve(listener: TcpListener, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((incoming, _)) => {
                    let stop = stop.clone();
                    tokio::spawn(async move {
                        let _place = place;
                        tokio::select! {
                            () = stop.cancelled() => {}
                            result = carry(incoming) => if let Err(error) = result {
                                tracing::debug!(%error, "a connection to a registry ended");
                            },
                        }
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = accept => {}
    }
}

async fn carry(incoming: TcpStream) -> io::Result<()> {
    let mut incoming = BufReader::new(incoming);
    let head = tokio::time::timeout(HEAD_LIMIT, read_head(&mut incoming))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let Some(target) = target(&head) else {
        return incoming
            .write_all(b"HTTP/1.1 405 Only CONNECT to port 443\r\n\r\n")
            .await;
    };
    match connect(target).await {
        Ok(mut outgoing) => {
            incoming.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            tokio::io::copy_bidirectional(&mut incoming, &mut outgoing).await?;
            Ok(())
        }
        Err(error) => {
            incoming
                .write_all(format!("HTTP/1.1 502 {error}\r\n\r\n").as_bytes())
                .await
        }
    }
}

/// The request's lines up to the empty one.
async fn read_head(incoming: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = String::new();
    let mut bounded = incoming.take(HEAD_LIMIT_BYTES);
    while bounded.read_line(&mut head).await? > 2 {}
    Ok(head)
}

/// `HOST:443`, if that is what the request asks for.
fn target(head: &str) -> Option<&str> {
    let mut words = head.lines().next()?.split(' ');
    let target = (words.next()? == "CONNECT").then(|| words.next())??;
    target.ends_with(":443").then_some(target)
}

async fn connect(target: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("no address for {target}"));
    for address in lookup_host(target)
        .await?
        .filter(|address| leads_away(*address))
    {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn leads_away(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    !ip.is_loopback() && !ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_carried() {
        assert_eq!(
            target("CONNECT gcr.io:443 HTTP/1.1\r\nHost: gcr.io\r\n\r\n"),
            Some("gcr.io:443")
        );
        assert_eq!(target("CONNECT gcr.io:22 HTTP/1.1\r\n\r\n"), None);
        assert_eq!(target("GET http://gcr.io/ HTTP/1.1\r\n\r\n"), None);
        assert_eq!(target(""), None);
    }

    #[test]
    fn the_machine_itself_is_out_of_reach() {
        for address in [
            "127.0.0.1:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:443",
            "0.0.0.0:443",
        ] {
            assert!(!leads_away(address.parse().unwrap()), "{address}");
        }
        assert!(leads_away("192.0.2.1:443".parse().unwrap()));
    }
}
