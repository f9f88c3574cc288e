//! Same-origin check for browsers: a cookie travels with any request of the browser, so a request
//! that changes something by cookie must come from this server's own pages.

use http::{HeaderMap, Method, header};
use url::Url;

/// Whether a request may change something by cookie.
///
/// Browsers send `Sec-Fetch-Site` (only `same-origin` is ours) or at least `Origin`, which must be
/// the host that the request went to, or the server's public URL. A request that says neither is
/// refused: it is either no browser, and should use a token, or a very old one.
pub fn allows(method: &Method, headers: &HeaderMap, public_url: &Url) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text("origin").and_then(|origin| Url::parse(origin).ok()) else {
        return false;
    };
    origin.origin() == public_url.origin()
        || text(header::HOST.as_str())
            .is_some_and(|host| authority(&origin) == Some(host.to_owned()))
}

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn check(method: &Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        allows(
            method,
            &headers,
            &Url::parse("https://hermez.example").unwrap(),
        )
    }

    #[test]
    fn reading_is_always_allowed() {
        assert!(check(&Method::GET, &[("sec-fetch-site", "cross-site")]));
        assert!(check(&Method::HEAD, &[]));
    }

    #[test]
    fn changing_needs_the_same_origin() {
        let post = &Method::POST;
        assert!(check(post, &[("sec-fetch-site", "same-origin")]));
        assert!(!check(
            post,
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://hermez.example")
            ]
        ));
        assert!(!check(post, &[("sec-fetch-site", "none")]));
        assert!(check(post, &[("origin", "https://hermez.example")]));
        assert!(check(
            post,
            &[
                ("origin", "http://127.0.0.1:7070"),
                ("host", "127.0.0.1:7070")
            ]
        ));
        assert!(!check(
            post,
            &[
                ("origin", "http://127.0.0.1:3000"),
                ("host", "127.0.0.1:7070")
            ]
        ));
        assert!(!check(
            post,
            &[("origin", "null"), ("host", "127.0.0.1:7070")]
        ));
        assert!(!check(post, &[]));
    }
}
