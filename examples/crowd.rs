//! A crowd of sleeping tasks, some with hostile names, one that blocks its worker: what the dashboard is
//! tried with.
//!
//!     cargo run --example crowd -- 100000        # tasks, in eight groups
//!     cargo run --example crowd -- 100000 300    # in so many groups

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
    let mut numbers = std::env::args().skip(1).map(|number| number.parse());
    let size: u64 = numbers.next().unwrap_or(Ok(1_000))?;
    let groups: u64 = numbers.next().unwrap_or(Ok(8))?;
    let hc = Headcount::builder().service("crowd").install()?;
    for number in 0..size {
        spawn(number, number % groups.max(1));
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

/// Each task can be found by its number.
fn spawn(number: u64, shard: u64) {
    let task =
        headcount::task("sleeper").label("shard", shard.to_string()).field("number", 1_000_000 + number);
    task.spawn(tokio::time::sleep(LONGEST));
}

async fn say(status: &'static str) {
    if let Some(task) = headcount::current() {
        task.set_status(status);
        task.set_progress(3, 10);
    }
    tokio::time::sleep(LONGEST).await;
}
