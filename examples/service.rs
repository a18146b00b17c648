//! A consumer that must go on, fed by a timer.
//!
//!     cargo run --example service              # now and then the connection breaks, and it restarts
//!     cargo run --example service -- refused   # it never connects: longer and longer waits, without an end
//!     cargo run --example service -- broken    # it never connects, and the process stops with exit code 70
//!
//! While it runs, the dashboard's view *Services* shows both: state, last run and why it ended, the next one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use headcount::{Backoff, Headcount, Report, Restart, every, service};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, channel};

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let hc = Headcount::install()?;
    if let Some(admin) = hc.admin_addr() {
        println!("Dashboard at http://{admin}/");
    }
    let how = std::env::args().nth(1);
    let (orders, queue) = channel(100);
    let queue = Arc::new(Mutex::new(queue));

    let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60)).jitter();
    let consumer = match how.as_deref() {
        Some("refused") => service("consumer", refused).restart(Restart::OnFailure, backoff).spawn()?,
        // No more than 2 restarts in a minute. After that the process cannot do its work, and stops.
        Some("broken") => {
            let backoff = Backoff::constant(Duration::from_millis(200)).give_up(2, Duration::from_secs(60));
            service("consumer", refused).restart(Restart::OnFailure, backoff).critical().spawn()?
        }
        // The factory makes each run: it is called again for every restart.
        _ => service("consumer", move || consume(Arc::clone(&queue)))
            .restart(Restart::OnFailure, backoff.give_up(5, Duration::from_secs(600)))
            .critical()
            .spawn()?,
    };
    let mut number = 0;
    every(Duration::from_secs(1), "orders").run(move || {
        number += 1;
        let orders = orders.clone();
        async move {
            let _ = orders.try_send(number);
        }
    })?;
    every(Duration::from_secs(3600), "report").jitter(0.1).run(|| async {})?;
    tracing::info!("{} is {}", consumer.name(), consumer.state());

    hc.draining().await;
    Ok(hc.drain().await)
}

/// Takes orders until the process stops. An `Err` is a failure, after which the service restarts.
async fn consume(queue: Arc<Mutex<Receiver<u64>>>) -> io::Result<()> {
    let mut queue = queue.lock().await;
    loop {
        tokio::select! {
            // What was begun is finished, and nothing new is taken.
            () = headcount::draining() => return Ok(()),
            order = queue.recv() => match order {
                Some(order) if order % 10 == 0 => return Err(io::ErrorKind::ConnectionReset.into()),
                Some(order) => tracing::info!("order {order}"),
                None => return Ok(()),
            },
        }
    }
}

async fn refused() -> io::Result<()> {
    Err(io::ErrorKind::ConnectionRefused.into())
}
