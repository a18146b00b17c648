//! The shutdown over HTTP: how it goes, and what steers it.

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::extract::Json;
use super::problem::Problem;
use super::wire::{RequestLimit, Shutdown};
use crate::install::Shared;

/// By how much the deadline moves.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Extension {
    /// More than 0, at most a day.
    #[schema(minimum = 0, maximum = 86400)]
    seconds: f64,
}

pub(super) fn status(_shared: &Shared) -> Option<Shutdown> {
    None
}

pub(super) fn request_limit() -> Option<RequestLimit> {
    None
}

fn not_built() -> Problem {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "this build has no shutdown")
}

/// Begins the shutdown.
#[utoipa::path(post, path = "/api/v1/shutdown", tag = "act", responses(
    (status = 202, description = "It has begun"),
))]
pub(super) async fn begin() -> Problem {
    not_built()
}

/// Moves the deadline, and the exit by as much.
#[utoipa::path(post, path = "/api/v1/shutdown/extend", tag = "act", request_body = Extension, responses(
    (status = 202, description = "It has moved"),
))]
pub(super) async fn extend(Json(Extension { seconds: _ }): Json<Extension>) -> Problem {
    not_built()
}

/// Ends the shutdown now: what is left is aborted.
#[utoipa::path(post, path = "/api/v1/shutdown/force", tag = "act", responses(
    (status = 202, description = "It is forced"),
))]
pub(super) async fn force() -> Problem {
    not_built()
}
