//! Whether the server lives and can work. Anonymous: load balancers ask.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hermez_api::Readiness;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// Whether the process answers
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "server", security(()),
    responses((status = 200, description = "It answers.", body = String, content_type = "text/plain")),
)]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server can work
///
/// That is: its own database answers. The cluster, the registry and the forges may be down; the
/// server goes on serving what it knows.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "server", security(()),
    responses(
        (status = 200, description = "It can.", body = Readiness),
        (status = 503, description = "It cannot.", body = Readiness),
    ),
)]
async fn readyz(State(state): State<AppState>) -> Response {
    let reason = if state.shutdown.is_cancelled() {
        Some("The server is shutting down.")
    } else if let Err(error) = state.store.ping().await {
        tracing::warn!(%error, "not ready");
        Some("The database does not answer.")
    } else {
        None
    };
    let status = if reason.is_none() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = Readiness {
        ready: reason.is_none(),
        reason: reason.map(str::to_owned),
    };
    (status, Json(body)).into_response()
}
