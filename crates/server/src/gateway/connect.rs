//! Connections to pods, through the API server: they reach a pod wherever this process runs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, DuplexStream};
use tower::util::BoxCloneSyncService;

use super::Body;
use crate::cluster_link::ClusterLink;

/// How long a connection that is not used is kept, and how many to one pod.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_PER_POD: usize = 8;
/// How soon a connection ends that nothing listens for.
const ENDS_WITHIN: Duration = Duration::from_millis(300);

/// What connections cannot be made for.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Asks pods; connections are kept for the next request.
pub type Pods = Client<BoxCloneSyncService<Uri, PodStream, Broken>, Body>;

/// A client whose URLs are `http://POD.NAMESPACE:PORT/…`.
pub fn pods(cluster: ClusterLink) -> Pods {
    let connect = tower::service_fn(move |uri: Uri| {
        let cluster = cluster.clone();
        async move { open(&cluster, &uri).await }
    });
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_POD)
        .build(BoxCloneSyncService::new(connect))
}

/// The URL of a path of a pod.
pub fn uri(namespace: &str, pod: &str, port: u16, path: &str) -> Option<Uri> {
    Uri::builder()
        .scheme("http")
        .authority(format!("{pod}.{namespace}:{port}"))
        .path_and_query(path)
        .build()
        .ok()
}

/// Whether something listens where a URL is of. A connection that the API server forwards begins in any
/// case: it ends at once where nothing does.
pub async fn listens(cluster: &ClusterLink, uri: &Uri) -> bool {
    let Ok(mut connection) = open(cluster, uri).await else {
        return false;
    };
    let mut word = [0];
    let read = connection.stream.inner_mut().read(&mut word);
    match tokio::time::timeout(ENDS_WITHIN, read).await {
        Ok(read) => read.is_ok_and(|bytes| bytes > 0),
        Err(_) => true,
    }
}

async fn open(cluster: &ClusterLink, uri: &Uri) -> Result<PodStream, Broken> {
    let host = uri.host().unwrap_or_default();
    let (pod, namespace) = host.rsplit_once('.').ok_or("not the address of a pod")?;
    let port = uri.port_u16().ok_or("a pod's address has a port")?;
    let cluster = cluster.get().map_err(|error| error.to_string())?;
    let mut forward = cluster.forward(namespace, pod, port).await?;
    let stream = forward
        .take_stream(port)
        .ok_or("the API server gave no stream")?;
    Ok(PodStream {
        stream: TokioIo::new(stream),
        _forward: Arc::new(Forward(forward)),
    })
}

/// Ends the carrying of bytes with the connection.
struct Forward(hermez_cluster::Portforwarder);

impl Drop for Forward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection to a port of a pod.
pub struct PodStream {
    stream: TokioIo<DuplexStream>,
    _forward: Arc<Forward>,
}

impl Connection for PodStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for PodStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for PodStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_a_url() {
        let uri = uri("team", "hello-pr-1-abc", 8080, "/x?y=1").unwrap();
        assert_eq!(uri.to_string(), "http://hello-pr-1-abc.team:8080/x?y=1");
    }
}
