//! `/livez` and `/readyz`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::context::{Context, Mount};
use super::problem::Problem;
use crate::shutdown;

/// Whether the application's runtimes still make progress.
#[cfg_attr(test, utoipa::path(get, path = "/livez", tag = "health", responses(
    (status = 200, description = "They do, or none is watched", body = String),
    (status = 503, description = "One of them began no new task for `unresponsive_after`", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn livez(State(context): State<Context>) -> Response {
    let silent = context.settings().unresponsive_after.and_then(|limit| context.admin.probe.silent(limit));
    let Some(silent) = silent else { return "alive\n".into_response() };
    let detail = match context.mount {
        Mount::Health => silent.without_names(),
        Mount::Own | Mount::Application => context.admin.probe.describe(&silent),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}

/// Whether requests should be sent here.
#[cfg_attr(test, utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "They should", body = String),
    (status = 503, description = "Not ready yet, or stopping", body = Problem,
     content_type = "application/problem+json"),
)))]
pub(super) async fn readyz(State(context): State<Context>) -> Response {
    let detail = match (shutdown::is_stopping(), context.admin.process.is_ready()) {
        (true, _) => "stopping",
        (false, false) => "not ready yet",
        (false, true) => return "ready\n".into_response(),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}
