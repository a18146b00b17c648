//! Loops that never end by themselves: one ends when draining begins, a batcher outlives the
//! tasks that feed it.
//!
//!     cargo run --example background      then Ctrl-C

use std::time::Duration;

use headcount::{Headcount, OnShutdown, Report};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;

    let (orders, queue) = mpsc::channel(1_000);
    headcount::task("batcher").on_shutdown(OnShutdown::Last).spawn(batch(queue));
    headcount::task("refresh-prices").spawn(refresh_prices());
    for number in 1..=3 {
        headcount::task("worker").field("number", number).spawn(work(number, orders.clone()));
    }

    println!("Stop it with Ctrl-C");
    hc.draining().await;
    Ok(hc.drain().await)
}

/// Nothing depends on its next tick, so it ends as soon as draining begins.
async fn refresh_prices() {
    let mut ticks = interval(Duration::from_secs(30));
    loop {
        tokio::select! {
            _ = ticks.tick() => println!("prices are fresh"),
            () = headcount::draining() => return,
        }
    }
}

/// Finishes what it has begun, and asks between two pieces of work.
async fn work(number: u32, orders: mpsc::Sender<u32>) {
    while !headcount::shutdown_requested() {
        sleep(Duration::from_millis(700)).await;
        if orders.send(number).await.is_err() {
            return;
        }
    }
}

/// `draining()` resolves here when no worker is left, so the batcher never misses an order.
async fn batch(mut queue: mpsc::Receiver<u32>) {
    let mut batch = Vec::new();
    let mut ticks = interval(Duration::from_secs(5));
    let draining = headcount::draining();
    tokio::pin!(draining);
    loop {
        tokio::select! {
            biased;
            Some(order) = queue.recv() => batch.push(order),
            _ = ticks.tick() => flush(&mut batch),
            () = &mut draining => break,
        }
    }
    flush(&mut batch);
}

fn flush(batch: &mut Vec<u32>) {
    if !batch.is_empty() {
        println!("{} orders are stored", batch.len());
        batch.clear();
    }
}
