//! What asking takes: `scripts/leaves times` prints this table, for bench/README.md.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use headcount_stack::Buffer;
use tokio::sync::Notify;

/// Frames of a stack that is captured.
const FRAMES: usize = 40;
/// Tasks of a dump.
const TASKS: usize = 1_000;
const ROUNDS: usize = 20;

/// Prints all rows. Nothing may have been named before.
pub(crate) async fn print(admin: SocketAddr) {
    let program = std::env::current_exe().expect("a program");
    let bytes = program.metadata().expect("a file").len();
    println!("| | |\n|---|---|");
    println!("| the program | {} MB |", bytes / 1_000_000);

    let never = Arc::new(Notify::new());
    let asked = headcount::task("asked").spawn(waits(Arc::clone(&never)));
    let id = crate::idle("asked").await;
    let (quiet, _) = beside(tokio::time::sleep(Duration::from_secs(2))).await;
    let (first, (took, text)) = beside(async {
        let began = Instant::now();
        let stack = headcount::stack(id).await.expect("a stack");
        (began.elapsed(), stack.text)
    })
    .await;
    assert!(text.contains("times::waits"), "{text}");
    let computing = beside(tokio::task::spawn_blocking(move || compute(took))).await.0;
    println!("| the first answer, which reads the debug information | {:.0} ms |", millis(took));
    println!("| gaps between polls of a task that yields, p99.9 and longest: beside nothing | {quiet} |");
    println!("| beside a thread that computes for as long | {computing} |");
    println!("| beside the first answer | {first} |");
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let _ = headcount::stack(id).await.expect("a stack");
        times.push(began.elapsed());
    }
    let further = median(times);
    println!("| a further answer, from question to text | {:.0} µs |", micros(further));
    asked.abort();

    println!("| a capture of {FRAMES} frames, within the poll | {:.1} µs |", micros(capture()));

    for _ in 0..TASKS {
        headcount::task("crowd").spawn(waits(Arc::clone(&never)));
    }
    crate::idle("crowd").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        // More may be refused within a second.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        times.push(dump(admin).await);
    }
    println!("| a dump of {TASKS} tasks | {:.1} ms |", millis(median(times)));
}

async fn waits(never: Arc<Notify>) {
    never.notified().await;
}

/// What a task that yields again and again felt beside this: the times between its polls.
async fn beside<T>(work: impl Future<Output = T>) -> (String, T) {
    let goes = Arc::new(AtomicBool::new(true));
    let yields = tokio::spawn({
        let goes = Arc::clone(&goes);
        async move {
            let (mut gaps, mut last) = (Vec::with_capacity(1 << 20), Instant::now());
            while goes.load(Relaxed) {
                tokio::task::yield_now().await;
                let now = Instant::now();
                gaps.push(now - last);
                last = now;
            }
            gaps.sort_unstable();
            let of = |share: usize| micros(gaps[(gaps.len() * share / 1_000).min(gaps.len() - 1)]);
            format!("{:.1} µs, {:.0} µs", of(999), of(1_000))
        }
    });
    let done = work.await;
    goes.store(false, Relaxed);
    (yields.await.expect("it ends"), done)
}

fn compute(how_long: Duration) {
    let began = Instant::now();
    let mut value = 1_u64;
    while began.elapsed() < how_long {
        for _ in 0..10_000 {
            value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

#[inline(never)]
fn deep(depth: usize, waker: &Waker) -> usize {
    if depth == 0 {
        drop(waker.clone());
        return 0;
    }
    std::hint::black_box(deep(depth - 1, waker) + 1)
}

fn capture() -> Duration {
    let (waker, buffer) = (Waker::from(Arc::new(Nothing)), Buffer::new());
    let frames = |depth| {
        buffer.clear();
        headcount_stack::watch(&waker, &buffer, |waker| deep(depth, waker));
        buffer.stacks().next().map_or(0, |stack| stack.len())
    };
    // Some frames are of the trace itself.
    let depth = FRAMES - frames(0);
    assert_eq!(frames(depth), FRAMES);
    let capture = |_| {
        buffer.clear();
        let began = Instant::now();
        headcount_stack::watch(&waker, &buffer, |waker| deep(depth, waker));
        began.elapsed()
    };
    median((0..2_000).map(capture).collect())
}

/// Asks all tasks, as the page does.
async fn dump(admin: SocketAddr) -> Duration {
    let client = reqwest::Client::new();
    let live = client.get(format!("http://{admin}/livez")).send().await.expect("an answer");
    let instance = live.headers()["headcount-instance"].clone();
    let began = Instant::now();
    let request = client.post(format!("http://{admin}/api/v1/stacks")).header("If-Match", instance);
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    let text = answer.text().await.expect("a body");
    let took = began.elapsed();
    assert!(text.contains("times::waits"), "{text}");
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    1e6 * time.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    1e3 * time.as_secs_f64()
}
