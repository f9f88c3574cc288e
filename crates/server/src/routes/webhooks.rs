//! Pushes and what becomes of pull requests, told by forges.
//!
//! The signature is checked over the bytes as they came; a wrong signature and an unknown
//! repository get the same answer. The answer is 202 before any work is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use hermez_access::{AccessError, Action, Presented, Principal, Target};
use hermez_api::Accepted;
use hermez_deploy::AutoDeploy;
use hermez_source::forge::{PushEvent, parse_pull, parse_push};
use hermez_store::PushRecord;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::change::change;
use crate::following::Followed;
use crate::problem::responses::{Invalid, Unavailable};
use crate::problem::{ApiError, catalog, sentence};
use crate::state::AppState;

/// Pauses between tries to fetch what was pushed, while the forge is away.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_mins(1);

pub fn router(limit_bytes: usize) -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(webhook).layer(DefaultBodyLimit::max(limit_bytes)))
}

/// Tell about a push or a pull request
///
/// For forges. Signed with the webhook's secret, which Hermez gives the forge when it installs
/// the webhook: `X-Gitea-Signature`, or `X-Hub-Signature-256`.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{repository_id}", operation_id = "receiveWebhook", tag = "webhooks",
    security(()),
    params(
        ("repository_id" = String, Path, description = "The repository's number."),
        ("X-Gitea-Event" = Option<String>, Header, description = "`push` or `pull_request`; others are accepted and ignored. `X-GitHub-Event` does as well."),
        ("X-Gitea-Signature" = Option<String>, Header, description = "HMAC-SHA256 of the body, in hexadecimal."),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "The same, after `sha256=`."),
    ),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses(
        (status = 202, description = "Taken; the work begins now.", body = Accepted),
        (status = 401, description = "The signature is not right, or there is no such repository.",
            body = hermez_api::Problem, content_type = "application/problem+json"),
        Invalid, Unavailable,
    ),
)]
async fn webhook(
    State(state): State<AppState>,
    Path(repository_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let answer = receive(&state, &repository_id, &headers, &body).await;
    state.metrics.webhook(match &answer {
        Ok(true) => "accepted",
        Ok(false) => "ignored",
        Err(_) => "refused",
    });
    let accepted = answer?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { accepted })))
}

/// Checks a webhook and begins its work; whether there is any.
async fn receive(
    state: &AppState,
    repository_id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<bool, ApiError> {
    let text = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| headers.get(*name))
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    // A number that is none takes the same way as one that no repository has.
    let repository_id = repository_id.parse().unwrap_or(i64::MAX);
    let signature = text(["x-gitea-signature", "x-hub-signature-256"]);
    let presented = Presented::Webhook {
        repository_id,
        body,
        signature,
    };
    let principal = state.gate.authenticate(presented).await.map_err(refused)?;
    let event = text(["x-gitea-event", "x-github-event"]);
    let invalid = |error| ApiError::new(catalog::INVALID_BODY, sentence(error));
    if let Some(pull) = parse_pull(event, body).map_err(invalid)? {
        follow(state, principal, repository_id, pull.number)?;
        return Ok(true);
    }
    let Some(push) = parse_push(event, body).map_err(invalid)? else {
        return Ok(false);
    };
    begin(state, principal, repository_id, push).await?;
    Ok(true)
}

fn refused(error: AccessError) -> ApiError {
    match error {
        AccessError::NotAuthenticated | AccessError::TooLarge { .. } => ApiError::new(
            catalog::UNAUTHENTICATED,
            "The webhook's signature is not right for this address.",
        )
        .hint("Let Hermez install the webhook: create the workload again, or sync it."),
        error => error.into(),
    }
}

/// A place for a push that is followed.
fn place(state: &AppState) -> Result<OwnedSemaphorePermit, ApiError> {
    let places = state.push_places.clone();
    places.try_acquire_owned().map_err(|_| {
        ApiError::new(
            catalog::TOO_MANY_PUSHES,
            "More pushes wait than this server takes.",
        )
        .hint("Redeliver it in a minute, or sync the workload.")
    })
}

/// Asks the forge what became of a pull request and does what follows, in the background.
fn follow(
    state: &AppState,
    principal: Principal,
    repository: i64,
    number: i64,
) -> Result<(), ApiError> {
    let place = place(state)?;
    let state = state.clone();
    tokio::spawn(async move {
        let _place = place;
        let road = state.road.clone();
        let work = async move { Ok(road.follow_pull(repository, number).await?) };
        let (target, detail) = (
            Target::Repository(repository),
            json!({ "pull_request": number }),
        );
        let followed = change(&state, &principal, Action::Push, target, detail, work).await;
        if let Err(error) = followed {
            tracing::warn!(%error, repository, number, "a pull request could not be followed");
        }
    });
    Ok(())
}

