//! How well delivery goes: DORA's four figures.

use axum::Json;
use axum::extract::{Path, Query, State};
use hermez_api::DeliveryPerformance;
use hermez_deploy::dora::{DEFAULT_DAYS, MAX_DAYS};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workloads;
use crate::problem::responses::NotFound;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(of_workload))
        .routes(routes!(of_project))
}

/// Which span of time is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SpanQuery {
    /// Days until now (1 to 365, default 30).
    #[param(minimum = 1, maximum = 365)]
    days: Option<i32>,
}

impl SpanQuery {
    fn check(&self) -> Result<i32, ApiError> {
        let days = self.days.unwrap_or(DEFAULT_DAYS);
        if (1..=MAX_DAYS).contains(&days) {
            return Ok(days);
        }
        Err(ApiError::new(
            catalog::BAD_REQUEST,
            format!("`days` is {days}; it must be between 1 and {MAX_DAYS}."),
        ))
    }
}

/// See how well delivery of a workload goes
///
/// DORA's four figures: how often changes are deployed, how long they take from the commit, how many
/// fail, and how long it takes until a good version runs again; and the deploys of each week.
#[utoipa::path(
    get, path = "/workloads/{name}/delivery-performance", operation_id = "getWorkloadDeliveryPerformance", tag = "deploys",
    params(("name" = String, Path, description = "The workload's name."), SpanQuery),
    responses((status = 200, description = "The figures, with the number of cases behind each.", body = DeliveryPerformance), NotFound),
)]
async fn of_workload(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Query(query): Query<SpanQuery>,
) -> Result<Json<DeliveryPerformance>, ApiError> {
    let days = query.check()?;
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.delivery_of_workload(&name, days).await?))
}

/// See how well delivery of a project goes
///
/// The same of all its workloads together, also of those that are deleted.
#[utoipa::path(
    get, path = "/projects/{project}/delivery-performance", operation_id = "getProjectDeliveryPerformance", tag = "deploys",
    params(("project" = String, Path, description = "The project's name."), SpanQuery),
    responses((status = 200, description = "The figures, with the number of cases behind each.", body = DeliveryPerformance), NotFound),
)]
async fn of_project(
    State(state): State<AppState>,
    Path(project): Path<String>,
    Query(query): Query<SpanQuery>,
) -> Result<Json<DeliveryPerformance>, ApiError> {
    let days = query.check()?;
    Ok(Json(state.road.delivery_of_project(&project, days).await?))
}
