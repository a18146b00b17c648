//! A handler as serverless platforms run it: the process is frozen once it asks for the next event, so it
//! waits for what the response left running before it asks.
//!
//!     printf 'one\ntwo\n' | cargo run --example lambda
//!
//! Each line is an event. Without the wait, the work behind the last response would never be done.

use std::io::BufRead;
use std::time::Duration;

use headcount::snapshot::{TaskQuery, tasks};
use headcount::{Headcount, Report};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// What the platform allows between a response and the next event.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();
    // The platform sends SIGTERM before it removes the process.
    let hc = Headcount::builder().admin(None).drain_timeout(Duration::from_millis(500)).install()?;
    let mut events = events();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = hc.draining() => None,
        };
        let Some(event) = event else { break };
        println!("{}", handle(&event));
        if timeout(PATIENCE, headcount::idle()).await.is_err() {
            // They go on when the process is thawed, or never.
            let left = tasks(&TaskQuery::default()).map(|page| page.items).unwrap_or_default();
            left.iter().for_each(|task| eprintln!("still running: {} #{}", task.name, task.id));
        }
    }
    Ok(hc.drain().await)
}

/// Answers at once, and leaves work behind.
fn handle(event: &str) -> String {
    let takes = if event == "slow" { Duration::from_secs(60) } else { Duration::from_millis(100) };
    let done = format!("written to the audit log: {event}");
    headcount::task("audit").field("event", event).spawn(async move {
        sleep(takes).await;
        println!("{done}");
    });
    format!("handled {event}")
}

/// The lines of standard input, read on a thread of their own, which does not hold up the end of the process.
fn events() -> mpsc::Receiver<String> {
    let (sender, events) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    events
}
