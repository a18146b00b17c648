//! axum 0.7, the major version before: headcount does not know the type of its matched route, so `name_with`
//! looks it up. The server is `axum::serve` as it stands, whose connections are untracked.
//!
//!     cargo run --bin axum-previous

use axum_previous as axum;

use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::get;
use headcount::{Headcount, Report, TrackLayer};
use headcount_frameworks::announce;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    let names = TrackLayer::new().name_with(|parts| {
        let route = parts.extensions.get::<MatchedPath>();
        route.map_or_else(|| "unmatched".to_owned(), |route| route.as_str().to_owned())
    });
    let app = Router::new().route("/orders/:id", get(|| async { "an order" })).layer(names);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(&listener)?;
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;
    Ok(hc.drain().await)
}
