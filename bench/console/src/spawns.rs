//! Tasks from spawn to end, in bursts of 64 on a worker: 20,000 of them, and three seconds of them.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::child::Attached;

pub(crate) const TOKIO: &str = "`tokio::spawn`";
pub(crate) const TOKIO_AGAIN: &str = "`tokio::spawn` again";
pub(crate) const SPAWN: &str = "`headcount::spawn`";
pub(crate) const CONSOLE: &str = "**headcount's console**";
pub(crate) const LOOK: &str = "headcount's console, a task looked at in detail";
pub(crate) const SUBSCRIBER: &str = "`console-subscriber`";
pub(crate) const SUBJECTS: [&str; 6] = [TOKIO, TOKIO_AGAIN, SPAWN, CONSOLE, LOOK, SUBSCRIBER];

const TASKS: usize = 20_000;
const BURST: usize = 64;
const LONG: Duration = Duration::from_secs(3);

/// Measures a subject, and prints nanoseconds for each task, the same without pause, and megabytes more than
/// before.
pub(crate) fn measure(subject: &str) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match subject {
        TOKIO | TOKIO_AGAIN => print(&runtime, tokio::spawn, LONG),
        SPAWN => print(&runtime, headcount::spawn, LONG),
        CONSOLE => {
            let (_hc, address) = crate::gaps::install(&runtime);
            let _client = Attached::to(&address);
            print(&runtime, headcount::spawn, LONG);
        }
        LOOK => {
            let (_hc, address) = crate::gaps::install(&runtime);
            let idle = headcount::spawn_on(pending::<()>(), runtime.handle());
            let _client = Attached::looking(&address);
            print(&runtime, headcount::spawn, LONG);
            idle.abort();
        }
        _ => measure_subscriber(&runtime),
    }
}

#[cfg(tokio_unstable)]
fn measure_subscriber(runtime: &Runtime) {
    let address = subscriber();
    let _client = Attached::to(&address);
    // Three seconds more would take gigabytes.
    print(runtime, tokio::spawn, Duration::ZERO);
}

#[cfg(not(tokio_unstable))]
fn measure_subscriber(_: &Runtime) {
    panic!("console-subscriber takes a build with `--cfg tokio_unstable`");
}

type Yield = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
type Spawn = fn(Yield) -> JoinHandle<()>;

fn print(runtime: &Runtime, spawn: Spawn, long: Duration) {
    runtime.block_on(runtime.spawn(bursts(spawn, TASKS / 10))).expect("it ends");
    let before = resident();
    let start = Instant::now();
    runtime.block_on(runtime.spawn(bursts(spawn, TASKS))).expect("it ends");
    let nanos = start.elapsed().as_nanos() as f64 / TASKS as f64;
    // Long enough for the console to tell the client of all of them.
    std::thread::sleep(Duration::from_millis(2_500));
    let megabytes = resident() - before;
    let without_pause = runtime.block_on(runtime.spawn(bursts_for(spawn, long))).expect("it ends");
    println!("{nanos} {without_pause} {megabytes}");
}

async fn bursts(spawn: Spawn, tasks: usize) {
    let mut handles = Vec::with_capacity(BURST);
    for _ in 0..tasks / BURST {
        burst(spawn, &mut handles).await;
    }
}

/// Nanoseconds for each task; not a number without time.
async fn bursts_for(spawn: Spawn, time: Duration) -> f64 {
    let mut handles = Vec::with_capacity(BURST);
    let mut bursts = 0;
    let start = Instant::now();
    while start.elapsed() < time {
        burst(spawn, &mut handles).await;
        bursts += 1;
    }
    if bursts == 0 { f64::NAN } else { start.elapsed().as_nanos() as f64 / f64::from(bursts) / BURST as f64 }
}

async fn burst(spawn: Spawn, handles: &mut Vec<JoinHandle<()>>) {
    handles.extend((0..BURST).map(|_| spawn(Box::pin(tokio::task::yield_now()))));
    for handle in handles.drain(..) {
        handle.await.expect("it ends");
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
