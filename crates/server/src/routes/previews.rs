//! Pull requests and their previews: list, deploy, allow, share, sleep, wake, remove; and the door
//! through which a signed-in browser comes to a preview.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use hermez_access::{Action, Target};
use hermez_api::{
    AllowPullRequest, CreatePullRequestDeploy, CreateRun, DeploySummary, Page, Preview,
    PreviewState, PullRequest, Run, SharedPreview,
};
use hermez_cluster::RunRequest;
use hermez_deploy::RoadError;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{runs, workloads};
use crate::auth::{self, Caller};
use crate::change::{change, once};
use crate::cluster_link::key;
use crate::gateway::{local_path, shared_link, way_back};
use crate::json::JsonBody;
use crate::problem::responses::{Conflict, Invalid, NotFound, Upstream};
use crate::problem::{ApiError, catalog};
use crate::state::AppState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(deploy))
        .routes(routes!(allow))
        .routes(routes!(sleep))
        .routes(routes!(wake))
        .routes(routes!(share, unshare))
        .routes(routes!(run))
}

/// The way of browsers to previews; it asks for a session by itself.
pub fn door() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().route("/previews/open", axum::routing::get(open))
}

fn detail(number: i64) -> Value {
    json!({ "pull_request": number })
}

/// Makes a change of a pull request's preview.
async fn act<T: Send + 'static>(
    state: &AppState,
    caller: &Caller,
    action: Action,
    (name, detail): (&str, Value),
    work: impl Future<Output = Result<T, RoadError>> + Send + 'static,
) -> Result<T, ApiError> {
    workloads::find(state, name).await?;
    let target = Target::Workload(name.to_owned());
    let work = async move { Ok(work.await?) };
    change(state, &caller.principal, action, target, detail, work).await
}

/// List open pull requests
///
/// Of the workload's repository, the one that changed last first, at most 100, with their previews.
#[utoipa::path(
    get, path = "/workloads/{name}/pull-requests", operation_id = "listPullRequests", tag = "pull requests",
    params(("name" = String, Path, description = "The workload's name.")),
    responses((status = 200, description = "Open pull requests.", body = Page<PullRequest>), NotFound, Conflict, Upstream),
)]
async fn list(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<Page<PullRequest>>, ApiError> {
    workloads::find(&state, &name).await?;
    let items = state.road.pull_requests(&name).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Read a pull request
#[utoipa::path(
    get, path = "/workloads/{name}/pull-requests/{number}", operation_id = "getPullRequest", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 200, description = "The pull request, with its preview.", body = PullRequest), NotFound, Conflict, Upstream),
)]
async fn get(
    State(state): State<AppState>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<PullRequest>, ApiError> {
    workloads::find(&state, &name).await?;
    Ok(Json(state.road.pull_request(&name, number).await?))
}

/// Deploy a pull request
///
/// Its newest commit, as an instance of its own beside the workload. Builds it first where it has no
/// artifact yet. A pull request from a fork is built without secrets, as all are, and deployed only
/// when somebody has allowed its newest commit. One whose artifact is marked as bad needs `override_bad`.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/deploys", operation_id = "deployPullRequest", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request deploys once."),
    ),
    request_body = CreatePullRequestDeploy,
    responses(
        (status = 202, description = "The deploy, which begins now.", body = DeploySummary),
        (status = 403, description = "It comes from a fork, and nobody has allowed its newest commit.",
            body = hermez_api::Problem, content_type = "application/problem+json"),
        NotFound, Conflict, Invalid, Upstream,
    ),
)]
async fn deploy(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreatePullRequestDeploy>,
) -> Result<Response, ApiError> {
    let operation = format!("POST /workloads/{name}/pull-requests/{number}/deploys");
    let (at, who, asked) = (state.clone(), caller.clone(), ask.clone());
    let work = Box::pin(async move {
        let recorded = |text: Option<&String>| -> Option<String> {
            text.map(|text| text.chars().take(1000).collect())
        };
        let detail = json!({
            "pull_request": number,
            "reason": recorded(ask.reason.as_ref()),
            "replicas": ask.replicas,
            "override_bad": recorded(ask.override_bad.as_ref()),
        });
        let (road, by, of) = (at.road.clone(), who.principal.name.clone(), name.clone());
        let work = async move { road.request_pull_deploy(&of, number, &ask, &by).await };
        let asked = act(&at, &who, Action::PreviewDeploy, (&name, detail), work);
        let deploy = Box::pin(asked).await?;
        Ok((StatusCode::ACCEPTED, deploy.summary()))
    });
    once(&state, &caller, &headers, &operation, &asked, work).await
}

