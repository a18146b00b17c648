//! A limit that keeps fire-and-forget work from filling the memory: plain spawns wait or are rejected,
//! callers that can wait do, and a key runs once at a time.
//!
//!     cargo run --example limits        then Ctrl-C
//!
//! The operator can change the limit: `HEADCOUNT_LIMIT='send-email=2/5'`.

use std::time::Duration;

use headcount::{Headcount, Limit, Outcome, Report, TrySpawnError};
use tokio::time::sleep;

/// Four emails at once, and ten more may wait.
static EMAILS: Limit = Limit::new("send-email", 4).queue(10);

async fn send_email(number: u32) -> u32 {
    sleep(Duration::from_millis(300)).await;
    number
}

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;

    // Never blocks: 4 run, 10 wait in this order, and 6 are rejected.
    let emails: Vec<_> = (0..20)
        .map(|number| headcount::task("send-email").limit(&EMAILS).spawn(send_email(number)))
        .collect();
    println!("{} emails are sent, {} wait", EMAILS.running(), EMAILS.waiting());

    // Gives the future back where it cannot run at once.
    match headcount::task("send-email").limit(&EMAILS).try_spawn(send_email(20)) {
        Err(TrySpawnError::Full(_)) => println!("no room now: answer 503, or keep it for later"),
        Err(error) => println!("not spawned: {error}"),
        Ok(_) => {}
    }

    // Waits for room, which slows the caller down to what the limit allows.
    headcount::task("send-email").limit(&EMAILS).spawn_when_free(send_email(21)).await;

    for email in emails {
        if let Err(error) = email.await {
            assert_eq!(headcount::outcome_of(&error), Outcome::Rejected);
        }
    }

    // One rebuild of a repository at a time: a new one ends the old one and follows it.
    let rebuild = |repository| {
        headcount::task("rebuild").unique_replace(repository).spawn(sleep(Duration::from_secs(5)))
    };
    rebuild("headcount");
    rebuild("headcount");

    hc.draining().await;
    Ok(hc.drain().await)
}
