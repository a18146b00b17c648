//! A service that `tokio-console` can look into.
//!
//!     # on stock stable
//!     cargo run --example console --features console
//!     # with console-subscriber
//!     RUSTFLAGS="--cfg tokio_unstable" cargo run --example console --features console
//!     # in another terminal
//!     tokio-console
//!
//! `HEADCOUNT_CONSOLE` gives another address. Ctrl-C drains.

use std::time::Duration;

use headcount::{Headcount, Report, console};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    // The filter is the log's alone: the console's layer has its own.
    let log = tracing_subscriber::fmt::layer().with_filter(EnvFilter::new("info"));
    tracing_subscriber::registry().with(console::layer()).with(log).init();
    let hc = Headcount::builder().console(console::DEFAULT_ADDRESS).install()?;

    headcount::task("ticker").label("every", "100ms").field("order_id", 42).spawn(tick());
    headcount::task("archive").spawn_blocking(|| std::thread::sleep(Duration::from_secs(5)));
    headcount::task("supervisor").spawn(supervise());
    hc.draining().await;
    Ok(hc.drain().await)
}

async fn tick() {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while !headcount::shutdown_requested() {
        ticks.tick().await;
    }
}

/// Begins a task every second that ends in a panic.
async fn supervise() {
    while !headcount::shutdown_requested() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        headcount::task("flaky").spawn(async { panic!("no such order") });
    }
}
