//! The busy share is of the workers' time: closures have threads of their own.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::http::get;
use crate::support::wait::until_yielding;
use headcount::Headcount;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_workers_is_busy_whatever_closures_do() {
    own_process!();
    let hc = Headcount::builder().admin(SocketAddr::from(([127, 0, 0, 1], 0))).install().unwrap();
    let admin = hc.admin_addr().unwrap();
    let ends: Vec<_> = (0..4)
        .map(|_| {
            let (end, ended) = channel::<()>();
            headcount::task("closure").spawn_blocking(move || ended.recv());
            end
        })
        .collect();
    let spinning = headcount::task("spinning").spawn(spin());

    let summary = summary_with_rates(admin).await;
    let share = summary["busy_share"].as_f64().unwrap();
    assert!((0.25..=0.75).contains(&share), "one worker of two is {share}");
    let groups = summary["groups"].as_array().unwrap();
    let group = |name: &str| groups.iter().find(|group| group["name"] == name).unwrap();
    let spinning_share = group("spinning")["busy_share"].as_f64().unwrap();
    assert!((0.25..=0.75).contains(&spinning_share), "one worker of two is {spinning_share}");
    assert_eq!(group("closure")["busy_share"], Value::Null);
    assert!(1.0 < group("closure")["busy_seconds"].as_f64().unwrap(), "they were busy all the same");
    spinning.abort();
    drop(ends);
}

/// All polls, and hardly anything between them.
async fn spin() {
    loop {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
    }
}

/// There are none in the first second.
async fn summary_with_rates(admin: SocketAddr) -> Value {
    until_yielding(|| {
        let summary = get(admin, "/api/v1/summary").expect(200).json();
        if summary["busy_share"].is_null() { Err(summary) } else { Ok(summary) }
    })
    .await
}
