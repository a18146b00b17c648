//! An application that logs through `log` keeps all its records, and one that sets its subscriber late hears
//! headcount.

use std::net::SocketAddr;

use headcount::Headcount;

use crate::support::lines::Lines;

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
    let lines = Lines::default();
    let mut logger = env_logger::Builder::new();
    logger.filter_level(log::LevelFilter::Trace).target(env_logger::Target::Pipe(Box::new(lines.clone())));
    logger.init();
    let mut said = Vec::new();
    let mut has = |text: &str| {
        said.extend(lines.take());
        said.iter().any(|line: &String| line.contains(text))
    };
    tracing::info!("before");
    let hc = install();
    tracing::info!("after");
    log::info!("by log itself");
    assert!(has("before") && has("after") && has("by log itself"));
    let _ = hc.drain().await;
    tracing::info!("at the end");
    assert!(has("at the end"));
    assert!(has("Dashboard at"), "headcount's own lines");
}

#[tokio::test]
async fn a_subscriber_that_is_set_later_hears_the_shutdown() {
    own_process!();
    let hc = install();
    let lines = Lines::default();
    tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).init();
    let _ = hc.drain().await;
    let said = lines.take();
    assert!(said.iter().any(|line| line.contains("Shutting down (drain())")), "{said:?}");
}
