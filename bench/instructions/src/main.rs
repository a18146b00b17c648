//! Spawns or polls on a current-thread runtime, for callgrind to count.
//!
//! `headcount-instructions SUBJECT WHAT COUNT`. Everything is done once before, so that neither the clock's
//! calibration nor a first allocation is in `counted`, the one function in which callgrind collects.

use std::env;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Enough for every buffer that grows to have grown.
const WARM_UP: usize = 4_096;
/// Tasks alive at a time in a burst.
const BURST: usize = 64;
/// Names that are used in turn.
const NAMES: [&str; 20] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// More than are ever alive.
static ROOM: headcount::Limit = headcount::Limit::new("send-email", 1 << 20);

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

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
        panic!("usage: headcount-instructions SUBJECT spawn|wait|burst|poll COUNT");
    };
    let count = count.parse().expect("COUNT is a number");
    let mut turn = 0;
    match subject.as_str() {
        "tokio" => run(what, count, |yields| tokio::spawn(yields)),
        "headcount" => run(what, count, |yields| headcount::spawn(yields)),
        "named" => run(what, count, |yields| headcount::task("send-email").spawn(yields)),
        "one-label" => {
            run(what, count, |yields| headcount::task("send-email").label("provider", "ses").spawn(yields));
        }
        "two-labels" => run(what, count, |yields| {
            headcount::task("send-email").label("provider", "ses").label("region", "eu").spawn(yields)
        }),
        "site" => run(what, count, |yields| headcount::task!("send-email", provider = "ses").spawn(yields)),
        "twenty-names" => run(what, count, |yields| {
            turn = (turn + 1) % NAMES.len();
            headcount::task(NAMES[turn]).spawn(yields)
        }),
        // With room: the limit is never reached.
        "limited" => run(what, count, |yields| headcount::task("send-email").limit(&ROOM).spawn(yields)),
        "timed" => run(what, count, |yields| headcount::task("send-email").timeout(HOUR).spawn(yields)),
        // As with the setting `stacks`: each task that waits has its waker stored.
        "stored" => {
            headcount_core::internal::stacks::store_wakers();
            run(what, count, |yields| headcount::spawn(yields));
        }
        _ => panic!("{subject}: unknown"),
    }
}

fn run(what: &str, count: usize, mut spawn: impl FnMut(Yields) -> JoinHandle<()>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime can be built");
    let mut work = async |count: usize| match what {
        "spawn" => {
            for _ in 0..count {
                spawn(Yields(0)).await.expect("the task ends");
            }
        }
        "wait" => {
            for _ in 0..count {
                spawn(Yields(1)).await.expect("the task ends");
            }
        }
        "burst" => {
            let mut handles = Vec::with_capacity(BURST);
            for _ in 0..count / BURST {
                handles.extend((0..BURST).map(|_| spawn(Yields(0))));
                for handle in handles.drain(..) {
                    handle.await.expect("the task ends");
                }
            }
        }
        "poll" => spawn(Yields(count)).await.expect("the task ends"),
        _ => panic!("{what}: unknown"),
    };
    runtime.block_on(work(WARM_UP));
    counted(&runtime, work(count));
}

/// What callgrind collects.
#[inline(never)]
fn counted(runtime: &Runtime, work: impl Future<Output = ()>) {
    runtime.block_on(work);
}
