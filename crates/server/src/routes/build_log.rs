//! Logs of builds: a page of lines, or a live stream.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::Stream;
use hermez_api::{BuildState, BuildStep, LogLine, Page};
use hermez_store::Change;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::builds::not_found;
use crate::auth::Caller;
use crate::paging::{Cursor, PageQuery, Paging, bad_cursor};
use crate::problem::ApiError;
use crate::problem::responses::{NotFound, Unavailable};
use crate::sse;
use crate::state::AppState;
use crate::wake::Wake;

/// Lines read from the database at once.
const BATCH: u64 = 1_000;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(log))
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// `seq` of the last line seen; 0 or nothing for all.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Read or follow the log of a build
///
/// As JSON a page of lines. With `Accept: text/event-stream` a stream: `line` (a `LogLine`, whose
/// `seq` is the event's id), `step` (a `BuildStep`) when a step begins or ends, and `build` (a
/// `BuildSummary`) at the end. Resumes after `Last-Event-ID`.
#[utoipa::path(
    get, path = "/builds/{id}/log", operation_id = "getBuildLog", tag = "builds",
    params(
        ("id" = i64, Path, description = "The build's number."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event seen (stream)."),
        LogQuery, PageQuery,
    ),
    responses(
        (status = 200, description = "Lines, oldest first.", content(
            (Page<LogLine> = "application/json"),
            (String = "text/event-stream"),
        )),
        NotFound, Unavailable,
    ),
)]
async fn log(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
    Query(query): Query<LogQuery>,
    paging: Paging,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    state.store.build(id).await?.ok_or_else(|| not_found(id))?;
    let after = query.after.unwrap_or(0).max(0);
    if sse::wanted(&headers) {
        let after = sse::last_event_id(&headers)?.unwrap_or(after);
        return sse::respond(&state, &caller, follow(state.clone(), id, after));
    }
    let after = match paging.after("build-log")? {
        Some(seq) => seq.parse().map_err(|_| bad_cursor())?,
        None => after,
    };
    let mut items = state
        .store
        .build_log(id, after, paging.limit() as u64 + 1)
        .await?;
    let more = items.len() > paging.limit();
    items.truncate(paging.limit());
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::encode("build-log", &last.seq.to_string()));
    Ok(Json(Page { items, next_cursor }).into_response())
}

fn follow(state: AppState, id: i64, mut seq: i64) -> impl Stream<Item = Event> {
    async_stream::stream! {
        let changes = vec![Change::Build(id), Change::BuildLog(id)];
        let mut wake = Wake::new(&state.store, changes);
        let mut steps = Steps::default();
        loop {
            // The build is read before its log, so that an ended build has its whole log.
            let Ok(Some(build)) = state.store.build(id).await else { return };
            let Ok(all) = state.store.build_steps(id).await else { return };
            for step in steps.news(all) {
                yield sse::event("step", &step);
            }
            let Ok(lines) = state.store.build_log(id, seq, BATCH).await else { return };
            let full = lines.len() as u64 == BATCH;
            for line in lines {
                seq = line.seq;
                yield sse::numbered("line", seq, &line);
            }
            if full {
                continue;
            }
            if matches!(build.state, BuildState::Succeeded | BuildState::Failed | BuildState::Canceled) {
                yield sse::event("build", &build.summary());
                return;
            }
            wake.wait().await;
        }
    }
}

/// Steps as they were told last.
#[derive(Default)]
struct Steps(HashMap<i32, String>);

impl Steps {
    /// Those that are new or in another state.
    fn news(&mut self, steps: Vec<BuildStep>) -> Vec<BuildStep> {
        steps
            .into_iter()
            .filter(|step| {
                self.0.insert(step.number, step.state.clone()).as_ref() != Some(&step.state)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_step(number: i32, state: &str) -> BuildStep {
        BuildStep {
            number,
            name: "RUN make".to_owned(),
            state: state.to_owned(),
            started_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn a_step_is_told_when_it_changes() {
        let mut steps = Steps::default();
        let told = |news: Vec<BuildStep>| news.iter().map(|step| step.number).collect::<Vec<_>>();
        assert_eq!(told(steps.news(vec![mk_step(1, "running")])), [1]);
        assert_eq!(
            told(steps.news(vec![mk_step(1, "running"), mk_step(2, "running")])),
            [2]
        );
        assert_eq!(
            told(steps.news(vec![mk_step(1, "succeeded"), mk_step(2, "running")])),
            [1]
        );
    }
}
