//! Who may look at a preview, and how a browser comes by its cookie.
//!
//! A browser without one is led to Hermez itself, where its session is known, and comes back with a
//! ticket that works once. Whoever has a shared link comes in by the link. Both paths lie below
//! [`PREFIX`], which no preview sees.

use hermez_access::{Action, Presented, Target, VISIT_LIFE, is_api_token};
use hermez_store::PreviewRecord;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use url::Url;
use url::form_urlencoded;

use super::{Body, Gateway, headers, pages};

/// Below this path the gateway answers by itself.
pub const PREFIX: &str = "/.hermez/";
/// Longest path that is come back to, in bytes.
const MAX_TO: usize = 2048;

/// Answers the gateway's own paths; nothing for all others.
pub async fn enter(
    gateway: &Gateway,
    preview: Option<&PreviewRecord>,
    request: &Request<Incoming>,
) -> Option<Response<Body>> {
    let path = request.uri().path().strip_prefix(PREFIX)?;
    let html = pages::wants_html(request.headers());
    if request.method() != Method::GET {
        return Some(pages::not_allowed(html));
    }
    // What merely looks at links does not use them up.
    if is_prefetch(request.headers()) {
        return Some(pages::nothing());
    }
    let Some(preview) = preview else {
        return Some(pages::link_is_over(html));
    };
    let gate = &gateway.state.gate;
    let (redeemed, to) = if path == "enter" {
        let query = request.uri().query().unwrap_or_default();
        let get = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let ticket = get("ticket").unwrap_or_default();
        let to = local_path(get("to").as_deref());
        (gate.redeem_preview_ticket(preview, &ticket).await, to)
    } else if let Some(token) = path.strip_prefix("share/") {
        (
            gate.redeem_preview_link(preview, token).await,
            "/".to_owned(),
        )
    } else {
        return Some(pages::link_is_over(html));
    };
    let Ok(secret) = redeemed else {
        return Some(pages::link_is_over(html));
    };
    let cookie = headers::cookie(&gateway.base, secret.expose(), VISIT_LIFE.as_secs());
    Some(pages::redirect(&to, Some(&cookie)))
}

/// Whether the sender may look: by the gateway's cookie, or by an API token. Else the answer that
/// says what to do.
pub async fn check(
    gateway: &Gateway,
    instance: &str,
    preview: Option<&PreviewRecord>,
    request: &mut Request<Incoming>,
) -> Result<(), Response<Body>> {
    let state = &gateway.state;
    let name = headers::cookie_name(&gateway.base);
    if let (Some(preview), Some(cookie)) = (preview, headers::cookie_of(request.headers(), name)) {
        match state.gate.opens_preview(preview, &cookie).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "a preview's visitor cannot be looked up");
                return Err(pages::unavailable(pages::wants_html(request.headers())));
            }
        }
    }
    if let Some(token) = bearer(request.headers()) {
        let known = async {
            let principal = state.gate.authenticate(Presented::Bearer(&token)).await?;
            let target = Target::Server;
            state.gate.look(&principal, Action::Read, &target).await
        };
        if known.await.is_ok() {
            return Ok(());
        }
    }
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD)
        && pages::wants_html(request.headers());
    if !is_page {
        return Err(pages::unauthenticated());
    }
    let to = request.uri().path_and_query().map_or("/", |to| to.as_str());
    let url = door(&state.public_url, instance, to);
    Err(pages::redirect(url.as_str(), None))
}

/// The page of Hermez that gives a signed-in browser its ticket.
fn door(public_url: &Url, instance: &str, to: &str) -> Url {
    let mut url = public_url.clone();
    let begin = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{begin}/previews/open"));
    url.query_pairs_mut()
        .append_pair("instance", instance)
        .append_pair("to", &local_path(Some(to)));
    url
}

/// A path of the same host; `/` for anything else.
pub fn local_path(to: Option<&str>) -> String {
    let is_local = |to: &&str| {
        to.starts_with('/')
            && !to.starts_with("//")
            && !to.starts_with("/\\")
            && !to.starts_with(PREFIX)
            && to.len() <= MAX_TO
            && !to.chars().any(char::is_control)
            && to.is_ascii()
    };
    to.filter(is_local).unwrap_or("/").to_owned()
}

/// The API token of a request, if it carries one of Hermez'.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && is_api_token(token)).then(|| token.trim().to_owned())
}

fn is_prefetch(headers: &HeaderMap) -> bool {
    let purpose = headers.get("sec-purpose");
    let purpose = purpose.and_then(|value| value.to_str().ok());
    purpose.is_some_and(|purpose| purpose.contains("prefetch"))
}

/// The way back from Hermez to a preview, with a ticket.
pub fn way_back(base: &Url, instance: &str, ticket: &str, to: &str) -> Option<Url> {
    let mut url = base.clone();
    let host = format!("{instance}.{}", base.host_str()?);
    url.set_host(Some(&host)).ok()?;
    url.set_path(&format!("{PREFIX}enter"));
    url.query_pairs_mut()
        .append_pair("ticket", ticket)
        .append_pair("to", &local_path(Some(to)));
    Some(url)
}

/// The link by which anybody who has it comes in.
pub fn shared_link(base: &Url, instance: &str, token: &str) -> Option<Url> {
    let mut url = base.clone();
    let host = format!("{instance}.{}", base.host_str()?);
    url.set_host(Some(&host)).ok()?;
    url.set_path(&format!("{PREFIX}share/{token}"));
    Some(url)
}

/// The status of an answer to somebody who must sign in first.
pub const UNAUTHENTICATED: StatusCode = StatusCode::UNAUTHORIZED;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_same_host_are_come_back_to() {
        assert_eq!(local_path(Some("/a?b=c")), "/a?b=c");
        for bad in [
            "",
            "a",
            "//evil.org",
            "/\\evil.org",
            "http://evil.org",
            "/a\r\nb",
            "/.hermez/enter?ticket=x",
        ] {
            assert_eq!(local_path(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(local_path(Some(&format!("/{}", "x".repeat(3000)))), "/");
        assert_eq!(local_path(None), "/");
    }

    #[test]
    fn links_lead_to_the_preview_s_own_host() {
        let base: Url = "https://preview.example.com:8443/".parse().unwrap();
        let back = way_back(&base, "hello-pr-1", "t", "/x?y=1&z").unwrap();
        assert_eq!(
            back.as_str(),
            "https://hello-pr-1.preview.example.com:8443/.hermez/enter?ticket=t&to=%2Fx%3Fy%3D1%26z"
        );
        let public: Url = "https://hermez.example.com/base/".parse().unwrap();
        assert_eq!(
            door(&public, "hello-pr-1", "/x").as_str(),
            "https://hermez.example.com/base/previews/open?instance=hello-pr-1&to=%2Fx"
        );
        let link = shared_link(&base, "hello-pr-1", "abc").unwrap();
        assert_eq!(
            link.as_str(),
            "https://hello-pr-1.preview.example.com:8443/.hermez/share/abc"
        );
    }
}
