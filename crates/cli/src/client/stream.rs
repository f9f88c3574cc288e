//! A stream of events that survives the loss of its connection.
//!
//! After a loss it asks again with `Last-Event-ID`, waiting longer each time; a server that is
//! killed and started again is found within seconds. It gives up after a minute without an event.

use std::collections::VecDeque;

use reqwest::{RequestBuilder, Response};

use super::backoff::Backoff;
use super::sse::{Event, Parser};
use super::{has_type, passes, problem, read_body, root_cause, unanswered};
use crate::error::CliError;
use crate::print;

/// What the orderly end of a response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The stream is over.
    WithResponse,
    /// The server is going away or restarts: ask again, until the caller has seen enough.
    WhenToldByEvent,
}

/// A stream of events.
#[derive(Debug)]
pub struct Stream {
    request: RequestBuilder,
    server: String,
    ends: Ends,
    response: Option<Response>,
    parser: Parser,
    ready: VecDeque<Event>,
    last_id: Option<String>,
    backoff: Backoff,
    /// Connections that were made, the first one included.
    connections: usize,
    /// Whether the server has answered before.
    is_known: bool,
}

impl Stream {
    pub(super) fn new(request: RequestBuilder, server: String, ends: Ends) -> Self {
        Self {
            request,
            server,
            ends,
            response: None,
            parser: Parser::default(),
            ready: VecDeque::new(),
            last_id: None,
            backoff: Backoff::default(),
            connections: 0,
            is_known: false,
        }
    }

    /// The server has answered a moment ago: wait for it from the first connection on.
    #[must_use]
    pub fn of_known_server(mut self) -> Self {
        self.is_known = true;
        self
    }

    /// Connections made so far: more than one means that events may have been sent twice where the
    /// stream gives them no id.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// The next event; none at the stream's end.
    pub async fn next(&mut self) -> Result<Option<Event>, CliError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if let Some(id) = event.id.as_ref().filter(|id| !id.is_empty()) {
                    self.last_id = Some(id.clone());
                }
                self.backoff.reset();
                return Ok(Some(event));
            }
            let Some(response) = self.response.as_mut() else {
                self.connect().await?;
                continue;
            };
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    let events = self.parser.push(&bytes).map_err(|error| CliError::Answer {
                        request: "the stream".to_owned(),
                        reason: error.to_string(),
                    })?;
                    self.ready.extend(events);
                }
                Ok(None) if self.ends == Ends::WithResponse => return Ok(None),
                Ok(None) => self.lost("the server closed the stream").await?,
                Err(error) => {
                    let reason = root_cause(&error);
                    self.lost(&reason).await?;
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<(), CliError> {
        let mut request = self.request.try_clone().ok_or_else(|| CliError::Answer {
            request: "the stream".to_owned(),
            reason: "its request cannot be repeated".to_owned(),
        })?;
        if let Some(id) = &self.last_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = unanswered(&error, &self.server, "the stream");
                return self.wait_if_known(error).await;
            }
        };
        let status = response.status();
        if status.is_success() && has_type(&response, "text/event-stream") {
            self.connections += 1;
            self.is_known = true;
            self.parser = Parser::default();
            self.response = Some(response);
            return Ok(());
        }
        let body = read_body(response, "the stream").await?;
        let error = if status.is_success() {
            CliError::Answer {
                request: "the stream".to_owned(),
                reason: "it is not a stream of events".to_owned(),
            }
        } else {
            CliError::Refused(Box::new(problem(status, &body, "the stream")))
        };
        if passes(&error) {
            self.wait_if_known(error).await
        } else {
            Err(error)
        }
    }

    /// A server that never answered is not waited for: the address may be wrong.
    async fn wait_if_known(&mut self, error: CliError) -> Result<(), CliError> {
        if self.is_known {
            self.wait(error).await
        } else {
            Err(error)
        }
    }

    async fn lost(&mut self, reason: &str) -> Result<(), CliError> {
        self.response = None;
        if self.backoff.is_fresh() && self.ends == Ends::WhenToldByEvent {
            print::note("The connection was lost; asking again …");
        }
        self.wait(CliError::Unreachable {
            server: self.server.clone(),
            reason: reason.to_owned(),
        })
        .await
    }

    /// Waits before the next try, or gives up with `error`.
    async fn wait(&mut self, error: CliError) -> Result<(), CliError> {
        match self.backoff.next_delay() {
            Some(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            None => Err(error),
        }
    }
}
