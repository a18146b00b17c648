//! The routes, for the own server and for applications that mount them under a prefix.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Router, middleware};

use super::context::{Admin, Context, Mount};
use super::problem::Problem;
use super::{api, assets, events, guard, health, openapi, outlook, scrape, services, stacks, stop, summary};

/// Bodies are a number at most.
const BODY_LIMIT: usize = 16 * 1024;

/// All routes behind their guard.
pub(crate) fn router(admin: Arc<Admin>, mount: Mount) -> Router {
    let context = Context { admin, mount };
    documented()
        .route("/", get(assets::index))
        .route("/index.html", get(assets::index))
        .route("/assets/{file}", get(assets::asset))
        .route("/LICENSES.txt", get(assets::asset))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(context.clone(), guard::guard))
        .with_state(context)
}

/// Health alone, for the orchestrator's probes: no token, no names.
pub(super) fn health_router(admin: Arc<Admin>) -> Router {
    let context = Context { admin, mount: Mount::Health };
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(context.clone(), guard::guard))
        .with_state(context)
}

macro_rules! documented {
    ($($method:ident $path:literal $($handler:ident)::+;)*) => {
        fn documented() -> Router<Context> {
            Router::new()$(.route($path, $method($($handler)::+)))*
        }

        /// Their descriptions.
        #[cfg(test)]
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($handler)::+),*))]
        pub(super) struct Documented;

        /// Their methods and paths.
        #[cfg(test)]
        pub(super) const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];
    };
}

// The routes that the description of the API has.
documented! {
    get "/api/v1/summary" summary::get;
    get "/api/v1/trends" summary::trends;
    get "/api/v1/tasks" api::tasks;
    get "/api/v1/tasks/{id}" api::task;
    get "/api/v1/tasks/{id}/stack" stacks::last;
    get "/api/v1/stacks" stacks::last_all;
    get "/api/v1/finished" api::finished;
    get "/api/v1/failures" outlook::failures;
    get "/api/v1/attention" outlook::attention;
    get "/api/v1/forecast" outlook::forecast;
    get "/api/v1/stops" outlook::stops;
    get "/api/v1/services" services::services;
    get "/api/v1/events" events::events;
    post "/api/v1/tasks/{id}/cancel" api::cancel;
    post "/api/v1/services/{id}/run" services::run;
    post "/api/v1/tasks/{id}/stack" stacks::ask;
    post "/api/v1/stacks" stacks::ask_all;
    post "/api/v1/shutdown" stop::begin;
    post "/api/v1/shutdown/extend" stop::extend;
    post "/api/v1/shutdown/force" stop::force;
    get "/metrics" scrape::metrics;
    get "/livez" health::livez;
    get "/readyz" health::readyz;
}

async fn fallback(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for this route"))
}