/// Keeps a push, then follows it in the background: whatever happens to this process, it is followed.
async fn begin(
    state: &AppState,
    principal: Principal,
    repository_id: i64,
    push: PushEvent,
) -> Result<(), ApiError> {
    let place = place(state)?;
    let detail = json!({
        "branch": push.branch,
        "commit": push.after.as_ref().map(ToString::to_string),
        "deleted": push.deleted,
        "pusher": push.pusher,
    });
    let state = state.clone();
    let (Some(branch), Some(after)) = (push.branch, push.after) else {
        // A tag, or a branch that is gone: nothing to build.
        tokio::spawn(async move {
            let (_place, road) = (place, state.road.clone());
            let act = async move { Ok(road.sync(repository_id).await?) };
            let target = Target::Repository(repository_id);
            let synced = change(&state, &principal, Action::Push, target, detail, act).await;
            if let Err(error) = synced {
                tracing::warn!(%error, repository_id, "a push could not be followed");
            }
        });
        return Ok(());
    };
    let push = PushRecord {
        repository_id,
        branch,
        commit: after.to_string(),
    };
    state.store.keep_push(&push, Timestamp::now()).await?;
    if let Some(followed) = state.following.begin(push) {
        tokio::spawn(async move {
            let _place = place;
            follow_push(&state, &principal, &followed, detail).await;
        });
    }
    Ok(())
}

/// Fetches, asks for builds and for the deploys that follow, through the gate. Doing it again for a
/// push that was followed asks for nothing more. While the forge is away, it is waited for. The push
/// must be kept ([`hermez_store::Store::keep_push`]): its line in the record is written when it ends.
pub async fn follow_push(
    state: &AppState,
    principal: &Principal,
    followed: &Followed,
    detail: serde_json::Value,
) {
    let push = followed.push();
    let repository = push.repository_id;
    let mut pause = PAUSE_FIRST;
    loop {
        let (at, of) = (state.clone(), push.clone());
        let may_pass = Arc::new(AtomicBool::new(false));
        let passing = may_pass.clone();
        let act =
            async move {
                let (branch, commit) = (Some(of.branch.as_str()), Some(of.commit.as_str()));
                let wanted = at.road.pushed(repository, branch, commit).await;
                let wanted = wanted
                    .inspect_err(|error| passing.store(error.is_transient(), Ordering::Relaxed))?;
                deploy_pushed(&at, wanted)
                    .await
                    .inspect_err(|_| passing.store(true, Ordering::Relaxed))?;
                let ended = at.store.end_push(&of).await;
                Ok(ended
                    .inspect_err(|error| passing.store(error.is_transient(), Ordering::Relaxed))?)
            };
        let target = Target::Repository(repository);
        let error = match change(state, principal, Action::Push, target, detail.clone(), act).await
        {
            Ok(()) => return,
            Err(error) => error,
        };
        let patient = may_pass.load(Ordering::Relaxed);
        tracing::warn!(%error, repository, patient, "a push could not be followed");
        if !patient {
            break;
        }
        // Not with an entry of the record for each try.
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_LAST),
                // It is followed at the next start, or by another server.
                () = state.shutdown.cancelled() => return,
            }
            match state.road.sync(repository).await {
                Err(error) if error.is_transient() => {}
                _ => break,
            }
        }
    }
    if let Err(error) = state.store.end_push(push).await {
        tracing::warn!(%error, repository, "a push that cannot be followed is tried once more");
    }
}

/// Asks for the deploys that a push leads to; what a rule holds back is in the record of changes.
///
/// # Errors
/// When one could not be asked for, and can be later: the push is not followed to its end.
async fn deploy_pushed(state: &AppState, wanted: Vec<AutoDeploy>) -> Result<(), ApiError> {
    let mut later = Ok(());
    for wanted in wanted {
        let target = Target::Workload(wanted.workload.clone());
        let detail = json!({ "commit": wanted.commit, "branch": wanted.branch, "push": true });
        let (road, hermez) = (state.road.clone(), Principal::system());
        let workload = wanted.workload.clone();
        let may_pass = Arc::new(AtomicBool::new(false));
        let passing = may_pass.clone();
        let act =
            async move {
                let asked = road.request_auto_deploy(&wanted).await;
                Ok(asked
                    .inspect_err(|error| passing.store(error.is_transient(), Ordering::Relaxed))?)
            };
        let asked = change(state, &hermez, Action::DeployCreate, target, detail, act).await;
        if let Err(error) = asked {
            let patient = may_pass.load(Ordering::Relaxed);
            tracing::info!(%error, workload, patient, "a pushed commit is not deployed");
            if patient {
                later = Err(error);
            }
        }
    }
    later
}

#[cfg(test)]
mod tests {
    use hermez_store::NewRepository;

    use super::*;
    use crate::tests::TestServer;

    #[tokio::test]
    async fn a_deploy_that_can_be_asked_for_later_is_not_forgotten() {
        let server = TestServer::start().await;
        server.workload("hello").await;
        // Nobody listens there: it may answer later.
        let away = NewRepository {
            identity: "https://git.test/team/hello".to_owned(),
            url: "http://127.0.0.1:1/team/hello".to_owned(),
            sealed_credential: None,
            default_branch: None,
        };
        let (store, now) = (&server.state.store, Timestamp::now());
        store.upsert_repository(&away, now).await.unwrap();
        let wanted = |workload: &str| AutoDeploy {
            workload: workload.to_owned(),
            branch: "main".to_owned(),
            commit: "a".repeat(40),
        };
        let asked = deploy_pushed(&server.state, vec![wanted("nobody")]).await;
        assert!(asked.is_ok(), "trying again would not help");
        let both = vec![wanted("hello"), wanted("nobody")];
        let asked = deploy_pushed(&server.state, both).await;
        assert!(asked.is_err(), "its forge is away");
    }
}
