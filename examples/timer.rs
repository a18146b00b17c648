//! Work to be done again and again: never twice at once, and not ended by a failure.
//!
//!     cargo run --example timer
//!     curl http://127.0.0.1:7717/api/v1/services
//!     curl http://127.0.0.1:7717/metrics | grep timer

use std::time::Duration;

use headcount::{Headcount, Report, every};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;

    // Now, and then each 2 s. The jitter keeps many processes from ticking at once.
    let mut runs = 0;
    let refresh = every(Duration::from_secs(2), "refresh-cache")
        .jitter(0.1)
        .timeout(Duration::from_secs(1))
        .run(move || {
            runs += 1;
            refresh(runs)
        })?;
    // One that takes longer than its period skips ticks, and says so once.
    every(Duration::from_secs(1), "slow").run(|| sleep(Duration::from_millis(1_500)))?;

    tokio::select! {
        () = hc.draining() => {}
        () = sleep(Duration::from_secs(9)) => {
            let info = refresh.info();
            println!("{}: {} runs, {} failed, next in {:?}", info.name, info.runs, info.failures, info.next_in);
            // A run between two ticks, which stay where they are.
            refresh.run_now()?;
        }
    }
    // Both stop when the process drains. A run that is alive then is waited for.
    Ok(hc.drain().await)
}

/// A run that fails, by an `Err` or a panic, is logged once and counted. The next tick comes as always.
async fn refresh(run: u32) -> Result<(), String> {
    sleep(Duration::from_millis(100)).await;
    if run % 3 == 0 { Err(format!("run {run}: the database did not answer")) } else { Ok(()) }
}
