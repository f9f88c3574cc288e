//! Passes a request to a pod of a preview, waking it first where it sleeps.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hermez_access::VISIT_LIFE;
use hermez_api::{DeployState, PreviewState};
use hermez_cluster::ReadyPod;
use hermez_store::{DeployRecord, PreviewRecord, WorkloadRecord};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};

use super::visits::Visit;
use super::{Body, Gateway, connect, headers, pages};

/// How long a request that is no page's waits for a pod; so does a WebSocket's handshake.
const HOLD: Duration = Duration::from_secs(20);
/// How long a page's request does: most wake within that, and nobody sees the waiting page.
const HOLD_PAGE: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a pod may take until it begins to answer.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);
/// How long a program may take until it listens, after its container was started.
const STARTS: SignedDuration = SignedDuration::from_mins(1);

/// Whose turn it is.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// Passes a request to the preview.
pub async fn pass(
    gateway: &Gateway,
    preview: &PreviewRecord,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let html = pages::wants_html(request.headers());
    let visit = gateway.visits.begin(preview.id).await;
    let workload = match gateway
        .state
        .store
        .workload_by_id(preview.workload_id)
        .await
    {
        Ok(Some(workload)) => workload,
        Ok(None) => return pages::no_preview(html, &preview.instance),
        Err(error) => {
            tracing::warn!(%error, "a preview's workload cannot be looked up");
            return pages::unavailable(html);
        }
    };
    let patience = patience(request.method(), request.headers());
    let begun = Instant::now();
    let mut asked = Asked::new(gateway, peer, request);
    loop {
        let left = patience.saturating_sub(begun.elapsed());
        let (pod, port) = match find_pod(gateway, preview, &workload, left, html).await {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let uri = connect::uri(&workload.namespace, &pod.name, port, &asked.path);
        let Some(uri) = uri else {
            return pages::bad_gateway(html, "The request's path cannot be passed on.");
        };
        // A pod that was there before it fell asleep may be on its way out.
        let settled = preview.state == PreviewState::Active;
        let unsure = !settled || starts(pod.started_at, Timestamp::now());
        let waits = begun.elapsed() < patience;
        // What can be sent once only is kept until somebody listens.
        if unsure && waits && !asked.can_be_sent_again() {
            let listens = connect::listens(&gateway.state.cluster, &uri).await;
            if !listens {
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
        }
        let sent = asked.times_sent;
        let Some(request) = asked.request(uri) else {
            return no_answer(html, &pod, port);
        };
        let answer = tokio::time::timeout(ANSWER_WITHIN, gateway.pods.request(request)).await;
        match answer {
            Ok(Ok(answer)) => return hand_over(answer, asked.browser, visit, html),
            Ok(Err(error)) => {
                tracing::info!(pod = pod.name, port, error = %chain(&error), "a preview does not answer");
                let again = is_silent(&error) && asked.can_be_sent_again();
                // A connection that was kept may end as it is used.
                if again && (sent == 0 || unsure && waits) {
                    tokio::time::sleep(LOOK_AGAIN).await;
                } else if again && unsure {
                    return begins(gateway, preview, &pod, port, html).await;
                } else {
                    return no_answer(html, &pod, port);
                }
            }
            Err(_) => {
                let text = format!(
                    "Pod {} did not begin to answer within {} seconds.",
                    pod.name,
                    ANSWER_WITHIN.as_secs()
                );
                return pages::too_slow(html, &text);
            }
        }
    }
}

/// Whether a pod may still be starting, although it takes traffic: without a readiness probe it does
/// as soon as its containers run.
fn starts(started_at: Option<Timestamp>, now: Timestamp) -> bool {
    started_at.is_some_and(|at| now < at + STARTS)
}

/// Whether a pod said nothing at all: what it does not understand, it has got.
fn is_silent(error: &hyper_util::client::legacy::Error) -> bool {
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<hyper::Error>());
    error.is_connect() || cause.is_some_and(|cause| !cause.is_parse() && !cause.is_user())
}

fn no_answer(html: bool, pod: &ReadyPod, port: u16) -> Response<Body> {
    let text = format!(
        "Pod {} did not answer on port {port}. Does the program listen there, on all addresses? \
         `hermez logs --pr NUMBER` shows what it says.",
        pod.name
    );
    pages::bad_gateway(html, &text)
}

async fn begins(
    gateway: &Gateway,
    preview: &PreviewRecord,
    pod: &ReadyPod,
    port: u16,
    html: bool,
) -> Response<Body> {
    let store = &gateway.state.store;
    let deploy = store.latest_deploy_of(preview).await.ok().flatten();
    let url = deploy.map(|deploy| page_of(gateway, &deploy));
    let text = format!(
        "Pod {} starts, and does not answer on port {port} yet.",
        pod.name
    );
    pages::waiting(html, &text, url.as_deref())
}

/// The page of a deploy.
fn page_of(gateway: &Gateway, deploy: &DeployRecord) -> String {
    let mut url = gateway.state.public_url.clone();
    let begin = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{begin}/deploys/{}", deploy.id));
    url.to_string()
}

/// A request that is passed to a pod, more than once where that does no harm.
struct Asked {
    method: Method,
    headers: HeaderMap,
    path: String,
    /// Whether it carries something.
    carries: bool,
    /// What it carries, until it was sent.
    body: Option<Body>,
    /// The visitor's side of a WebSocket; it comes true when the answer was sent.
    browser: Option<OnUpgrade>,
    times_sent: u32,
}

impl Asked {
    fn new(gateway: &Gateway, peer: SocketAddr, mut request: Request<Incoming>) -> Asked {
        let websocket = headers::is_websocket(request.headers());
        let browser = websocket.then(|| hyper::upgrade::on(&mut request));
        headers::to_preview(request.headers_mut(), &gateway.base, peer.ip(), websocket);
        let path = request.uri().path_and_query();
        let path = path.map_or("/", |path| path.as_str()).to_owned();
        let (parts, body) = request.into_parts();
        let carries = !body.is_end_stream();
        let body = carries.then(|| body.map_err(Into::into).boxed());
        Asked {
            method: parts.method,
            headers: parts.headers,
            path,
            carries,
            body,
            browser,
            times_sent: 0,
        }
    }

    /// Whether it changes nothing and carries nothing (RFC 9110, 9.2.1).
    fn can_be_sent_again(&self) -> bool {
        self.method.is_safe() && !self.carries
    }

    /// It, for a pod; nothing when it was sent and must not be sent again.
    fn request(&mut self, uri: Uri) -> Option<Request<Body>> {
        if self.times_sent > 0 && !self.can_be_sent_again() {
            return None;
        }
        self.times_sent += 1;
        let body = self.body.take();
        let body = body.unwrap_or_else(|| Empty::new().map_err(|never| match never {}).boxed());
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        Some(request)
    }
}

/// How long a request waits for a pod. A page looks again by itself; nothing else does.
fn patience(method: &Method, sent: &HeaderMap) -> Duration {
    let is_page = method.is_safe() && pages::wants_html(sent) && !headers::is_websocket(sent);
    if is_page { HOLD_PAGE } else { HOLD }
}

/// A pod that takes traffic, and its port; waits for one for a while. Else what to say.
async fn find_pod(
    gateway: &Gateway,
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
    patience: Duration,
    html: bool,
) -> Result<(ReadyPod, u16), Response<Body>> {
    let (road, store) = (&gateway.state.road, &gateway.state.store);
    let begun = Instant::now();
    let mut preview = preview.clone();
    loop {
        if preview.state == PreviewState::Sleeping {
            if let Err(error) = store.wake_preview(preview.id, Timestamp::now()).await {
                tracing::warn!(%error, "a preview cannot be woken");
                return Err(pages::unavailable(html));
            }
        } else {
            let mut pods = road.preview_pods(workload, &preview);
            if !pods.is_empty() {
                let Some(port) = preview.port else {
                    return Err(pages::bad_gateway(
                        html,
                        "Its pods say no port. Write `ports: [{containerPort: …}]` in the config file, and push.",
                    ));
                };
                let turn = TURN.fetch_add(1, Ordering::Relaxed) % pods.len();
                return Ok((pods.swap_remove(turn), port));
            }
        }
        if preview.state == PreviewState::Active {
            let deploy = store.latest_deploy_of(&preview).await.ok().flatten();
            let ended = deploy.as_ref().map(|deploy| deploy.state);
            // No pod comes of it by waiting.
            if matches!(ended, Some(DeployState::Failed | DeployState::Canceled)) {
                return Err(no_pod(gateway, &preview, deploy.as_ref(), html));
            }
        }
        let over = matches!(
            preview.state,
            PreviewState::Removing | PreviewState::Removed
        );
        if over {
            return Err(pages::no_preview(html, &preview.instance));
        }
        if begun.elapsed() >= patience {
            let deploy = store.latest_deploy_of(&preview).await.ok().flatten();
            return Err(no_pod(gateway, &preview, deploy.as_ref(), html));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        if let Ok(Some(now)) = store.preview_by_id(preview.id).await {
            preview = now;
        }
    }
}

/// Why there is no pod, and what comes next.
fn no_pod(
    gateway: &Gateway,
    preview: &PreviewRecord,
    deploy: Option<&DeployRecord>,
    html: bool,
) -> Response<Body> {
    let url = deploy.map(|deploy| page_of(gateway, deploy));
    let url = url.as_deref();
    let told = deploy.map(|deploy| (deploy.state, deploy.message.as_str()));
    // What never came to the cluster does not wake.
    if preview.state == PreviewState::Waking && preview.applied_replicas.is_some() {
        return pages::waiting(html, &wakes(told), url);
    }
    match told {
        Some((DeployState::Failed, message)) => {
            let text = format!("Its deploy failed: {message}");
            pages::not_running(html, &text, url)
        }
        Some((DeployState::Canceled, _)) => {
            pages::not_running(html, "Its deploy was canceled.", url)
        }
        Some((DeployState::Succeeded, _)) => {
            pages::waiting(html, "No pod of it is ready; this looks again.", url)
        }
        Some((_, message)) => {
            let text = format!("It is being deployed: {message}.");
            pages::waiting(html, &text, url)
        }
        None => pages::waiting(html, "Its deploy begins.", url),
    }
}

/// What is said of one that wakes; its last deploy may be why it does not come up.
fn wakes(deploy: Option<(DeployState, &str)>) -> String {
    match deploy {
        Some((DeployState::Failed, message)) => {
            format!("It slept, and wakes now; its last deploy failed: {message}")
        }
        _ => "It slept, and wakes now.".to_owned(),
    }
}

/// Gives a pod's answer to whoever asked.
fn hand_over(
    mut answer: Response<Incoming>,
    browser: Option<OnUpgrade>,
    visit: Visit,
    html: bool,
) -> Response<Body> {
    let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switches && let Some(browser) = browser {
        let preview = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let carry = async {
                let (browser, preview) = tokio::try_join!(browser, preview).ok()?;
                let (mut browser, mut preview) = (TokioIo::new(browser), TokioIo::new(preview));
                // An end is an end, whoever makes it.
                tokio::io::copy_bidirectional(&mut browser, &mut preview)
                    .await
                    .ok()
            };
            let _ = tokio::time::timeout(VISIT_LIFE, carry).await;
            drop(visit);
        });
        headers::from_preview(answer.headers_mut(), true);
        return answer.map(|body| body.map_err(Into::into).boxed());
    }
    if switches {
        return pages::bad_gateway(html, "It switched to a protocol that nobody asked for.");
    }
    headers::from_preview(answer.headers_mut(), false);
    answer.map(|body| {
        BoxBody::new(Passing {
            body,
            _visit: visit,
        })
    })
}

