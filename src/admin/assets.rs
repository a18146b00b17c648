//! The dashboard: the files that `dashboard/` builds, embedded with a compressed twin each, as the table says
//! that its build writes beside them.
//!
//! Names under `assets/` contain a hash of the file's content, so browsers may cache these files forever. The
//! page itself is requested each time, and answered by its tag alone while it is unchanged.

use axum::extract::OriginalUri;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// A file of the dashboard.
struct File {
    path: &'static str,
    plain: Content,
    /// The same, compressed by gzip.
    gzip: Option<Content>,
}

/// What a file holds, with the first half of its SHA-256 as its tag.
struct Content {
    data: &'static [u8],
    tag: &'static str,
}

static FILES: &[File] = include!("../../dashboard/dist/files.rs");

/// The page.
pub(super) async fn index(OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    match below(uri.path(), uri.query()) {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => answer("index.html", &headers),
    }
}

/// A file that the page asks for.
pub(super) async fn asset(uri: Uri, headers: HeaderMap) -> Response {
    answer(uri.path().trim_start_matches('/'), &headers)
}

/// Mounted at `/admin`, relative links need a path below it. `/admin/` would do, but a nested router has no
/// such route.
fn below(path: &str, query: Option<&str>) -> Option<String> {
    let last = path.rsplit('/').next().filter(|last| !last.is_empty() && *last != "index.html")?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{last}/index.html{query}"))
}

fn answer(path: &str, headers: &HeaderMap) -> Response {
    let found = FILES.iter().find(|file| file.path == path);
    let (Some(file), Some(kind)) = (found, content_type(path)) else {
        return Problem::not_found(format!("there is nothing at /{path}")).into_response();
    };
    let gzip = file.gzip.as_ref().filter(|_| takes_gzip(headers));
    let content = gzip.unwrap_or(&file.plain);
    let mut answer = if is_known(headers, content.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], content.data).into_response()
    };
    describe(answer.headers_mut(), path, content.tag, gzip.is_some());
    answer
}

fn describe(headers: &mut HeaderMap, path: &str, tag: &'static str, compressed: bool) {
    let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::ETAG, HeaderValue::from_static(tag));
}

fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit('.').next()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    listed(headers, header::IF_NONE_MATCH).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    listed(headers, header::ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The values of a header that is a list.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
