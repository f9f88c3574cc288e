//! Accepting connections, within limits, and letting them end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections that are open at the same time; others wait in the system's queue.
const CONNECTIONS: usize = 4_096;
/// How long a client may take to send a request's headers, or be silent between requests.
const HEADERS: Duration = Duration::from_mins(1);
/// Pause after the system refused a connection (no file handles left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests that are under way may take to end after `shutdown`.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `shutdown`; then takes no more connections and lets those that are open end.
/// Streams end at once by themselves: they know of the shutdown.
pub async fn serve(listener: TcpListener, app: Router, shutdown: &CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let open = GracefulShutdown::new();
    let cut = CancellationToken::new();
    let _cut_at_the_end = cut.clone().drop_guard();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS);

    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        let service = TowerToHyperService::new(app.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        let cut = cut.clone();
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            tokio::select! {
                _ = connection => {}
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, open.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Events and log lines are small; they go out at once.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    async fn ask(address: std::net::SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        stream
    }

    #[tokio::test]
    async fn a_request_that_is_under_way_is_answered_after_the_shutdown_began() {
        let (begun, has_begun) = oneshot::channel();
        let (go, wait) = oneshot::channel();
        let once = Arc::new(std::sync::Mutex::new(Some((begun, wait))));
        let app = Router::new().route(
            "/",
            get(move || async move {
                let (begun, wait) = once.lock().unwrap().take().unwrap();
                begun.send(()).unwrap();
                wait.await.unwrap()
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ending = shutdown.clone();
        let server = tokio::spawn(async move { serve(listener, app, &ending).await });

        let mut stream = ask(address).await;
        has_begun.await.unwrap();
        shutdown.cancel();
        go.send("the end").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("the end"),
            "{answer}"
        );
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
