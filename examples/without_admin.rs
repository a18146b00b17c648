//! Draining without the admin server: for a worker that listens on nothing. The report goes to a file and is
//! the exit code.
//!
//!     cargo run --example without_admin

use std::time::Duration;

use headcount::{Headcount, Report};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::builder().admin(None).report_file("target/shutdown-report.json").install()?;
    let mut job = 0;
    while !headcount::shutdown_requested() {
        job += 1;
        headcount::task("job").field("job", job).spawn(sleep(Duration::from_secs(2)));
        sleep(Duration::from_millis(500)).await;
        if job == 10 {
            headcount::shutdown("the queue is empty");
        }
    }
    let report = hc.drain().await;
    println!("{report}");
    Ok(report)
}
