//! Live streams: one workload, or all of them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::response::sse::Event;
use futures::Stream;
use hermez_api::BuildState;
use hermez_store::{BuildFilter, DeployFilter, OPEN_DEPLOYS, PageRequest};
use serde_json::json;
use tokio::sync::broadcast;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads::find;
use crate::auth::Caller;
use crate::live::LiveEvent;
use crate::problem::ApiError;
use crate::problem::responses::{NotFound, Unavailable};
use crate::state::AppState;
use crate::{sse, views};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(watch_all))
        .routes(routes!(watch_workload))
}

/// Follow everything
///
/// A stream that begins with the deploys and builds that run now: `deploy` (a `DeploySummary`) and
/// `build` (a `BuildSummary`); then these and `workload` (a `WorkloadSummary`) as they change, and
/// `deleted` (`{"name": …}`) when a workload is deleted.
#[utoipa::path(
    get, path = "/watch", operation_id = "watch", tag = "workloads",
    responses(
        (status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"),
        Unavailable,
    ),
)]
async fn watch_all(State(state): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let events = state.live.listen();
    let first = running(&state, None).await?;
    sse::respond(
        &state,
        &caller,
        follow(first, events, |event| match event {
            LiveEvent::Workload(summary, _) => Some(sse::event("workload", summary)),
            LiveEvent::Deleted(name) => Some(sse::event("deleted", &json!({ "name": name }))),
            LiveEvent::Build(build) => Some(sse::event("build", build)),
            LiveEvent::Deploy(deploy) => Some(sse::event("deploy", deploy)),
            LiveEvent::Commits(_) | LiveEvent::Missed => None,
        }),
    )
}

/// Follow a workload
///
/// A stream that begins with how things are: `status` (a `WorkloadStatus`), `deploy` (a
/// `DeploySummary`) for the newest, `build` (a `BuildSummary`) for those that run; then these as
/// they change, `commits` (`{}`) when there may be new commits, and `deleted` (`{"name": …}`) at
/// the end of the workload.
#[utoipa::path(
    get, path = "/workloads/{name}/watch", operation_id = "watchWorkload", tag = "workloads",
    params(("name" = String, Path, description = "The workload's name.")),
    responses(
        (status = 200, description = "Server-sent events.", body = String, content_type = "text/event-stream"),
        NotFound, Unavailable,
    ),
)]
async fn watch_workload(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let events = state.live.listen();
    let row = find(&state, &name).await?;
    let (summary, status) = views::summary_and_status(&row, &state.cluster);
    let mut first = vec![sse::event("status", &status)];
    first.extend(
        summary
            .latest_deploy
            .as_ref()
            .map(|deploy| sse::event("deploy", deploy)),
    );
    first.extend(running_builds(&state, Some(row.workload.id)).await?);
    let mut told = Some(status);
    sse::respond(
        &state,
        &caller,
        follow(first, events, move |event| {
            if event.workload() != Some(&name) {
                return None;
            }
            match event {
                LiveEvent::Workload(_, status) => {
                    let news = told.as_ref() != Some(&**status);
                    told = Some((**status).clone());
                    news.then(|| sse::event("status", status))
                }
                LiveEvent::Commits(_) => Some(sse::event("commits", &json!({}))),
                LiveEvent::Deleted(name) => Some(sse::event("deleted", &json!({ "name": name }))),
                LiveEvent::Build(build) => Some(sse::event("build", build)),
                LiveEvent::Deploy(deploy) => Some(sse::event("deploy", deploy)),
                LiveEvent::Missed => None,
            }
        }),
    )
}

/// What runs now, as events.
async fn running(state: &AppState, workload_id: Option<i64>) -> Result<Vec<Event>, ApiError> {
    let filter = DeployFilter {
        workload_id,
        states: OPEN_DEPLOYS.to_vec(),
        ..DeployFilter::default()
    };
    let page = state
        .store
        .deploys(&filter, &PageRequest::first(PageRequest::MAX_LIMIT))
        .await?;
    let mut events: Vec<Event> = page
        .items
        .iter()
        .map(|deploy| sse::event("deploy", &deploy.summary()))
        .collect();
    events.extend(running_builds(state, workload_id).await?);
    Ok(events)
}

async fn running_builds(
    state: &AppState,
    workload_id: Option<i64>,
) -> Result<Vec<Event>, ApiError> {
    let filter = BuildFilter {
        workload_id,
        states: vec![BuildState::Queued, BuildState::Running],
    };
    let page = state
        .store
        .builds(&filter, &PageRequest::first(PageRequest::MAX_LIMIT))
        .await?;
    Ok(page
        .items
        .iter()
        .map(|build| sse::event("build", &build.summary()))
        .collect())
}

/// First what is, then what changes. Ends when something was missed, by the server or by a reader that
/// is too slow: the reader comes back and begins anew.
fn follow(
    first: Vec<Event>,
    mut events: broadcast::Receiver<Arc<LiveEvent>>,
    mut tell: impl FnMut(&LiveEvent) -> Option<Event> + Send + 'static,
) -> impl Stream<Item = Event> + Send + 'static {
    async_stream::stream! {
        for event in first {
            yield event;
        }
        while let Ok(event) = events.recv().await {
            if matches!(*event, LiveEvent::Missed) {
                return;
            }
            if let Some(event) = tell(&event) {
                yield event;
            }
        }
    }
}
