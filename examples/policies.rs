//! What happens to each task when the process stops.
//!
//!     cargo run --example policies        then Ctrl-C
//!
//! The operator can change that by name: `HEADCOUNT_POLICY='invoice=Detach'`.

use std::time::Duration;

use headcount::{Headcount, OnShutdown, Report};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;

    // Waited for, until the deadline.
    headcount::task("invoice").spawn(sleep(Duration::from_secs(4)));
    // Waited for, but not longer than a second.
    headcount::task("thumbnail").grace(Duration::from_secs(1)).spawn(sleep(Duration::from_secs(90)));
    // Aborted at once: nothing is lost with it.
    headcount::task("poll-feed").on_shutdown(OnShutdown::Cancel).spawn(std::future::pending::<()>());
    // Reported, and not waited for.
    headcount::task("warm-cache").on_shutdown(OnShutdown::Detach).spawn(sleep(Duration::from_secs(90)));
    // Asked to stop when all the others have ended, since they may still need it.
    headcount::task("audit-log").on_shutdown(OnShutdown::Last).spawn(async {
        headcount::draining().await;
        println!("the last entry is written");
    });

    println!("Stop it with Ctrl-C");
    hc.draining().await;
    Ok(hc.drain().await)
}
