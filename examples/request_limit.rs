//! A process that stops gracefully after a number of requests, so that a supervisor starts a fresh one:
//! against slow leaks.
//!
//!     cargo run --example request_limit
//!     for i in $(seq 12); do curl -s http://127.0.0.1:8000/; done

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use headcount::{Headcount, Report, RequestLimitLayer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    // Readiness goes off first, and for 2 seconds requests are still served.
    let hc = Headcount::builder().announce_delay(Duration::from_secs(2)).install()?;
    // Processes that were started together do not stop together: 10, 11 or 12 requests.
    let limit = RequestLimitLayer::new(10).jitter(2);
    let app = Router::new().route("/", get(hello)).layer(limit);
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("http://127.0.0.1:8000/");
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;
    Ok(hc.drain().await)
}

async fn hello() -> &'static str {
    headcount::task("send-email").spawn(tokio::time::sleep(Duration::from_secs(3)));
    "hello\n"
}
