//! A service under systemd, as `Type=notify`: it reports when it is ready, gets more time for a drain that
//! moves, and is restarted when its runtime is blocked. `kit/systemd` has units for it.
//!
//! What it does: `moves SECONDS` or `sleeps SECONDS` leave a task that takes so long to stop, with and
//! without progress; `blocks-after SECONDS` blocks every worker; `ready-after SECONDS` is not ready before.
//! Without systemd it does the same, and notifies nothing.

use std::time::Duration;

use headcount::{Headcount, Report};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "moves".to_owned());
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    match what.as_str() {
        "moves" => drop(headcount::task("import").spawn(import(seconds))),
        "sleeps" => drop(headcount::task("import").spawn(rest(seconds))),
        "blocks-after" => block_all(seconds).await,
        "ready-after" => sleep(SECOND * seconds).await,
        unknown => eprintln!("{unknown}: expected moves, sleeps, blocks-after or ready-after"),
    }
    // With HEADCOUNT_READY=no systemd waits for this.
    hc.set_ready();
    hc.draining().await;
    Ok(hc.drain().await)
}

/// Brings its work to the end, and reports how far it is: for that, systemd gives it more time.
async fn import(steps: u32) {
    headcount::draining().await;
    for step in 1..=steps {
        sleep(SECOND).await;
        if let Some(task) = headcount::current() {
            task.set_progress(step.into(), steps.into());
        }
    }
}

async fn rest(seconds: u32) {
    headcount::draining().await;
    sleep(SECOND * seconds).await;
}

/// What the watchdog is for: no worker yields any more.
async fn block_all(seconds: u32) {
    sleep(SECOND * seconds).await;
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        headcount::task("endless").spawn(async { std::thread::sleep(SECOND * 3600) });
    }
}
