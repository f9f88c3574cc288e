//! The client of Hermez's HTTP API.
//!
//! Every answer is bounded in size and time, redirects are not followed (the token would go along),
//! and what starts work carries an `Idempotency-Key`, so that asking again after a lost answer does
//! not start it twice.

mod backoff;
pub mod sse;
mod stream;

use std::time::Duration;

use hermez_api::Problem;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

pub use stream::{Ends, Stream};

use crate::client::backoff::Backoff;
use crate::error::CliError;
use crate::settings::{Connection, is_loopback};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most pages that one list command fetches.
const PAGES_MAX: usize = 100;
/// Items of one page.
const PAGE_ITEMS_MAX: usize = 200;
/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until an answer is there whole. Planning and syncing wait for a fetch of the repository, which
/// may take five minutes.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(6);
/// Until the answer to a question is there, which waits for nothing but the server.
const READ_TIMEOUT: Duration = Duration::from_secs(45);
/// Streams send a comment every few seconds; silence this long means that the line is dead.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(1);

/// A query string's parameters.
pub type Query<'a> = [(&'a str, String)];

/// An answer of the API: its own JSON, read into a type where a view needs it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path, for errors.
    request: String,
    /// The API's own shape.
    pub value: Value,
}

impl Answer {
    /// Reads the answer as the API's type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        T::deserialize(&self.value).map_err(|error| CliError::Answer {
            request: self.request.clone(),
            reason: error.to_string(),
        })
    }
}

/// The client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    streams: reqwest::Client,
    server: Url,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub fn new(connection: &Connection) -> Result<Self, CliError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", connection.token.expose()))
            .map_err(|_| CliError::NotSignedIn {
                message: "the token holds characters that no token has".to_owned(),
                hint: "Make one with `hermez token create NAME`.".to_owned(),
            })?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, bearer)]);
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("hermez/", env!("CARGO_PKG_VERSION")))
                .default_headers(headers.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT);
            if is_loopback(&connection.server) {
                builder.no_proxy()
            } else {
                builder
            }
        };
        let failed = |error: reqwest::Error| CliError::Failed {
            message: format!("the HTTP client cannot be made: {error}"),
            hint: None,
        };
        Ok(Self {
            http: builder().timeout(ANSWER_TIMEOUT).build().map_err(failed)?,
            streams: builder()
                .read_timeout(SILENCE_TIMEOUT)
                .build()
                .map_err(failed)?,
            server: connection.server.clone(),
        })
    }

    /// The server's address.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// `GET`.
    pub async fn get(&self, path: &[&str], query: &Query<'_>) -> Result<Answer, CliError> {
        self.send(Method::GET, path, |request| {
            request.query(query).timeout(READ_TIMEOUT)
        })
        .await
    }

    /// `GET` that waits up to a minute for a server that is being started again.
    pub async fn get_patiently(&self, path: &[&str]) -> Result<Answer, CliError> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.get(path, &[]).await {
                Ok(answer) => return Ok(answer),
                Err(error) if passes(&error) => error,
                Err(error) => return Err(error),
            };
            let Some(delay) = backoff.next_delay() else {
                return Err(error);
            };
            tokio::time::sleep(delay).await;
        }
    }

    /// `POST` of something that is safe to ask for twice, or that the person repeats themselves.
    pub async fn post<B: Serialize>(&self, path: &[&str], body: &B) -> Result<Answer, CliError> {
        self.send(Method::POST, path, |request| request.json(body))
            .await
    }

    /// `POST` that starts work: under one idempotency key, asked again when the answer was lost.
    pub async fn post_work<B: Serialize>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<Answer, CliError> {
        let key = uuid::Uuid::new_v4().to_string();
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self
                .send(Method::POST, path, |request| {
                    request.header("Idempotency-Key", &key).json(body)
                })
                .await;
            match answer {
                Err(CliError::Answer { .. }) if tries < 3 => {}
                answer => return answer,
            }
        }
    }

    /// `PATCH` of whatever version there is.
    pub async fn patch<B: Serialize>(&self, path: &[&str], body: &B) -> Result<Answer, CliError> {
        self.send(Method::PATCH, path, |request| {
            request.header("If-Match", "*").json(body)
        })
        .await
    }

    /// `PUT`.
    pub async fn put<B: Serialize>(&self, path: &[&str], body: &B) -> Result<Answer, CliError> {
        self.send(Method::PUT, path, |request| request.json(body))
            .await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &[&str]) -> Result<Answer, CliError> {
        self.delete_with(path, &[]).await
    }

    /// `DELETE` with a query.
    pub async fn delete_with(&self, path: &[&str], query: &Query<'_>) -> Result<Answer, CliError> {
        self.send(Method::DELETE, path, |request| request.query(query))
            .await
    }

    /// Fetches pages of a list until `limit` items are there; the answer is one page.
    pub async fn list(
        &self,
        path: &[&str],
        query: &Query<'_>,
        limit: usize,
    ) -> Result<Answer, CliError> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        let request = format!("GET /{}", path.join("/"));
        for _ in 0..PAGES_MAX {
            let mut query = query.to_vec();
            query.push((
                "limit",
                (limit - items.len()).clamp(1, PAGE_ITEMS_MAX).to_string(),
            ));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page: hermez_api::Page<Value> = self.get(path, &query).await?.read()?;
            items.append(&mut page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || items.len() >= limit {
                break;
            }
        }
        items.truncate(limit);
        let page = hermez_api::Page {
            items,
            next_cursor: cursor,
        };
        let value = serde_json::to_value(page).unwrap_or_default();
        Ok(Answer { request, value })
    }

    /// Opens a stream of events when its first event is asked for.
    pub fn stream(&self, path: &[&str], query: &Query<'_>, ends: Ends) -> Stream {
        let request = self
            .streams
            .get(self.url(path))
            .query(query)
            .header(ACCEPT, HeaderValue::from_static("text/event-stream"));
        Stream::new(request, self.server.to_string(), ends)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Answer, CliError> {
        let name = format!("{method} /{}", path.join("/"));
        let request = with(self.http.request(method, self.url(path)));
        let response = request
            .send()
            .await
            .map_err(|error| unanswered(&error, self.server.as_str(), &name))?;
        let status = response.status();
        let is_problem = has_type(&response, "application/problem+json");
        let is_json = is_problem || has_type(&response, "application/json");
        let body = read_body(response, &name).await?;
        if status.is_success() {
            let value = if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).map_err(|_| CliError::Answer {
                    request: name.clone(),
                    reason: if is_json {
                        "its JSON is broken".to_owned()
                    } else {
                        "it is not JSON; is this a Hermez server?".to_owned()
                    },
                })?
            };
            return Ok(Answer {
                request: name,
                value,
            });
        }
        Err(CliError::Refused(Box::new(problem(status, &body, &name))))
    }
}

