//! A library that leaves tasks running: it depends on `headcount-core`, replaces `tokio::spawn`, and needs
//! nothing else. Whether anything observes the tasks is up to the application.
//!
//!     cargo run --example library

use std::time::Duration;

/// The library: in `Cargo.toml` of its own, `headcount-core = "0.1"`, which has the same functions.
mod mailer {
    use std::time::Duration;

    pub(crate) fn send(address: &'static str) {
        headcount::task("mailer::send").field("address", address).spawn(async {
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
    }
}

/// The application, which does not know headcount at all here.
#[tokio::main]
async fn main() {
    mailer::send("ada@example.com");
    mailer::send("grace@example.com");
    tokio::time::sleep(Duration::from_millis(10)).await;
    // Were it curious, it could ask without any set-up, and wait.
    println!("{} tasks live", headcount::snapshot().live);
    headcount::idle().await;
    println!("{} tasks finished", headcount::snapshot().finished.ok);
}
