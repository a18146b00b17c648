//! The description of the API: a committed file, which a test writes from the handlers and proves fresh.

use axum::http::header;
use axum::response::IntoResponse;

#[cfg(test)]
mod document;
#[cfg(test)]
pub(super) mod schema;

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../../docs/openapi.json"))
}
