//! Pages of the gateway's own: plain, without scripts, each with what to do next. Programs get the
//! same words as text.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::Body;
use super::access::UNAUTHENTICATED;

/// Nothing but the page itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = "html{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}h1{font-size:1.25rem}";

/// What a page says.
struct Page<'a> {
    status: StatusCode,
    title: &'a str,
    text: &'a str,
    /// A link to more, with its words.
    link: Option<(&'a str, &'a str)>,
    /// Seconds after which to look again.
    again: Option<u32>,
}

/// Whether the sender is somebody who looks at pages.
pub fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn body(text: String) -> Body {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed()
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

fn page(html: bool, page: &Page<'_>) -> Response<Body> {
    let (title, text) = (page.title, page.text);
    let (kind, words) = if html {
        let refresh = page.again.map_or_else(String::new, |seconds| {
            format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")
        });
        let link = page.link.map_or_else(String::new, |(words, url)| {
            format!("<p><a href=\"{}\">{}</a></p>", escape(url), escape(words))
        });
        let (title, text) = (escape(title), escape(text));
        let words = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">{refresh}<title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1><p role=\"status\">{text}</p>{link}\
             </body></html>"
        );
        ("text/html; charset=utf-8", words)
    } else {
        let link = page
            .link
            .map_or_else(String::new, |(_, url)| format!("\n{url}"));
        (
            "text/plain; charset=utf-8",
            format!("{title}\n{text}{link}\n"),
        )
    };
    let mut response = Response::new(body(words));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Some(seconds) = page.again {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn said(html: bool, status: StatusCode, title: &str, text: &str) -> Response<Body> {
    page(
        html,
        &Page {
            status,
            title,
            text,
            link: None,
            again: None,
        },
    )
}

/// A host that no preview can have.
pub fn no_host(html: bool) -> Response<Body> {
    said(
        html,
        StatusCode::NOT_FOUND,
        "There is no preview here",
        "A preview's address begins with its name: take it from the pull request, or from `hermez pr show`.",
    )
}

/// A name that no preview has.
pub fn no_preview(html: bool, instance: &str) -> Response<Body> {
    let text = format!(
        "Nothing is called {instance}: its pull request was closed, or its preview was removed. \
         `hermez deploy --pr NUMBER` makes a new one."
    );
    said(
        html,
        StatusCode::NOT_FOUND,
        "There is no such preview",
        &text,
    )
}

/// A ticket or link that opens nothing.
pub fn link_is_over(html: bool) -> Response<Body> {
    said(
        html,
        StatusCode::FORBIDDEN,
        "This link no longer works",
        "It was used, is too old, or the preview is no longer shared. Open the preview's own address instead, or ask for a new link.",
    )
}

/// A method that the gateway's own paths do not take.
pub fn not_allowed(html: bool) -> Response<Body> {
    said(
        html,
        StatusCode::METHOD_NOT_ALLOWED,
        "Open this link as a page",
        "It takes GET only.",
    )
}

/// An answer to somebody who does not look at pages and shows nothing.
pub fn unauthenticated() -> Response<Body> {
    let mut response = said(
        false,
        UNAUTHENTICATED,
        "Sign in first",
        "Programs send `Authorization: Bearer` and an API token of Hermez; in a browser, open the preview's address as a page.",
    );
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"hermez\""),
    );
    response
}

/// The database does not answer.
pub fn unavailable(html: bool) -> Response<Body> {
    page(
        html,
        &Page {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "Hermez' database does not answer",
            text: "Nothing is lost; this looks again by itself.",
            link: None,
            again: Some(5),
        },
    )
}

/// It wakes, or is being made: look again.
pub fn waiting(html: bool, text: &str, deploy: Option<&str>) -> Response<Body> {
    page(
        html,
        &Page {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "The preview is starting",
            text,
            link: deploy.map(|url| ("Its deploy", url)),
            again: Some(1),
        },
    )
}

/// There is nothing to wait for.
pub fn not_running(html: bool, text: &str, deploy: Option<&str>) -> Response<Body> {
    page(
        html,
        &Page {
            status: StatusCode::BAD_GATEWAY,
            title: "The preview does not run",
            text,
            link: deploy.map(|url| ("Why, and what to do", url)),
            again: None,
        },
    )
}

/// Its pod did not answer as it should.
pub fn bad_gateway(html: bool, text: &str) -> Response<Body> {
    said(
        html,
        StatusCode::BAD_GATEWAY,
        "The preview does not answer",
        text,
    )
}

/// Its pod did not answer in time.
pub fn too_slow(html: bool, text: &str) -> Response<Body> {
    said(
        html,
        StatusCode::GATEWAY_TIMEOUT,
        "The preview is too slow",
        text,
    )
}

/// Nothing, for those who only look at links.
pub fn nothing() -> Response<Body> {
    let mut response = Response::new(body(String::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Leads a browser elsewhere, with a cookie where there is one.
pub fn redirect(to: &str, cookie: Option<&str>) -> Response<Body> {
    let mut response = Response::new(body(String::new()));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    if let Ok(to) = HeaderValue::from_str(to) {
        headers.insert(header::LOCATION, to);
    }
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response<Body>) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_page_runs_nothing_of_what_it_shows() {
        let shown = not_running(true, "<script>x</script>", Some("http://h/\"><b>"));
        assert_eq!(shown.status(), 502);
        let shown = text(shown).await;
        assert!(
            !shown.contains("<script>") && !shown.contains("<b>"),
            "{shown}"
        );
        let plain = text(not_running(false, "a < b", Some("http://h/1"))).await;
        assert_eq!(plain, "The preview does not run\na < b\nhttp://h/1\n");
    }

    #[tokio::test]
    async fn a_waiting_page_looks_again_by_itself() {
        let waits = waiting(true, "It wakes.", None);
        assert_eq!(
            (waits.status().as_u16(), &waits.headers()["retry-after"]),
            (503, &HeaderValue::from_static("1"))
        );
        assert!(text(waits).await.contains("http-equiv=\"refresh\""));
    }
}
