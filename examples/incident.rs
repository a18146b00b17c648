//! Something of each kind that a person on call meets, in one process: what the dashboard is tried with.
//!
//!     HEADCOUNT_STACKS=request cargo run --example incident --features stacks
//!
//! Ctrl-C begins a stop that cannot end well: it has a task that blocks, a closure, and a full queue.

use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use headcount::carry::{Carried, Carrier, Spawn};
use headcount::{Backoff, Headcount, Limit, OnShutdown, Report, Restart, every, service, task};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

/// Two at once, and five more may wait.
static MAIL: Limit = Limit::new("send-email", 2).queue(5);

#[tokio::main(worker_threads = 4)]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    let hc = Headcount::builder().service("incident").carry(Requests).install()?;

    // Two run, five wait, three are rejected.
    for order in 0..10 {
        task("send-email").label("provider", "ses").field("order_id", order).limit(&MAIL).spawn(sleep(LONG));
    }
    // One is within its time, one beyond it and cannot be aborted, one was aborted by it.
    task("import").timeout(LONG).spawn(import());
    task("resize-image").timeout(SHORT).spawn_blocking(|| std::thread::sleep(LONG));
    task("fetch-rates").timeout(SHORT).spawn(pending::<()>());
    // One fails, one panics, and both are of a request.
    task("webhook").spawn_fallible(async { Err::<(), _>("connection refused") });
    task("thumbnail").spawn(async { panic!("index out of bounds: the len is 3 but the index is 7") });
    // What a stop waits for, in its way.
    task("audit-log").on_shutdown(OnShutdown::Last).spawn(pending::<()>());
    task("warm-cache").on_shutdown(OnShutdown::Detach).spawn(pending::<()>());
    task("blocked-cpu").spawn(async { std::thread::sleep(LONG) });
    // What can be asked where it waits.
    let (sender, payments) = channel(1);
    task("checkout").spawn(checkout(payments));
    task("missed-wake-up").spawn(MissedWakeUp(false));
    // A service that needed too many restarts, and a timer that can be run at once.
    let backoff = Backoff::constant(SHORT).give_up(2, Duration::from_secs(60));
    service("consumer", refused).restart(Restart::OnFailure, backoff).spawn()?;
    every(LONG, "report").run(|| async {})?;

    if let Some(admin) = hc.admin_addr() {
        println!("Dashboard at http://{admin}/");
    }
    hc.draining().await;
    drop(sender);
    Ok(hc.drain().await)
}

/// Has two tasks of its own.
async fn import() {
    for _ in 0..2 {
        task("parse-file").spawn(sleep(LONG));
    }
    if let Some(task) = headcount::current() {
        task.set_status("batch 3/10");
        task.set_progress(3, 10);
    }
    sleep(LONG).await;
}

async fn checkout(mut payments: Receiver<u64>) {
    paid(&mut payments).await;
}

/// Waits in three places at a time, of which the first is no cause.
async fn paid(payments: &mut Receiver<u64>) {
    tokio::select! {
        () = headcount::draining() => {}
        _ = payments.recv() => {}
        () = sleep(LONG) => {}
    }
}

/// Ready when it is polled again, which nothing causes but a question.
struct MissedWakeUp(bool);

impl Future for MissedWakeUp {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn refused() -> std::io::Result<()> {
    Err(std::io::ErrorKind::ConnectionRefused.into())
}

/// Gives each task the trace of its request; a real one asks the tracing library.
struct Requests;

struct Request(String);

impl Carrier for Requests {
    fn name(&self) -> &'static str {
        "request"
    }

    fn take(&self, _: &Spawn<'_>) -> Option<Box<dyn Carried>> {
        static LAST: AtomicU64 = AtomicU64::new(0x4bf9_2f35_77b3);
        let id = LAST.fetch_add(1, Ordering::Relaxed);
        Some(Box::new(Request(format!("{id:032x}"))))
    }
}

impl Carried for Request {
    fn enter(&mut self, poll: &mut dyn FnMut()) {
        poll();
    }

    fn trace_id(&self) -> Option<String> {
        Some(self.0.clone())
    }
}
