//! Cron jobs: their runs, a run now, suspend and resume.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use hermez_access::{Action, Target};
use hermez_api::{CreateRun, Page, Run, ScheduleStatus};
use hermez_cluster::{ClusterError, RunRequest, WorkloadKey};
use hermez_kinds::Kind;
use hermez_kinds::cronjob::Schedule;
use hermez_kinds::cronjob::schedule::time_zone;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads;
use crate::auth::Caller;
use crate::change::{change, once};
use crate::cluster_link::key;
use crate::json::JsonBody;
use crate::paging::{Cursor, PageQuery, Paging};
use crate::problem::responses::{Conflict, Invalid, NotFound, Unavailable, Upstream};
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

/// The list's name in cursors.
const LIST: &str = "runs";
/// Most arguments, and most variables, of a run.
const MAX_ITEMS: usize = 100;
/// Longest argument or value, in bytes.
const MAX_BYTES: usize = 4096;
/// Times that a schedule looks ahead.
const AHEAD: usize = 3;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(suspend))
        .routes(routes!(resume))
}

/// The key of a workload that runs by a schedule.
pub async fn cron_job(state: &AppState, name: &str) -> Result<WorkloadKey, ApiError> {
    let row = workloads::find(state, name).await?;
    if row.workload.kind != Kind::CronJob.name() {
        let message = format!("`{name}` is a {} and has no schedule.", row.workload.kind);
        return Err(ApiError::new(catalog::CONFLICT, message)
            .hint("Only a PinterestCronJob has runs, and can be suspended."));
    }
    Ok(key(&row.workload.namespace, &row.workload.name))
}

/// What the cluster's answer means for somebody who asked about a cron job.
pub fn told(name: &str) -> impl Fn(ClusterError) -> ApiError {
    move |error| match error {
        ClusterError::NotFound(_) => {
            ApiError::new(catalog::CONFLICT, format!("`{name}` was not deployed yet."))
                .hint("Deploy a commit of it first.")
        }
        error => error.into(),
    }
}

/// List the runs of a cron job
///
/// By schedule and by hand, newest first; the newest 30 are remembered.
#[utoipa::path(
    get, path = "/workloads/{name}/runs", operation_id = "listRuns", tag = "runs",
    params(("name" = String, Path, description = "The workload's name."), PageQuery),
    responses((status = 200, description = "Runs, newest first.", body = Page<Run>), NotFound, Conflict, Unavailable),
)]
async fn list(
    State(state): State<AppState>,
    Path(name): Path<String>,
    paging: Paging,
) -> Result<Json<Page<Run>>, ApiError> {
    let key = cron_job(&state, &name).await?;
    let runs = state.cluster.get()?.runs(&key);
    let after = paging.after(LIST)?;
    Ok(Json(page(runs, after.as_deref(), paging.limit())))
}

/// The page of runs that begins after one; from the beginning when that one is forgotten.
fn page(runs: Vec<Run>, after: Option<&str>, limit: usize) -> Page<Run> {
    let seen = after.and_then(|after| runs.iter().position(|run| run.name == after));
    let mut items: Vec<Run> = runs.into_iter().skip(seen.map_or(0, |at| at + 1)).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    Page {
        next_cursor: last.map(|run| Cursor::encode(LIST, &run.name)),
        items,
    }
}

/// Run a cron job now
///
/// Runs what is deployed, with other arguments where they are given; also while it is suspended.
#[utoipa::path(
    post, path = "/workloads/{name}/runs", operation_id = "createRun", tag = "runs",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request runs once."),
    ),
    request_body = CreateRun,
    responses((status = 202, description = "The run, which begins now.", body = Run), NotFound, Conflict, Invalid, Upstream, Unavailable),
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateRun>,
) -> Result<Response, ApiError> {
    let key = cron_job(&state, &name).await?;
    check(&ask)?;
    let operation = format!("POST /workloads/{name}/runs");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    once(
        &state,
        &caller,
        &headers,
        &operation,
        &asked,
        Box::pin(async move {
            // Values of variables may be secrets; their names are not.
            let names: Vec<&String> = ask.environment.keys().collect();
            let detail = json!({ "arguments": ask.arguments, "environment": names });
            let target = Target::Workload(name.clone());
            let (link, by) = (at.cluster.clone(), who.name.clone());
            let run = change(&at, &who, Action::RunCreate, target, detail, async move {
                let request = RunRequest {
                    arguments: ask.arguments,
                    environment: ask.environment,
                    by,
                };
                let run = link.get()?.run_now(&key, request).await;
                run.map_err(told(&name))
            })
            .await?;
            Ok((StatusCode::ACCEPTED, run))
        }),
    )
    .await
}

