//! The preview gateway: a listener of its own, on which each preview has a host of its own.
//!
//! What it carries is code that a pull request brought. So it has another origin than Hermez (no
//! cookie of Hermez reaches it), lets in only those who prove that they may look, and passes none of
//! those proofs on. Bodies are streamed; headers, times and connections are bounded.

mod access;
mod connect;
mod headers;
mod pages;
mod proxy;
mod visits;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::state::AppState;
use visits::Visits;

pub use access::{local_path, shared_link, way_back};

/// Connections that are open at the same time; others wait in the system's queue.
const CONNECTIONS: usize = 1_024;
/// How long a client may take to send a request's headers, or be silent between requests.
const HEADERS: Duration = Duration::from_mins(1);
/// Bytes of a request's head, and its headers.
const HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long requests that are under way may take to end after `shutdown`.
const DRAIN: Duration = Duration::from_secs(3);
/// Pause after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A body that comes as it comes.
type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// What every request can reach.
struct Gateway {
    state: AppState,
    /// URL below whose host each preview has its own.
    base: Url,
    pods: connect::Pods,
    visits: Visits,
}

/// Serves previews until `shutdown`.
pub async fn serve(listener: TcpListener, base: Url, state: AppState, shutdown: CancellationToken) {
    let gateway = Arc::new(Gateway {
        pods: connect::pods(state.cluster.clone()),
        visits: Visits::start(state.store.clone(), shutdown.clone()),
        base,
        state,
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let open = TaskTracker::new();
    let cut = CancellationToken::new();
    let _cut_at_the_end = cut.clone().drop_guard();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the preview gateway could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let gateway = Arc::clone(&gateway);
        let service = service_fn(move |request| {
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, std::convert::Infallible>(answer(&gateway, peer, request).await) }
        });
        let connection = http
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let (cut, shutdown) = (cut.clone(), shutdown.clone());
        open.spawn(async move {
            let mut connection = pin!(connection);
            // A connection that breaks is its client's affair.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        _ = connection => {}
                        () = cut.cancelled() => {}
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    open.close();
    let _ = tokio::time::timeout(DRAIN, open.wait()).await;
}

/// Answers one request: whose host it is for, whether its sender may look, and what the preview says.
async fn answer(
    gateway: &Gateway,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let html = pages::wants_html(request.headers());
    let Some(instance) = headers::instance(&request, &gateway.base) else {
        return pages::no_host(html);
    };
    let found = gateway.state.store.preview_of_instance(&instance).await;
    let preview = match found {
        Ok(preview) => preview,
        Err(error) => {
            tracing::warn!(%error, "a preview cannot be looked up");
            return pages::unavailable(html);
        }
    };
    if let Some(entered) = access::enter(gateway, preview.as_ref(), &request).await {
        return entered;
    }
    if let Err(refused) = access::check(gateway, &instance, preview.as_ref(), &mut request).await {
        return refused;
    }
    match preview {
        Some(preview) => proxy::pass(gateway, &preview, peer, request).await,
        None => pages::no_preview(html, &instance),
    }
}