/// Whether waiting a little may help.
fn passes(error: &CliError) -> bool {
    match error {
        CliError::Unreachable { .. } | CliError::Answer { .. } => true,
        CliError::Refused(problem) => matches!(problem.status, 429 | 502..=504),
        _ => false,
    }
}

fn has_type(response: &reqwest::Response, wanted: &str) -> bool {
    let value = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with(wanted))
}

/// The problem that a refusal tells, or one made of its status when it tells none.
fn problem(status: StatusCode, body: &[u8], request: &str) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        kind: "urn:hermez:problem:cli:unknown".to_owned(),
        title: format!("the server answered {status} to {request}"),
        status: status.as_u16(),
        detail: None,
        hint: status
            .is_redirection()
            .then(|| "Give the server's final address: redirects are not followed, because the token would go along.".to_owned()),
        request_id: None,
        places: Vec::new(),
    })
}

async fn read_body(mut response: reqwest::Response, request: &str) -> Result<Vec<u8>, CliError> {
    let broken = |reason: String| CliError::Answer {
        request: request.to_owned(),
        reason,
    };
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| broken(format!("it broke off: {error}")))?
    {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(broken("it is larger than 16 MiB".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Sorts a failed request: never reached the server, or the answer was lost.
fn unanswered(error: &reqwest::Error, server: &str, request: &str) -> CliError {
    let reason = root_cause(error);
    if error.is_connect() || error.is_timeout() {
        return CliError::Unreachable {
            server: server.to_owned(),
            reason,
        };
    }
    CliError::Answer {
        request: request.to_owned(),
        reason: format!("it was lost: {reason}"),
    }
}

/// The innermost reason: reqwest's own words say only that there was an error.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
