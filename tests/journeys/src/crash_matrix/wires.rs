//! Proxies before the API server, the registry and the forge that see every change.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::tap::{Tap, Verdict};

/// Headers that belong to one connection.
const HOP_BY_HOP: [HeaderName; 4] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Largest request to the API server, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// Names the change that a request makes; `None` for what changes nothing that counts.
pub type Names = fn(&Method, &Uri) -> Option<String>;

/// Where requests go.
#[derive(Clone)]
pub enum Upstream {
    /// The API server, with the client's own credentials.
    Cluster(kube::Client),
    /// A server that speaks plain HTTP, by its `http://host:port`.
    Http(reqwest::Client, String),
}

/// A proxy on loopback; it ends when dropped.
pub struct HttpWire {
    port: u16,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Inner {
    upstream: Upstream,
    names: Names,
    tap: Arc<Tap>,
}

impl HttpWire {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn to(upstream: Upstream, names: Names, tap: Arc<Tap>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let inner = Inner {
            upstream,
            names,
            tap,
        };
        let app = axum::Router::new().fallback(carry).with_state(inner);
        let task = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { port, task })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for HttpWire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(State(wire): State<Inner>, request: Request) -> Response {
    let effect = (wire.names)(request.method(), request.uri());
    let verdict = effect.map_or(Verdict::Pass, |effect| wire.tap.passes(&effect));
    let lost = StatusCode::BAD_GATEWAY;
    if verdict == Verdict::Drop {
        return lost.into_response();
    }
    let answer = match &wire.upstream {
        Upstream::Cluster(client) => to_cluster(client, request).await,
        Upstream::Http(client, base) => to_http(client, base, request).await,
    };
    if verdict == Verdict::PassThenKill {
        wire.tap.spring();
        return lost.into_response();
    }
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (lost, format!("{error:#}")).into_response(),
    };
    for name in &HOP_BY_HOP {
        answer.headers_mut().remove(name);
    }
    answer
}

async fn to_cluster(client: &kube::Client, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::HOST);
    let body = axum::body::to_bytes(body, LARGEST).await?;
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    Ok(client.send(request).await?.map(Body::new))
}

async fn to_http(client: &reqwest::Client, base: &str, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().context("a path")?;
    let mut headers = parts.headers;
    let has_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|name| headers.contains_key(name));
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    // `Host` stays: what answers with addresses of its own names this proxy.
    let mut onward = client
        .request(parts.method, format!("{base}{path}"))
        .headers(headers);
    if has_body {
        onward = onward.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let answer = onward.send().await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = Body::from_stream(answer.bytes_stream());
    Ok(response)
}

fn is_change(method: &Method) -> bool {
    matches!(
        *method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    )
}

/// Changes in the cluster, but for leases and events: what, and by which field manager.
pub fn in_cluster(method: &Method, uri: &Uri) -> Option<String> {
    if !is_change(method) {
        return None;
    }
    let rest = uri.path().strip_prefix('/')?;
    let mut segments = rest.split('/');
    match segments.next()? {
        "api" => segments.next()?,
        "apis" => segments.nth(1)?,
        _ => return None,
    };
    let segments: Vec<&str> = segments.collect();
    let what = match segments.as_slice() {
        ["namespaces"] => "namespaces".to_owned(),
        ["namespaces", _, resource] => (*resource).to_owned(),
        ["namespaces", _, resource, name] => format!("{resource}{}", beside(name)),
        ["namespaces", _, resource, name, sub] => format!("{resource}/{sub}{}", beside(name)),
        _ => return None,
    };
    if what.starts_with("leases") || what.starts_with("events") {
        return None;
    }
    let query = uri.query().unwrap_or_default();
    let manager = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("fieldManager="));
    let manager = manager.map_or(String::new(), |manager| format!(" by {manager}"));
    Some(format!("cluster: {method} {what}{manager}"))
}

/// The same in the second cluster.
pub fn in_east(method: &Method, uri: &Uri) -> Option<String> {
    let effect = in_cluster(method, uri)?;
    Some(effect.replacen("cluster:", "cluster east:", 1))
}

/// What stands beside the workload itself is another thing.
fn beside(name: &str) -> &'static str {
    if name.ends_with("-canary") {
        " of a canary"
    } else if name.ends_with(super::forged::OTHER) {
        " of another"
    } else if name.contains("-pr-") {
        " of a preview"
    } else {
        ""
    }
}

/// Changes in the registry: uploads, images, manifests, lists of referrers.
pub fn in_registry(method: &Method, uri: &Uri) -> Option<String> {
    if !is_change(method) {
        return None;
    }
    let path = uri.path();
    let what = match path.rsplit_once("/manifests/") {
        Some((_, tag)) if tag.starts_with("manifest-") => "the manifest",
        Some((_, tag)) if tag.starts_with("sha256-") => "the list of referrers",
        Some(_) => "the image",
        None if *method == Method::PUT => "a blob",
        None => return None,
    };
    Some(format!("registry: {method} {what}"))
}

/// Changes in the forge, git's own pushes among them.
pub fn in_forge(method: &Method, uri: &Uri) -> Option<String> {
    if uri.path().ends_with("/git-receive-pack") {
        return is_change(method).then(|| "forge: git push".to_owned());
    }
    let api = uri.path().strip_prefix("/api/v1/repos/")?;
    let what = api.splitn(3, '/').nth(2)?;
    let what = what.split('/').next()?;
    is_change(method).then(|| format!("forge: {method} {what}"))
}
