//! What a browser gets at `/`.

use axum::extract::OriginalUri;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

const ROUTES: &str = "<!doctype html><meta charset=utf-8><title>headcount</title><h1>headcount</h1><ul>\
    <li><a href=metrics>metrics</a><li><a href=livez>livez</a><li><a href=readyz>readyz</a>\
    <li><a href=api/v1/summary>api/v1/summary</a><li><a href=api/v1/tasks>api/v1/tasks</a>\
    <li><a href=api/v1/finished>api/v1/finished</a><li><a href=api/v1/trends>api/v1/trends</a>\
    <li><a href=api/v1/openapi.json>api/v1/openapi.json</a></ul>";

/// The routes, as links that work under any prefix.
pub(super) async fn index(OriginalUri(uri): OriginalUri) -> Response {
    match missing_slash(uri.path(), uri.query()) {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
        None => Html(ROUTES).into_response(),
    }
}

/// Mounted at `/admin`, relative links need `/admin/`.
fn missing_slash(path: &str, query: Option<&str>) -> Option<String> {
    let last = path.rsplit('/').next().filter(|last| !last.is_empty())?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{last}/{query}"))
}
