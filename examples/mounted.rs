//! The dashboard inside the application's own server, under a prefix, behind the application's own login.
//!
//!     cargo run --example mounted
//!     curl -H 'X-Login: admin' http://127.0.0.1:8000/ops/tasks/metrics

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use headcount::{Headcount, Report};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    // No port of its own. Without `trust_outer_auth`, or a token, the router would answer 403.
    let hc = Headcount::builder().admin(None).trust_outer_auth(true).install()?;
    let dashboard = hc.router().layer(middleware::from_fn(login));
    let app = Router::new().route("/", get(|| async { "a shop" })).nest_service("/ops/tasks", dashboard);
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("Dashboard at http://{}/ops/tasks/", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;
    Ok(hc.drain().await)
}

/// Stands for whatever the application does to know its people.
async fn login(request: Request, next: Next) -> Result<Response, StatusCode> {
    let known = request.headers().get("x-login").is_some_and(|login| login == "admin");
    if known { Ok(next.run(request).await) } else { Err(StatusCode::UNAUTHORIZED) }
}