/// Allow the commit of a fork
///
/// The newest one, and only that: `commit` says which one was read, and a new push needs a new word.
/// Allowing it again changes nothing.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/allow", operation_id = "allowPullRequest", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    request_body = AllowPullRequest,
    responses((status = 200, description = "It may be deployed.", body = PullRequest), NotFound, Conflict, Invalid, Upstream),
)]
async fn allow(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
    JsonBody(ask): JsonBody<AllowPullRequest>,
) -> Result<Json<PullRequest>, ApiError> {
    let mut what = detail(number);
    what["commit"] = ask.commit.chars().take(40).collect::<String>().into();
    let (road, by, of) = (
        state.road.clone(),
        caller.principal.name.clone(),
        name.clone(),
    );
    let work = async move { road.allow_pull(&of, number, &ask.commit, &by).await };
    let allowed = act(&state, &caller, Action::PreviewAllow, (&name, what), work).await?;
    // Where pull requests are deployed by themselves, this is what it waited for.
    let row = workloads::find(&state, &name).await?;
    state
        .road
        .follow_pull(row.repository.id, number)
        .await
        .unwrap_or_else(|error| {
            tracing::info!(%error, "an allowed pull request is not deployed by itself");
        });
    Ok(Json(allowed))
}

/// Let a preview sleep
///
/// It has no pods until the next visit. One that sleeps sleeps on.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/sleep", operation_id = "sleepPreview", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 200, description = "It sleeps.", body = Preview), NotFound, Conflict),
)]
async fn sleep(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<Preview>, ApiError> {
    let (road, of) = (state.road.clone(), name.clone());
    let work = async move { road.sleep_preview(&of, number).await };
    let mut what = detail(number);
    what["asleep"] = true.into();
    let preview = act(&state, &caller, Action::PreviewSleep, (&name, what), work).await?;
    Ok(Json(preview))
}

/// Wake a preview
///
/// As a visit does. One that is awake stays awake for another while.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/wake", operation_id = "wakePreview", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 200, description = "It wakes, or is awake.", body = Preview), NotFound),
)]
async fn wake(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<Preview>, ApiError> {
    let (road, of) = (state.road.clone(), name.clone());
    let work = async move { road.wake_preview(&of, number).await };
    let mut what = detail(number);
    what["asleep"] = false.into();
    let preview = act(&state, &caller, Action::PreviewSleep, (&name, what), work).await?;
    Ok(Json(preview))
}

/// Remove a preview
///
/// It goes from the cluster in a moment, and its comment says so. The pull request stays.
#[utoipa::path(
    delete, path = "/workloads/{name}/pull-requests/{number}", operation_id = "removePreview", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 202, description = "It goes.", body = hermez_api::Accepted), NotFound),
)]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
) -> Result<(StatusCode, Json<hermez_api::Accepted>), ApiError> {
    let (road, by, of) = (
        state.road.clone(),
        caller.principal.name.clone(),
        name.clone(),
    );
    let work = async move { road.remove_preview(&of, number, &by).await };
    let what = (name.as_str(), detail(number));
    Box::pin(act(&state, &caller, Action::PreviewRemove, what, work)).await?;
    let accepted = hermez_api::Accepted { accepted: true };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Share a preview
///
/// Anybody who has the link may open it, without an account. The link is shown this once; a new one
/// takes its place, and whoever came by the old one is out.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/share", operation_id = "sharePreview", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 200, description = "The link.", body = SharedPreview), NotFound, Conflict),
)]
async fn share(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<SharedPreview>, ApiError> {
    workloads::find(&state, &name).await?;
    let Some(base) = state.preview_url.clone() else {
        return Err(no_gateway());
    };
    let (road, gate) = (state.road.clone(), state.gate.clone());
    let target = Target::Workload(name.clone());
    let work = async move {
        let (_, preview) = road.preview_of(&name, number).await?;
        let token = gate.share_preview(preview.id).await?;
        let token = token.ok_or_else(being_removed)?;
        shared_link(&base, &preview.instance, token.expose()).ok_or_else(no_gateway)
    };
    let who = &caller.principal;
    let url = change(
        &state,
        who,
        Action::PreviewShare,
        target,
        detail(number),
        work,
    )
    .await?;
    Ok(Json(SharedPreview {
        url: url.to_string(),
    }))
}

/// Stop sharing a preview
///
/// Its link opens nothing any more, and whoever came by it is out.
#[utoipa::path(
    delete, path = "/workloads/{name}/pull-requests/{number}/share", operation_id = "unsharePreview", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
    ),
    responses((status = 204, description = "It is not shared."), NotFound),
)]
async fn unshare(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
) -> Result<StatusCode, ApiError> {
    let (road, store, of) = (state.road.clone(), state.store.clone(), name.clone());
    let work = async move {
        let (_, preview) = road.preview_of(&of, number).await?;
        store.share_preview(preview.id, None).await?;
        Ok(())
    };
    let mut what = detail(number);
    what["shared"] = false.into();
    act(&state, &caller, Action::PreviewShare, (&name, what), work).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Run the cron job of a pull request now
///
/// A pull request's cron job never runs by its schedule. Its preview counts as used.
#[utoipa::path(
    post, path = "/workloads/{name}/pull-requests/{number}/runs", operation_id = "runPullRequest", tag = "pull requests",
    params(
        ("name" = String, Path, description = "The workload's name."),
        ("number" = i64, Path, description = "The pull request's number."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request runs once."),
    ),
    request_body = CreateRun,
    responses((status = 202, description = "The run, which begins now.", body = Run), NotFound, Conflict, Invalid, Upstream),
)]
async fn run(
    State(state): State<AppState>,
    caller: Caller,
    Path((name, number)): Path<(String, i64)>,
    headers: HeaderMap,
    JsonBody(ask): JsonBody<CreateRun>,
) -> Result<Response, ApiError> {
    runs::cron_job(&state, &name).await?;
    runs::check(&ask)?;
    let operation = format!("POST /workloads/{name}/pull-requests/{number}/runs");
    let (at, who, asked) = (state.clone(), caller.principal.clone(), ask.clone());
    let work = Box::pin(async move {
        let names: Vec<&String> = ask.environment.keys().collect();
        let detail = json!({
            "pull_request": number, "arguments": ask.arguments, "environment": names,
        });
        let target = Target::Workload(name.clone());
        let (link, road, by) = (at.cluster.clone(), at.road.clone(), who.name.clone());
        let store = at.store.clone();
        let run = change(&at, &who, Action::RunCreate, target, detail, async move {
            let (workload, preview) = road.preview_of(&name, number).await?;
            if preview.state == PreviewState::Removing {
                return Err(being_removed());
            }
            store.touch_preview(preview.id, Timestamp::now()).await?;
            let request = RunRequest {
                arguments: ask.arguments,
                environment: ask.environment,
                by,
            };
            let key = key(&workload.namespace, &preview.instance);
            let run = link.get()?.run_now(&key, request).await;
            run.map_err(runs::told(&preview.instance))
        })
        .await?;
        Ok((StatusCode::ACCEPTED, run))
    });
    once(&state, &caller, &headers, &operation, &asked, work).await
}

