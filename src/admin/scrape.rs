//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::context::Context;
use super::problem::Problem;

/// Everything that is measured, as Prometheus reads it.
#[cfg_attr(test, utoipa::path(get, path = "/metrics", tag = "read", responses(
    (status = 200, description = "Prometheus' text format", body = String),
)))]
pub(super) async fn metrics(State(context): State<Context>) -> Result<Response, Problem> {
    let metrics = Arc::clone(&context.admin.metrics);
    let text = context.admin.readers.short(move || metrics.scrape()).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