/// Bounds of what a run takes.
pub fn check(ask: &CreateRun) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(catalog::INVALID_BODY, message));
    let arguments = ask.arguments.as_deref().unwrap_or_default();
    if arguments.len() > MAX_ITEMS || ask.environment.len() > MAX_ITEMS {
        return refuse(format!(
            "A run takes at most {MAX_ITEMS} arguments and {MAX_ITEMS} variables."
        ));
    }
    let mut values = arguments.iter().chain(ask.environment.values());
    if let Some(long) = values.find(|value| value.len() > MAX_BYTES) {
        let begin: String = long.chars().take(20).collect();
        return refuse(format!(
            "The value that begins `{begin}` has {} bytes; it may have {MAX_BYTES}.",
            long.len()
        ));
    }
    if let Some(name) = ask.environment.keys().find(|name| !is_variable(name)) {
        let shown: String = name.chars().take(60).collect();
        return refuse(format!(
            "`{shown}` is not the name of a variable: letters, digits and `_`, not a digit first."
        ));
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= 253
        && name.starts_with(|c: char| word(c) && !c.is_ascii_digit())
        && name.chars().all(word)
}

/// Keep a cron job from running by its schedule
///
/// What runs goes on, and it can be run by hand. Deploys leave it suspended.
#[utoipa::path(
    post, path = "/workloads/{name}/suspend", operation_id = "suspendWorkload", tag = "runs",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "Its schedule, which does not count now.", body = ScheduleStatus), NotFound, Conflict, Upstream, Unavailable),
)]
async fn suspend(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ScheduleStatus>, ApiError> {
    set_suspended(&state, &caller, name, true).await
}

/// Let a cron job run by its schedule again
#[utoipa::path(
    post, path = "/workloads/{name}/resume", operation_id = "resumeWorkload", tag = "runs",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "Its schedule, which counts again.", body = ScheduleStatus), NotFound, Conflict, Upstream, Unavailable),
)]
async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ScheduleStatus>, ApiError> {
    set_suspended(&state, &caller, name, false).await
}

async fn set_suspended(
    state: &AppState,
    caller: &Caller,
    name: String,
    suspended: bool,
) -> Result<Json<ScheduleStatus>, ApiError> {
    let key = cron_job(state, &name).await?;
    let action = if suspended {
        Action::WorkloadSuspend
    } else {
        Action::WorkloadResume
    };
    let target = Target::Workload(name.clone());
    let (link, at, asked) = (state.cluster.clone(), key.clone(), name.clone());
    change(
        state,
        &caller.principal,
        action,
        target,
        json!({}),
        async move {
            let done = link.get()?.suspend(&at, suspended).await;
            done.map_err(told(&asked))
        },
    )
    .await?;
    // The watches may be a moment behind what was just done.
    let status = state.cluster.status(&key.namespace, &key.name);
    let mut schedule = status
        .schedule
        .ok_or_else(|| told(&name)(ClusterError::NotFound(name.clone())))?;
    schedule.next = if suspended {
        Vec::new()
    } else {
        ahead(&schedule, Timestamp::now())
    };
    schedule.suspended = suspended;
    Ok(Json(schedule))
}

/// When a schedule fires next.
fn ahead(schedule: &ScheduleStatus, now: Timestamp) -> Vec<Timestamp> {
    match (
        Schedule::parse(&schedule.schedule),
        time_zone(&schedule.timezone),
    ) {
        (Ok(read), Ok(zone)) => read.times_after(now, &zone, AHEAD),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use hermez_api::{RunOutcome, RunTrigger};

    use super::*;

    fn mk_runs(count: usize) -> Vec<Run> {
        let run = |number: usize| Run {
            name: format!("r{number}"),
            trigger: RunTrigger::Schedule,
            by: None,
            commit: None,
            created_at: None,
            started_at: None,
            ended_at: None,
            outcome: RunOutcome::Succeeded,
            message: None,
            succeeded_pods: 1,
            failed_pods: 0,
            pods: Vec::new(),
        };
        (0..count).map(run).collect()
    }

    #[test]
    fn runs_come_in_pages() {
        let first = page(mk_runs(3), None, 2);
        let names: Vec<&str> = first.items.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["r0", "r1"]);
        assert!(first.next_cursor.is_some());
        let second = page(mk_runs(3), Some("r1"), 2);
        assert_eq!(
            (second.items.len(), second.next_cursor.is_none()),
            (1, true)
        );
        assert_eq!(page(mk_runs(3), Some("gone"), 5).items.len(), 3);
    }

    #[test]
    fn what_a_run_takes_is_bounded() {
        let with = |arguments: usize, name: &str, value: &str| CreateRun {
            arguments: Some(vec!["x".to_owned(); arguments]),
            environment: [(name.to_owned(), value.to_owned())].into(),
        };
        assert!(check(&with(100, "A_1", "v")).is_ok());
        assert!(check(&with(101, "A", "v")).is_err());
        assert!(check(&with(1, "A", &"v".repeat(4097))).is_err());
        for name in ["1A", "", "a-b", "a b", "é"] {
            assert!(check(&with(1, name, "v")).is_err(), "{name:?}");
        }
    }
}