/// A body on its way; its visit lasts as long.
struct Passing {
    body: Incoming,
    _visit: Visit,
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_pod_starts_for_a_minute() {
        let at = Timestamp::UNIX_EPOCH;
        let after = |seconds| starts(Some(at), at + SignedDuration::from_secs(seconds));
        assert_eq!([after(0), after(59), after(60)], [true, true, false]);
        assert!(!starts(None, at), "its containers are not known");
    }

    #[test]
    fn what_wakes_says_that_its_deploy_failed() {
        let failed = wakes(Some((DeployState::Failed, "pod hello-0 ends")));
        assert!(failed.ends_with("its last deploy failed: pod hello-0 ends"));
        let well = wakes(Some((DeployState::Succeeded, "done")));
        assert_eq!([well, wakes(None)], ["It slept, and wakes now."; 2]);
    }

    #[test]
    fn only_what_looks_again_by_itself_waits_for_a_moment_alone() {
        let of = |method: Method, pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            };
            patience(&method, &pairs.iter().map(pair).collect())
        };
        let page = ("accept", "text/html,*/*");
        assert_eq!(of(Method::GET, &[page]), HOLD_PAGE);
        assert_eq!(of(Method::POST, &[page]), HOLD, "a form is sent once");
        assert_eq!(of(Method::GET, &[("accept", "*/*")]), HOLD);
        let socket = [("connection", "Upgrade"), ("upgrade", "websocket")];
        assert_eq!(of(Method::GET, &socket), HOLD);
        let socket_with_page = [page, socket[0], socket[1]];
        assert_eq!(of(Method::GET, &socket_with_page), HOLD);
    }
}
