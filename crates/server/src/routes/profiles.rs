//! Runtime profiles: how their rollout does, what another version would change, pause and resume.
//!
//! All is read from the cluster, which holds the versions: every replica answers alike.

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use hermez_access::{Action, Target};
use hermez_api::{
    AskProfileDiff, ProfileChange, ProfileDiff, ProfileDiffGroup, ProfileStatus, ProfileVersion,
    RolloutPhase,
};
use hermez_controller::rollout::report;
use hermez_controller::rollout::versions::admit;
use hermez_kinds::RuntimeProfile;
use serde_json::json;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::auth::Caller;
use crate::change::change;
use crate::json::JsonBody;
use crate::problem::responses::{Invalid, Unavailable, Upstream};
use crate::problem::{ApiError, catalog, sentence};
use crate::state::AppState;

/// Largest body that may ask for a diff: a profile of the largest size, as JSON text.
const BODY_BYTES: usize = 2 * hermez_kinds::config::SIZE_LIMIT;
/// Workloads that are named of many.
const NAMED: usize = 20;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(diff).layer(DefaultBodyLimit::max(BODY_BYTES)))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Show the versions of the runtime profile, and how the rollout does
#[utoipa::path(
    get, path = "/profiles", operation_id = "getProfiles", tag = "server",
    responses((status = 200, description = "As it is now.", body = ProfileStatus), Upstream, Unavailable),
)]
async fn status(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<ProfileStatus>, ApiError> {
    look(&state, &caller).await?;
    Ok(Json(now(&state).await?))
}

/// Ask what a version of the runtime profile would change
///
/// Changes nothing. Equal changes of many workloads are one group.
#[utoipa::path(
    post, path = "/profiles/diff", operation_id = "diffProfile", tag = "server",
    request_body = AskProfileDiff,
    responses((status = 200, description = "What would change for whom.", body = ProfileDiff), Invalid, Upstream, Unavailable),
)]
async fn diff(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(ask): JsonBody<AskProfileDiff>,
) -> Result<Json<ProfileDiff>, ApiError> {
    look(&state, &caller).await?;
    let offered = ask.profile.as_deref().map(parse).transpose()?;
    let client = state.cluster.get()?.client();
    let namespace = &state.own_namespace;
    let refused = match &offered {
        Some(offered) => {
            let (versions, newest) = report::versions(client.clone(), namespace).await?;
            admit(&versions, newest.as_deref(), offered).err()
        }
        None => None,
    };
    let diff = report::diff(client, namespace, None, offered).await?;
    let groups = diff.groups.into_iter().map(|group| ProfileDiffGroup {
        workloads: group.workloads.len() as u64,
        examples: group
            .workloads
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect(),
        changes: group
            .changes
            .into_iter()
            .map(|change| ProfileChange {
                object: change.object,
                field: change.field,
                before: change.before,
                after: change.after,
            })
            .collect(),
        refusal: group.refusal,
    });
    Ok(Json(ProfileDiff {
        target: diff.target,
        refused,
        groups: groups.collect(),
        unchanged: diff.unchanged as u64,
    }))
}

/// Pause the rollout of the runtime profile
///
/// What is on its way arrives; nothing more is moved. New workloads, and those whose own spec
/// changes, still take the newest version.
#[utoipa::path(
    post, path = "/profiles/pause", operation_id = "pauseProfileRollout", tag = "server",
    responses((status = 200, description = "As it is now.", body = ProfileStatus), Upstream, Unavailable),
)]
async fn pause(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<ProfileStatus>, ApiError> {
    set_paused(&state, &caller, true).await
}

/// Let the rollout of the runtime profile go on
#[utoipa::path(
    post, path = "/profiles/resume", operation_id = "resumeProfileRollout", tag = "server",
    responses((status = 200, description = "As it is now.", body = ProfileStatus), Upstream, Unavailable),
)]
async fn resume(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<ProfileStatus>, ApiError> {
    set_paused(&state, &caller, false).await
}

async fn look(state: &AppState, caller: &Caller) -> Result<(), ApiError> {
    let gate = &state.gate;
    Ok(gate
        .look(&caller.principal, Action::Read, &Target::Server)
        .await?)
}

async fn set_paused(
    state: &AppState,
    caller: &Caller,
    paused: bool,
) -> Result<Json<ProfileStatus>, ApiError> {
    let cluster = state.cluster.clone();
    let namespace = state.own_namespace.clone();
    let act = async move {
        let client = cluster.get()?.client();
        Ok(report::pause(client, &namespace, paused).await?)
    };
    let detail = json!({ "paused": paused });
    let (principal, action) = (&caller.principal, Action::ProfileRollout);
    change(state, principal, action, Target::Server, detail, act).await?;
    Ok(Json(now(state).await?))
}

async fn now(state: &AppState) -> Result<ProfileStatus, ApiError> {
    let client = state.cluster.get()?.client();
    let overview = report::overview(client, &state.own_namespace, None).await?;
    let rollout = overview.rollout;
    let phase = if rollout.stopped.is_some() {
        RolloutPhase::Stopped
    } else if overview.waiting.is_empty() && rollout.moving.is_empty() {
        RolloutPhase::Complete
    } else if overview.paused {
        RolloutPhase::Paused
    } else {
        RolloutPhase::Rolling
    };
    let versions = overview.versions.into_iter();
    Ok(ProfileStatus {
        target: rollout.target,
        since: rollout.begun_at,
        phase,
        reason: rollout.stopped,
        refused: overview.refused.map(|refused| refused.message),
        versions: versions
            .map(|(label, workloads)| ProfileVersion {
                label,
                workloads: workloads as u64,
            })
            .collect(),
        moving: rollout
            .moving
            .iter()
            .map(|moving| moving.key.to_string())
            .collect(),
        waiting: overview.waiting.len() as u64,
        next: overview
            .waiting
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect(),
        left_alone: overview.left_alone as u64,
    })
}

fn parse(text: &str) -> Result<RuntimeProfile, ApiError> {
    RuntimeProfile::parse("profile", text.as_bytes()).map_err(|error| {
        ApiError::new(catalog::CONFIG_INVALID, sentence(&error)).places(error.places())
    })
}
