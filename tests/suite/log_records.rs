//! An application that logs through `log` keeps all its records, and one that sets its subscriber late hears
//! headcount.

use std::net::SocketAddr;
use std::sync::Mutex;

use headcount::Headcount;

static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        RECORDS.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn has(text: &str) -> bool {
    RECORDS.lock().unwrap().iter().any(|record| record.contains(text))
}

fn install() -> Headcount {
    Headcount::builder()
        .admin(SocketAddr::from(([127, 0, 0, 1], 0)))
        .on_abandon(|_| {})
        .console(SocketAddr::from(([127, 0, 0, 1], 0)))
        .install()
        .unwrap()
}

#[tokio::test]
async fn records_of_the_application_still_appear_after_install() {
    own_process!();
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    tracing::info!("before");
    let hc = install();
    tracing::info!("after");
    log::info!("by log itself");
    assert!(has("before") && has("after") && has("by log itself"), "{RECORDS:?}");
    let _ = hc.drain().await;
    tracing::info!("at the end");
    assert!(has("at the end"), "{RECORDS:?}");
    assert!(has("Dashboard at"), "headcount's own lines: {RECORDS:?}");
}

#[tokio::test]
async fn a_subscriber_that_is_set_later_hears_the_shutdown() {
    own_process!();
    let hc = install();
    let lines = crate::support::lines::Lines::default();
    tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).init();
    let _ = hc.drain().await;
    let said = lines.take();
    assert!(said.iter().any(|line| line.contains("Shutting down (drain())")), "{said:?}");
}
