//! All routes: one file for each family of endpoints.
//!
//! [`app`] puts them together. Everything below `/api/v1`, and `/metrics`, is behind
//! [`auth::require`]; the anonymous routes are named one by one in [`open`].

mod access;
mod build_log;
mod builds;
mod commits;
mod delivery;
mod deploys;
mod freezes;
mod gates;
mod health;
mod hotfixes;
mod login;
mod logs;
mod meta;
mod previews;
mod principals;
mod profiles;
mod receipts;
mod reverts;
mod rollouts;
mod rules;
mod runs;
mod scales;
mod strategies;
mod watch;
mod webhooks;
mod workloads;

pub use webhooks::follow_push;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::config::Limits;
use crate::problem::{ApiError, catalog};
use crate::state::AppState;
use crate::{auth, headers, metrics, openapi as common, problem, query, request_id, trace, ui};

/// How long a client may be silent in the midst of a body.
const BODY_SILENCE: Duration = Duration::from_secs(30);

/// Routes that anybody may use, each with a reason: health for load balancers; a sign-in link and
/// a webhook carry their own proof; the door to previews asks for a session by itself.
fn open(limits: &Limits) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(health::router())
        .merge(login::router())
        .merge(webhooks::router(limits.webhook_bytes))
        .merge(previews::door())
}

/// Routes below `/api/v1` for authenticated callers.
fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(access::router())
        .merge(principals::router())
        .merge(workloads::router())
        .merge(commits::router())
        .merge(builds::router())
        .merge(build_log::router())
        .merge(deploys::router())
        .merge(receipts::router())
        .merge(rollouts::router())
        .merge(reverts::router())
        .merge(hotfixes::router())
        .merge(delivery::router())
        .merge(rules::router())
        .merge(freezes::router())
        .merge(gates::router())
        .merge(strategies::router())
        .merge(previews::router())
        .merge(logs::router())
        .merge(runs::router())
        .merge(scales::router())
        .merge(watch::router())
        .merge(meta::api_router())
        .merge(profiles::router())
}

/// The routes and their description.
fn described(limits: &Limits) -> (OpenApiRouter<AppState>, OpenApiRouter<AppState>) {
    let closed = OpenApiRouter::new()
        .nest("/api/v1", api())
        .merge(meta::metrics_router());
    (open(limits), closed)
}

/// The OpenAPI 3.1 document of the API.
pub fn openapi() -> OpenApi {
    let (open, closed) = described(&Limits::default());
    let (_, mut document) = OpenApiRouter::<AppState>::with_openapi(common::base())
        .merge(open)
        .merge(closed)
        .split_for_parts();
    common::finish(&mut document);
    document
}

/// The OpenAPI document as JSON, as it is checked in and served.
pub fn openapi_json() -> String {
    let mut json = openapi().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// The whole application.
pub fn app(state: AppState) -> Router {
    let (open, closed) = described(&state.limits);
    let known = query::Known::of(closed.get_openapi());
    let closed = Router::from(closed)
        .layer(from_fn_with_state(known, query::refuse_unknown))
        .route("/api/{*rest}", axum::routing::any(missing))
        .layer(from_fn_with_state(state.clone(), auth::require));
    Router::from(open)
        .merge(closed)
        .fallback(ui::serve)
        .layer(DefaultBodyLimit::max(state.limits.body_bytes))
        .layer(from_fn_with_state(state.metrics.clone(), metrics::count))
        .layer(CatchPanicLayer::custom(|_| {
            ApiError::internal("a handler panicked").into_response()
        }))
        .layer(from_fn(problem::finish))
        .layer(CompressionLayer::new())
        .layer(from_fn(headers::secure))
        .layer(from_fn(trace::trace))
        .layer(from_fn(request_id::assign))
        .layer(RequestBodyTimeoutLayer::new(BODY_SILENCE))
        .with_state(state)
}

/// Below `/api` there are no pages: what is not there is a problem, for those who may know.
async fn missing() -> ApiError {
    ApiError::bare(catalog::NOT_FOUND).hint("`/api/v1/openapi.json` describes what there is.")
}