fn being_removed() -> ApiError {
    ApiError::new(catalog::CONFLICT, "The preview is being removed.")
        .hint("Deploy the pull request again.")
}

fn no_gateway() -> ApiError {
    ApiError::new(catalog::CONFLICT, "This server has no preview gateway.")
        .hint("Start it with `--preview-listen` and `--preview-url`.")
}

/// Which preview a browser wants to open.
#[derive(Deserialize)]
struct Wanted {
    instance: String,
    #[serde(default)]
    to: String,
    /// Whether it has come by this page itself.
    #[serde(default)]
    again: bool,
}

/// Gives a signed-in browser a ticket for a preview, and leads it there.
///
/// It comes from the preview's own site, and browsers send a strict cookie only with what begins on
/// this one: so the page leads to itself once.
async fn open(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let principal = match auth::browser(&state, &headers).await {
        Ok(principal) => principal,
        Err(error) if error.kind() != catalog::UNAUTHENTICATED => return Err(error),
        Err(_) if wanted.again => return Ok(sign_in_first(&wanted)),
        Err(_) => return Ok(once_more(&wanted)),
    };
    let look = state
        .gate
        .look(&principal, Action::Read, &Target::Server)
        .await;
    look?;
    let base = state.preview_url.as_ref().ok_or_else(no_gateway)?;
    let missing = || {
        ApiError::new(catalog::NOT_FOUND, "There is no such preview.")
            .hint("`hermez pr list` shows those that there are.")
    };
    let instance: String = wanted.instance.chars().take(63).collect();
    let preview = state.store.preview_of_instance(&instance).await?;
    let preview = preview.ok_or_else(missing)?;
    let ticket = state.gate.preview_ticket(&principal, &preview).await?;
    let ticket = ticket.ok_or_else(|| auth::unauthenticated("A browser's session is needed."))?;
    let back = way_back(base, &preview.instance, ticket.expose(), &wanted.to);
    let back = back.ok_or_else(no_gateway)?;
    let mut answer = Redirect::to(back.as_str()).into_response();
    let quiet = HeaderValue::from_static("no-referrer");
    answer.headers_mut().insert(header::REFERRER_POLICY, quiet);
    Ok(answer)
}

impl Wanted {
    /// It, as the query of this page.
    fn query(&self) -> form_urlencoded::Serializer<'static, String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("instance", &self.instance)
            .append_pair("to", &local_path(Some(&self.to)));
        query
    }
}

/// Leads to where people sign in, and from there back to here.
fn sign_in_first(wanted: &Wanted) -> Response {
    let from = format!("/previews/open?{}", wanted.query().finish());
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("from", &from)
        .finish();
    Redirect::to(&format!("/login?{query}")).into_response()
}

/// A page that leads to the same address, now from this site.
fn once_more(wanted: &Wanted) -> Response {
    let query = wanted.query().append_pair("again", "true").finish();
    // Form encoding leaves nothing that HTML would read, but for the `&` between pairs.
    let query = query.replace('&', "&amp;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"0;url=open?{query}\"><title>Opening the preview</title>\
         </head><body><p><a href=\"open?{query}\">Open the preview</a></p></body></html>"
    );
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], page).into_response()
}
