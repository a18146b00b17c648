//! Work that the deadline cuts is written to a file, and picked up at the next start.
//!
//!     cargo run --example unfinished_work 1 2 3     then Ctrl-C, twice
//!     cargo run --example unfinished_work           goes on with what is left

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::Duration;

use headcount::snapshot::TaskInfo;
use headcount::{Headcount, Report};
use tokio::time::sleep;

const UNFINISHED: &str = "target/unfinished-orders";

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::builder().drain_timeout(Duration::from_secs(3)).on_abandon(write_down).install()?;

    let left = fs::read_to_string(UNFINISHED).unwrap_or_default();
    let _ = fs::remove_file(UNFINISHED);
    for order in left.lines().map(str::to_owned).chain(std::env::args().skip(1)) {
        println!("order {order} begins");
        headcount::task("order").field("order", &order).spawn(fulfil(order));
    }

    println!("Stop it with Ctrl-C");
    hc.draining().await;
    Ok(hc.drain().await)
}

async fn fulfil(order: String) {
    sleep(Duration::from_secs(20)).await;
    println!("order {order} is done");
}

/// Called for each task before it is aborted, on a thread of its own: it may take its time, all in all
/// `hook_timeout`.
fn write_down(task: &TaskInfo) {
    let Some((_, order)) = task.fields.iter().find(|(key, _)| key == "order") else { return };
    let file = OpenOptions::new().create(true).append(true).open(UNFINISHED);
    if let Err(problem) = file.and_then(|mut file| writeln!(file, "{order}")) {
        eprintln!("order {order} is lost: {problem}");
    }
}
