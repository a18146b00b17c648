//! Six ways to hang, one a run, and what the log says of the line to fix. `scripts/stuck` runs them all and
//! writes docs/STUCK.md.
//!
//!     cargo run --example stuck --features stacks -- deadlock
//!     kill -QUIT $(pidof stuck)

use std::sync::Arc;

use headcount::settings::{SigQuit, Stacks};
use headcount::{Headcount, Report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Mutex, Notify, Semaphore};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::builder().admin(None).stacks(Stacks::Request).sigquit(SigQuit::Stacks).install()?;
    match std::env::args().nth(1).as_deref() {
        Some("deadlock") => deadlock(),
        Some("lost-wake-up") => lost_wake_up(),
        Some("empty-pool") => empty_pool(),
        Some("hung-peer") => hung_peer().await?,
        Some("blocking-call") => blocking_call(),
        Some("endless-loop") => endless_loop(),
        _ => return Err("which of the six? docs/STUCK.md has their names".into()),
    }
    headcount::draining().await;
    Ok(hc.drain().await)
}

/// Two tasks take the same two mutexes, each the other one first.
fn deadlock() {
    let (orders, stock, both) = (Arc::default(), Arc::default(), Arc::new(Barrier::new(2)));
    headcount::task("ship-order").spawn(ship(Arc::clone(&orders), Arc::clone(&stock), Arc::clone(&both)));
    headcount::task("restock").spawn(restock(orders, stock, both));
}

async fn ship(orders: Arc<Mutex<u32>>, stock: Arc<Mutex<u32>>, both: Arc<Barrier>) {
    let mut orders = orders.lock().await;
    both.wait().await;
    *orders -= *stock.lock().await; // fix
}

async fn restock(orders: Arc<Mutex<u32>>, stock: Arc<Mutex<u32>>, both: Arc<Barrier>) {
    let mut stock = stock.lock().await;
    both.wait().await;
    *stock += *orders.lock().await; // fix
}

/// `notify_waiters` wakes those that wait already, and this one does not yet. `notify_one` would be kept.
fn lost_wake_up() {
    let changed = Arc::new(Notify::new());
    changed.notify_waiters();
    headcount::task("reload-config").spawn(reload(changed));
}

async fn reload(changed: Arc<Notify>) {
    changed.notified().await; // fix
}

/// Each task takes a second connection while it keeps its first, until none is left.
fn empty_pool() {
    let (pool, all) = (Arc::new(Semaphore::new(4)), Arc::new(Barrier::new(4)));
    for _ in 0..4 {
        headcount::task("checkout").spawn(checkout(Arc::clone(&pool), Arc::clone(&all)));
    }
}

async fn checkout(pool: Arc<Semaphore>, all: Arc<Barrier>) {
    let _order = pool.acquire().await;
    all.wait().await;
    let _audit = pool.acquire().await; // fix
}

/// A service that takes a request and never answers, asked without a timeout.
async fn hung_peer() -> std::io::Result<()> {
    let peer = TcpListener::bind("127.0.0.1:0").await?;
    let address = peer.local_addr()?;
    headcount::task("fetch-rates").spawn(async move {
        // The system accepts the connection. Nothing reads from it.
        let _peer = peer;
        fetch(TcpStream::connect(address).await?).await
    });
    Ok(())
}

async fn fetch(mut peer: TcpStream) -> std::io::Result<usize> {
    peer.write_all(b"GET /rates HTTP/1.1\r\nHost: rates.example\r\n\r\n").await?;
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await // fix
}

/// A file that is read on a worker thread: here a pipe that nothing writes to, elsewhere a network's disk.
fn blocking_call() {
    headcount::task("load-prices").spawn(async { std::fs::read("prices.fifo") }); // fix
}

/// A computation without an end and without an await.
fn endless_loop() {
    headcount::task("forecast").spawn(async { while !is_near(0.1 + 0.2, 0.3) {} }); // fix
}

#[allow(clippy::float_cmp, reason = "it is the fault that this shows")]
fn is_near(one: f64, other: f64) -> bool {
    std::hint::black_box(one) == other
}
