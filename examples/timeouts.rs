//! Tasks that may run for so long and no longer, counted, named and logged.
//!
//!     cargo run --example timeouts        then Ctrl-C
//!
//! For code that one cannot change: `HEADCOUNT_TIMEOUT='poll-feed=2s,*=1h'`.

use std::time::Duration;

use headcount::{Headcount, Outcome, Report};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<Report, headcount::Error> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    let second = Duration::from_secs(1);

    // Aborted after a second. The code that awaits it learns why.
    let email = headcount::task("send-email").timeout(second).spawn(sleep(90 * second));
    if let Err(error) = email.await {
        assert_eq!(headcount::outcome_of(&error), Outcome::Timeout);
        println!("the email was not sent in time");
    }

    // A task that comes on asks for more, batch by batch.
    headcount::task("import").timeout(2 * second).spawn(async move {
        for batch in 1..=10 {
            sleep(second).await;
            if let Some(task) = headcount::current() {
                task.set_progress(batch, 10);
                task.extend(second);
            }
        }
    });

    // A running closure cannot be aborted: it is named as overdue, once, and on the dashboard.
    headcount::task("resize-image").timeout(second).spawn_blocking(move || std::thread::sleep(5 * second));

    headcount::task("poll-feed").spawn(std::future::pending::<()>());

    hc.draining().await;
    Ok(hc.drain().await)
}
