//! 20,000 tasks from spawn to end, in bursts of 64 on a worker.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::child::Attached;

#[cfg(not(tokio_unstable))]
pub(crate) const SUBJECTS: &[&str] = &["tokio::spawn", "headcount::spawn", "headcount's console"];
#[cfg(tokio_unstable)]
pub(crate) const SUBJECTS: &[&str] = &["tokio::spawn", "headcount::spawn", "console-subscriber"];

const TASKS: usize = 20_000;
const BURST: usize = 64;

/// Measures a subject, and prints nanoseconds for each task and megabytes more than before.
pub(crate) fn measure(subject: &str) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match subject {
        "headcount's console" => {
            let (_hc, address) = crate::gaps::install(&runtime);
            let _client = Attached::to(&address);
            print(&runtime, headcount::spawn);
        }
        #[cfg(tokio_unstable)]
        "console-subscriber" => {
            let address = subscriber();
            let _client = Attached::to(&address);
            print(&runtime, tokio::spawn);
        }
        "headcount::spawn" => print(&runtime, headcount::spawn),
        _ => print(&runtime, tokio::spawn),
    }
}

type Yield = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn print(runtime: &Runtime, spawn: fn(Yield) -> JoinHandle<()>) {
    runtime.block_on(runtime.spawn(bursts(spawn, TASKS / 10))).expect("it ends");
    let before = resident();
    let start = Instant::now();
    runtime.block_on(runtime.spawn(bursts(spawn, TASKS))).expect("it ends");
    let nanos = start.elapsed().as_nanos() as f64 / TASKS as f64;
    // Long enough for the console to tell the client of all of them.
    std::thread::sleep(Duration::from_millis(2_500));
    println!("{nanos} {}", resident() - before);
}

async fn bursts(spawn: fn(Yield) -> JoinHandle<()>, tasks: usize) {
    let mut handles = Vec::with_capacity(BURST);
    for _ in 0..tasks / BURST {
        handles.extend((0..BURST).map(|_| spawn(Box::pin(tokio::task::yield_now()))));
        for handle in handles.drain(..) {
            handle.await.expect("it ends");
        }
    }
}

/// Megabytes of memory that the process has.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is listed");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1e3
}

/// console-subscriber at its defaults but for the port.
#[cfg(tokio_unstable)]
fn subscriber() -> String {
    use tracing_subscriber::prelude::*;
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let layer = console_subscriber::ConsoleLayer::builder().server_addr(free).spawn();
    tracing_subscriber::registry().with(layer).init();
    while std::net::TcpStream::connect(free).is_err() {
        std::thread::yield_now();
    }
    format!("http://{free}")
}
