//! Logs of a workload's containers: their end as JSON, or a live stream.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use hermez_api::{ContainerLogLine, Page};
use hermez_cluster::{ClusterError, LogRequest};
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads::find;
use crate::auth::Caller;
use crate::cluster_link;
use crate::problem::responses::{NotFound, Unavailable};
use crate::problem::{ApiError, catalog, sentence};
use crate::sse;
use crate::state::AppState;

/// Lines from each container when nothing is said.
const TAIL_LINES: i64 = 500;
const TAIL_LINES_MAX: i64 = 10_000;
/// Most lines, and bytes of text, of an answer that is no stream.
const ANSWER_LINES: usize = 10_000;
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// The number of a pull request: the log is that of its preview.
    pull_request: Option<i64>,
    /// One pod; all of the workload's (or the preview's) when absent.
    pod: Option<String>,
    /// One container; all when absent.
    container: Option<String>,
    /// Go on as lines come, also from pods that take the place of others (stream).
    #[serde(default)]
    follow: bool,
    /// Lines from the end of each container's log.
    #[param(minimum = 0, maximum = 10_000, default = 500)]
    tail_lines: Option<i64>,
    /// The run before the container's last restart.
    #[serde(default)]
    previous: bool,
    /// Only lines since then.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

/// Read or follow the logs of a workload's containers
///
/// As JSON the end of the logs, at most 10,000 lines. With `Accept: text/event-stream` a stream of
/// `line` (a `ContainerLogLine`), and `problem` (`{"detail": …}`) when the cluster stops it.
#[utoipa::path(
    get, path = "/workloads/{name}/log", operation_id = "getWorkloadLog", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name."), LogQuery),
    responses(
        (status = 200, description = "Lines, oldest first.", content(
            (Page<ContainerLogLine> = "application/json"),
            (String = "text/event-stream"),
        )),
        NotFound, Unavailable,
    ),
)]
async fn log(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = find(&state, &name).await?;
    let cluster = state.cluster.get()?;
    let instance = match query.pull_request {
        Some(number) => state.road.preview_of(&name, number).await?.1.instance,
        None => row.workload.name,
    };
    let key = cluster_link::key(&row.workload.namespace, &instance);
    if let Some(pod) = &query.pod {
        let known = cluster
            .status(&key)
            .pods
            .into_iter()
            .any(|known| known.name == *pod);
        if !known {
            let shown: String = pod.chars().take(253).collect();
            return Err(ApiError::new(
                catalog::POD_NOT_FOUND,
                format!("`{instance}` has no pod `{shown}` (any more)."),
            )
            .hint("Leave the pod out to read all that there are."));
        }
    }
    let streams = sse::wanted(&headers);
    let request = query.request(streams)?;
    let lines = cluster.logs(&key, request);
    if streams {
        return sse::respond(&state, &caller, events(lines));
    }
    Ok(Json(Page {
        items: collect(lines).await?,
        next_cursor: None,
    })
    .into_response())
}

impl LogQuery {
    fn request(self, streams: bool) -> Result<LogRequest, ApiError> {
        let tail_lines = self.tail_lines.unwrap_or(TAIL_LINES);
        if !(0..=TAIL_LINES_MAX).contains(&tail_lines) {
            return Err(ApiError::new(
                catalog::BAD_REQUEST,
                format!("`tail_lines` is {tail_lines}; it must be between 0 and {TAIL_LINES_MAX}."),
            ));
        }
        Ok(LogRequest {
            pod: self.pod,
            container: self.container,
            follow: self.follow && streams,
            tail_lines: Some(tail_lines),
            previous: self.previous,
            since: self.since,
        })
    }
}

fn events(
    lines: impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Send + 'static,
) -> impl Stream<Item = Event> + Send + 'static {
    lines.map(|line| match line {
        Ok(line) => sse::event("line", &line),
        Err(error) => sse::event(
            "problem",
            &json!({ "detail": sentence(&error), "hint": error.hint() }),
        ),
    })
}

async fn collect(
    lines: impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Send,
) -> Result<Vec<ContainerLogLine>, ApiError> {
    let mut lines = std::pin::pin!(lines);
    let (mut items, mut bytes) = (Vec::new(), 0);
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => {
                bytes += line.text.len();
                items.push(line);
            }
            // What was read is worth more than the error of one container.
            Err(_) if !items.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
        if items.len() >= ANSWER_LINES || bytes >= ANSWER_BYTES {
            break;
        }
    }
    items.sort_by_key(|line| line.at);
    Ok(items)
}
