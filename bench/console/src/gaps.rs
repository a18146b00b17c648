//! What a yielding task feels of the console, beside 100,000 live tasks.

use std::future::pending;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use headcount::Headcount;
use tokio::runtime::{Builder, Runtime};

use crate::child::Attached;
use crate::median;

const LIVE: usize = 100_000;
/// Long enough for several passes of the console.
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 7;

/// Prints the p99.9 of the gaps in nanoseconds, without and with a client.
pub(crate) fn measure() {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    // One core is left to the console.
    let workers = cores.saturating_sub(1).max(1);
    let runtime =
        Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime");
    let (_hc, address) = install(&runtime);
    runtime.block_on(async {
        for _ in 0..LIVE {
            drop(headcount::spawn(pending::<()>()));
        }
    });
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(p999(&runtime));
        let client = Attached::to(&address);
        with.push(p999(&runtime));
        drop(client);
    }
    println!("{} {}", median(&mut without), median(&mut with));
    runtime.shutdown_background();
}

/// Installs headcount with a console, and gives its address.
pub(crate) fn install(runtime: &Runtime) -> (Headcount, String) {
    let _inside = runtime.enter();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let hc = Headcount::builder().console(any).install().expect("nothing stands in the way");
    let address = hc.console_addr().expect("it was asked for");
    (hc, format!("http://{address}"))
}

fn p999(runtime: &Runtime) -> f64 {
    let yielding = headcount::spawn_on(gaps(), runtime.handle());
    let gaps = runtime.block_on(yielding).expect("it ends");
    gaps.value_at_quantile(0.999) as f64
}

async fn gaps() -> Histogram<u64> {
    let mut gaps = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order");
    let start = Instant::now();
    let mut last = start;
    while last - start < ROUND {
        tokio::task::yield_now().await;
        let now = Instant::now();
        gaps.saturating_record((now - last).as_nanos() as u64);
        last = now;
    }
    gaps
}
