//! One instance of many, with little to do: `scripts/fleet` starts a hundred of them.
//!
//!     cargo run --example fleet -- 20 slow audit
//!
//! Arguments: how many groups of short tasks there are (one call has at most about half of `max_groups`);
//! `slow` for tasks that take 12 seconds as well; `audit` for one more group.

use std::time::Duration;

use headcount::{Headcount, Report};
use tokio::time::{interval, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<Report, headcount::Error> {
    let hc = Headcount::install()?;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "slow" => drop(headcount::task("exporter").spawn(export())),
            "audit" => drop(headcount::task("auditor").spawn(audit())),
            count => {
                let groups = (0..count.parse().unwrap_or(1)).map(|number| format!("job-{number}")).collect();
                headcount::task("dispatcher").spawn(dispatch(groups));
            }
        }
    }
    if let Some(admin) = hc.admin_addr() {
        println!("{admin}");
    }
    hc.draining().await;
    Ok(hc.drain().await)
}

/// A short task of each group in turn, five a second.
async fn dispatch(groups: Vec<String>) {
    let mut ticks = interval(Duration::from_millis(200));
    for group in groups.iter().cycle() {
        headcount::task(group.clone()).spawn(sleep(Duration::from_millis(50)));
        tokio::select! {
            _ = ticks.tick() => {}
            () = headcount::draining() => return,
        }
    }
}

/// Four tasks of 12 seconds are under way at any time.
async fn export() {
    let mut ticks = interval(Duration::from_secs(3));
    loop {
        tokio::select! {
            _ = ticks.tick() => drop(headcount::task("export").spawn(sleep(Duration::from_secs(12)))),
            () = headcount::draining() => return,
        }
    }
}

async fn audit() {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = ticks.tick() => drop(headcount::task("audit").spawn(async {})),
            () = headcount::draining() => return,
        }
    }
}
