//! Server-sent events: framing, resuming by `Last-Event-ID`, limits, and their end.
//!
//! A stream holds one of a bounded number of places, sends a comment every 15 seconds so that
//! proxies keep it open, and ends when the server shuts down or when the credentials that opened
//! it stop working (asked every 30 seconds).

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use crate::auth::Caller;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CREDENTIALS_CHECK: Duration = Duration::from_secs(30);

/// The media type of streams.
pub const EVENT_STREAM: &str = "text/event-stream";

/// An event with JSON data; what cannot be written as JSON becomes an empty comment.
pub fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default()
        .event(name)
        .json_data(data)
        .unwrap_or_else(|_| Event::default().comment(""))
}

/// An event that a reader can resume after.
pub fn numbered(name: &str, id: i64, data: &impl Serialize) -> Event {
    event(name, data).id(id.to_string())
}

/// Whether the caller wants a stream.
pub fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .any(|one| one.split(';').next().map(str::trim) == Some(EVENT_STREAM))
        })
}

/// The last event that a reconnecting reader has seen.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(HeaderName::from_static("last-event-id")) else {
        return Ok(None);
    };
    match value.to_str().ok().map(str::trim) {
        Some("") => Ok(None),
        Some(id) => id.parse().map(Some).map_err(|_| bad_last_event_id()),
        None => Err(bad_last_event_id()),
    }
}

fn bad_last_event_id() -> ApiError {
    ApiError::new(
        catalog::BAD_REQUEST,
        "`Last-Event-ID` is not one that this stream sent.",
    )
}

/// Answers with a stream of events.
pub fn respond(
    state: &AppState,
    caller: &Caller,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Result<Response, ApiError> {
    let Ok(place) = state.stream_places.clone().try_acquire_owned() else {
        return Err(ApiError::new(
            catalog::TOO_MANY_STREAMS,
            "This server has as many live streams open as it allows.",
        )
        .hint("Close other pages, or ask again without following."));
    };
    let open = state.metrics.streams.clone();
    open.inc();
    let place = Place {
        _permit: place,
        open,
    };
    let end = end_of_stream(state.clone(), caller.clone());
    let events = events.take_until(end).map(move |event| {
        let _held = &place;
        Ok::<_, Infallible>(event)
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream's place; given back when the stream is dropped.
struct Place {
    _permit: tokio::sync::OwnedSemaphorePermit,
    open: prometheus_client::metrics::gauge::Gauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.dec();
    }
}

/// Resolves when the server shuts down or the caller's credentials open nothing any more.
async fn end_of_stream(state: AppState, caller: Caller) {
    let revoked = async {
        loop {
            tokio::time::sleep(CREDENTIALS_CHECK).await;
            if caller.is_revoked(&state).await {
                return;
            }
        }
    };
    tokio::select! {
        () = state.shutdown.cancelled() => {}
        () = revoked => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn a_stream_is_wanted_only_when_it_is_named() {
        assert!(wanted(&headers("accept", "text/event-stream")));
        assert!(wanted(&headers(
            "accept",
            "application/json, text/event-stream;q=0.9"
        )));
        assert!(!wanted(&headers("accept", "*/*")));
        assert!(!wanted(&HeaderMap::new()));
    }

    #[test]
    fn the_last_event_id_is_a_number_or_refused() {
        assert_eq!(last_event_id(&HeaderMap::new()).unwrap(), None);
        assert_eq!(last_event_id(&headers("last-event-id", "")).unwrap(), None);
        assert_eq!(
            last_event_id(&headers("last-event-id", "42")).unwrap(),
            Some(42)
        );
        assert!(last_event_id(&headers("last-event-id", "x")).is_err());
    }
}
