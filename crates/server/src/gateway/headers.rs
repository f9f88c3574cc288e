//! What becomes of headers between a browser and a preview. Pure.

use std::net::IpAddr;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Request};
use url::Url;

/// Name of the gateway's cookie where it comes over TLS: such a one is set by its host alone.
const SECURE_COOKIE: &str = "__Host-hermez_preview";
/// Name of the gateway's cookie without TLS.
const COOKIE: &str = "hermez_preview";

/// Headers that are about one connection, and go no further.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Name of the gateway's cookie below this URL.
pub fn cookie_name(base: &Url) -> &'static str {
    if base.scheme() == "https" {
        SECURE_COOKIE
    } else {
        COOKIE
    }
}

/// The cookie that opens a preview.
pub fn cookie(base: &Url, secret: &str, max_age_s: u64) -> String {
    let secure = if base.scheme() == "https" {
        "; Secure"
    } else {
        ""
    };
    let name = cookie_name(base);
    format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}")
}

/// The instance that a request is for: the first label of its host, where the rest is the base's.
pub fn instance<B>(request: &Request<B>, base: &Url) -> Option<String> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))?;
    let name = host.split(':').next().unwrap_or_default();
    let (instance, rest) = name.split_once('.')?;
    let is_base = base
        .host_str()
        .is_some_and(|base| rest.eq_ignore_ascii_case(base));
    let instance = instance.to_ascii_lowercase();
    let is_label = (1..=63).contains(&instance.len())
        && instance
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (is_base && is_label).then_some(instance)
}

/// The value of a cookie.
pub fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    pairs(headers)
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// Whether a request asks to speak WebSocket.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    let upgrade = upgrade.and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
        && has_token(headers, &header::CONNECTION, "upgrade")
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Takes out what is about one connection, and what `Connection` names; WebSocket's part stays.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, websocket: bool) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    if websocket {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// Makes a request's headers those that a preview sees: nothing that proves to the gateway who its
/// sender is, and who asks, how and where.
pub fn to_preview(headers: &mut HeaderMap, base: &Url, peer: IpAddr, websocket: bool) {
    strip_hop_by_hop(headers, websocket);
    let ours = cookie_name(base);
    let kept: Vec<String> = pairs(headers)
        .filter(|(name, _)| *name != ours)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    headers.remove(header::COOKIE);
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join("; "))
    {
        headers.insert(header::COOKIE, value);
    }
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '));
    if token.is_some_and(|(_, token)| hermez_access::is_api_token(token)) {
        headers.remove(header::AUTHORIZATION);
    }
    let before = headers
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok());
    let chain = match before {
        Some(before) => format!("{before}, {peer}"),
        None => peer.to_string(),
    };
    // A TLS terminator before the gateway says how it was asked.
    let scheme = headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok())
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .unwrap_or(base.scheme())
        .to_owned();
    let host = headers.get(header::HOST).cloned();
    let mut set = |name: &'static str, value: Option<HeaderValue>| {
        headers.remove(name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    set("x-forwarded-for", HeaderValue::from_str(&chain).ok());
    set("x-forwarded-proto", HeaderValue::from_str(&scheme).ok());
    set("x-forwarded-host", host);
    headers.remove("forwarded");
}

/// Makes an answer's headers those that a browser sees: a preview sets no cookie of the gateway's.
pub fn from_preview(headers: &mut HeaderMap, websocket: bool) {
    strip_hop_by_hop(headers, websocket);
    let is_ours = |value: &HeaderValue| {
        let name = value.as_bytes().split(|b| *b == b'=').next();
        let name = name.unwrap_or_default().trim_ascii();
        name == COOKIE.as_bytes() || name == SECURE_COOKIE.as_bytes()
    };
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter(|value| !is_ours(value))
        .cloned()
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn mk(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    const HTTP: &str = "http://preview.localhost:7071/";

    #[test]
    fn the_first_label_of_the_host_names_the_instance() {
        let of = |host: &str| {
            let request = Request::builder().header("host", host).body(()).unwrap();
            instance(&request, &base(HTTP))
        };
        assert_eq!(
            of("hello-pr-12.preview.localhost:7071").as_deref(),
            Some("hello-pr-12")
        );
        assert_eq!(
            of("HELLO-pr-12.Preview.localhost").as_deref(),
            Some("hello-pr-12")
        );
        for bad in [
            "preview.localhost",
            "a.b.preview.localhost",
            "a.preview.localhost.evil.org",
            "a_b.preview.localhost",
            "",
            "localhost",
            ".preview.localhost",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_preview_sees_no_proof_of_the_gateway() {
        let mut headers = mk(&[
            ("host", "a.preview.localhost"),
            ("cookie", "x=1; hermez_preview=s3cret; y=2"),
            ("cookie", "hermez_preview=other"),
            ("authorization", "Bearer hermez_0123"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "1"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=evil"),
        ]);
        to_preview(
            &mut headers,
            &base(HTTP),
            "127.0.0.1".parse().unwrap(),
            false,
        );
        let shown = format!("{headers:?}");
        for secret in [
            "s3cret",
            "other",
            "0123",
            "evil",
            "x-private",
            "chunked",
            "Basic",
        ] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        assert_eq!(headers["cookie"], "x=1; y=2");
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "a.preview.localhost");
    }

    #[test]
    fn an_authorization_of_the_preview_s_own_is_its_own() {
        let mut headers = mk(&[("authorization", "Bearer eyJhbGciOi")]);
        to_preview(
            &mut headers,
            &base(HTTP),
            "127.0.0.1".parse().unwrap(),
            false,
        );
        assert_eq!(headers["authorization"], "Bearer eyJhbGciOi");
    }

    #[test]
    fn websocket_goes_on_and_other_upgrades_do_not() {
        let asked = mk(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
        ]);
        assert!(is_websocket(&asked));
        let h2c = mk(&[
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
        ]);
        assert!(!is_websocket(&h2c));
        let mut headers = asked;
        strip_hop_by_hop(&mut headers, true);
        assert_eq!(
            (&headers["connection"], &headers["upgrade"]),
            (
                &HeaderValue::from_static("Upgrade"),
                &HeaderValue::from_static("websocket")
            )
        );
        let mut headers = h2c;
        strip_hop_by_hop(&mut headers, false);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn a_preview_sets_no_cookie_of_the_gateway() {
        let mut headers = mk(&[
            ("set-cookie", "hermez_preview=mine; Path=/"),
            ("set-cookie", " __Host-hermez_preview =mine"),
            ("set-cookie", "session=1"),
        ]);
        from_preview(&mut headers, false);
        let left: Vec<_> = headers.get_all("set-cookie").iter().collect();
        assert_eq!(left, ["session=1"]);
    }

    #[test]
    fn the_cookie_is_of_one_host_and_out_of_reach_of_scripts() {
        let plain = cookie(&base(HTTP), "x", 60);
        assert!(plain.starts_with("hermez_preview=x;") && !plain.contains("Domain"));
        let secure = cookie(&base("https://preview.example.com/"), "x", 60);
        for word in [
            "__Host-hermez_preview=x",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
            "Path=/",
        ] {
            assert!(secure.contains(word), "{secure}");
        }
    }
}
