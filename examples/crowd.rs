//! A crowd of sleeping tasks, some with hostile names, one that blocks its worker: what the dashboard is tried with.
//!
//!     HEADCOUNT_ADMIN=127.0.0.1:7717 cargo run --example crowd -- 100000

use std::time::Duration;

use headcount::Headcount;

/// The longest that a task of the crowd sleeps.
const LONGEST: Duration = Duration::from_secs(3600);

const HOSTILE: [&str; 6] = [
    "<script>window.taken = true</script>",
    "<img src=x onerror=\"window.taken = true\">",
    "reversed \u{202e}gnp.exe",
    "two\nlines\tand a bell \u{7}",
    "'; DROP TABLE tasks; -- \\ \" {{7*7}} ${7*7}",
    "a name that goes on and on and on and on and on and on and on and on and on and on and on and on and on and on and on",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let size: u64 = std::env::args().nth(1).map_or(Ok(1_000), |size| size.parse())?;
    let hc = Headcount::builder().service("crowd").install()?;
    for number in 0..size {
        spawn(number);
    }
    for name in HOSTILE {
        headcount::task(name).label("key <b>", name).field(name, name).spawn(say(name));
    }
    headcount::task("blocked").spawn(async { std::thread::sleep(LONGEST) });
    if let Some(admin) = hc.admin_addr() {
        println!("Dashboard at http://{admin}/");
    }
    std::future::pending().await
}

/// One of eight groups; each task can be found by its number.
fn spawn(number: u64) {
    let shard = ["a", "b", "c", "d", "e", "f", "g", "h"][usize::try_from(number % 8).unwrap_or(0)];
    let task = headcount::task("sleeper").label("shard", shard).field("number", 1_000_000 + number);
    task.spawn(tokio::time::sleep(LONGEST));
}

async fn say(status: &'static str) {
    if let Some(task) = headcount::current() {
        task.set_status(status);
        task.set_progress(3, 10);
    }
    tokio::time::sleep(LONGEST).await;
}
