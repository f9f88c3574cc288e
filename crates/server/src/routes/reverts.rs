//! After a rollback: what was left is taken back in the repository, as a pull request.

use axum::Json;
use axum::extract::{Path, State};
use hermez_access::{Action, Target};
use hermez_api::Revert;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deploys;
use crate::auth::Caller;
use crate::change::change;
use crate::problem::ApiError;
use crate::problem::responses::{Conflict, NotFound, Upstream};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(propose))
}

/// Propose the revert of what a rollback left
///
/// Takes the commits back that the rollback left, newest first, on the newest commit of the default
/// branch, pushes that as a branch, and opens its pull request in the forge. Nothing is pushed where
/// a commit cannot be taken back; the problem names the files and places. Asked again it is the same
/// pull request.
#[utoipa::path(
    post, path = "/deploys/{id}/revert", operation_id = "proposeRevert", tag = "deploys",
    params(("id" = i64, Path, description = "The rollback's number.")),
    responses((status = 200, description = "The pull request.", body = Revert), NotFound, Conflict, Upstream),
)]
async fn propose(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Revert>, ApiError> {
    state
        .store
        .deploy(id)
        .await?
        .ok_or_else(|| deploys::not_found(id))?;
    let (road, by) = (state.road.clone(), caller.principal.name.clone());
    let who = &caller.principal;
    let act = async move { Ok(road.propose_revert(id, &by).await?) };
    let target = Target::Deploy(id);
    let revert = change(&state, who, Action::DeployRevert, target, json!({}), act).await?;
    Ok(Json(revert))
}
