//! A web service that answers at once and leaves tasks running, and headcount watching them.
//!
//!     cargo run --example quickstart
//!     curl http://127.0.0.1:8000/                  # "Non-blocking HTTP request", and a task counts to 200
//!     curl -X POST http://127.0.0.1:8000/signup    # three tasks: e-mail, push, thumbnail
//!     curl http://127.0.0.1:7717/metrics
//!
//! Flags: `--listen ADDR`, `--admin ADDR`, `--load N` (calls itself N times a second), `--seconds-per-number
//! S`, `--limit-max-requests N` (stops gracefully after so many).
//!
//! Then Ctrl-C: it waits for the tasks, by name.

mod support;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use headcount::{Headcount, Report, RequestLimitLayer};
use support::{Flags, chance, generate_load, pause};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<Report, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(support::log_filter()).init();
    let flags = Flags::from_arguments();
    let mut builder = Headcount::builder().service("quickstart");
    if let Some(address) = flags.admin {
        builder = builder.admin(address);
    }
    let hc = builder.install()?;
    let listener = TcpListener::bind(flags.listen).await?;
    let service = listener.local_addr()?;
    println!("Service at http://{service}/");
    if let Some(admin) = hc.admin_addr() {
        println!("Dashboard at http://{admin}/");
    }
    generate_load(service, flags.load);

    let app = Router::new()
        .route("/", get(count))
        .route("/signup", post(sign_up))
        .with_state(flags.seconds_per_number);
    let app = match flags.limit_max_requests {
        Some(limit) => app.layer(RequestLimitLayer::new(limit)),
        None => app,
    };
    axum::serve(listener, app).with_graceful_shutdown(hc.draining()).await?;
    Ok(hc.drain().await)
}

/// Leaves a task that takes minutes, and does not wait for it.
async fn count(State(pause): State<Duration>) -> &'static str {
    headcount::spawn(print_numbers(pause));
    "Non-blocking HTTP request"
}

async fn print_numbers(pause: Duration) {
    for number in 1..=200 {
        println!("{number}");
        if let Some(task) = headcount::current() {
            task.set_progress(number, 200);
        }
        tokio::time::sleep(pause).await;
    }
    println!("done");
}

/// Leaves three tasks with names and labels of their own.
async fn sign_up() -> &'static str {
    headcount::task("send-email")
        .label("provider", if chance(0.3) { "ses" } else { "postmark" })
        .spawn_fallible(send_email());
    headcount::task("push-notification").spawn(push_notification());
    headcount::task("thumbnail").spawn_blocking(thumbnail);
    "Welcome!"
}

/// Fails now and then, as mail does.
async fn send_email() -> Result<(), &'static str> {
    for step in ["connecting", "sending"] {
        if let Some(task) = headcount::current() {
            task.set_status(step);
        }
        pause(0.2, 1.5).await;
    }
    if chance(0.03) { Err("451 mailbox busy, try again later") } else { Ok(()) }
}

/// Panics once in a while.
async fn push_notification() {
    for device in 1..=3 {
        if let Some(task) = headcount::current() {
            task.set_progress(device, 3);
        }
        pause(0.05, 0.4).await;
    }
    assert!(!chance(0.005), "the push service answered with something unheard of");
}

/// Keeps a thread busy, which is what `spawn_blocking` is for.
fn thumbnail() {
    std::thread::sleep(Duration::from_secs_f64(0.05 + support::random(0.0, 0.3)));
}
