//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};

use super::context::Context;
use super::problem::Problem;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is measured, as Prometheus reads it.
///
/// `Accept` chooses: OpenMetrics 1.0.0 with exemplars if the client prefers that, else Prometheus' text
/// format.
#[cfg_attr(test, utoipa::path(get, path = "/metrics", tag = "read", responses(
    (status = 200, description = "What is measured", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    )),
)))]
pub(super) async fn metrics(State(context): State<Context>, headers: HeaderMap) -> Result<Response, Problem> {
    let metrics = Arc::clone(&context.admin.metrics);
    let open = prefers_open(&headers);
    let readers = &context.admin.readers;
    let text = readers.short(move || if open { metrics.scrape_open() } else { metrics.scrape() }).await?;
    let of = if open { OPEN } else { TEXT };
    Ok(([(header::CONTENT_TYPE, of), (header::VARY, "accept")], text).into_response())
}

/// Whether the client accepts OpenMetrics 1.0.0 by name, and the text format not rather.
fn prefers_open(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut open, mut text) = (0.0, 0.0);
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut is_current) = (1.0, true);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => is_current = matches!(value.trim().trim_matches('"'), "1.0.0" | "1"),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if is_current => open = f64::max(open, quality),
            "text/plain" => text = f64::max(text, quality),
            _ => {}
        }
    }
    0.0 < open && text <= open
}

#[cfg(test)]
mod tests {
    use axum::http::header::{ACCEPT, HeaderMap};

    use super::prefers_open;

    #[test]
    fn the_client_chooses_the_format() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, open) in [
            (prometheus, true),
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; q=0.9, text/plain;q=0.5", true),
            ("text/plain;version=0.0.4;q=1, application/openmetrics-text;version=1.0.0;q=0.5", false),
            ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false),
            ("application/openmetrics-text;version=2.0.0", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=many", false),
            ("text/html,*/*", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(prefers_open(&headers), open, "{accept}");
        }
        assert!(!prefers_open(&HeaderMap::new()));
    }
}
