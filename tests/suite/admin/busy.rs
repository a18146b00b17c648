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

    let summary = summary_with_shares(admin).await;
    assert_eq!(group(&summary, "closure")["busy_share"], Value::Null);
    let busy = group(&summary, "closure")["busy_seconds"].as_f64().unwrap();
    assert!(1.0 < busy, "they were busy all the same: {busy}");
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

fn group<'a>(summary: &'a Value, name: &str) -> &'a Value {
    summary["groups"].as_array().unwrap().iter().find(|group| group["name"] == name).unwrap()
}

/// Waits until one worker of two is busy, by the shares of all and of the group. There are none in the first
/// second, and in each the machine may be busy with something else.
async fn summary_with_shares(admin: SocketAddr) -> Value {
    let is_half = |share: &Value| share.as_f64().is_some_and(|share| (0.25..=0.75).contains(&share));
    until_yielding(|| {
        let summary = get(admin, "/api/v1/summary").expect(200).json();
        let is_so = is_half(&summary["busy_share"]) && is_half(&group(&summary, "spinning")["busy_share"]);
        if is_so { Ok(summary) } else { Err(summary) }
    })
    .await
}
