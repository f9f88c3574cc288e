//! The embedded UI: files of `web/dist`, and the one page of the single-page app for every path
//! that is not the API's. It contains no data and is served to anybody.
//!
//! Debug builds read the files from the checkout at each request; release builds carry them.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::{ApiError, catalog};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";
/// Vite writes files here whose names contain the hash of what is in them.
const HASHED: &str = "assets/";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";

const NOT_BUILT: &str = "\
Hermez runs. Its UI was not built into this program.

To build it:  cd web && npm ci && npm run build
and then compile the server again.

The API answers under /api/v1; the `hermez` command speaks it.
";

/// Serves a file of the UI, or its page for a path of the app.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::bare(catalog::METHOD_NOT_ALLOWED).into_response();
    }
    let path = uri.path().trim_start_matches('/');
    match pick(path, Dist::get) {
        Pick::File { name, file } => answer(&name, file, &headers),
        Pick::NotBuilt => (
            StatusCode::OK,
            [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::CACHE_CONTROL, REVALIDATE),
            ],
            NOT_BUILT,
        )
            .into_response(),
        Pick::Missing => ApiError::bare(catalog::NOT_FOUND).into_response(),
    }
}

enum Pick<F> {
    File { name: String, file: F },
    NotBuilt,
    Missing,
}

/// Which file answers a path: itself, or the app's page, which routes every other path. A hashed
/// asset that is gone is missing, so that an old page notices.
fn pick<F>(path: &str, get: impl Fn(&str) -> Option<F>) -> Pick<F> {
    if !path.is_empty()
        && let Some(file) = get(path)
    {
        return Pick::File {
            name: path.to_owned(),
            file,
        };
    }
    if path.starts_with(HASHED) || path == "favicon.ico" {
        return Pick::Missing;
    }
    match get(INDEX) {
        Some(file) => Pick::File {
            name: INDEX.to_owned(),
            file,
        },
        None => Pick::NotBuilt,
    }
}

fn answer(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let caching = if name.starts_with(HASHED) {
        IMMUTABLE
    } else {
        REVALIDATE
    };
    let fresh = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == etag)
        });
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = mime_guess::from_path(name).first_or_octet_stream();
        let mut response = axum::body::Body::from(file.data.into_owned()).into_response();
        if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick_from(files: &[&str], path: &str) -> String {
        match pick(path, |name| files.contains(&name).then_some(())) {
            Pick::File { name, .. } => name,
            Pick::NotBuilt => "not built".to_owned(),
            Pick::Missing => "missing".to_owned(),
        }
    }

    #[test]
    fn files_are_themselves_and_other_paths_are_the_apps() {
        let files = ["index.html", "assets/main-1a2b.js", "icon.svg"];
        assert_eq!(
            pick_from(&files, "assets/main-1a2b.js"),
            "assets/main-1a2b.js"
        );
        assert_eq!(pick_from(&files, "icon.svg"), "icon.svg");
        assert_eq!(pick_from(&files, ""), "index.html");
        assert_eq!(pick_from(&files, "workloads/hello"), "index.html");
        assert_eq!(pick_from(&files, "assets/gone.js"), "missing");
    }

    #[test]
    fn without_files_every_page_says_so() {
        assert_eq!(pick_from(&[], ""), "not built");
        assert_eq!(pick_from(&[], "workloads"), "not built");
        assert_eq!(pick_from(&[], "assets/x.js"), "missing");
    }
}
