//! Spawns or polls on a current-thread runtime, for callgrind to count.
//!
//! `headcount-instructions tokio|headcount spawn|poll COUNT`. Everything is done once before, so that neither the clock's
//! calibration nor a first allocation is in `counted`, the one function in which callgrind collects.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Enough for every buffer that grows to have grown.
const WARM_UP: usize = 1_000;

/// A task that wakes itself as many times as it holds.
struct Yields(usize);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [subject, what, count] = &arguments[..] else {
        panic!("usage: headcount-instructions tokio|headcount spawn|poll COUNT");
    };
    let count = count.parse().expect("COUNT is a number");
    match subject.as_str() {
        "tokio" => run(what, count, |yields| tokio::spawn(yields)),
        "headcount" => run(what, count, |yields| headcount::spawn(yields)),
        _ => panic!("{subject}: unknown"),
    }
}

fn run(what: &str, count: usize, spawn: impl Fn(Yields) -> JoinHandle<()>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime can be built");
    let work = async |count: usize| {
        let (tasks, yields) = if what == "spawn" { (count, 0) } else { (1, count) };
        for _ in 0..tasks {
            spawn(Yields(yields)).await.expect("the task ends");
        }
    };
    runtime.block_on(work(WARM_UP));
    counted(&runtime, work(count));
}

/// What callgrind is told to collect.
#[inline(never)]
fn counted(runtime: &Runtime, work: impl Future<Output = ()>) {
    runtime.block_on(work);
}
