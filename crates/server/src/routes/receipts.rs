//! Receipts: why a deploy failed.

use axum::Json;
use axum::extract::{Path, State};
use hermez_api::{DeployState, Receipt};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deploys;
use crate::problem::responses::NotFound;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// Get a failed deploy's receipt
///
/// Why it failed, with the evidence: the failing containers' last lines, events, what came with it,
/// what to do, and what a rollback would bring back. Kept as it was found then, without secrets.
#[utoipa::path(
    get, path = "/deploys/{id}/receipt", operation_id = "getReceipt", tag = "deploys",
    params(("id" = i64, Path, description = "The deploy's number.")),
    responses((status = 200, description = "The receipt.", body = Receipt), NotFound),
)]
async fn get(
    State(state): State<AppState>,
    Path(id): Path<i64>,
) -> Result<Json<Receipt>, ApiError> {
    let deploy = state.store.deploy(id).await?;
    let deploy = deploy.ok_or_else(|| deploys::not_found(id))?;
    if let Some(receipt) = state.store.receipt(id).await? {
        return Ok(Json(receipt));
    }
    let (why, hint) = match deploy.state {
        DeployState::Failed => (
            "it failed before there were receipts",
            format!("`hermez deploys show {id}` says what is known of it."),
        ),
        DeployState::Succeeded | DeployState::Canceled | DeployState::Superseded => (
            "it did not fail",
            format!("`hermez deploys show {id}` says how it ended."),
        ),
        _ => (
            "it has not ended",
            format!("Follow it with `hermez deploys watch {id}`."),
        ),
    };
    Err(ApiError::new(
        catalog::RECEIPT_NOT_FOUND,
        format!("Deploy {id} has no receipt: {why}."),
    )
    .hint(hint))
}
